"""Size as a baseline, and what is left of a correlation once size is taken out."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pingouin
import pytest
from helpers.models import QUICK, family, one, zoo
from helpers.simulated import FAST, families_of, nominal, normal, table_of, tau
from scipy import stats

from atlas.statistics import baselines as statistics_baselines
from atlas.statistics.baselines import baselines
from atlas.statistics.models import Scope, prepare
from atlas.terms.notes import Note


def scores(*values):
    """Normal scores of the ranks of each variable."""
    return [stats.norm.ppf(stats.rankdata(v) / (len(v) + 1)) for v in values]


def test_baselines_agree_with_pingouin():
    rng = np.random.default_rng(6)
    size = rng.uniform(5, 8, 20)
    x = size + rng.normal(size=20)
    y = 2 * size - x + rng.normal(size=20)
    table = family(x, y)
    table["parameters"] = 10**size
    found = one(baselines(table, QUICK), scope="family")
    ranked = pd.DataFrame(dict(zip("xyz", scores(x, y, size), strict=True)))
    expected = pingouin.partial_corr(ranked, "x", "y", "z")["r"].iloc[0]
    assert found["partial"] == pytest.approx(expected)
    assert found["partial_p"] < 0.05
    assert found["partial_low"] < found["partial"] < found["partial_high"]
    # Never narrower than Fisher's z with one variable held fixed.
    half = stats.norm.ppf(0.975) / math.sqrt(20 - 4)
    assert math.atanh(found["partial_high"]) - math.atanh(expected) > half - 1e-9
    for name, pair in (
        ("kendall", (x, y)),
        ("kendall_metric_size", (x, size)),
        ("kendall_size", (y, size)),
    ):
        assert found[name] == pytest.approx(stats.kendalltau(*pair).statistic)
    frame = pd.DataFrame({"x": x, "y": y, "z": size})
    both = pingouin.linear_regression(frame[["x", "z"]], frame["y"])["r2"].iloc[0]
    alone = pingouin.linear_regression(frame[["z"]], frame["y"])["r2"].iloc[0]
    assert found["r2_size"] == pytest.approx(alone)
    assert found["r2_both"] == pytest.approx(both)
    assert found["added_r2"] == pytest.approx(both - alone)


def test_the_interval_is_the_wider_of_normal_theory_and_jackknife():
    rng = np.random.default_rng(8)
    seen = set()
    for _ in range(8):
        size = rng.normal(size=9)
        x, y = size + rng.standard_t(2, size=(2, 9))
        found = one(baselines(table_of(x, y, parameters=10 ** (6 + size)), FAST), scope="family")

        def partial(rows, values=(x, y, size)):
            return statistics_baselines._partial(np.array(scores(*(v[rows] for v in values))))

        z = [np.arctanh(partial(np.arange(9) != i)) for i in range(9)]
        spread = 8 / 9 * ((z - np.mean(z)) ** 2).sum()
        halves = stats.norm.ppf(0.975) / math.sqrt(5), stats.t.ppf(0.975, 6) * math.sqrt(spread)
        half = math.atanh(found["partial_high"]) - math.atanh(found["partial"])
        assert half == pytest.approx(max(halves))
        seen.add(halves[0] > halves[1])
    assert seen == {True, False}


def test_monotone_transformations_change_no_partial_correlation():
    rng = np.random.default_rng(9)
    size = rng.normal(size=12)
    x, y = size + rng.normal(size=(2, 12))
    columns = ["kendall", "kendall_size", "partial", "partial_low", "partial_high", "partial_p"]
    found = [
        one(baselines(table_of(a, b, parameters=10 ** (6 + c)), FAST), scope="family")[columns]
        for a, b, c in ((x, y, size), (np.exp(x), y**3, 2 * np.arctan(size)))
    ]
    assert found[0].tolist() == pytest.approx(found[1].tolist())


def test_the_partial_correlation_holds_its_level_where_kendalls_partial_tau_does_not():
    """100 models whose alpha and quality both follow size, and have nothing else in common."""
    rng = np.random.default_rng(12)
    p, tau_p = [], []
    for _ in range(200):
        size = rng.normal(size=100)
        x, y = size + rng.normal(size=(2, 100))
        indices = np.array([rng.permutation(100) for _ in range(99)])
        p.append(statistics_baselines._partial_p(*scores(x, y, size), indices, False))
        xy, xz, yz = (stats.kendalltau(*v).statistic for v in ((x, y), (x, size), (y, size)))
        z = math.atanh((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)))
        tau_p.append(2 * stats.norm.sf(abs(z) / math.sqrt(0.437 / 95)))
    assert nominal(p) and 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(tau_p) <= 0.05) > 0.3


def test_the_interval_of_the_partial_correlation_covers():
    rng = np.random.default_rng(13)
    for n, r in ((7, 0.0), (20, -0.6)):
        held = []
        for _ in range(60):
            size = rng.normal(size=n)
            x, y = normal(rng, n, r) + size * np.array([[-1.0], [1.0]])
            table = prepare(table_of(x, y, parameters=10 ** (6 + size)))
            scope = Scope("b", "family", "f", "", table)
            alpha = table["alpha"].to_numpy()
            options = replace(FAST, permutations=2) if n > 7 else FAST
            row = statistics_baselines._beyond_size(scope, alpha, options, ())
            held.append(row["partial_low"] <= r <= row["partial_high"])
        assert np.mean(held) >= 0.95 - 3 * math.sqrt(0.0475 / 60)


def test_a_metric_in_the_order_of_size_has_no_partial_correlation():
    size = np.linspace(5, 8, 9)
    y = np.random.default_rng(1).normal(size=9)
    table = table_of(np.exp(size), y, parameters=10**size)
    found = one(baselines(table, QUICK), scope="family")
    assert found["note"] == Note.ORDERED_BY_SIZE and np.isfinite(found["kendall"])
    assert found[["partial", "partial_low", "partial_high", "partial_p"]].isna().all()


def test_size_explains_what_only_size_does():
    rng = np.random.default_rng(7)
    size = rng.uniform(5, 8, 40)
    table = family(size + 0.3 * rng.normal(size=40), -size + 0.3 * rng.normal(size=40))
    table["parameters"] = 10**size
    found = one(baselines(table, QUICK), scope="family")
    assert found["kendall"] < -0.6
    assert found["partial_p"] > 0.05 and abs(found["partial"]) < 0.35


def test_partial_p_is_nominal():
    rng = np.random.default_rng(9)
    p = []
    for _ in range(300):
        size = rng.normal(size=10)
        x, y = size + rng.normal(size=(2, 10))
        indices = np.array([rng.permutation(10) for _ in range(199)])
        p.append(statistics_baselines._partial_p(x, y, size, indices, False))
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1


def test_partial_p_is_that_of_refitted_partial_correlations():
    rng = np.random.default_rng(10)
    size = rng.normal(size=6)
    x, y = size + rng.normal(size=(2, 6))

    def residuals(v):
        line = stats.linregress(size, v)
        return v - line.intercept - line.slope * size

    orders = np.array(list(itertools.permutations(range(6))))
    null = [stats.pearsonr(residuals(x), residuals(residuals(y)[o])).statistic for o in orders]
    expected = np.mean(np.abs(null) >= abs(null[0]) - 1e-9)
    assert 0 < expected < 1
    assert statistics_baselines._partial_p(x, y, size, orders, True) == pytest.approx(expected)


def test_size_is_constant_in_c():
    found = baselines(zoo(np.random.default_rng(0), families=2, seeds=1), QUICK)
    in_c = found[(found["comparison"] == "c") & (found["collection"] == "zoo")]
    assert len(in_c) and (in_c["note"] == Note.SIZE_CONSTANT).all()
    assert in_c["partial"].isna().all()


@pytest.mark.parametrize(
    ("r", "alpha", "quality"),
    [
        (-0.6, -1.0, 1.0),  # both follow size, and something is left
        (0.0, -1.0, 1.0),  # size explains all
        (-0.6, 1.0, 1.0),  # size hides it: hardly a correlation until size is known
    ],
)
def test_partial_correlations_recover_what_is_left(r, alpha, quality):
    rng = np.random.default_rng(10)
    n = 400
    size = rng.normal(size=n)
    x, y = normal(rng, n, r) + size * np.array([[alpha], [quality]])
    row = one(baselines(table_of(x, y, parameters=10 ** (6 + size)), FAST), scope="family")
    raw, xz, yz = (r + alpha * quality) / 2, alpha / math.sqrt(2), quality / math.sqrt(2)
    for name, value in (("", raw), ("_metric_size", xz), ("_size", yz)):
        assert row[f"kendall{name}"] == pytest.approx(tau(value), abs=0.1)
    assert row["partial"] == pytest.approx(r, abs=0.12)
    assert row["r2_size"] == pytest.approx(0.5, abs=0.12)
    assert row["added_r2"] == pytest.approx(r * r / 2, abs=0.08)
    assert row["partial_low"] - 0.03 <= r <= row["partial_high"] + 0.03
    assert (row["partial_p"] < 0.01) == (r != 0)


def test_partial_correlation_within_families_sees_size_within_families_only():
    """Families differ in size and level; inside, alpha says nothing beyond size."""
    rng = np.random.default_rng(11)
    size = rng.normal(size=(10, 8))
    shift = 5 * rng.normal(size=(3, 10, 1))
    x, y = rng.normal(size=(2, 10, 8)) + size * np.array([[[-2.0]], [[2.0]]])
    parameters = 10 ** (6 + 0.3 * (size + shift[2]))
    table = families_of(x + shift[0], y + shift[1], parameters=parameters)
    row = one(baselines(table, FAST), comparison="b", scope="within")
    assert row["kendall"] < -0.4 and row["kendall_size"] > 0.5 and row["kendall_metric_size"] < -0.5
    assert abs(row["partial"]) < 0.25 and row["partial_p"] > 0.05
    assert row["partial_low"] < 0 < row["partial_high"]
    a, b, z = scores(*((v - v.mean(axis=1, keepdims=True)).ravel() for v in (x, y, size)))
    residuals = [v - z * (v @ z) / (z @ z) for v in (a, b)]
    assert row["partial"] == pytest.approx(stats.pearsonr(*residuals).statistic)
