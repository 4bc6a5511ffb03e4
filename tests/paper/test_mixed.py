"""Mixed models."""

from __future__ import annotations

import pytest
from helpers.effects import MINUS, NONE, OPEN, PLUS

from atlas.paper import mixed
from atlas.paper.mixed import Mixed


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
