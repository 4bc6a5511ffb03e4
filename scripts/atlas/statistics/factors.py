"""A factorial design of trainings: does a metric order models when one factor is changed, whichever
it is and wherever it is changed?

**What is compared.** In comparison (c), settings (the levels of all factors) of one variant. Models
of one variant and setting are seeds, and are averaged first, over those that have both metric and
quality. Failed fits are left out. Blank levels are equal to each other, but a pair in which the
factor that differs is blank is no pair of this factor.

**Measures.** Qualities are oriented, so the theory expects negative taus and no sign errors.

- `kendall` of a factor: the mean of sign(difference in metric) sign(difference in quality) over the
  pairs of one variant that differ in this factor alone, ties being 0; of all factors ("") their
  mean. These are the granulated Kendall's taus of Jiang et al. 2020 (arXiv:1912.02178, section
  3.2), whose mean over the other factors' settings weighs pairs alike where the grid is complete.
- `information`: normalised mutual information of the two signs given the levels of a set S of
  factors, which both models of a pair share; the least over all S of at most two factors (Jiang et
  al. 2020, section 3.3). Both orders of a pair count, so signs are even, and of a group u of pairs
  whose qualities differ, of which the share b_u differs in the metric too and c_u of these agree,
  1 - h(c_u) bits times b_u are known, h being binary entropy; groups weigh by their pairs. Pairs
  whose qualities tie have nothing to be ordered.
- `sign_error`: an environment is one factor and two of its levels, and its error the share of its
  pairs in which the smaller metric has the worse quality, ties counting half. The worst of these is
  the robust sign error of Dziugaite et al. 2020 (arXiv:2010.11924), whose environments are
  single pairs of settings: of those there are as many observations as variants.

**What depends on what.** A setting acts on all variants alike: settings and variants are crossed.
p values exchange whole settings in all variants at once, as `pairs` exchanges recipes; settings that
other variants have stay apart. That of `kendall` is two-sided, `information` and `sign_error` ask
whether signs tell more, and whether the worst error is smaller, than after such an exchange. What
they call chance is that settings are exchangeable. A factor that moves metric and quality, each for
a reason of its own, is no chance: of it a tau tells the direction, not the cause, and `kendall_p` of
the mean is about the factors that there are. `kendall_p_factors` flips the signs of whole factors, so
that these are what is counted; it needs 6 of them to be small.

**Intervals** are of the mean over settings and variants like these, given the factors: Wilson's
score interval (1927) of a share, with the effective number of pairs that a variance clustered by
both gives. It is that of Cameron, Gelbach and Miller (2011, Journal of Business and Economic
Statistics 29, 238-249), with pairs that share a setting in the place of a cluster (Aronow, Samii and
Assenova 2015, Political Analysis 23, 564-577), and Student's t with the fewer of the two. That
of the worst sign error is from intervals that hold for all environments together (Bonferroni): the
largest of the lower ends to the largest of the upper ones. The information has none: it cannot be
negative and is a least value, so that no interval holds it where there is none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.models import metric_values, partitions, prepare
from atlas.statistics.options import Array, Options
from atlas.statistics.pairs import BLOCK, PAIRS_FROM, Design, make_design, recipe_exchanges
from atlas.statistics.permutation import EXACT_LIMIT, p_value
from atlas.statistics.sample import codes_of, sorted_table
from atlas.statistics.settings import claimed_qualities, name_of, with_settings
from atlas.terms.keys import PARTITION
from atlas.terms.notes import Note, join

FACTORS = [
    *PARTITION,
    *["metric", "quality_metric", "factor"],
    *["settings", "variants", "pairs", "contexts", "environments"],
    *["kendall", "kendall_low", "kendall_high", "kendall_p", "kendall_p_factors"],
    *["information", "information_given", "information_p"],
    *["sign_error", "sign_error_low", "sign_error_high", "sign_error_p", "sign_error_at"],
    *["permutations", "exact", "note"],
]

RANDOM = "random"  # a metric of random numbers: what chance looks like in this design
CONTEXTS_FROM = 5  # from which an interval is given


def factors(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """One row per partition, primary metric, quality and factor, columns `FACTORS`.

    Factor "" is all of them together. Qualities are the primary one and the generalization gap.
    Beside the primary metrics stands `random`. Of a factor's row, `pairs` differ in it alone,
    `contexts` are the different levels of all other factors of these, `environments` its pairs of
    levels; `information` is of all factors only. `information_given` and `sign_error_at` name the
    factors, and the factor with its two levels, of the least and the worst value. Where the metric
    or the quality ties in all pairs nothing is estimated. Partitions without factors have no row.
    """
    rows: list[dict[str, Any]] = []
    for labels, part, names in _factorial_parts(models, options):
        noise = np.random.default_rng(options.seed_of(RANDOM, *(labels[key] for key in PARTITION)))
        part = part.assign(**{RANDOM: noise.normal(size=len(part))})
        rows += _rows(part, names, labels, options)
    return sorted_table(rows, FACTORS, "settings")


def _factorial_parts(
    models: pd.DataFrame, options: Options
) -> Iterator[tuple[dict[str, str], pd.DataFrame, list[str]]]:
    """Labels (partition and quality), models with a `setting` and the columns that make it, of what
    may be pooled and has factors, for the primary quality and the generalization gap."""
    prepared = prepare(models)
    asked = claimed_qualities(prepared, options)
    for partition, quality, part in partitions(prepared):
        own, names = with_settings(part)
        if len(own) and quality in asked[partition] and partition[0] not in options.controls:
            labels = dict(zip(PARTITION, partition, strict=True))
            yield labels | {"quality_metric": quality}, own, names


def _rows(
    models: pd.DataFrame, names: Sequence[str], labels: Mapping[str, str], options: Options
) -> list[dict[str, Any]]:
    """The rows of one partition and quality. Metrics that the same models have share permutations."""
    quality = models["oriented"].to_numpy(float)
    together: dict[bytes, list[str]] = {}
    values = {
        metric: metric_values(models, metric, "dropped")
        for metric in dict.fromkeys((*options.primary_metrics, RANDOM))
    }
    for metric, column in values.items():
        complete = np.isfinite(column) & np.isfinite(quality)
        together.setdefault(complete.tobytes(), []).append(metric)
    rows = []
    for mask, metrics in together.items():
        complete = np.frombuffer(mask, dtype=bool)
        grid = make_grid(models[complete], names, options)
        inside = complete.copy()
        inside[complete] = grid.compared
        data = np.array([grid.design.average(values[metric][inside]) for metric in metrics])
        y = grid.design.average(quality[inside])
        found = compare(grid, data, y, options, tuple(labels.values()))
        for metric, estimates in zip(metrics, found, strict=True):
            rows += [labels | {"metric": metric} | row for row in estimates]
    return rows


@dataclass(frozen=True)
class Grid:
    """The pairs of a factorial design.

    `compared` (models,) is False in variants with one setting; `design` has the units, of which
    `recipe` is the setting, and their pairs, sorted by the two settings. Pairs of the same two
    settings in several variants are one `duo` (pairs,), which begins at pair `starts[duo]`. `factor`
    (pairs,) is the one in which a pair differs alone, else -1, `environment` (pairs,) a code of its
    levels, of which `environments` has (factor, level, level), and `context` (pairs,) a code of the
    levels of the others. `given` are sets of factors, and each has a matrix (duos, groups) of the
    duos that share levels in it.
    """

    names: list[str]
    compared: Array
    design: Design
    starts: Array
    duo: Array
    factor: Array
    environment: Array
    environments: list[tuple[int, str, str]]
    context: Array
    given: list[tuple[tuple[int, ...], Array]]


def make_grid(models: pd.DataFrame, columns: Sequence[str], options: Options) -> Grid:
    """The pairs of models (rows of `with_settings`, each complete) with these columns of factors."""
    variant = models["family"] + "\x1f" + models["variant"]
    settings = models.groupby(["family", "variant"])["setting"].transform("nunique")
    compared = (settings > 1).to_numpy(bool)
    unit = variant + "\x1f" + models["setting"]
    models = models.assign(unit=unit, recipe=models["setting"])[compared]
    design = make_design(models, replace(options, seeds_are_replicates=True))

    one = np.unique(design.member, return_index=True)[1]
    levels = models[list(columns)].to_numpy(object).reshape(len(models), len(columns))[one]
    ends = np.sort(design.recipe[np.array([design.first, design.second])], axis=0)
    order = np.lexsort(ends[::-1])
    design = replace(design, first=design.first[order], second=design.second[order])
    starts = np.flatnonzero(np.diff(ends[:, order], axis=1, prepend=-1).any(axis=0))

    duo = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    a, b = levels[design.first[starts]], levels[design.second[starts]]
    differ = a != b
    factor = np.where(differ.sum(axis=1) == 1, differ.argmax(axis=1), -1)
    rows = np.arange(len(starts))
    factor[(a[rows, factor] == "") | (b[rows, factor] == "")] = -1
    two = [
        (f, *sorted((x[f], y[f]))) if f >= 0 else (-1, "", "")
        for f, x, y in zip(factor, a, b, strict=True)
    ]
    environments = sorted({each for each in two if each[0] >= 0})
    codes = {each: code for code, each in enumerate(environments)}
    others = ["\x1f".join(map(str, (f, *np.delete(x, f)))) for f, x in zip(factor, a, strict=True)]
    return Grid(
        names=[name_of(column) for column in columns],
        compared=compared,
        design=design,
        starts=starts,
        duo=duo,
        factor=factor[duo],
        environment=np.array([codes.get(each, -1) for each in two], dtype=int)[duo],
        environments=environments,
        context=codes_of(others)[duo],
        given=list(_given(a, differ)),
    )


def _given(levels: Array, differ: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Sets of at most two factors, with the groups (duos, groups) that share levels in them."""
    number = levels.shape[1]
    sets = [s for size in range(3) for s in itertools.combinations(range(number), size)]
    for chosen in sets:
        shared = ~differ[:, chosen].any(axis=1)
        if shared.any():
            labels = np.array(["\x1f".join(row) for row in levels[:, chosen]], dtype=object)
            groups = np.zeros((len(levels), len(set(labels[shared]))), dtype=np.float32)
            groups[shared, codes_of(labels[shared])] = 1
            yield chosen, groups


def compare(
    grid: Grid, metrics: Array, quality: Array, options: Options, key: Sequence[object]
) -> list[list[dict[str, Any]]]:
    """Of each metric (k, units) against the quality (units,): a row for all factors, and for each."""
    design, numbers = grid.design, range(len(grid.names))
    used = [f for f in numbers if (grid.factor == f).any()]
    empty = [
        {
            "factor": "" if f < 0 else grid.names[f],
            "settings": len(np.unique(design.recipe)),
            "variants": len(np.unique(design.variant[design.first[own]])),
            "pairs": int(own.sum()),
            "contexts": len(np.unique(grid.context[own])),
            "environments": len(np.unique(grid.environment[own])),
            "permutations": 0,
            "exact": False,
            "note": Note.NO_PAIRS,
        }
        for f in (-1, *numbers)
        for own in [grid.factor == f if f >= 0 else grid.factor >= 0]
    ]
    larger = np.sign(metrics[:, design.first] - metrics[:, design.second]).astype(np.int8)
    ranks = np.unique(quality, return_inverse=True)[1].astype(np.int32)
    differs = (ranks[design.first] != ranks[design.second]).any()
    same = "" if differs else Note.QUALITY_CONSTANT_WITHIN_VARIANTS
    notes = [
        join("" if signs.any() else Note.METRIC_CONSTANT_WITHIN_VARIANTS, same) for signs in larger
    ]
    if not used:
        return [empty] * len(metrics)
    usable = [index for index, note in enumerate(notes) if not note]
    result = [[row | {"note": note} for row in empty] for note in notes]
    if usable:
        indices, exact = recipe_exchanges(
            design, options.permutations, options.seed_of("factors p", *key)
        )
        observed = _measures(grid, larger[usable], ranks, np.arange(len(ranks))[None, :])
        null = _measures(grid, larger[usable], ranks, indices)
        for place, index in enumerate(usable):
            seen, chance = (each.of(place) for each in (observed, null))
            agree = larger[index] * np.sign(ranks[design.first] - ranks[design.second])
            about = {"permutations": len(indices), "exact": exact}
            result[index] = [
                row | about | _estimates(grid, f, used, agree, seen, chance, exact, options)
                if f < 0 or f in used
                else row
                for f, row in zip((-1, *numbers), empty, strict=True)
            ]
    return result


@dataclass(frozen=True)
class Measures:
    """`kendall` (k, m, factors), `error` (k, m, environments) and `information` (k, m, sets)."""

    kendall: Array
    error: Array
    information: Array

    def of(self, metric: int) -> Measures:
        return Measures(self.kendall[metric], self.error[metric], self.information[metric])


def _measures(grid: Grid, larger: Array, ranks: Array, indices: Array) -> Measures:
    """The measures of k metrics under m exchanges of the quality.

    `larger` (k, pairs) is 1 where the pair's first unit has the larger metric, -1 where the second
    has; `ranks` (units,) are the quality's; `indices` (m, units).
    """
    design, starts = grid.design, grid.starts
    sizes = np.diff(np.append(starts, len(design.first)))
    one = grid.factor[starts], grid.environment[starts]
    members = [
        (code[:, None] == np.arange(number)).astype(np.float32)
        for code, number in zip(one, (len(grid.names), len(grid.environments)), strict=True)
    ]
    totals = [sizes @ member for member in members]
    shape = len(larger), len(indices)
    result = Measures(*(np.empty((*shape, n)) for n in (*map(len, totals), len(grid.given))))
    step = max(1, BLOCK // len(design.first))
    for start in range(0, len(indices), step):
        rows = slice(start, start + step)
        shuffled = ranks[indices[rows]]
        gap = np.sign(shuffled[:, design.first] - shuffled[:, design.second]).astype(np.int8)
        differ = _sums(np.abs(gap), starts)
        for place, signs in enumerate(larger):
            agree = signs * gap
            lead, both = _sums(agree, starts), _sums(np.abs(agree), starts)
            with np.errstate(invalid="ignore"):  # a factor without pairs
                result.kendall[place, rows] = lead @ members[0] / totals[0]
            result.error[place, rows] = (1 + lead @ members[1] / totals[1]) / 2
            for index, (_, groups) in enumerate(grid.given):
                sums = ((each @ groups).astype(float) for each in (lead, both, differ))
                result.information[place, rows, index] = _information(*sums)
    return result


def _sums(values: Array, starts: Array) -> Array:
    """Sums (m, duos) over the pairs of each duo; exact, also in single precision."""
    return np.add.reduceat(values, starts, axis=1, dtype=np.int32).astype(np.float32)


def _information(lead: Array, both: Array, differ: Array) -> Array:
    """Normalised information (m,) of pairs in groups: arrays (m, groups) of concordant less
    discordant pairs, of those that differ in both, and of those whose qualities differ."""
    share = (1 + lead / np.maximum(both, 1)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = [np.where(p > 0, p * np.log2(p), 0.0) for p in (share, 1 - share)]
    known = (both * (1 + bits[0] + bits[1])).sum(axis=1)
    return known / np.maximum(differ.sum(axis=1), 1)


def _estimates(
    grid: Grid,
    factor: int,
    used: Sequence[int],
    agree: Array,
    seen: Measures,
    null: Measures,
    exact: bool,
    options: Options,
) -> dict[str, Any]:
    """What one row has to say: of a factor, or (-1) of all that are `used`."""
    every = [factor] if factor >= 0 else list(used)
    here = [code for code, (f, _, _) in enumerate(grid.environments) if f in every]
    errors, taus = seen.error[0, here], seen.kendall[0, every]
    worst = int(np.argmax(errors))
    f, *levels = grid.environments[here[worst]]
    row: dict[str, Any] = {
        "kendall": taus.mean(),
        "kendall_p": p_value(null.kendall[:, every].mean(axis=1), taus.mean(), exact),
        "sign_error": errors[worst],
        "sign_error_p": p_value(1 - null.error[:, here].max(axis=1), 1 - errors[worst], exact),
        "sign_error_at": f"{grid.names[f]}: {', '.join(levels)}",
    }
    if factor < 0:
        least = int(np.argmin(seen.information[0]))
        given = (grid.names[f] for f in grid.given[least][0])
        row |= {
            "kendall_p_factors": _flipped_p(taus),
            "information": seen.information[0, least],
            "information_given": ", ".join(given),
            "information_p": p_value(
                null.information.min(axis=1), seen.information[0, least], exact
            ),
        }
    low, high = _interval(grid, np.isin(grid.factor, every), agree, options.confidence)
    row |= {"kendall_low": 2 * low - 1, "kendall_high": 2 * high - 1}
    level = 1 - (1 - options.confidence) / len(here)
    bounds = [_interval(grid, grid.environment == code, agree, level) for code in here]
    low, high = (
        max(ends) if np.isfinite(ends).all() else math.nan for ends in zip(*bounds, strict=True)
    )
    row |= {"sign_error_low": low, "sign_error_high": high}
    few = exact and 1 / len(null.kendall) > 1 - options.confidence
    bare = [name for name in ("kendall", "sign_error") if math.isnan(row[f"{name}_low"])]
    note = Note.TOO_FEW_SETTINGS.of(*bare) if bare else ""
    return row | {"note": join(note, Note.TOO_FEW_REARRANGEMENTS if few else "")}


def _flipped_p(taus: Array) -> float:
    """Two-sided p of the mean of taus (factors,) by flipping their signs; missing beyond 15."""
    if 2 ** len(taus) > EXACT_LIMIT:
        return math.nan
    signs = np.array(list(itertools.product((1, -1), repeat=len(taus))))
    return p_value(signs @ taus / len(taus), float(taus.mean()), exact=True)


def _interval(grid: Grid, own: Array, agree: Array, confidence: float) -> tuple[float, float]:
    """Interval of the share of pairs that agree, a tie being half: the mean of the factors' shares.

    `own` (pairs,) are the pairs, `agree` (pairs,) is 1, 0 or -1. Missing below 5 contexts or 10
    pairs.
    """
    design = grid.design
    contexts, pairs = len(np.unique(grid.context[own])), int(own.sum())
    if contexts < CONTEXTS_FROM or pairs < PAIRS_FROM:
        return math.nan, math.nan
    factor = grid.factor[own]
    count = np.bincount(factor)
    share = np.bincount(factor, (1 + agree[own]) / 2) / np.maximum(count, 1)
    mean = share[count > 0].mean()
    parts = ((1 + agree[own]) / 2 - share[factor]) / count[factor] / np.count_nonzero(count)

    first, second = design.first[own], design.second[own]
    variant = design.variant[first]
    settings = design.recipe[np.concatenate([first, second])]
    both, variants = np.tile(parts, 2), np.tile(variant, 2)
    within = settings * (variant.max() + 1) + variants

    def squares(code: Array, values: Array) -> float:
        return float((np.bincount(code, values) ** 2).sum())

    scale = contexts / (contexts - 1)
    by_setting = scale * (squares(settings, both) - squares(grid.duo[own], parts))
    by_variant, number = squares(variant, parts), len(np.unique(variant))
    freedom = contexts - 1
    variance = by_setting
    if number > 1:
        by_variant *= number / (number - 1)
        shared = scale * (squares(within, both) - float(parts @ parts))
        variance = max(by_setting + by_variant - shared, by_setting, by_variant)
        freedom = min(freedom, number - 1)
    # All pairs alike say no more than as many independent ones as there are contexts.
    effective = min(mean * (1 - mean) / variance, pairs) if variance > 1e-15 else contexts
    return _wilson(float(mean), effective, float(stats.t.ppf((1 + confidence) / 2, freedom)))


def _wilson(share: float, number: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval of a share of this number of observations."""
    z = quantile**2 / number
    centre, half = share + z / 2, quantile * math.sqrt((share * (1 - share) + z / 4) / number)
    return max(0.0, (centre - half) / (1 + z)), min(1.0, (centre + half) / (1 + z))
