"""Explanations: what brings alpha's correlation with quality back, and what goes with its absence.

Pure functions like those of `atlas.statistics`, whose comparisons, units, treatments, orientation
and rules for intervals hold here too. `alternatives` sets other readings of the spectra against
alpha, on the same models. `shape` asks how much of alpha's differences a matrix of noise has.
`traits` lists what could explain, family by family, and `explanations` relates each candidate
to the families' (variants') own rank correlations tau of the primary metric with quality.

These relations are observed, not caused, and between few families. Candidates go together
(size, aspect ratio, layer types), so several may follow from one. What could refute them is in
`alternatives`. A tau of 3 variants is coarse, and counts as much as one of 30.

Controls have no trained quality to explain and are in `shape` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from atlas.parts import primary_quality
from atlas.statistics import (
    BCA_FROM,
    DIGITS,
    FISHER_FROM,
    PAIR_LIMIT,
    PARTITION,
    SIZE,
    Options,
    Sample,
    Scope,
    _bca,
    _codes,
    _dense_ranks,
    _join,
    _means,
    _obstacle,
    _p_value,
    _partitions,
    _plain,
    _ratio,
    _reference,
    _repeated,
    _scopes,
    _tau,
    _tidy,
    _weight_at,
    describe,
    fisher_interval,
    jackknife_weights,
    make_sample,
    metric_values,
    prepare,
    rearrangements,
    recipe_rearrangements,
)

Array = NDArray[Any]

ALPHA = "alpha"
ALTERNATIVES = (
    *("alpha_median", "alpha_by_size", "alpha_enough", "alpha_inner", "alpha_in_range"),
    *("alpha_depthwise", "alpha_pointwise", "alpha_conv", "alpha_dense", "alpha_other_layers"),
    *("alpha_windows", "hill", "hill_windows"),
    *("alpha_shuffled", "alpha_gaussian", "alpha_over_shuffled"),
)
NULLS = {"shuffled": "alpha_shuffled", "gaussian": "alpha_gaussian"}
SPREADS = {"metric_sd": "metric", "quality_sd": "oriented"}
NUMBERS = (
    *(SIZE, "layers", "N_median", "M_median", "aspect_median", "evals_median", "evals_50"),
    *("depthwise_share", "pointwise_share", "conv_share", "dense_share"),
    *("rank_loss_share", "tail_share", "D", "outside_share", "failed_share", "coverage"),
    *("alpha_sd", "alpha_shuffled", "alpha_gaussian", *SPREADS),
)
CATEGORIES = ("recipe", "dataset", "weightwatcher_version")
CANDIDATES = (*NUMBERS, *CATEGORIES)
PERCENT = ("accuracy", "error")  # qualities on one scale: the spread of a perplexity is another's

KENDALL = ["kendall", "kendall_low", "kendall_high", "kendall_p"]
ALTERNATIVE = [
    *PARTITION,
    *["comparison", "metric", "quality_metric", "n", "units", "groups"],
    *KENDALL,
    *["kendall_p_holm", "kendall_alpha", "difference", "difference_low", "difference_high"],
    *["equal", "interval", "note"],
]
SHAPE = [
    *PARTITION,
    *["null", "level", "n", "alpha", "null_alpha"],
    *KENDALL,
    *["pearson", "pearson_low", "pearson_high", "pearson_p"],
    *["r2", "slope", "reliability", "interval", "note"],
]
TRAITS_TABLE = [
    *PARTITION,
    *["quality_metric", "family", "n", "units", "kendall_b", "kendall_c"],
    *NUMBERS,
    *["recipes", "datasets"],
]
EXPLANATION = [
    *PARTITION,
    *["quality_metric", "level", "comparison", "candidate", "kind", "n"],
    *KENDALL,
    *["kendall_p_bh", "left_out_low", "left_out_high", "eta2", "interval", "note"],
]

WIDE = {  # the scopes of all groups together
    ("a", "pooled", "", ""),
    ("b", "within", "", ""),
    ("c", "within", "", ""),
}
PLURAL = {"family": "families", "variant": "variants"}
LEFT_OUT_FROM = 4  # three families are left when one is out


def _sorted(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], until: str) -> pd.DataFrame:
    """Rows with these columns, sorted by the columns before `until`."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    keys = list(columns[: columns.index(until)])
    return table.sort_values(keys, kind="stable", ignore_index=True)


def _labelled(
    table: pd.DataFrame, options: Options
) -> Iterator[tuple[tuple[str, ...], str, pd.DataFrame]]:
    """`_partitions` of a prepared table without controls and without models that have no label."""
    for partition, quality, part in _partitions(table):
        if quality and partition[0] not in options.controls:
            yield partition, quality, part


# --- Kendall's tau of several variables at once -----------------------------------------------


def _rearranged_sums(xs: Sequence[Array], ranks: Array) -> Array:
    """Concordant less discordant pairs (k, m) of k variables (n,) with rearranged ranks (m, n).

    As `statistics._kendall_sums`; the signs of the rearranged pairs serve all variables.
    """
    signs = np.array([np.sign(x[None, :] - x[:, None]) for x in xs], dtype=np.float32)
    totals = np.zeros((len(signs), len(ranks)))
    for start in range(0, len(ranks), 1024):
        block = np.ascontiguousarray(ranks[start : start + 1024].T)
        for i in range(len(block) - 1):
            pairs = np.sign(block[i + 1 :] - block[i]).astype(np.float32)
            totals[:, start : start + 1024] += signs[:, i, i + 1 :] @ pairs
    return totals


def _p_values(xs: Sequence[Array], y: Array, ranks: Array, exact: bool) -> list[float]:
    """Two-sided p of Kendall's tau of each of k variables (n,) with y (n,).

    `ranks` (m, n) are those of the rearranged y; all rearrangements if `exact`.
    """
    observed = _rearranged_sums(xs, _dense_ranks(y[None, :]))[:, 0]
    null = _rearranged_sums(xs, ranks)
    return [_p_value(n, o, exact) for n, o in zip(null, observed, strict=True)]


def _resampled_taus(sample: Sample, weights: Array) -> Array:
    """tau-b (m, v - 1) of all variables but the last with the last, under weights (m, n).

    What `statistics.weighted_correlations` gives, without Spearman and Pearson. Where nothing is
    centred the signs of the pairs are those of the sample in every resample, and the sum over
    pairs is a quadratic form of the weights.
    """
    values = sample.centre()
    if not sample.centred:
        signs = [np.sign(v[None, :] - v[:, None]) for v in values]

        def form(matrix: Array) -> Array:
            return ((weights @ matrix) * weights).sum(axis=1)

        untied = form(np.abs(signs[-1]))
        taus = [_ratio(form(s * signs[-1]), np.sqrt(form(np.abs(s)) * untied)) for s in signs[:-1]]
        return np.column_stack(taus)

    onehot = np.eye(sample.strata)[sample.stratum]
    sizes = weights @ onehot

    def ranked(v: Array) -> tuple[Array, Array]:
        v = v / (np.std(v) or 1.0)
        here = v - ((weights * v) @ onehot / sizes)[:, sample.stratum]
        ranks = _dense_ranks(np.round(here, DIGITS - 2))
        return ranks, _weight_at(ranks, weights)

    last = ranked(values[-1])
    pairs = (zip(ranked(v), last, strict=True) for v in values[:-1])
    return np.column_stack([_tau(*pair, weights) for pair in pairs])


# --- alternatives of alpha --------------------------------------------------------------------


def alternatives(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Each alternative of alpha beside alpha on the same models, columns `ALTERNATIVE`.

    One row per partition, quality metric, comparison (a: all models of the reference recipe, b:
    within all families, c: within all variants) and alternative that has a value; further data
    sets of the same models are left out. The reference is the column alpha, whatever the primary
    metric. A negative `difference` is an alternative that does better, as the theory expects
    negative correlations.

    Intervals: BCa from an effective number of 8, and for `kendall` Fisher's z from 5; that of the
    difference is paired, both correlations taken on the same resample. `equal` counts models in
    which the alternative is alpha to 9 digits; where it is so in all, it is no hypothesis of its
    own and does not count in `kendall_p_holm`, which corrects over the alternatives of one
    partition, quality and comparison. In (c) `kendall_p` is the larger of two p values: recipes
    exchanged in each variant on its own, and in all variants at once where each has the same
    recipes (`kendall_p` and `kendall_p_recipes` of `correlations`).
    """
    table = prepare(models)
    repeated = _repeated(table)
    rows: list[dict[str, Any]] = []
    for partition, quality, part in _labelled(table, options):
        names = [name for name in ALTERNATIVES if name in part and part[name].notna().any()]
        if partition in repeated or not names:
            continue
        for scope in _scopes(part, options):
            if scope.key not in WIDE:
                continue
            labels = dict(zip(PARTITION, partition, strict=True))
            labels |= {"comparison": scope.comparison, "quality_metric": quality}
            key = (*partition, *scope.key, quality)  # that of `correlations`: the same resamples
            family = [labels | row for row in _beside_alpha(scope, names, options, key)]
            rows += _holm(family)
    return _sorted(rows, ALTERNATIVE, "n")


def _holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `kendall_p_holm` over those that differ from alpha in some model."""
    tested = [r for r in rows if math.isfinite(r["kendall_p"]) and r["equal"] < r["n"]]
    if tested:
        adjusted = multipletests([row["kendall_p"] for row in tested], method="holm")[1]
        for row, p in zip(tested, adjusted, strict=True):
            row["kendall_p_holm"] = p
    return rows


def _beside_alpha(
    scope: Scope, names: Sequence[str], options: Options, key: Sequence[object]
) -> Iterator[dict[str, Any]]:
    """One row of `alternatives` per name; alternatives known for the same models share the work."""
    alpha = metric_values(scope.models, ALPHA, "dropped")
    quality = scope.models["oriented"].to_numpy()
    values = {name: metric_values(scope.models, name, "dropped") for name in names}
    alike: dict[bytes, list[str]] = {}
    for name in names:
        alike.setdefault(np.isfinite(values[name] + alpha).tobytes(), []).append(name)
    for together in alike.values():
        sample = make_sample(scope, [*(values[n] for n in together), alpha, quality], options)
        obstacle = ""
        if sample.centred and sample.strata < 2:
            obstacle = "fewer than two groups with two units: nothing to put together"
        elif scope.scope == "pooled" and scope.models["family"].nunique() < 2:
            obstacle = "one family: no comparison between architectures"
        rows = _differences(sample, options, key, obstacle, scope.comparison == "c")
        for name, row in zip(together, rows, strict=True):
            yield row | {"metric": name, "note": _join(row["note"], scope.note)}


def _differences(
    sample: Sample, options: Options, key: Sequence[object], obstacle: str, recipes: bool
) -> list[dict[str, Any]]:
    """The estimates of a sample of alternatives, alpha and quality: one row per alternative.

    `recipes`: p is at least that of exchanging recipes in all groups at once.
    """
    *xs, alpha, quality = sample.centre()
    missing = dict.fromkeys(ALTERNATIVE[ALTERNATIVE.index("kendall") :], math.nan)
    missing |= {"n": sample.n, "units": sample.units, "groups": sample.strata, "interval": ""}
    equal = np.isclose(sample.values[:-2], sample.values[-2], rtol=1e-9, atol=0).sum(axis=1)
    rows = [missing | {"equal": int(e)} for e in equal]
    for row, x in zip(rows, xs, strict=True):
        row["note"] = _obstacle(sample, [x, quality], ("metric", "quality")) or obstacle
    tested = [index for index, row in enumerate(rows) if not row["note"]]
    if not tested:
        return rows

    chosen = [xs[index] for index in tested]
    p = _exchange_p(sample, chosen, quality, options, key, recipes)
    reference = math.nan if np.ptp(alpha) == 0 else stats.kendalltau(alpha, quality).statistic
    bounds = _paired_intervals(sample, tested, options, key)
    for index, p_value, (own, difference) in zip(tested, p, bounds, strict=True):
        row = rows[index]
        tau = stats.kendalltau(xs[index], quality).statistic
        row |= {"kendall": tau, "kendall_p": p_value, "kendall_alpha": reference}
        row["difference"] = tau - reference
        if BCA_FROM > sample.effective >= FISHER_FROM:
            own = fisher_interval("kendall", tau, sample.effective, options.confidence)
        row["kendall_low"], row["kendall_high"] = own
        row["difference_low"], row["difference_high"] = difference
        row["interval"] = _method(sample.effective)
        row["note"] = _difference_note(row, sample, bool(np.ptp(alpha)))
        if row["equal"] == row["n"]:
            row |= dict.fromkeys(("difference_low", "difference_high"), math.nan)
            row |= {"difference": 0.0}
    return rows


def _method(effective: int) -> str:
    """How an interval is made for this effective number, or "": as in `statistics.describe`."""
    return "bca" if effective >= BCA_FROM else "fisher-z" if effective >= FISHER_FROM else ""


def _difference_note(row: Mapping[str, Any], sample: Sample, varies: bool) -> str:
    """What a row of `alternatives` lacks, and why."""
    if row["equal"] == row["n"]:
        return "equal to alpha in all models"
    if not varies:
        return "alpha constant: no difference"
    if sample.effective < BCA_FROM:
        return (
            "n <= 4: no interval"
            if sample.effective < FISHER_FROM
            else "fewer than 8 independent units: no interval for the difference"
        )
    bare = [name for name in ("kendall", "difference") if math.isnan(row[f"{name}_low"])]
    return f"no interval for {', '.join(bare)} whose resamples do not vary" if bare else ""


def _exchange_p(
    sample: Sample,
    xs: Sequence[Array],
    quality: Array,
    options: Options,
    key: Sequence[object],
    recipes: bool,
) -> list[float]:
    """Permutation p of each of k variables (n,) with the quality (n,), as `correlations` has it."""
    ranks = _dense_ranks(quality[None, :])[0]
    indices, exact = rearrangements(sample, options.permutations, options.seed_of("p", *key))
    result = _p_values(xs, quality, ranks[indices], exact)
    if recipes:
        seed = options.seed_of("recipes", *key)
        drawn = recipe_rearrangements(sample, options.permutations, seed)
        if drawn:
            common = _p_values(xs, quality, ranks[drawn[0]], drawn[1])
            result = [max(pair) for pair in zip(result, common, strict=True)]
    return result


def _paired_intervals(
    sample: Sample, tested: Sequence[int], options: Options, key: Sequence[object]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """BCa intervals of tau and of tau less alpha's for each tested alternative of a sample."""
    if sample.effective < BCA_FROM:
        return [((math.nan, math.nan),) * 2] * len(tested)
    smaller = replace(sample, values=sample.values[[*tested, -2, -1]])

    def statistic(weights: Array) -> Array:
        taus = _resampled_taus(smaller, weights)
        return np.hstack([taus[:, :-1], taus[:, :-1] - taus[:, -1:]])

    bounds = _bca(smaller, options, key, statistic)
    return list(zip(bounds[: len(tested)], bounds[len(tested) :], strict=True))


# --- alpha against noise of the same shape ----------------------------------------------------


def shape(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Alpha against the alpha of noise of the same shape, columns `SHAPE`.

    One row per partition (quality has no part in it), null (`shuffled`: the entries of the same
    matrices permuted; `gaussian`: Gaussian noise of their shape and scale) and level: `variants`
    (models of the reference recipe averaged per variant; of a control all models), `families`
    (means of those) and `within` (variants centred on their family's mean). `r2` is Pearson's
    r squared, the share of the differences in alpha that goes with the null; `slope` is alpha per
    unit of the null's alpha. `reliability`: the share of the null's own variance, between what is
    compared, that is not due to the draws it was computed from (Spearman 1904, American Journal of
    Psychology 15): r2 can hardly be larger. Missing without two draws. Intervals and p as in
    `describe`; at the level of variants they hold for these families, as variants of one family
    resemble each other.
    """
    table = _named(prepare(models))
    repeated = _repeated(table)
    rows: list[dict[str, Any]] = []
    for partition, part in table.groupby(PARTITION, sort=True):
        if partition in repeated:
            continue
        once = part.drop_duplicates("model").reset_index(drop=True)
        control = partition[0] in options.controls
        chosen, note = (once, "") if control else _reference(once, options)
        for null, column in NULLS.items():
            if column not in chosen or chosen[column].isna().all():
                continue
            labels = dict(zip(PARTITION, partition, strict=True)) | {"null": null}
            values = {name: metric_values(chosen, c, "dropped") for name, c in
                      (("x", column), ("y", ALPHA))}  # fmt: skip
            variants = _means(chosen, ["family", "named"], values)
            families = variants.groupby("family", sort=True)[["x", "y"]].mean().reset_index()
            errors = _errors(chosen, column, variants)
            for level, frame, centre_on in (
                ("variants", variants, None),
                ("families", families, None),
                ("within", variants, "family"),
            ):
                row = _against_null(_plain(frame, centre_on), options, (*partition, level))
                row["note"] = _join(row["note"], note)
                row["reliability"] = _reliability(variants, errors, level)
                rows.append(labels | {"level": level} | row)
    return _sorted(rows, SHAPE, "n")


def _errors(models: pd.DataFrame, column: str, variants: pd.DataFrame) -> Array:
    """Squared standard errors (v,) of a null's alpha in variants, due to its draws.

    Models of one variant have the same draws, so their mean has the error of one.
    """
    squares = models.assign(square=metric_values(models, f"{column}_se", "dropped") ** 2)
    means = squares.groupby(["family", "named"], sort=True)["square"].mean()
    return means.reindex(pd.MultiIndex.from_frame(variants[["family", "named"]])).to_numpy(float)


def _reliability(variants: pd.DataFrame, errors: Array, level: str) -> float:
    """1 less the errors' share of the null's variance at a level of `shape`, at least 0."""
    table = variants.assign(error=errors)
    if level == "families":
        groups = table.groupby("family", sort=True)
        sizes = groups.size()
        variance, error = groups["x"].mean().var(ddof=1), (groups["error"].mean() / sizes).mean()
    elif level == "within":
        table = table[table.groupby("family")["x"].transform("size") > 1]
        freedom = len(table) - table["family"].nunique()
        centred = table["x"] - table.groupby("family")["x"].transform("mean")
        variance = (centred**2).sum() / freedom if freedom else math.nan
        error = table["error"].mean()
    else:
        variance, error = table["x"].var(ddof=1), table["error"].mean()
    known = variance > 1e-18 and math.isfinite(error)
    return max(0.0, 1 - error / variance) if known else math.nan


def _against_null(sample: Sample, options: Options, key: Sequence[object]) -> dict[str, Any]:
    """The estimates of `shape` for a sample of the null (x) and alpha (y)."""
    obstacle = ""
    if sample.centred and sample.strata < 2:
        obstacle = "fewer than two groups with two units: nothing to put together"
    row = describe(sample, options, ("shape", *key), obstacle)
    # `describe` speaks of metric and quality, and of a meta-analysis that this has not.
    note = _obstacle(sample, sample.centre(), ("null", "alpha")) or row["note"]
    note = note.replace("feeds the meta-analysis only", "no interval")
    means = sample.values.mean(axis=1) if sample.n else (math.nan, math.nan)
    return row | {"null_alpha": means[0], "alpha": means[1], "note": note}


# --- what could explain -----------------------------------------------------------------------


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """A prepared table with `named`: the variant, or the model where it has none."""
    return table.assign(named=table["variant"].where(table["variant"] != "", table["model"]))


def _with_candidates(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """The prepared table with all candidates of a model, `metric` and `complete`.

    `complete`: the primary metric and the quality are known.
    """
    table = _named(prepare(models))
    table["metric"] = metric_values(table, options.primary_metric, "dropped")
    table["complete"] = table["metric"].notna() & table["oriented"].notna()
    table["outside_share"] = 1 - metric_values(table, "alpha_2_to_6", "dropped")
    for name in NUMBERS:
        if name not in table:
            table[name] = np.nan
    if not options.seeds_are_replicates:
        table["unit"] = table["model"]
    return table


def _averages(models: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Per group: means of the candidates over the models that have them, and the most frequent
    recipe of the models compared (the first by name of several)."""
    numbers = [name for name in NUMBERS if name not in SPREADS]
    table = models.groupby(by, sort=True)[numbers].mean()
    compared = models[models["complete"]]
    recipes = compared.groupby([*by, "recipe"], sort=True).size().reset_index(name="count")
    first = recipes.sort_values([*by, "count"], ascending=[*[True] * len(by), False], kind="stable")
    table["recipe"] = first.drop_duplicates(by).set_index(by)["recipe"]
    return table


def _spreads(models: pd.DataFrame, by: list[str], inside: list[str]) -> pd.DataFrame:
    """Per group `by`: SD of metric and quality between the models that are compared in it.

    Around the means of the groups `inside`; divisor: models less these groups. Missing where that
    is 0.
    """
    models = models[models["complete"]]
    groups = models.groupby(by, sort=True)
    freedom = groups.size() - models.drop_duplicates(inside).groupby(by, sort=True).size()
    table = pd.DataFrame(index=freedom.index)
    for name, column in SPREADS.items():
        centred = models[column] - models.groupby(inside)[column].transform("mean")
        squares = (centred**2).groupby([models[b] for b in by], sort=True).sum()
        sd = np.sqrt(squares / freedom.where(freedom > 0))
        table[name] = _tidy(sd.to_numpy(float), models[column].to_numpy(float))
    return table


def _family_taus(correlations: pd.DataFrame, options: Options) -> dict[tuple[str, ...], float]:
    """tau of the primary metric by (partition, comparison, scope, family, variant, quality)."""
    keys = [*PARTITION, "comparison", "scope", "family", "variant", "quality_metric"]
    table = correlations.reindex(columns=[*keys, "metric", "treatment", "kendall"])
    table = table[(table["metric"] == options.primary_metric) & (table["treatment"] == "dropped")]
    labels = table[keys].astype(object).where(table[keys].notna(), "").map(str)
    taus = pd.to_numeric(table["kendall"], errors="coerce").astype(float)
    return dict(zip(labels.itertuples(index=False, name=None), taus, strict=True))


def _attributed(models: pd.DataFrame, inside: str | None) -> pd.Series:
    """tau_i of each variant, by (family, named): Kendall's sum as the variant's own part of it.

    Mean of sign(x_i - x_j) sign(y_i - y_j) over all pairs of a unit of the variant with a unit of
    another one (of the same group `inside`), averaged over the variant's units; x is the primary
    metric and y the quality, both means of the unit's models. With one unit per variant the mean
    of tau_i is tau-a. Missing in groups of fewer than 3 units, as the group's own tau is.
    """
    by = ["family", "named"]
    compared = models[models["complete"]]
    units = compared.groupby([*by, "unit"], sort=True)[["metric", "oriented"]].mean().reset_index()
    units["tau"] = np.nan
    group = units[inside] if inside else pd.Series("", index=units.index)
    for _, members in units.groupby(group, sort=True):
        if len(members) < 3:
            continue
        product = np.ones((len(members), len(members)))
        for column in ("metric", "oriented"):
            v = _tidy(members[column].to_numpy(), members[column].to_numpy())
            product *= np.sign(v[:, None] - v[None, :])
        codes = _codes(members[by].agg("\x1f".join, axis=1))
        other = codes[:, None] != codes[None, :]
        number = other.sum(axis=1)
        units.loc[members.index, "tau"] = _ratio((product * other).sum(axis=1), number)
    return units.groupby(by, sort=True)["tau"].mean()


def traits(models: pd.DataFrame, correlations: pd.DataFrame, options: Options) -> pd.DataFrame:
    """What could explain, one row per partition, quality metric and family: `TRAITS_TABLE`.

    `n` and `units` count the models of comparison (b) that have metric and quality; `kendall_b`
    and `kendall_c` are the family's tau of the primary metric in `correlations` (from
    `statistics.correlations`): its models of the reference recipe, and within its variants. Each
    candidate is the mean over the models of the reference recipe that have it; `metric_sd` and
    `quality_sd` are the spread between the models compared. `recipes` and `datasets` list those
    of all models of the family.
    """
    taus = _family_taus(correlations, options)
    rows: list[dict[str, Any]] = []
    for partition, quality, part in _labelled(_with_candidates(models, options), options):
        reference, _ = _reference(part, options)
        found = _averages(reference, ["family"]).join(_spreads(reference, ["family"], ["family"]))
        compared = reference[reference["complete"]].groupby("family")
        for family, members in part.groupby("family", sort=True):
            row = dict(zip(PARTITION, partition, strict=True))
            row |= {"quality_metric": quality, "family": family}
            row |= {"n": int(compared.size().get(family, 0))}
            row |= {"units": int(compared["unit"].nunique().get(family, 0))}
            for name, comparison, scope in (("b", "b", "family"), ("c", "c", "within")):
                key = (*partition, comparison, scope, family, "", quality)
                row[f"kendall_{name}"] = taus.get(key, math.nan)
            if family in found.index:
                row |= found.loc[family, list(NUMBERS)].to_dict()
            row |= {f"{name}s": ", ".join(sorted(set(members[name]) - {""}))
                    for name in ("recipe", "dataset")}  # fmt: skip
            rows.append(row)
    return _sorted(rows, TRAITS_TABLE, "n")


# --- candidates against the correlations ------------------------------------------------------


def explanations(
    models: pd.DataFrame, correlations: pd.DataFrame, options: Options
) -> pd.DataFrame:
    """Each candidate against the rank correlations tau that it could explain: `EXPLANATION`.

    Per partition and quality metric, of the primary metric (treatment `dropped`):

    - level `family`: tau of each family, (b) between its models of the reference recipe, (c)
      within its variants; both from `correlations` (from `statistics.correlations`).
    - level `variant`: (a) and (b) each variant's own part of the sum that is Kendall's tau, over
      all variants (of two or more families) and over those of its family (`_attributed`); (c)
      the tau of its models, from `correlations`.

    Collection "all": families of all partitions together, whatever their data set and version,
    where at least two have a tau; further data sets of the same models are left out. Each partition
    enters with one quality (the primary one, else error, else the first by name);
    `quality_sd` counts where that is in percent.

    Candidates are means over the models of the reference recipe in (a) and (b), over all compared
    recipes in (c). `metric_sd` and `quality_sd` are those of the models that the tau compares: of
    the family, or the variant in (c); in (c) around the means of the variants.

    `kendall` is positive where alpha works less the larger the candidate is (the theory expects
    tau < 0). A category has `eta2` instead: the share of the variance of tau that lies between
    categories, given where one of them has two members.

    Independent are families, not variants of one family, and not one family in several
    collections (of the same name). Where each family occurs once, p comes from permutations of
    tau (all of them up to 8). Else from permutations of the families' mean tau between families
    and of the rest inside each family (permutation at the level of the nested factor's units,
    Anderson and ter Braak 2003, Journal of Statistical Computation and Simulation 73): they keep
    the resemblance. Sums of concordant less discordant pairs are compared; recombined taus have
    fewer ties, which can only widen their null distribution. Intervals draw whole
    families: BCa from 8 families, Fisher's z for as many observations as there are families from
    5. `left_out_low` and `left_out_high` are the extremes of `kendall` when one family is left
    out, where a candidate that is then constant counts as 0. `kendall_p_bh`: Benjamini and
    Hochberg over the candidates of one partition, quality, level and comparison.
    """
    taus = _family_taus(correlations, options)
    table = _with_candidates(models, options)
    repeated = _repeated(table)
    parts = list(_labelled(table, options))
    first = _first_quality([(partition, quality) for partition, quality, _ in parts], options)
    rows: list[dict[str, Any]] = []
    together: dict[str, list[pd.DataFrame]] = {"b": [], "c": []}
    for partition, quality, part in parts:
        for level, comparison, units, note in _tau_tables(partition, quality, part, taus, options):
            units = units.assign(dataset=partition[1], weightwatcher_version=partition[2])
            rows += _explain(units, (*partition, quality, level, comparison), options, note)
            if level == "family" and partition not in repeated and quality == first[partition]:
                in_percent = pd.Series(quality in PERCENT, index=units.index)
                units["quality_sd"] = units["quality_sd"].where(in_percent)
                together[comparison] += [units] if units["tau"].notna().any() else []
    for comparison, tables in together.items():
        if len(tables) > 1:
            units = pd.concat(tables, ignore_index=True)
            rows += _explain(units, ("all", "", "", "", "family", comparison), options, "")
    return _sorted(rows, EXPLANATION, "kind")


def _first_quality(
    pairs: Sequence[tuple[tuple[str, ...], str]], options: Options
) -> dict[tuple[str, ...], str]:
    """The quality metric with which each partition enters "all"."""
    qualities: dict[tuple[str, ...], list[str]] = {}
    for partition, quality in pairs:
        qualities.setdefault(partition, []).append(quality)
    return {
        partition: primary_quality(names, options.primary_quality)
        for partition, names in qualities.items()
    }


def _tau_tables(
    partition: tuple[str, ...],
    quality: str,
    part: pd.DataFrame,
    taus: Mapping[tuple[str, ...], float],
    options: Options,
) -> Iterator[tuple[str, str, pd.DataFrame, str]]:
    """(level, comparison, table, note): a row per family or variant with tau and candidates."""
    scopes = {scope.key: scope for scope in _scopes(part, options) if scope.key in WIDE}
    pooled = scopes["a", "pooled", "", ""]
    reference, note = pooled.models, pooled.note
    family, variant = ["family"], ["family", "named"]

    def looked_up(comparison: str, scope: str, table: pd.DataFrame) -> pd.DataFrame:
        index = table.index.to_frame()
        names = index["named"] if "named" in index else pd.Series("", index=table.index)
        tau = [
            taus.get((*partition, comparison, scope, f, v, quality), math.nan)
            for f, v in zip(index["family"], names, strict=True)
        ]
        return table.assign(tau=np.array(tau, dtype=float)).reset_index()

    spreads = _spreads(reference, family, family)
    yield "family", "b", looked_up("b", "family", _averages(reference, family).join(spreads)), note
    own = _averages(reference, variant)
    for comparison, inside in (("a", None), ("b", "family")):
        if comparison == "a" and len(spreads) < 2:
            continue  # one family: no comparison between architectures
        table = own.assign(tau=_attributed(reference, inside)).reset_index()
        # All models are compared in (a): one spread for all.
        table = table.join(spreads if inside else spreads.iloc[:0], on="family")
        yield "variant", comparison, table, note
    if ("c", "within", "", "") in scopes:
        trained = scopes["c", "within", "", ""].models
        for level, by, scope in (("family", family, "within"), ("variant", variant, "family")):
            table = _averages(trained, by).join(_spreads(trained, by, variant))
            yield level, "c", looked_up("c", scope, table), ""


def _explain(
    units: pd.DataFrame, labels: tuple[str, ...], options: Options, note: str
) -> list[dict[str, Any]]:
    """The rows of `explanations` for one table of families or variants with `tau`.

    `labels`: partition, quality metric, level and comparison.
    """
    units = units[units["tau"].notna()].sort_values("family", kind="stable", ignore_index=True)
    keys = [*PARTITION, "quality_metric", "level", "comparison"]
    columns: dict[str, Array] = {}
    for name in CANDIDATES:
        values = units[name].to_numpy(object if name in CATEGORIES else float)
        if name in CATEGORIES and _comparable(values):
            codes, _ = pd.factorize(np.where(values == "", None, values), sort=True)
            columns[name] = np.where(codes < 0, np.nan, codes.astype(float))
        elif name in NUMBERS and np.isfinite(values).any():
            columns[name] = values
    alike: dict[bytes, list[str]] = {}
    for name, values in columns.items():
        alike.setdefault(np.isfinite(values).tobytes(), []).append(name)
    rows: list[dict[str, Any]] = []
    for names in alike.values():
        known = np.isfinite(columns[names[0]])
        # Rounded, so that equal values stay equal, also where a file has lost the last digits.
        tau = np.round(units["tau"].to_numpy(float)[known], DIGITS - 2)
        candidates = [_tidy(columns[name][known], columns[name][known]) for name in names]
        sample = Sample(
            values=np.array([*candidates, tau]),
            stratum=np.zeros(len(tau), int),
            unit=_codes(units["family"].to_numpy(object)[known]),
            recipe=np.zeros(len(tau), int),
            centred=False,
            missing=len(units) - len(tau),
        )
        for name, row in zip(names, _related(sample, names, options, labels), strict=True):
            kind = "category" if name in CATEGORIES else "number"
            row |= {"candidate": name, "kind": kind, "note": _join(row["note"], note)}
            rows.append(dict(zip(keys, labels, strict=True)) | row)
    return _benjamini_hochberg(rows)


def _comparable(values: Array) -> bool:
    """Whether known categories (n,) are at least two, and one of them has two members."""
    counts = pd.Series(values[[bool(isinstance(v, str) and v) for v in values]]).value_counts()
    return len(counts) > 1 and counts.iloc[0] > 1


def _benjamini_hochberg(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `kendall_p_bh` over those that have a p."""
    tested = [row for row in rows if math.isfinite(row["kendall_p"])]
    if tested:
        adjusted = multipletests([row["kendall_p"] for row in tested], method="fdr_bh")[1]
        for row, p in zip(tested, adjusted, strict=True):
            row["kendall_p_bh"] = p
    return rows


def _related(
    sample: Sample, names: Sequence[str], options: Options, labels: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The estimates of a sample of candidates and tau: one row per candidate.

    Its units are the families. Nothing is estimated from fewer than 3 observations, and nothing
    but the relation itself from fewer than 3 families.
    """
    *xs, tau = sample.values
    level, families = labels[-2], sample.units
    empty = dict.fromkeys(EXPLANATION[EXPLANATION.index("kendall") :], math.nan)
    rows = [empty | {"n": sample.n, "interval": "", "note": ""} for _ in names]
    numbers = []
    for index, (row, x) in enumerate(zip(rows, xs, strict=True)):
        constant = [n for n, v in (("candidate", x), ("correlation", tau)) if np.ptp(v) == 0]
        if sample.n < 3:
            row["note"] = f"fewer than 3 {PLURAL[level]}"
        elif constant:
            row["note"] = f"{' and '.join(constant)} constant"
        elif names[index] in CATEGORIES:
            row["eta2"] = _eta2(x, tau[None, :])[0]
        else:
            row["kendall"] = stats.kendalltau(x, tau).statistic
            numbers.append(index)
    related = [index for index, row in enumerate(rows) if not row["note"]]
    if families < 3:
        for index in related:
            rows[index]["note"] = "fewer than 3 families: neither p nor interval"
        return rows

    drawn, exact = _redrawn(sample, options, labels)
    for index in related:
        if names[index] in CATEGORIES:
            null = np.nan_to_num(_eta2(xs[index], drawn))
            rows[index]["kendall_p"] = _p_value(null, rows[index]["eta2"], exact)
    if not numbers:
        return rows
    p = _p_values([xs[index] for index in numbers], tau, _dense_ranks(drawn), exact)
    smaller = replace(sample, values=sample.values[[*numbers, -1]])
    left_out = np.nan_to_num(_resampled_taus(smaller, jackknife_weights(smaller)))
    bounds = [(math.nan, math.nan)] * len(numbers)
    if families >= BCA_FROM:
        bounds = _bca(smaller, options, labels, lambda w: _resampled_taus(smaller, w))
    for place, index in enumerate(numbers):
        row, (low, high) = rows[index], bounds[place]
        if FISHER_FROM <= families < BCA_FROM:
            low, high = fisher_interval("kendall", row["kendall"], families, options.confidence)
        row |= {"kendall_p": p[place], "kendall_low": low, "kendall_high": high}
        row["interval"] = _method(families)
        if families >= LEFT_OUT_FROM:
            row["left_out_low"] = left_out[:, place].min()
            row["left_out_high"] = left_out[:, place].max()
        if families < FISHER_FROM:
            row["note"] = "fewer than 5 families: no interval"
        elif math.isnan(low):
            reason = "of plus or minus 1" if families < BCA_FROM else "resamples do not vary"
            row["note"] = f"no interval: {reason}"
    return rows


def _eta2(codes: Array, taus: Array) -> Array:
    """Share (m,) of the variance of taus (m, n) that lies between the categories codes (n,)."""
    onehot = (np.unique(codes)[None, :] == codes[:, None]).astype(float)
    sizes = onehot.sum(axis=0)
    centred = taus - taus.mean(axis=1, keepdims=True)
    between = ((centred @ onehot) ** 2 / sizes).sum(axis=1)
    return _ratio(between, (centred**2).sum(axis=1))


def _redrawn(sample: Sample, options: Options, key: Sequence[object]) -> tuple[Array, bool]:
    """tau (m, n) under the null hypothesis that no candidate has to do with it; whether all.

    The last variable of the sample, in the order of its units. Where a unit holds several
    observations, the units' means are permuted between units, and the observations' deviations
    from them inside each unit.
    """
    tau, unit = sample.values[-1], sample.unit
    seed = options.seed_of("explanations", *key)
    if sample.units == sample.n:
        indices, exact = rearrangements(sample, options.permutations, seed)
        return tau[indices], exact
    rng = np.random.default_rng(seed)
    count = max(99, min(options.permutations, 2 * PAIR_LIMIT // sample.n**2))
    means = np.bincount(unit, tau) / np.bincount(unit)
    inside = tau - means[unit]
    order = rng.random((count, sample.units)).argsort(axis=1)
    # Units stand one after the other, so sorting by unit and chance shuffles inside each.
    shuffled = (unit + rng.random((count, sample.n))).argsort(axis=1)
    return np.round(means[order[:, unit]] + inside[shuffled], DIGITS - 2), False
