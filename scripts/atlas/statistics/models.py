"""The table of models as the statistics take it, and which models are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from atlas.statistics.extremes import within_reach
from atlas.statistics.options import Array, Options
from atlas.tables.recipes import has_reference, is_reference
from atlas.terms.keys import FACTOR, LOWER_IS_BETTER, NAMES, PARTITION, SIZE
from atlas.terms.notes import Note


def prepare(models: pd.DataFrame) -> pd.DataFrame:
    """The table of models as the other functions take it.

    Text columns are text ("" where missing), infinite numbers are missing, qualities are
    oriented so that larger is better (`oriented`), `log_parameters` is log10 of the number of
    parameters, `unit` names what is independent, and rows are sorted, so that no result depends
    on the order of the input.
    """
    table = models.copy()
    factors = [column for column in table if column.startswith(FACTOR)]
    for column in (*NAMES, *factors):
        values = table[column] if column in table else pd.Series("", index=table.index)
        table[column] = values.astype(object).where(values.notna(), "").map(str)
    numbers = [c for c in table.columns if c not in {*NAMES, *factors, "source", "engine"}]
    for column in numbers:
        table[column] = pd.to_numeric(table[column], errors="coerce").astype(float)
        table[column] = table[column].where(np.isfinite(table[column]))
    for column in ("quality", "parameters"):
        if column not in table:
            table[column] = np.nan
    parameters = table["parameters"]
    table[SIZE] = np.log10(parameters.where(parameters > 0))
    sign = np.where(table["quality_metric"].isin(LOWER_IS_BETTER), -1.0, 1.0)
    table["oriented"] = sign * table["quality"]
    named = (table["seed"] != "") & (table["variant"] != "")
    alike = [table[column] for column in ("family", "variant", "recipe", *factors)]
    replicate = pd.Series(["\x1f".join(names) for names in zip(*alike, strict=True)], table.index)
    table["unit"] = replicate.where(named, table["model"]) if len(table) else ""
    return table.sort_values([*NAMES, "quality"], kind="stable", ignore_index=True)


def metric_values(table: pd.DataFrame, metric: str, treatment: str) -> Array:
    """A metric's column (n,) under a treatment of failed fits; missing where there is none.

    Values far off all others are moved to a limit: see `within_reach`.
    """
    stored = f"{metric}_stored"
    column = stored if treatment == "stored" and stored in table else metric
    if column not in table:
        return np.full(len(table), np.nan)
    return within_reach(table[column].to_numpy(float))


@dataclass(frozen=True)
class Scope:
    """Models that are compared with each other; `groups` is None, or a label (n,) to centre on."""

    comparison: str
    scope: str
    family: str
    variant: str
    models: pd.DataFrame
    groups: Array | None = None
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.comparison, self.scope, self.family, self.variant


def partitions(table: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], str, pd.DataFrame]]:
    """What may be pooled: ((collection, dataset, version), quality metric, models)."""
    for key, part in table.groupby([*PARTITION, "quality_metric"], sort=True):
        yield tuple(key[:3]), key[3], part.reset_index(drop=True)


def repeated_partitions(table: pd.DataFrame) -> set[tuple[str, ...]]:
    """Partitions whose models another one of the collection has too, labelled on another data set.

    As with ImageNet and its variants: the one with the most models, and among equals the first by
    name, has all metrics, the others the primary metric and size.
    """
    parts = {key: set(part["model"]) for key, part in table.groupby(PARTITION, sort=True)}
    order = sorted(parts, key=lambda key: (-len(parts[key]), key))
    repeated = set()
    for place, (collection, dataset, version) in enumerate(order):
        before = [key for key in order[:place] if (key[0], key[2]) == (collection, version)]
        own = parts[collection, dataset, version]
        if any(own <= parts[key] for key in before if key not in repeated):
            repeated.add((collection, dataset, version))
    return repeated


def reference_models(part: pd.DataFrame, options: Options) -> tuple[pd.DataFrame, str]:
    """The models of the reference recipe; all of them where no model has it."""
    if has_reference(part, options.reference_recipe):
        return part[is_reference(part, options.reference_recipe)].reset_index(drop=True), ""
    mixed = part["recipe"].nunique() > 1
    return part, Note.RECIPES_MIXED if mixed else ""


def scopes_of(part: pd.DataFrame, options: Options, trained: bool = True) -> Iterator[Scope]:
    """Every scope of one partition; an untrained one has no comparison (c)."""
    reference, note = reference_models(part, options)
    families = reference["family"].to_numpy()
    yield Scope("a", "families", "", "", reference, note=note)
    yield Scope("a", "pooled", "", "", reference, note=note)
    for family, members in reference.groupby("family", sort=True):
        yield Scope("b", "family", family, "", members.reset_index(drop=True), note=note)
    yield Scope("b", "within", "", "", reference, families, note)
    if not trained:
        return
    sizes = part.groupby(["family", "variant"])["model"].transform("size")
    recipes = part[(sizes > 1) & (part["variant"] != "")].reset_index(drop=True)
    if recipes.empty:
        return
    for (family, variant), members in recipes.groupby(["family", "variant"], sort=True):
        yield Scope("c", "family", family, variant, members.reset_index(drop=True))
    for family, members in recipes.groupby("family", sort=True):
        members = members.reset_index(drop=True)
        yield Scope("c", "within", family, "", members, members["variant"].to_numpy())
    labels = (recipes["family"] + "\x1f" + recipes["variant"]).to_numpy()
    yield Scope("c", "within", "", "", recipes, labels)
