"""Correlations of weighted observations, and intervals of resamples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.models import sample_of, several
from scipy import stats

from atlas.statistics import bootstrap


@pytest.mark.parametrize("centred", [False, True])
def test_weighted_correlations_are_those_of_the_resample(centred):
    rng = np.random.default_rng(5)
    table = several({f"f{i}": rng.integers(0, 6, (2, 5)).astype(float) for i in range(3)})
    sample = sample_of(table, groups="family" if centred else "")
    weights = rng.multinomial(15, np.full(15, 1 / 15), size=40).astype(float)
    if centred:
        weights[0, sample.stratum == 1] = 0  # a group may be left out as a whole
    found = bootstrap.weighted_correlations(sample, weights)[:, :, 0]
    for w, values in zip(weights.astype(int), found, strict=True):
        x, y = (np.repeat(v, w) for v in sample.values)
        if centred:
            groups = np.repeat(sample.stratum, w)
            x, y = (v - pd.Series(v).groupby(groups).transform("mean").to_numpy() for v in (x, y))
            x, y = np.round(x, 9), np.round(y, 9)
        expected = [f(x, y).statistic for f in (stats.kendalltau, stats.spearmanr, stats.pearsonr)]
        assert values == pytest.approx(expected, abs=1e-9)


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
