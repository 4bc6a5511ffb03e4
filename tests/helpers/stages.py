"""Single steps of the stages, as their scripts do them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from atlas.figures import registry as figures
from atlas.figures.data import Ask
from atlas.figures.style import Look, style
from atlas.statistics import registry as statistics
from atlas.statistics.options import Options
from atlas.statistics.sample import significant
from atlas.study.schema import defaults


def compute(
    name: str, models: pd.DataFrame, options: Options, correlations: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One table of the statistics."""
    given = {"models": models, "correlations": correlations}
    make = getattr(import_module(statistics.module_of(name)), name)
    return significant(make(*(given[table] for table in statistics.TABLES[name]), options))


def compute_all(models: pd.DataFrame, options: Options) -> dict[str, pd.DataFrame]:
    """Every table of the statistics by name."""
    first = compute("correlations", models, options)
    return {
        name: first if name == "correlations" else compute(name, models, options, first)
        for name in statistics.TABLES
    }


def draw(
    name: str, tables: Mapping[str, pd.DataFrame], look: Look, ask: Mapping[str, Any]
) -> Figure:
    """One figure from its tables; it may read only the options that the registry names for it."""
    options = {key: defaults("statistics")[key] for key in figures.FIGURES[name].options}
    of_layer = {"model": "", "layer": None} if name == "spectral_density" else {}
    asked = options | of_layer
    asked |= {key: value for key, value in ask.items() if key in asked}
    with style():
        return getattr(import_module(figures.module_of(name)), name)(look, Ask(**asked), **tables)
