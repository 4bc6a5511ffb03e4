"""What the paper consists of: the only list of it, which rules, tests and `make where` read.

Its variables are in `atlas.paper.variables`. Light: the Snakefile reads it, and modules are named, not
imported.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atlas.findings.results import Results
    from atlas.study.row import Study


@dataclass(frozen=True)
class Made:
    """A part of the paper: the function in a module of this package that makes it of a study."""

    module: str
    function: str
    arguments: tuple[str, ...] = ()

    def __call__(self, study: Results) -> str:
        module = import_module(f"atlas.paper.{self.module}")
        return getattr(module, self.function)(study, *self.arguments)


TABLES = {
    "a": Made("comparisons", "comparison_table", ("a",)),
    "alternative_differences": Made("alternatives", "alternative_differences_table"),
    "alternatives": Made("alternatives", "alternatives_table"),
    "answers": Made("comparisons", "answers_table"),
    "audit": Made("appendix", "audit_table"),
    "b": Made("comparisons", "families_table"),
    "c": Made("comparisons", "comparison_table", ("c",)),
    "c_pairs": Made("pairs", "pairs_table"),
    "collections": Made("data", "collections_table"),
    "controls": Made("controls", "controls_table"),
    "explanations": Made("explanations", "explanations_table"),
    "explanations_more": Made("explanations", "explanations_more_table"),
    "factors": Made("factors", "factors_table"),
    "family_metrics": Made("size", "family_metrics_table"),
    "layers": Made("failed_fits", "layers_table"),
    "meta": Made("heterogeneity", "meta_table"),
    "metrics": Made("size", "metrics_table"),
    "mixed": Made("mixed", "mixed_table"),
    "models": Made("appendix", "models_table"),
    "prediction": Made("prediction", "prediction_table"),
    "printed": Made("printed", "printed_table"),
    "printed_differences": Made("printed", "differences_table"),
    "provenance": Made("appendix", "provenance_table"),
    "qualities": Made("size", "qualities_table"),
    "recipes": Made("data", "recipes_table"),
    "reliability": Made("factors", "reliability_table"),
    "shape": Made("shape", "shape_table"),
    "sources": Made("appendix", "sources_list"),
    "traits_fits": Made("traits", "traits_table", ("fits",)),
    "traits_layers": Made("traits", "traits_table", ("layers",)),
    "traits_shapes": Made("traits", "traits_table", ("shapes",)),
    "variants": Made("comparisons", "variants_table"),
    "versions": Made("appendix", "versions_table"),
    "zoo": Made("data", "zoo_table"),
}

TEXTS = {
    "control_results": Made("controls", "controls_text"),
    "data": Made("data", "data_text"),
    "excluded": Made("appendix", "excluded_text"),
    "experiment_list": Made("methods", "experiment_list"),
    "factor_results": Made("factors", "factors_text"),
    "print_results": Made("printed", "printed_text"),
    "reliability": Made("factors", "reliability_text"),
    "results_a": Made("comparisons", "results_text", ("a",)),
    "results_b": Made("comparisons", "results_text", ("b",)),
    "results_c": Made("comparisons", "results_text", ("c",)),
}

PARTS: dict[str, Callable[[Study, Container[str]], bool]] = {
    "audit": lambda study, _: bool(study.audited),
    "audited": lambda study, _: bool(study.audited),
    "controls": lambda _, figures: "controls" in figures,
    "density": lambda _, figures: "spectral_density" in figures,
    "experiments": lambda study, _: study.has_experiments,
    "factors": lambda study, _: study.varies_factors,
    "fits": lambda study, _: bool(study.weighed),
    "gap": lambda _, figures: "generalization_gap" in figures,
    "pairs": lambda study, _: study.compares_trainings,
    "printed": lambda study, _: bool(study.config["printed"]),
    "published": lambda study, _: bool(study.published),
    "scope": lambda study, _: bool(study.zoo),
    "shape": lambda _, figures: "shape" in figures,
    "training": lambda _, figures: "training" in figures,
    "zoo": lambda study, _: bool(study.zoo),
}
"""Sections that only some studies have, ``paper/parts/<name>.md``, and who has them: it depends on the
study and on the figures that it has."""


def parts_of(study: Study, figures: Container[str]) -> list[str]:
    """The sections that a study with these figures has."""
    return [name for name, exists in PARTS.items() if exists(study, figures)]


def modules() -> list[str]:
    """The modules that make the paper; the rule's digest covers them and what they import."""
    return sorted({f"atlas.paper.{made.module}" for made in (TABLES | TEXTS).values()})
