"""Other metrics beside alpha, on the same models."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from helpers.explained import QUICK, ROUGH, families, one, table_of, zoo
from helpers.options import options_with
from scipy import stats
from statsmodels.stats.multitest import multipletests

from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics.alternatives import ALTERNATIVES, alternatives
from atlas.statistics.correlations import correlations
from atlas.statistics.shape import shape
from atlas.statistics.traits import traits
from atlas.terms.notes import Note


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
    options = options_with(
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
        assert same["note"] == Note.EQUAL_TO_ALPHA
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
    options = options_with(
        metrics=("log_norm",), primary_metrics=("log_norm",), permutations=99, bootstrap=99
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
    expected = {"": Note.NO_INTERVAL_SMALL_N, "fisher-z": Note.NO_DIFFERENCE_INTERVAL, "bca": ""}
    assert row["note"] == expected[interval]
    assert np.isfinite(row["difference"]) and 0 < row["kendall_p"] <= 1


def test_further_data_sets_of_the_same_models_are_left_out():
    rng = np.random.default_rng(8)
    table = families(rng, [1.0, 1.0, -1.0])
    table["hill"] = table["alpha_shuffled"] = rng.normal(size=18)
    both = pd.concat([table, table.iloc[:9].assign(dataset="e", quality=rng.random(9))])
    assert set(alternatives(both, ROUGH)["dataset"]) == {"d"}
    assert set(shape(both, ROUGH)["dataset"]) == {"d"}
    assert set(traits(both, correlations(both, ROUGH), ROUGH)["dataset"]) == {"d", "e"}
