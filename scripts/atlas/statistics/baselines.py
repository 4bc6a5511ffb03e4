"""What a metric says beyond size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.bootstrap import ratio, weighted_correlations
from atlas.statistics.describe import obstacle_to, scope_obstacle, scope_rows
from atlas.statistics.intervals import fisher_intervals
from atlas.statistics.models import Scope
from atlas.statistics.multiplicity import correct
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import p_value, rearrangements
from atlas.statistics.sample import Sample, codes_of, make_sample, sorted_table
from atlas.terms.keys import GROUPING, MEASURE, PARTITION, SIZE
from atlas.terms.notes import Note, join

BASELINES = [
    *PARTITION,
    *GROUPING,
    *MEASURE,
    *["n", "units", "groups", "kendall", "kendall_size", "kendall_metric_size"],
    *["partial", "partial_low", "partial_high"],
    *["partial_p", "partial_p_holm", "partial_p_bh"],
    *["r2_size", "r2_both", "added_r2", "note"],
]


def baselines(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """What a metric says beyond size, log10(parameters): one row per row of `correlations`.

    `kendall_size` correlates the quality with size, `kendall_metric_size` the metric with size.
    `partial` is the partial correlation of metric and quality given size, of the normal scores of
    their ranks (van der Waerden; with centred values where the scope has groups). It is 0 where the
    two are independent given size and any monotone transformations of the three are jointly normal
    (Liu, Lafferty and Wasserman 2009, Journal of Machine Learning Research 10), in contrast to the
    partial Kendall's tau, which is not 0 then (Korn 1984, Biometrika 71): at correlations of 0.71
    with size its interval excludes 0 in half of such studies of 100 models. Interval: Fisher's z as
    in `correlations`; p: permutation of residuals (Freedman and Lane 1983, Journal of Business and
    Economic Statistics 1). `added_r2` is what R2 gains when the metric joins size in an OLS
    regression; it cannot be negative, so it is no test. Columns `BASELINES`.
    """
    rows = scope_rows(
        models,
        options,
        lambda scope, values, key: _beyond_size(scope, values, options, key),
        [metric for metric in options.all_metrics if metric != SIZE],
    )
    table = correct(pd.DataFrame(rows), "partial_p", options)
    return sorted_table(table.to_dict("records"), BASELINES)


def _beyond_size(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """One row of `baselines`."""
    three = [values, scope.models["oriented"].to_numpy(), scope.models[SIZE].to_numpy()]
    sample = make_sample(scope, three, options)
    centred = sample.centre()
    row: dict[str, Any] = {"n": sample.models, "units": sample.n, "groups": sample.strata}
    row["partial_p"] = math.nan  # a table without any p is corrected, too
    note = obstacle_to(sample, centred[:2]) or scope_obstacle(scope, sample)
    if not note and np.ptp(centred[2]) == 0:
        note = Note.SIZE_CONSTANT
    if not note and sample.effective < 4:
        note = Note.TOO_FEW_UNITS_FOR_PARTIAL
    if note:
        return row | {"note": join(note, scope.note)}

    pairs = ((0, 1), (0, 2), (1, 2))
    taus, _, pearsons = weighted_correlations(sample, np.ones((1, sample.n)), pairs)[0]
    row |= dict(zip(("kendall", "kendall_metric_size", "kendall_size"), taus, strict=True))
    xy, xz, yz = pearsons
    row["r2_size"] = yz**2
    if xz**2 < 1 - 1e-9:
        row["added_r2"] = (xy - xz * yz) ** 2 / (1 - xz**2)
        row["r2_both"] = row["r2_size"] + row["added_r2"]
    row["partial"] = _partial(normal_scores(sample))
    if math.isnan(row["partial"]):
        return row | {"note": join(Note.ORDERED_BY_SIZE, scope.note)}

    indices, exact = rearrangements(sample, options.permutations, options.seed_of("partial", *key))
    row["partial_p"] = _partial_p(*normal_scores(sample), indices, exact)

    def statistic(weights: Array) -> Array:
        return np.array([[_partial(normal_scores(_without(sample, w == 0)))] for w in weights])

    row["partial_low"], row["partial_high"] = fisher_intervals(
        sample, ["pearson"], [row["partial"]], statistic, options.confidence, fixed=1
    )[0]
    return row | {"note": scope.note}


def _without(sample: Sample, outside: Array) -> Sample:
    """A sample without some of its units (n,)."""
    kept = ~outside
    return dataclasses.replace(
        sample, values=sample.values[:, kept], stratum=codes_of(sample.stratum[kept])
    )


def normal_scores(sample: Sample) -> Array:
    """The normal scores (v, n) of the ranks of a sample's values, centred where it asks for it."""
    ranks = stats.rankdata(sample.centre(), axis=1)
    return stats.norm.ppf(ranks / (sample.n + 1))


def _partial(values: Array) -> float:
    """Partial correlation of the first two of three variables (3, n) given the third.

    Missing where one of them is constant or a function of the third.
    """
    if (np.ptp(values, axis=1) == 0).any():
        return math.nan
    (_, xy, xz), (_, _, yz), _ = np.corrcoef(values)
    left = max((1 - xz**2) * (1 - yz**2), 0.0)  # rounding makes r of 1 + 1e-16
    return float(np.clip(ratio(np.array(xy - xz * yz), np.sqrt(left)), -1, 1))


def _partial_p(x: Array, y: Array, size: Array, indices: Array, exact: bool) -> float:
    """p of the partial correlation of x and y given size (each (n,)), after Freedman and Lane.

    The residuals of y are rearranged, and taken to be residuals of size again.
    """
    size = stats.zscore(size) / math.sqrt(len(size))
    x, y = (v - v.mean() - size * (size @ v) for v in (x, y))
    shuffled = y[indices]
    left = y @ y - (shuffled @ size) ** 2
    null = ratio(shuffled @ x, np.sqrt(np.maximum(left, 0) * (x @ x)))
    return p_value(np.nan_to_num(null), float(x @ y / math.sqrt((x @ x) * (y @ y))), exact)
