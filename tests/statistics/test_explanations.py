"""What goes with a family's correlation: known answers, chance, and what cannot be said."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from helpers.explained import PLAIN, QUICK, ROUGH, edge, families, one, table_of, zoo
from helpers.options import options_with
from scipy import stats
from statsmodels.stats.multitest import multipletests

from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics import explanations as statistics_explanations
from atlas.statistics import shape as statistics_shape
from atlas.statistics import traits as statistics_traits
from atlas.statistics.alternatives import alternatives
from atlas.statistics.correlations import correlations
from atlas.statistics.explanations import explanations
from atlas.statistics.options import Options
from atlas.statistics.sample import Sample
from atlas.statistics.shape import shape
from atlas.statistics.taus import correct
from atlas.statistics.traits import traits
from atlas.terms import keys as terms_keys
from atlas.terms.keys import NAMES
from atlas.terms.notes import Note, notes_of


def explained(table: pd.DataFrame, options: Options = QUICK) -> pd.DataFrame:
    return explanations(table, correlations(table, options), options)


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
        assert row["interval"] == "fisher-z" and row["note"] == ""
        assert 0 < sign * row["left_out_low"] and 0 < sign * row["left_out_high"]
        assert row["left_out_low"] <= row["kendall"] <= row["left_out_high"]
        assert one(found, candidate="D", **labels)["kendall_p"] > 0.05
    assert one(found, candidate="D", level="family", comparison="b")["n"] == 16
    assert one(found, candidate="D", level="variant", comparison="b")["n"] == 112


@pytest.mark.parametrize(("count", "told"), [(6, False), (7, True)])
def test_the_smallest_p_that_few_families_can_give(count, told):
    """Of all orders of six taus two are as extreme as can be: with 18 tests more than 0.05."""
    rng = np.random.default_rng(count)
    table = families(rng, rng.normal(size=count) * 2)
    code = table["family"].str[1:].astype(int)
    for name in statistics_traits.NUMBERS:
        if name not in statistics_traits.SPREADS:
            column = "alpha_2_to_6" if name == "outside_share" else name
            table[column] = rng.permutation(count)[code]
    table["parameters"] = 10.0 ** (4 + rng.permutation(count)[code])
    given = table.drop_duplicates("family").assign(
        comparison="b", scope="family", variant="", metric="alpha", treatment="dropped"
    )
    given["kendall"] = np.arange(count) / count
    found = explanations(table, given, QUICK).query("level == 'family' and comparison == 'b'")
    tested = found["kendall_p"].notna()
    smallest = 2 / math.factorial(count) * tested.sum()
    assert tested.sum() >= 19 and (smallest <= 0.05) == told
    assert found.loc[tested, "smallest_p"].to_numpy() == pytest.approx(smallest)
    assert found.loc[~tested, "smallest_p"].isna().all()
    assert (found["kendall_p"] >= smallest / tested.sum() - 1e-12)[tested].all()


def test_ties_make_the_smallest_p_larger():
    table = edge(36, 6, D=[0.0, 0, 0, 1, 1, 1] * 6)
    given = table.drop_duplicates("family").assign(
        comparison="b", scope="family", variant="", metric="alpha", treatment="dropped"
    )
    given["kendall"] = np.arange(6) / 6
    found = explanations(table, given, QUICK).query("level == 'family' and comparison == 'b'")
    tests = found["kendall_p"].notna().sum()
    row = found.set_index("candidate").loc["D"]
    assert row["smallest_p"] == pytest.approx(min(1, tests * 2 * 36 / 720))


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
    p = {("family", "b"): [], ("family", "a"): [], ("variant", "b"): []}
    naive = []
    options = options_with(metrics=("alpha",), permutations=99, bootstrap=9)
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
        own = correlations(table, options_with(metrics=("alpha",), permutations=9, bootstrap=9))
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
    sample = Sample(np.array([tau, tau]), zeros, unit, centred=False, models=len(unit))
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
    sample = Sample(np.array([x, tau]), zeros, np.arange(6), centred=False, models=6)
    (row,) = statistics_explanations._related(sample, ["D"], QUICK, (*PLAIN, "q", "family", "b"))
    assert row["kendall_p"] == pytest.approx(stats.kendalltau(x, tau, method="exact").pvalue)
    assert row["interval"] == "fisher-z"


def test_a_relation_that_rests_on_one_family_is_zero_without_it():
    x, tau = np.array([0.0, 0, 0, 0, 1]), np.array([-0.9, -0.8, -0.7, -0.6, 0.5])
    zeros = np.zeros(5, int)
    sample = Sample(np.array([x, tau]), zeros, np.arange(5), centred=False, models=5)
    (row,) = statistics_explanations._related(sample, ["D"], QUICK, (*PLAIN, "q", "family", "b"))
    assert row["left_out_low"] == 0 < row["kendall"]


def test_benjamini_hochberg_by_hand():
    rows = [{"kendall_p": p} for p in (0.01, 0.04, math.nan, 0.03, 0.5)]
    correct(rows, "bh")
    found = [row.get("kendall_p_bh") for row in rows]
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
    assert Note.RECIPES_MIXED in notes_of(row["note"])
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
    options = options_with(metrics=("alpha",), permutations=199, bootstrap=99,
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
    assert (row["n"], row["interval"]) == (12, "fisher-z")
    width = np.diff(np.arctanh([row["kendall_low"], row["kendall_high"]]))[0]
    # As wide as that of six families at least; twelve would have half of it.
    assert width >= 2 * stats.norm.ppf(0.975) * math.sqrt(0.437 / (6 - 4)) - 1e-9


def everything(table: pd.DataFrame, own: pd.DataFrame, options: Options) -> dict[str, pd.DataFrame]:
    return {
        "alternatives": alternatives(table, options),
        "shape": shape(table, options),
        "traits": traits(table, own, options),
        "explanations": explanations(table, own, options),
    }


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
    options = options_with(
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
        # These follow from the models.
        assert set(zip(found["level"], found["comparison"], strict=True)) == {
            ("family", "a"),
            ("variant", "b"),
        }


def test_notes_say_why():
    def note(table: pd.DataFrame, level: str = "family", candidate: str = "D") -> str:
        found = explained(table, ROUGH)
        return one(found, level=level, comparison="b", candidate=candidate)["note"]

    assert note(edge(12, 2)) == Note.TOO_FEW_FAMILIES
    assert note(edge(12, 2), "variant") == Note.TOO_FEW_FAMILIES_FOR_P
    assert note(edge(16, 4)) == Note.NO_INTERVAL_SMALL_N
    assert note(edge(20, 5, D=0.1)) == Note.CANDIDATE_CONSTANT
    assert note(edge(12, 3, alpha=np.arange(12.0), quality=np.arange(12.0))) == (
        Note.CORRELATION_CONSTANT
    )
    constant = shape(edge(20, 5, alpha_shuffled=4.0), ROUGH)
    assert one(constant, level="variants")["note"] == Note.NULL_CONSTANT
    few = one(shape(edge(8, 4), ROUGH), level="families")
    assert few["note"] == Note.NO_INTERVAL_SMALL_N
    flat = alternatives(edge(20, 5, alpha=4.0), ROUGH).query("metric == 'hill'")
    assert set(flat["note"]) == {Note.ALPHA_CONSTANT}
    assert flat["kendall"].notna().all() and flat["difference"].isna().all()


def test_tables_depend_neither_on_the_order_of_rows_nor_on_a_file(tmp_path):
    table = zoo(np.random.default_rng(19), groups=3, recipes=3, seeds=1)
    table = table[table["quality_metric"] == "accuracy"]
    table = pd.concat([table, table.assign(collection="again", model="x" + table["model"])])
    options = options_with(metrics=("alpha",), permutations=49, bootstrap=49,
                      controls={"zoo-untrained": "zoo"})  # fmt: skip
    own = correlations(table, options)
    first = everything(table, own, options)
    assert all(len(result) for result in first.values())
    own.to_csv(tmp_path / "correlations.csv", index=False)
    text = dict.fromkeys([*NAMES, "comparison", "scope", "metric", "treatment"], str)
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
