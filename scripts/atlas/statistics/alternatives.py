"""Each alternative of alpha beside alpha, on the same models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.bootstrap import bca_intervals, dense_ranks, fisher_interval
from atlas.statistics.describe import obstacle_to, scope_obstacle
from atlas.statistics.extremes import within_reach
from atlas.statistics.models import Scope, metric_values, prepare, repeated_partitions, scopes_of
from atlas.statistics.options import Options
from atlas.statistics.permutation import rearrangements, recipe_rearrangements
from atlas.statistics.sample import Sample, make_sample, sorted_table
from atlas.statistics.taus import (
    ALPHA,
    KENDALL,
    WIDE,
    Array,
    correct,
    interval_method,
    labelled,
    p_values,
    resampled_taus,
)
from atlas.terms.keys import BCA_FROM, FISHER_FROM, PARTITION
from atlas.terms.notes import Note, join

ALTERNATIVES = (
    *("alpha_median", "alpha_by_size", "alpha_enough", "alpha_inner", "alpha_in_range"),
    *("alpha_depthwise", "alpha_pointwise", "alpha_conv", "alpha_dense", "alpha_other_layers"),
    *("alpha_windows", "hill", "hill_windows"),
    *("alpha_shuffled", "alpha_gaussian", "alpha_over_shuffled"),
)

ALTERNATIVE = [
    *PARTITION,
    *["comparison", "metric", "quality_metric", "n", "units", "groups"],
    *KENDALL,
    *["kendall_p_holm", "kendall_alpha", "difference", "difference_low", "difference_high"],
    *["equal", "interval", "note"],
]


def alternatives(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Each alternative of alpha beside alpha on the same models, columns `ALTERNATIVE`.

    One row per partition, quality metric, comparison (a: all models of the reference recipe, b:
    within all families, c: within all variants) and alternative that has a value; further data
    sets of the same models are left out. The reference is the column alpha, whatever the primary
    metric; values far off all others are moved to a limit (`within_reach`). A negative `difference`
    is an alternative that does better, as the theory expects negative correlations.

    Intervals: BCa from an effective number of 8, and for `kendall` Fisher's z from 5; that of the
    difference is paired, both correlations taken on the same resample. `equal` counts models in
    which the alternative is alpha to 9 digits; where it is so in all, it is no hypothesis of its
    own and does not count in `kendall_p_holm`, which corrects over the alternatives of one
    partition, quality and comparison. In (c) `kendall_p` is the larger of two p values: recipes
    exchanged in each variant on its own, and in all variants at once where each has the same
    recipes (`kendall_p` and `kendall_p_recipes` of `correlations`).
    """
    table = prepare(models)
    repeated = repeated_partitions(table)
    rows: list[dict[str, Any]] = []
    for partition, quality, part in labelled(table, options):
        names = [name for name in ALTERNATIVES if name in part and part[name].notna().any()]
        if partition in repeated or not names:
            continue
        for scope in scopes_of(part, options):
            if scope.key not in WIDE:
                continue
            labels = dict(zip(PARTITION, partition, strict=True))
            labels |= {"comparison": scope.comparison, "quality_metric": quality}
            key = (*partition, *scope.key, quality)  # that of `correlations`: the same resamples
            family = [labels | row for row in _beside_alpha(scope, names, options, key)]
            rows += _holm(family)
    return sorted_table(rows, ALTERNATIVE, "n")


def _holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `kendall_p_holm` over those that differ from alpha in some model."""
    correct([row for row in rows if row["equal"] < row["n"]], "holm")
    return rows


def _beside_alpha(
    scope: Scope, names: Sequence[str], options: Options, key: Sequence[object]
) -> Iterator[dict[str, Any]]:
    """One row of `alternatives` per name; alternatives known for the same models share the work."""
    alpha = within_reach(metric_values(scope.models, ALPHA, "dropped"))
    quality = scope.models["oriented"].to_numpy()
    values = {name: within_reach(metric_values(scope.models, name, "dropped")) for name in names}
    alike: dict[bytes, list[str]] = {}
    for name in names:
        alike.setdefault(np.isfinite(values[name] + alpha).tobytes(), []).append(name)
    for together in alike.values():
        sample = make_sample(scope, [*(values[n] for n in together), alpha, quality], options)
        obstacle = scope_obstacle(scope, sample)
        rows = _differences(sample, options, key, obstacle, scope.comparison == "c")
        for name, row in zip(together, rows, strict=True):
            yield row | {"metric": name, "note": join(row["note"], scope.note)}


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
        row["note"] = obstacle_to(sample, [x, quality]) or obstacle
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
        row["interval"] = interval_method(sample.effective)
        row["note"] = _difference_note(row, sample, bool(np.ptp(alpha)))
        if row["equal"] == row["n"]:
            row |= dict.fromkeys(("difference_low", "difference_high"), math.nan)
            row |= {"difference": 0.0}
    return rows


def _difference_note(row: Mapping[str, Any], sample: Sample, varies: bool) -> str:
    """What a row of `alternatives` lacks, and why."""
    if row["equal"] == row["n"]:
        return Note.EQUAL_TO_ALPHA
    if not varies:
        return Note.ALPHA_CONSTANT
    if sample.effective < BCA_FROM:
        few = sample.effective < FISHER_FROM
        return Note.NO_INTERVAL_SMALL_N if few else Note.NO_DIFFERENCE_INTERVAL
    bare = [name for name in ("kendall", "difference") if math.isnan(row[f"{name}_low"])]
    return Note.RESAMPLES_DO_NOT_VARY.of(*bare) if bare else ""


def _exchange_p(
    sample: Sample,
    xs: Sequence[Array],
    quality: Array,
    options: Options,
    key: Sequence[object],
    recipes: bool,
) -> list[float]:
    """Permutation p of each of k variables (n,) with the quality (n,), as `correlations` has it."""
    ranks = dense_ranks(quality[None, :])[0]
    indices, exact = rearrangements(sample, options.permutations, options.seed_of("p", *key))
    result = p_values(xs, quality, ranks[indices], exact)
    if recipes:
        seed = options.seed_of("recipes", *key)
        drawn = recipe_rearrangements(sample, options.permutations, seed)
        if drawn:
            common = p_values(xs, quality, ranks[drawn[0]], drawn[1])
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
        taus = resampled_taus(smaller, weights)
        return np.hstack([taus[:, :-1], taus[:, :-1] - taus[:, -1:]])

    bounds = bca_intervals(smaller, options, key, statistic)
    return list(zip(bounds[: len(tested)], bounds[len(tested) :], strict=True))
