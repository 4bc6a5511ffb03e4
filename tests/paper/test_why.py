"""What explains the correlations: from the tables to the words."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.decided import (
    COLUMNS,
    FAST,
    made,
    table,
    with_tables,
)
from helpers.papers import (
    QMD,
    compose,
    degenerate,
    models_frame,
    study,
    text_of,
    used_variables,
)
from helpers.stages import compute

from atlas.findings import results
from atlas.paper import variables
from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics import correlations as statistics_correlations
from atlas.statistics import options as statistics_options
from atlas.terms.words import METRICS


@pytest.fixture(scope="module")
def unclear():
    families = ("mlp", "resnet")
    return study(models_frame(0, families=families, noise=3, package=False), config=FAST)


@pytest.fixture(scope="module")
def expected(unclear):
    return with_tables(unclear, **made(-1))


@pytest.fixture(scope="module")
def reversed_(unclear):
    return with_tables(unclear, **made(+1))


def test_every_alternative_has_a_name():
    assert set(statistics_alternatives.ALTERNATIVES) <= set(METRICS)


def test_flipping_the_tables_flips_the_words(expected, reversed_):
    minus, plus = (variables.values(given) for given in (expected, reversed_))
    for name, words in {
        "verdict_pairs": ("with the smaller alpha is the better", "with the larger alpha is the"),
        "verdict_mixed": (
            "Inside families, smaller alpha goes",
            "Inside families, larger alpha goes",
        ),
        "verdict_prediction": (
            "is the better one more often than chance",
            "is the better one less often than chance",
        ),
        "verdict_shape": ("runs against that of", "alpha goes with that of"),
        "verdict_alternatives": ("comes back in 1 of 1 test", "None brings the expected relation"),
        "verdict_explanations": ("the lower the correlation", "the higher the correlation"),
        "verdict_why": ("another alpha does in 1 of 1 test", "No other alpha brings"),
    }.items():
        texts = [getattr(text[name], "en", text[name]) for text in (minus, plus)]
        for text, here, other in zip(texts, words, reversed(words), strict=True):
            assert here.casefold() in text.casefold(), (name, text)
            assert other.casefold() not in text.casefold(), (name, text)


def test_what_stands_in_the_tables(expected):
    files = compose(expected)
    assert "0.80 \\[0.70,\u00a00.90\\]" in files["tables/c_pairs.md"]
    assert files["tables/c_pairs.md"].count("| zoo | all, failed fits ") == 2
    assert "| zoo | mlp |" in files["tables/c_pairs.md"]
    assert "| zoo | nothing | 30 in 5 |" in files["tables/mixed.md"]
    assert "| zoo | size, depth | 30 in 5 |" in files["tables/mixed.md"]
    assert "| zoo | $\\alpha$ | 15 | 5 |" in files["tables/prediction.md"]
    assert "25% \\[16%,\u00a036%\\]" in files["tables/shape.md"]
    assert "| zoo | Hill | **-0.50" in files["tables/alternatives.md"]
    assert "**-0.30**" in files["tables/alternatives.md"]
    assert "**-0.30 \\[-0.40" in files["tables/alternative_differences.md"]
    assert (
        "| all collections | Longer side of the matrices | 5 |" in files["tables/explanations.md"]
    )
    assert "**$\\eta^2$ = 0.60**" in files["tables/explanations.md"]
    assert "KS distance" not in files["tables/explanations.md"]  # those of one collection
    assert "| zoo | mlp | 0.10 |" in files["tables/traits_shapes.md"]
    assert "resnet" not in files["tables/traits_shapes.md"]  # nothing is known about it


@pytest.mark.parametrize(
    ("low", "high", "holds"), [(0.2, 0.6, True), (-0.1, 0.6, False), (None, None, False)]
)
def test_a_sign_holds_if_it_stays_whichever_family_is_left_out(reversed_, low, high, holds):
    rows = made(+1)["explanations"].iloc[:1].assign(left_out_low=low, left_out_high=high)
    given = with_tables(reversed_, explanations=rows)
    text = variables.values(given)["verdict_explanations"]
    assert ("Whichever family is left out, the sign stays" in text) == holds
    assert ("No sign stays the same" in text) != holds


def test_a_single_collection_stands_for_itself(expected):
    alone = table("explanations", *made()["explanations"].iloc[2:].to_dict("records"))
    given = with_tables(expected, explanations=alone)
    assert "| zoo | KS distance of the fits |" in compose(given)["tables/explanations.md"]


def test_what_is_decided_in_one_collection_is_not_hidden(expected):
    rows = made()["explanations"]
    rows.loc[2, "kendall_p_bh"] = 0.001
    given = with_tables(expected, explanations=rows)
    more = "tables/explanations_more.md"
    assert "| zoo | (b) families | KS distance of the fits |" in compose(given)[more]
    assert "KS distance" not in compose(expected)[more]


def test_an_alternative_that_is_alpha_is_called_the_same(expected):
    rows = made()["alternatives"].assign(equal=15)
    assert (rows["units"] < rows["n"]).all()  # seeds are averaged: units count
    given = with_tables(expected, alternatives=rows)
    assert "| same |" in compose(given)["tables/alternatives.md"]
    assert "Equal to alpha in every model" in variables.values(given)["verdict_alternatives"]


def test_small_families_are_marked_and_others_say_what_they_could_have_shown():
    large = compose(study(models_frame(sizes=6, recipes=("baseline",), control=False)))
    small = compose(study(models_frame(sizes=3, recipes=("baseline",), control=False)))
    assert "†" not in large["tables/b.md"].split("efficientnet")[0]
    assert "| zoo | mlp | 3\u00a0† |" in small["tables/b.md"]
    assert "Detectable" in small["tables/b.md"]
    assert "a family would have shown a Pearson correlation" in large["_variables.yml"]
    assert "No family is large enough" in small["_variables.yml"]


def with_experiments(models: pd.DataFrame) -> pd.DataFrame:
    """The models with traits and alternatives of alpha: a null of the shape, and Hill's exponent."""
    if models.empty:
        return models
    rng = np.random.default_rng(3)
    shift = rng.normal(0, 0.05, len(models))
    return models.assign(
        hill=models["alpha"] / 2 + shift,
        alpha_enough=models["alpha"],
        alpha_shuffled=5 + models["parameters"] / 1e5 + shift,
        N_median=models["parameters"] / 100,
        D=0.05 + shift / 10,
        alpha_2_to_6=0.8,
    )


def computed(models: pd.DataFrame) -> results.Results:
    options = statistics_options.Options.from_config(FAST["statistics"])
    models = with_experiments(models)
    given = study(models, config=FAST)
    correlations = statistics_correlations.correlations(models, options)
    new = {name: compute(name, models, options, correlations) for name in COLUMNS}
    return with_tables(given, **new)


@pytest.mark.parametrize(("slope", "way"), [(-1, "smaller"), (+1, "larger")])
def test_flipping_the_data_flips_the_words(slope, way):
    # Two sizes: too few models for a forest, which would take long.
    given = computed(models_frame(slope, sizes=2, noise=0.02, control=False, package=False))
    said = variables.values(given)
    assert f"with the {way} alpha is the better one more often" in said["verdict_pairs"]
    assert f"Inside families, {way} alpha goes with better models" in said["verdict_mixed"]
    assert "Alpha of the large layers is equal to alpha" in said["enough_eigenvalues"]
    files = compose(given)
    for name in ("c_pairs", "mixed", "prediction", "shape", "alternatives", "traits_shapes"):
        assert "| zoo |" in files[f"tables/{name}.md"], name


SILENT = {
    "no model": ("pairs", "mixed", "prediction", "shape", "alternatives", "explanations", "why"),
    "one model": ("pairs", "mixed", "prediction", "alternatives", "explanations", "why"),
    "one family": ("mixed", "prediction", "explanations"),
    "equal qualities": ("mixed", "prediction", "alternatives", "explanations"),
    "no quality": ("pairs", "mixed", "prediction", "alternatives", "explanations"),
    "no metric": ("pairs", "mixed", "prediction", "shape", "alternatives", "explanations", "why"),
    "only controls": ("pairs", "mixed", "prediction", "shape", "alternatives", "explanations"),
    "failed fits": (),
}
UNANSWERED = re.compile(
    "could not be (tested|fitted|compared)|was not measured|No variant has two|No alternative of"
)


@pytest.mark.parametrize("case", list(SILENT))
def test_a_degenerate_study_says_what_could_not_be_answered(case):
    models = degenerate()[case]
    given = computed(models)
    if models.empty:
        given = dataclasses.replace(given, config=given.config | {"zoo": {}})
    files = compose(given)
    text = text_of(files)
    assert not re.findall(r"\bnan\b|\bNone\b(?= [a-z]*[,.)])|\binf\b", text)
    assert set(yaml.safe_load(files["_variables.yml"])) >= used_variables(QMD)
    said = variables.values(given)
    for name in SILENT[case]:
        verdict = said[f"verdict_{name}"]
        assert UNANSWERED.search(getattr(verdict, "en", verdict)), (name, verdict)
