"""One sample's estimates, and the rows of all scopes, metrics and treatments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.intervals import fisher_intervals
from atlas.statistics.models import (
    Scope,
    metric_values,
    partitions,
    prepare,
    repeated_partitions,
    scopes_of,
)
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import permutation_p, rearrangements
from atlas.statistics.power import detectable
from atlas.statistics.sample import Sample, same_values
from atlas.statistics.weighted import weighted_correlations
from atlas.terms.keys import GROUPING, INTERVAL_FROM, PARTITION, POWER, SIZE, TREATMENTS
from atlas.terms.notes import Note, join

KINDS = ("kendall", "spearman", "pearson")

ESTIMATES = [
    *["n", "units", "groups", "missing"],
    *[f"{kind}{part}" for kind in KINDS for part in ("", "_low", "_high", "_p")],
    *["slope", "intercept", "theil_sen", "r2", "rmse", "detectable_pearson"],
    *["interval", "permutations", "exact"],
]


def obstacle_to(
    sample: Sample,
    values: Array,
    constants: Sequence[Note] = (Note.METRIC_CONSTANT, Note.QUALITY_CONSTANT),
) -> str:
    """Why nothing can be computed, or ""; `constants` say that the first, second ... is constant."""
    if sample.n == 0:
        return Note.NO_VALUES
    if sample.effective < 3:
        return Note.TOO_FEW_MODELS if sample.models < 3 else Note.TOO_FEW_UNITS
    return join(*(note for note, v in zip(constants, values, strict=True) if np.ptp(v) == 0))


def scope_obstacle(scope: Scope, sample: Sample) -> str:
    """Why a scope's groups cannot be put together, or ""."""
    if sample.centred and sample.strata < 2:
        return Note.TOO_FEW_GROUPS
    if scope.comparison == "a" and scope.models["family"].nunique() < 2:
        return Note.ONE_FAMILY
    if scope.scope == "families" and sample.n < 3:
        return Note.TOO_FEW_FAMILIES
    return ""


def describe(
    sample: Sample, options: Options, key: Sequence[object], obstacle: str = ""
) -> dict[str, Any]:
    """Every estimate of `ESTIMATES` for a sample of two variables (metric, quality), and a note.

    Where there is an obstacle (given, too few observations, a constant variable) the counts
    stand and the estimates are missing.

    `n` counts models, `units` what is averaged over them. Correlations of units with permutation p
    and interval (`intervals.fisher_intervals`) from 5 of them. OLS of quality on metric: slope in
    percent per unit of the metric, rmse (root of the mean squared residual, divisor n) in percent.
    `detectable_pearson` is the smallest |r| that the confirmatory tests would find with a
    probability of 80 % (`power.detectable`); missing where they could find none.
    """
    row: dict[str, Any] = dict.fromkeys(ESTIMATES, math.nan)
    row |= {
        "n": sample.models,
        "units": sample.n,
        "groups": sample.strata,
        "missing": sample.missing,
        "interval": "",
        "permutations": 0,
        "exact": False,
    }
    values = sample.centre()
    obstacle = (obstacle if sample.n else "") or obstacle_to(sample, values)
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
    row["detectable_pearson"] = detectable(sample.effective, options.confirmatory_level, POWER)
    if sample.effective < INTERVAL_FROM:
        return row | {"note": Note.NO_INTERVAL_SMALL_N}
    row["interval"] = "fisher-z"
    bounds = fisher_intervals(
        sample,
        KINDS,
        [row[kind] for kind in KINDS],
        lambda weights: weighted_correlations(sample, weights)[:, :, 0],
        options.confidence,
    )
    for kind, (low, high) in zip(KINDS, bounds, strict=True):
        row |= {f"{kind}_low": low, f"{kind}_high": high}
    bare = [kind for kind, (low, _) in zip(KINDS, bounds, strict=True) if math.isnan(low)]
    return row | {"note": Note.PERFECT_CORRELATION.of(*bare) if bare else ""}


def by_treatment(
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
    if same_values(stored, dropped):
        yield first | {"treatment": "stored", "copy": True}
    else:
        yield {**labels, "treatment": "stored"} | make(stored, key)


def scope_rows(
    models: pd.DataFrame,
    options: Options,
    make: Callable[[Scope, Array, Sequence[object]], dict[str, Any]],
    metrics: Sequence[str],
) -> list[dict[str, Any]]:
    """A row per partition, scope, metric and treatment: its labels and what `make` gives."""
    rows: list[dict[str, Any]] = []
    prepared = prepare(models)
    repeated = repeated_partitions(prepared)
    for partition, quality, part in partitions(prepared):
        asked = [
            m for m in metrics if partition not in repeated or m in (*options.primary_metrics, SIZE)
        ]
        for scope in scopes_of(part, options, partition[0] not in options.controls):
            for metric in asked:
                labels = dict(zip([*PARTITION, *GROUPING], [*partition, *scope.key], strict=True))
                labels |= {"quality_metric": quality}
                rows += by_treatment(
                    scope.models,
                    metric,
                    labels,
                    lambda values, key, scope=scope: make(scope, values, key),
                )
    return rows
