"""What a row of the statistics says about itself: codes, and how the column `note` holds them.

`resamples_do_not_vary:kendall,pearson;recipes_mixed` are two notes, the first with details.
"""

from __future__ import annotations

from enum import StrEnum


class Note(StrEnum):
    """Why a row lacks an estimate, or how one was made."""

    NOT_IN_STUDY = "not_in_study"
    ONE_MODEL_PER_VARIANT = "one_model_per_variant"

    NO_VALUES = "no_values"  # no model has all of them
    TOO_FEW_MODELS = "too_few_models"  # under 3
    TOO_FEW_UNITS = "too_few_units"  # under 3, seeds being replicates and groups centred
    TOO_FEW_GROUPS = "too_few_groups"  # under two of two units
    ONE_FAMILY = "one_family"
    METRIC_CONSTANT = "metric_constant"
    QUALITY_CONSTANT = "quality_constant"
    RECIPES_MIXED = "recipes_mixed"  # no model has the reference recipe
    NO_INTERVAL_SMALL_N = "no_interval_small_n"  # under 5 units
    PERFECT_CORRELATION = "perfect_correlation"  # no interval by Fisher's z; of: estimates
    RESAMPLES_DO_NOT_VARY = "resamples_do_not_vary"  # no interval; of: estimates

    SIZE_CONSTANT = "size_constant"
    TOO_FEW_UNITS_FOR_PARTIAL = "too_few_units_for_partial"  # under 4
    ORDERED_BY_SIZE = "ordered_by_size"  # no partial correlation

    NO_LARGE_GROUP = "no_large_group"  # none of more than 3 units
    ONE_GROUP = "one_group"  # no interval
    GROUPS_SHARE_RECIPES = "groups_share_recipes"  # so they are not independent: no meta-analysis
    PERFECT_GROUPS_LEFT_OUT = "perfect_groups_left_out"  # r of plus or minus 1; of: their number

    NO_FAMILY_CORRELATION = "no_family_correlation"
    TOO_FEW_FAMILY_CORRELATIONS = "too_few_family_correlations"  # under 5: no interval
    TOO_FEW_RESAMPLES = "too_few_resamples"  # with a correlation: no interval

    TOO_FEW_FOR_MIXED_MODEL = "too_few_for_mixed_model"  # under 5 groups of two, or 10 units
    NOT_WITHIN_AND_BETWEEN = "not_within_and_between"  # the metric does not vary in both
    NOT_HELD_FIXED = "not_held_fixed"  # of: size, depth
    NO_RANDOM_EFFECTS = "no_random_effects"  # errors clustered by group

    NO_TWO_RECIPES = "no_two_recipes"  # of one variant
    METRIC_CONSTANT_WITHIN_VARIANTS = "metric_constant_within_variants"
    QUALITY_CONSTANT_WITHIN_VARIANTS = "quality_constant_within_variants"
    TOO_FEW_PAIRS = "too_few_pairs"  # or recipes: no interval
    TOO_FEW_REARRANGEMENTS = "too_few_rearrangements"  # for a small p

    TOO_FEW_SETTINGS = "too_few_settings"  # no interval; of: estimates
    NO_REPLICATES = "no_replicates"  # no unit has two seeds
    NO_SPREAD_BEYOND_SEEDS = "no_spread_beyond_seeds"  # units differ no more than seeds do

    NO_METRIC = "no_metric"
    TOO_FEW_FAMILIES = "too_few_families"  # of: the least number, where it is not 3
    TOO_FEW_UNITS_TO_PREDICT = "too_few_units_to_predict"  # of: the least number
    PREDICTOR_CONSTANT = "predictor_constant"
    METRICS_LEFT_OUT = "metrics_left_out"  # for missing values; of: metrics
    FAMILIES_LEFT_OUT_ALONE = "families_left_out_alone"  # no concordance between families
    FAMILIES_LEFT_OUT_IN_GROUPS = "families_left_out_in_groups"  # of: the number of groups
    NO_PAIRS = "no_pairs"  # of: within, between
    TOO_FEW_FAMILIES_WITH_PAIRS = "too_few_families_with_pairs"  # no interval; of: within, between

    EQUAL_TO_ALPHA = "equal_to_alpha"  # in all models
    ALPHA_CONSTANT = "alpha_constant"
    NULL_CONSTANT = "null_constant"

    TOO_FEW_VARIANTS = "too_few_variants"  # under 3
    CANDIDATE_CONSTANT = "candidate_constant"
    CORRELATION_CONSTANT = "correlation_constant"
    TOO_FEW_FAMILIES_FOR_P = "too_few_families_for_p"  # under 3: no interval either

    def of(self, *details: object) -> str:
        """The note with what it is about, which only readers of the table need."""
        return f"{self}:{','.join(map(str, details))}"


def join(*notes: str) -> str:
    """Notes, each "", one or several, as the column holds them. Raises as `notes_of`."""
    text = ";".join(note for note in notes if note)
    notes_of(text)
    return text


def notes_of(text: str) -> tuple[Note, ...]:
    """The notes of a row, without details. Raises ValueError for a code that there is not."""
    return tuple(Note(note.partition(":")[0]) for note in text.split(";") if note)
