"""Simulated studies: effects are found in the comparison that has them, and nowhere else."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.models import one
from helpers.options import options_with
from helpers.simulated import FAST, families_of, nominal, normal, numbered, table_of, tau
from scipy import stats

from atlas.statistics import permutation
from atlas.statistics.baselines import baselines
from atlas.statistics.controls import controls
from atlas.statistics.correlations import correlations
from atlas.statistics.describe import KINDS
from atlas.statistics.meta import meta
from atlas.statistics.models import Scope, prepare
from atlas.statistics.sample import make_sample
from atlas.statistics.simpson import simpson
from atlas.terms.notes import Note

BOUNDS = [f"{kind}_{end}" for kind in KINDS for end in ("low", "high")]
P_VALUES = [f"{kind}_p" for kind in KINDS]


def study(
    rng: np.random.Generator, a: float, b: float, c: float, shared: bool = True
) -> pd.DataFrame:
    """Families, their variants and the recipes of each, in 2 seeds: a correlation of its own each.

    The variance between recipes is small beside that between variants, that beside the families'.
    Recipes that are not the reference differ from it in both variables by a draw per variant, and
    are those of all variants, or have names of their own in each.
    """
    shape = (20, 5, 5, 1)
    levels = [normal(rng, s, r) for s, r in (((20, 1, 1, 1), a), ((20, 5, 1, 1), b), (shape, c))]
    x, y = 100 * levels[0] + 10 * levels[1] + levels[2] + 0.01 * rng.normal(size=(2, 20, 5, 5, 2))
    family, variant = numbered("f", 20, 0, 4), numbered("-v", 5, 1, 4)
    recipe = np.array(["baseline", "r1", "r2", "r3", "r4"], object).reshape(1, 1, 5, 1)
    if not shared:
        recipe = np.where(recipe == "baseline", recipe, recipe + family + variant)
    seed = np.array(["0", "1"], object)
    return table_of(x, y, family=family, variant=family + variant, recipe=recipe, seed=seed)


def test_each_comparison_recovers_its_own_effect():
    """(a) negative, (b) positive, (c) negative and weaker: none is taken for another."""
    found = correlations(study(np.random.default_rng(1), -0.9, 0.8, -0.6, shared=False), FAST)
    truth = {("a", "families"): -0.9, ("b", "within"): 0.8, ("c", "within"): -0.6}
    for (comparison, scope), r in truth.items():
        near = 0.2 if comparison == "a" else 0.1  # 20 families, 100 variants, 500 recipes
        row = one(found, comparison=comparison, scope=scope, family="")
        for kind, value in (
            ("kendall", tau(r)),
            ("spearman", 6 / math.pi * math.asin(r / 2)),
            ("pearson", r),
        ):
            assert row[kind] == pytest.approx(value, abs=near)
            assert row[f"{kind}_low"] < row[kind] < row[f"{kind}_high"]
            assert row[f"{kind}_low"] * row[f"{kind}_high"] > 0
            assert row[f"{kind}_p"] == pytest.approx(1 / 300)
        assert np.sign(row["slope"]) == np.sign(r)
        assert np.sign(row["theil_sen"]) == np.sign(r)
    small = found[(found["scope"] == "family") & (found["metric"] == "alpha")]
    for comparison, r in (("b", 0.8), ("c", -0.6)):  # 20 and 100 rows, each of 5 units
        own = small[(small["comparison"] == comparison) & (small["treatment"] == "dropped")]
        assert (own["units"] == 5).all() and (own["n"] == 10).all()
        error = own["kendall"].std() / math.sqrt(len(own))
        assert own["kendall"].mean() == pytest.approx(tau(r), abs=4 * error)
        low, high = own["kendall_low"], own["kendall_high"]
        held = ((low <= tau(r)) & (tau(r) <= high))[low.notna()]
        assert held.mean() >= 0.95 - 3 * math.sqrt(0.0475 / len(held))


def test_a_flipped_quality_flips_every_sign():
    table = study(np.random.default_rng(2), -0.9, 0.8, -0.6)
    table = table[table["family"] < "f08"]
    accuracy, error = (
        correlations(table.assign(quality_metric=quality), FAST)
        for quality in ("accuracy", "error")
    )
    signed = [*KINDS, "slope", "theil_sen"]
    np.testing.assert_allclose(error[signed], -accuracy[signed], atol=1e-9)
    same = ["n", "units", "groups", "r2", "rmse", "interval", "permutations", "exact", "note"]
    pd.testing.assert_frame_equal(error[same], accuracy[same])
    exact = accuracy["exact"]
    np.testing.assert_allclose(error.loc[exact, P_VALUES], accuracy.loc[exact, P_VALUES])


def test_no_effect_is_found_no_oftener_than_chance_allows():
    """p of all three correlations, in every kind of row of one study after another."""
    p: dict[tuple[str, str], list[float]] = {}
    options = options_with(metrics=("alpha",), permutations=99, bootstrap=19)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(2, 4, 4, 1)) + 0.3 * rng.normal(size=(2, 4, 4, 2))
        family = numbered("f", 4, 0, 3)
        labels = {"family": family, "variant": family + numbered("-v", 4, 1, 3)}
        labels |= {"seed": np.array(["0", "1"], object)}
        found = correlations(table_of(x, y, **labels), replace(options, seed=seed))
        found = found[(found["metric"] == "alpha") & (found["treatment"] == "dropped")]
        for (comparison, scope), rows in found.groupby(["comparison", "scope"]):
            p.setdefault((comparison, scope), []).extend(rows[P_VALUES].to_numpy().ravel())
    for key in (("a", "families"), ("a", "pooled"), ("b", "family"), ("b", "within")):
        # Three p values of one row are no three independent ones.
        independent = len(p[key]) / 3
        assert np.mean(np.array(p[key]) <= 0.05) <= 0.05 + 3 * math.sqrt(0.0475 / independent)
        assert 0.35 < np.mean(p[key]) < 0.65


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_exact_p_is_exactly_nominal(n):
    """Over all orders of the qualities, a p of at most p0 occurs in a share p0 of them."""
    rng = np.random.default_rng(n)
    orders = np.array(list(itertools.permutations(range(n))))
    for y in (rng.normal(size=n), np.floor(np.arange(n) / 2)):  # without and with ties
        x = rng.normal(size=n)
        p = pd.DataFrame([permutation.permutation_p(x, y[order], orders, True) for order in orders])
        for kind in KINDS:
            for level in np.unique(p[kind]):
                assert np.mean(p[kind] <= level + 1e-9) == pytest.approx(level)


def test_recipes_that_act_alike_are_no_independent_evidence():
    """Without an effect: exchanging recipes in each variant errs, in all at once does not."""
    apart, together = [], []
    names = {"variant": numbered("v", 6, 0), "recipe": numbered("r", 6, 1)}
    table = prepare(table_of(np.zeros((6, 6)), 0.0, **names))
    scope = Scope("c", "within", "", "", table, table["variant"].to_numpy())
    for seed in range(120):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(2, 1, 6)) + 0.5 * rng.normal(size=(2, 6, 6))
        sample = make_sample(scope, [x.ravel(), y.ravel()], FAST)
        for mover, p in ((np.arange(36), apart), (sample.mover, together)):
            given = replace(sample, mover=mover)
            indices, exact = permutation.rearrangements(given, 99, seed)
            assert exact == (p is together)
            p.append(permutation.permutation_p(*given.centre(), indices, exact)["kendall"])
    assert np.mean(np.array(apart) <= 0.05) > 0.2
    assert nominal(together) and 0.35 < np.mean(together) < 0.65


def test_families_that_resemble_each_other_are_no_independent_models():
    """Families share most of alpha's and quality's variance, each for itself: no correlation.

    Over their means that is found no oftener than chance allows, over all models as if they were
    independent in many studies.
    """
    share = np.array([0.67, 0.85])[:, None, None]
    families = numbered("f", 12, 0)
    table = prepare(table_of(np.zeros((12, 4)), 0.0, family=families))
    means, pooled = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        alike, own = rng.normal(size=(2, 12, 1)), rng.normal(size=(2, 12, 4))
        values = (np.sqrt(share) * alike + np.sqrt(1 - share) * own).reshape(2, -1)
        for name, p in (("families", means), ("pooled", pooled)):
            sample = make_sample(Scope("a", name, "", "", table), values, FAST)
            assert sample.n == (12 if name == "families" else 48)
            indices, exact = permutation.rearrangements(sample, 199, seed)
            p.append(permutation.permutation_p(*sample.centre(), indices, exact)["kendall"])
    assert nominal(means) and 0.35 < np.mean(means) < 0.65
    assert np.mean(np.array(pooled) <= 0.05) > 0.15


@pytest.mark.parametrize("n", range(3, 9))
def test_each_small_number_through_every_table(n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(2, 6, n))
    size = 10 ** rng.uniform(5, 7, size=(6, n))
    table = families_of(x, y, parameters=size)
    options = replace(FAST, metrics=("alpha",), bootstrap=999)
    found = correlations(table, options)
    rows = found[(found["scope"] == "family") & (found["metric"] == "alpha")]
    rows = rows[rows["treatment"] == "dropped"].reset_index(drop=True)
    assert rows[["n", "units", "groups", "missing"]].to_numpy().tolist() == [[n, n, 1, 0]] * 6
    assert rows[["slope", "intercept", "theil_sen", "r2", "rmse", *KINDS]].notna().all(axis=None)
    assert rows["exact"].all() and (rows["permutations"] == math.factorial(n)).all()
    assert (rows["kendall_p"] >= 2 / math.factorial(n) - 1e-12).all()
    assert (rows["kendall_p_bh"] >= rows["kendall_p"]).all()
    assert rows["kendall_p_holm"].isna().all()
    claims = found[found["kendall_p_holm"].notna() & (found["treatment"] == "dropped")]
    assert claims["scope"].tolist() == ["families", "within"]
    assert (claims["kendall_p_holm"] >= claims["kendall_p"]).all()
    assert (rows["interval"] == ("fisher-z" if n >= 5 else "")).all()
    assert (rows["note"] == Note.NO_INTERVAL_SMALL_N).all() == (n <= 4)
    assert rows["detectable_pearson"].notna().all() == (n >= 6)  # for the first of six tests
    assert (rows["detectable_pearson"].dropna() < 1).all()
    plain = rows[rows["kendall"].abs() < 1]
    assert len(plain) >= 2
    assert plain[BOUNDS].notna().all(axis=None) == (n >= 5)
    assert plain[BOUNDS].isna().all(axis=None) == (n < 5)
    for i, row in rows.iterrows():
        assert row["kendall"] == pytest.approx(stats.kendalltau(x[i], y[i]).statistic)
        if n <= 7 and abs(row["kendall"]) < 1:
            exact = stats.kendalltau(x[i], y[i], method="exact").pvalue
            assert row["kendall_p"] == pytest.approx(exact)

    beyond = baselines(table, options)
    beyond = beyond[(beyond["scope"] == "family") & (beyond["treatment"] == "dropped")]
    unordered = beyond[beyond["note"] != Note.ORDERED_BY_SIZE]
    assert len(unordered) >= 4
    partial = unordered[["partial", "partial_p", "added_r2"]]
    assert partial.notna().all(axis=None) == (n >= 4)
    assert partial.isna().all(axis=None) == (n < 4)
    assert (beyond["note"] == Note.TOO_FEW_UNITS_FOR_PARTIAL).all() == (n < 4)
    bounds = unordered.loc[unordered["partial"].abs() < 1, ["partial_low", "partial_high"]]
    assert bounds.notna().all(axis=None) or n < 6  # one more than without size
    assert bounds.isna().all(axis=None) == (n < 6)

    whole = one(meta(table, found, options))
    assert (whole["k"], whole["k_left_out"]) == ((0, 6) if n == 3 else (6, 0))
    assert np.isnan(whole["pearson_low"]) == (n == 3)
    assert whole["mean_r_groups"] == 6
    assert whole["mean_r"] == pytest.approx(rows["pearson"].mean())
    paradox = one(simpson(table, options))
    assert paradox["families_within"] == 6
    assert paradox["kendall_within"] == pytest.approx(rows["kendall"].mean())
    assert paradox["difference_low"] < paradox["difference"] < paradox["difference_high"]


def test_one_model_has_a_row_and_a_reason_everywhere():
    table = table_of([3.0], [70.0])
    options = replace(FAST, controls={"u": "c"})
    found = correlations(table, options)
    tables = {
        "correlations": found,
        "baselines": baselines(table, options),
        "meta": meta(table, found, options),
        "simpson": simpson(table, options),
    }
    for name, rows in tables.items():
        assert len(rows) and (rows["note"] != "").all(), name
        estimates = [c for c in rows if c in (*KINDS, *P_VALUES, "pearson_low", "difference")]
        assert rows[estimates].isna().all(axis=None), name
    assert one(found, scope="family")["note"] == Note.TOO_FEW_MODELS
    untrained = pd.concat([table, table_of([4.0], [60.0], collection="u", model="u")])
    relations = controls(untrained, options)
    assert set(relations["relation"]) == {"own", "untrained", "trained"}
    assert relations["kendall"].isna().all() and (relations["note"] != "").all()


def test_one_family_answers_b_and_says_why_not_a():
    rng = np.random.default_rng(5)
    table = table_of(*normal(rng, 12, -0.8), parameters=10 ** rng.uniform(5, 7, 12))
    found = correlations(table, FAST)
    assert one(found, scope="pooled")["note"] == Note.ONE_FAMILY
    assert one(found, scope="families")["note"] == Note.ONE_FAMILY
    assert one(found, comparison="b", scope="within")["note"] == Note.TOO_FEW_GROUPS
    assert one(found, scope="family")["kendall_p"] < 0.05
    assert one(found, scope="family")["pearson_high"] < 0
    whole = one(meta(table, found, FAST))
    assert whole["k"] == 1 and whole["note"] == Note.ONE_GROUP
    assert whole["pearson"] == pytest.approx(one(found, scope="family")["pearson"])
    assert whole["mean_r"] == pytest.approx(whole["pearson"]) and whole["mean_r_p"] < 0.05
    assert one(simpson(table, FAST))["note"] == Note.ONE_FAMILY


def test_ties_everywhere():
    """Accuracies in whole percent and a metric of three values: tau-b, midranks, exact p."""
    rng = np.random.default_rng(6)
    x, y = np.round(normal(rng, (6, 6), -0.7))
    table = families_of(x, 60 + y)
    found = correlations(table, FAST)
    scopes = {"family": "f02"}, {"scope": "pooled"}, {"comparison": "b", "scope": "within"}
    centred = [v - v.mean(axis=1, keepdims=True) for v in (x, y)]
    data = (x[2], y[2]), (x.ravel(), y.ravel()), [np.round(v, 9).ravel() for v in centred]
    for labels, (a, b) in zip(scopes, data, strict=True):
        row = one(found, **labels)
        assert row["kendall"] == pytest.approx(stats.kendalltau(a, b).statistic)
        assert row["spearman"] == pytest.approx(stats.spearmanr(a, b).statistic)
        assert row["theil_sen"] == pytest.approx(stats.theilslopes(b, a).slope)
    orders = list(itertools.permutations(range(6)))
    for kind, statistic in (("kendall", stats.kendalltau), ("spearman", stats.spearmanr)):
        null = [statistic(x[2], y[2][list(order)]).statistic for order in orders]
        observed = statistic(x[2], y[2]).statistic
        expected = np.mean(np.abs(null) >= abs(observed) - 1e-9)
        assert one(found, family="f02")[f"{kind}_p"] == pytest.approx(expected)
    pooled = one(found, scope="pooled")
    assert pooled["kendall_low"] < pooled["kendall"] < pooled["kendall_high"] < 0
    paradox = one(simpson(table, FAST))
    assert paradox["kendall_pooled"] == pytest.approx(pooled["kendall"])
    inside = [stats.kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert paradox["kendall_within"] == pytest.approx(np.mean(inside))


def test_a_metric_of_two_values():
    """tau-b of a binary metric is Pearson's r of signs; its interval and p stand."""
    x = np.array([0.0] * 5 + [1.0] * 5)
    y = np.array([1.0, 2, 3, 4, 8, 5, 6, 7, 9, 10])
    found = one(correlations(table_of(x, y), FAST), scope="family")
    concordant = sum(b > a for a, b in itertools.product(y[:5], y[5:]))
    assert found["kendall"] == pytest.approx((2 * concordant - 25) / math.sqrt(25 * 45))
    assert found["kendall_low"] < found["kendall"] < found["kendall_high"] <= 1
    assert found["kendall_p"] < 0.1


def test_a_constant_family_silences_itself_alone():
    rng = np.random.default_rng(7)
    x, y = normal(rng, (7, 6), -0.7)
    clean = correlations(families_of(x[:5], y[:5]), FAST)
    x[5], y[6] = 4.2, 70.0
    table = families_of(x, y)
    found = correlations(table, FAST)
    rows = found[(found["scope"] == "family") & (found["treatment"] == "dropped")]
    rows = rows[rows["metric"] == "alpha"].set_index("family")
    assert (
        rows["note"]["f05"] == Note.METRIC_CONSTANT and rows["note"]["f06"] == Note.QUALITY_CONSTANT
    )
    assert (
        rows.loc[["f05", "f06"], [*KINDS, *P_VALUES, "slope", "kendall_p_bh"]].isna().all(axis=None)
    )
    drop = ["kendall_p_bh"]  # corrects over the other rows, too
    before = clean[(clean["scope"] == "family") & (clean["treatment"] == "dropped")]
    before = before[before["metric"] == "alpha"].set_index("family").drop(columns=drop)
    pd.testing.assert_frame_equal(rows.drop(columns=drop).iloc[:5], before)
    whole = one(meta(table, found, FAST))
    assert (whole["k"], whole["k_left_out"], whole["mean_r_groups"]) == (5, 2, 5)
    assert whole["mean_r"] == pytest.approx(rows["pearson"].mean())
    paradox = one(simpson(table, FAST))
    assert (paradox["families"], paradox["families_within"], paradox["n"]) == (7, 5, 42)
    assert paradox["kendall_within"] == pytest.approx(rows["kendall"].mean())
    # Within: a constant family is centred to zeros, and its pairs with others count.
    within = one(found, comparison="b", scope="within")
    a, b = (np.round(v - v.mean(axis=1, keepdims=True), 9).ravel() for v in (x, y))
    assert within["kendall"] == pytest.approx(stats.kendalltau(a, b).statistic)
    means = one(found, scope="families")
    assert (means["n"], means["units"]) == (42, 7)
    expected = stats.kendalltau(x.mean(axis=1), y.mean(axis=1)).statistic
    assert means["kendall"] == pytest.approx(expected)


def test_missing_values_are_as_if_the_models_were_not_there():
    rng = np.random.default_rng(8)
    x, y = normal(rng, (6, 8), -0.6)
    table = families_of(x, y, parameters=10 ** rng.uniform(5, 7, (6, 8)))
    gaps = table.copy()
    gaps.loc[[0, 9, 10], "alpha"] = np.nan
    gaps.loc[[17, 18, 40], "quality"] = [np.nan, np.inf, -np.inf]
    without = table.drop([0, 9, 10, 17, 18, 40])
    tables = {}
    for name, models in (("gaps", gaps), ("without", without)):
        found = correlations(models, FAST)
        tables[name] = {
            "correlations": found[found["metric"] == "alpha"].drop(columns="missing"),
            "baselines": baselines(models, FAST),
            "meta": meta(models, found, FAST),
            "simpson": simpson(models, FAST),
        }
    for name, expected in tables["without"].items():
        found = tables["gaps"][name]
        chosen = [t.loc[t["metric"] == "alpha"].reset_index(drop=True) for t in (found, expected)]
        drop = [c for c in chosen[0] if c.endswith("_p_bh")]
        pd.testing.assert_frame_equal(*(t.drop(columns=drop) for t in chosen), check_dtype=False)
    missing = correlations(gaps, FAST)
    assert one(missing, scope="pooled")["missing"] == 6
    assert one(missing, scope="families")["units"] == 6
    assert one(missing, scope="family", family="f01")["missing"] == 2
    # A model of unknown size still counts, but in the baselines.
    unknown = table.assign(parameters=table["parameters"].where(table.index != 3))
    assert one(correlations(unknown, FAST), scope="pooled")["n"] == 48
    assert one(baselines(unknown, FAST), scope="pooled")["n"] == 47
