"""The figures: the only list of them, which rules, tests and the dashboard read.

A figure is drawn by the function of its name. Light: the Snakefile reads it, and modules are named,
not imported, so that an edit of one figure is in no other figure's digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas.study.row import Study


@dataclass(frozen=True)
class Drawing:
    """What a figure is made of.

    ``tables`` are its inputs: ``models``, ``layers``, a table of the statistics, or the ``spectra``
    and ``details`` of one model. ``options`` are the keys of the config's ``statistics`` that it
    shows; no other one redraws it. ``module`` is needed where two figures share one, ``exists`` where
    some studies have nothing to show.
    """

    tables: tuple[str, ...]
    options: tuple[str, ...] = ()
    module: str = ""
    exists: Callable[[Study], bool] = lambda study: True


def _has_gaps(study: Study) -> bool:
    return bool(study.zoo) or any(row.quality_metric == "generalization_gap" for row in study.rows)


_SCATTER = ("primary_metrics", "primary_quality", "reference_recipe", "controls")
_FOREST = ("primary_quality", "controls", "confidence")

FIGURES = {
    "overview": Drawing(("models", "correlations"), (*_SCATTER, "confidence")),
    "quality_metrics": Drawing(
        ("models", "correlations"),
        ("metrics", "primary_quality", "reference_recipe", "controls"),
        module="metrics",
    ),
    "generalization_gap": Drawing(
        ("models", "correlations"),
        ("metrics", "reference_recipe", "controls"),
        module="metrics",
        exists=_has_gaps,
    ),
    "within_families": Drawing(("models", "correlations"), _SCATTER),
    "forest": Drawing(("correlations",), ("primary_metrics", *_FOREST)),
    "alpha_depth": Drawing(("models", "layers"), ("controls",)),
    "spectral_density": Drawing(("spectra", "details"), exists=lambda study: bool(study.weighed)),
    "controls": Drawing(
        ("models", "controls"),
        ("metrics", *_SCATTER, "confidence"),
        exists=lambda study: bool(study.config["statistics"]["controls"]),
    ),
    "training": Drawing(
        ("models", "layers"),
        ("primary_quality",),
        exists=lambda study: any(row.step is not None for row in study.rows),
    ),
    "alternatives": Drawing(("alternatives",), _FOREST),
    "explanations": Drawing(("explanations",), _FOREST),
    "shape": Drawing(
        ("models", "shape"),
        ("reference_recipe", "controls"),
        exists=lambda study: study.has_nulls,
    ),
    "traits": Drawing(("traits",), _FOREST),
}


def figures_of(study: Study) -> dict[str, Drawing]:
    """The figures that a study has."""
    return {name: drawing for name, drawing in FIGURES.items() if drawing.exists(study)}


def module_of(figure: str) -> str:
    """The module that draws a figure; the rule's digest covers it and what it imports."""
    return f"atlas.figures.{FIGURES[figure].module or figure}"


def ask_of(figure: str, study: Study) -> Mapping[str, Any]:
    """What a figure shows: options of the statistics, or the layer of the spectral density."""
    if figure == "spectral_density":
        return {"model": study.density_of, "layer": study.config["figures"]["layer"]["layer"]}
    return {name: study.config["statistics"][name] for name in FIGURES[figure].options}
