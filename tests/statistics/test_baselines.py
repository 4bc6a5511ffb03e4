"""Size as a baseline, and what is left of a correlation once size is taken out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pingouin
import pytest
from helpers.models import QUICK, family, one, zoo
from helpers.simulated import FAST, families_of, normal, table_of, tau
from scipy import stats

from atlas.statistics import baselines as statistics_baselines
from atlas.statistics.baselines import baselines
from atlas.terms.notes import Note


def test_baselines_agree_with_pingouin():
    rng = np.random.default_rng(6)
    size = rng.uniform(5, 8, 20)
    x = size + rng.normal(size=20)
    y = 2 * size - x + rng.normal(size=20)
    table = family(x, y)
    table["parameters"] = 10**size
    found = one(baselines(table, QUICK), scope="family")
    frame = pd.DataFrame({"x": x, "y": y, "z": size})
    expected = pingouin.partial_corr(frame, "x", "y", "z")
    assert found["partial_pearson"] == pytest.approx(expected["r"].iloc[0])
    assert found["partial_pearson_p"] < 0.05
    assert found["partial_pearson_low"] < found["partial_pearson"] < found["partial_pearson_high"]
    tau = [stats.kendalltau(a, b).statistic for a, b in ((x, y), (x, size), (y, size))]
    assert found["kendall"] == pytest.approx(tau[0])
    assert found["kendall_metric_size"] == pytest.approx(tau[1])
    assert found["kendall_size"] == pytest.approx(tau[2])
    assert found["partial_kendall"] == pytest.approx(
        (tau[0] - tau[1] * tau[2]) / math.sqrt((1 - tau[1] ** 2) * (1 - tau[2] ** 2))
    )
    both = pingouin.linear_regression(frame[["x", "z"]], frame["y"])["r2"].iloc[0]
    alone = pingouin.linear_regression(frame[["z"]], frame["y"])["r2"].iloc[0]
    assert found["r2_both"] == pytest.approx(both)
    assert found["added_r2"] == pytest.approx(both - alone)
    assert found["added_r2_low"] >= 0


def test_size_explains_what_only_size_does():
    rng = np.random.default_rng(7)
    size = rng.uniform(5, 8, 40)
    table = family(size + 0.3 * rng.normal(size=40), -size + 0.3 * rng.normal(size=40))
    table["parameters"] = 10**size
    found = one(baselines(table, QUICK), scope="family")
    assert found["pearson"] < -0.8
    assert found["partial_pearson_p"] > 0.05 and abs(found["partial_pearson"]) < 0.35


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
    assert in_c["partial_pearson"].isna().all()


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
    assert row["pearson"] == pytest.approx(raw, abs=0.12)
    assert row["partial_pearson"] == pytest.approx(r, abs=0.12)
    taus = tau(raw), tau(xz), tau(yz)
    left = (taus[0] - taus[1] * taus[2]) / math.sqrt((1 - taus[1] ** 2) * (1 - taus[2] ** 2))
    assert row["partial_kendall"] == pytest.approx(left, abs=0.1)
    assert row["r2_size"] == pytest.approx(0.5, abs=0.12)
    assert row["added_r2"] == pytest.approx(r * r / 2, abs=0.08)
    for name, value in (("partial_pearson", r), ("partial_kendall", left)):
        assert row[f"{name}_low"] - 0.03 <= value <= row[f"{name}_high"] + 0.03
    assert (row["partial_pearson_p"] < 0.01) == (r != 0)


def test_partial_correlation_within_families_sees_size_within_families_only():
    """Families differ in size and level; inside, alpha says nothing beyond size."""
    rng = np.random.default_rng(11)
    size = rng.normal(size=(10, 8))
    shift = 5 * rng.normal(size=(3, 10, 1))
    x, y = rng.normal(size=(2, 10, 8)) + size * np.array([[[-2.0]], [[2.0]]])
    parameters = 10 ** (6 + 0.3 * (size + shift[2]))
    table = families_of(x + shift[0], y + shift[1], parameters=parameters)
    row = one(baselines(table, FAST), comparison="b", scope="within")
    assert row["pearson"] < -0.6 and row["pearson_size"] > 0.7 and row["pearson_metric_size"] < -0.7
    assert abs(row["partial_pearson"]) < 0.25 and row["partial_pearson_p"] > 0.05
    assert row["partial_pearson_low"] < 0 < row["partial_pearson_high"]
    centred = [v - v.mean(axis=1, keepdims=True) for v in (x, y, 0.3 * size)]
    a, b, z = (v.ravel() for v in centred)
    residuals = [v - z * (v @ z) / (z @ z) for v in (a, b)]
    assert row["partial_pearson"] == pytest.approx(stats.pearsonr(*residuals).statistic)
