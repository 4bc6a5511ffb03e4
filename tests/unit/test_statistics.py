"""Statistics: known answers are recovered, and what cannot be answered is said, not raised."""

from __future__ import annotations

import ast
import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin
import pytest
from helpers.stages import compute_all
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from atlas.statistics import (
    baselines,
    between_families,
    bootstrap,
    controls,
    describe,
    meta,
    permutation,
    simpson,
)
from atlas.statistics import correlations as statistics_correlations
from atlas.statistics import sample as statistics_sample
from atlas.statistics.correlations import correlations
from atlas.statistics.models import Scope, prepare
from atlas.statistics.options import Options
from atlas.statistics.registry import TABLES
from atlas.terms import keys
from atlas.terms.notes import Note, join, notes_of
from compute_statistics import compute_statistics

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "published" / "ww-trends-2020"
QUICK = Options(metrics=("alpha",), permutations=499, bootstrap=299)
ONLY_CORRELATIONS = list(describe.KINDS)


def row(alpha: float, quality: float, **labels: object) -> dict[str, object]:
    """One row of models.csv."""
    defaults = {
        "collection": "c",
        "family": "f",
        "variant": "",
        "recipe": "",
        "seed": None,
        "dataset": "d",
        "quality_metric": "accuracy",
        "parameters": 1e6,
        "weightwatcher_version": "0.7.7",
    }
    return defaults | {"alpha": alpha, "quality": quality} | labels


def models(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if "model" not in table:
        table["model"] = [f"m{i:03d}" for i in range(len(table))]
    return table


def family(x: object, y: object, **labels: object) -> pd.DataFrame:
    return models([row(a, b, **labels) for a, b in zip(x, y, strict=True)])


def several(families: dict[str, tuple[object, object]], **labels: object) -> pd.DataFrame:
    return models(
        [
            row(a, b, family=name, **labels)
            for name, (x, y) in families.items()
            for a, b in zip(x, y, strict=True)
        ]
    )


def zoo(
    rng: np.random.Generator, families: int = 5, seeds: int = 2, recipes: int = 5
) -> pd.DataFrame:
    """A zoo and its untrained control, with two qualities and two treatments."""
    rows = []
    for f, v, r, s in itertools.product(range(families), "sml", range(recipes), range(seeds)):
        alpha, accuracy = rng.normal(4, 1), rng.normal(70, 5)
        labels = {"family": f"f{f}", "variant": f"f{f}-{v}", "seed": s, "dataset": "mnist1d"}
        labels |= {"parameters": 10.0 ** (3 + "sml".index(v) / 2 + f / 7)}
        for collection in ("zoo", "zoo-untrained"):
            if collection == "zoo-untrained" and r > 0:
                continue
            recipe = "untrained" if collection != "zoo" else ["baseline", *"abcd"][r]
            name = f"{collection}-f{f}-{v}-{recipe}-{s}"
            labels |= {"collection": collection, "recipe": recipe, "model": name}
            labels |= {"alpha_stored": alpha - rng.integers(0, 2), "failed_share": 0.0}
            rows.append(row(alpha, accuracy, **labels))
            rows.append(
                row(alpha, rng.normal(9, 2), **labels | {"quality_metric": "generalization_gap"})
            )
    return models(rows)


def one(table: pd.DataFrame, **labels: object) -> pd.Series:
    """The only row with these labels (metric alpha, treatment dropped unless given)."""
    for name, value in ({"metric": "alpha", "treatment": "dropped"} | labels).items():
        table = table[table[name] == value]
    assert len(table) == 1, f"{len(table)} rows"
    return table.iloc[0]


def sample_of(
    table: pd.DataFrame, options: Options = QUICK, groups: str = ""
) -> statistics_sample.Sample:
    table = prepare(table)
    labels = table[groups].to_numpy() if groups else None
    scope = Scope("b", "within" if groups else "family", "", "", table, labels)
    return statistics_sample.make_sample(
        scope, [table["alpha"].to_numpy(), table["oriented"].to_numpy()], options
    )


# --- estimates ------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=12, unique=True
    ).filter(lambda pairs: all(len(set(column)) > 1 for column in zip(*pairs, strict=True)))
)
def test_estimates_agree_with_scipy_with_ties(pairs):
    x, y = np.array(pairs, float).T
    options = Options(metrics=("alpha",), permutations=99, bootstrap=99)
    found = one(correlations(family(x, y), options), scope="family")
    assert found["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert found["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
    line = stats.linregress(x, y)
    assert found["slope"] == pytest.approx(line.slope)
    assert found["intercept"] == pytest.approx(line.intercept)
    assert found["r2"] == pytest.approx(line.rvalue**2, abs=1e-12)
    residuals = y - line.intercept - line.slope * x
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(residuals**2)), abs=1e-9)
    assert found["theil_sen"] == pytest.approx(stats.theilslopes(y, x).slope)


def test_lower_is_better_changes_the_sign():
    x, y = [1, 2, 3, 4], [50, 55, 61, 60]
    for quality in ("error", "generalization_gap"):
        found = one(correlations(family(x, y, quality_metric=quality), QUICK), scope="family")
        assert found["kendall"] == pytest.approx(-2 / 3)
        assert found["slope"] < 0
    assert one(correlations(family(x, y), QUICK), scope="family")["kendall"] == pytest.approx(2 / 3)


def test_within_is_centred_on_the_groups():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 4, 6))
    shifted = several({f"f{i}": (x[i] + 10 * i, y[i] - 7 * i) for i in range(4)})
    found = one(correlations(shifted, QUICK), comparison="b", scope="within")
    centred = (
        (x - x.mean(axis=1, keepdims=True)).ravel(),
        (y - y.mean(axis=1, keepdims=True)).ravel(),
    )
    assert found["kendall"] == pytest.approx(stats.kendalltau(*centred).statistic)
    assert found["pearson"] == pytest.approx(stats.pearsonr(*centred).statistic)
    assert (found["n"], found["groups"]) == (24, 4)


# --- permutation ----------------------------------------------------------------------------


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
    options = Options(metrics=("alpha",), bootstrap=99)
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


# --- intervals ------------------------------------------------------------------------------


@pytest.mark.parametrize("centred", [False, True])
def test_weighted_correlations_are_those_of_the_resample(centred):
    rng = np.random.default_rng(5)
    table = several({f"f{i}": rng.integers(0, 6, (2, 5)).astype(float) for i in range(3)})
    sample = sample_of(table, groups="family" if centred else "")
    weights = bootstrap.bootstrap_weights(sample, 40, 1)
    assert (weights.sum(axis=1) == (12 if centred else 14)).all()
    found = bootstrap.weighted_correlations(sample, weights)[:, :, 0]
    for w, values in zip(weights.astype(int), found, strict=True):
        x, y = (np.repeat(v, w) for v in sample.values)
        if centred:
            groups = np.repeat(sample.stratum, w)
            x, y = (v - pd.Series(v).groupby(groups).transform("mean").to_numpy() for v in (x, y))
            x, y = np.round(x, 9), np.round(y, 9)
        expected = [f(x, y).statistic for f in (stats.kendalltau, stats.spearmanr, stats.pearsonr)]
        assert values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sizes", [(8, 4, 5), (4, 4), (9,), (2, 3)])
def test_resamples_vary_as_means_of_their_groups_do(sizes):
    """Rao and Wu: the variance of a group's weighted mean is s^2/k with divisor k - 1, not k."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, sum(sizes)))
    ends = np.cumsum((0, *sizes))
    values = {
        f"f{i}": [v[a:b] for v in (x, y)] for i, (a, b) in enumerate(itertools.pairwise(ends))
    }
    sample = sample_of(several(values), groups="family" if len(sizes) > 1 else "")
    weights = bootstrap.bootstrap_weights(sample, 20000, 1)
    for code, k in enumerate(sizes):
        members = sample.stratum == code
        v = sample.values[0, members]
        share = weights[:, members].sum(axis=1)
        assert np.ptp(share) < 1e-9
        if len(set(sizes)) > 1:
            assert share[0] == pytest.approx(k)
        means = weights[:, members] @ v / share
        expected = v.var(ddof=1 if k > 3 else 0) / k
        assert means.var() == pytest.approx(expected, rel=0.05)


def test_bca_agrees_with_scipy():
    rng = np.random.default_rng(8)
    x = rng.gamma(2, size=25)
    y = -x + rng.normal(size=25)
    options = Options(metrics=("alpha",), permutations=99, bootstrap=6000)
    found = one(correlations(family(x, y), options), scope="family")

    def plain(a, b, axis):
        return stats.pearsonr(a, b, axis=axis).statistic

    def ranked(a, b, axis):
        return plain(stats.rankdata(a, axis=axis), stats.rankdata(b, axis=axis), axis)

    for kind, statistic in (("pearson", plain), ("spearman", ranked)):
        expected = stats.bootstrap(
            (x, y),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=6000,
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert (found[f"{kind}_low"], found[f"{kind}_high"]) == pytest.approx(expected, abs=0.03)


def test_bca_of_a_skewed_mean():
    """Here the acceleration matters: without it the upper end is off by 4 %."""
    x = np.random.default_rng(3).exponential(size=10)
    draws = x[np.random.default_rng(4).integers(0, 10, (40_000, 10))].mean(axis=1)
    jackknife = (x.sum() - x) / 9
    found = bootstrap.bca_interval(x.mean(), draws, jackknife, np.zeros(10), 0.95)
    expected = stats.bootstrap((x,), np.mean, n_resamples=40_000, rng=np.random.default_rng(5))
    assert found == pytest.approx(tuple(expected.confidence_interval), rel=0.015)
    without = bootstrap.bca_interval(x.mean(), draws, np.ones(10), np.zeros(10), 0.95)
    assert abs(without[1] / found[1] - 1) > 0.03


def test_bca_covers():
    """Coverage of the intervals of independent pairs: 0 in about 95 % of them."""
    rng = np.random.default_rng(2)
    covered = []
    for seed in range(100):
        sample = sample_of(family(*rng.normal(size=(2, 20))))
        options = Options(bootstrap=399, seed=seed)
        bounds = bootstrap.bca_intervals(
            sample, options, (), lambda w, s=sample: bootstrap.weighted_correlations(s, w)[:, :, 0]
        )
        covered.append([low <= 0 <= high for low, high in bounds])
    assert (np.mean(covered, axis=0) > 0.86).all()
    assert (np.mean(covered, axis=0) < 1).all()


def test_fisher_intervals_by_hand():
    z = stats.norm.ppf(0.975)
    low, high = bootstrap.fisher_interval("pearson", 0.5, 7, 0.95)
    assert (low, high) == pytest.approx(
        (math.tanh(math.atanh(0.5) - z / 2), math.tanh(math.atanh(0.5) + z / 2))
    )
    kendall = bootstrap.fisher_interval("kendall", 0.5, 7, 0.95)
    assert math.atanh(kendall[1]) - math.atanh(0.5) == pytest.approx(z * math.sqrt(0.437 / 3))
    spearman = bootstrap.fisher_interval("spearman", -0.5, 7, 0.95)
    assert math.atanh(spearman[1]) + math.atanh(0.5) == pytest.approx(z * math.sqrt(1.125 / 4))
    assert all(map(math.isnan, bootstrap.fisher_interval("kendall", -1.0, 7, 0.95)))


@pytest.mark.parametrize(
    ("n", "interval"), [(3, ""), (4, ""), (5, "fisher-z"), (7, "fisher-z"), (8, "bca")]
)
def test_interval_by_number(n, interval):
    x = np.arange(n, dtype=float)
    y = np.array([1, 3, 0, 2, 5, 4, 7, 6.5])[:n]
    found = one(correlations(family(x, y), QUICK), scope="family")
    assert found["interval"] == interval
    bounds = found[[f"{kind}_{end}" for kind in describe.KINDS for end in ("low", "high")]]
    assert bounds.notna().all() == bool(interval)
    assert (found["note"] == Note.NO_INTERVAL_SMALL_N) == (n <= 4)
    if interval:
        assert found["kendall_low"] < found["kendall"] < found["kendall_high"]
        z = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / math.sqrt(n - 3)
        assert found["detectable_pearson"] == pytest.approx(math.tanh(z))


@pytest.mark.parametrize("n", [6, 12])
def test_perfect_order_has_no_interval(n):
    x = np.arange(n) + 0.0
    found = one(correlations(family(x, -(x**3)), QUICK), scope="family")
    assert found["kendall"] == pytest.approx(-1)
    assert found["spearman"] == pytest.approx(-1)
    assert np.isnan(found["kendall_low"]) and np.isnan(found["kendall_high"])
    assert -1 < found["pearson_low"] < found["pearson"]
    why = Note.PERFECT_CORRELATION if n < 8 else Note.RESAMPLES_DO_NOT_VARY
    assert found["note"] == why.of("kendall", "spearman")


# --- what is compared -----------------------------------------------------------------------


def test_comparisons_of_a_zoo():
    found = correlations(
        zoo(np.random.default_rng(0)),
        Options(
            metrics=("alpha",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
        ),
    )
    found = found[(found["metric"] == "alpha") & (found["quality_metric"] == "accuracy")]
    shape = found[found["treatment"] == "dropped"].groupby(["collection", "comparison", "scope"])
    assert shape.size().to_dict() == {
        ("zoo", "a", "pooled"): 1,
        ("zoo", "b", "family"): 5,
        ("zoo", "b", "within"): 1,
        ("zoo", "c", "family"): 15,
        ("zoo", "c", "within"): 6,
        ("zoo-untrained", "a", "pooled"): 1,
        ("zoo-untrained", "b", "family"): 5,
        ("zoo-untrained", "b", "within"): 1,
    }
    zoo_rows = found[found["collection"] == "zoo"]
    counts = ["n", "units", "groups"]
    assert one(zoo_rows, scope="pooled")[counts].tolist() == [30, 15, 1]
    assert one(zoo_rows, comparison="b", family="f1")[counts].tolist() == [6, 3, 1]
    assert one(zoo_rows, comparison="b", scope="within")[counts].tolist() == [30, 15, 5]
    assert one(zoo_rows, variant="f1-m")[counts].tolist() == [10, 5, 1]
    inside = one(zoo_rows, comparison="c", scope="within", family="f1")
    assert inside[counts].tolist() == [30, 15, 3]
    everywhere = one(zoo_rows, comparison="c", scope="within", family="")
    assert everywhere[counts].tolist() == [150, 75, 15]
    # 5! recipe orders: p is a multiple of 1/120.
    assert everywhere["kendall_p_recipes"] * 120 == pytest.approx(
        round(everywhere["kendall_p_recipes"] * 120)
    )


def test_recipes_common_to_all_variants_are_not_many_observations():
    """Recipes that move metric and quality alike in all variants: five things, not fifty."""
    effect = [0.0, 1.0, 2.0, 3.0, 4.0]
    rows = [
        row(a, q, variant=f"v{v}", recipe=f"r{r}")
        for v in range(10)
        for r, (a, q) in enumerate(zip(effect, effect, strict=True))
    ]
    found = one(correlations(models(rows), QUICK), comparison="c", scope="within", family="")
    assert found["kendall_p"] < 0.01
    assert found["kendall_p_recipes"] == pytest.approx(2 / 120)


def test_recipes_are_exchanged_in_all_groups_at_once():
    rows = [
        row(1, 1, variant=f"v{v}", recipe=f"r{r}", seed=s)
        for v, r, s in itertools.product(range(3), range(4), range(2))
    ]
    sample = sample_of(models(rows), groups="variant")
    indices, exact = permutation.recipe_rearrangements(sample, 99, 0)
    assert exact and len(np.unique(indices, axis=0)) == len(indices) == math.factorial(4)
    assert (sample.stratum[indices] == sample.stratum).all()
    recipes = sample.recipe[indices].reshape(24, 3, 4, 2)
    assert (recipes == recipes[:, :1, :, :1]).all()
    unbalanced = sample_of(models(rows[1:]), groups="variant")
    assert permutation.recipe_rearrangements(unbalanced, 99, 0) is None


def test_seeds_of_one_recipe_are_compared_in_c():
    table = models(
        [row(a, a, variant="v", recipe="r", seed=s) for s, a in enumerate([3.0, 1.0, 2.0, 5.0])]
    )
    found = correlations(table, QUICK)
    assert one(found, comparison="c", scope="family")["units"] == 4
    in_b = one(found, comparison="b", scope="family")
    assert in_b["units"] == 1 and np.isnan(in_b["kendall"])


def test_reference_recipe():
    rng = np.random.default_rng(0)
    base = [row(*rng.normal(size=2), variant=f"v{i}", recipe="baseline") for i in range(4)]
    noisy = [row(*rng.normal(size=2), variant=f"v{i}", recipe="noise") for i in range(4)]
    other = [row(*rng.normal(size=2), variant=f"v{i}", recipe="more") for i in range(4)]
    assert one(correlations(models(base + noisy), QUICK), comparison="b", scope="family")["n"] == 4
    mixed = one(correlations(models(other + noisy), QUICK), comparison="b", scope="family")
    assert mixed["n"] == 8 and Note.RECIPES_MIXED in notes_of(mixed["note"])


@pytest.mark.parametrize("column", ["collection", "dataset", "weightwatcher_version"])
def test_never_pooled(column):
    x = [1.0, 2.0, 3.0, 4.0]
    table = pd.concat(
        [family(x, x, **{column: "0.2"}), family(x, x[::-1], **{column: "0.4"})], ignore_index=True
    )
    table["model"] = [f"m{i}" for i in range(8)]
    found = correlations(table, QUICK).query("scope == 'family' and metric == 'alpha'")
    found = found[found["treatment"] == "dropped"]
    assert found[column].tolist() == ["0.2", "0.4"]
    assert found["n"].tolist() == [4, 4]
    assert found["kendall"].tolist() == [1, -1]


def test_treatments():
    x, y = np.arange(6.0), np.array([1.0, 0, 2, 4, 3, 5])
    table = family(x, y)
    table["alpha_stored"] = x[::-1]
    table["log_norm"] = x
    options = Options(metrics=("alpha", "log_norm"), permutations=99, bootstrap=99)
    found = correlations(table, options)
    dropped = one(found, scope="family")
    stored = one(found, scope="family", treatment="stored")
    assert stored["kendall"] == -dropped["kendall"] != 0
    same = [one(found, scope="family", metric="log_norm", treatment=t) for t in keys.TREATMENTS]
    pd.testing.assert_series_equal(
        same[0].drop("treatment"), same[1].drop("treatment"), check_names=False
    )


def test_multiplicity():
    rng = np.random.default_rng(4)
    table = several({f"f{i}": (np.arange(6.0), rng.permutation(6.0 * np.ones(6).cumsum()))
                     for i in range(4)})  # fmt: skip
    table["log_norm"] = rng.normal(size=len(table))
    options = Options(metrics=("alpha", "log_norm"), permutations=199, bootstrap=99)
    found = correlations(table, options)
    families = found[(found["scope"] == "family") & (found["treatment"] == "dropped")]
    alpha = families[families["metric"] == "alpha"]
    assert alpha["kendall_p_holm"].tolist() == pytest.approx(
        multipletests(alpha["kendall_p"], method="holm")[1].tolist()
    )
    assert alpha["kendall_p_bh"].isna().all()
    others = found[found["kendall_p_bh"].notna() & (found["treatment"] == "dropped")]
    assert set(others["metric"]) == {"alpha", "log_norm"}  # alpha: pooled and within
    assert others["kendall_p_bh"].tolist() == pytest.approx(
        multipletests(others["kendall_p"], method="fdr_bh")[1].tolist()
    )
    size = found[found["metric"] == "log_parameters"]
    assert size["kendall_p_holm"].isna().all() and size["kendall_p_bh"].isna().all()


def test_a_collection_s_own_primary_quality_is_corrected_over_its_families():
    """Beside a collection with accuracies, one that has perplexities has claims about these."""
    rng = np.random.default_rng(4)
    parts = {
        "images": several(
            {f"f{i}": (np.arange(6.0), rng.permutation(np.arange(6.0))) for i in range(3)}
        ),
        "words": several(
            {f"g{i}": (np.arange(6.0), rng.permutation(np.arange(6.0))) for i in range(3)}
        ),
    }
    for name, part in parts.items():
        part["collection"], part["model"] = name, name + part["model"]
    parts["words"]["quality_metric"] = "perplexity"
    found = correlations(pd.concat(parts.values(), ignore_index=True), QUICK)
    claims = found.query("scope == 'family' and metric == 'alpha' and treatment == 'dropped'")
    assert claims.groupby("collection")["kendall_p_holm"].count().to_dict() == {
        "images": 3,
        "words": 3,
    }
    assert claims["kendall_p_bh"].isna().all()


# --- tables beside the correlations ---------------------------------------------------------


def test_between_families():
    families = {f"f{i}": ([i, i + 2.0], [-i, -i - 1.0]) for i in range(5)}
    families["f5"] = ([np.nan, 3.0], [50.0, 4.5])  # the incomplete model does not enter the mean
    found = one(between_families.between_families(several(families), QUICK))
    assert found["n"] == 6
    x, y = [1, 2, 3, 4, 5, 3], [-0.5, -1.5, -2.5, -3.5, -4.5, 4.5]
    assert found["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found["exact"] and found["permutations"] == 720


def test_baselines_agree_with_pingouin():
    rng = np.random.default_rng(6)
    size = rng.uniform(5, 8, 20)
    x = size + rng.normal(size=20)
    y = 2 * size - x + rng.normal(size=20)
    table = family(x, y)
    table["parameters"] = 10**size
    found = one(baselines.baselines(table, QUICK), scope="family")
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
    found = one(baselines.baselines(table, QUICK), scope="family")
    assert found["pearson"] < -0.8
    assert found["partial_pearson_p"] > 0.05 and abs(found["partial_pearson"]) < 0.35


def test_partial_p_is_nominal():
    rng = np.random.default_rng(9)
    p = []
    for _ in range(300):
        size = rng.normal(size=10)
        x, y = size + rng.normal(size=(2, 10))
        indices = np.array([rng.permutation(10) for _ in range(199)])
        p.append(baselines._partial_p(x, y, size, indices, False))
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
    assert baselines._partial_p(x, y, size, orders, True) == pytest.approx(expected)


def test_size_is_constant_in_c():
    found = baselines.baselines(zoo(np.random.default_rng(0), families=2, seeds=1), QUICK)
    in_c = found[(found["comparison"] == "c") & (found["collection"] == "zoo")]
    assert len(in_c) and (in_c["note"] == Note.SIZE_CONSTANT).all()
    assert in_c["partial_pearson"].isna().all()


def groups_of(r: list[float], units: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"pearson": r, "units": units, "n": units})


def test_random_effects_by_hand():
    """Equal group sizes: tau2 and the interval have closed forms."""
    r, n = np.array([-0.9, -0.5, 0.1, 0.4]), 12
    found = meta.random_effects(groups_of(list(r), [n] * 4), 0.95)
    z = np.arctanh(r)
    assert found["z"] == pytest.approx(z.mean())
    assert found["tau2"] == pytest.approx(z.var(ddof=1) - 1 / (n - 3), abs=1e-6)
    half = stats.t.ppf(0.975, 3) * z.std(ddof=1) / 2  # Hartung-Knapp is the t interval here
    assert math.atanh(found["pearson_high"]) == pytest.approx(z.mean() + half, abs=1e-6)
    assert found["pearson_p"] == pytest.approx(stats.ttest_1samp(z, 0).pvalue, abs=1e-6)
    q = (n - 3) * ((z - z.mean()) ** 2).sum()
    assert (found["q"], found["i2"]) == pytest.approx((q, 100 * (1 - 3 / q)))
    half = stats.t.ppf(0.975, 2) * math.sqrt(found["tau2"] + z.var(ddof=1) / 4)
    assert math.atanh(found["prediction_low"]) == pytest.approx(z.mean() - half, abs=1e-6)


def test_random_effects_without_heterogeneity():
    found = meta.random_effects(groups_of([-0.5] * 4, [12] * 4), 0.95)
    assert found["tau2"] == found["i2"] == 0
    assert found["z_se"] == pytest.approx(1 / math.sqrt(36))  # no narrower than a common effect
    assert found["pearson"] == pytest.approx(-0.5)


def test_random_effects_leave_out_what_has_no_variance():
    found = meta.random_effects(groups_of([-1.0, 0.5, 0.3, -0.9, np.nan], [9, 9, 9, 3, 9]), 0.95)
    assert (found["k"], found["k_left_out"]) == (2, 3)
    assert found["note"] == join(Note.TWO_GROUPS, Note.PERFECT_GROUPS_LEFT_OUT.of(1))
    assert "prediction_low" not in found
    assert meta.random_effects(groups_of([0.5], [3]), 0.95)["k"] == 0
    assert "pearson_low" not in meta.random_effects(groups_of([0.5], [9]), 0.95)


@pytest.mark.parametrize("effect", [0.0, -2.0])
def test_mean_correlation_speaks_where_groups_are_small(effect):
    rng = np.random.default_rng(14)
    families = {}
    for i in range(15):
        x = rng.normal(size=3)
        families[f"f{i}"] = (x + i, effect * x + 0.3 * rng.normal(size=3) - i)
    table = several(families)
    found = one(meta.meta(table, correlations(table, QUICK), QUICK))
    assert found["k"] == 0 and found["k_left_out"] == 15
    assert found["mean_r_groups"] == 15
    r = [stats.pearsonr(*pair).statistic for pair in families.values()]
    assert found["mean_r"] == pytest.approx(np.mean(r))
    assert (found["mean_r_p"] < 0.05) == bool(effect)


def test_controls():
    """Alpha follows size, and so does accuracy: the untrained network predicts as well."""
    rng = np.random.default_rng(15)
    table = zoo(rng)
    size = np.log10(table["parameters"])
    table["alpha"] = table["alpha_stored"] = -size + 0.1 * rng.normal(size=len(table))
    trained = (table["collection"] == "zoo") & (table["quality_metric"] == "accuracy")
    table.loc[trained, "quality"] = 10 * size + rng.normal(size=len(table))
    table = table[(table["model"] != "zoo-untrained-f0-s-untrained-0")]
    table.loc[(table["model"].str.startswith("zoo-f1-m-baseline")), "alpha"] = np.nan
    options = Options(
        metrics=("alpha",), permutations=499, bootstrap=299, controls={"zoo-untrained": "zoo"}
    )
    found = controls.controls(table, options)
    found = found[(found["quality_metric"] == "accuracy") & (found["scope"] == "pooled")]
    relations = {name: one(found, relation=name) for name in ("own", "untrained", "trained")}
    assert [relations[name]["n"] for name in relations] == [15, 14, 14]
    assert relations["untrained"]["kendall"] < -0.6 and relations["untrained"]["kendall_p"] < 0.05
    assert relations["trained"]["kendall"] < -0.6
    assert relations["own"]["kendall_p"] > 0.05
    assert one(found, relation="untrained", treatment="stored")["n"] == 15


def simpson_table(within: float, between: float, seed: int = 16) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    families = {}
    for i in range(8):
        x = rng.normal(size=8)
        families[f"f{i}"] = (
            x + 4 * i,
            within * x + between * 4 * i + 0.3 * rng.normal(size=8),
        )
    return several(families)


def test_simpson_is_found():
    table = simpson_table(within=1, between=-1)
    found = one(simpson.simpson(table, QUICK))
    assert found["kendall_pooled"] < -0.5 < 0.5 < found["kendall_within"]
    assert found["difference_high"] < 0
    assert found["claimed"] and found["reversed"]
    assert (found["families"], found["families_within"], found["n"]) == (8, 8, 64)
    rows = correlations(table, QUICK)
    assert one(rows, scope="pooled")["kendall"] == pytest.approx(found["kendall_pooled"])
    own = rows[(rows["scope"] == "family") & (rows["metric"] == "alpha")]
    assert found["kendall_within"] == pytest.approx(own["kendall"].mean())


def test_simpson_draws_families_too():
    """Families that disagree, each without noise: only drawing families shows the doubt."""
    up, down = np.arange(8.0), -np.arange(8.0)
    families = {
        f"f{i}": (up + 20 * i, (up if i % 2 else down) + 20 * (7 * i % 8)) for i in range(8)
    }
    found = one(simpson.simpson(several(families), QUICK))
    assert found["kendall_within"] == pytest.approx(0) and found["kendall_pooled"] < -0.4
    assert found["difference_high"] - found["difference_low"] > 1
    assert not found["claimed"]


def test_simpson_is_not_claimed_without_a_difference():
    claims = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        families = {f"f{i}": rng.normal(size=(2, 8)) for i in range(8)}
        claims.append(one(simpson.simpson(several(families), QUICK))["claimed"])
    assert sum(claims) <= 3
    few = one(simpson.simpson(several({f"f{i}": rng.normal(size=(2, 8)) for i in range(3)}), QUICK))
    assert not few["claimed"] and few["note"] == Note.TOO_FEW_FAMILY_CORRELATIONS


# --- what cannot be answered ----------------------------------------------------------------


def test_notes_say_why():
    options = Options(metrics=("alpha", "absent"), permutations=99, bootstrap=99)

    def note(x, y, metric="alpha"):
        found = one(correlations(family(x, y), options), scope="family", metric=metric)
        assert found[ONLY_CORRELATIONS].isna().all()
        return found["note"]

    nan = np.nan
    assert note([1, 1, 1, 1], [1, 2, 3, 4]) == Note.METRIC_CONSTANT
    assert note([1, 2, 3, 4], [5, 5, 5, 5]) == Note.QUALITY_CONSTANT
    assert note([1, 1, 1], [5, 5, 5]) == join(Note.METRIC_CONSTANT, Note.QUALITY_CONSTANT)
    assert note([0.1 + 0.2, 0.3, 0.3], [1, 2, 3]) == Note.METRIC_CONSTANT  # rounding is no signal
    assert note([1, 2], [1, 2]) == Note.TOO_FEW_MODELS
    assert note([nan, nan, nan], [1, 2, 3]) == Note.NO_VALUES
    assert note([1, 2, np.inf, 4], [1, 2, 3, nan]) == Note.TOO_FEW_MODELS
    assert note([1, 2, 3], [1, 2, 3], "absent") == Note.NO_VALUES


def test_missing_values_are_left_out_and_counted():
    x, y = [1, 2, np.nan, 4, 5, 6], [2, 1, 5, np.nan, 6, 7]
    found = one(correlations(family(x, y), QUICK), scope="family")
    assert (found["n"], found["missing"]) == (4, 2)
    assert found["kendall"] == pytest.approx(stats.kendalltau([1, 2, 5, 6], [2, 1, 6, 7]).statistic)


EDGES = {
    "empty": family([], []),
    "no columns": pd.DataFrame(),
    "one model": family([3], [70]),
    "two models": family([3, 4], [70, 71]),
    "one family": family(range(9), [3, 1, 4, 1, 5, 9, 2, 6, 5]),
    "equal qualities": several({f: (range(5), [70] * 5) for f in "abc"}),
    "all fits failed": several({f: ([np.nan] * 5, range(5)) for f in "abc"}),
    "all missing": several({f: ([np.nan] * 5, [np.nan] * 5) for f in "abc"}),
    "families of one": several({f: ([i], [i % 3]) for i, f in enumerate("abcdefgh")}),
    "mixed sizes": several({f: (range(i), range(i)) for i, f in enumerate("abcdefgh")}),
    "perfect": several({f: (np.arange(9.0), -np.arange(9.0)) for f in "abcdef"}),
    "no parameters": several({f: (range(6), [3, 1, 4, 1, 5, 9]) for f in "ab"}, parameters=np.nan),
    "negative parameters": family(range(6), [3, 1, 4, 1, 5, 9], parameters=-1),
    "one control model": family([3], [70], collection="zoo-untrained"),
    "metric is size": family(np.log10(np.arange(1, 11)), [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]).assign(
        parameters=np.arange(1, 11)
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("edge", EDGES)
def test_no_legal_table_raises(edge):
    options = Options(
        metrics=("alpha", "log_norm"),
        permutations=99,
        bootstrap=99,
        controls={"zoo-untrained": "c", "gone": "c", "c": "gone"},
    )
    tables = compute_all(EDGES[edge], options)
    assert list(tables["correlations"]) == statistics_correlations.CORRELATIONS
    for table in tables.values():
        assert table.map(lambda v: not (isinstance(v, float) and math.isinf(v))).all(axis=None)
    found = tables["correlations"]
    silent = found[found["kendall"].isna()]
    assert (silent["note"] != "").all()
    assert len(found) > 0 or edge in ("empty", "no columns")


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="unknown option permutation"):
        Options.from_config({"permutation": 5})
    assert Options.from_config({"metrics": ["alpha", "log_parameters"]}).all_metrics == (
        "alpha",
        "log_parameters",
    )


# --- same input, same bytes -----------------------------------------------------------------


def test_bytes_do_not_depend_on_the_order_of_rows_or_of_work(tmp_path):
    rng = np.random.default_rng(17)
    table = zoo(rng, families=2, recipes=2)
    config = {"metrics": ["alpha"], "permutations": 99, "bootstrap": 99}
    config |= {"controls": {"zoo-untrained": "zoo"}}
    written = []
    for name, models_table in {
        "first": table,
        "shuffled": table.sample(frac=1, random_state=3),
        "alone": table[table["quality_metric"] == "accuracy"],
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        models_table.to_csv(folder / "models.csv", index=False)
        outputs = {key: folder / f"{key}.csv" for key in TABLES}
        for key, path in outputs.items():  # the correlations come first
            made_from = {"models": folder / "models.csv", **outputs}
            compute_statistics(key, [made_from[name] for name in TABLES[key]], config, path)
        written.append({key: path.read_bytes() for key, path in outputs.items()})
    assert written[0] == written[1]
    # A row does not change because other rows are there (multiplicity apart).
    drop = ["kendall_p_holm", "kendall_p_bh"]
    both = [pd.read_csv(tmp_path / name / "correlations.csv") for name in ("first", "alone")]
    both = [
        frame[frame["quality_metric"] == "accuracy"].drop(columns=drop).reset_index(drop=True)
        for frame in both
    ]
    pd.testing.assert_frame_equal(*both)


def test_numbers_have_12_digits():
    table = describe.significant(
        pd.DataFrame({"a": [1 / 3, np.nan, 1e-9 / 3, -1e-17], "b": ["x", "", "y", "z"]})
    )
    assert table["a"].tolist()[0] == 0.333333333333
    assert table["a"].tolist()[2] == 3.33333333333e-10
    assert str(table["a"].tolist()[3]) == "0.0"
    assert np.isnan(table["a"][1]) and table["b"].tolist() == ["x", "", "y", "z"]


# --- published ------------------------------------------------------------------------------


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the mirror of published data is not here")
@pytest.mark.parametrize(
    ("series", "metric", "rmse", "r2", "tau"),
    [
        ("VGG", "alpha_weighted", 0.4792, 0.9151, -0.929),
        ("VGG", "log_spectral_norm", 0.2266, 0.9810, -0.929),
        ("DenseNet", "log_norm", 0.3029, 0.9323, -1),
    ],
)
def test_published_series(series, metric, rmse, r2, tau):
    """Top-1 accuracy on the metric, as in Martin, Peng and Mahoney 2021 (their summaries)."""
    labels = pd.read_csv(PUBLISHED / "top1_errors_notebooks.csv")
    labels = labels[labels["series"] == series]
    rows = []
    for model, error in zip(labels["model"], labels["top1_err"], strict=True):
        summary = ast.literal_eval((PUBLISHED / "data" / f"{model}.txt").read_text())
        rows.append(
            row(np.nan, error, model=model, quality_metric="error", family=series)
            | {metric: summary[metric]}
        )
    options = Options(metrics=(metric,), permutations=99, bootstrap=99)
    found = one(correlations(models(rows), options), scope="family", metric=metric)
    assert found["n"] == len(rows) == {"VGG": 8, "DenseNet": 4}[series]
    assert found["rmse"] == pytest.approx(rmse, abs=5e-5)
    assert found["r2"] == pytest.approx(r2, abs=5e-5)
    assert found["kendall"] == pytest.approx(tau, abs=5e-4)


def test_further_data_sets_of_the_same_models_get_the_primary_metric_and_size_alone():
    rng = np.random.default_rng(0)
    main = [
        row(rng.normal(), rng.normal(), model=f"m{i}", family=f"f{i % 2}", variant=f"v{i}")
        | {"log_norm": rng.normal()}
        for i in range(12)
    ]
    other = [one | {"dataset": "e", "quality": rng.normal()} for one in main[:10]]
    apart = [one | {"dataset": "z", "model": f"z{i}"} for i, one in enumerate(main[:8])]
    options = Options(metrics=("alpha", "log_norm"), permutations=99, bootstrap=99)
    table = correlations(models(main + other + apart), options)
    found = table.groupby("dataset")["metric"].agg(set)
    assert found["d"] == found["z"] == {"alpha", "log_norm", "log_parameters"}
    assert found["e"] == {"alpha", "log_parameters"}
