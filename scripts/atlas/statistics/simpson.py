"""Pooled correlation against that inside families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from atlas.statistics.describe import by_treatment, obstacle_to
from atlas.statistics.models import partitions, prepare, reference_models
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import codes_of, group_means, plain_sample, sorted_table
from atlas.statistics.weighted import ratio, weighted_tau
from atlas.terms.keys import MEASURE, PARTITION
from atlas.terms.notes import Note, join

SIMPSON = [
    *PARTITION,
    *MEASURE,
    *["n", "units", "families", "families_within", "kendall_pooled", "kendall_within"],
    *["difference", "difference_low", "difference_high", "claimed", "reversed", "note"],
]


def simpson(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Pooled against within: Kendall's tau over all models less its mean within families.

    Columns `SIMPSON`. The interval of the difference comes from a two-stage bootstrap (families,
    then units inside each; Davison and Hinkley 1997, section 3.8), percentile. `claimed`: it
    excludes zero. `reversed`: claimed, and the two have opposite signs (Simpson's paradox
    proper). Families without a tau of their own (fewer than 3 units, constant) count for the
    pooled value only. Few families make such an interval too narrow: under 5 it is left out.
    """
    rows: list[dict[str, Any]] = []
    for partition, quality, part in partitions(prepare(models)):
        reference, note = reference_models(part, options)
        for metric in options.all_metrics:
            labels = dict(zip(PARTITION, partition, strict=True))
            labels |= {"quality_metric": quality}

            def make(
                values: Array,
                key: Sequence[object],
                reference: pd.DataFrame = reference,
                note: str = note,
            ) -> dict[str, Any]:
                row = _paradox(reference, values, options, key)
                return row | {"note": join(row["note"], note)}

            rows += by_treatment(reference, metric, labels, make)
    return sorted_table(rows, SIMPSON)


def _paradox(
    models: pd.DataFrame, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """One row of `simpson`."""
    by = ["family", "unit" if options.seeds_are_replicates else "model"]
    units = group_means(models, by, {"x": values, "y": models["oriented"]})
    sample = plain_sample(units)
    family = codes_of(units["family"].to_numpy(object))
    row: dict[str, Any] = {
        "n": int((np.isfinite(values) & models["oriented"].notna()).sum()),
        "units": sample.n,
        "families": len(np.unique(family)),
        "families_within": 0,
        "claimed": False,
        "reversed": False,
    }
    data = sample.centre()
    obstacle = obstacle_to(sample, data)
    if not obstacle and row["families"] < 2:
        obstacle = Note.ONE_FAMILY
    if obstacle:
        return row | {"note": obstacle}

    def tau(weights: Array, members: Array) -> Array:
        x, y = data[:, members]
        return weighted_tau(x[None, :], y[None, :], weights)

    everyone = np.arange(sample.n)
    members = [np.flatnonzero(family == code) for code in range(row["families"])]
    large = [m for m in members if len(m) >= 3]
    own = np.array([tau(np.ones((1, len(m))), m)[0] for m in large])
    row["families_within"] = int(np.isfinite(own).sum())
    row["kendall_pooled"] = float(tau(np.ones((1, sample.n)), everyone)[0])
    if row["families_within"] == 0:
        return row | {"note": Note.NO_FAMILY_CORRELATION}
    row["kendall_within"] = float(np.nanmean(own))
    row["difference"] = row["kendall_pooled"] - row["kendall_within"]
    if row["families_within"] < 5:
        return row | {"note": Note.TOO_FEW_FAMILY_CORRELATIONS}

    rng, count = np.random.default_rng(options.seed_of("simpson", *key)), options.bootstrap
    drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=count)
    pooled, total, defined = np.zeros((count, sample.n)), np.zeros(count), np.zeros(count)
    for index, chosen in enumerate(members):
        resample = np.repeat(np.arange(count), drawn[:, index])
        number = len(chosen)
        weights = rng.multinomial(number, np.full(number, 1 / number), size=len(resample))
        for column, model in enumerate(chosen):
            pooled[:, model] = np.bincount(resample, weights[:, column], minlength=count)
        if number >= 3:
            value = tau(weights.astype(float), chosen)
            known = np.isfinite(value)
            total += np.bincount(resample[known], value[known], minlength=count)
            defined += np.bincount(resample[known], minlength=count)
    difference = tau(pooled, everyone) - ratio(total, defined)
    difference = difference[np.isfinite(difference)]
    if 2 * len(difference) < count:
        return row | {"note": Note.TOO_FEW_RESAMPLES}
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(difference, [tail, 1 - tail])
    claimed = bool(low > 0 or high < 0)
    opposite = row["kendall_pooled"] * row["kendall_within"] < 0
    row |= {"difference_low": low, "difference_high": high, "claimed": claimed}
    return row | {"reversed": claimed and opposite, "note": ""}
