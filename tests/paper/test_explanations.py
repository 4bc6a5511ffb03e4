"""What goes with a family's correlation."""

from __future__ import annotations

import pytest
from helpers.effects import LARGER, SMALLER, TOO_FEW, UNCLEAR, candidate

from atlas.findings.outcome import Finding, Outcome
from atlas.paper import explanations

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
