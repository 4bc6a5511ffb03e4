"""Keys and limits that several stages share: columns, comparisons, thresholds. No words."""

from __future__ import annotations

POWER = 0.8
"""The probability of finding a correlation as strong as the statistics' `detectable_pearson`."""

FACTOR = "factor_"
"""What the names of columns begin with that hold what was varied in training: factor_batch_size."""

SIZE = "log_parameters"
LOWER_IS_BETTER = frozenset({"error", "generalization_gap", "perplexity"})
TREATMENTS = ("dropped", "stored")
INTERVAL_FROM = 5  # units from which a correlation has an interval
PARTITION = ["collection", "dataset", "weightwatcher_version"]
GROUPING = ["comparison", "scope", "family", "variant"]
MEASURE = ["metric", "quality_metric", "treatment"]
NAMES = [*PARTITION, "model", "family", "variant", "recipe", "seed", "quality_metric"]
SCOPES = {"a": "families", "b": "within", "c": "within"}
COMPARISONS = {"a": "(a)", "b": "(b)", "c": "(c)"}
