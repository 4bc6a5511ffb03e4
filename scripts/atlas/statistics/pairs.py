"""Pairs of differently trained models of one variant: does the smaller metric have the better
quality, and what does choosing by it win?

**What is compared.** In comparison (c), every pair of recipes of one variant; pairs never join
two variants. The seeds of a recipe are averaged first, over models that have both metric and
quality, unless `seeds_are_replicates` is false. Where a variant has one recipe only, its models are
what is compared. Models without a recipe's name are each a recipe of their own.

**What depends on what.** A recipe (label noise, say) acts on all variants alike, and a variant's
pairs share their models, so pairs are far from independent. Recipes and variants are crossed
factors, a pair belongs to one variant and two recipes, and intervals and p values treat both as
such. Recipes count as the same wherever they have the same name. Variants count as independent of
each other, also those of one family.

**Intervals** are percentiles of the pigeonhole bootstrap (Owen 2007, Annals of Applied Statistics
1, 386-411): variants and recipes are drawn with replacement, each on their own, and a
pair occurs w_variant w_recipe w_other_recipe times. With a single variant recipes alone are drawn.
They need 5 recipes and 10 pairs. Copies of a recipe are not paired with each other. Drawing both
factors counts the noise of single models more than once, so the intervals err on the wide side.

**p values** exchange the qualities of recipes that the same variants have, in all these variants at
once: what recipes do to variants in common is kept. Where every variant has the same recipes this
exchanges whole recipes; where variants share none it permutes inside each variant. A recipe
whose variants no other recipe has stays where it is. To permute inside each variant although some
recipes are shared would find effects where there are none: in half of simulated studies of 15
variants and 5 recipes, with a single fit missing. Few recipes with the same variants allow few
rearrangements, and then p cannot be small; the note says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from atlas.statistics.models import (
    metric_values,
    partitions,
    prepare,
    repeated_partitions,
    scopes_of,
)
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import PAIR_LIMIT, exchanges, p_value
from atlas.statistics.sample import (
    codes_of,
    exchange_classes,
    same_values,
    sorted_table,
    without_noise,
)
from atlas.terms.keys import MEASURE, PARTITION, SIZE, TREATMENTS
from atlas.terms.notes import Note, join

PAIRS = [
    *PARTITION,
    "family",
    *MEASURE,
    *["pairs", "variants", "recipes"],
    *["concordance", "concordance_low", "concordance_high", "concordance_p"],
    *["gain", "gain_low", "gain_high", "permutations", "exact", "note"],
]

RECIPES_FROM, PAIRS_FROM = 5, 10  # numbers from which an interval is given
BLOCK = 2**21  # numbers of pairs times resamples held at a time


def pairs(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """One row per partition, family, metric, quality metric and treatment, columns `PAIRS`.

    Family "" is all families together. Families in which no variant has two models have no row,
    nor have the collections of untrained controls.

    `concordance`: share of the pairs in which the model with the smaller metric has the better
    quality, ties in either counting half; 0.5 is a coin. `gain`: mean over the pairs of half of
    (quality of the model with the smaller metric - that of the other), 0 where the metric ties: what
    choosing by the metric wins over choosing at random, in units of quality (percentage points
    for accuracy), positive where quality improves. `concordance_p` is two-sided, around 0.5; all
    rearrangements are enumerated where there are at most 8! (`exact`).

    `variants` have a pair, `recipes` are the different ones in these. Where the metric or the
    quality ties in all pairs nothing is estimated.
    """
    rows: list[dict[str, Any]] = []
    prepared = prepare(models)
    repeated = repeated_partitions(prepared)
    for partition, quality, part in partitions(prepared):
        asked = [
            m
            for m in options.all_metrics
            if partition not in repeated or m in (*options.primary_metrics, SIZE)
        ]
        for scope in scopes_of(part, options, partition[0] not in options.controls):
            if (scope.comparison, scope.scope) == ("c", "within"):
                labels = dict(zip(PARTITION, partition, strict=True))
                labels |= {"family": scope.family, "quality_metric": quality}
                rows += _rows(scope.models, asked, labels, options)
    return sorted_table(rows, PAIRS)


def _rows(
    models: pd.DataFrame, metrics: Sequence[str], labels: Mapping[str, str], options: Options
) -> list[dict[str, Any]]:
    """A row per metric and treatment; the second treatment repeats the first if it has its values.

    Metrics that the same models have go together: they share pairs, resamples and rearrangements.
    """
    values: dict[tuple[str, str], Array] = {}
    for metric in metrics:
        dropped, stored = (metric_values(models, metric, treatment) for treatment in TREATMENTS)
        values[metric, "dropped"] = dropped
        if not same_values(dropped, stored):
            values[metric, "stored"] = stored
    quality = models["oriented"].to_numpy(float)
    together: dict[bytes, list[tuple[str, str]]] = {}
    for name, column in values.items():
        complete = np.isfinite(column) & np.isfinite(quality)
        together.setdefault(complete.tobytes(), []).append(name)

    estimates: dict[tuple[str, str], dict[str, Any]] = {}
    for mask, names in together.items():
        complete = np.frombuffer(mask, dtype=bool)
        design = make_design(models[complete], options)
        data = np.array([values[name] for name in names])[:, complete]
        found = compare(design, data, quality[complete], options, tuple(labels.values()))
        estimates |= dict(zip(names, found, strict=True))
    return [
        {**labels, "metric": metric, "treatment": treatment}
        | estimates.get((metric, treatment), estimates[metric, "dropped"])
        for metric in metrics
        for treatment in TREATMENTS
    ]


@dataclass(frozen=True)
class Design:
    """Which models are averaged to one unit, and which units are compared.

    `kept` (models,) is False for models without a partner; `member` (kept models,) is each one's
    unit as a code; `variant` and `recipe` (n,) are codes of the units' variant and recipe; pair p
    compares the units `first[p]` and `second[p]`.
    """

    kept: Array
    member: Array
    variant: Array
    recipe: Array
    first: Array
    second: Array

    def average(self, values: Array) -> Array:
        """Means (n,) over the models (models,) of each unit."""
        means = np.bincount(self.member, values[self.kept]) / np.bincount(self.member)
        return without_noise(means, means)


def make_design(models: pd.DataFrame, options: Options) -> Design:
    """The units and pairs of models (prepared rows, each complete, with a variant)."""
    variant = codes_of(models["family"] + "\x1f" + models["variant"])
    model = models["model"].to_numpy(object)
    unit = models["unit"].to_numpy(object).copy() if options.seeds_are_replicates else model.copy()
    recipe = models["recipe"].to_numpy(object).copy()
    kept = np.zeros(len(models), dtype=bool)
    for code in np.unique(variant):
        here = variant == code
        if len(set(unit[here])) == 1:
            unit[here] = model[here]
        if len(set(recipe[here])) == 1:
            recipe[here] = ""
        kept[here] = len(set(unit[here])) > 1
    own = recipe == ""
    recipe[own], recipe[~own] = "unit\x1f" + unit[own], "recipe\x1f" + recipe[~own]

    member, variant, recipe = (codes_of(labels[kept]) for labels in (unit, variant, recipe))
    one = np.unique(member, return_index=True)[1]  # a model of each unit
    blocks = [np.flatnonzero(variant[one] == code) for code in np.unique(variant)]
    pairs = [block[np.array(np.triu_indices(len(block), 1))] for block in blocks]
    first, second = np.concatenate([np.empty((2, 0), np.intp), *pairs], axis=1)
    return Design(kept, member, variant[one], recipe[one], first, second)


def compare(
    design: Design, metrics: Array, quality: Array, options: Options, key: Sequence[object]
) -> list[dict[str, Any]]:
    """The estimates of each metric (k, models) against one quality (models,), and a note."""
    row: dict[str, Any] = dict.fromkeys(PAIRS[PAIRS.index("concordance") :], math.nan)
    row |= {
        "pairs": len(design.first),
        "variants": len(np.unique(design.variant)),
        "recipes": len(np.unique(design.recipe)),
        "permutations": 0,
        "exact": False,
    }
    if not row["pairs"]:
        note = Note.NO_TWO_RECIPES if len(quality) else Note.NO_VALUES
        return [row | {"note": note}] * len(metrics)

    y = design.average(quality)
    gap = y[design.first] - y[design.second]
    x = np.array([design.average(values) for values in metrics])
    smaller = np.sign(x[:, design.second] - x[:, design.first])  # 1: the first has the smaller
    same = "" if gap.any() else Note.QUALITY_CONSTANT_WITHIN_VARIANTS
    obstacles = [
        join("" if s.any() else Note.METRIC_CONSTANT_WITHIN_VARIANTS, same) for s in smaller
    ]
    usable = [index for index, obstacle in enumerate(obstacles) if not obstacle]
    rows = [row | {"note": obstacle} for obstacle in obstacles]
    if usable:
        found = _estimates(design, smaller[usable], y, options, key)
        for index, estimates in zip(usable, found, strict=True):
            rows[index] = row | estimates
    return rows


def _estimates(
    design: Design, smaller: Array, y: Array, options: Options, key: Sequence[object]
) -> list[dict[str, Any]]:
    """Estimates of metrics that differ in some pair: `smaller` (k, pairs) is 1 where the pair's
    first unit has the smaller metric, -1 where the second has; `y` (n,) is the quality."""
    gap = y[design.first] - y[design.second]
    agree = smaller * np.sign(gap)
    concordance, gain = (1 + agree) / 2, smaller * gap / 2
    count = options.permutations
    indices, exact = recipe_exchanges(design, count, options.seed_of("pairs p", *key))
    null = _null(design, smaller, y, indices)
    rows: list[dict[str, Any]] = [
        {
            "concordance": c.mean(),
            "gain": g.mean(),
            "concordance_p": p_value(n, a.sum(), exact),
            "permutations": len(indices),
            "exact": exact,
        }
        for c, g, n, a in zip(concordance, gain, null, agree, strict=True)
    ]
    few = exact and 1 / len(indices) > 1 - options.confidence
    note = Note.TOO_FEW_REARRANGEMENTS if few else ""
    if len(design.first) < PAIRS_FROM or len(np.unique(design.recipe)) < RECIPES_FROM:
        note = join(Note.TOO_FEW_PAIRS, note)
        return [row | {"note": note} for row in rows]

    statistics = np.vstack([concordance, gain])
    seed = options.seed_of("pairs bootstrap", *key)
    bounds = _percentiles(
        pigeonhole(design, statistics, options.bootstrap, seed), options.confidence
    )
    for index, row in enumerate(rows):
        bare = []
        for name, (low, high) in zip(
            ("concordance", "gain"), bounds[index :: len(rows)], strict=True
        ):
            row |= {f"{name}_low": low, f"{name}_high": high}
            bare += [name] if math.isnan(low) else []
        reason = Note.RESAMPLES_DO_NOT_VARY.of(*bare) if bare else ""
        row["note"] = join(reason, note)
    return rows


def pigeonhole(design: Design, statistics: Array, count: int, seed: int) -> Array:
    """Means (q, m) over the pairs of statistics (q, pairs) in each of the resamples.

    Missing (NaN) in a resample without a pair.
    """
    rng = np.random.default_rng(seed)
    variant, recipe, first, second = design.variant, design.recipe, design.first, design.second

    def drawn(levels: int) -> Array:
        return rng.multinomial(levels, np.full(levels, 1 / levels), size=count).astype(float)

    recipes, variants = drawn(recipe.max() + 1), drawn(variant.max() + 1)
    result = np.empty((len(statistics), count))
    step = max(1, BLOCK // len(first))
    for start in range(0, count, step):
        rows = slice(start, start + step)
        weights = variants[rows, variant[first]] * recipes[rows, recipe[first]]
        weights *= recipes[rows, recipe[second]]
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore"):
            result[:, rows] = statistics @ weights.T / total
    return result


def _percentiles(resamples: Array, confidence: float) -> list[tuple[float, float]]:
    """Percentile intervals of statistics (q, m); missing where fewer than half of the resamples
    are defined or all are equal."""
    tail = (1 - confidence) / 2
    bounds = []
    for values in resamples:
        defined = values[np.isfinite(values)]
        if 2 * len(defined) < max(len(values), 2) or np.ptp(defined) < 1e-12:
            bounds.append((math.nan, math.nan))
        else:
            low, high = np.quantile(defined, [tail, 1 - tail])
            bounds.append((float(low), float(high)))
    return bounds


def recipe_exchanges(design: Design, count: int, seed: int) -> tuple[Array, bool]:
    """Indices (m, n) of units whose recipes are exchanged, and whether these are all there are.

    Recipes are exchanged with each other if they have equally many units in the same variants, and
    in all these variants at once. Else as `permutation.rearrangements`.
    """
    classes = exchange_classes(design.variant, design.recipe)
    limit = PAIR_LIMIT // len(design.first)
    return exchanges(classes, len(design.variant), count, seed, limit)


def _null(design: Design, smaller: Array, y: Array, indices: Array) -> Array:
    """Concordant less discordant pairs (k, m) of each metric with y[indices]: integers."""
    ranks = np.unique(y, return_inverse=True)[1].astype(np.int32)
    signs = smaller.astype(np.float32)  # exact up to 2^24 pairs
    result = np.empty((len(smaller), len(indices)))
    step = max(1, BLOCK // len(design.first))
    for start in range(0, len(indices), step):
        shuffled = ranks[indices[start : start + step]]
        gap = np.sign(shuffled[:, design.first] - shuffled[:, design.second])
        result[:, start : start + step] = signs @ gap.T.astype(np.float32)
    return result
