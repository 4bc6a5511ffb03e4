"""The tables of the statistics: the only list of them, which rules, tests and docs read.

A table is made by the function of its name in the module of its name. Light: the Snakefile reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atlas.study.row import Study

TABLES: dict[str, tuple[str, ...]] = {
    "correlations": ("models",),
    "baselines": ("models",),
    "meta": ("models", "correlations"),
    "controls": ("models",),
    "simpson": ("models",),
    "pairs": ("models",),
    "factors": ("models",),
    "reliability": ("models",),
    "mixed": ("models",),
    "prediction": ("models",),
    "alternatives": ("models",),
    "shape": ("models",),
    "traits": ("models", "correlations"),
    "explanations": ("models", "correlations"),
}
"""What each table is made from, in the order of its function's arguments: ``models`` is models.csv,
any other name a table of the statistics."""

PRINTED: dict[str, tuple[str, ...]] = {"printed": ("models", "layers", "values")}
"""The same for the table that only a study with printed values has: ``values`` are these, ``layers`` is
layers.parquet."""

ALL = TABLES | PRINTED


def tables_of(study: Study) -> dict[str, tuple[str, ...]]:
    """The tables that a study has."""
    return ALL if study.config["printed"] else TABLES


def module_of(table: str) -> str:
    """The module that makes a table; the rule's digest covers it and what it imports."""
    return f"atlas.statistics.{table}"
