"""What the smallest number of units could have shown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.options import options_with
from helpers.simulated import normal
from scipy import stats

from atlas.statistics import power
from atlas.statistics.power import detectable


def share_found(rng, n, r, level, studies=600):
    pairs = np.moveaxis(normal(rng, (studies, n), r), 1, 0)
    p = [stats.kendalltau(x, y, method="exact").pvalue for x, y in pairs]
    return np.mean(np.array(p) <= level + 1e-12)


@pytest.mark.parametrize("level", [0.05, 0.05 / 3, 0.05 / 9])
def test_what_is_detectable_is_found_as_often_as_said(level):
    """Against the exact test of SciPy, on other draws: 2000 studies make its r, 600 try it."""
    r = detectable(8, level, 0.8)
    rng = np.random.default_rng(1)
    assert share_found(rng, 8, r, level) == pytest.approx(0.8, abs=0.05)
    assert share_found(rng, 8, r - 0.12, level, 300) < 0.75
    assert detectable(8, level, 0.5) < r < detectable(8, level, 0.95)
    assert detectable(8, 0.2, 0.8) < r


@pytest.mark.parametrize("n", [12, 30])
def test_more_units_are_simulated_too(n):
    r = detectable(n, 0.05, 0.8)
    found = share_found(np.random.default_rng(n), n, r, 0.05, 400)
    assert found == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    ("n", "level", "known"),
    [
        (0, 0.05, False),
        (2, 0.99, False),
        (3, 1 / 3, True),  # two of six orders are perfect
        (3, 0.33, False),
        (4, 0.05, False),  # 2 of 24 orders
        (5, 0.05, True),
        (5, 1 / 60, True),  # just 2 of 120
        (5, 0.0166, False),
        (5, 0.05 / 6, False),
        (6, 0.05 / 6, True),
        (6, 0.05 / 18, True),  # 2 of 720: just rare enough
        (6, 0.05 / 21, False),
    ],
)
def test_nothing_is_detectable_where_no_order_is_rare_enough(n, level, known):
    found = detectable(n, level, 0.8)
    assert math.isfinite(found) == known
    assert not known or 0 < found < 1


@pytest.mark.parametrize("metrics", [1, 2, 3, 6, 9])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_levels_are_reached_exactly_where_orders_allow(metrics, confidence):
    """A p value at Holm's first limit counts, whatever 1 - confidence is in floating point."""
    names = tuple(f"m{i}" for i in range(metrics))
    options = options_with(primary_metrics=names, metrics=names, confidence=confidence)
    level = options.confirmatory_level
    assert level == pytest.approx((1 - confidence) / (3 * metrics))
    for n in range(3, 9):
        enough = 2 / math.factorial(n) <= level * (1 + 1e-9)
        assert math.isfinite(detectable(n, level, 0.8)) == enough


def test_detectable_falls_with_the_number_of_units():
    found = [detectable(n, 0.05, 0.8) for n in (6, 8, 10, 14, 20, 30, 45, 60, 61, 80, 200, 1000)]
    falls = np.diff(found) < 0
    assert falls[:7].all() and falls[8:].all()
    assert found[7] == pytest.approx(found[8], abs=0.01)  # from simulation to normal theory
    assert found[-1] < 0.12


def test_above_the_simulated_numbers_by_hand():
    z = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * math.sqrt(0.437 / 96)
    assert detectable(100, 0.05, 0.8) == pytest.approx(math.sin(math.pi / 2 * math.tanh(z)))


def test_orders_by_their_discordant_pairs():
    assert power.inversions(1).tolist() == [1]
    assert power.inversions(4) == pytest.approx([1, 3, 5, 6, 5, 3, 1])
    assert power.inversions(9).sum() == pytest.approx(math.factorial(9))
    x, y = np.random.default_rng(2).normal(size=(2, 40, 7))
    expected = [round(21 * stats.kendalltau(a, b).statistic) for a, b in zip(x, y, strict=True)]
    assert power._scores(x, y).tolist() == expected
