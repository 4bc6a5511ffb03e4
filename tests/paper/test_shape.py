"""What the null of a layer's shape explains."""

from __future__ import annotations

import pytest
from helpers.effects import LARGER, SMALLER, TOO_FEW, UNCLEAR, shape

from atlas.paper import shape as paper_shape


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
