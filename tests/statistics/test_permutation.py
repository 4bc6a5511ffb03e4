"""Permutations: exact where they are few, and no effect is found at the nominal rate."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from helpers.models import QUICK, family, one, sample_of, zoo
from helpers.options import options_with
from scipy import stats

from atlas.statistics import permutation
from atlas.statistics import sample as statistics_sample
from atlas.statistics.correlations import correlations
from atlas.statistics.models import Scope, prepare
from atlas.terms.notes import Note, notes_of


@pytest.mark.parametrize("n", range(3, 9))
def test_p_is_exact_up_to_8(n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.integers(0, 5, n) + rng.normal(size=n) * (n > 5)
    y[0], y[1] = -1, 9  # not constant
    found = one(correlations(family(x, y), QUICK), scope="family")
    assert found["exact"] and found["permutations"] == math.factorial(n)
    for kind, statistic in (("kendall", stats.kendalltau), ("pearson", stats.pearsonr)):
        if n <= 6:
            all_of_them = [
                statistic(x, y[list(order)]).statistic for order in itertools.permutations(range(n))
            ]
            assert found[f"{kind}_p"] == pytest.approx(
                np.mean(np.abs(all_of_them) >= abs(found[kind]) - 1e-9)
            )
    if n == 8 and len(set(y)) == n:
        assert found["kendall_p"] == pytest.approx(
            stats.kendalltau(x, y, method="exact").pvalue, abs=1e-9
        )


def test_smallest_p_at_4_is_one_twelfth():
    found = one(correlations(family([1, 2, 3, 4], [9, 8, 7, 5]), QUICK), scope="family")
    assert found["kendall"] == -1
    assert found["kendall_p"] == pytest.approx(2 / 24)
    assert Note.NO_INTERVAL_SMALL_N in notes_of(found["note"])


def test_random_p_is_close_to_the_known_one():
    rng = np.random.default_rng(3)
    x = rng.normal(size=20)
    y = 0.5 * x + rng.normal(size=20)
    options = options_with(metrics=("alpha",), bootstrap=99)
    found = one(correlations(family(x, y), options), scope="family")
    assert not found["exact"] and found["permutations"] == 9999
    exact = stats.kendalltau(x, y, method="exact").pvalue
    assert found["kendall_p"] == pytest.approx(exact, abs=4 * math.sqrt(exact / 9999))
    assert found["pearson_p"] == pytest.approx(stats.pearsonr(x, y).pvalue, abs=0.015)


def test_p_never_is_zero():
    found = one(correlations(family(range(30), range(30)), QUICK), scope="family")
    assert found["kendall_p"] == pytest.approx(1 / 500)


@pytest.mark.parametrize("seeds", [1, 3])
def test_no_effect_has_the_nominal_rate(seeds):
    """Twelve units whose seeds share their values nearly; naive: each model as its own unit."""
    rng = np.random.default_rng(11)
    n = 12 * seeds
    p, naive = [], []
    for trial in range(200):
        values = rng.normal(size=(2, 12)).repeat(seeds, axis=1) + 0.1 * rng.normal(size=(2, n))
        for unit, results in ((np.arange(n) // seeds, p), (np.arange(n), naive)):
            zeros = np.zeros(n, int)
            sample = statistics_sample.Sample(values, zeros, unit, zeros, centred=False, missing=0)
            indices, exact = permutation.rearrangements(sample, 199, trial)
            results.append(permutation.permutation_p(*sample.centre(), indices, exact)["kendall"])
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.095  # 0.05, within 3 standard errors
    assert 0.4 < np.mean(p) < 0.6
    assert (np.mean(np.array(naive) <= 0.05) > 0.2) == (seeds > 1)  # pseudoreplication


def test_units_stay_whole_and_in_their_group():
    table = prepare(zoo(np.random.default_rng(0)))
    table = table[(table["collection"] == "zoo") & (table["quality_metric"] == "accuracy")]
    scope = Scope("c", "within", "", "", table.reset_index(drop=True), table["variant"].to_numpy())
    sample = statistics_sample.make_sample(scope, [table["alpha"], table["oriented"]], QUICK)
    assert (sample.n, sample.units, sample.strata, sample.effective) == (150, 75, 15, 61)
    indices, exact = permutation.rearrangements(sample, 200, 0)
    assert not exact
    assert (np.sort(indices, axis=1) == np.arange(150)).all()
    assert (sample.stratum[indices] == sample.stratum).all()
    for unit in range(75):  # what moves to a unit's places comes from one unit
        assert (np.ptp(sample.unit[indices[:, sample.unit == unit]], axis=1) == 0).all()
    assert len(np.unique(indices, axis=0)) == 200
    seeds = np.flatnonzero(sample.unit == 0)  # both orders of a unit's seeds occur
    moved = indices[:, seeds][(sample.unit[indices[:, seeds]] == 0).all(axis=1)]
    assert {tuple(pair) for pair in moved.tolist()} == {tuple(seeds), tuple(seeds[::-1])}


def test_exact_enumeration_of_clusters_has_no_repeats():
    table = family(range(6), range(6))
    table["variant"], table["seed"] = list("aabbcc"), [0, 1] * 3
    indices, exact = permutation.rearrangements(sample_of(table), 99, 0)
    assert exact and len(indices) == len(np.unique(indices, axis=0)) == 6 * 2**3
    assert (indices == np.arange(6)).all(axis=1).sum() == 1
