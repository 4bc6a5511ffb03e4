"""What a metric says beyond size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.bootstrap import bca_intervals, ratio, weighted_correlations
from atlas.statistics.describe import obstacle_to, scope_rows
from atlas.statistics.models import Scope
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import p_value, rearrangements
from atlas.statistics.sample import make_sample, sorted_table
from atlas.terms.keys import BCA_FROM, GROUPING, MEASURE, PARTITION, SIZE
from atlas.terms.notes import Note, join

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
    rows = scope_rows(
        models,
        options,
        lambda scope, values, key: _beyond_size(scope, values, options, key),
        [metric for metric in options.all_metrics if metric != SIZE],
    )
    return sorted_table(rows, BASELINES)


def _partial(correlation: Array) -> Array:
    """Partial correlation (...) of the first two of three variables given the third.

    `correlation` (..., 3) holds r_xy, r_xz, r_yz.
    """
    xy, xz, yz = np.moveaxis(np.asarray(correlation), -1, 0)
    left = np.maximum((1 - xz**2) * (1 - yz**2), 0)  # rounding makes r of 1 + 1e-16
    return np.clip(ratio(xy - xz * yz, np.sqrt(left)), -1, 1)


def _beyond_size(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """One row of `baselines`."""
    three = [values, scope.models["oriented"].to_numpy(), scope.models[SIZE].to_numpy()]
    sample = make_sample(scope, three, options)
    centred = sample.centre()
    row: dict[str, Any] = {"n": sample.n, "units": sample.units, "groups": sample.strata}
    note = obstacle_to(sample, centred[:2])
    if sample.centred and sample.strata < 2:
        note = note or Note.TOO_FEW_GROUPS
    if not note and np.ptp(centred[2]) == 0:
        note = Note.SIZE_CONSTANT
    if not note and sample.effective < 4:
        note = Note.TOO_FEW_UNITS_FOR_PARTIAL
    if note:
        return row | {"note": join(note, scope.note)}

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
        return row | {"note": join(Note.FUNCTION_OF_SIZE, scope.note)}
    ordered = math.isnan(row["partial_kendall"])  # size orders one of the two perfectly
    note = Note.ORDERED_BY_SIZE if ordered else ""

    indices, exact = rearrangements(sample, options.permutations, options.seed_of("partial", *key))
    row["partial_pearson_p"] = _partial_p(*centred, indices, exact)
    if sample.effective >= BCA_FROM:
        for column, (low, high) in zip(
            columns, bca_intervals(sample, options, key, statistic), strict=True
        ):
            row |= {f"{column}_low": low, f"{column}_high": high}
    return row | {"note": join(note, scope.note)}


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
