"""Correlations of weighted observations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.models import sample_of, several
from scipy import stats

from atlas.statistics.weighted import weighted_correlations


@pytest.mark.parametrize("centred", [False, True])
def test_weighted_correlations_are_those_of_the_resample(centred):
    rng = np.random.default_rng(5)
    table = several({f"f{i}": rng.integers(0, 6, (2, 5)).astype(float) for i in range(3)})
    sample = sample_of(table, groups="family" if centred else "")
    weights = rng.multinomial(15, np.full(15, 1 / 15), size=40).astype(float)
    if centred:
        weights[0, sample.stratum == 1] = 0  # a group may be left out as a whole
    found = weighted_correlations(sample, weights)[:, :, 0]
    for w, values in zip(weights.astype(int), found, strict=True):
        x, y = (np.repeat(v, w) for v in sample.values)
        if centred:
            groups = np.repeat(sample.stratum, w)
            x, y = (v - pd.Series(v).groupby(groups).transform("mean").to_numpy() for v in (x, y))
            x, y = np.round(x, 9), np.round(y, 9)
        expected = [f(x, y).statistic for f in (stats.kendalltau, stats.spearmanr, stats.pearsonr)]
        assert values == pytest.approx(expected, abs=1e-9)
