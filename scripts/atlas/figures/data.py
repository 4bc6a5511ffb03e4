"""What figures read: tables with the columns that they need, and their parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from atlas.tables.parts import primary_quality
from atlas.terms.keys import NAMES, PARTITION, SIZE


class Ask(SimpleNamespace):
    """What one figure shows: the keys of the config's `statistics` that the registry names for it.

    It has no others, so that a figure cannot show an option whose change would not redraw it. Of the
    spectral density it is the `model` and its `layer`: a name, a number or None.
    """


def tidy(table: pd.DataFrame, text: Iterable[str], numbers: Iterable[str]) -> pd.DataFrame:
    """The table with these columns for certain: text "" and numbers NaN where there is nothing."""
    table = table.copy()
    for name in text:
        values = table[name] if name in table else pd.Series("", index=table.index, dtype=object)
        table[name] = values.astype(object).where(values.notna(), "").map(str)
    for name in numbers:
        values = table[name] if name in table else pd.Series(np.nan, index=table.index)
        values = pd.to_numeric(values, errors="coerce").astype(float)
        table[name] = values.where(np.isfinite(values))
    return table


def tidy_models(table: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """models.csv with its text, numbers and `log_parameters`; sorted, so row order means nothing."""
    wanted = [name for name in metrics if name != SIZE]
    table = tidy(table, NAMES, ["quality", "parameters", *wanted])
    table[SIZE] = np.log10(table["parameters"].where(table["parameters"] > 0))
    return table.sort_values(NAMES, kind="stable", ignore_index=True)


ESTIMATE_TEXT = [*PARTITION, "comparison", "scope", "family", "variant"]
ESTIMATE_NUMBERS = ["n", "kendall", "kendall_low", "kendall_high"]


def tidy_estimates(table: pd.DataFrame) -> pd.DataFrame:
    """A table of correlations with the columns that figures read."""
    return tidy(table, ESTIMATE_TEXT, ESTIMATE_NUMBERS)


def row_with(table: pd.DataFrame, **labels: str) -> Mapping[str, Any] | None:
    """The one row with these labels, or None."""
    chosen = np.ones(len(table), bool)
    for name, value in labels.items():
        chosen &= (table[name] == value).to_numpy()
    found = table[chosen]
    return found.iloc[0].to_dict() if len(found) else None


@dataclass(frozen=True)
class Part:
    """Models whose qualities may stand on one axis."""

    collection: str
    dataset: str
    version: str
    quality: str
    models: pd.DataFrame

    @property
    def families(self) -> list[str]:
        return sorted(self.models["family"].unique())

    @property
    def labels(self) -> dict[str, str]:
        """What picks the rows of this part in a table of correlations."""
        key = (self.collection, self.dataset, self.version, self.quality)
        return dict(zip([*PARTITION, "quality_metric"], key, strict=True))

    def name(self, parts: Sequence[Part]) -> str:
        """The collection and what tells it from another part of the same collection."""
        same = [part for part in parts if part.collection == self.collection]
        extra = [self.dataset] * (len({part.dataset for part in same}) > 1)
        extra += [f"weightwatcher {self.version}"] * (len({part.version for part in same}) > 1)
        return ", ".join([self.collection or "no collection", *filter(None, extra)])

    def full_name(self, parts: Sequence[Part]) -> str:
        """The name, and the data set where the name does not tell it."""
        name = self.name(parts)
        told = not self.dataset or self.dataset in name.split(", ")
        return name if told else f"{name} ({self.dataset})"


def parts_of(
    models: pd.DataFrame, quality: str, controls: Iterable[str], only: bool = False
) -> list[Part]:
    """The parts with any quality, the largest first; controls are none.

    A part without the wanted quality shows its own primary one, unless `only` the wanted is asked.
    """
    known = models[models["quality"].notna() & ~models["collection"].isin(list(controls))]
    parts = []
    for key, group in known.groupby(PARTITION, sort=True):
        chosen = quality if only else primary_quality(group["quality_metric"], quality)
        rows = group[group["quality_metric"] == chosen].reset_index(drop=True)
        if len(rows):
            parts.append(Part(*key, chosen, rows))
    return sorted(parts, key=lambda part: -len(part.models))


def by_size(models: pd.DataFrame) -> list[str]:
    """The variants of one family, from the smallest to the largest number of parameters."""
    medians = models.groupby("variant")["parameters"].median()
    return sorted(medians.index, key=lambda name: (np.nan_to_num(medians[name]), name))


def short_name(variant: str, family: str) -> str:
    """A variant's name without its family's in front: mlp-s is s in the panel of mlp."""
    return variant.removeprefix(family).lstrip("-_ .") or variant
