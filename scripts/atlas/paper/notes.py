"""The notes of the statistics in plain words."""

from __future__ import annotations

from atlas.paper.markdown import escape

REASONS = {
    "no model has all values": "no model has both a metric and a quality",
    "metric constant": "the metric is the same in all models",
    "quality constant": "the quality is the same in all models",
    "metric and quality constant": "metric and quality are the same in all models",
    "n <= 4: feeds the meta-analysis only": "there are too few models for an interval",
    "fewer than two groups with two units: nothing to put together": (
        "fewer than two groups have two independent models"
    ),
    "one family: no comparison between architectures": "there is only one family",
    "fewer than 3 models": "there are fewer than 3 models",
    "fewer than 3 independent units (seeds are replicates, groups are centred)": (
        "there are fewer than 3 independent models"
    ),
    "fewer than 4 independent units: no partial correlation": (
        "there are fewer than 4 independent models"
    ),
    "metric or quality is a function of size": "metric or quality follows from size",
    "no model has the reference recipe: recipes are mixed": (
        "no model has the reference recipe, so recipes are mixed"
    ),
    "size is constant: it explains nothing here": "all models have the same size",
}
"""Notes of the statistics in plain words; others stand as they are."""


def reason(note: str) -> str:
    """A note of the statistics as part of a sentence."""
    parts = [part.strip() for part in note.split(";") if part.strip()]
    return "; ".join(REASONS.get(part, escape(part)) for part in parts) or "no reason was recorded"
