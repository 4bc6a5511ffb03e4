"""Sentences on one comparison."""

from __future__ import annotations

from helpers.papers import row

from atlas.findings.outcome import judge
from atlas.findings.results import Answer
from atlas.paper import comparisons
from atlas.terms.notes import Note


def test_sentences_of_one_comparison_differ_by_outcome():
    def said(given) -> str:
        return comparisons.result(judge(given, 0.95), "among them", "alpha", "accuracy", 0.95)

    assert "smaller alpha goes with higher accuracy" in said(row())
    assert "the theory expects" in said(row())
    assert "larger alpha goes with higher accuracy" in said(row(0.5, 0.2, 0.7))
    assert "opposite" in said(row(0.5, 0.2, 0.7))
    assert "the interval includes zero" in said(row(-0.5, -0.9, 0.1))
    assert "corrected p value is above 0.05" in said(row(kendall_p_bh=0.2))
    assert "0.60 or stronger" in said(row(p=0.2, detectable_pearson=0.6))
    assert "too few" in said(row(low=None, high=None, interval=""))
    assert "fewer than 3 models" in said(row(None, note=Note.TOO_FEW_MODELS))


def test_a_metric_without_an_expectation_is_not_measured_by_one():
    finding = judge(row(), 0.95)
    assert "theory" not in comparisons.result(finding, "here", "stable_rank", "accuracy", 0.95)
    answer = Answer("x", "stable_rank", "accuracy", finding, finding, finding)
    assert "theory" not in comparisons.verdict("a", [answer], 0.95).en
