"""Estimates, intervals and p values of one comparison, against SciPy and by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from helpers.models import QUICK, family, one, sample_of, several
from helpers.options import options_with
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from atlas.statistics import describe, intervals, power
from atlas.statistics.correlations import correlations
from atlas.statistics.weighted import weighted_correlations
from atlas.terms.notes import Note


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=12, unique=True
    ).filter(lambda pairs: all(len(set(column)) > 1 for column in zip(*pairs, strict=True)))
)
def test_estimates_agree_with_scipy_with_ties(pairs):
    x, y = np.array(pairs, float).T
    options = options_with(metrics=("alpha",), permutations=99, bootstrap=99)
    found = one(correlations(family(x, y), options), scope="family")
    assert found["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert found["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
    line = stats.linregress(x, y)
    assert found["slope"] == pytest.approx(line.slope)
    assert found["intercept"] == pytest.approx(line.intercept)
    assert found["r2"] == pytest.approx(line.rvalue**2, abs=1e-12)
    residuals = y - line.intercept - line.slope * x
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(residuals**2)), abs=1e-9)
    assert found["theil_sen"] == pytest.approx(stats.theilslopes(y, x).slope)


def test_lower_is_better_changes_the_sign():
    x, y = [1, 2, 3, 4], [50, 55, 61, 60]
    for quality in ("error", "generalization_gap"):
        found = one(correlations(family(x, y, quality_metric=quality), QUICK), scope="family")
        assert found["kendall"] == pytest.approx(-2 / 3)
        assert found["slope"] < 0
    assert one(correlations(family(x, y), QUICK), scope="family")["kendall"] == pytest.approx(2 / 3)


def test_within_is_centred_on_the_groups():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 4, 6))
    shifted = several({f"f{i}": (x[i] + 10 * i, y[i] - 7 * i) for i in range(4)})
    found = one(correlations(shifted, QUICK), comparison="b", scope="within")
    centred = (
        (x - x.mean(axis=1, keepdims=True)).ravel(),
        (y - y.mean(axis=1, keepdims=True)).ravel(),
    )
    assert found["kendall"] == pytest.approx(stats.kendalltau(*centred).statistic)
    assert found["pearson"] == pytest.approx(stats.pearsonr(*centred).statistic)
    assert (found["n"], found["groups"]) == (24, 4)


@pytest.mark.parametrize("n", [3, 4, 5, 7, 8])
def test_interval_by_number(n):
    x = np.arange(n, dtype=float)
    y = np.array([1, 3, 0, 2, 5, 4, 7, 6.5])[:n]
    found = one(correlations(family(x, y), QUICK), scope="family")
    assert found["interval"] == ("fisher-z" if n >= 5 else "")
    bounds = found[[f"{kind}_{end}" for kind in describe.KINDS for end in ("low", "high")]]
    assert bounds.notna().all() == (n >= 5)
    assert (found["note"] == Note.NO_INTERVAL_SMALL_N) == (n <= 4)
    detectable = power.detectable(n, QUICK.confirmatory_level, 0.8)
    assert found["detectable_pearson"] == pytest.approx(detectable, nan_ok=True)
    assert np.isfinite(detectable) == (2 / math.factorial(n) < QUICK.confirmatory_level)
    if n >= 5:
        assert found["kendall_low"] < found["kendall"] < found["kendall_high"]
        sample = sample_of(family(x, y))
        expected = intervals.fisher_intervals(
            sample,
            describe.KINDS,
            found[list(describe.KINDS)],
            lambda weights: weighted_correlations(sample, weights)[:, :, 0],
            0.95,
        )
        assert bounds.tolist() == pytest.approx(np.ravel(expected).tolist())


def test_intervals_have_the_confidence_asked_for():
    x, y = np.random.default_rng(2).normal(size=(2, 12))
    widths = []
    for confidence in (0.8, 0.95, 0.99):
        options = dataclasses.replace(QUICK, confidence=confidence)
        row = one(correlations(family(x, y), options), scope="family")
        widths.append([row[f"{k}_high"] - row[f"{k}_low"] for k in describe.KINDS])
    assert (np.diff(widths, axis=0) > 0.05).all()


@pytest.mark.parametrize("n", [6, 12])
def test_perfect_order_has_no_interval(n):
    x = np.arange(n) + 0.0
    found = one(correlations(family(x, -(x**3)), QUICK), scope="family")
    assert found["kendall"] == pytest.approx(-1)
    assert found["spearman"] == pytest.approx(-1)
    assert np.isnan(found["kendall_low"]) and np.isnan(found["kendall_high"])
    assert -1 < found["pearson_low"] < found["pearson"]
    assert found["interval"] == "fisher-z"
    assert found["note"] == Note.PERFECT_CORRELATION.of("kendall", "spearman")
