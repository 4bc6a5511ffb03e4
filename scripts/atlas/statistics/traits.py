"""What could explain, family by family."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from atlas.statistics.extremes import within_reach
from atlas.statistics.models import metric_values, prepare, reference_models
from atlas.statistics.options import Options
from atlas.statistics.sample import sorted_table, without_noise
from atlas.statistics.taus import labelled
from atlas.terms.keys import PARTITION
from atlas.terms.traits import NUMBERS

SPREADS = {"metric_sd": "metric", "quality_sd": "oriented"}
"""Traits that are spreads between models, and of which column."""

TRAITS_TABLE = [
    *PARTITION,
    *["quality_metric", "family", "n", "units", "kendall_b", "kendall_c"],
    *NUMBERS,
    *["recipes", "datasets"],
]


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    """A prepared table with `named`: the variant, or the model where it has none."""
    return table.assign(named=table["variant"].where(table["variant"] != "", table["model"]))


def with_candidates(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """The prepared table with all candidates of a model, `metric` and `complete`.

    `complete`: the primary metric and the quality are known. What lies far off all others of a
    partition is moved to a limit (`within_reach`).
    """
    table = with_names(prepare(models))
    table["metric"] = metric_values(table, options.primary_metric, "dropped")
    table["complete"] = table["metric"].notna() & table["oriented"].notna()
    table["outside_share"] = 1 - metric_values(table, "alpha_2_to_6", "dropped")
    for name in NUMBERS:
        if name not in table:
            table[name] = np.nan
    measured = ["metric", *(name for name in NUMBERS if name not in SPREADS)]
    if len(table):
        parts = table.groupby(PARTITION, sort=False)[measured]
        table[measured] = parts.transform(lambda column: within_reach(column.to_numpy(float)))
    if not options.seeds_are_replicates:
        table["unit"] = table["model"]
    return table


def averages_of(models: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Per group: means of the candidates over the models that have them, and the most frequent
    recipe of the models compared (the first by name of several)."""
    numbers = [name for name in NUMBERS if name not in SPREADS]
    table = models.groupby(by, sort=True)[numbers].mean()
    compared = models[models["complete"]]
    recipes = compared.groupby([*by, "recipe"], sort=True).size().reset_index(name="count")
    first = recipes.sort_values([*by, "count"], ascending=[*[True] * len(by), False], kind="stable")
    table["recipe"] = first.drop_duplicates(by).set_index(by)["recipe"]
    return table


def spreads_of(models: pd.DataFrame, by: list[str], inside: list[str]) -> pd.DataFrame:
    """Per group `by`: SD of metric and quality between the models that are compared in it.

    Around the means of the groups `inside`; divisor: models less these groups. Missing where that
    is 0.
    """
    models = models[models["complete"]]
    groups = models.groupby(by, sort=True)
    freedom = groups.size() - models.drop_duplicates(inside).groupby(by, sort=True).size()
    table = pd.DataFrame(index=freedom.index)
    for name, column in SPREADS.items():
        centred = models[column] - models.groupby(inside)[column].transform("mean")
        squares = (centred**2).groupby([models[b] for b in by], sort=True).sum()
        sd = np.sqrt(squares / freedom.where(freedom > 0))
        table[name] = without_noise(sd.to_numpy(float), models[column].to_numpy(float))
    return table


def family_taus(correlations: pd.DataFrame, options: Options) -> dict[tuple[str, ...], float]:
    """tau of the primary metric by (partition, comparison, scope, family, variant, quality)."""
    keys = [*PARTITION, "comparison", "scope", "family", "variant", "quality_metric"]
    table = correlations.reindex(columns=[*keys, "metric", "treatment", "kendall"])
    table = table[(table["metric"] == options.primary_metric) & (table["treatment"] == "dropped")]
    labels = table[keys].astype(object).where(table[keys].notna(), "").map(str)
    taus = pd.to_numeric(table["kendall"], errors="coerce").astype(float)
    return dict(zip(labels.itertuples(index=False, name=None), taus, strict=True))


def traits(models: pd.DataFrame, correlations: pd.DataFrame, options: Options) -> pd.DataFrame:
    """What could explain, one row per partition, quality metric and family: `TRAITS_TABLE`.

    `n` and `units` count the models of comparison (b) that have metric and quality; `kendall_b`
    and `kendall_c` are the family's tau of the primary metric in `correlations` (from
    `correlations`): its models of the reference recipe, and within its variants. Each
    candidate is the mean over the models of the reference recipe that have it; `metric_sd` and
    `quality_sd` are the spread between the models compared. `recipes` and `datasets` list those
    of all models of the family.
    """
    taus = family_taus(correlations, options)
    rows: list[dict[str, Any]] = []
    for partition, quality, part in labelled(with_candidates(models, options), options):
        reference, _ = reference_models(part, options)
        found = averages_of(reference, ["family"]).join(
            spreads_of(reference, ["family"], ["family"])
        )
        compared = reference[reference["complete"]].groupby("family")
        for family, members in part.groupby("family", sort=True):
            row = dict(zip(PARTITION, partition, strict=True))
            row |= {"quality_metric": quality, "family": family}
            row |= {"n": int(compared.size().get(family, 0))}
            row |= {"units": int(compared["unit"].nunique().get(family, 0))}
            for name, comparison, scope in (("b", "b", "family"), ("c", "c", "within")):
                key = (*partition, comparison, scope, family, "", quality)
                row[f"kendall_{name}"] = taus.get(key, math.nan)
            if family in found.index:
                row |= found.loc[family, list(NUMBERS)].to_dict()
            row |= {f"{name}s": ", ".join(sorted(set(members[name]) - {""}))
                    for name in ("recipe", "dataset")}  # fmt: skip
            rows.append(row)
    return sorted_table(rows, TRAITS_TABLE, "n")
