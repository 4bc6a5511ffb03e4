"""Statistics: from one row per model to answers, each with an interval and a p value.

The functions here are pure: a table of models and an `Options` in, a table out.

**Comparisons.** (a) between models of different architectures, (b) between variants of one
architecture, (c) between differently trained models of one variant. (a) and (b) look at the
models of the reference recipe, (c) at all recipes.

**Scopes.** `family`: one family (b) or one variant of it (c). `pooled`: all families together.
`within`: all groups together, metric and quality centred on the means of their group (the
family for b, the variant for c). A group with a single unit says nothing about differences
inside groups and is left out of `within`.

**Orientation.** Qualities are turned so that larger is better: `error` and
`generalization_gap` change sign. The theory expects negative correlations.

**Units.** Models that differ in the seed alone are replicates, not independent evidence:
counting them as such is pseudoreplication (Hurlbert 1984, Ecological Monographs 54). `n` counts
models, `units` counts independent ones: a (variant, recipe) with a seed is one unit, a model
without a seed is its own. Where a group of comparison (c) holds one recipe only, its seeds are
what is compared and each model is a unit. Permutations exchange whole units of equal size and
the seeds inside a unit (Winkler et al. 2015, NeuroImage 123); the bootstrap draws whole units
(Davison and Hinkley 1997, section 3.8). Limits of n below are limits of the *effective number*
`units - groups + 1`; without seeds and groups this is n. `seeds_are_replicates: false` makes
each model a unit.

**Never pooled.** Collections, data sets, quality metrics and weightwatcher versions. Where the same
models are labelled on several data sets, all metrics are set against one of them, and the primary
metric and size against the others.

**Failed fits.** Treatment `dropped` reads the column `<metric>`, `stored` the column
`<metric>_stored`. Where both agree, the row of `stored` repeats that of `dropped`.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from atlas.parts import primary_quality
from atlas.recipes import has_reference, is_reference

Array = NDArray[Any]

SIZE = "log_parameters"
LOWER_IS_BETTER = frozenset({"error", "generalization_gap", "perplexity"})
TREATMENTS = ("dropped", "stored")
KINDS = ("kendall", "spearman", "pearson")

EXACT_LIMIT = math.factorial(8)  # enumerate every rearrangement up to here: n <= 8
BCA_FROM, FISHER_FROM = 8, 5  # effective numbers from which an interval is given
PAIR_LIMIT = 3_000_000_000  # pairs visited per row: above it, a row takes fewer rearrangements
CHUNK = 2**18  # doubles held at a time by the pairwise sums: about the second-level cache
DIGITS = 12  # differences beyond the 12th digit are rounding noise, and count as ties
POWER = 0.8

PARTITION = ["collection", "dataset", "weightwatcher_version"]
GROUPING = ["comparison", "scope", "family", "variant"]
MEASURE = ["metric", "quality_metric", "treatment"]
TEXT = [*PARTITION, "model", "family", "variant", "recipe", "seed", "quality_metric"]
ESTIMATES = [
    *["n", "units", "groups", "missing"],
    *[f"{kind}{part}" for kind in KINDS for part in ("", "_low", "_high", "_p")],
    *["slope", "intercept", "theil_sen", "r2", "rmse", "detectable_pearson"],
    *["interval", "permutations", "exact"],
]
CORRELATIONS = [
    *PARTITION,
    *GROUPING,
    *MEASURE,
    *ESTIMATES,
    *["kendall_p_recipes", "kendall_p_holm", "kendall_p_bh", "note"],
]
BETWEEN = [*PARTITION, *MEASURE, *ESTIMATES, "note"]
CONTROLS = [
    *["collection", "reference", "dataset", "weightwatcher_version", "scope", "relation"],
    *MEASURE,
    *ESTIMATES,
    "note",
]
BASELINES = [
    *PARTITION,
    *GROUPING,
    *MEASURE,
    *["n", "units", "groups"],
    *["kendall", "kendall_size", "kendall_metric_size"],
    *["partial_kendall", "partial_kendall_low", "partial_kendall_high"],
    *["pearson", "pearson_size", "pearson_metric_size"],
    *["partial_pearson", "partial_pearson_low", "partial_pearson_high", "partial_pearson_p"],
    *["r2_size", "r2_both", "added_r2", "added_r2_low", "added_r2_high", "note"],
]
META = [
    *PARTITION,
    "comparison",
    *MEASURE,
    *["k", "k_left_out", "n", "units"],
    *["pearson", "pearson_low", "pearson_high", "pearson_p"],
    *["prediction_low", "prediction_high", "z", "z_se", "tau2", "i2", "q", "q_p"],
    *["mean_r", "mean_r_groups", "mean_r_p", "permutations", "exact", "note"],
]
SIMPSON = [
    *PARTITION,
    *MEASURE,
    *["n", "units", "families", "families_within", "kendall_pooled", "kendall_within"],
    *["difference", "difference_low", "difference_high", "claimed", "reversed", "note"],
]


@dataclass(frozen=True)
class Options:
    """The config's `statistics` mapping.

    `permutations` and `bootstrap` are numbers of resamples, `confidence` the coverage of every
    interval. `controls` maps a control collection to the collection it belongs to. The size-only
    baseline `log_parameters` is always among the metrics.
    """

    metrics: tuple[str, ...] = (
        "alpha",
        "alpha_weighted",
        "log_alpha_norm",
        "log_norm",
        "log_spectral_norm",
        "stable_rank",
        "failed_share",
    )
    primary_metric: str = "alpha"
    primary_quality: str = "accuracy"
    reference_recipe: str | Sequence[str] = "baseline"
    permutations: int = 9999
    bootstrap: int = 1999
    confidence: float = 0.95
    seed: int = 0
    seeds_are_replicates: bool = True
    controls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Options from a mapping.

        Raises:
            ValueError: a key that is no option.
        """
        unknown = sorted(set(config) - {option.name for option in fields(cls)})
        if unknown:
            raise ValueError(f"statistics: unknown option {', '.join(unknown)}")
        values = dict(config)
        if "metrics" in values:
            values["metrics"] = tuple(values["metrics"])
        return cls(**values)

    @property
    def all_metrics(self) -> tuple[str, ...]:
        return (*(m for m in self.metrics if m != SIZE), SIZE)

    def seed_of(self, *key: object) -> int:
        """A seed that depends on the key alone, not on what was computed before it."""
        digest = hashlib.sha256("\x1f".join(map(str, (self.seed, *key))).encode()).digest()
        return int.from_bytes(digest[:16], "big")


# --- the models -----------------------------------------------------------------------------


def prepare(models: pd.DataFrame) -> pd.DataFrame:
    """The table of models as the other functions take it.

    Text columns are text ("" where missing), infinite numbers are missing, qualities are
    oriented so that larger is better (`oriented`), `log_parameters` is log10 of the number of
    parameters, `unit` names what is independent, and rows are sorted, so that no result depends
    on the order of the input.
    """
    table = models.copy()
    for column in TEXT:
        values = table[column] if column in table else pd.Series("", index=table.index)
        table[column] = values.astype(object).where(values.notna(), "").map(str)
    numbers = [c for c in table.columns if c not in TEXT and c not in ("source", "engine")]
    for column in numbers:
        table[column] = pd.to_numeric(table[column], errors="coerce").astype(float)
        table[column] = table[column].where(np.isfinite(table[column]))
    for column in ("quality", "parameters"):
        if column not in table:
            table[column] = np.nan
    parameters = table["parameters"]
    table[SIZE] = np.log10(parameters.where(parameters > 0))
    sign = np.where(table["quality_metric"].isin(LOWER_IS_BETTER), -1.0, 1.0)
    table["oriented"] = sign * table["quality"]
    named = (table["seed"] != "") & (table["variant"] != "")
    replicate = table[["family", "variant", "recipe"]].agg("\x1f".join, axis=1)
    table["unit"] = replicate.where(named, table["model"]) if len(table) else ""
    return table.sort_values([*TEXT, "quality"], kind="stable", ignore_index=True)


def metric_values(table: pd.DataFrame, metric: str, treatment: str) -> Array:
    """A metric's column (n,) under a treatment of failed fits; missing where there is none."""
    stored = f"{metric}_stored"
    column = stored if treatment == "stored" and stored in table else metric
    return table[column].to_numpy(float) if column in table else np.full(len(table), np.nan)


@dataclass(frozen=True)
class Scope:
    """Models that are compared with each other; `groups` is None, or a label (n,) to centre on."""

    comparison: str
    scope: str
    family: str
    variant: str
    models: pd.DataFrame
    groups: Array | None = None
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.comparison, self.scope, self.family, self.variant


def _partitions(table: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], str, pd.DataFrame]]:
    """What may be pooled: ((collection, dataset, version), quality metric, models)."""
    for key, part in table.groupby([*PARTITION, "quality_metric"], sort=True):
        yield tuple(key[:3]), key[3], part.reset_index(drop=True)


def _repeated(table: pd.DataFrame) -> set[tuple[str, ...]]:
    """Partitions whose models another one of the collection has too, labelled on another data set.

    As with ImageNet and its variants: the one with the most models, and among equals the first by
    name, has all metrics, the others the primary metric and size.
    """
    parts = {key: set(part["model"]) for key, part in table.groupby(PARTITION, sort=True)}
    order = sorted(parts, key=lambda key: (-len(parts[key]), key))
    repeated = set()
    for place, (collection, dataset, version) in enumerate(order):
        before = [key for key in order[:place] if (key[0], key[2]) == (collection, version)]
        own = parts[collection, dataset, version]
        if any(own <= parts[key] for key in before if key not in repeated):
            repeated.add((collection, dataset, version))
    return repeated


def _reference(part: pd.DataFrame, options: Options) -> tuple[pd.DataFrame, str]:
    """The models of the reference recipe; all of them where no model has it."""
    if has_reference(part, options.reference_recipe):
        return part[is_reference(part, options.reference_recipe)].reset_index(drop=True), ""
    mixed = part["recipe"].nunique() > 1
    return part, "no model has the reference recipe: recipes are mixed" if mixed else ""


def _scopes(part: pd.DataFrame, options: Options, trained: bool = True) -> Iterator[Scope]:
    """Every scope of one partition; an untrained one has no comparison (c)."""
    reference, note = _reference(part, options)
    families = reference["family"].to_numpy()
    yield Scope("a", "pooled", "", "", reference, note=note)
    for family, members in reference.groupby("family", sort=True):
        yield Scope("b", "family", family, "", members.reset_index(drop=True), note=note)
    yield Scope("b", "within", "", "", reference, families, note)
    if not trained:
        return
    sizes = part.groupby(["family", "variant"])["model"].transform("size")
    recipes = part[(sizes > 1) & (part["variant"] != "")].reset_index(drop=True)
    if recipes.empty:
        return
    for (family, variant), members in recipes.groupby(["family", "variant"], sort=True):
        yield Scope("c", "family", family, variant, members.reset_index(drop=True))
    for family, members in recipes.groupby("family", sort=True):
        members = members.reset_index(drop=True)
        yield Scope("c", "within", family, "", members, members["variant"].to_numpy())
    labels = (recipes["family"] + "\x1f" + recipes["variant"]).to_numpy()
    yield Scope("c", "within", "", "", recipes, labels)


# --- samples --------------------------------------------------------------------------------


def _tidy(values: Array, scale: Array) -> Array:
    """Values (n,) without the digits that are rounding noise at this scale."""
    largest = np.max(np.abs(scale), initial=0.0)
    if largest == 0:
        return values
    return np.round(values, DIGITS - 1 - math.floor(math.log10(largest)))


def _codes(labels: Array | Sequence[object]) -> Array:
    return pd.factorize(np.asarray(labels, dtype=object), sort=True)[0]


@dataclass(frozen=True)
class Sample:
    """Complete observations and how they may be rearranged.

    `values` (v, n) holds the metric, the quality and further variables; `stratum` (n,) the group
    to centre on (all 0 without one) and `unit` (n,) the independent unit, both as codes.
    """

    values: Array
    stratum: Array
    unit: Array
    recipe: Array
    centred: bool
    missing: int

    @property
    def n(self) -> int:
        return self.values.shape[1]

    @property
    def units(self) -> int:
        return len(np.unique(self.unit))

    @property
    def strata(self) -> int:
        return len(np.unique(self.stratum))

    @property
    def effective(self) -> int:
        """Units less the degrees of freedom that centring takes: n of a plain sample."""
        return self.units - self.strata + 1 if self.n else 0

    def centre(self) -> Array:
        """The values (v, n), centred on their group's mean where the scope asks for it."""
        if not self.centred:
            return np.array([_tidy(v, v) for v in self.values])
        sizes = np.bincount(self.stratum)
        means = [np.bincount(self.stratum, v) / sizes for v in self.values]
        return np.array(
            [_tidy(v - m[self.stratum], v) for v, m in zip(self.values, means, strict=True)]
        )


def make_sample(scope: Scope, values: Sequence[Array], options: Options) -> Sample:
    """The models of a scope that have all values (each (n,)), with their units."""
    data = np.array(values, dtype=float).reshape(len(values), len(scope.models))
    complete = np.isfinite(data).all(axis=0)
    models = scope.models
    model = models["model"].to_numpy(object)
    unit = models["unit"].to_numpy(object).copy() if options.seeds_are_replicates else model.copy()
    group = np.zeros(len(models), int) if scope.groups is None else _codes(scope.groups)

    kept = complete.copy()
    for code in np.unique(group[complete]):
        members = complete & (group == code)
        if len(set(unit[members])) == 1:
            if scope.comparison == "c" and members.sum() > 1:
                unit[members] = model[members]
            elif scope.groups is not None:
                kept &= ~members
    return Sample(
        values=data[:, kept],
        stratum=_codes(group[kept]),
        unit=_codes(unit[kept]),
        recipe=_codes(models["recipe"].to_numpy(object)[kept]),
        centred=scope.groups is not None,
        missing=int((~complete).sum()),
    )


# --- permutation tests ----------------------------------------------------------------------


def _classes(stratum: Array, unit: Array) -> list[Array]:
    """Exchangeable units: arrays (k, s) of indices, k units of s models in one stratum."""
    classes: dict[tuple[int, int], list[Array]] = {}
    for code in np.unique(unit):
        members = np.flatnonzero(unit == code)
        classes.setdefault((int(stratum[members[0]]), len(members)), []).append(members)
    return [np.array(classes[key]) for key in sorted(classes)]


@functools.cache
def _arrangements(k: int, s: int) -> Array:
    """All rearrangements (k! s!^k, k s) of k units of s models: of the units, and inside each."""
    orders = np.array(list(itertools.permutations(range(k))))  # (k!, k)
    inside = np.array(list(itertools.permutations(range(s))))  # (s!, s)
    choices = inside[np.indices((len(inside),) * k).reshape(k, -1).T]  # (s!^k, k, s)
    return (orders[:, None, :, None] * s + choices[None]).reshape(-1, k * s)


def rearrangements(sample: Sample, count: int, seed: int) -> tuple[Array, bool]:
    """Indices (m, n) of rearranged observations, and whether these are all there are.

    All are enumerated where there are at most 8! (n <= 8 without groups and seeds), the
    identity among them. Else `count` are drawn at random, fewer for several thousand models.
    """
    return _rearranged(tuple(sample.stratum), tuple(sample.unit), count, seed)


@functools.lru_cache(maxsize=4)  # the metrics of one scope share theirs
def _rearranged(
    stratum: tuple[int, ...], unit: tuple[int, ...], count: int, seed: int
) -> tuple[Array, bool]:
    """`rearrangements` of observations with these codes."""
    n = len(unit)
    classes = _classes(np.array(stratum), np.array(unit))
    rng = np.random.default_rng(seed)
    number = math.prod(
        math.factorial(len(c)) * math.factorial(c.shape[1]) ** len(c) for c in classes
    )
    if number <= EXACT_LIMIT:
        result = np.arange(n)[None, :]
        for members in classes:
            slots = members.ravel()
            choices = slots[_arrangements(*members.shape)]
            result = np.repeat(result, len(choices), axis=0)
            result[:, slots] = np.tile(choices, (len(result) // len(choices), 1))
        return result, True

    count = max(99, min(count, 2 * PAIR_LIMIT // n**2))
    result = np.empty((count, n), dtype=np.intp)
    by_shape: dict[tuple[int, ...], list[Array]] = {}
    for members in classes:
        by_shape.setdefault(members.shape, []).append(members)
    for shape in sorted(by_shape):
        block = np.array(by_shape[shape])  # (groups, k, s)
        order = rng.random((count, *block.shape[:2])).argsort(axis=-1)
        drawn = np.take_along_axis(block[None], order[..., None], axis=2)
        if shape[1] > 1:
            drawn = np.take_along_axis(drawn, rng.random(drawn.shape).argsort(axis=-1), axis=3)
        result[:, block.ravel()] = drawn.reshape(count, -1)
    return result, False


def recipe_rearrangements(sample: Sample, count: int, seed: int) -> tuple[Array, bool] | None:
    """Indices (m, n) that exchange recipes in all groups at once; None if not possible.

    Every group repeats the same recipes, so label noise, say, lowers the accuracy of all
    variants together: those are not as many independent observations as there are variants.
    Needs two or more groups, and each recipe equally often in each group.
    """
    counts = np.zeros((sample.strata, len(np.unique(sample.recipe))), dtype=int)
    np.add.at(counts, (sample.stratum, sample.recipe), 1)
    if len(counts) < 2 or counts.shape[1] < 2 or counts.min() == 0 or np.ptp(counts) > 0:
        return None
    order = np.lexsort((np.arange(sample.n), sample.recipe, sample.stratum))
    table = order.reshape(*counts.shape, -1)  # (groups, recipes, seeds)
    recipes = counts.shape[1]
    exact = math.factorial(recipes) <= EXACT_LIMIT
    if exact:
        orders = np.array(list(itertools.permutations(range(recipes))))
    else:
        count = max(99, min(count, 2 * PAIR_LIMIT // sample.n**2))
        orders = np.random.default_rng(seed).random((count, recipes)).argsort(axis=1)
    result = np.empty((len(orders), sample.n), dtype=np.intp)
    result[:, table.ravel()] = table[:, orders].transpose(1, 0, 2, 3).reshape(len(orders), -1)
    return result, exact


def _kendall_sums(x: Array, y: Array, indices: Array) -> Array:
    """Concordant less discordant pairs (m,) of x with y[indices]: integers, so exact."""
    rank_x = np.unique(x, return_inverse=True)[1]
    rank_y = np.unique(y, return_inverse=True)[1].astype(np.int16 if len(y) < 2**15 else np.int32)
    signs = np.sign(rank_x[None, :] - rank_x[:, None]).astype(np.float32)
    shuffled = np.ascontiguousarray(rank_y[indices].T)
    totals = np.zeros(len(indices))
    for start in range(0, len(indices), 1024):
        block = shuffled[:, start : start + 1024]
        for i in range(len(y) - 1):
            pairs = np.sign(block[i + 1 :] - block[i]).astype(np.float32)
            totals[start : start + 1024] += signs[i, i + 1 :] @ pairs
    return totals


def _p_value(null: Array, observed: float, exact: bool) -> float:
    """Two-sided; (b + 1) / (m + 1) for random ones (Phipson and Smyth 2010), which counts the
    observed arrangement; enumerated ones hold it already."""
    extreme = np.count_nonzero(np.abs(null) >= abs(observed) * (1 - 1e-9) - 1e-12)
    return extreme / len(null) if exact else (extreme + 1) / (len(null) + 1)


def permutation_p(x: Array, y: Array, indices: Array, exact: bool) -> dict[str, float]:
    """p of Kendall, Spearman and Pearson for x, y (n,) and rearrangements (m, n).

    The denominators do not change under rearrangement, so the numerators are compared.
    """
    identity = np.arange(len(x))[None, :]
    result = {
        "kendall": _p_value(_kendall_sums(x, y, indices), _kendall_sums(x, y, identity)[0], exact)
    }
    for kind, (a, b) in {
        "spearman": (stats.rankdata(x), stats.rankdata(y)),
        "pearson": (x, y),
    }.items():
        a, b = stats.zscore(a), stats.zscore(b)
        result[kind] = _p_value(b[indices] @ a / len(a), float(a @ b) / len(a), exact)
    return result


# --- bootstrap ------------------------------------------------------------------------------


def bootstrap_weights(sample: Sample, count: int, seed: int) -> Array:
    """Weights (m, n) of the observations when units are drawn within their groups.

    Of a group's k units, k - 1 are drawn, and weigh k/(k - 1) as often as they were drawn (Rao and
    Wu 1988, JASA 83): k draws would make the variance small by (k - 1)/k, which matters where
    groups are small. Below 4 units k are drawn: 1 or 2 leave little of the differences inside.
    """
    rng = np.random.default_rng(seed)
    weights, scale = np.empty((count, sample.n)), np.empty(sample.n)
    for code in np.unique(sample.stratum):
        members = np.flatnonzero(sample.stratum == code)
        local = _codes(sample.unit[members])
        number = local.max() + 1
        drawn = number - 1 if number > 3 else number
        draws = rng.multinomial(drawn, np.full(number, 1 / number), size=count)
        weights[:, members] = draws[:, local]
        scale[members] = number / drawn
    return weights if np.ptp(scale) == 0 else weights * scale  # whole numbers where they may be


def jackknife_weights(sample: Sample) -> Array:
    """Weights (units, n) that leave out one unit each."""
    return (np.unique(sample.unit)[:, None] != sample.unit[None, :]).astype(float)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Their ratio, missing where the denominator vanishes (a constant resample)."""
    safe = denominator > 1e-9
    return np.where(safe, numerator / np.where(safe, denominator, 1.0), np.nan)


def _moments(a: Array, b: Array, weights: Array) -> Array:
    """Pearson correlation (m,) of a, b (m or 1, n) under weights (m, n)."""
    total = weights.sum(axis=1, keepdims=True)
    a = a - (weights * a).sum(axis=1, keepdims=True) / total
    b = b - (weights * b).sum(axis=1, keepdims=True) / total
    weighted = weights / total
    spread = (weighted * a * a).sum(axis=1) * (weighted * b * b).sum(axis=1)
    return _ratio((weighted * a * b).sum(axis=1), np.sqrt(spread))


def _dense_ranks(values: Array) -> Array:
    """Ranks (m, n) from 0 along the rows of values, equal values sharing one."""
    order = values.argsort(axis=1)
    steps = np.diff(np.take_along_axis(values, order, axis=1), axis=1) > 0
    sorted_ranks = np.pad(steps.cumsum(axis=1), ((0, 0), (1, 0)))
    ranks = np.empty(values.shape, dtype=np.int16 if values.shape[1] < 2**15 else np.int32)
    np.put_along_axis(ranks, order, sorted_ranks.astype(ranks.dtype), axis=1)
    return ranks


def _weight_at(ranks: Array, weights: Array) -> Array:
    """Total weight (m, n) of the observations with rank 0, 1, ... in each resample."""
    rows = np.arange(len(weights))[:, None] * weights.shape[1]
    totals = np.bincount((rows + ranks).ravel(), weights.ravel(), minlength=weights.size)
    return totals.reshape(weights.shape)


def _concordance(ranks_x: Array, ranks_y: Array, weights: Array) -> Array:
    """Sum over i < j of w_i w_j sign(x_i - x_j) sign(y_i - y_j): (m,), all inputs (m, n)."""
    totals = np.zeros(len(weights))
    # Sums of whole numbers are exact in single precision, up to several thousand models.
    precision = np.float32 if (weights == np.rint(weights)).all() else np.float64
    step = max(16, CHUNK // weights.shape[1])
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        x, y = (np.ascontiguousarray(r[rows].T) for r in (ranks_x, ranks_y))
        w = np.ascontiguousarray(weights[rows].T.astype(precision))
        for i in range(len(x) - 1):
            signs = np.sign(x[i + 1 :] - x[i]) * np.sign(y[i + 1 :] - y[i])
            totals[rows] += w[i] * np.einsum("jm,jm->m", signs.astype(precision), w[i + 1 :])
    return totals


def weighted_tau(x: Array, y: Array, weights: Array) -> Array:
    """Kendall's tau-b (m,) of x, y (m or 1, n) under weights (m, n): see the next function."""
    ranks = [np.broadcast_to(_dense_ranks(v), weights.shape) for v in (x, y)]
    return _tau(ranks, [_weight_at(r, weights) for r in ranks], weights)


def _tau(ranks: Sequence[Array], masses: Sequence[Array], weights: Array) -> Array:
    """tau-b (m,) from the ranks of two variables and the weight at each rank."""
    total = weights.sum(axis=1) ** 2
    untied = [(total - (mass**2).sum(axis=1)) / 2 for mass in masses]
    untied = [np.where(u > 1e-9 * total, u, 0.0) for u in untied]  # rounding leaves no zero
    return _ratio(_concordance(*ranks, weights), np.sqrt(untied[0] * untied[1]))


def weighted_correlations(
    sample: Sample, weights: Array, pairs: Sequence[tuple[int, int]] = ((0, 1),)
) -> Array:
    """Kendall, Spearman and Pearson (m, 3, pairs) of a sample's variables in each resample.

    A resample is given by weights (m, n): how often it holds each observation. Copies of one
    are ties. Centred scopes are centred again in each resample. tau-b is the sum over i < j of
    w_i w_j s_ij t_ij, s and t the signs of the differences in the two variables, over the root
    of the product of the same sums of |s_ij| and of |t_ij|.
    """
    values = [v / (np.std(v) or 1.0) for v in sample.centre()]
    here = [v[None, :] for v in values]
    if sample.centred:
        onehot = np.eye(sample.strata)[sample.stratum]
        sizes = weights @ onehot
        # Rounded, so that equal values stay equal and constant groups stay at zero.
        here = [
            np.round(v - ((weights * v) @ onehot / sizes)[:, sample.stratum], DIGITS - 2)
            for v in values
        ]
    ranks = [np.broadcast_to(_dense_ranks(v), weights.shape) for v in here]
    masses = [_weight_at(r, weights) for r in ranks]
    midranks = [
        np.take_along_axis(mass.cumsum(axis=1) - mass / 2, r.astype(np.intp), axis=1)
        for r, mass in zip(ranks, masses, strict=True)
    ]
    result = np.empty((len(weights), 3, len(pairs)))
    for index, (i, j) in enumerate(pairs):
        result[:, 0, index] = _tau((ranks[i], ranks[j]), (masses[i], masses[j]), weights)
        result[:, 1, index] = _moments(midranks[i], midranks[j], weights)
        result[:, 2, index] = _moments(here[i], here[j], weights)
    return result


def bca_interval(
    observed: float, resamples: Array, jackknife: Array, strata: Array, confidence: float
) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (Efron 1987, JASA 82, equations 2.3 and 6.6).

    `resamples` (m,), `jackknife` (units,) with the stratum of each unit; the influence of a
    unit is measured from its stratum's mean (Davison and Hinkley 1997, section 5.3.2). Missing
    (NaN, NaN) where fewer than half of the resamples are defined or all are equal.
    """
    defined = resamples[np.isfinite(resamples)]
    if 2 * len(defined) < len(resamples) or len(defined) < 2 or np.ptp(defined) < 1e-12:
        return math.nan, math.nan
    below = np.mean(defined < observed) + 0.5 * np.mean(defined == observed)
    if not 0 < below < 1:
        return math.nan, math.nan
    finite = np.isfinite(jackknife)
    groups = pd.Series(jackknife[finite]).groupby(strata[finite])
    influence = (groups.transform("mean") - jackknife[finite]).to_numpy()
    spread = (influence**2).sum()
    acceleration = (influence**3).sum() / (6 * spread**1.5) if spread > 1e-18 else 0.0
    bias = stats.norm.ppf(below)
    z = bias + stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    levels = stats.norm.cdf(bias + z / (1 - acceleration * z))
    low, high = np.quantile(defined, np.clip(levels, 0, 1))
    return float(low), float(high)


def fisher_interval(
    kind: str, estimate: float, effective: int, confidence: float
) -> tuple[float, float]:
    """Interval by Fisher's z for a correlation of at least 5 observations.

    Variance of z: Pearson 1/(n - 3) (Fisher 1921); Spearman (1 + r^2/2)/(n - 3) (Bonett and
    Wright 2000, Psychometrika 65); Kendall 0.437/(n - 4) (Fieller, Hartley and Pearson 1957,
    Biometrika 44). Missing for a correlation of plus or minus 1, whose z is infinite.
    """
    if not abs(estimate) < 1 - 1e-12:
        return math.nan, math.nan
    variance = {
        "kendall": 0.437 / (effective - 4),
        "spearman": (1 + estimate**2 / 2) / (effective - 3),
        "pearson": 1 / (effective - 3),
    }[kind]
    half = stats.norm.ppf((1 + confidence) / 2) * math.sqrt(variance)
    z = math.atanh(estimate)
    return math.tanh(z - half), math.tanh(z + half)


# --- one row --------------------------------------------------------------------------------


def _obstacle(sample: Sample, values: Array, names: Sequence[str]) -> str:
    """Why nothing can be computed, or ""."""
    if sample.n == 0:
        return "no model has all values"
    if sample.effective < 3:
        if sample.n < 3:
            return "fewer than 3 models"
        return "fewer than 3 independent units (seeds are replicates, groups are centred)"
    constant = [name for name, v in zip(names, values, strict=True) if np.ptp(v) == 0]
    return f"{' and '.join(constant)} constant" if constant else ""


def describe(
    sample: Sample, options: Options, key: Sequence[object], obstacle: str = ""
) -> dict[str, Any]:
    """Every estimate of `ESTIMATES` for a sample of two variables (metric, quality), and a note.

    Where there is an obstacle (given, too few observations, a constant variable) the counts
    stand and the estimates are missing.

    Correlations with permutation p and interval: BCa from an effective number of 8, Fisher's z
    from 5, none below. OLS of quality on metric: slope in percent per unit of the metric, rmse
    (root of the mean squared residual, divisor n) in percent. `detectable_pearson` is the
    smallest |r| found with a probability of 80 % at this confidence (Fisher's z).
    """
    row: dict[str, Any] = dict.fromkeys(ESTIMATES, math.nan)
    row |= {
        "n": sample.n,
        "units": sample.units,
        "groups": sample.strata,
        "missing": sample.missing,
        "interval": "",
        "permutations": 0,
        "exact": False,
    }
    values = sample.centre()
    obstacle = _obstacle(sample, values, ("metric", "quality")) or obstacle
    if obstacle:
        return row | {"note": obstacle}
    x, y = values
    row["kendall"] = stats.kendalltau(x, y).statistic
    row["spearman"] = stats.spearmanr(x, y).statistic
    row["pearson"] = float(np.clip(stats.pearsonr(x, y).statistic, -1, 1))

    indices, exact = rearrangements(sample, options.permutations, options.seed_of("p", *key))
    row |= {"permutations": len(indices), "exact": exact}
    row |= {f"{kind}_p": p for kind, p in permutation_p(x, y, indices, exact).items()}

    line = stats.linregress(x, y)
    row["slope"] = line.slope
    row["intercept"] = 0.0 if sample.centred else line.intercept
    row["r2"] = row["pearson"] ** 2
    row["rmse"] = math.sqrt(np.mean((y - row["intercept"] - line.slope * x) ** 2))
    with np.errstate(invalid="ignore"):  # its interval, which is not used, where nearly all tie
        row["theil_sen"] = stats.theilslopes(y, x).slope
    intervals, note = _intervals(sample, row, options, key)
    return row | intervals | {"note": note}


def _intervals(
    sample: Sample, row: Mapping[str, Any], options: Options, key: Sequence[object]
) -> tuple[dict[str, Any], str]:
    """The bounds of the three correlations, how they were made, and a note."""
    number = sample.effective
    if number < FISHER_FROM:
        return {}, "n <= 4: feeds the meta-analysis only"
    quantiles = stats.norm.ppf([(1 + options.confidence) / 2, POWER])
    result: dict[str, Any] = {
        "detectable_pearson": math.tanh(quantiles.sum() / math.sqrt(number - 3))
    }
    if number < BCA_FROM:
        result["interval"] = "fisher-z"
        bounds = [fisher_interval(k, row[k], number, options.confidence) for k in KINDS]
    else:
        result["interval"] = "bca"
        bounds = _bca(
            sample, options, key, lambda weights: weighted_correlations(sample, weights)[:, :, 0]
        )
    for kind, (low, high) in zip(KINDS, bounds, strict=True):
        result |= {f"{kind}_low": low, f"{kind}_high": high}
    bare = [kind for kind, (low, _) in zip(KINDS, bounds, strict=True) if math.isnan(low)]
    reason = "of plus or minus 1" if number < BCA_FROM else "whose resamples do not vary"
    return result, f"no interval for {', '.join(bare)} {reason}" if bare else ""


def _bca(
    sample: Sample, options: Options, key: Sequence[object], statistic: Callable[[Array], Array]
) -> list[tuple[float, float]]:
    """BCa intervals of a statistic that maps weights (m, n) to values (m, q)."""
    drawn = bootstrap_weights(sample, options.bootstrap, options.seed_of("bootstrap", *key))
    observed = statistic(np.ones((1, sample.n)))[0]
    resamples, jackknife = statistic(drawn), statistic(jackknife_weights(sample))
    first = np.unique(sample.unit, return_index=True)[1]
    return [
        bca_interval(o, r, j, sample.stratum[first], options.confidence)
        for o, r, j in zip(observed, resamples.T, jackknife.T, strict=True)
    ]


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows with these columns, sorted by the key (the text columns before the first number)."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    keys = list(columns[: columns.index("treatment") + 1])
    return table.sort_values(keys, kind="stable", ignore_index=True)


def _equal(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=True)


def _by_treatment(
    models: pd.DataFrame,
    metric: str,
    labels: Mapping[str, Any],
    make: Callable[[Array, Sequence[object]], dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """A row per treatment of failed fits; the second repeats the first if it has its values.

    `make` takes the metric's values (n,) and the key that seeds its random numbers: the labels
    without the metric, so that all metrics of a scope meet the same resamples.
    """
    dropped, stored = (metric_values(models, metric, treatment) for treatment in TREATMENTS)
    key = tuple(labels.values())
    labels = {**labels, "metric": metric}
    first = {**labels, "treatment": "dropped"} | make(dropped, key)
    yield first
    if _equal(stored, dropped):
        yield first | {"treatment": "stored", "copy": True}
    else:
        yield {**labels, "treatment": "stored"} | make(stored, key)


# --- the tables -----------------------------------------------------------------------------


def correlations(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """One row per scope, metric, quality metric and treatment, with the columns `CORRELATIONS`.

    `pooled` takes variants as the units although variants of one family resemble each other:
    what it says holds for these families, and `between_families` has the family as its unit.
    Likewise `kendall_p` and the intervals of (c) take the recipes of each variant on their own;
    `kendall_p_recipes`, in (c) `within`, exchanges the recipes of all variants at once, as one
    must to speak about recipes in general. `kendall_p_holm` corrects across families for the
    primary metric and quality, `kendall_p_bh` across all other rows of the partition (Benjamini
    and Hochberg).
    """
    rows = _scope_rows(
        models,
        options,
        lambda scope, values, key: _correlate(scope, values, options, key),
        options.all_metrics,
    )
    return _table(_adjust(rows, options), CORRELATIONS)


def _correlate(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """The estimates of one scope, one metric (n,) and one treatment."""
    quality = scope.models["oriented"].to_numpy()
    sample = make_sample(scope, [values, quality], options)
    obstacle = ""
    if sample.centred and sample.strata < 2:
        obstacle = "fewer than two groups with two units: nothing to put together"
    elif scope.scope == "pooled" and scope.models["family"].nunique() < 2:
        obstacle = "one family: no comparison between architectures"
    row = describe(sample, options, key, obstacle)
    if scope.comparison == "c" and sample.centred and math.isfinite(row["kendall"]):
        drawn = recipe_rearrangements(
            sample, options.permutations, options.seed_of("recipes", *key)
        )
        if drawn:
            x, y = sample.centre()
            observed = _kendall_sums(x, y, np.arange(sample.n)[None, :])[0]
            row["kendall_p_recipes"] = _p_value(_kendall_sums(x, y, drawn[0]), observed, drawn[1])
    return row | {"note": _join(row["note"], scope.note)}


def _adjust(rows: list[dict[str, Any]], options: Options) -> list[dict[str, Any]]:
    """The rows with `kendall_p_holm` and `kendall_p_bh`.

    The size-only baseline is no hypothesis of ours and enters neither; a row that repeats
    another takes its value and is not counted again.
    """
    table = pd.DataFrame(rows)
    if table.empty:
        return rows
    table["kendall_p_holm"] = table["kendall_p_bh"] = np.nan
    if "copy" not in table:
        table["copy"] = False
    copied = table["copy"].fillna(False).astype(bool)
    tested = table["kendall_p"].notna() & (table["metric"] != SIZE) & ~copied
    primary = pd.Series(False, index=table.index)
    for _, part in table.groupby(PARTITION):
        quality = primary_quality(part["quality_metric"], options.primary_quality)
        primary[part.index] = (
            (part["scope"] == "family")
            & (part["metric"] == options.primary_metric)
            & (part["quality_metric"] == quality)
            & (part["treatment"] == "dropped")
        )
    for column, method, chosen, by in (
        ("kendall_p_holm", "holm", tested & primary, [*PARTITION, "comparison"]),
        ("kendall_p_bh", "fdr_bh", tested & ~primary, PARTITION),
    ):
        for _, part in table[chosen].groupby(by):
            table.loc[part.index, column] = multipletests(part["kendall_p"], method=method)[1]
        # A repeated row stands right after the one that it repeats.
        table[column] = table[column].where(~copied, table[column].shift())
    return table.to_dict("records")


def _scope_rows(
    models: pd.DataFrame,
    options: Options,
    make: Callable[[Scope, Array, Sequence[object]], dict[str, Any]],
    metrics: Sequence[str],
) -> list[dict[str, Any]]:
    """A row per partition, scope, metric and treatment: its labels and what `make` gives."""
    rows: list[dict[str, Any]] = []
    prepared = prepare(models)
    repeated = _repeated(prepared)
    for partition, quality, part in _partitions(prepared):
        asked = [
            m for m in metrics if partition not in repeated or m in (options.primary_metric, SIZE)
        ]
        for scope in _scopes(part, options, partition[0] not in options.controls):
            for metric in asked:
                labels = dict(zip([*PARTITION, *GROUPING], [*partition, *scope.key], strict=True))
                labels |= {"quality_metric": quality}
                rows += _by_treatment(
                    scope.models,
                    metric,
                    labels,
                    lambda values, key, scope=scope: make(scope, values, key),
                )
    return rows


def between_families(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Correlation of the families' means, one row per metric, quality metric and treatment.

    Comparison (a) with the family as the unit: `n` counts families. A family's mean is over its
    models of the reference recipe that have both values. Columns `BETWEEN`.
    """
    rows: list[dict[str, Any]] = []
    for partition, quality, part in _partitions(prepare(models)):
        reference, note = _reference(part, options)
        for metric in options.all_metrics:
            labels = dict(zip(PARTITION, partition, strict=True))
            labels |= {"quality_metric": quality}

            def make(
                values: Array,
                key: Sequence[object],
                reference: pd.DataFrame = reference,
                note: str = note,
            ) -> dict[str, Any]:
                means = _means(reference, ["family"], {"x": values, "y": reference["oriented"]})
                row = describe(_plain(means), options, ("between", *key))
                return row | {"note": _join(row["note"], note)}

            rows += _by_treatment(reference, metric, labels, make)
    return _table(rows, BETWEEN)


def _means(models: pd.DataFrame, by: list[str], values: Mapping[str, Any]) -> pd.DataFrame:
    """Means of complete values over the models of each group: `by` and the values' names."""
    frame = models[by].assign(**{name: np.asarray(v, float) for name, v in values.items()})
    return frame.dropna(subset=list(values)).groupby(by, sort=True).mean().reset_index()


def _plain(frame: pd.DataFrame, centre_on: str | None = None) -> Sample:
    """A sample of the columns x and y whose rows are independent units."""
    stratum = np.zeros(len(frame), int)
    if centre_on is not None:
        frame = frame[frame.groupby(centre_on)["x"].transform("size") > 1]
        stratum = _codes(frame[centre_on].to_numpy(object))
    return Sample(
        values=frame[["x", "y"]].to_numpy(float).T,
        stratum=stratum,
        unit=np.arange(len(frame)),
        recipe=np.zeros(len(frame), int),
        centred=centre_on is not None,
        missing=0,
    )


def baselines(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """What a metric says beyond size, log10(parameters): one row per row of `correlations`.

    `kendall_size` and `pearson_size` correlate the quality with size, `..._metric_size` the
    metric with size. Partial correlations given size: for Kendall by Kendall (1942, Biometrika
    32), tau_xy.z = (tau_xy - tau_xz tau_yz) / sqrt((1 - tau_xz^2)(1 - tau_yz^2)), for Pearson
    alike. p of the partial Pearson correlation: permutation of residuals (Freedman and Lane
    1983). `added_r2` is what R2 gains when the metric joins size in an OLS regression,
    (1 - r_yz^2) r_xy.z^2; it cannot be negative, so its interval shows how large, not whether.
    Intervals: BCa from an effective number of 8. Columns `BASELINES`.
    """
    rows = _scope_rows(
        models,
        options,
        lambda scope, values, key: _beyond_size(scope, values, options, key),
        [metric for metric in options.all_metrics if metric != SIZE],
    )
    return _table(rows, BASELINES)


def _partial(correlation: Array) -> Array:
    """Partial correlation (...) of the first two of three variables given the third.

    `correlation` (..., 3) holds r_xy, r_xz, r_yz.
    """
    xy, xz, yz = np.moveaxis(np.asarray(correlation), -1, 0)
    left = np.maximum((1 - xz**2) * (1 - yz**2), 0)  # rounding makes r of 1 + 1e-16
    return np.clip(_ratio(xy - xz * yz, np.sqrt(left)), -1, 1)


def _beyond_size(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """One row of `baselines`."""
    three = [values, scope.models["oriented"].to_numpy(), scope.models[SIZE].to_numpy()]
    sample = make_sample(scope, three, options)
    centred = sample.centre()
    row: dict[str, Any] = {"n": sample.n, "units": sample.units, "groups": sample.strata}
    note = _obstacle(sample, centred[:2], ("metric", "quality"))
    if sample.centred and sample.strata < 2:
        note = note or "fewer than two groups with two units: nothing to put together"
    if not note and np.ptp(centred[2]) == 0:
        note = "size is constant: it explains nothing here"
    if not note and sample.effective < 4:
        note = "fewer than 4 independent units: no partial correlation"
    if note:
        return row | {"note": _join(note, scope.note)}

    pairs = ((0, 1), (0, 2), (1, 2))
    names = ("", "_size", "_metric_size")

    def statistic(weights: Array) -> Array:
        correlation = weighted_correlations(sample, weights, pairs)
        tau, r = correlation[:, 0], correlation[:, 2]
        partial = _partial(r)
        return np.column_stack([_partial(tau), partial, (1 - r[:, 2] ** 2) * partial**2])

    correlation = weighted_correlations(sample, np.ones((1, sample.n)), pairs)[0]
    estimates = statistic(np.ones((1, sample.n)))[0]
    for kind, (xy, xz, yz) in (("kendall", correlation[0]), ("pearson", correlation[2])):
        row |= {f"{kind}{name}": r for name, r in zip(names, (xy, yz, xz), strict=True)}
    columns = ("partial_kendall", "partial_pearson", "added_r2")
    row |= dict(zip(columns, estimates, strict=True))
    row |= {"r2_size": row["pearson_size"] ** 2}
    row |= {"r2_both": row["r2_size"] + row["added_r2"]}
    if math.isnan(row["partial_pearson"]):
        return row | {"note": _join("metric or quality is a function of size", scope.note)}
    ordered = math.isnan(row["partial_kendall"])  # size orders one of the two perfectly
    note = "metric or quality is ordered by size: no partial tau" if ordered else ""

    indices, exact = rearrangements(sample, options.permutations, options.seed_of("partial", *key))
    row["partial_pearson_p"] = _partial_p(*centred, indices, exact)
    if sample.effective >= BCA_FROM:
        for column, (low, high) in zip(columns, _bca(sample, options, key, statistic), strict=True):
            row |= {f"{column}_low": low, f"{column}_high": high}
    return row | {"note": _join(note, scope.note)}


def _partial_p(x: Array, y: Array, size: Array, indices: Array, exact: bool) -> float:
    """p of the partial correlation of x and y given size (each (n,)), after Freedman and Lane.

    The residuals of y are rearranged, and taken to be residuals of size again.
    """
    size = stats.zscore(size) / math.sqrt(len(size))
    x, y = (v - v.mean() - size * (size @ v) for v in (x, y))
    shuffled = y[indices]
    left = y @ y - (shuffled @ size) ** 2
    null = _ratio(shuffled @ x, np.sqrt(np.maximum(left, 0) * (x @ x)))
    return _p_value(np.nan_to_num(null), float(x @ y / math.sqrt((x @ x) * (y @ y))), exact)


def meta(models: pd.DataFrame, table: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Groups put together: random effects of Fisher's z of Pearson's r, columns `META`.

    The groups are the rows of scope `family` in `table` (from `correlations`): families for (b),
    variants for (c). A group's z has variance 1/(units - 3), so groups of 3 units or fewer are
    left out, as is |r| = 1 (z is infinite). Between-group variance tau2 by Paule and Mandel
    (1982); interval by Hartung and Knapp (2001) and Sidik and Jonkman (2002), never narrower
    than without their scale (Knapp and Hartung 2003), t with k - 1 degrees of freedom; I2 by
    Higgins and Thompson (2002), in percent; prediction interval by Higgins, Thompson and
    Spiegelhalter (2009, equation 12), t with k - 2, from k = 3.

    `mean_r` is the plain mean of the groups' r, over all groups where r exists, with a p value
    from permutations inside the groups: it also speaks where every group is small.

    Groups count as independent. In (c) variants share their recipes, so the interval speaks about
    further variants under these recipes.
    """
    rows: list[dict[str, Any]] = []
    keys = [*PARTITION, "quality_metric"]
    groups = table[table["scope"] == "family"]
    prepared = prepare(models)
    parts = {(*partition, quality): part for partition, quality, part in _partitions(prepared)}
    for key, chosen in groups.groupby([*keys, "comparison"], sort=True):
        part, comparison = parts[key[:4]], key[4]
        scopes = [
            scope
            for scope in _scopes(part, options, key[0] not in options.controls)
            if (scope.comparison, scope.scope) == (comparison, "family")
        ]
        for metric in options.all_metrics:
            labels = dict(zip([*keys, "comparison"], key, strict=True)) | {"metric": metric}
            here = chosen[chosen["metric"] == metric]
            before: list[Array] = []
            for treatment in TREATMENTS:
                values = [metric_values(scope.models, metric, treatment) for scope in scopes]
                if not before or not all(map(_equal, values, before)):
                    row = random_effects(here[here["treatment"] == treatment], options.confidence)
                    row |= _mean_correlation(scopes, values, options, key)
                rows.append(row | labels | {"treatment": treatment})
                before = values
    return _table(rows, META)


def random_effects(groups: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """Meta-analysis of groups, rows with `pearson`, `n` and `units`: see `meta`."""
    large = groups[groups["pearson"].notna() & (groups["units"] > 3)]
    usable = large[large["pearson"].abs() < 1 - 1e-12]
    row: dict[str, Any] = {"k": len(usable), "k_left_out": len(groups) - len(usable)}
    row |= {"n": int(usable["n"].sum()), "units": int(usable["units"].sum())}
    certain = len(large) - len(usable)
    note = f"{certain} with r = plus or minus 1 left out" if certain else ""
    if usable.empty:
        return row | {"note": _join("no group with more than 3 units", note)}
    z = np.arctanh(usable["pearson"].to_numpy(float))
    variance = 1 / (usable["units"].to_numpy(float) - 3)
    if len(usable) == 1:
        row |= {"z": z[0], "pearson": math.tanh(z[0])}
        return row | {"note": _join("one group: no interval", note)}
    k = len(usable)
    _, _, q = _weighted_mean(z, 1 / variance)
    tau2 = _between_groups(z, variance)
    mean, total, spread = _weighted_mean(z, 1 / (variance + tau2))
    error = math.sqrt(max(spread / (k - 1), 1.0) / total)
    level = (1 + confidence) / 2
    half = stats.t.ppf(level, k - 1) * error
    row |= {
        "z": mean,
        "z_se": error,
        "pearson": math.tanh(mean),
        "pearson_low": math.tanh(mean - half),
        "pearson_high": math.tanh(mean + half),
        "pearson_p": 2 * stats.t.sf(abs(mean) / error, k - 1),
        "tau2": tau2,
        "i2": 100 * max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
        "q": q,
        "q_p": stats.chi2.sf(q, k - 1),
    }
    if k > 2:
        half = stats.t.ppf(level, k - 2) * math.sqrt(tau2 + error**2)
        row |= {
            "prediction_low": math.tanh(mean - half),
            "prediction_high": math.tanh(mean + half),
        }
    return row | {"note": _join("" if k > 2 else "two groups: no prediction interval", note)}


def _weighted_mean(z: Array, weights: Array) -> tuple[float, float, float]:
    """The mean of effects (k,), the sum of their weights (k,), and the weighted squares around it."""
    total = float(weights.sum())
    mean = float(weights @ z) / total
    return mean, total, float(weights @ (z - mean) ** 2)


def _between_groups(z: Array, variance: Array) -> float:
    """The variance tau2 between groups at which their weighted squares are k - 1, or 0.

    Paule and Mandel (1982). The squares fall as tau2 grows, so the root is bracketed: Newton's steps
    as statsmodels takes them end at 0 where the last one lands below it.
    """

    def excess(tau2: float) -> float:
        return _weighted_mean(z, 1 / (variance + tau2))[2] - (len(z) - 1)

    if excess(0.0) <= 0:
        return 0.0
    # At this tau2 the weights are at most its inverse, and so is each square beside the sum.
    highest = float(((z - z.mean()) ** 2).sum()) / (len(z) - 1)
    return float(optimize.brentq(excess, 0.0, highest, xtol=1e-14))


def _mean_correlation(
    scopes: Sequence[Scope], values: Sequence[Array], options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """Mean of the groups' Pearson correlations and its p by permutation inside the groups.

    With metric and quality standardised inside each group, the mean r is one sum over all
    models, so the groups' samples are laid side by side and rearranged together.
    """
    samples = [
        make_sample(scope, [v, scope.models["oriented"].to_numpy()], options)
        for scope, v in zip(scopes, values, strict=True)
    ]
    samples = [s for s in samples if not _obstacle(s, s.centre(), ("metric", "quality"))]
    row: dict[str, Any] = {"mean_r_groups": len(samples), "permutations": 0, "exact": False}
    if not samples:
        return row
    offsets = np.cumsum([0, *(s.units for s in samples)])
    together = Sample(
        values=np.hstack([stats.zscore(s.centre(), axis=1) / math.sqrt(s.n) for s in samples]),
        stratum=np.repeat(np.arange(len(samples)), [s.n for s in samples]),
        unit=np.concatenate([s.unit + o for s, o in zip(samples, offsets, strict=False)]),
        recipe=np.concatenate([s.recipe for s in samples]),
        centred=True,
        missing=0,
    )
    x, y = together.values
    seed = options.seed_of("mean_r", *key)
    indices, exact = rearrangements(together, options.permutations, seed)
    mean = float(x @ y) / len(samples)
    return row | {
        "mean_r": mean,
        "mean_r_p": _p_value(y[indices] @ x / len(samples), mean, exact),
        "permutations": len(indices),
        "exact": exact,
    }


def controls(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Whether a metric predicts anything in untrained networks, columns `CONTROLS`.

    One row per relation, on variants (means over models, so `n` counts variants): `own`, the
    untrained network's metric with its own quality; `untrained`, the same metric with the
    quality of the trained variant (reference recipe, the collection that the control belongs
    to); `trained`, the trained variant's metric with that quality, on exactly the variants of
    `untrained`. Scopes: pooled, and within families.
    """
    table = prepare(models)
    rows: list[dict[str, Any]] = []
    for control, reference in sorted(options.controls.items()):
        untrained = table[table["collection"] == control]
        for partition, quality, part in _partitions(table[table["collection"] == reference]):
            trained, note = _reference(part, options)
            _, dataset, version = partition
            own = untrained[
                (untrained["weightwatcher_version"] == version) & (untrained["dataset"] == dataset)
            ].reset_index(drop=True)
            labels = {
                "collection": control,
                "reference": reference,
                "dataset": dataset,
                "weightwatcher_version": version,
                "quality_metric": quality,
            }
            for metric in options.all_metrics:
                rows += _control_rows(own, trained, metric, labels, options, note)
    return _table(rows, CONTROLS)


def _control_rows(
    untrained: pd.DataFrame,
    trained: pd.DataFrame,
    metric: str,
    labels: Mapping[str, str],
    options: Options,
    note: str,
) -> Iterator[dict[str, Any]]:
    """The rows of one metric and quality metric: three relations, two scopes, two treatments."""
    by = ["family", "variant"]
    same_quality = untrained[untrained["quality_metric"] == labels["quality_metric"]]
    once = untrained.drop_duplicates("model")  # a row per quality metric otherwise
    for treatment in TREATMENTS:

        def means(models: pd.DataFrame, treatment: str = treatment) -> pd.DataFrame:
            values = {"x": metric_values(models, metric, treatment), "y": models["oriented"]}
            return _means(models, by, values)

        before = _means(once, by, {"before": metric_values(once, metric, treatment)})
        both = means(trained).merge(before, on=by)
        frames = {
            "own": means(same_quality),
            "untrained": both.assign(x=both["before"]),
            "trained": both,
        }
        for relation, frame in frames.items():
            for scope, centre_on in (("pooled", None), ("within", "family")):
                key = ("controls", *labels.values(), scope)
                estimates = describe(_plain(frame, centre_on), options, key)
                row = {**labels, "relation": relation, "scope": scope}
                row |= {"metric": metric, "treatment": treatment}
                yield row | estimates | {"note": _join(estimates["note"], note)}


def simpson(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Pooled against within: Kendall's tau over all models less its mean within families.

    Columns `SIMPSON`. The interval of the difference comes from a two-stage bootstrap (families,
    then units inside each; Davison and Hinkley 1997, section 3.8), percentile. `claimed`: it
    excludes zero. `reversed`: claimed, and the two have opposite signs (Simpson's paradox
    proper). Families without a tau of their own (fewer than 3 units, constant) count for the
    pooled value only. Few families make such an interval too narrow: under 5 it is left out.
    """
    rows: list[dict[str, Any]] = []
    for partition, quality, part in _partitions(prepare(models)):
        reference, note = _reference(part, options)
        scope = Scope("a", "pooled", "", "", reference)
        for metric in options.all_metrics:
            labels = dict(zip(PARTITION, partition, strict=True))
            labels |= {"quality_metric": quality}

            def make(
                values: Array,
                key: Sequence[object],
                scope: Scope = scope,
                note: str = note,
            ) -> dict[str, Any]:
                row = _paradox(scope, values, options, key)
                return row | {"note": _join(row["note"], note)}

            rows += _by_treatment(reference, metric, labels, make)
    return _table(rows, SIMPSON)


def _paradox(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """One row of `simpson`."""
    sample = make_sample(scope, [values, scope.models["oriented"].to_numpy()], options)
    quality = scope.models["oriented"].to_numpy()
    labels = scope.models["family"].to_numpy(object)[np.isfinite(values) & np.isfinite(quality)]
    family = _codes(labels)
    row: dict[str, Any] = {
        "n": sample.n,
        "units": sample.units,
        "families": len(np.unique(family)),
        "families_within": 0,
        "claimed": False,
        "reversed": False,
    }
    data = sample.centre()
    obstacle = _obstacle(sample, data, ("metric", "quality"))
    if not obstacle and row["families"] < 2:
        obstacle = "one family: no comparison between architectures"
    if obstacle:
        return row | {"note": obstacle}

    def tau(weights: Array, members: Array) -> Array:
        x, y = data[:, members]
        return weighted_tau(x[None, :], y[None, :], weights)

    everyone = np.arange(sample.n)
    members = [np.flatnonzero(family == code) for code in range(row["families"])]
    large = [m for m in members if len(np.unique(sample.unit[m])) >= 3]
    own = np.array([tau(np.ones((1, len(m))), m)[0] for m in large])
    row["families_within"] = int(np.isfinite(own).sum())
    row["kendall_pooled"] = float(tau(np.ones((1, sample.n)), everyone)[0])
    if row["families_within"] == 0:
        return row | {"note": "no family with a correlation of its own"}
    row["kendall_within"] = float(np.nanmean(own))
    row["difference"] = row["kendall_pooled"] - row["kendall_within"]
    if row["families_within"] < 5:
        return row | {"note": "fewer than 5 families with a correlation: no interval"}

    rng, count = np.random.default_rng(options.seed_of("simpson", *key)), options.bootstrap
    drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=count)
    pooled, total, defined = np.zeros((count, sample.n)), np.zeros(count), np.zeros(count)
    for index, chosen in enumerate(members):
        resample = np.repeat(np.arange(count), drawn[:, index])
        unit = _codes(sample.unit[chosen])
        number = unit.max() + 1
        weights = rng.multinomial(number, np.full(number, 1 / number), size=len(resample))[:, unit]
        for column, model in enumerate(chosen):
            pooled[:, model] = np.bincount(resample, weights[:, column], minlength=count)
        if number >= 3:
            value = tau(weights.astype(float), chosen)
            known = np.isfinite(value)
            total += np.bincount(resample[known], value[known], minlength=count)
            defined += np.bincount(resample[known], minlength=count)
    difference = tau(pooled, everyone) - _ratio(total, defined)
    difference = difference[np.isfinite(difference)]
    if 2 * len(difference) < count:
        return row | {"note": "too few resamples with a correlation: no interval"}
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(difference, [tail, 1 - tail])
    claimed = bool(low > 0 or high < 0)
    opposite = row["kendall_pooled"] * row["kendall_within"] < 0
    row |= {"difference_low": low, "difference_high": high, "claimed": claimed}
    return row | {"reversed": claimed and opposite, "note": ""}


def significant(table: pd.DataFrame, digits: int = DIGITS) -> pd.DataFrame:
    """The table with its floats rounded: the last bits of a double vary from machine to machine.

    To significant digits, and what is below 1e-12 (a correlation or residual that is zero but for
    rounding) to 0.
    """

    def rounded(value: object) -> object:
        if not isinstance(value, float):
            return value
        return 0.0 if abs(value) < 10.0**-digits else float(f"{value:.{digits}g}")

    return table.map(rounded)
