"""Pairs of models."""

from __future__ import annotations

import pytest
from helpers.effects import FEW, MINUS, NONE, OPEN, PLUS

from atlas.findings.outcome import Effect, Outcome
from atlas.paper import pairs
from atlas.paper.pairs import Pairs


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
