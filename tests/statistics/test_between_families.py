"""Correlations between families, apart from those within them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.models import QUICK, one, several
from helpers.options import options_with
from helpers.simulated import FAST, families_of, nominal, normal
from scipy import stats

from atlas.statistics import models as statistics_models
from atlas.statistics import permutation
from atlas.statistics import sample as statistics_sample
from atlas.statistics.between_families import between_families
from atlas.statistics.correlations import correlations
from atlas.statistics.models import prepare


def test_between_families():
    families = {f"f{i}": ([i, i + 2.0], [-i, -i - 1.0]) for i in range(5)}
    families["f5"] = ([np.nan, 3.0], [50.0, 4.5])  # the incomplete model does not enter the mean
    found = one(between_families(several(families), QUICK))
    assert found["n"] == 6
    x, y = [1, 2, 3, 4, 5, 3], [-0.5, -1.5, -2.5, -3.5, -4.5, 4.5]
    assert found["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found["exact"] and found["permutations"] == 720


@pytest.mark.parametrize(("within", "between"), [(0.8, -0.9), (-0.8, 0.9)])
def test_between_families_is_not_within(within, between):
    """Families of 3 to 9 models: each counts once, whatever its size."""
    rng = np.random.default_rng(9)
    x, y = 10 * normal(rng, (16, 1), between) + normal(rng, (16, 9), within)
    table = families_of(x, y)
    member = np.tile(np.arange(9), 16) < np.repeat(3 + np.arange(16) % 7, 9)
    table = table[member].reset_index(drop=True)
    row = one(between_families(table, FAST))
    means = table.groupby("family")[["alpha", "quality"]].mean()
    assert (row["n"], row["units"]) == (16, 16)
    assert row["pearson"] == pytest.approx(means.corr().iloc[0, 1])
    assert row["pearson"] == pytest.approx(between, abs=0.15)
    assert row["kendall_low"] * row["kendall_high"] > 0 and row["kendall_p"] < 0.01
    inside = one(correlations(table, FAST), comparison="b", scope="within")
    assert inside["pearson"] == pytest.approx(within, abs=0.15)


def test_families_that_resemble_each_other_need_the_family_as_unit():
    """Without an effect: pooled p takes variants for independent, the families' means do not."""
    pooled, between = [], []
    options = options_with(metrics=("alpha",), permutations=99, bootstrap=2)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(2, 7, 1)) + 0.1 * rng.normal(size=(2, 7, 4))
        table = families_of(x, y)
        scope = statistics_models.Scope("a", "pooled", "", "", prepare(table))
        sample = statistics_sample.make_sample(
            scope, [scope.models["alpha"].to_numpy(), scope.models["oriented"].to_numpy()], options
        )
        indices, exact = permutation.rearrangements(sample, 99, seed)
        pooled.append(permutation.permutation_p(*sample.centre(), indices, exact)["kendall"])
        between.append(one(between_families(table, options))["kendall_p"])
    assert np.mean(np.array(pooled) <= 0.05) > 0.2
    assert nominal(between)
