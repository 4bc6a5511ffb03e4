"""The paper's words about pairs, mixed models, unseen families and explanations follow from results."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.stages import compute
from test_paper import (
    CONFIG,
    EMPTY,
    OPTIONS,
    QMD,
    compose,
    degenerate,
    models_frame,
    row,
    rows_of,
    study,
    text_of,
    used_variables,
)

from atlas.findings import results
from atlas.findings.outcome import Effect, Finding, Outcome, effect, judge
from atlas.paper import alternatives as paper_alternatives
from atlas.paper import (
    contents,
    explanations,
    heterogeneity,
    methods,
    mixed,
    pairs,
    prediction,
    verdicts,
)
from atlas.paper import shape as paper_shape
from atlas.paper.alternatives import Tried
from atlas.paper.explanations import Candidate
from atlas.paper.mixed import Mixed
from atlas.paper.pairs import Pairs
from atlas.paper.prediction import Predicted
from atlas.paper.shape import Shape
from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics import correlations as statistics_correlations
from atlas.statistics import explanations as statistics_explanations
from atlas.statistics import mixed as statistics_mixed
from atlas.statistics import options as statistics_options
from atlas.statistics import pairs as statistics_pairs
from atlas.statistics import prediction as statistics_prediction
from atlas.statistics import shape as statistics_shape
from atlas.statistics import traits
from atlas.terms import words as terms_words
from atlas.terms.words import METRICS

MINUS = Effect(Outcome.NEGATIVE, 0.2, 0.1, 0.3, 0.001)
PLUS = Effect(Outcome.POSITIVE, 0.8, 0.7, 0.9, 0.001)
OPEN = Effect(Outcome.OPEN, 0.55, 0.4, 0.7, 0.4)
FEW = Effect(Outcome.FEW, 0.6)
NONE = Effect(Outcome.NONE)
SMALLER, LARGER = judge(row(), 0.95), judge(row(0.5, 0.2, 0.7), 0.95)
UNCLEAR = judge(row(-0.1, -0.5, 0.3, 0.6), 0.95)
TOO_FEW = judge(row(low=None, high=None, interval=""), 0.95)


# --- an estimate beside chance --------------------------------------------------------------------


def given(value, low, high, p="absent") -> dict[str, str]:
    cells = {"x": value, "x_low": low, "x_high": high} | ({} if p == "absent" else {"x_p": p})
    return {key: "" if cell is None else str(cell) for key, cell in cells.items()}


EQUAL = {"note": "no interval for x whose resamples do not vary"}


def test_findings_and_effects_are_decided_at_the_same_p_value():
    """1 - 0.9 is less than 0.1 in floating point."""
    cells = {"x": "-0.5", "x_low": "-0.7", "x_high": "-0.2", "x_p": "0.1", "interval": "bca"}
    assert judge(cells, 0.9, "x").outcome is effect(cells, "x", 0.9).outcome is Outcome.NEGATIVE
    above = cells | {"x_p": "0.100001"}
    assert judge(above, 0.9, "x").outcome is effect(above, "x", 0.9).outcome is Outcome.OPEN


@pytest.mark.parametrize(
    ("cells", "null", "outcome"),
    [
        (given(0.8, 0.6, 0.9, 0.01), 0.5, Outcome.POSITIVE),
        (given(0.2, 0.1, 0.4, 0.01), 0.5, Outcome.NEGATIVE),
        (given(0.2, 0.1, 0.4, 0.01), 0.0, Outcome.POSITIVE),
        (given(0.8, 0.6, 0.9, 0.2), 0.5, Outcome.OPEN),
        (given(0.8, 0.6, 0.9, None), 0.5, Outcome.OPEN),  # a p value that could not be computed
        (given(0.8, 0.6, 0.9), 0.5, Outcome.POSITIVE),  # a table without p values
        (given(0.6, 0.4, 0.9, 0.01), 0.5, Outcome.OPEN),
        (given(0.4, 0.1, 0.6, 0.01), 0.5, Outcome.OPEN),
        (given(0.6, None, None, 0.01), 0.5, Outcome.FEW),
        (given(1.0, None, None, 0.01) | EQUAL, 0.5, Outcome.POSITIVE),
        (given(0.0, None, None, 0.01) | EQUAL, 0.5, Outcome.NEGATIVE),
        (given(1.0, None, None, 0.2) | EQUAL, 0.5, Outcome.OPEN),
        (given(1.0, None, None) | EQUAL, 0.5, Outcome.POSITIVE),
        (given(1.0, None, None) | {"note": "fewer than 5 families"}, 0.5, Outcome.FEW),
        (given(None, None, None, None), 0.5, Outcome.NONE),
        (None, 0.5, Outcome.NONE),
    ],
)
def test_an_effect_is_decided_by_interval_and_p_value(cells, null, outcome):
    assert effect(cells, "x", 0.95, null).outcome is outcome


# --- pairs ----------------------------------------------------------------------------------------


def pair(concordance, gain=OPEN, name="zoo") -> Pairs:
    return Pairs(name, concordance, gain, 150, "accuracy")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "No variant has two trainings"),
        ([pair(NONE)], "No variant has two trainings"),
        ([pair(PLUS)], "the smaller alpha is the better one more often than by chance for zoo"),
        ([pair(PLUS)], "in 80% of 150 pairs, 95% CI \\[70%,\u00a090%\\]"),
        ([pair(MINUS)], "the larger alpha is the better one more often than by chance for zoo"),
        ([pair(MINUS)], "against the theory"),
        ([pair(OPEN)], "it stays open whether the one with the smaller alpha"),
        ([pair(FEW)], "too few pairs for a conclusion for zoo"),
        ([pair(PLUS), pair(NONE, name="lite")], "there is no pair to compare for lite"),
    ],
)
def test_pairs_verdict(found, words):
    assert words in pairs.verdict_pairs(found, "alpha", 0.95)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (
            Effect(Outcome.POSITIVE, 1.5, 0.5, 2.5),
            "gains 1.50 percentage points over a random choice",
        ),
        (Effect(Outcome.NEGATIVE, -1.5, -2.5, -0.5), "loses 1.50 percentage points"),
        (Effect(Outcome.NEGATIVE, -1.5, -2.5, -0.5), "\\[0.50,\u00a02.50\\]"),
        (Effect(Outcome.OPEN, 0.2, -1, 1.4), "which includes zero"),
    ],
)
def test_what_choosing_gains(gain, words):
    assert words in pairs.verdict_pairs([pair(PLUS, gain)], "alpha", 0.95)


def test_a_gain_without_a_known_unit_is_in_units_of_quality():
    text = pairs.verdict_pairs([pair(PLUS)._replace(quality="perplexity")], "alpha", 0.95)
    assert "units of quality" in text
    assert "percentage points" not in text


# --- mixed models ---------------------------------------------------------------------------------


def model(within, between=OPEN, difference=OPEN, adjusted=OPEN) -> Mixed:
    return Mixed("zoo", within, between, difference, adjusted)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "could not be fitted"),
        ([model(NONE)], "could not be fitted"),
        ([model(MINUS)], "Inside families, smaller alpha goes with better models for zoo (slope"),
        ([model(PLUS)], "Inside families, larger alpha goes with better models for zoo"),
        ([model(OPEN)], "Inside families, the direction stays open for zoo"),
        ([model(OPEN, MINUS)], "means of families, smaller alpha goes with better models for zoo"),
        ([model(OPEN, PLUS)], "means of families, larger alpha goes with better models for zoo"),
        ([model(OPEN, difference=PLUS)], "two effects differ by more than chance for zoo"),
        ([model(OPEN, difference=MINUS)], "two effects differ by more than chance for zoo"),
        ([model(OPEN)], "No difference between the two effects beyond chance is found for zoo"),
        ([model(MINUS, adjusted=MINUS)], "the effect inside families stays for zoo"),
        ([model(MINUS, adjusted=PLUS)], "the effect inside families turns round for zoo"),
        ([model(MINUS, adjusted=OPEN)], "the effect inside families is no longer clear for zoo"),
        ([model(MINUS, adjusted=NONE)], "the effect inside families cannot be tested for zoo"),
        ([model(OPEN, adjusted=PLUS)], "larger alpha goes with better models inside families"),
        ([model(OPEN, adjusted=OPEN)], "the direction inside families stays open for zoo"),
    ],
)
def test_mixed_verdict(found, words):
    assert words in mixed.verdict_mixed(found, "alpha", "b", 0.95)


def test_mixed_verdict_of_trainings_speaks_of_variants():
    text = mixed.verdict_mixed([model(MINUS)], "alpha", "c", 0.95)
    assert "Inside variants, smaller alpha" in text
    assert "famil" not in text


# --- families never seen --------------------------------------------------------------------------


def predicted(own, size=OPEN) -> Predicted:
    return Predicted("zoo", own, size)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "could not be tested"),
        ([predicted(NONE)], "could not be tested"),
        ([predicted(FEW)], "too few families for an interval for zoo"),
        ([predicted(PLUS)], "alpha puts pairs of models in the right order more often than chance"),
        ([predicted(MINUS)], "in the right order less often than chance for zoo (20% of pairs"),
        ([predicted(OPEN)], "not clearly more or less often than chance for zoo"),
        ([predicted(PLUS, MINUS)], "Alpha is the better of the two for zoo"),
        ([predicted(MINUS, PLUS)], "Size is the better of the two for zoo"),
        (
            [predicted(Effect(Outcome.POSITIVE, 1.0), OPEN)],
            "Alpha is the better of the two for zoo",
        ),
        (
            [predicted(Effect(Outcome.POSITIVE, 1.0))],
            "order more often than chance for zoo (100% of",
        ),
        ([predicted(OPEN, OPEN)], "Which of the two is better stays open for zoo"),
        (
            [predicted(Effect(Outcome.OPEN, 0.8, 0.7, 0.9, 0.2), OPEN)],
            "Which of the two is better stays open for zoo",
        ),
    ],
)
def test_prediction_verdict(found, words):
    text = prediction.verdict_prediction(found, "alpha", 0.95)
    assert words in text or words in text[0].upper() + text[1:]


# --- shape ----------------------------------------------------------------------------------------


def shape(finding, level="variants", null="alpha_shuffled", name="zoo") -> Shape:
    return Shape(name, null, level, finding)


def test_how_much_of_a_null_its_draws_leave_is_said_where_it_is_known():
    known = shape(LARGER)._replace(reliability=0.62)
    text = paper_shape.verdict_shape([known, shape(LARGER, "families")], {}, 0.95)
    assert "other draws of the null would show 62% for zoo again" in text
    assert "other draws" not in paper_shape.verdict_shape([shape(LARGER)], {}, 0.95)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "was not measured in this study"),
        (
            [shape(LARGER)],
            "Between variants, alpha goes with that of the permuted matrices for zoo",
        ),
        ([shape(LARGER)], "25% of the differences in alpha, 95% CI \\[4%,\u00a049%\\]"),
        ([shape(SMALLER)], "alpha runs against that of the permuted matrices for zoo"),
        ([shape(UNCLEAR)], "no clear relation of alpha with that of the permuted matrices"),
        ([shape(TOO_FEW)], "too few to set alpha against that of the permuted matrices"),
        ([shape(LARGER, "families")], "Between the means of families, alpha goes with"),
        ([shape(LARGER, "within")], "Inside families, alpha goes with"),
        (
            [shape(LARGER, null="alpha_gaussian")],
            "goes with that of noise of the same shape for zoo",
        ),
        (
            [shape(UNCLEAR), shape(LARGER, null="alpha_gaussian")],
            "Alpha goes with that of noise of the same shape in 1 of 1 such comparison",
        ),
    ],
)
def test_shape_verdict(found, words):
    assert words in paper_shape.verdict_shape(found, {}, 0.95)


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([UNCLEAR, UNCLEAR], "itself shows no relation to quality that 2 tests could detect"),
        ([SMALLER, UNCLEAR], "in 1 of 2 tests: smaller goes with better models in 1, larger in 0"),
        ([LARGER, LARGER], "in 2 of 2 tests: smaller goes with better models in 0, larger in 2"),
    ],
)
def test_what_the_nulls_say_about_quality(findings, words):
    assert words in paper_shape.verdict_shape([], {"alpha_shuffled": findings}, 0.95)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.5, 0.8, (0.25, 0.64)), (-0.8, -0.5, (0.25, 0.64)), (-0.6, 0.2, (0, 0.36))],
)
def test_the_interval_of_a_square(low, high, expected):
    assert paper_shape.squared(low, high) == pytest.approx(expected)


# --- other alphas ---------------------------------------------------------------------------------


def tried(finding, alpha=Outcome.OPEN, metric="hill", difference=OPEN, equal=False) -> Tried:
    return Tried("zoo", "b", metric, finding, alpha, difference, equal)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "No alternative of alpha could be tested"),
        ([tried(TOO_FEW)], "No alternative of alpha could be tested"),
        ([tried(UNCLEAR)], "Of 1 test of another alpha, none is decided"),
        ([tried(UNCLEAR)], "None brings the expected relation back"),
        ([tried(LARGER)], "None brings the expected relation back"),
        (
            [tried(SMALLER), tried(LARGER)],
            "a smaller one goes with better models in 1, a larger one",
        ),
        (
            [tried(SMALLER)],
            "comes back in 1 of 1 test where alpha does not show it: Hill's exponent",
        ),
        ([tried(SMALLER)], "Hill's exponent in (b) for zoo"),
        ([tried(SMALLER)], "None of these differs from alpha by more than chance"),
        ([tried(SMALLER, difference=MINUS)], "Of these, 1 differs from alpha by more than chance"),
        ([tried(SMALLER, Outcome.NEGATIVE)], "Alpha itself shows what the theory expects"),
        (
            [tried(UNCLEAR, Outcome.NEGATIVE)],
            "In 1 test, the relation that alpha shows is no longer",
        ),
        (
            [tried(UNCLEAR)],
            "no alternative differs from alpha by more than chance in any of 1 test",
        ),
        ([tried(UNCLEAR, difference=MINUS)], "closer to the theory, in 1, with a higher one in 0"),
        ([tried(UNCLEAR, difference=PLUS)], "closer to the theory, in 0, with a higher one in 1"),
        ([tried(SMALLER, equal=True)], "No alternative of alpha could be tested"),
        ([tried(SMALLER, equal=True)], "Equal to alpha in every model"),
        ([tried(SMALLER, metric="alpha_shuffled")], "No alternative of alpha could be tested"),
    ],
)
def test_alternatives_verdict(found, words):
    assert words in paper_alternatives.verdict_alternatives(found)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "could not be compared with alpha"),
        ([tried(UNCLEAR, difference=FEW)], "could not be compared with alpha"),
        ([tried(UNCLEAR)], "in none of 1 comparison"),
        ([tried(UNCLEAR, difference=MINUS), tried(UNCLEAR)], "in 1 of 2 comparisons"),
        ([tried(UNCLEAR, equal=True)], "is equal to alpha here"),
        ([tried(UNCLEAR, metric="alpha_median")], "could not be compared with alpha"),
    ],
)
def test_one_alternative_beside_alpha(found, words):
    assert words in paper_alternatives.against_alpha("hill", found)


# --- candidates -----------------------------------------------------------------------------------


def candidate(finding, name="N_median", holds=True, eta2=math.nan) -> Candidate:
    return Candidate(name, 9, finding, eta2, holds)


CATEGORY = {True: Finding(Outcome.NONE, p=0.01), False: Finding(Outcome.NONE, p=0.2)}


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        ([], "could not be tested: too few families"),
        ([candidate(TOO_FEW)], "could not be tested: too few families"),
        (
            [candidate(UNCLEAR)],
            "Of 1 candidate that could be set against it (zoo), none goes with it",
        ),
        ([candidate(LARGER)], "1 goes with it after correction: longer side of the matrices (the"),
        ([candidate(LARGER)], "the larger, the higher the correlation"),
        ([candidate(SMALLER)], "the larger, the lower the correlation"),
        ([candidate(LARGER)], "the sign stays for: longer side of the matrices"),
        ([candidate(LARGER, holds=False)], "No sign stays the same whichever family is left out"),
        (
            [candidate(CATEGORY[True], "recipe", False, 0.6)],
            "training recipe (60% of the differences",
        ),
        ([candidate(CATEGORY[False], "recipe", False, 0.6)], "none goes with it after correction"),
    ],
)
def test_explanations_verdict(candidates, words):
    assert words in explanations.verdict_explanations({"it": {"zoo": candidates}}, 0.95)


def test_other_correlations_are_worded_where_a_candidate_remains_and_counted_where_none_does():
    found = {
        "first": {"zoo": [candidate(UNCLEAR)]},
        "second": {"zoo": [candidate(UNCLEAR)] * 3},
        "third": {"zoo": [candidate(UNCLEAR)], "lite": [candidate(LARGER)]},
        "fourth": {"zoo": [candidate(TOO_FEW)]},
    }
    text = explanations.verdict_explanations(found, 0.95)
    assert "set against first (zoo), none goes with it" in text
    assert "Against second, none of 3 tests is decided after correction" in text
    assert "Against third, in each collection on its own, 1 of 2 tests is decided" in text
    assert "longer side of the matrices for lite" in text
    assert "fourth" not in text


# --- the sum --------------------------------------------------------------------------------------


def why(candidates=(), alternatives=(), shapes=(), tested=None) -> terms_words.Text:
    return verdicts.verdict_why(candidates, alternatives, shapes, tested or {}, "alpha")


@pytest.mark.parametrize(
    ("parts", "english", "german"),
    [
        ({}, "could not be tested", "ließ sich nicht prüfen"),
        ({"candidates": [candidate(UNCLEAR)]}, "Of 1 trait", "Von 1 Merkmal, das erklären könnte"),
        ({"candidates": [candidate(UNCLEAR)] * 2}, "none goes with it", "keines damit zusammen"),
        (
            {"candidates": [candidate(LARGER), candidate(UNCLEAR)]},
            "1 goes with it after correction (longer side of the matrices)",
            "hängt nach Korrektur 1 damit zusammen (längere Seite der Matrizen)",
        ),
        (
            {"candidates": [candidate(LARGER), candidate(SMALLER, "D")]},
            "2 go with it after correction",
            "hängen nach Korrektur 2 damit zusammen",
        ),
        (
            {"candidates": [candidate(LARGER, holds=False)]},
            "with every single family left out",
            "ohne jede einzelne Familie",
        ),
        ({"alternatives": [tried(UNCLEAR)]}, "No other alpha brings", "Kein anderes Alpha bringt"),
        (
            {"alternatives": [tried(SMALLER)]},
            "another alpha does in 1 of 1 test, none with a clear difference",
            "in 1 von 1 Prüfung, keine davon mit klarem Unterschied",
        ),
        (
            {"alternatives": [tried(SMALLER, difference=MINUS), tried(UNCLEAR)]},
            "in 1 of 2 tests, 1 of them with a clear difference",
            "in 1 von 2 Prüfungen, 1 davon mit klarem Unterschied",
        ),
        (
            {"alternatives": [tried(UNCLEAR, Outcome.NEGATIVE)]},
            "alpha itself shows the relation",
            "zeigt Alpha selbst den Zusammenhang",
        ),
        (
            {"shapes": [shape(LARGER)]},
            "25% of the differences in alpha between variants go with alpha of the permuted",
            "25\u00a0% der Unterschiede in Alpha zwischen Varianten gehen mit dem Alpha der",
        ),
        (
            {"shapes": [shape(LARGER), shape(UNCLEAR, name="lite")]},
            "in 1 of 2 collections",
            "in 1 von 2 Sammlungen",
        ),
        ({"shapes": [shape(UNCLEAR)]}, "does not clearly go with", "ein klarer Zusammenhang"),
        ({"shapes": [shape(LARGER, "within")]}, "could not be tested", "ließ sich nicht prüfen"),
        (
            {"shapes": [shape(LARGER)], "tested": {"alpha_shuffled": [SMALLER, UNCLEAR]}},
            "itself related to quality in 1 of 2 tests",
            "in 1 von 2 Prüfungen mit der Qualität zusammen",
        ),
        (
            {"shapes": [shape(LARGER)], "tested": {"alpha_shuffled": [UNCLEAR]}},
            "itself related to quality in none of 1 test",
            "in keiner von 1 Prüfung mit der Qualität zusammen",
        ),
    ],
)
def test_why_verdict(parts, english, german):
    text = why(**parts)
    assert english.casefold() in text.en.casefold()
    assert german.casefold() in text.de.casefold()
    assert text.en.endswith(".")
    assert text.de.endswith(".")
    assert not re.search(r"\d\.\d", text.de)


@pytest.mark.parametrize(
    ("detectable", "untested", "words"),
    [
        ([], 2, "No family is large enough"),
        ([0.9], 0, "a Pearson correlation of 0.90 or stronger"),
        (
            [0.9, 0.5, 0.7],
            0,
            "at least 0.50 (the largest family) to 0.90 (the smallest), in the median",
        ),
        ([0.9, 0.5, 0.7, 0.6], 0, "median 0.65"),
        ([0.9, 0.5], 1, "1 family is too small even for that"),
        ([0.9, 0.5, math.nan], 2, "2 families are too small even for that"),
    ],
)
def test_power_sentence(detectable, untested, words):
    assert words in heterogeneity.power_of_groups(detectable, untested, 0.8)


# --- from the tables to the words -----------------------------------------------------------------


COLUMNS = {
    "pairs": statistics_pairs.PAIRS,
    "mixed": statistics_mixed.MIXED,
    "prediction": statistics_prediction.PREDICTION,
    "alternatives": statistics_alternatives.ALTERNATIVE,
    "shape": statistics_shape.SHAPE,
    "traits": traits.TRAITS_TABLE,
    "explanations": statistics_explanations.EXPLANATION,
}
PLACE = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
TOGETHER = {"collection": "all", "dataset": "", "weightwatcher_version": ""}
MEASURED = {"metric": "alpha", "quality_metric": "accuracy", "treatment": "dropped"}


def table(name, *rows) -> pd.DataFrame:
    """A table of the statistics with its real columns; a cell of another column is an error."""
    for cells in rows:
        assert set(cells) <= set(COLUMNS[name]), set(cells) - set(COLUMNS[name])
    return pd.DataFrame(rows, columns=COLUMNS[name])


def bounds(name, value, low, high, p=None) -> dict[str, float]:
    cells = {name: value, f"{name}_low": low, f"{name}_high": high}
    return cells | ({} if p is None else {f"{name}_p": p})


def made(sign=-1) -> dict[str, pd.DataFrame]:
    """All new tables for a relation of this sign: -1 is what the theory expects."""

    def signed(name, size, p=0.001):
        low, high = sorted((sign * (size - 0.1), sign * (size + 0.1)))
        return bounds(name, sign * size, low, high, p)

    won = 0.5 - 0.3 * sign
    concordance = bounds("concordance", won, won - 0.1, won + 0.1, 0.001)
    within = bounds("concordance_within", won, won - 0.1, won + 0.1, 0.001)
    own = PLACE | MEASURED
    quality = PLACE | {"quality_metric": "accuracy"}
    kendall = signed("kendall", 0.5) | {"interval": "bca"}
    trait = {"level": "family", "comparison": "b", "kind": "number", "n": 5}
    counts = {"pairs": 150, "variants": 15, "recipes": 5}
    return {
        "pairs": table(
            "pairs",
            own | {"family": ""} | counts | concordance | bounds("gain", -sign, -sign, -sign),
            own | {"family": "", "treatment": "stored"} | counts | concordance,
            own | {"family": "mlp"} | counts | concordance,
        ),
        "mixed": table(
            "mixed",
            *(
                own
                | {"comparison": "b", "adjusted": adjusted, "n": 30, "units": 15, "groups": 5}
                | signed("within", 0.5)
                | bounds("between", 0.1, -0.3, 0.5, 0.7)
                | bounds("difference", 0.6, 0.2, 1.0, 0.001)
                for adjusted in (False, True)
            ),
        ),
        "prediction": table(
            "prediction",
            quality | {"predictor": "alpha", "n": 15, "families": 5, "r2": 0.1, "rmse": 1} | within,
            quality
            | {"predictor": "size", "n": 15, "families": 5, "r2": 0.1, "rmse": 1}
            | bounds("concordance_within", 0.5, 0.45, 0.55),
        ),
        "alternatives": table(
            "alternatives",
            *(
                quality
                | {"comparison": "a", "metric": metric, "n": 30, "units": 15, "groups": 1}
                | {"kendall_p_holm": 0.001, "equal": 0}
                | kendall
                | signed("difference", 0.3, None)
                for metric in ("hill", "alpha_shuffled")
            ),
        ),
        "shape": table(
            "shape",
            PLACE
            | {"null": "shuffled", "level": "variants", "n": 15, "alpha": 3, "null_alpha": 5}
            | {"r2": 0.25, "interval": "bca"}
            | signed("pearson", 0.5),
        ),
        "traits": table(
            "traits",
            quality | {"family": "mlp", "n": 6, "units": 3, "kendall_b": 0.1, "N_median": 64},
            quality | {"family": "resnet", "n": 6, "units": 3},
        ),
        "explanations": table(
            "explanations",
            TOGETHER
            | {"quality_metric": "", "candidate": "N_median", "kendall_p_bh": 0.01}
            | trait
            | {"left_out_low": sign * 0.5, "left_out_high": sign * 0.5}
            | kendall,
            TOGETHER
            | {"quality_metric": "", "candidate": "recipe", "eta2": 0.6, "kendall_p_bh": 0.01}
            | trait
            | {"kind": "category"},
            quality | {"candidate": "D", "kendall_p_bh": 0.9} | trait | kendall,
        ),
    }


FAST = {"statistics": OPTIONS | {"permutations": 99, "bootstrap": 20}}


def with_tables(given: results.Results, **new: pd.DataFrame) -> results.Results:
    """The study with other tables of the statistics."""
    found = dict(given.tables) | {name: rows_of(frame) for name, frame in new.items()}
    return dataclasses.replace(given, tables=found)


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
    minus, plus = (contents.why_variables(given) for given in (expected, reversed_))
    for name, words in {
        "verdict_pairs": ("with the smaller alpha is the better", "with the larger alpha is the"),
        "verdict_mixed": (
            "Inside families, smaller alpha goes",
            "Inside families, larger alpha goes",
        ),
        "verdict_prediction": ("order more often than chance", "order less often than chance"),
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
    assert "| zoo | \\(b\\) | nothing | 30 in 5 |" in files["tables/mixed.md"].replace(
        "(b)", "\\(b\\)"
    )
    assert "size, depth" in files["tables/mixed.md"]
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
    text = contents.why_variables(given)["verdict_explanations"]
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
    rows = made()["alternatives"].assign(equal=30, n=30)
    given = with_tables(expected, alternatives=rows)
    assert "| same |" in compose(given)["tables/alternatives.md"]
    assert "Equal to alpha in every model" in contents.why_variables(given)["verdict_alternatives"]


def test_small_families_are_marked_and_others_say_what_they_could_have_shown():
    large = compose(study(models_frame(sizes=6, recipes=("baseline",), control=False)))
    small = compose(study(models_frame(sizes=3, recipes=("baseline",), control=False)))
    assert "†" not in large["tables/b.md"].split("efficientnet")[0]
    assert "| zoo | mlp | 3\u00a0† |" in small["tables/b.md"]
    assert "Detectable" in small["tables/b.md"]
    assert "a family would have shown a Pearson correlation" in large["_variables.yml"]
    assert "No family is large enough" in small["_variables.yml"]


# --- experiments ----------------------------------------------------------------------------------


def experiments(**changes) -> str:
    asked = CONFIG["experiments"] | changes
    return methods.experiment_list(study(EMPTY, config={"experiments": asked, "zoo": {}}))


def test_the_experiments_are_those_of_the_config():
    text = experiments(shuffled=4, windows={"size": 24, "most": 77}, seed=99)
    for words in ("4 times", "once", "24 rows", "at most 77", "seed 99", "Other rule"):
        assert words in text
    for off, words in (
        ({"shuffled": 0}, "Permuted matrices"),
        ({"gaussian": 0}, "Gaussian noise"),
        ({"windows": {"size": 0, "most": 64}}, "Square windows"),
        ({"other_layers": False}, "Other rule"),
        ({"shuffled": 0, "gaussian": 0}, "seed"),
    ):
        assert words in text
        assert words not in experiments(**off)


# --- with the real statistics ---------------------------------------------------------------------


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
    said = contents.why_variables(given)
    assert f"with the {way} alpha is the better one more often" in said["verdict_pairs"]
    assert f"Inside variants, {way} alpha goes with better models" in said["verdict_mixed"]
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
    said = contents.why_variables(given)
    for name in SILENT[case]:
        verdict = said[f"verdict_{name}"]
        assert UNANSWERED.search(getattr(verdict, "en", verdict)), (name, verdict)
