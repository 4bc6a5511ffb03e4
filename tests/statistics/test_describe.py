"""Estimates, intervals and p values of one comparison, against SciPy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.models import QUICK, family, one, several
from helpers.options import options_with
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from atlas.statistics import bootstrap, describe
from atlas.statistics.correlations import correlations
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


def test_fisher_intervals_by_hand():
    z = stats.norm.ppf(0.975)
    low, high = bootstrap.fisher_interval("pearson", 0.5, 7, 0.95)
    assert (low, high) == pytest.approx(
        (math.tanh(math.atanh(0.5) - z / 2), math.tanh(math.atanh(0.5) + z / 2))
    )
    kendall = bootstrap.fisher_interval("kendall", 0.5, 7, 0.95)
    assert math.atanh(kendall[1]) - math.atanh(0.5) == pytest.approx(z * math.sqrt(0.437 / 3))
    spearman = bootstrap.fisher_interval("spearman", -0.5, 7, 0.95)
    assert math.atanh(spearman[1]) + math.atanh(0.5) == pytest.approx(z * math.sqrt(1.125 / 4))
    assert all(map(math.isnan, bootstrap.fisher_interval("kendall", -1.0, 7, 0.95)))


@pytest.mark.parametrize(
    ("n", "interval"), [(3, ""), (4, ""), (5, "fisher-z"), (7, "fisher-z"), (8, "bca")]
)
def test_interval_by_number(n, interval):
    x = np.arange(n, dtype=float)
    y = np.array([1, 3, 0, 2, 5, 4, 7, 6.5])[:n]
    found = one(correlations(family(x, y), QUICK), scope="family")
    assert found["interval"] == interval
    bounds = found[[f"{kind}_{end}" for kind in describe.KINDS for end in ("low", "high")]]
    assert bounds.notna().all() == bool(interval)
    assert (found["note"] == Note.NO_INTERVAL_SMALL_N) == (n <= 4)
    if interval:
        assert found["kendall_low"] < found["kendall"] < found["kendall_high"]
        z = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / math.sqrt(n - 3)
        assert found["detectable_pearson"] == pytest.approx(math.tanh(z))


@pytest.mark.parametrize("n", [6, 12])
def test_perfect_order_has_no_interval(n):
    x = np.arange(n) + 0.0
    found = one(correlations(family(x, -(x**3)), QUICK), scope="family")
    assert found["kendall"] == pytest.approx(-1)
    assert found["spearman"] == pytest.approx(-1)
    assert np.isnan(found["kendall_low"]) and np.isnan(found["kendall_high"])
    assert -1 < found["pearson_low"] < found["pearson"]
    why = Note.PERFECT_CORRELATION if n < 8 else Note.RESAMPLES_DO_NOT_VARY
    assert found["note"] == why.of("kendall", "spearman")
