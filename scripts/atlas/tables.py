"""The tables of the statistics by name: which module makes each, and from what.

Light: the Snakefile reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from atlas.statistics import Options

TABLES = {
    "correlations": "statistics",
    "baselines": "statistics",
    "between_families": "statistics",
    "meta": "statistics",
    "controls": "statistics",
    "simpson": "statistics",
    "pairs": "pairs",
    "mixed": "mixed",
    "prediction": "prediction",
    "alternatives": "explanations",
    "shape": "explanations",
    "traits": "explanations",
    "explanations": "explanations",
}
"""The module of each table; its function has the table's name."""

FROM_CORRELATIONS = ("meta", "traits", "explanations")
"""Tables that are made from the models and the table of correlations."""


def compute(
    name: str, models: pd.DataFrame, options: Options, correlations: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One table, numbers rounded to 12 significant digits.

    ``correlations`` is needed for those of ``FROM_CORRELATIONS``. Raises KeyError for a table that
    is none of ``TABLES``.
    """
    from atlas import explanations, mixed, pairs, prediction, statistics

    modules = (explanations, mixed, pairs, prediction, statistics)
    module = {module.__name__: module for module in modules}[f"atlas.{TABLES[name]}"]
    more = (correlations,) if name in FROM_CORRELATIONS else ()
    return statistics.significant(getattr(module, name)(models, *more, options))


def compute_all(models: pd.DataFrame, options: Options) -> dict[str, pd.DataFrame]:
    """Every table by name."""
    correlations = compute("correlations", models, options)
    return {
        name: correlations
        if name == "correlations"
        else compute(name, models, options, correlations)
        for name in TABLES
    }
