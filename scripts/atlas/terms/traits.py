"""What could explain where the metric works: the only list of traits. No words: statistics read it.

A model's value is the column of this name in models.csv, which ``atlas.fits.metrics`` computes from its
layers, or is made in ``atlas.statistics.traits``; how a trait is called stands in ``atlas.terms.words``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Trait(NamedTuple):
    """What kind of value a trait has, and which of the paper's tables of families lists it."""

    kind: Literal["number", "whole", "share", "category"] = "number"
    table: Literal["shapes", "layers", "fits", ""] = ""


TRAITS = {
    "log_parameters": Trait("number", "shapes"),
    "layers": Trait("whole", "shapes"),
    "N_median": Trait("whole", "shapes"),
    "M_median": Trait("whole", "shapes"),
    "aspect_median": Trait("number", "shapes"),
    "evals_median": Trait("whole", "shapes"),
    "evals_50": Trait("share", "layers"),
    "depthwise_share": Trait("share", "layers"),
    "pointwise_share": Trait("share", "layers"),
    "conv_share": Trait("share", "layers"),
    "dense_share": Trait("share", "layers"),
    "rank_loss_share": Trait("share", "layers"),
    "tail_share": Trait("share", "layers"),
    "D": Trait("number", "fits"),
    "outside_share": Trait("share", "fits"),
    "failed_share": Trait("share", "fits"),
    "coverage": Trait("share", "layers"),
    "alpha_sd": Trait("number", "fits"),
    "alpha_shuffled": Trait("number", "fits"),
    "alpha_gaussian": Trait("number", "fits"),
    "metric_sd": Trait("number", "fits"),
    "quality_sd": Trait("number", "fits"),
    "recipe": Trait("category"),
    "dataset": Trait("category"),
    "weightwatcher_version": Trait("category"),
}
"""In the order of the columns of `traits`."""

CATEGORIES = tuple(name for name, trait in TRAITS.items() if trait.kind == "category")
NUMBERS = tuple(name for name in TRAITS if name not in CATEGORIES)
