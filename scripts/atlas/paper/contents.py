"""What the paper consists of: its variables, tables and texts, and who makes each.

It computes no statistics; it selects, formats and words what is there.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping

from atlas.findings import outcome
from atlas.findings.results import Results, number_of, value
from atlas.fits.metrics import LARGE, RANGE, layer_counts
from atlas.paper import (
    alternatives,
    appendix,
    comparisons,
    data,
    failed_fits,
    heterogeneity,
    mixed,
    pairs,
    prediction,
    shape,
    size,
    verdicts,
)
from atlas.paper import controls as paper_controls
from atlas.paper.alternatives import (
    alternative_differences_table,
    alternatives_table,
    found_alternatives,
    null_findings,
)
from atlas.paper.appendix import config_hash, excluded_text, renderer_text
from atlas.paper.cells import share
from atlas.paper.comparisons import results_text
from atlas.paper.controls import controls_text
from atlas.paper.data import counted, data_text
from atlas.paper.explanations import (
    explanations_more_table,
    explanations_table,
    explanations_text,
    main_candidates,
)
from atlas.paper.failed_fits import failed_layers
from atlas.paper.markdown import (
    MISSING,
    count,
    escape,
    integer,
    number,
    p_value,
    percent,
    scientific,
)
from atlas.paper.methods import (
    engine_text,
    escape_title,
    excluded_words,
    expectation,
    experiment_list,
    layers_text,
    reference_text,
    replicates_text,
    small_groups_text,
    weightwatcher_versions,
)
from atlas.paper.mixed import found_mixed, mixed_table
from atlas.paper.pairs import found_pairs, pairs_table
from atlas.paper.prediction import found_predictions, prediction_table
from atlas.paper.shape import found_shapes, shape_table
from atlas.paper.traits import TRAITS, traits_table
from atlas.terms import keys, words
from atlas.terms.keys import BCA_FROM, FISHER_FROM
from atlas.terms.words import Text


def compose(study: Results, parts: Mapping[str, str]) -> dict[str, str]:
    """The generated files of the paper's source folder: path and text.

    ``parts`` are sections that only some studies have: name and text, empty where this one has not.
    """
    made = {
        "collections": data.collections_table(study),
        "zoo": data.zoo_table(study),
        "recipes": data.recipes_table(study),
        "answers": comparisons.answers_table(study),
        "a": comparisons.comparison_table(study, "a"),
        "b": comparisons.families_table(study),
        "c": comparisons.comparison_table(study, "c"),
        "meta": heterogeneity.meta_table(study),
        "metrics": size.metrics_table(study),
        "family_metrics": size.family_metrics_table(study),
        "qualities": size.qualities_table(study),
        "controls": paper_controls.controls_table(study),
        "layers": failed_fits.layers_table(study),
        "models": appendix.models_table(study),
        "sources": appendix.sources_list(study),
        "variants": comparisons.variants_table(study),
        "audit": appendix.audit_table(study),
        "provenance": appendix.provenance_table(study),
        "versions": appendix.versions_table(study),
        **tables(study),
    }
    said = {
        "data": data_text(study),
        "results_a": results_text(study, "a"),
        "results_b": results_text(study, "b"),
        "results_c": results_text(study, "c"),
        "control_results": controls_text(study),
        "excluded": excluded_text(study),
        **texts(study),
    }
    files = {f"tables/{name}.md": text for name, text in made.items()}
    files |= {f"text/{name}.md": text for name, text in (parts | said).items()}
    return {"_variables.yml": variables_yaml(variables(study)), **files}


def variables_yaml(values: Mapping[str, str]) -> str:
    """`_variables.yml`: every value a quoted text, so that no renderer reads it as a number."""
    assert all(isinstance(text, str) and text for text in values.values())
    return "".join(
        f"{name}: {json.dumps(text, ensure_ascii=False)}\n" for name, text in sorted(values.items())
    )


ABSTRACT = (
    "counted",
    "verdict_a",
    "verdict_b",
    "verdict_c",
    "verdict_size",
    "verdict_controls",
    "verdict_overall",
    "verdict_why",
    "verdict_use",
)
"""The sentences of the abstract, which is also in German."""


def variables(study: Results) -> dict[str, str]:
    """Every number and every chosen sentence of the paper's own text, by name."""
    config, options = study.config, study.options
    models, controls = len(study.each), len(study.each) - len(study.trained)
    families = len({(row["collection"], row["family"]) for row in study.trained})
    answers = list(study.answers.values())
    findings = study.control_findings
    metric = words.metric_of(study.metric)
    coverage = sorted(c for row in study.each if (c := value(row, "coverage")) is not None)
    layers = layer_counts(study.layers)
    audited = [number_of(row, "largest_difference") for row in study.audit]
    permutations = options["permutations"]

    said: dict[str, Text | str] = {
        "verdict_a": comparisons.verdict("a", answers, study.confidence),
        "verdict_b": comparisons.verdict("b", answers, study.confidence),
        "verdict_c": comparisons.verdict("c", answers, study.confidence),
        "verdict_size": size.verdict_size(answers),
        "verdict_families": heterogeneity.verdict_families(
            answers, outcome.level_of(study.confidence)
        ),
        "verdict_treatment": failed_fits.verdict_treatment(answers),
        "verdict_controls": paper_controls.verdict_controls(findings, study.metric),
        "verdict_overall": verdicts.verdict_overall(answers),
        "verdict_use": verdicts.verdict_use(answers, findings),
        "counted": counted(study),
        **why_variables(study),
    }
    result = {name: text if isinstance(text, str) else text.en for name, text in said.items()}
    result |= {
        f"{name}_de": text.de
        for name, text in said.items()
        if name in ABSTRACT and not isinstance(text, str)
    }
    result |= {
        "title": escape_title(config["title"]),
        "subtitle": f"Study {escape(config['study'])}"
        + (f", {escape(config['date'])}" if config.get("date") else ""),
        "study": escape(config["study"]),
        "metric": metric.en,
        "metric_de": metric.de,
        "expectation": expectation(metric),
        "models": count(models, "model"),
        "trained": count(len(study.trained), "trained model"),
        "controls": count(controls, "untrained control"),
        "families": count(families, "family", "families"),
        "excluded": excluded_words(len(study.excluded)),
        "listed": count(models + len(study.excluded), "model"),
        "failed_layers": failed_layers(layers["failed"], layers["all"]),
        "small_share": share(layers["small"], layers["sized"]),
        "short_share": share(layers["short"], layers["tailed"]),
        "outside_share": share(layers["outside"], layers["fitted"]),
        "large": integer(LARGE),
        "coverage_median": percent(statistics.median(coverage)) if coverage else MISSING,
        "coverage_lowest": percent(coverage[0]) if coverage else MISSING,
        "range_low": integer(RANGE[0]),
        "range_high": integer(RANGE[1]),
        "min_evals": integer(config["weightwatcher"]["min_evals"]),
        "max_evals": integer(config["spectra"]["max_evals"]),
        "layers_taken": layers_text(config["spectra"]["layers"]),
        "engine": engine_text(config["weightwatcher"]["engine"]),
        "weightwatcher_version": weightwatcher_versions(study, published=False),
        "published": count(sum(row["source"] == "published" for row in study.each), "model"),
        "published_versions": weightwatcher_versions(study, published=True),
        "permutations": integer(permutations),
        "smallest_p": p_value(1 / (permutations + 1))
        if permutations > 998
        else number(1 / (permutations + 1), 3),
        "bootstrap": integer(options["bootstrap"]),
        "confidence": percent(study.confidence),
        "level": number(1 - study.confidence),
        "power": percent(keys.POWER),
        "seed": str(options["seed"]),
        "reference_recipe": reference_text(options["reference_recipe"]),
        "replicates": replicates_text(options["seeds_are_replicates"]),
        "audited": count(len(study.audit), "model"),
        "audited_layers": count(sum(int(row["layers"]) for row in study.audit), "layer"),
        "audited_agree": integer(sum(int(row["agree"]) for row in study.audit)),
        "audited_worst": scientific(max(audited, default=math.nan)),
        "tolerance": scientific(config["audit"]["tolerance"]),
        "bca_from": integer(BCA_FROM),
        "fisher_from": integer(FISHER_FROM),
        "small_groups": small_groups_text(study),
        "renderer": renderer_text(*study.renderer),
        "config_hash": config_hash(config)[:16],
    }
    return result


def why_variables(study: Results) -> dict[str, str | Text]:
    """The sentences of the paper's own text that this module knows, by name."""
    confidence = study.confidence
    tried = found_alternatives(study)
    shapes, tested = found_shapes(study), null_findings(tried)
    rows = [row for p in study.partitions for row in study.group_rows(p, "b")]
    detectable = [number_of(row, "detectable_pearson") for row in rows]
    untested = sum(not math.isfinite(value) for value in detectable)
    return {
        "verdict_pairs": pairs.verdict_pairs(found_pairs(study), study.metric, confidence),
        "verdict_mixed": " ".join(
            mixed.verdict_mixed(
                found_mixed(study, comparison), study.metric, comparison, confidence
            )
            for comparison in ("b", "c")
        ),
        "verdict_prediction": prediction.verdict_prediction(
            found_predictions(study), study.metric, confidence
        ),
        "verdict_shape": shape.verdict_shape(shapes, tested, confidence),
        "shape_alone": shape.shape_alone(shapes, tested),
        "verdict_alternatives": alternatives.verdict_alternatives(tried),
        "verdict_explanations": explanations_text(study),
        "verdict_why": verdicts.verdict_why(
            main_candidates(study), tried, shapes, tested, study.metric
        ),
        "power_families": heterogeneity.power_of_groups(detectable, untested, keys.POWER),
        "enough_eigenvalues": alternatives.against_alpha("alpha_enough", tried),
        "other_layers": alternatives.against_alpha("alpha_other_layers", tried),
    }


def tables(study: Results) -> dict[str, str]:
    """The tables of this module by the name of their file."""
    return {
        "c_pairs": pairs_table(study),
        "mixed": mixed_table(study),
        "prediction": prediction_table(study),
        "shape": shape_table(study),
        "alternatives": alternatives_table(study),
        "alternative_differences": alternative_differences_table(study),
        "explanations": explanations_table(study),
        "explanations_more": explanations_more_table(study),
        **{f"traits_{part}": traits_table(study, part) for part in TRAITS},
    }


def texts(study: Results) -> dict[str, str]:
    """The texts of this module by the name of their file."""
    return {"experiment_list": experiment_list(study)}
