"""Explanations: a cause that was put in is found, chance is not, and nothing legal raises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics import bootstrap
from atlas.statistics import explanations as statistics_explanations
from atlas.statistics import shape as statistics_shape
from atlas.statistics import taus as statistics_taus
from atlas.statistics import traits as statistics_traits
from atlas.statistics.alternatives import ALTERNATIVES, alternatives
from atlas.statistics.bootstrap import weighted_correlations
from atlas.statistics.correlations import correlations
from atlas.statistics.explanations import explanations
from atlas.statistics.models import prepare
from atlas.statistics.options import Options
from atlas.statistics.sample import Sample
from atlas.statistics.shape import shape
from atlas.statistics.traits import traits
from atlas.terms import keys as terms_keys
from atlas.terms.keys import TEXT

QUICK = Options(metrics=("alpha",), permutations=499, bootstrap=299)
ROUGH = Options(metrics=("alpha",), permutations=99, bootstrap=99)
PLAIN = ("c", "d", "1.0")


def table_of(columns: dict[str, object]) -> pd.DataFrame:
    """Rows of models.csv: what is not given is one collection of models without variants."""
    defaults = {
        "collection": "c",
        "family": "f",
        "variant": "",
        "recipe": "",
        "seed": None,
        "dataset": "d",
        "quality_metric": "accuracy",
        "parameters": 1e6,
        "weightwatcher_version": "1.0",
    }
    table = pd.DataFrame({"alpha": [], "quality": []} if not columns else columns)
    for name, value in defaults.items():
        if name not in table:
            table[name] = value
    if "model" not in table:
        table["model"] = [f"m{i:03d}" for i in range(len(table))]
    return table


def families(
    rng: np.random.Generator, slopes: object, size: int = 6, noise: float = 0.3, **labels: object
) -> pd.DataFrame:
    """Families f00, f01, ... of `size` models; in each, quality = slope x alpha + noise."""
    parts = []
    for index, slope in enumerate(slopes):
        alpha = rng.normal(4 + index % 3, 1, size)
        quality = 60 + slope * (alpha - alpha.mean()) + noise * rng.normal(size=size)
        parts.append({"family": f"f{index:02d}", "alpha": alpha, "quality": quality})
    table = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    return table_of(table.to_dict("list") | labels)


def zoo(
    rng: np.random.Generator, groups: int = 6, recipes: int = 4, seeds: int = 2
) -> pd.DataFrame:
    """Families of three variants in all recipes, two qualities, and an untrained control."""
    rows = []
    for f, v, r, s in itertools.product(range(groups), "sml", range(recipes), range(seeds)):
        row = {"family": f"f{f}", "variant": f"f{f}-{v}", "seed": str(s)}
        row |= {"parameters": 10.0 ** (4 + "sml".index(v) + f / 9)}
        row |= {name: rng.normal(5, 1) for name in ("alpha", *ALTERNATIVES)}
        row |= {name: rng.random() for name in ("D", "alpha_2_to_6", "N_median", "alpha_sd")}
        for collection in ("zoo", "zoo-untrained"):
            if collection == "zoo-untrained" and r:
                continue
            recipe = "untrained" if collection != "zoo" else ["baseline", *"abcdef"][r]
            row |= {"collection": collection, "recipe": recipe}
            row |= {"model": f"{collection}-f{f}-{v}-{recipe}-{s}"}
            rows.append(row | {"quality": rng.normal(70, 5)})
            rows.append(row | {"quality": rng.normal(9, 2), "quality_metric": "generalization_gap"})
    table = pd.DataFrame(rows)
    table["quality_metric"] = table["quality_metric"].fillna("accuracy")
    return table_of(table.to_dict("list"))


def one(table: pd.DataFrame, **labels: object) -> pd.Series:
    for name, value in labels.items():
        table = table[table[name] == value]
    assert len(table) == 1, f"{len(table)} rows"
    return table.iloc[0]


def explained(table: pd.DataFrame, options: Options = QUICK) -> pd.DataFrame:
    return explanations(table, correlations(table, options), options)


# --- alternatives ---------------------------------------------------------------------------


def test_an_alternative_that_restores_the_relation_is_better():
    rng = np.random.default_rng(1)
    table = families(rng, [0.0] * 6, size=8)
    table["hill"] = -table["quality"] + 0.1 * rng.normal(size=48)
    table["alpha_median"] = table["alpha"] + 0.3 * rng.normal(size=48)
    found = alternatives(table, QUICK)
    assert list(found) == statistics_alternatives.ALTERNATIVE
    assert found[["comparison", "metric"]].to_numpy().tolist() == [
        [c, m] for c in "ab" for m in ("alpha_median", "hill")
    ]
    for comparison in "ab":
        better = one(found, metric="hill", comparison=comparison)
        assert better["difference"] == better["kendall"] - better["kendall_alpha"] < 0
        assert better["difference_high"] < 0 and better["kendall_p_holm"] < 0.05
        other = one(found, metric="alpha_median", comparison=comparison)
        assert other["difference_low"] < 0 < other["difference_high"]
        assert other["kendall_p_holm"] > 0.05


def test_estimates_are_those_of_the_correlations():
    """The same models and resamples: a metric of both tables has the same numbers in both."""
    table = zoo(np.random.default_rng(2))
    options = Options(
        metrics=("hill",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
    )
    found = alternatives(table, options)
    expected = correlations(table, options)
    assert set(found["collection"]) == {"zoo"} and len(found) == 2 * 3 * len(ALTERNATIVES)
    same = ["n", "units", "groups", "kendall", "kendall_low", "kendall_high"]
    for comparison, quality in itertools.product("abc", ("accuracy", "generalization_gap")):
        labels = {"comparison": comparison, "quality_metric": quality, "metric": "hill"}
        row = one(found, **labels)
        scope = "pooled" if comparison == "a" else "within"
        other = one(expected, **labels, scope=scope, family="", treatment="dropped",
                    collection="zoo")  # fmt: skip
        assert row[same].tolist() == pytest.approx(other[same].tolist(), abs=1e-12)
        p = other["kendall_p"]
        if comparison == "c":
            p = max(p, other["kendall_p_recipes"])
        assert row["kendall_p"] == p


def test_recipes_common_to_all_variants_bound_p_in_c():
    rows = [
        {"variant": f"v{v}", "recipe": f"r{r}", "hill": r, "quality": r, "alpha": (7 * r + v) % 5}
        for v in range(10)
        for r in range(5)
    ]
    found = alternatives(table_of(pd.DataFrame(rows).to_dict("list")), QUICK)
    assert one(found, comparison="c")["kendall_p"] == pytest.approx(2 / 120)


@pytest.mark.parametrize("centred", [False, True])
def test_resampled_taus_are_those_of_the_machinery(centred):
    rng = np.random.default_rng(3)
    stratum = np.repeat(np.arange(4), 5) if centred else np.zeros(20, int)
    values = rng.integers(0, 7, (3, 20)).astype(float)
    sample = Sample(values, stratum, np.arange(20), np.zeros(20, int), centred, 0)
    weights = bootstrap.jackknife_weights(sample) * rng.integers(1, 4, (20, 20))
    found = statistics_taus.resampled_taus(sample, weights)
    expected = weighted_correlations(sample, weights, ((0, 2), (1, 2)))[:, 0]
    assert found == pytest.approx(expected, abs=1e-12)


def test_alternatives_equal_to_alpha():
    rng = np.random.default_rng(4)
    table = families(rng, [1.0] * 4)
    table["alpha_inner"] = table["alpha"] * (1 + 1e-13)
    table["alpha_enough"] = np.where(np.arange(24) < 10, table["alpha"], rng.normal(size=24))
    table["hill"] = rng.normal(size=24)
    found = alternatives(table, QUICK)
    for comparison in "ab":
        rows = found[found["comparison"] == comparison]
        same = one(rows, metric="alpha_inner")
        assert (same["equal"], same["difference"]) == (24, 0)
        assert same["kendall"] == pytest.approx(same["kendall_alpha"])
        assert np.isnan(
            same[["difference_low", "difference_high", "kendall_p_holm"]].tolist()
        ).all()
        assert same["note"] == "equal to alpha in all models"
        assert same["kendall_low"] < same["kendall"] < same["kendall_high"]
        other = one(rows, metric="alpha_enough")
        assert other["equal"] == 10 and other["difference_low"] < other["difference_high"]
        tested = rows[rows["metric"] != "alpha_inner"]  # two hypotheses, not three
        assert tested["kendall_p_holm"].tolist() == pytest.approx(
            multipletests(tested["kendall_p"], method="holm")[1].tolist()
        )


def test_holm_by_hand():
    rows = [{"kendall_p": p, "equal": 0, "n": 9} for p in (0.01, 0.04, 0.03, math.nan)]
    rows.append({"kendall_p": 0.001, "equal": 9, "n": 9})
    found = statistics_alternatives._holm(rows)
    assert [row.get("kendall_p_holm") for row in found] == [0.03, 0.06, 0.06, None, None]


def test_alpha_is_compared_on_the_same_models():
    rng = np.random.default_rng(5)
    table = families(rng, [1.0, -1.0], size=6)
    table["alpha_depthwise"] = rng.normal(size=12)
    table.loc[[0, 5, 8], "alpha_depthwise"] = np.nan
    table["alpha_dense"] = rng.normal(size=12)
    row = one(alternatives(table, QUICK), comparison="a", metric="alpha_depthwise")
    kept = table[table["alpha_depthwise"].notna()]
    assert row["n"] == 9
    for name, metric in (("kendall", "alpha_depthwise"), ("kendall_alpha", "alpha")):
        expected = stats.kendalltau(kept[metric], kept["quality"]).statistic
        assert row[name] == pytest.approx(expected)


def test_the_reference_is_alpha_whatever_the_primary_metric():
    table = families(np.random.default_rng(6), [1.0] * 3)
    table["hill"] = table["alpha"] ** 2
    table["log_norm"] = -table["quality"]
    options = Options(
        metrics=("log_norm",), primary_metric="log_norm", permutations=99, bootstrap=99
    )
    pd.testing.assert_frame_equal(alternatives(table, options), alternatives(table, ROUGH))


@pytest.mark.parametrize(("n", "interval"), [(4, ""), (6, "fisher-z"), (9, "bca")])
def test_intervals_of_alternatives_by_number(n, interval):
    rng = np.random.default_rng(7)
    table = table_of({"alpha": rng.normal(size=n), "quality": rng.normal(size=n)})
    table["hill"] = rng.normal(size=n)
    table["family"] = ["a", "b"] + ["c"] * (n - 2)
    row = one(alternatives(table, QUICK), comparison="a")
    assert row["interval"] == interval
    assert np.isfinite(row["kendall_low"]) == bool(interval)
    assert np.isfinite(row["difference_low"]) == (interval == "bca")
    assert ("no interval" in row["note"]) == (interval != "bca")
    assert np.isfinite(row["difference"]) and 0 < row["kendall_p"] <= 1


def test_further_data_sets_of_the_same_models_are_left_out():
    rng = np.random.default_rng(8)
    table = families(rng, [1.0, 1.0, -1.0])
    table["hill"] = table["alpha_shuffled"] = rng.normal(size=18)
    both = pd.concat([table, table.iloc[:9].assign(dataset="e", quality=rng.random(9))])
    assert set(alternatives(both, ROUGH)["dataset"]) == {"d"}
    assert set(shape(both, ROUGH)["dataset"]) == {"d"}
    assert set(traits(both, correlations(both, ROUGH), ROUGH)["dataset"]) == {"d", "e"}


# --- shape ----------------------------------------------------------------------------------


def test_the_share_of_the_null_is_recovered():
    """Alpha is 1 + 0.5 null + noise of as much variance: r2 is a half."""
    rng = np.random.default_rng(9)
    null = rng.normal(10, 2, 1000) + np.repeat(rng.normal(0, 2, 50), 20)
    noise = 0.5 * math.sqrt(8) * rng.normal(size=1000)
    table = table_of({"alpha": 1 + 0.5 * null + noise, "quality": np.nan, "alpha_shuffled": null})
    table["family"] = np.repeat([f"f{i:02d}" for i in range(50)], 20)
    found = shape(table, Options(permutations=99, bootstrap=99))
    assert list(found) == statistics_shape.SHAPE and set(found["null"]) == {"shuffled"}
    row = one(found, level="variants")
    assert row["n"] == 1000 and row["r2"] == pytest.approx(0.5, abs=0.06)
    assert row["slope"] == pytest.approx(0.5, abs=0.04)
    assert row["alpha"] == pytest.approx(table["alpha"].mean())
    assert row["null_alpha"] == pytest.approx(null.mean())
    assert one(found, level="within")["r2"] == pytest.approx(1 / 3, abs=0.07)  # variances 1 and 2
    assert one(found, level="families")["n"] == 50
    assert one(found, level="families")["r2"] > 0.8


def test_shape_levels_by_hand():
    rows = [  # family, variant, recipe, alpha, null
        ("f", "v", "baseline", 3.0, 1.0),
        ("f", "v", "baseline", 5.0, 3.0),  # a seed: averaged
        ("f", "v", "noise", 99.0, -99.0),  # another recipe: left out
        ("f", "w", "baseline", 6.0, 4.0),
        ("g", "x", "baseline", 1.0, 7.0),
        ("g", "y", "baseline", 2.0, 9.0),
        ("h", "z", "baseline", 8.0, 0.0),
    ]
    columns = dict(zip(("family", "variant", "recipe", "alpha", "alpha_gaussian"),
                       zip(*rows, strict=True), strict=True))  # fmt: skip
    table = table_of(columns | {"quality": 1.0})
    table = pd.concat([table, table.assign(quality_metric="error")])  # a second label
    found = shape(table, QUICK)
    x, y = [2, 4, 7, 9, 0], [4, 6, 1, 2, 8]
    variants = one(found, level="variants")
    assert variants["n"] == 5
    assert variants["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert variants["slope"] == pytest.approx(stats.linregress(x, y).slope)
    assert variants["r2"] == pytest.approx(stats.pearsonr(x, y).statistic ** 2)
    averages = one(found, level="families")
    assert averages["pearson"] == pytest.approx(stats.pearsonr([3, 8, 0], [5, 1.5, 8]).statistic)
    within = one(found, level="within")
    assert (within["n"], within["alpha"], within["null_alpha"]) == (4, 3.25, 5.5)
    assert within["slope"] == pytest.approx((1 * 1 * 2 + 1 * 0.5 * 2) / 4)


@pytest.mark.parametrize("signal", [0.0, 1.0, 3.0])
def test_reliability_is_what_other_draws_of_the_null_would_show_again(signal):
    """The correlation of two versions of the null, each with its own draws, is that share."""
    rng = np.random.default_rng(11)
    families, members, se = 60, 10, 1.0
    true = signal * (rng.normal(size=(families, 1)) + rng.normal(size=(families, members)))
    first, second = true + se * rng.normal(size=(2, families, members))
    columns = {"alpha": rng.normal(size=first.size), "quality": np.nan}
    table = table_of(columns | {"alpha_gaussian": first.ravel(), "alpha_gaussian_se": se})
    table["family"] = np.repeat([f"f{i:02d}" for i in range(families)], members)
    found = shape(table, Options(permutations=99, bootstrap=99)).set_index("level")["reliability"]

    def centred(values):
        return (values - values.mean(axis=1, keepdims=True)).ravel()

    for level, (x, y) in {
        "variants": (first.ravel(), second.ravel()),
        "families": (first.mean(axis=1), second.mean(axis=1)),
        "within": (centred(first), centred(second)),
    }.items():
        agreement = stats.pearsonr(x, y).statistic
        assert found[level] == pytest.approx(max(agreement, 0), abs=0.4 if signal == 0 else 0.1)
    del table["alpha_gaussian_se"]
    assert shape(table, QUICK)["reliability"].isna().all()


def test_controls_are_in_shape_with_all_their_models():
    table = zoo(np.random.default_rng(10), groups=3)
    options = Options(permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"})
    found = shape(table, options)
    assert found.groupby("collection")["n"].agg(list).to_dict() == {
        name: [3, 9, 9] * 2 for name in ("zoo", "zoo-untrained")
    }
    assert not found["note"].str.contains("recipes are mixed").any()


# --- traits ---------------------------------------------------------------------------------


def test_traits_by_hand():
    rows = [  # variant, recipe, seed, alpha, quality, D, alpha_2_to_6
        ("v", "baseline", "0", 3.0, 70.0, 0.1, 0.9),
        ("v", "baseline", "1", 4.0, 60.0, 0.3, 0.7),
        ("w", "baseline", "0", 5.0, 50.0, np.nan, 0.5),
        ("x", "baseline", "0", 6.0, 55.0, 0.5, 0.3),
        ("x", "baseline", "1", 6.0, np.nan, 0.7, 0.1),  # not compared, and yet a model
        ("x", "noise", "0", 9.0, 10.0, 9.0, 0.0),
    ]
    names = ("variant", "recipe", "seed", "alpha", "quality", "D", "alpha_2_to_6")
    table = table_of(dict(zip(names, zip(*rows, strict=True), strict=True)))
    own = correlations(table, QUICK)
    row = one(traits(table, own, QUICK), family="f")
    assert list(row.index) == statistics_traits.TRAITS_TABLE
    assert (row["n"], row["units"]) == (4, 3)
    assert row["kendall_b"] == one(own, metric="alpha", comparison="b", scope="family",
                                   treatment="dropped")["kendall"]  # fmt: skip
    assert row["D"] == pytest.approx(0.4)
    assert row["outside_share"] == pytest.approx(0.5)
    assert row["log_parameters"] == 6
    assert row["metric_sd"] == pytest.approx(np.std([3, 4, 5, 6], ddof=1))
    assert row["quality_sd"] == pytest.approx(np.std([70, 60, 50, 55], ddof=1))
    assert np.isnan(row["N_median"])
    assert (row["recipes"], row["datasets"]) == ("baseline, noise", "d")


def test_the_spread_in_c_is_around_the_variants():
    table = table_of({
        "variant": list("vvvww"), "recipe": list("abcab"),
        "alpha": [1.0, 2.0, 3.0, 10.0, 14.0], "quality": [1.0, 1.0, 1.0, 2.0, 4.0],
    })  # fmt: skip
    complete = statistics_traits.with_candidates(table, QUICK)
    family = statistics_traits.spreads_of(complete, ["family"], ["family", "named"])
    assert family["metric_sd"].tolist() == pytest.approx([math.sqrt((1 + 1 + 4 + 4) / 3)])
    variants = statistics_traits.spreads_of(complete, ["family", "named"], ["family", "named"])
    assert variants["metric_sd"].tolist() == pytest.approx([1, math.sqrt(8)])
    assert variants["quality_sd"].tolist() == pytest.approx([0, math.sqrt(2)])


# --- explanations ---------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_a_candidate_that_drives_the_correlation_is_found(sign):
    """Alpha works (tau near -1) where N_median is small, and not where it is large."""
    rng = np.random.default_rng(11)
    driver = rng.permutation(np.linspace(0, 1, 16))
    table = families(rng, 2 * (driver - 1), size=7, noise=0.7)
    code = table["family"].str[1:].astype(int)
    table["N_median"] = sign * driver[code]
    table["D"] = rng.random(16)[code]
    found = explained(table)
    for level in ("family", "variant"):
        labels = {"level": level, "comparison": "b"}
        row = one(found, candidate="N_median", **labels)
        assert row["kendall"] * sign > 0.3 and row["kendall_p_bh"] < 0.05
        assert row["kendall_low"] * row["kendall_high"] > 0
        assert row["interval"] == "bca" and row["note"] == ""
        assert 0 < sign * row["left_out_low"] and 0 < sign * row["left_out_high"]
        assert row["left_out_low"] <= row["kendall"] <= row["left_out_high"]
        assert one(found, candidate="D", **labels)["kendall_p"] > 0.05
    assert one(found, candidate="D", level="family", comparison="b")["n"] == 16
    assert one(found, candidate="D", level="variant", comparison="b")["n"] == 112


def test_taus_of_families_are_those_of_the_correlations():
    table = zoo(np.random.default_rng(12))
    own = correlations(table, ROUGH)
    found = explanations(table, own, ROUGH)
    reference = table[(table["collection"] == "zoo") & (table["quality_metric"] == "accuracy")]
    own = own[(own["metric"] == "alpha") & (own["treatment"] == "dropped")]
    own = own[(own["collection"] == "zoo") & (own["quality_metric"] == "accuracy")]
    for level, comparison, scope, models in (
        ("family", "b", "family", reference[reference["recipe"] == "baseline"]),
        ("family", "c", "within", reference),
        ("variant", "c", "family", reference),
    ):
        rows = own[(own["comparison"] == comparison) & (own["scope"] == scope)]
        by = "variant" if level == "variant" else "family"
        tau = rows[rows["family"] != ""].set_index(by)["kendall"]
        expected = stats.kendalltau(models.groupby(by)["D"].mean().loc[tau.index], tau).statistic
        row = one(found, collection="zoo", quality_metric="accuracy", level=level,
                  comparison=comparison, candidate="D")  # fmt: skip
        assert (row["n"], row["kendall"]) == (len(tau), pytest.approx(expected))


def test_noise_is_found_no_more_often_than_by_chance():
    """Twelve candidates of noise that families share, where families differ in their tau.

    At the level of variants, variants taken as independent would be found often.
    """
    p = {("family", "b"): [], ("variant", "a"): [], ("variant", "b"): []}
    naive = []
    options = Options(metrics=("alpha",), permutations=99, bootstrap=9)
    names = [
        name
        for name in statistics_traits.NUMBERS
        if name not in (*statistics_traits.SPREADS, terms_keys.SIZE)
    ][:12]
    for seed in range(16):
        rng = np.random.default_rng(seed)
        table = families(rng, rng.normal(size=12) * 2, size=4)
        code = table["family"].str[1:].astype(int)
        for name in names:
            column = "alpha_2_to_6" if name == "outside_share" else name
            table[column] = rng.random(12)[code]
        own = correlations(table, Options(metrics=("alpha",), permutations=9, bootstrap=9))
        found = explanations(table, own, options)
        found = found[found["candidate"].isin(names)]
        for (level, comparison), rows in found.groupby(["level", "comparison"]):
            p[level, comparison] += rows["kendall_p"].tolist()
            if (level, comparison) == ("variant", "b"):
                naive += [
                    2 * stats.norm.sf(abs(t) / math.sqrt(2 * (2 * 48 + 5) / (9 * 48 * 47)))
                    for t in rows["kendall"]
                ]
    for values in p.values():
        assert len(values) == 16 * 12
        assert np.mean(np.array(values) <= 0.05) < 0.1  # 0.05 and three standard errors
    assert 0.01 < np.mean(np.array(p["family", "b"]) <= 0.05)
    assert np.mean(np.array(naive) <= 0.05) > 0.15


@pytest.mark.parametrize("sizes", [[3] * 6, [2, 3, 4, 5, 6, 8, 3, 12]])
def test_redrawn_keeps_families_together(sizes):
    rng = np.random.default_rng(13)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    tau = np.round(rng.normal(size=len(sizes))[unit] + rng.normal(size=len(unit)), 10)
    zeros = np.zeros(len(unit), int)
    sample = Sample(np.array([tau, tau]), zeros, unit, zeros, centred=False, missing=0)
    drawn, exact = statistics_explanations._redrawn(sample, QUICK, ("k",))
    assert not exact and drawn.shape == (499, len(unit))
    means = np.array([drawn[:, unit == u].mean(axis=1) for u in range(len(sizes))]).T
    own = np.array([tau[unit == u].mean() for u in range(len(sizes))])
    assert np.sort(means, axis=1) == pytest.approx(np.tile(np.sort(own), (499, 1)))
    assert len(np.unique(np.round(means, 8), axis=0)) > 300
    for u in range(len(sizes)):  # the deviations inside a family stay its own
        here = unit == u
        rest = drawn[:, here] - means[:, [u]]
        expected = np.sort(tau[here] - own[u])
        assert np.sort(rest, axis=1) == pytest.approx(np.tile(expected, (499, 1)), abs=1e-8)


def test_p_of_few_families_is_exact():
    x, tau = np.array([1.0, 2, 3, 4, 5, 6]), np.array([0.1, 0.3, 0.2, 0.6, 0.5, 0.9])
    zeros = np.zeros(6, int)
    sample = Sample(np.array([x, tau]), zeros, np.arange(6), zeros, centred=False, missing=0)
    (row,) = statistics_explanations._related(sample, ["D"], QUICK, (*PLAIN, "q", "family", "b"))
    assert row["kendall_p"] == pytest.approx(stats.kendalltau(x, tau, method="exact").pvalue)
    assert row["interval"] == "fisher-z"


def test_left_out_by_hand():
    """At the level of variants a family is left out with all its variants."""
    unit = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    x = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    tau = np.array([0.2, 0.1, 0.3, 0.5, 0.4, 0.6, -0.9, -0.8])
    zeros = np.zeros(8, int)
    sample = Sample(np.array([x, tau]), zeros, unit, zeros, centred=False, missing=0)
    (row,) = statistics_explanations._related(sample, ["D"], QUICK, (*PLAIN, "q", "variant", "b"))
    by_hand = [stats.kendalltau(x[unit != u], tau[unit != u]).statistic for u in range(4)]
    assert (row["left_out_low"], row["left_out_high"]) == pytest.approx(
        (min(by_hand), max(by_hand))
    )
    assert row["left_out_high"] > 0.7 > row["kendall"]
    assert row["note"] == "fewer than 5 families: no interval" and np.isfinite(row["kendall_p"])


def test_a_relation_that_rests_on_one_family_is_zero_without_it():
    x, tau = np.array([0.0, 0, 0, 0, 1]), np.array([-0.9, -0.8, -0.7, -0.6, 0.5])
    zeros = np.zeros(5, int)
    sample = Sample(np.array([x, tau]), zeros, np.arange(5), zeros, centred=False, missing=0)
    (row,) = statistics_explanations._related(sample, ["D"], QUICK, (*PLAIN, "q", "family", "b"))
    assert row["left_out_low"] == 0 < row["kendall"]


def test_attributed_parts_average_to_kendalls_tau():
    rng = np.random.default_rng(14)
    table = statistics_traits.with_candidates(families(rng, [1.0, -1.0, 0.0], size=7), QUICK)
    within = statistics_explanations._attributed(table, "family").groupby("family").mean()
    for name, members in table.groupby("family"):
        expected = stats.kendalltau(members["alpha"], members["quality"]).statistic
        assert within[name] == pytest.approx(expected)
    expected = stats.kendalltau(table["alpha"], table["quality"]).statistic
    assert statistics_explanations._attributed(table, None).mean() == pytest.approx(expected)


def test_attributed_parts_by_hand():
    """Seeds are one unit, and units of one variant are not compared with each other."""
    rows = [  # variant, seed, alpha, quality
        ("v", "0", 1.0, 9.0),
        ("v", "1", 2.0, 7.0),  # v: 1.5, 8
        ("w", "", 3.0, 6.0),
        ("w", "", 4.0, 9.0),
        ("x", "0", 5.0, 5.0),
    ]
    names = ("variant", "seed", "alpha", "quality")
    table = table_of(dict(zip(names, zip(*rows, strict=True), strict=True)))
    found = statistics_explanations._attributed(
        statistics_traits.with_candidates(table, QUICK), "family"
    )
    # v: with both units of w -1 and +1, with x -1. w: its units -1 and +1 with v, -1 each with x.
    assert found["f"].to_dict() == pytest.approx({"v": -1 / 3, "w": (-1 + 0) / 2, "x": -1})
    assert statistics_explanations._attributed(
        statistics_traits.with_candidates(table.iloc[:3], QUICK), "family"
    ).isna().all()  # fmt: skip


def test_benjamini_hochberg_by_hand():
    rows = [{"kendall_p": p} for p in (0.01, 0.04, math.nan, 0.03, 0.5)]
    found = [row.get("kendall_p_bh") for row in statistics_explanations._benjamini_hochberg(rows)]
    assert found == [0.04, pytest.approx(0.16 / 3), None, pytest.approx(0.16 / 3), 0.5]


def test_bh_is_over_the_candidates_of_one_group():
    found = explained(zoo(np.random.default_rng(15)), ROUGH)
    keys = ["collection", "quality_metric", "level", "comparison"]
    groups = found[found["kendall_p"].notna()].groupby(keys)
    assert len(groups) >= 10
    for _, rows in groups:
        assert rows["kendall_p_bh"].tolist() == pytest.approx(
            multipletests(rows["kendall_p"], method="fdr_bh")[1].tolist()
        )


def test_the_share_between_categories_by_hand():
    codes, taus = np.array([0.0, 0, 1, 1]), np.array([[1.0, 3, 5, 7], [1, 7, 3, 5], [2, 2, 2, 2]])
    found = statistics_explanations._eta2(codes, taus)
    assert found[:2] == pytest.approx([16 / 20, 0]) and np.isnan(found[2])


def test_a_recipe_that_decides_is_found():
    """Half of the families are trained so that alpha predicts, the others not."""
    rng = np.random.default_rng(16)
    table = families(rng, [-2.0, 2.0] * 6)
    code = table["family"].str[1:].astype(int)
    table["recipe"] = np.where(code % 2, "strong", "weak")
    table.loc[table.groupby("family").head(1).index, "recipe"] = "odd"  # the most frequent counts
    found = explained(table)
    row = one(found, candidate="recipe", level="family", comparison="b")
    assert row["kind"] == "category" and row["eta2"] > 0.8 and row["kendall_p"] < 0.01
    assert np.isnan(row["kendall"])
    assert "recipes are mixed" in row["note"]
    assert not found["candidate"].isin(["dataset", "weightwatcher_version"]).any()


@pytest.mark.parametrize(
    ("values", "expected"),
    [("aab", True), ("abc", False), ("aaa", False), (["a", "a", ""], False), ([], False)],
)
def test_categories_that_can_be_compared(values, expected):
    assert statistics_explanations._comparable(np.array(list(values), dtype=object)) == expected


def test_all_collections_together():
    """One row per candidate over all families: data sets and versions become candidates."""
    rng = np.random.default_rng(17)
    good = families(rng, [-2.0] * 5, collection="x", dataset="d")
    bad = families(rng, [2.0] * 5, collection="y", dataset="e", quality_metric="error")
    bad["quality"] *= -1
    words = families(rng, [2.0] * 4, collection="z", dataset="e", quality_metric="perplexity")
    words["quality"] *= -1
    control = families(rng, [2.0] * 5, collection="x-untrained")
    for part, names in ((good, "abcde"), (bad, "fghij"), (words, "klmn"), (control, "opqrs")):
        part["family"] = part["family"].map(dict(zip(sorted(set(part["family"])), names,
                                                     strict=True)))  # fmt: skip
        part["model"] = part["collection"] + part["model"]
    again = good.assign(dataset="d2", quality=-good["quality"])  # the same models
    gap = good.assign(quality_metric="generalization_gap")
    table = pd.concat([good, bad, words, control, again, gap], ignore_index=True)
    options = Options(metrics=("alpha",), permutations=199, bootstrap=99,
                      controls={"x-untrained": "x"})  # fmt: skip
    found = explained(table, options)
    assert "x-untrained" not in set(found["collection"])
    together = found[found["collection"] == "all"]
    assert set(together["level"]) == {"family"} and set(together["comparison"]) == {"b"}
    assert (together[["dataset", "weightwatcher_version", "quality_metric"]] == "").all(axis=None)
    row = one(together, candidate="dataset")
    assert row["n"] == 14 and row["eta2"] > 0.8 and row["kendall_p"] < 0.05
    assert one(together, candidate="metric_sd")["n"] == 14
    assert one(together, candidate="quality_sd")["n"] == 10  # a perplexity is not in percent
    alone = explained(good, ROUGH)
    assert "all" not in set(alone["collection"])


def test_a_family_of_two_collections_is_one_observation():
    rng = np.random.default_rng(18)
    parts = [families(rng, rng.normal(size=6), collection=c) for c in "xy"]
    for part in parts:
        part["model"] = part["collection"] + part["model"]
        part["D"] = part["family"].str[1:].astype(float)
    row = one(explained(pd.concat(parts, ignore_index=True)), collection="all", candidate="D")
    assert (row["n"], row["interval"]) == (12, "fisher-z")  # by six families, not by BCa


# --- what cannot be answered ----------------------------------------------------------------


def everything(table: pd.DataFrame, own: pd.DataFrame, options: Options) -> dict[str, pd.DataFrame]:
    return {
        "alternatives": alternatives(table, options),
        "shape": shape(table, options),
        "traits": traits(table, own, options),
        "explanations": explanations(table, own, options),
    }


def edge(n: int, groups: int, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(n + groups)
    values = {name: rng.normal(5, 1, n) for name in ("alpha", "hill", "alpha_shuffled", "D")}
    values |= {"quality": rng.normal(70, 5, n), "family": [f"f{i % groups}" for i in range(n)]}
    return table_of(values | columns)


EDGES = {
    "no columns": pd.DataFrame(),
    "empty": table_of({}),
    "one model": edge(1, 1),
    "two models": edge(2, 1),
    "one family": edge(12, 1),
    "two families": edge(12, 2),
    "three small families": edge(9, 3),
    "four families": edge(16, 4),
    "families of one": edge(8, 8),
    "alpha constant": edge(20, 5, alpha=4.0),
    "null constant": edge(20, 5, alpha_shuffled=4.0, hill=4.0),
    "quality constant": edge(20, 5, quality=70.0),
    "candidate constant": edge(20, 5, D=0.1),
    "all fits failed": edge(20, 5, alpha=np.nan),
    "alternatives missing": edge(20, 5, hill=np.nan, alpha_shuffled=np.nan),
    "no quality": edge(20, 5, quality=np.nan, quality_metric=""),
    "qualities missing": edge(20, 5, quality=np.nan),
    "no alpha": edge(20, 5).drop(columns="alpha"),
    "infinite": edge(20, 5, hill=np.inf, D=-np.inf),
    "perfect": edge(40, 10, alpha=np.arange(40.0), quality=-np.arange(40.0), hill=np.arange(40.0)),
    "recipes of one variant": edge(9, 1, variant="v", recipe=list("abcdefghi")),
    "one recipe": edge(9, 1, variant="v", recipe="a", seed=list("012345678")),
    "only a control": edge(20, 5, collection="untrained"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EDGES)
def test_no_legal_table_raises(name):
    options = Options(
        metrics=("alpha",), permutations=99, bootstrap=99, controls={"untrained": "c"}
    )
    table = EDGES[name]
    found = everything(table, correlations(table, options), options)
    columns = {
        "alternatives": statistics_alternatives.ALTERNATIVE,
        "shape": statistics_shape.SHAPE,
        "traits": statistics_traits.TRAITS_TABLE,
        "explanations": statistics_explanations.EXPLANATION,
    }
    for key, result in found.items():
        assert list(result) == columns[key]
        numbers = result.select_dtypes("number").to_numpy(float)
        assert not np.isinf(numbers).any()
        if key in ("alternatives", "shape"):
            assert (result.loc[result["kendall"].isna(), "note"] != "").all()
        assert (key == "shape") or name not in ("only a control", "no quality") or result.empty
    silent = found["explanations"]
    silent = silent[silent["kendall"].isna() & silent["eta2"].isna()]
    assert (silent["note"] != "").all()


@pytest.mark.filterwarnings("error")
def test_correlations_without_rows_or_columns():
    table = edge(20, 5)
    for own in (pd.DataFrame(), correlations(pd.DataFrame(), ROUGH)):
        assert traits(table, own, ROUGH)["kendall_b"].isna().all()
        found = explanations(table, own, ROUGH)
        assert set(found["level"]) == {"variant"}  # these follow from the models


def test_notes_say_why():
    def note(table: pd.DataFrame, level: str = "family", candidate: str = "D") -> str:
        found = explained(table, ROUGH)
        return one(found, level=level, comparison="b", candidate=candidate)["note"]

    assert note(edge(12, 2)) == "fewer than 3 families"
    assert note(edge(12, 2), "variant") == "fewer than 3 families: neither p nor interval"
    assert note(edge(16, 4)) == "fewer than 5 families: no interval"
    assert note(edge(20, 5, D=0.1)) == "candidate constant"
    assert note(edge(12, 3, alpha=np.arange(12.0), quality=np.arange(12.0))) == (
        "correlation constant"
    )
    constant = shape(edge(20, 5, alpha_shuffled=4.0), ROUGH)
    assert one(constant, level="variants")["note"] == "null constant"
    few = one(shape(edge(8, 4), ROUGH), level="families")
    assert few["note"] == "n <= 4: no interval"
    flat = alternatives(edge(20, 5, alpha=4.0), ROUGH).query("metric == 'hill'")
    assert set(flat["note"]) == {"alpha constant: no difference"}
    assert flat["kendall"].notna().all() and flat["difference"].isna().all()


# --- same input, same table -----------------------------------------------------------------


def test_tables_depend_neither_on_the_order_of_rows_nor_on_a_file(tmp_path):
    table = zoo(np.random.default_rng(19), groups=3, recipes=3, seeds=1)
    table = table[table["quality_metric"] == "accuracy"]
    table = pd.concat([table, table.assign(collection="again", model="x" + table["model"])])
    options = Options(metrics=("alpha",), permutations=49, bootstrap=49,
                      controls={"zoo-untrained": "zoo"})  # fmt: skip
    own = correlations(table, options)
    first = everything(table, own, options)
    assert all(len(result) for result in first.values())
    own.to_csv(tmp_path / "correlations.csv", index=False)
    text = dict.fromkeys([*TEXT, "comparison", "scope", "metric", "treatment"], str)
    read = pd.read_csv(
        tmp_path / "correlations.csv", dtype=text, keep_default_na=False, na_values=[""]
    )
    second = everything(
        table.sample(frac=1, random_state=1), read.sample(frac=1, random_state=2), options
    )
    for name, result in first.items():
        pd.testing.assert_frame_equal(result, second[name], rtol=0, atol=1e-12)
    third = explanations(table, read.fillna(dict.fromkeys(text, "")), options)
    pd.testing.assert_frame_equal(first["explanations"], third, rtol=0, atol=1e-12)


def test_candidates_are_the_columns_of_traits():
    assert set(statistics_traits.NUMBERS) <= set(statistics_traits.TRAITS_TABLE)
    assert prepare(edge(3, 1))[terms_keys.SIZE].tolist() == [6, 6, 6]
