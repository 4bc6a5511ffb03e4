"""Which models stand for their variant where architectures and variants are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def as_list(recipes: str | Sequence[str]) -> list[str]:
    """One recipe, or several in the order of preference, as a list."""
    return [recipes] if isinstance(recipes, str) else list(recipes)


def has_reference(models: pd.DataFrame, recipes: str | Sequence[str]) -> bool:
    """Whether any of the models (columns as in ``models.csv``) has a reference recipe."""
    return bool(models["recipe"].isin(as_list(recipes)).any())


def is_reference(models: pd.DataFrame, recipes: str | Sequence[str]) -> pd.Series:
    """Which models comparisons (a) and (b) look at: True for each of them, shape (n,).

    Of each variant it is the first of the ``recipes`` that the variant has, and after them models
    without a recipe, of which nothing else is known. A variant with neither is left out. Where no
    model has one of the recipes, all models count.
    """
    if not has_reference(models, recipes):
        return models["recipe"] == models["recipe"]
    order = {recipe: place for place, recipe in enumerate([*as_list(recipes), ""])}
    place = models["recipe"].map(order)
    variants = models[["collection", "family", "variant"]].astype(str).agg("\x1f".join, axis=1)
    # Models without a variant stand for themselves.
    variants = variants.where(models["variant"].astype(str) != "", models["model"])
    return place.notna() & (place == place.groupby(variants).transform("min"))
