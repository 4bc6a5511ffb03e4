"""The words of the vocabulary: labels of metrics, qualities and traits, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from atlas.terms.keys import SIZE
from atlas.terms.notes import Note


class Text(NamedTuple):
    """The same sentence in both languages."""

    en: str
    de: str


@dataclass(frozen=True)
class Metric:
    """How the paper calls a metric: in a table, in a sentence, and in a German one."""

    label: str
    en: str
    de: str
    theory: bool = False  # whether the theory expects smaller values in better models


METRICS = {
    "alpha": Metric("$\\alpha$", "alpha", "Alpha", True),
    "alpha_weighted": Metric("$\\hat\\alpha$", "weighted alpha", "gewichtetes Alpha", True),
    "log_alpha_norm": Metric("log alpha-norm", "log alpha-norm", "Log-Alpha-Norm", True),
    "log_norm": Metric("log norm", "log norm", "Log-Norm", True),
    "log_spectral_norm": Metric("log spectral norm", "log spectral norm", "Log-Spektralnorm", True),
    "stable_rank": Metric("stable rank", "stable rank", "stabiler Rang"),
    "entropy": Metric("entropy", "entropy", "Entropie"),
    "D": Metric("$D$", "KS distance", "KS-Abstand"),
    "alpha_median": Metric("median $\\alpha$", "median alpha", "medianes Alpha", True),
    "alpha_by_size": Metric(
        "$\\alpha$ by size", "size-weighted alpha", "nach Größe gewichtetes Alpha", True
    ),
    "alpha_sd": Metric("spread of $\\alpha$", "spread of alpha", "Streuung von Alpha"),
    "alpha_2_to_6": Metric(
        "share in range", "share of layers in range", "Anteil der Schichten im Bereich"
    ),
    "evals_50": Metric(
        "share of large layers", "share of large layers", "Anteil der großen Schichten"
    ),
    "failed_share": Metric(
        "failed share", "share of failed fits", "Anteil gescheiterter Anpassungen"
    ),
    "coverage": Metric("coverage", "coverage", "Abdeckung"),
    "log_parameters": Metric("size", "size", "Größe"),
    "alpha_enough": Metric(
        "$\\alpha$, large layers", "alpha of the large layers", "Alpha der großen Schichten", True
    ),
    "alpha_inner": Metric(
        "$\\alpha$, inner layers",
        "alpha without the first and the last layer",
        "Alpha ohne die erste und die letzte Schicht",
        True,
    ),
    "alpha_in_range": Metric(
        "$\\alpha$, layers in range",
        "alpha of the layers in range",
        "Alpha der Schichten im Bereich",
        True,
    ),
    "alpha_depthwise": Metric(
        "$\\alpha$, depthwise",
        "alpha of the depthwise convolutions",
        "Alpha der tiefenweisen Faltungen",
        True,
    ),
    "alpha_pointwise": Metric(
        "$\\alpha$, pointwise",
        "alpha of the pointwise convolutions",
        "Alpha der punktweisen Faltungen",
        True,
    ),
    "alpha_conv": Metric(
        "$\\alpha$, other convolutions",
        "alpha of the other convolutions",
        "Alpha der übrigen Faltungen",
        True,
    ),
    "alpha_dense": Metric(
        "$\\alpha$, dense", "alpha of the dense layers", "Alpha der dichten Schichten", True
    ),
    "alpha_other_layers": Metric(
        "$\\alpha$, other rule",
        "alpha of the layers that the other rule takes",
        "Alpha der Schichten nach der anderen Regel",
        True,
    ),
    "alpha_windows": Metric(
        "$\\alpha$, windows", "alpha of square windows", "Alpha quadratischer Ausschnitte", True
    ),
    "hill": Metric("Hill", "Hill's exponent", "Hills Exponent", True),
    "hill_windows": Metric(
        "Hill, windows",
        "Hill's exponent of square windows",
        "Hills Exponent quadratischer Ausschnitte",
        True,
    ),
    "alpha_over_shuffled": Metric(
        "$\\alpha$ over permuted",
        "alpha relative to that of the permuted matrices",
        "Alpha im Verhältnis zu dem der durchmischten Matrizen",
        True,
    ),
    "alpha_shuffled": Metric(
        "$\\alpha$, permuted", "alpha of the permuted matrices", "Alpha der durchmischten Matrizen"
    ),
    "alpha_gaussian": Metric(
        "$\\alpha$, noise",
        "alpha of noise of the same shape",
        "Alpha von Rauschen gleicher Form",
    ),
    "untrained_alpha": Metric(
        "$\\alpha$, untrained",
        "alpha of the untrained network",
        "Alpha des untrainierten Netzes",
    ),
    "random": Metric("random", "a random metric", "ein zufälliges Maß"),
}

QUALITIES = {
    "accuracy": Text("accuracy", "Genauigkeit"),
    "error": Text("error", "Fehlerrate"),
    "generalization_gap": Text("generalisation gap", "Generalisierungslücke"),
    "perplexity": Text("perplexity", "Perplexität"),
}

BETTER = {
    "accuracy": Text("higher accuracy", "höherer Genauigkeit"),
    "error": Text("lower error", "kleinerer Fehlerrate"),
    "generalization_gap": Text("a smaller generalisation gap", "kleinerer Generalisierungslücke"),
    "perplexity": Text("lower perplexity", "kleinerer Perplexität"),
}


def metric_of(name: str) -> Metric:
    """The names of a metric; an unknown one is called as its column."""
    return METRICS.get(name, Metric(name, name, name))


def quality_of(name: str) -> str:
    """The English name of a quality metric."""
    return QUALITIES[name].en if name in QUALITIES else name


def better(name: str) -> Text:
    """What a better model has more of."""
    return BETTER.get(name, Text("better quality", "besserer Qualität"))


LEADS = {
    "a": Text("Between different architectures", "Zwischen verschiedenen Architekturen"),
    "b": Text("Between variants of one architecture", "Zwischen Varianten einer Architektur"),
    "c": Text(
        "Between differently trained models of one variant",
        "Zwischen verschieden trainierten Modellen einer Variante",
    ),
}

NULL_LABELS = {
    "gaussian": "Gaussian noise, same shapes",
    "shuffled": "its own entries shuffled",
}
"""What a network's alpha is compared with, as figures name it."""


@dataclass(frozen=True)
class Trait:
    """How a trait is called: in a table, in a sentence, in a German one, and in a figure."""

    label: str
    en: str
    de: str
    row: str


_TRAITS = {
    "matrix shape": {
        "N_median": Trait(
            "$N$",
            "longer side of the matrices",
            "längere Seite der Matrizen",
            "longer side N (median)",
        ),
        "M_median": Trait(
            "$M$",
            "shorter side of the matrices",
            "kürzere Seite der Matrizen",
            "shorter side M (median)",
        ),
        "aspect_median": Trait(
            "$N/M$",
            "aspect ratio of the matrices",
            "Seitenverhältnis der Matrizen",
            "aspect ratio N/M (median)",
        ),
        "evals_median": Trait(
            "eigenvalues",
            "eigenvalues of a layer",
            "Eigenwerte einer Schicht",
            "number of eigenvalues (median)",
        ),
        "evals_50": Trait(
            "large",
            "share of large layers",
            "Anteil großer Schichten",
            "50 eigenvalues or more (share)",
        ),
        "rank_loss_share": Trait(
            "rank loss", "rank loss", "Rangverlust", "eigenvalues lost to rank (share)"
        ),
        "alpha_gaussian": Trait(
            "$\\alpha$, noise",
            "alpha of noise of the same shape",
            "Alpha von Rauschen gleicher Form",
            "alpha of Gaussian noise, same shape",
        ),
        "alpha_shuffled": Trait(
            "$\\alpha$, permuted",
            "alpha of the permuted matrices",
            "Alpha der durchmischten Matrizen",
            "alpha of shuffled entries",
        ),
    },
    "layer types": {
        "depthwise_share": Trait(
            "depthwise",
            "share of depthwise convolutions",
            "Anteil tiefenweiser Faltungen",
            "depthwise convolutions (share)",
        ),
        "pointwise_share": Trait(
            "pointwise",
            "share of pointwise convolutions",
            "Anteil punktweiser Faltungen",
            "1 × 1 convolutions (share)",
        ),
        "conv_share": Trait(
            "conv.",
            "share of other convolutions",
            "Anteil übriger Faltungen",
            "other convolutions (share)",
        ),
        "dense_share": Trait(
            "dense", "share of dense layers", "Anteil dichter Schichten", "dense layers (share)"
        ),
    },
    "fits": {
        "tail_share": Trait(
            "tail",
            "share of eigenvalues in the tail",
            "Anteil der Eigenwerte im Schwanz",
            "eigenvalues in the tail (share)",
        ),
        "D": Trait(
            "$D$", "KS distance of the fits", "KS-Abstand der Anpassungen", "KS distance D (mean)"
        ),
        "outside_share": Trait(
            "out of range",
            "share of layers out of range",
            "Anteil der Schichten außerhalb des Bereichs",
            "alphas outside 2 to 6 (share)",
        ),
        "alpha_sd": Trait(
            "SD, layers",
            "spread of alpha over layers",
            "Streuung von Alpha über die Schichten",
            "alpha's spread over layers (SD)",
        ),
        "failed_share": Trait(
            "failed",
            "share of failed fits",
            "Anteil gescheiterter Anpassungen",
            "failed fits (share)",
        ),
        "coverage": Trait("coverage", "coverage", "Abdeckung", "parameters analysed (share)"),
    },
    "size": {
        "log_parameters": Trait(
            "$\\log_{10}$ parameters",
            "number of parameters",
            "Zahl der Parameter",
            "log₁₀ parameters",
        ),
        "layers": Trait("layers", "number of layers", "Zahl der Schichten", "number of layers"),
    },
    "training and data": {
        "metric_sd": Trait(
            "SD, metric",
            "spread of the metric over models",
            "Streuung des Maßes über die Modelle",
            "alpha's spread between models (SD)",
        ),
        "quality_sd": Trait(
            "SD, quality",
            "spread of the quality over models",
            "Streuung der Qualität über die Modelle",
            "quality's spread between models (SD)",
        ),
        "recipe": Trait("recipe", "training recipe", "Trainingsrezept", "training recipe"),
        "dataset": Trait("data set", "data set", "Datensatz", "data set"),
        "weightwatcher_version": Trait(
            "version",
            "version of WeightWatcher",
            "Version von WeightWatcher",
            "weightwatcher version",
        ),
    },
}
"""The words of each of `atlas.terms.traits` under the headings of the figures, in their order."""

CANDIDATES = {name: trait for traits in _TRAITS.values() for name, trait in traits.items()}
TRAITS = {
    heading: {name: trait.row for name, trait in traits.items()}
    for heading, traits in _TRAITS.items()
}
"""The rows of `explanations` and the axes of `traits` under their headings."""


def candidate_of(name: str) -> Trait | Metric:
    """The names of a candidate; an unknown one is called as a metric of that name."""
    return CANDIDATES.get(name, metric_of(name))


METRIC_LABELS = {
    "alpha": "mean alpha over layers",
    "alpha_weighted": "mean weighted alpha",
    "log_alpha_norm": "mean log₁₀ alpha-norm",
    "log_norm": "mean log₁₀ Frobenius norm²",
    "log_spectral_norm": "mean log₁₀ λmax",
    "stable_rank": "mean stable rank",
    "entropy": "mean matrix entropy",
    "D": "mean KS distance D",
    "alpha_median": "median alpha over layers",
    "alpha_by_size": "mean alpha, by layer size",
    "alpha_sd": "SD of alpha over layers",
    "alpha_2_to_6": "share of alphas in 2 to 6",
    "evals_50": "share with 50 eigenvalues",
    "failed_share": "failed fits (share)",
    "coverage": "parameters analysed (share)",
    SIZE: "log₁₀ parameters (size)",
}

QUALITY_LABELS = {
    "accuracy": "top-1 accuracy (%)",
    "error": "top-1 error (%), low on top",
    "generalization_gap": "generalisation gap (% points), low on top",
    "perplexity": "perplexity, low on top",
}


def metric_label(metric: str) -> str:
    """A metric's name on an axis."""
    return METRIC_LABELS.get(metric, metric.replace("_", " "))


def quality_label(quality: str) -> str:
    """A quality's name on an axis, with its unit."""
    return QUALITY_LABELS.get(quality, quality.replace("_", " "))


ALTERNATIVES = {
    "how layers are averaged and chosen": {
        "alpha_weighted": "weighted by log₁₀ λmax",
        "alpha_median": "median over layers",
        "alpha_by_size": "mean weighted by layer size",
        "alpha_enough": "layers with 50 eigenvalues or more",
        "alpha_inner": "without first and last layer",
        "alpha_in_range": "layers with alpha in 2 to 6",
        "alpha_depthwise": "depthwise convolutions only",
        "alpha_pointwise": "1 × 1 convolutions only",
        "alpha_conv": "other convolutions only",
        "alpha_dense": "dense layers only",
    },
    "how the spectrum is taken": {
        "alpha_other_layers": "the other rule for layers",
        "alpha_windows": "fit to windows of one size",
        "hill": "Hill estimator",
        "hill_windows": "Hill estimator on windows (FARMS)",
    },
    "nulls: noise instead of training": {
        "alpha_shuffled": "entries shuffled",
        "alpha_gaussian": "Gaussian noise, same shape",
        "alpha_over_shuffled": "alpha relative to shuffled (log)",
    },
    "without fit, training or network": {
        "log_norm": "log₁₀ Frobenius norm²",
        "log_spectral_norm": "log₁₀ λmax",
        "stable_rank": "stable rank",
        "untrained_alpha": "alpha of the untrained network",
        "random": "random numbers",
    },
}
"""The other ways to compute alpha and the baselines, as the rows of `alternatives` name them."""

NOTE_LABELS = {
    Note.NOT_IN_STUDY: "not in this study",
    Note.ONE_MODEL_PER_VARIANT: "no variant has several models",
    Note.NO_VALUES: "no model has all values",
    Note.TOO_FEW_MODELS: "fewer than 3 models",
    Note.TOO_FEW_UNITS: "fewer than 3 independent units",
    Note.TOO_FEW_GROUPS: "fewer than two groups with two units",
    Note.ONE_FAMILY: "one family",
    Note.METRIC_CONSTANT: "metric constant",
    Note.QUALITY_CONSTANT: "quality constant",
    Note.RECIPES_MIXED: "recipes are mixed",
    Note.NO_INTERVAL_SMALL_N: "fewer than 5: no interval",
    Note.PERFECT_CORRELATION: "of plus or minus 1: no interval",
    Note.RESAMPLES_DO_NOT_VARY: "resamples do not vary",
    Note.SIZE_CONSTANT: "size is constant",
    Note.TOO_FEW_UNITS_FOR_PARTIAL: "fewer than 4 independent units",
    Note.ORDERED_BY_SIZE: "metric or quality is ordered by size",
    Note.NO_LARGE_GROUP: "no group with more than 3 units",
    Note.ONE_GROUP: "one group",
    Note.GROUPS_SHARE_RECIPES: "groups share recipes",
    Note.PERFECT_GROUPS_LEFT_OUT: "groups of plus or minus 1 left out",
    Note.NO_FAMILY_CORRELATION: "no family with a correlation of its own",
    Note.TOO_FEW_FAMILY_CORRELATIONS: "fewer than 5 families with a correlation",
    Note.TOO_FEW_RESAMPLES: "too few resamples with a correlation",
    Note.TOO_FEW_FOR_MIXED_MODEL: "fewer than 5 groups or 10 units",
    Note.NOT_WITHIN_AND_BETWEEN: "varies only within or between groups",
    Note.NOT_HELD_FIXED: "size or depth not held fixed",
    Note.NO_RANDOM_EFFECTS: "no random effects",
    Note.NO_TWO_RECIPES: "no two recipes of one variant",
    Note.METRIC_CONSTANT_WITHIN_VARIANTS: "metric constant within variants",
    Note.QUALITY_CONSTANT_WITHIN_VARIANTS: "quality constant within variants",
    Note.TOO_FEW_PAIRS: "fewer than 5 recipes or 10 pairs",
    Note.TOO_FEW_REARRANGEMENTS: "too few rearrangements",
    Note.TOO_FEW_SETTINGS: "too few settings",
    Note.NO_REPLICATES: "no second seeds",
    Note.NO_SPREAD_BEYOND_SEEDS: "no spread beyond seeds",
    Note.NO_METRIC: "no metric",
    Note.TOO_FEW_FAMILIES: "too few families",
    Note.TOO_FEW_UNITS_TO_PREDICT: "too few independent units",
    Note.PREDICTOR_CONSTANT: "predictor constant",
    Note.METRICS_LEFT_OUT: "metrics left out for missing values",
    Note.FAMILIES_LEFT_OUT_ALONE: "each family left out alone",
    Note.FAMILIES_LEFT_OUT_IN_GROUPS: "families left out in groups",
    Note.NO_PAIRS: "no pairs",
    Note.TOO_FEW_FAMILIES_WITH_PAIRS: "fewer than 5 families with pairs",
    Note.EQUAL_TO_ALPHA: "equal to alpha in all models",
    Note.ALPHA_CONSTANT: "alpha constant",
    Note.NULL_CONSTANT: "null constant",
    Note.TOO_FEW_VARIANTS: "fewer than 3 variants",
    Note.CANDIDATE_CONSTANT: "candidate constant",
    Note.CORRELATION_CONSTANT: "correlation constant",
    Note.TOO_FEW_FAMILIES_FOR_P: "fewer than 3 families",
}
"""The notes of the statistics where figures give them."""
