"""Comparison (a) with the family as the unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from atlas.statistics.describe import ESTIMATES, by_treatment, describe
from atlas.statistics.models import partitions, prepare, reference_models
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import group_means, plain_sample, sorted_table
from atlas.terms.keys import MEASURE, PARTITION
from atlas.terms.notes import join

BETWEEN = [*PARTITION, *MEASURE, *ESTIMATES, "note"]


def between_families(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Correlation of the families' means, one row per metric, quality metric and treatment.

    Comparison (a) with the family as the unit: `n` counts families. A family's mean is over its
    models of the reference recipe that have both values. Columns `BETWEEN`.
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
                means = group_means(
                    reference, ["family"], {"x": values, "y": reference["oriented"]}
                )
                row = describe(plain_sample(means), options, ("between", *key))
                return row | {"note": join(row["note"], note)}

            rows += by_treatment(reference, metric, labels, make)
    return sorted_table(rows, BETWEEN)
