"""The one plan for multiple tests: few confirmatory ones, all else exploratory."""

from __future__ import annotations

import pandas as pd
from statsmodels.stats.multitest import multipletests

from atlas.statistics.options import Options
from atlas.tables.parts import primary_quality
from atlas.terms.keys import PARTITION, SCOPES, SIZE


def correct(table: pd.DataFrame, name: str, options: Options) -> pd.DataFrame:
    """A table of scopes with `<name>_holm` and `<name>_bh` from its p values in the column `name`.

    Confirmatory are the questions (a), (b) and (c) for each primary metric and the primary quality,
    failed fits dropped: Holm (1979, Scandinavian Journal of Statistics 6) over those of a partition.
    All else is exploratory: Benjamini and Hochberg (1995, Journal of the Royal Statistical Society B
    57) over the partition. The size-only baseline is no hypothesis of ours and enters neither; a row
    that repeats another (`copy`) takes its value and is not counted again.
    """
    if table.empty:
        return table
    if name not in table:  # nothing could be tested
        table = table.assign(**{name: float("nan")})
    table = table.assign(**{f"{name}_{end}": float("nan") for end in ("holm", "bh")})
    copied = table["copy"].eq(True) if "copy" in table else pd.Series(False, index=table.index)
    tested = table[name].notna() & (table["metric"] != SIZE) & ~copied
    primary = _confirmatory(table[tested], options).reindex(table.index, fill_value=False)
    for end, method, chosen in (("holm", "holm", primary), ("bh", "fdr_bh", tested & ~primary)):
        column = f"{name}_{end}"
        for _, part in table[chosen].groupby(PARTITION):
            table.loc[part.index, column] = multipletests(part[name], method=method)[1]
        # A repeated row stands right after the one that it repeats.
        table[column] = table[column].where(~copied, table[column].shift())
    return table


def _confirmatory(tested: pd.DataFrame, options: Options) -> pd.Series:
    """Which rows that have a p answer a question for a primary metric and quality.

    Where a comparison has one group, there is no row of all groups together, and its own answers.
    """
    chosen = pd.Series(False, index=tested.index)
    usual = tested[
        tested["metric"].isin(options.primary_metrics) & (tested["treatment"] == "dropped")
    ]
    for _, part in usual.groupby(PARTITION):
        quality = primary_quality(part["quality_metric"], options.primary_quality)
        own = part[part["quality_metric"] == quality]
        for (comparison, _), rows in own.groupby(["comparison", "metric"]):
            wide = rows[(rows["scope"] == SCOPES[comparison]) & (rows["family"] == "")]
            if wide.empty and comparison != "a":
                wide = rows[rows["scope"] == "family"]
            if len(wide) == 1:
                chosen[wide.index] = True
    return chosen
