"""Prediction of families never seen."""

from __future__ import annotations

import pytest
from helpers.effects import FEW, MINUS, NONE, OPEN, PLUS

from atlas.findings.outcome import Effect, Outcome
from atlas.paper import prediction
from atlas.paper.prediction import Predicted


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
