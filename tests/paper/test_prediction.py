"""Prediction of families never seen."""

from __future__ import annotations

import pytest
from helpers.decided import table, with_tables
from helpers.effects import FEW, MINUS, NONE, OPEN, PLUS

from atlas.findings.outcome import Outcome
from atlas.paper import prediction
from atlas.paper.prediction import Predicted, judged


def predicted(line, sign=OPEN, size=NONE, metric="alpha") -> Predicted:
    return Predicted("zoo", metric, line, sign, size)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            [],
            "Whether alpha orders the models of a family that no fit has seen could not be tested.",
        ),
        ([predicted(NONE)], "could not be tested."),
        ([predicted(FEW)], "right order with too few models or families to tell for zoo"),
        ([predicted(PLUS)], "a line on alpha puts pairs of models in the right order more often"),
        ([predicted(MINUS)], "right order less often than chance for zoo (20% of pairs"),
        ([predicted(OPEN)], "not clearly more or less often than chance for zoo"),
        ([predicted(OPEN, PLUS)], "the smaller alpha is the better one more often than chance"),
        ([predicted(OPEN, MINUS)], "the smaller alpha is the better one less often than chance"),
        ([predicted(OPEN, OPEN, PLUS)], "A line on size alone does so more often than chance"),
        (
            [predicted(MINUS, PLUS)],
            "contradict each other for zoo: lines follow what differs between the other families "
            "too, and there larger alpha goes with better models, while inside a family the model "
            "with the smaller one",
        ),
        (
            [predicted(PLUS, MINUS)],
            "there smaller alpha goes with better models, while inside a family the model with the "
            "larger one",
        ),
    ],
)
def test_prediction_verdict(found, words):
    assert words in prediction.verdict_prediction(found, ["alpha"])


def test_line_and_sign_of_one_side_do_not_contradict_each_other():
    for both in (PLUS, MINUS):
        assert "contradict" not in prediction.verdict_prediction([predicted(both, both)], ["alpha"])
    assert "contradict" not in prediction.verdict_prediction([predicted(MINUS, NONE)], ["alpha"])


def test_each_primary_metric_has_its_sentences_and_size_one():
    found = [predicted(PLUS, size=MINUS), predicted(MINUS, size=MINUS, metric="alpha_weighted")]
    text = prediction.verdict_prediction(found, ["alpha", "alpha_weighted"])
    assert "a line on alpha puts pairs of models in the right order more" in text
    assert "a line on weighted alpha puts pairs of models in the right order less" in text
    assert text.count("A line on size alone") == 1


@pytest.mark.parametrize(
    ("share", "p", "smallest", "outcome"),
    [
        (0.8, 0.05, 0.01, Outcome.POSITIVE),
        (0.2, 0.05, 0.01, Outcome.NEGATIVE),
        (0.8, 0.06, 0.05, Outcome.OPEN),
        (0.8, 0.13, 0.13, Outcome.FEW),
        (0.8, "", "", Outcome.FEW),
        ("", "", "", Outcome.NONE),
    ],
)
def test_p_decides(share, p, smallest, outcome):
    row = {"concordance_within": str(share), "concordance_within_p": str(p)}
    row["smallest_p"] = str(smallest)
    assert judged(row, 0.95).outcome is outcome


def test_the_table_names_every_predictor(negative):
    row = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
    row |= {"quality_metric": "accuracy", "n": 9, "families": 3, "concordance_within": 0.75}
    names = ("size", "alpha", "alpha + size", "alpha (sign)", "forest + size")
    made = table("prediction", *(row | {"predictor": name} for name in names))
    text = prediction.prediction_table(with_tables(negative, prediction=made))
    for label in ("size", "$\\alpha$", "$\\alpha$ + size", "$\\alpha$, smaller is better"):
        assert f"| zoo | {label} | 9 | 3 | 0.75 |" in text
