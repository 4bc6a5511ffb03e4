"""Settings of a factorial design: which models were trained alike, by the factors that they carry."""

from __future__ import annotations

import pandas as pd

from atlas.statistics.options import Options
from atlas.tables.parts import primary_quality
from atlas.terms.keys import FACTOR, PARTITION

GAP = "generalization_gap"


def with_settings(part: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Models (prepared rows) that have a variant and a factor, with their `setting`; and the columns
    that make it.

    A setting is the levels of all factors, a blank one among them. Where models of one variant have
    equal levels and different recipes, the recipe is a factor too: something was varied that no
    factor names.
    """
    names = [column for column in part if column.startswith(FACTOR) and (part[column] != "").any()]
    known = (part[names] != "").any(axis=1) & (part["variant"] != "")
    models = part[known].reset_index(drop=True)
    if names and models.groupby(["family", "variant", *names])["recipe"].nunique().gt(1).any():
        names.append("recipe")
    setting = ["\x1f".join(levels) for levels in models[names].itertuples(index=False, name=None)]
    return models.assign(setting=setting), names


def name_of(column: str) -> str:
    """A factor's name: `batch_size` of the column `factor_batch_size`."""
    return column.removeprefix(FACTOR)


def claimed_qualities(models: pd.DataFrame, options: Options) -> dict[tuple[str, ...], list[str]]:
    """Of each partition of models (prepared rows) the primary quality, and the generalization gap
    beside it where there is one."""
    result = {}
    for partition, part in models.groupby(PARTITION, sort=True):
        present = part["quality_metric"]
        primary = primary_quality(present, options.primary_quality)
        result[tuple(partition)] = [
            quality
            for quality in dict.fromkeys((primary, GAP))
            if quality and quality in set(present)
        ]
    return result
