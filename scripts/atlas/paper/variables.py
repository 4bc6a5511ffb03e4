"""The variables of the paper's own text: every number and every chosen sentence in it.

Each is made of the study alone, in any order. Nothing is computed here that is a statistic.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from atlas.findings.outcome import level_of
from atlas.findings.results import Results, kept, number_of, value
from atlas.fits.metrics import LARGE, RANGE, layer_counts
from atlas.paper import (
    alternatives,
    appendix,
    comparisons,
    controls,
    data,
    failed_fits,
    heterogeneity,
    methods,
    mixed,
    pairs,
    prediction,
    shape,
    size,
    verdicts,
)
from atlas.paper.alternatives import found_alternatives, null_findings
from atlas.paper.cells import share
from atlas.paper.explanations import explanations_text, main_candidates
from atlas.paper.markdown import (
    MISSING,
    count,
    escape,
    integer,
    listing,
    number,
    percent,
    scientific,
)
from atlas.paper.shape import found_shapes
from atlas.terms import words
from atlas.terms.keys import INTERVAL_FROM, POWER
from atlas.terms.words import Text


def values(study: Results) -> dict[str, str]:
    """Every variable of the paper, by name."""
    return {name: make(study) for name, make in VARIABLES.items()}


def _answers(study: Results) -> list:
    return list(study.answers.values())


def _each(say: Callable[[list], Text]) -> Callable[[Results], Text]:
    """A sentence for each primary metric."""

    def said(study: Results) -> Text:
        found = [say(list(study.answers_to(metric).values())) for metric in study.metrics]
        return Text(*(" ".join(dict.fromkeys(texts)) for texts in zip(*found, strict=True)))

    return said


@kept
def _nulls(study: Results) -> dict:
    return null_findings(found_alternatives(study))


@kept
def _layers(study: Results) -> dict[str, int]:
    return layer_counts(study.layers)


def _coverage(study: Results, choose: Callable[[list[float]], float]) -> str:
    known = [c for row in study.each if (c := value(row, "coverage")) is not None]
    return percent(choose(known)) if known else MISSING


def _subtitle(study: Results) -> str:
    date = study.config.get("date")
    return f"Study {escape(study.config['study'])}" + (f", {escape(date)}" if date else "")


def _verdict_mixed(study: Results) -> str:
    return mixed.verdict_mixed(mixed.found_mixed(study), study.metric, study.confidence)


def _power_families(study: Results) -> str:
    rows = [row for p in study.partitions for row in study.group_rows(p, "b")]
    detectable = [number_of(row, "detectable_pearson") for row in rows]
    untested = sum(not math.isfinite(value) for value in detectable)
    return heterogeneity.power_of_groups(detectable, untested, POWER)


ABSTRACT: dict[str, Callable[[Results], Text]] = {
    "counted": data.counted,
    "verdict_a": lambda study: comparisons.verdict("a", study.all_answers, study.confidence),
    "verdict_b": lambda study: comparisons.verdict("b", study.all_answers, study.confidence),
    "verdict_c": lambda study: comparisons.verdict("c", study.all_answers, study.confidence),
    "verdict_size": _each(size.verdict_size),
    "verdict_strongest": size.verdict_strongest,
    "verdict_controls": lambda study: controls.verdict_controls(
        study.control_findings, study.metric
    ),
    "verdict_overall": _each(verdicts.verdict_overall),
    "verdict_why": lambda study: verdicts.verdict_why(
        main_candidates(study),
        found_alternatives(study),
        found_shapes(study),
        _nulls(study),
        study.metric,
    ),
    "verdict_use": lambda study: _each(
        lambda answers: verdicts.verdict_use(answers, study.control_findings)
    )(study),
}
"""The sentences of the abstract, which is also in German: a variable of the name, another in _de."""

VARIABLES: dict[str, Callable[[Results], str]] = {
    **{name: lambda study, say=say: say(study).en for name, say in ABSTRACT.items()},
    **{f"{name}_de": lambda study, say=say: say(study).de for name, say in ABSTRACT.items()},
    # Sentences that the results choose
    "verdict_families": lambda study: (
        heterogeneity.verdict_families(_answers(study), level_of(study.confidence)).en
    ),
    "verdict_treatment": lambda study: failed_fits.verdict_treatment(_answers(study)).en,
    "verdict_pairs": lambda study: pairs.verdict_pairs(
        pairs.found_pairs(study), study.metric, study.confidence
    ),
    "verdict_mixed": _verdict_mixed,
    "verdict_prediction": prediction.prediction_text,
    "verdict_shape": lambda study: shape.verdict_shape(
        found_shapes(study), _nulls(study), study.confidence
    ),
    "shape_alone": lambda study: shape.shape_alone(found_shapes(study), _nulls(study)),
    "verdict_alternatives": alternatives.alternatives_text,
    "verdict_explanations": explanations_text,
    "power_families": _power_families,
    "enough_eigenvalues": lambda study: alternatives.against_alpha(
        "alpha_enough", found_alternatives(study)
    ),
    "other_layers": lambda study: alternatives.against_alpha(
        "alpha_other_layers", found_alternatives(study)
    ),
    "small_groups": methods.small_groups_text,
    # Of the models
    "models": lambda study: count(len(study.each), "model"),
    "trained": lambda study: count(len(study.trained), "trained model"),
    "controls": lambda study: count(len(study.each) - len(study.trained), "untrained control"),
    "families": lambda study: count(
        len({(row["collection"], row["family"]) for row in study.trained}), "family", "families"
    ),
    "excluded": lambda study: methods.excluded_words(len(study.excluded)),
    "listed": lambda study: count(len(study.each) + len(study.excluded), "model"),
    "published": lambda study: count(
        sum(row["source"] == "published" for row in study.each), "model"
    ),
    "published_versions": lambda study: methods.weightwatcher_versions(study, published=True),
    "weightwatcher_version": lambda study: methods.weightwatcher_versions(study, published=False),
    # Of their layers
    "failed_layers": lambda study: failed_fits.failed_layers(
        _layers(study)["failed"], _layers(study)["all"]
    ),
    "small_share": lambda study: share(_layers(study)["small"], _layers(study)["sized"]),
    "short_share": lambda study: share(_layers(study)["short"], _layers(study)["tailed"]),
    "outside_share": lambda study: share(_layers(study)["outside"], _layers(study)["fitted"]),
    "coverage_median": lambda study: _coverage(study, statistics.median),
    "coverage_lowest": lambda study: _coverage(study, min),
    # Of the audit
    "audited": lambda study: count(len(study.audit), "model"),
    "audited_layers": lambda study: count(sum(int(row["layers"]) for row in study.audit), "layer"),
    "audited_agree": lambda study: integer(sum(int(row["agree"]) for row in study.audit)),
    "audited_worst": lambda study: scientific(
        max((number_of(row, "largest_difference") for row in study.audit), default=math.nan)
    ),
    "tolerance": lambda study: scientific(study.config["audit"]["tolerance"]),
    # Of the config
    "title": lambda study: methods.escape_title(study.config["title"]),
    "subtitle": _subtitle,
    "study": lambda study: escape(study.config["study"]),
    "config_hash": lambda study: appendix.config_hash(study.config)[:16],
    "metric": lambda study: words.metric_of(study.metric).en,
    "metrics": lambda study: listing([words.metric_of(m).en for m in study.metrics]),
    "metric_de": lambda study: words.metric_of(study.metric).de,
    "expectation": lambda study: methods.expectation(words.metric_of(study.metric)),
    "min_evals": lambda study: integer(study.config["weightwatcher"]["min_evals"]),
    "max_evals": lambda study: integer(study.config["spectra"]["max_evals"]),
    "layers_taken": lambda study: methods.layers_text(study.config["spectra"]["layers"]),
    "engine": lambda study: methods.engine_text(study.config["weightwatcher"]["engine"]),
    "permutations": lambda study: integer(study.options["permutations"]),
    "bootstrap": lambda study: integer(study.options["bootstrap"]),
    "confidence": lambda study: percent(study.confidence),
    "level": lambda study: number(1 - study.confidence),
    "seed": lambda study: str(study.options["seed"]),
    "reference_recipe": lambda study: methods.reference_text(study.options["reference_recipe"]),
    "replicates": lambda study: methods.replicates_text(study.options["seeds_are_replicates"]),
    # The same in every study
    "large": lambda _: integer(LARGE),
    "range_low": lambda _: integer(RANGE[0]),
    "range_high": lambda _: integer(RANGE[1]),
    "power": lambda _: percent(POWER),
    "interval_from": lambda _: integer(INTERVAL_FROM),
    "renderer": lambda study: appendix.renderer_text(*study.renderer),
}
