"""Correlations of groups put together: a mean, and how much the groups differ."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, one, several
from helpers.simulated import FAST, families_of, nominal, normal, numbered, table_of
from scipy import stats

from atlas.statistics.correlations import correlations
from atlas.statistics.meta import meta, random_effects
from atlas.terms.notes import Note, join


def groups_of(r: list[float], units: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"pearson": r, "units": units, "n": units})


def test_random_effects_by_hand():
    """Equal group sizes: tau2 and the interval have closed forms."""
    r, n = np.array([-0.9, -0.5, 0.1, 0.4]), 12
    found = random_effects(groups_of(list(r), [n] * 4), 0.95)
    z = np.arctanh(r)
    assert found["z"] == pytest.approx(z.mean())
    assert found["tau2"] == pytest.approx(z.var(ddof=1) - 1 / (n - 3), abs=1e-6)
    half = stats.t.ppf(0.975, 3) * z.std(ddof=1) / 2  # Hartung-Knapp is the t interval here
    assert math.atanh(found["pearson_high"]) == pytest.approx(z.mean() + half, abs=1e-6)
    assert found["pearson_p"] == pytest.approx(stats.ttest_1samp(z, 0).pvalue, abs=1e-6)
    q = (n - 3) * ((z - z.mean()) ** 2).sum()
    assert (found["q"], found["i2"]) == pytest.approx((q, 100 * (1 - 3 / q)))


def test_random_effects_without_heterogeneity():
    found = random_effects(groups_of([-0.5] * 4, [12] * 4), 0.95)
    assert found["tau2"] == found["i2"] == 0
    assert found["z_se"] == pytest.approx(1 / math.sqrt(36))  # no narrower than a common effect
    assert found["pearson"] == pytest.approx(-0.5)


def test_random_effects_leave_out_what_has_no_variance():
    found = random_effects(groups_of([-1.0, 0.5, 0.3, -0.9, np.nan], [9, 9, 9, 3, 9]), 0.95)
    assert (found["k"], found["k_left_out"]) == (2, 3)
    assert found["note"] == Note.PERFECT_GROUPS_LEFT_OUT.of(1)
    none = random_effects(groups_of([1.0, 0.5], [9, 3]), 0.95)
    assert none["note"] == join(Note.NO_LARGE_GROUP, Note.PERFECT_GROUPS_LEFT_OUT.of(1))
    assert random_effects(groups_of([0.5], [3]), 0.95)["k"] == 0
    assert "pearson_low" not in random_effects(groups_of([0.5], [9]), 0.95)


@pytest.mark.parametrize("effect", [0.0, -2.0])
def test_mean_correlation_speaks_where_groups_are_small(effect):
    rng = np.random.default_rng(14)
    families = {}
    for i in range(15):
        x = rng.normal(size=3)
        families[f"f{i}"] = (x + i, effect * x + 0.3 * rng.normal(size=3) - i)
    table = several(families)
    found = one(meta(table, correlations(table, QUICK), QUICK))
    assert found["k"] == 0 and found["k_left_out"] == 15
    assert found["mean_r_groups"] == 15
    r = [stats.pearsonr(*pair).statistic for pair in families.values()]
    assert found["mean_r"] == pytest.approx(np.mean(r))
    assert (found["mean_r_p"] < 0.05) == bool(effect)


def test_heterogeneity_is_recovered():
    """25 families whose true z varies with SD 0.8: tau2, I2 and Q say so."""
    rng = np.random.default_rng(12)
    true = np.tanh(rng.normal(-0.5, 0.8, size=25))
    x, y = np.stack([normal(rng, 12, r) for r in true], axis=1)
    table = families_of(x, y)
    found = correlations(table, replace(FAST, bootstrap=2, permutations=2))
    row = one(meta(table, found, FAST))
    assert row["k"] == 25 and row["units"] == 300
    assert row["tau2"] == pytest.approx(0.64, rel=0.5)
    assert row["i2"] > 70 and row["q_p"] < 1e-6
    assert row["pearson_low"] < math.tanh(-0.5) < row["pearson_high"]
    assert ((true > row["pearson_low"]) & (true < row["pearson_high"])).mean() < 0.6


def test_no_heterogeneity_is_not_invented():
    rng = np.random.default_rng(13)
    q_p, i2, inside = [], [], []
    for _ in range(200):
        r = [np.corrcoef(normal(rng, 12, -0.5))[0, 1] for _ in range(8)]
        row = random_effects(pd.DataFrame({"pearson": r, "units": 12, "n": 12}), 0.95)
        q_p.append(row["q_p"])
        i2.append(row["i2"])
        inside.append(row["pearson_low"] <= -0.5 <= row["pearson_high"])
    assert nominal(q_p) and np.median(i2) < 25
    assert np.mean(inside) > 0.92


def test_the_variance_between_groups_is_found_wherever_there_is_one():
    """Paule and Mandel's equation has a root above 0 just where Q is larger than k - 1."""
    rng = np.random.default_rng(15)
    for _ in range(500):
        units = rng.integers(4, 30, size=rng.integers(2, 12))
        variance = 1 / (units - 3)
        z = rng.normal(0, np.sqrt(variance + rng.exponential(0.1)))
        row = random_effects(
            pd.DataFrame({"pearson": np.tanh(z), "units": units, "n": units}), 0.95
        )
        assert (row["tau2"] > 0) == (row["q"] > len(z) - 1)
        if row["tau2"] > 0:
            weights = 1 / (variance + row["tau2"])
            squares = weights @ (z - np.average(z, weights=weights)) ** 2
            assert squares == pytest.approx(len(z) - 1, abs=1e-6)


@pytest.mark.parametrize("spread", [0.0, 0.6])
def test_no_mean_effect_is_found_no_oftener_than_chance_allows(spread):
    """Also where groups differ: a common-effect model would find an effect in many studies."""
    rng = np.random.default_rng(14)
    p, common = [], []
    for _ in range(300):
        true = np.tanh(spread * rng.normal(size=6))
        r = np.array([np.corrcoef(normal(rng, 12, t))[0, 1] for t in true])
        p.append(
            random_effects(pd.DataFrame({"pearson": r, "units": 12, "n": 12}), 0.95)["pearson_p"]
        )
        common.append(2 * stats.norm.sf(abs(np.arctanh(r).sum()) * math.sqrt(9 / 6)))
    assert nominal(p)
    assert (np.mean(np.array(common) <= 0.05) > 0.15) == (spread > 0)


@pytest.mark.parametrize("shared", [False, True])
def test_variants_are_put_together_in_c_where_they_share_no_recipe(shared):
    rng = np.random.default_rng(15)
    x, y = normal(rng, (8, 9), -0.7) + 10 * rng.normal(size=(2, 8, 1))
    labels = {"family": np.repeat(["f0", "f1"], 4)[:, None], "variant": numbered("v", 8, 0)}
    recipe = numbered("r", 9, 1) + ("" if shared else numbered("-v", 8, 0))
    table = table_of(x, y, recipe=recipe, **labels)
    found = correlations(table, FAST)
    row = one(meta(table, found, FAST), comparison="c")
    assert (row["k"], row["k_left_out"], row["units"], row["mean_r_groups"]) == (8, 0, 72, 8)
    estimates = ["pearson", "pearson_low", "pearson_p", "z", "z_se", "tau2", "i2", "q", "q_p"]
    if shared:
        assert row["note"] == Note.GROUPS_SHARE_RECIPES and row[estimates].isna().all()
    else:
        assert row["note"] == "" and row[estimates].notna().all()
        assert row["pearson_low"] < -0.7 < row["pearson_high"] < 0
    assert row["mean_r_p"] == pytest.approx(1 / 300)
    own = found[(found["comparison"] == "c") & (found["scope"] == "family")]
    own = own[(own["metric"] == "alpha") & (own["treatment"] == "dropped")]
    assert row["mean_r"] == pytest.approx(own["pearson"].mean())


def test_mean_correlation_of_small_groups_has_a_nominal_p():
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(2, 4, 3)) + 5 * rng.normal(size=(2, 4, 1))
        table = families_of(x, y)
        group = table.iloc[[0]].assign(comparison="b", scope="family", metric="alpha")
        group = group.assign(treatment="dropped", pearson=np.nan, n=3, units=3)
        row = one(meta(table, group, FAST))
        assert row["exact"] and row["permutations"] == 6**4
        p.append(row["mean_r_p"])
    assert nominal(p) and 0.4 < np.mean(p) < 0.6


def test_the_mean_correlation_of_recipes_that_act_alike_has_a_nominal_p():
    """Recipes are exchanged in all variants at once, as in `correlations`."""
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(2, 1, 5)) + 0.5 * rng.normal(size=(2, 6, 5))
        table = table_of(x, y, variant=numbered("v", 6, 0), recipe=numbered("r", 5, 1))
        group = table.iloc[[0]].assign(comparison="c", scope="family", metric="alpha")
        group = group.assign(treatment="dropped", pearson=np.nan, n=5, units=5)
        row = one(meta(table, group, FAST))
        assert row["exact"] and row["permutations"] == 120 and row["mean_r_groups"] == 6
        p.append(row["mean_r_p"])
    assert nominal(p) and 0.35 < np.mean(p) < 0.65
