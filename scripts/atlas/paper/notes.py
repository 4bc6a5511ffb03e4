"""The notes of the statistics as parts of sentences."""

from __future__ import annotations

from collections.abc import Sequence

from atlas.terms.notes import Note

REASONS = {
    Note.NOT_IN_STUDY: "the study has no models for it",
    Note.ONE_MODEL_PER_VARIANT: "no variant has several models",
    Note.NO_VALUES: "no model has both a metric and a quality",
    Note.TOO_FEW_MODELS: "there are fewer than 3 models",
    Note.TOO_FEW_UNITS: "there are fewer than 3 independent models",
    Note.TOO_FEW_GROUPS: "fewer than two groups have two independent models",
    Note.ONE_FAMILY: "there is only one family",
    Note.METRIC_CONSTANT: "the metric is the same in all models",
    Note.QUALITY_CONSTANT: "the quality is the same in all models",
    Note.RECIPES_MIXED: "no model has the reference recipe, so recipes are mixed",
    Note.NO_INTERVAL_SMALL_N: "there are too few models for an interval",
    Note.PERFECT_CORRELATION: "a correlation of plus or minus 1 has no interval",
    Note.RESAMPLES_DO_NOT_VARY: "the resamples do not vary",
    Note.SIZE_CONSTANT: "all models have the same size",
    Note.TOO_FEW_UNITS_FOR_PARTIAL: "there are fewer than 4 independent models",
    Note.ORDERED_BY_SIZE: "metric or quality is ordered by size",
    Note.NO_LARGE_GROUP: "no group has more than 3 independent models",
    Note.ONE_GROUP: "there is only one group",
    Note.GROUPS_SHARE_RECIPES: "the groups share their recipes",
    Note.PERFECT_GROUPS_LEFT_OUT: "groups with a correlation of plus or minus 1 are left out",
    Note.NO_FAMILY_CORRELATION: "no family has a correlation of its own",
    Note.TOO_FEW_FAMILY_CORRELATIONS: "fewer than 5 families have a correlation",
    Note.TOO_FEW_RESAMPLES: "too few resamples have a correlation",
    Note.TOO_FEW_FOR_MIXED_MODEL: "there are fewer than 5 groups or 10 independent models",
    Note.NOT_WITHIN_AND_BETWEEN: ("the metric does not vary both inside groups and between them"),
    Note.NOT_HELD_FIXED: "size or depth is not held fixed",
    Note.NO_RANDOM_EFFECTS: "random effects could not be fitted",
    Note.NO_TWO_RECIPES: "no variant has two recipes",
    Note.METRIC_CONSTANT_WITHIN_VARIANTS: "the metric is the same in all models of a variant",
    Note.QUALITY_CONSTANT_WITHIN_VARIANTS: "the quality is the same in all models of a variant",
    Note.TOO_FEW_PAIRS: "there are fewer than 5 recipes or 10 pairs",
    Note.TOO_FEW_REARRANGEMENTS: "there are too few rearrangements for a small p",
    Note.TOO_FEW_SETTINGS: "a factor was changed alone in fewer than 5 contexts or 10 pairs",
    Note.NO_REPLICATES: "nothing was trained twice with different seeds",
    Note.NO_SPREAD_BEYOND_SEEDS: "models differ no more than seeds of one model do",
    Note.NO_METRIC: "there is no metric",
    Note.TOO_FEW_FAMILIES: "there are too few families",
    Note.TOO_FEW_UNITS_TO_PREDICT: "there are too few independent models",
    Note.PREDICTOR_CONSTANT: "the predictor is the same in all models",
    Note.METRICS_LEFT_OUT: "metrics that many models lack are left out",
    Note.FAMILIES_LEFT_OUT_ALONE: "each family is left out alone",
    Note.FAMILIES_LEFT_OUT_IN_GROUPS: "families are left out in groups",
    Note.NO_PAIRS: "there are no pairs",
    Note.TOO_FEW_FAMILIES_WITH_PAIRS: "fewer than 5 families have pairs",
    Note.EQUAL_TO_ALPHA: "it equals alpha in all models",
    Note.ALPHA_CONSTANT: "alpha is the same in all models",
    Note.NULL_CONSTANT: "the noise's alpha is the same in all models",
    Note.TOO_FEW_VARIANTS: "there are fewer than 3 variants",
    Note.CANDIDATE_CONSTANT: "the trait is the same everywhere",
    Note.CORRELATION_CONSTANT: "the correlation is the same everywhere",
    Note.TOO_FEW_FAMILIES_FOR_P: "there are fewer than 3 families",
}


def reason(notes: Sequence[Note]) -> str:
    """Notes of a row as part of a sentence."""
    return "; ".join(REASONS[note] for note in notes) or "no reason was recorded"
