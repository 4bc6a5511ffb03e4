"""The correlations of every scope, metric and quality, with corrected p values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from atlas.statistics.describe import ESTIMATES, describe, scope_obstacle, scope_rows
from atlas.statistics.models import Scope
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import kendall_sums, p_value, recipe_rearrangements
from atlas.statistics.sample import make_sample, sorted_table
from atlas.tables.parts import primary_quality
from atlas.terms.keys import GROUPING, MEASURE, PARTITION, SIZE
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

    `pooled` takes variants as the units although variants of one family resemble each other:
    what it says holds for these families, and `between_families` has the family as its unit.
    Likewise `kendall_p` and the intervals of (c) take the recipes of each variant on their own;
    `kendall_p_recipes`, in (c) `within`, exchanges the recipes of all variants at once, as one
    must to speak about recipes in general. `kendall_p_holm` corrects across families for the
    primary metric and quality, `kendall_p_bh` across all other rows of the partition (Benjamini
    and Hochberg).
    """
    rows = scope_rows(
        models,
        options,
        lambda scope, values, key: _correlate(scope, values, options, key),
        options.all_metrics,
    )
    return sorted_table(_adjust(rows, options), CORRELATIONS)


def _correlate(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """The estimates of one scope, one metric (n,) and one treatment."""
    quality = scope.models["oriented"].to_numpy()
    sample = make_sample(scope, [values, quality], options)
    row = describe(sample, options, key, scope_obstacle(scope, sample))
    if scope.comparison == "c" and sample.centred and math.isfinite(row["kendall"]):
        drawn = recipe_rearrangements(
            sample, options.permutations, options.seed_of("recipes", *key)
        )
        if drawn:
            x, y = sample.centre()
            observed = kendall_sums(x, y, np.arange(sample.n)[None, :])[0]
            row["kendall_p_recipes"] = p_value(kendall_sums(x, y, drawn[0]), observed, drawn[1])
    return row | {"note": join(row["note"], scope.note)}


def _adjust(rows: list[dict[str, Any]], options: Options) -> list[dict[str, Any]]:
    """The rows with `kendall_p_holm` and `kendall_p_bh`.

    The size-only baseline is no hypothesis of ours and enters neither; a row that repeats
    another takes its value and is not counted again.
    """
    table = pd.DataFrame(rows)
    if table.empty:
        return rows
    table["kendall_p_holm"] = table["kendall_p_bh"] = np.nan
    if "copy" not in table:
        table["copy"] = False
    copied = table["copy"].fillna(False).astype(bool)
    tested = table["kendall_p"].notna() & (table["metric"] != SIZE) & ~copied
    primary = pd.Series(False, index=table.index)
    for _, part in table.groupby(PARTITION):
        quality = primary_quality(part["quality_metric"], options.primary_quality)
        primary[part.index] = (
            (part["scope"] == "family")
            & (part["metric"] == options.primary_metric)
            & (part["quality_metric"] == quality)
            & (part["treatment"] == "dropped")
        )
    for column, method, chosen, by in (
        ("kendall_p_holm", "holm", tested & primary, [*PARTITION, "comparison"]),
        ("kendall_p_bh", "fdr_bh", tested & ~primary, PARTITION),
    ):
        for _, part in table[chosen].groupby(by):
            table.loc[part.index, column] = multipletests(part["kendall_p"], method=method)[1]
        # A repeated row stands right after the one that it repeats.
        table[column] = table[column].where(~copied, table[column].shift())
    return table.to_dict("records")
