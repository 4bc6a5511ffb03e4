"""Other ways to compute alpha."""

from __future__ import annotations

import pytest
from helpers.effects import FEW, LARGER, MINUS, PLUS, SMALLER, TOO_FEW, UNCLEAR, tried

from atlas.findings.outcome import Outcome
from atlas.paper import alternatives as paper_alternatives


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
