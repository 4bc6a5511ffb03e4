"""What goes with a family's correlation."""

from __future__ import annotations

import pytest
from helpers.decided import table, with_tables
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
        (
            [candidate(UNCLEAR)._replace(within_power=False)] * 2,
            "Against it, there are too few families to tell in 2 tests",
        ),
        (
            [candidate(CATEGORY[False], "recipe", False, 0.6)._replace(within_power=False)],
            "too few families to tell in 1 test:",
        ),
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


def test_what_could_not_have_been_decided_is_no_test_that_found_nothing():
    few = candidate(UNCLEAR)._replace(within_power=False)
    text = explanations.verdict_explanations({"it": {"zoo": [few, candidate(UNCLEAR)]}}, 0.95)
    assert "Of 1 candidate" in text and "too few families to tell in 1 test:" in text
    assert "none" not in explanations.verdict_explanations({"it": {"zoo": [few]}}, 0.95)
    assert candidate(LARGER)._replace(within_power=False).tested  # others helped its correction
    assert not candidate(TOO_FEW)._replace(within_power=False).too_few


def test_the_sum_says_that_families_are_too_few():
    few = candidate(UNCLEAR)._replace(within_power=False)
    text = explanations.why_traits([few, few], "alpha")
    assert "too few families to tell" in text.en and "zu wenige Familien" in text.de
    assert explanations.why_traits([candidate(TOO_FEW)], "alpha") is None
    assert "of 1 trait" in explanations.why_traits([few, candidate(UNCLEAR)], "alpha").en


@pytest.mark.parametrize(("smallest", "few"), [(0.05, False), (0.058, True), ("", False)])
def test_the_smallest_p_of_a_row_tells_whether_families_are_too_few(negative, smallest, few):
    row = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
    row |= {"quality_metric": "accuracy", "level": "family", "comparison": "b", "kind": "number"}
    row |= {"candidate": "D", "n": 6, "kendall": 0.2, "kendall_low": -0.5, "kendall_high": 0.7}
    row |= {"kendall_p": 0.4, "kendall_p_bh": 0.9, "smallest_p": smallest, "interval": "fisher-z"}
    given = with_tables(negative, explanations=table("explanations", row))
    (item,) = explanations.main_candidates(given)
    assert (item.too_few, item.tested) == (few, not few)
    assert ("too few families to tell" in explanations.explanations_text(given)) is few
