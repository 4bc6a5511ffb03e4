"""Intervals of correlations cover, become narrower smoothly, and see what normal theory does not."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from helpers.models import QUICK
from helpers.simulated import normal, numbered, table_of, tau
from scipy import stats

from atlas.statistics import intervals
from atlas.statistics.describe import KINDS
from atlas.statistics.models import Scope, prepare
from atlas.statistics.sample import Sample, make_sample
from atlas.statistics.weighted import weighted_correlations


def bounds_of(sample: Sample, kinds: tuple[str, ...] = KINDS) -> np.ndarray:
    """95 % intervals (3, 2) of a sample's correlations."""
    estimates = weighted_correlations(sample, np.ones((1, sample.n)))[0, :, 0]
    return np.array(
        intervals.fisher_intervals(
            sample, kinds, estimates, lambda w: weighted_correlations(sample, w)[:, :, 0], 0.95
        )
    )


def plain(x: np.ndarray, y: np.ndarray) -> Sample:
    return Sample(np.array([x, y]), np.zeros(len(x), int), np.arange(len(x)), False, len(x))


def crossed(x: np.ndarray, y: np.ndarray) -> Sample:
    """Variants (rows) that all have the same recipes (columns)."""
    stratum, mover = (m.ravel() for m in np.indices(x.shape))
    return Sample(np.array([x.ravel(), y.ravel()]), stratum, mover, True, x.size)


def acting_alike(rng: np.random.Generator, variants: int, recipes: int) -> Sample:
    """Crossed recipes that move metric and quality in all variants, each for itself."""
    x, y = rng.normal(size=(2, 1, recipes)) + 0.5 * rng.normal(size=(2, variants, recipes))
    return crossed(x, y)


def truth(r: float) -> np.ndarray:
    return np.array([tau(r), 6 / math.pi * math.asin(r / 2), r])


def mean(values: np.ndarray) -> intervals.Statistic:
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def test_normal_variances_by_hand():
    assert intervals.normal_variance("pearson", 0.5, 12) == pytest.approx(1 / 9)
    assert intervals.normal_variance("spearman", -0.5, 12) == pytest.approx(1.125 / 9)
    assert intervals.normal_variance("kendall", 0.5, 12) == pytest.approx(0.437 / 8)
    assert intervals.normal_variance("pearson", 0.5, 12, fixed=1) == pytest.approx(1 / 8)
    assert intervals.normal_variance("kendall", 0.5, 5) == pytest.approx(0.437)
    assert math.isnan(intervals.normal_variance("kendall", 0.5, 4))
    assert math.isnan(intervals.normal_variance("pearson", 0.5, 4, fixed=1))


def test_the_jackknife_of_a_mean_is_its_squared_standard_error():
    x = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    found = intervals.jackknife_variance(plain(x, x), mean(x))
    assert found == pytest.approx([x.var(ddof=1) / 6])


def test_the_jackknife_leaves_out_units_within_their_stratum():
    """The sum of two groups' means has the sum of their variances; a group of one says nothing."""
    x = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0])
    stratum = np.array([0, 0, 0, 0, 1, 1, 2])

    def statistic(weights):
        sums = [weights[:, stratum == s] @ x[stratum == s] for s in range(3)]
        sizes = [weights[:, stratum == s].sum(axis=1) for s in range(3)]
        return np.column_stack([sum(a / b for a, b in zip(sums, sizes, strict=True))])

    sample = Sample(np.array([x, x]), stratum, np.arange(7), True, 7)
    expected = x[:4].var(ddof=1) / 4 + x[4:6].var(ddof=1) / 2
    assert intervals.jackknife_variance(sample, statistic) == pytest.approx([expected])


def test_the_jackknife_of_crossed_factors_adds_both():
    """Every variant has every recipe: a mean varies with the recipes and with the variants."""
    x = np.random.default_rng(1).normal(size=(4, 6)) + np.arange(6)
    sample = crossed(x, x)
    recipes, variants = x.mean(axis=0), x.mean(axis=1)
    expected = recipes.var(ddof=1) / 6 + variants.var(ddof=1) / 4
    found = intervals.jackknife_variance(sample, mean(x.ravel()))
    assert found == pytest.approx([expected])


def test_the_jackknife_of_a_correlation_by_hand():
    rng = np.random.default_rng(2)
    x, y = normal(rng, 9, -0.5)
    sample = plain(x, y)
    found = intervals.jackknife_variance(
        sample, lambda w: np.arctanh(weighted_correlations(sample, w)[:, :, 0])
    )
    for f, value in zip((stats.kendalltau, stats.spearmanr, stats.pearsonr), found, strict=True):
        z = [math.atanh(f(np.delete(x, i), np.delete(y, i)).statistic) for i in range(9)]
        assert value == pytest.approx(8 / 9 * ((z - np.mean(z)) ** 2).sum())


def test_many_units_are_left_out_in_blocks():
    x = np.random.default_rng(3).normal(size=1000)
    calls = []

    def statistic(weights):
        calls.append((weights == 0).sum(axis=1))
        return mean(x)(weights)

    found = intervals.jackknife_variance(plain(x, x), statistic)
    assert [len(c) for c in calls] == [intervals.BLOCKS] and (calls[0] == 5).all()
    assert found == pytest.approx([x.var(ddof=1) / 1000], rel=0.25)


def test_values_that_are_not_defined_are_left_out_of_the_jackknife():
    x = np.arange(6.0)

    def statistic(weights):
        value = mean(x)(weights)
        return np.where(weights[:, [0]] == 0, np.nan, value)

    left = np.array([(15 - i) / 5 for i in range(1, 6)])
    expected = 5 / 6 * ((left - left.mean()) ** 2).sum()
    assert intervals.jackknife_variance(plain(x, x), statistic) == pytest.approx([expected])


def test_the_larger_variance_makes_the_interval():
    """Normal theory where the jackknife sees less, Student's t of the jackknife where it sees more."""
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(12):
        sample = plain(*rng.standard_t(3, size=(2, 8)))
        estimates = weighted_correlations(sample, np.ones((1, 8)))[0, :, 0]
        spread = intervals.jackknife_variance(
            sample, lambda w, s=sample: np.arctanh(weighted_correlations(s, w)[:, :, 0])
        )
        for kind, r, v, (low, high) in zip(
            KINDS, estimates, spread, bounds_of(sample), strict=True
        ):
            halves = (
                stats.norm.ppf(0.975) * math.sqrt(intervals.normal_variance(kind, r, 8)),
                stats.t.ppf(0.975, 6) * math.sqrt(v),
            )
            assert math.atanh(high) - math.atanh(r) == pytest.approx(max(halves))
            assert math.atanh(r) - math.atanh(low) == pytest.approx(max(halves))
            seen.add(halves[0] > halves[1])
    assert seen == {True, False}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_correlation_has_no_interval(sign):
    x = np.arange(9.0)
    bounds = bounds_of(plain(x, sign * x**3))
    assert np.isnan(bounds[:2]).all()  # Kendall and Spearman
    assert np.isfinite(bounds[2]).all() and (abs(bounds[2]) < 1).all()
    assert np.isnan(bounds_of(plain(x, sign * x))).all()


def test_intervals_begin_at_five_units():
    x, y = np.arange(6.0), np.array([2.0, 1, 3, 5, 4, 6])
    assert np.isnan(bounds_of(plain(x[:4], y[:4]))).all()
    assert np.isfinite(bounds_of(plain(x[:5], y[:5]))).all()
    r = [0.5]
    for n, known in ((5, False), (6, True)):  # a variable held fixed takes a unit
        sample = plain(x[:n], y[:n])
        ((low, high),) = intervals.fisher_intervals(
            sample, ["pearson"], r, lambda w, s=sample: mean(s.values[0] / 9)(w), 0.95, fixed=1
        )
        assert math.isfinite(low) == math.isfinite(high) == known


def test_width_falls_smoothly():
    """From 5 to 30 units, of the same draws: no step up, and no large one down."""
    rng = np.random.default_rng(5)
    draws = normal(rng, (50, 30), -0.5)
    widths = []
    for n in range(5, 31):
        bounds = [bounds_of(plain(x[:n], y[:n])) for x, y in zip(*draws, strict=True)]
        # A perfect order of a few units has no interval.
        widths.append(np.nanmean([np.ptp(b, axis=1) for b in bounds], axis=0))
    steps = np.diff(widths, axis=0)
    assert (steps < 0.005).all()
    assert (np.abs(steps) < 0.25).all() and (np.abs(steps[10:]) < 0.06).all()
    assert (widths[-1] < 0.45 * widths[0]).all()


@pytest.mark.parametrize(("n", "r"), list(itertools.product((5, 8, 12), (0.0, -0.6))))
def test_intervals_of_independent_units_cover(n, r):
    rng = np.random.default_rng(n)
    studies = 250
    bounds = np.array([bounds_of(plain(*normal(rng, n, r))) for _ in range(studies)])
    check_coverage(bounds, truth(r))


@pytest.mark.parametrize("r", [0.0, -0.6])
@pytest.mark.parametrize(("families", "size"), [(3, 3), (6, 4)])
def test_intervals_within_small_families_cover(families, size, r):
    """Differences of centred values have the correlation of the values, and so the same tau."""
    rng = np.random.default_rng(families)
    bounds = []
    for _ in range(200):
        x, y = normal(rng, (families, size), r) + 10 * rng.normal(size=(2, families, 1))
        stratum = np.repeat(np.arange(families), size)
        values = np.array([x.ravel(), y.ravel()])
        sample = Sample(values, stratum, np.arange(x.size), True, x.size)
        assert sample.effective == families * (size - 1) + 1
        bounds.append(bounds_of(sample))
    check_coverage(np.array(bounds), truth(r))


@pytest.mark.parametrize(("variants", "recipes"), [(6, 6), (15, 5), (5, 12)])
def test_intervals_of_crossed_recipes_cover(variants, recipes):
    rng = np.random.default_rng(variants)
    bounds = []
    for _ in range(200):
        sample = acting_alike(rng, variants, recipes)
        assert sample.effective == recipes
        bounds.append(bounds_of(sample))
    check_coverage(np.array(bounds), truth(0.0))


def test_recipes_taken_as_new_in_each_variant_would_make_intervals_too_narrow():
    rng = np.random.default_rng(7)
    held = []
    for _ in range(60):
        sample = acting_alike(rng, 6, 6)
        bounds = bounds_of(dataclasses.replace(sample, mover=np.arange(sample.n)))
        held.append((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0))
    assert (np.mean(held, axis=0) < 0.8).all()


def check_coverage(bounds: np.ndarray, expected: np.ndarray) -> None:
    """Intervals (m, 3, 2) that exist hold the truth in 95 % of studies, less 3 standard errors."""
    known = np.isfinite(bounds).all(axis=2)
    held = (bounds[:, :, 0] <= expected) & (expected <= bounds[:, :, 1])
    count = known.sum(axis=0)
    assert (count > len(bounds) / 2).all()
    share = (held & known).sum(axis=0) / count
    assert (share >= 0.95 - 3 * np.sqrt(0.0475 / count)).all(), share


def test_recipes_of_the_table_are_what_is_crossed():
    """`make_sample` gives the units of (c) the movers that the tests above take."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 4, 5))
    table = prepare(table_of(x, y, variant=numbered("v", 4, 0), recipe=numbered("r", 5, 1)))
    scope = Scope("c", "within", "", "", table, table["variant"].to_numpy())
    sample = make_sample(scope, [table["alpha"], table["oriented"]], QUICK)
    assert bounds_of(sample) == pytest.approx(bounds_of(crossed(x, y)))
