"""Resamples vary as what they estimate does, and their intervals cover it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from helpers.models import family, one, sample_of, several
from helpers.options import options_with
from scipy import stats

from atlas.statistics import bootstrap
from atlas.statistics.correlations import correlations


@pytest.mark.parametrize("centred", [False, True])
def test_weighted_correlations_are_those_of_the_resample(centred):
    rng = np.random.default_rng(5)
    table = several({f"f{i}": rng.integers(0, 6, (2, 5)).astype(float) for i in range(3)})
    sample = sample_of(table, groups="family" if centred else "")
    weights = bootstrap.bootstrap_weights(sample, 40, 1)
    assert (weights.sum(axis=1) == (12 if centred else 14)).all()
    found = bootstrap.weighted_correlations(sample, weights)[:, :, 0]
    for w, values in zip(weights.astype(int), found, strict=True):
        x, y = (np.repeat(v, w) for v in sample.values)
        if centred:
            groups = np.repeat(sample.stratum, w)
            x, y = (v - pd.Series(v).groupby(groups).transform("mean").to_numpy() for v in (x, y))
            x, y = np.round(x, 9), np.round(y, 9)
        expected = [f(x, y).statistic for f in (stats.kendalltau, stats.spearmanr, stats.pearsonr)]
        assert values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sizes", [(8, 4, 5), (4, 4), (9,), (2, 3)])
def test_resamples_vary_as_means_of_their_groups_do(sizes):
    """Rao and Wu: the variance of a group's weighted mean is s^2/k with divisor k - 1, not k."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, sum(sizes)))
    ends = np.cumsum((0, *sizes))
    values = {
        f"f{i}": [v[a:b] for v in (x, y)] for i, (a, b) in enumerate(itertools.pairwise(ends))
    }
    sample = sample_of(several(values), groups="family" if len(sizes) > 1 else "")
    weights = bootstrap.bootstrap_weights(sample, 20000, 1)
    for code, k in enumerate(sizes):
        members = sample.stratum == code
        v = sample.values[0, members]
        share = weights[:, members].sum(axis=1)
        assert np.ptp(share) < 1e-9
        if len(set(sizes)) > 1:
            assert share[0] == pytest.approx(k)
        means = weights[:, members] @ v / share
        expected = v.var(ddof=1 if k > 3 else 0) / k
        assert means.var() == pytest.approx(expected, rel=0.05)


def test_bca_agrees_with_scipy():
    rng = np.random.default_rng(8)
    x = rng.gamma(2, size=25)
    y = -x + rng.normal(size=25)
    options = options_with(metrics=("alpha",), permutations=99, bootstrap=6000)
    found = one(correlations(family(x, y), options), scope="family")

    def plain(a, b, axis):
        return stats.pearsonr(a, b, axis=axis).statistic

    def ranked(a, b, axis):
        return plain(stats.rankdata(a, axis=axis), stats.rankdata(b, axis=axis), axis)

    for kind, statistic in (("pearson", plain), ("spearman", ranked)):
        expected = stats.bootstrap(
            (x, y),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=6000,
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert (found[f"{kind}_low"], found[f"{kind}_high"]) == pytest.approx(expected, abs=0.03)


def test_bca_of_a_skewed_mean():
    """Here the acceleration matters: without it the upper end is off by 4 %."""
    x = np.random.default_rng(3).exponential(size=10)
    draws = x[np.random.default_rng(4).integers(0, 10, (40_000, 10))].mean(axis=1)
    jackknife = (x.sum() - x) / 9
    found = bootstrap.bca_interval(x.mean(), draws, jackknife, np.zeros(10), 0.95)
    expected = stats.bootstrap((x,), np.mean, n_resamples=40_000, rng=np.random.default_rng(5))
    assert found == pytest.approx(tuple(expected.confidence_interval), rel=0.015)
    without = bootstrap.bca_interval(x.mean(), draws, np.ones(10), np.zeros(10), 0.95)
    assert abs(without[1] / found[1] - 1) > 0.03


def test_bca_covers():
    """Coverage of the intervals of independent pairs: 0 in about 95 % of them."""
    rng = np.random.default_rng(2)
    covered = []
    for seed in range(100):
        sample = sample_of(family(*rng.normal(size=(2, 20))))
        options = options_with(bootstrap=399, seed=seed)
        bounds = bootstrap.bca_intervals(
            sample, options, (), lambda w, s=sample: bootstrap.weighted_correlations(s, w)[:, :, 0]
        )
        covered.append([low <= 0 <= high for low, high in bounds])
    assert (np.mean(covered, axis=0) > 0.86).all()
    assert (np.mean(covered, axis=0) < 1).all()
