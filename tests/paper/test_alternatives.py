"""Other ways to compute alpha."""

from __future__ import annotations

import pytest
from helpers.decided import made, with_tables
from helpers.effects import FEW, LARGER, MINUS, OPEN, PLUS, SMALLER, TOO_FEW, UNCLEAR, tried

from atlas.findings.outcome import Outcome
from atlas.paper import alternatives as paper_alternatives
from atlas.paper.alternatives import Beside

BEYOND = tried(UNCLEAR)._replace(within_power=False)


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
        ([BEYOND], "In 1 more test there are too few to tell"),
        ([BEYOND], "No alternative of alpha could be tested"),
        ([tried(UNCLEAR), BEYOND], "Of 1 test of another alpha, none is decided"),
        ([tried(SMALLER)._replace(within_power=False)], "comes back in 1 of 1 test"),
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


def beside(gain, metric="log_norm", comparison="b", name="zoo") -> Beside:
    return Beside(name, comparison, metric, gain)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], ""),
        ([beside(FEW)], "For log norm, there are too few models or families to tell."),
        ([beside(OPEN)], "log norm: stronger in none and weaker in none of 1 comparison."),
        ([beside(MINUS)], "log norm: stronger in 1 ((b) for zoo) and weaker in none of 1"),
        (
            [beside(PLUS), beside(OPEN, comparison="a")],
            "weaker in 1 ((b) for zoo) of 2 comparisons",
        ),
        ([beside(PLUS), beside(OPEN, "random")], "; a random metric: stronger in none and weaker"),
    ],
)
def test_baselines_verdict(found, words):
    text = paper_alternatives.verdict_baselines(found)
    assert (words in text) if words else not text


def test_the_sum_says_where_there_are_too_few():
    text = paper_alternatives.why_alternatives([BEYOND])
    assert "too few families or models to tell" in text.en and "zu wenige" in text.de
    assert paper_alternatives.why_alternatives([tried(TOO_FEW)]) is None


@pytest.mark.parametrize("sign", [-1, 1])
def test_baselines_stand_apart_from_the_alternatives(negative, sign):
    """A baseline restores nothing and is in no count of alternatives; its difference is the gain."""
    given = with_tables(negative, alternatives=made(sign)["alternatives"])
    assert {item.metric for item in paper_alternatives.found_alternatives(given)} == {
        "hill",
        "alpha_shuffled",
    }
    (item,) = paper_alternatives.found_baselines(given)
    assert (item.metric, item.gain.value) == ("log_norm", pytest.approx(0.2 * sign))
    text = paper_alternatives.alternatives_text(given)
    assert "Of 1 test of another alpha" in text
    way = "stronger in 1 ((a) for zoo)" if sign < 0 else "weaker in 1 ((a) for zoo)"
    assert f"log norm: {way}" in text.replace("stronger in none and ", "")
    (line,) = [
        line
        for line in paper_alternatives.alternative_differences_table(given).splitlines()
        if "log norm" in line
    ]
    assert "0.20" in line and "0.90" not in line


@pytest.mark.parametrize(("smallest", "few"), [(0.05, 0), (0.32, 1), ("", 0)])
def test_the_smallest_p_of_a_row_tells_whether_there_are_too_few(negative, smallest, few):
    rows = made()["alternatives"].query("metric == 'hill'")
    rows = rows.assign(kendall_p_holm=0.9, smallest_p=smallest)
    found = paper_alternatives.found_alternatives(with_tables(negative, alternatives=rows))
    assert sum(item.too_few for item in found) == few
