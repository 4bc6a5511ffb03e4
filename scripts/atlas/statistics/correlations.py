"""The correlations of every scope, metric and quality, with corrected p values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from atlas.statistics.describe import ESTIMATES, describe, scope_obstacle, scope_rows
from atlas.statistics.models import Scope
from atlas.statistics.multiplicity import correct
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import make_sample, sorted_table
from atlas.terms.keys import GROUPING, MEASURE, PARTITION
from atlas.terms.notes import join

CORRELATIONS = [
    *PARTITION,
    *GROUPING,
    *MEASURE,
    *ESTIMATES,
    *["kendall_p_recipes", "kendall_p_holm", "kendall_p_bh", "note"],
]


def correlations(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """One row per scope, metric, quality metric and treatment, with the columns `CORRELATIONS`.

    Verdicts rest on the scopes `families` (a) and `within` (b, c): see `terms.keys.SCOPES`.
    `pooled` takes the models of all families as independent although those of one family resemble
    each other: it is what a scatter plot shows, and no test of a claim about families.

    `kendall_p_holm` corrects the confirmatory tests of a partition: (a), (b) and (c) for each primary
    metric, primary quality, failed fits dropped. All else is exploratory: `kendall_p_bh` corrects
    it over the partition (Benjamini and Hochberg 1995). `kendall_p_recipes` is the `kendall_p` of
    (c) `within`, whose recipes are exchanged in all variants at once.
    """
    rows = scope_rows(
        models,
        options,
        lambda scope, values, key: _correlate(scope, values, options, key),
        options.all_metrics,
    )
    return sorted_table(
        correct(pd.DataFrame(rows), "kendall_p", options).to_dict("records"), CORRELATIONS
    )


def _correlate(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """The estimates of one scope, one metric (n,) and one treatment."""
    sample = make_sample(scope, [values, scope.models["oriented"].to_numpy()], options)
    row = describe(sample, options, key, scope_obstacle(scope, sample))
    if scope.comparison == "c" and sample.centred:
        row["kendall_p_recipes"] = row["kendall_p"]
    return row | {"note": join(row["note"], scope.note)}
