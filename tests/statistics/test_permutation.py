"""Permutations: exact where they are few, and no effect is found at the nominal rate."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.models import QUICK, family, one, zoo
from helpers.options import options_with
from helpers.simulated import numbered, table_of
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
    p, naive = [], []
    labels = {"variant": numbered("v", 12, 0), "seed": np.arange(seeds)}
    table = prepare(table_of(np.zeros((12, seeds)), 0.0, **labels))
    scope = Scope("b", "family", "f", "", table)
    for trial in range(200):
        values = rng.normal(size=(2, 12, 1)) + 0.1 * rng.normal(size=(2, 12, seeds))
        for replicates, results in ((True, p), (False, naive)):
            options = replace(QUICK, seeds_are_replicates=replicates)
            sample = statistics_sample.make_sample(scope, values.reshape(2, -1), options)
            assert (sample.n, sample.models) == (12 if replicates else 12 * seeds, 12 * seeds)
            indices, exact = permutation.rearrangements(sample, 99, trial)
            results.append(permutation.permutation_p(*sample.centre(), indices, exact)["kendall"])
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.095  # 0.05, within 3 standard errors
    assert 0.4 < np.mean(p) < 0.6
    assert (np.mean(np.array(naive) <= 0.05) > 0.2) == (seeds > 1)  # pseudoreplication


def zoo_sample(drop: int = 0) -> statistics_sample.Sample:
    """Units of (c) of a zoo of 15 variants and 5 recipes in 2 seeds, without its first models."""
    table = prepare(zoo(np.random.default_rng(0)))
    table = table[(table["collection"] == "zoo") & (table["quality_metric"] == "accuracy")]
    table = table.iloc[drop:].reset_index(drop=True)
    scope = Scope("c", "within", "", "", table, table["variant"].to_numpy())
    return statistics_sample.make_sample(scope, [table["alpha"], table["oriented"]], QUICK)


def test_recipes_are_exchanged_in_all_groups_at_once():
    sample = zoo_sample()
    assert (sample.models, sample.n, sample.strata, sample.effective) == (150, 75, 15, 5)
    indices, exact = permutation.rearrangements(sample, 200, 0)
    assert exact and len(indices) == len(np.unique(indices, axis=0)) == math.factorial(5)
    assert (indices == np.arange(75)).all(axis=1).sum() == 1
    assert (np.sort(indices, axis=1) == np.arange(75)).all()
    assert (sample.stratum[indices] == sample.stratum).all()
    for recipe in range(5):  # what moves to a recipe's places comes from one recipe
        moved = sample.mover[indices[:, sample.mover == recipe]]
        assert moved.shape[1] == 15 and (np.ptp(moved, axis=1) == 0).all()


def test_recipes_with_a_gap_are_exchanged_among_those_that_have_the_same():
    """Without a variant's reference, that recipe has no like, and stays where it is."""
    sample = zoo_sample(drop=2)
    assert (sample.n, sample.effective) == (74, 4)
    assert sorted(members.shape for members in sample.classes) == [(1, 14), (4, 15)]
    indices, exact = permutation.rearrangements(sample, 200, 0)
    assert exact and len(indices) == math.factorial(4)
    (alone,) = next(members for members in sample.classes if len(members) == 1)
    assert (indices[:, alone] == alone).all()
    assert (sample.stratum[indices] == sample.stratum).all()


@pytest.mark.parametrize("n", [6, 9, 40])
def test_units_within_their_groups(n):
    """All orders inside each group where there are few, else random ones, of each group its own."""
    stratum = np.arange(n) % 3
    values = np.random.default_rng(n).normal(size=(2, n))
    sample = statistics_sample.Sample(values, stratum, np.arange(n), True, n)
    assert sample.effective == n - 2
    indices, exact = permutation.rearrangements(sample, 200, 0)
    number = math.prod(math.factorial(np.sum(stratum == s)) for s in range(3))
    assert exact == (number <= math.factorial(8))
    assert len(indices) == len(np.unique(indices, axis=0)) == (number if exact else 200)
    assert (np.sort(indices, axis=1) == np.arange(n)).all()
    assert (stratum[indices] == stratum).all()
    assert (indices == np.arange(n)).all(axis=1).sum() == exact
    for s in range(3):
        firsts = indices[:, np.flatnonzero(stratum == s)[0]]
        assert len(np.unique(firsts)) == np.sum(stratum == s)


def test_random_exchanges_are_uniform_and_of_each_class_for_itself():
    """Eight recipes of four variants and nine of others: every mover goes everywhere alike."""
    classes = [np.arange(32).reshape(4, 8).T, 32 + np.arange(9)[:, None]]
    indices, exact = permutation.exchanges(classes, 41, 4000, 3, 10**9)
    assert not exact and len(indices) == 4000
    for members in classes:
        first = indices[:, members[:, 0]]
        k = len(members)
        for place in range(k):
            counts = np.bincount(first[:, place] - members[:, 0].min(), minlength=k)
            counts = counts[members[:, 0] - members[:, 0].min()]
            assert counts.sum() == 4000
            assert stats.chisquare(counts).pvalue > 1e-5
    moved = indices[:, classes[0]] - indices[:, classes[0][:, :1]]  # units keep their distance
    assert (moved == (classes[0] - classes[0][:, :1])).all()
    r = np.corrcoef(indices[:, 0], indices[:, 32])[0, 1]
    assert abs(r) < 0.06


def test_the_number_of_rearrangements_is_limited_for_thousands_of_models():
    classes = [np.arange(12)[:, None]]
    assert len(permutation.exchanges(classes, 12, 500, 0, 10**9)[0]) == 500
    assert len(permutation.exchanges(classes, 12, 500, 0, 200)[0]) == 200
    assert len(permutation.exchanges(classes, 12, 500, 0, 5)[0]) == 99
