"""What is compared with what, and what counts as one observation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, family, models, one, row, several, zoo
from helpers.options import options_with
from scipy import stats

from atlas.statistics import power
from atlas.statistics.correlations import correlations
from atlas.terms import keys
from atlas.terms.notes import Note, notes_of


def test_comparisons_of_a_zoo():
    found = correlations(
        zoo(np.random.default_rng(0)),
        options_with(
            metrics=("alpha",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
        ),
    )
    found = found[(found["metric"] == "alpha") & (found["quality_metric"] == "accuracy")]
    shape = found[found["treatment"] == "dropped"].groupby(["collection", "comparison", "scope"])
    assert shape.size().to_dict() == {
        ("zoo", "a", "families"): 1,
        ("zoo", "a", "pooled"): 1,
        ("zoo", "b", "family"): 5,
        ("zoo", "b", "within"): 1,
        ("zoo", "c", "family"): 15,
        ("zoo", "c", "within"): 6,
        ("zoo-untrained", "a", "families"): 1,
        ("zoo-untrained", "a", "pooled"): 1,
        ("zoo-untrained", "b", "family"): 5,
        ("zoo-untrained", "b", "within"): 1,
    }
    zoo_rows = found[found["collection"] == "zoo"]
    counts = ["n", "units", "groups"]
    assert one(zoo_rows, scope="pooled")[counts].tolist() == [30, 15, 1]
    assert one(zoo_rows, scope="families")[counts].tolist() == [30, 5, 1]
    assert one(zoo_rows, comparison="b", family="f1")[counts].tolist() == [6, 3, 1]
    assert one(zoo_rows, comparison="b", scope="within")[counts].tolist() == [30, 15, 5]
    assert one(zoo_rows, variant="f1-m")[counts].tolist() == [10, 5, 1]
    inside = one(zoo_rows, comparison="c", scope="within", family="f1")
    assert inside[counts].tolist() == [30, 15, 3]
    everywhere = one(zoo_rows, comparison="c", scope="within", family="")
    assert everywhere[counts].tolist() == [150, 75, 15]
    for whole in (inside, everywhere):  # 5! orders of the recipes: p is a multiple of 1/120
        assert whole["exact"] and whole["permutations"] == 120
        assert whole["kendall_p"] * 120 == pytest.approx(round(whole["kendall_p"] * 120))
    in_c = zoo_rows[zoo_rows["comparison"] == "c"]
    wide = in_c["scope"] == "within"
    assert (in_c["kendall_p_recipes"] == in_c["kendall_p"])[wide].all()
    assert in_c["kendall_p_recipes"][~wide].isna().all()


def test_recipes_common_to_all_variants_are_not_many_observations():
    """Recipes that move metric and quality alike in all variants: five things, not fifty."""
    effect = [0.0, 1.0, 2.0, 3.0, 4.0]
    rows = [
        row(a, q, variant=f"v{v}", recipe=f"r{r}")
        for v in range(10)
        for r, (a, q) in enumerate(zip(effect, effect, strict=True))
    ]
    found = one(correlations(models(rows), QUICK), comparison="c", scope="within", family="")
    assert (found["n"], found["units"], found["groups"]) == (50, 50, 10)
    assert found["kendall_p"] == found["kendall_p_recipes"] == pytest.approx(2 / 120)
    assert np.isnan(found["detectable_pearson"])  # no order of five is rare enough for six tests
    single = replace(QUICK, primary_metrics=("alpha",))
    found = one(correlations(models(rows), single), comparison="c", scope="within", family="")
    assert found["detectable_pearson"] == power.detectable(5, single.confirmatory_level, 0.8) < 1


def test_recipes_that_differ_between_variants_are_as_many_observations():
    effect = np.arange(5.0)
    rows = [row(a, a, variant=f"v{v}", recipe=f"r{v}-{a}") for v in range(10) for a in effect]
    found = one(correlations(models(rows), QUICK), comparison="c", scope="within", family="")
    assert not found["exact"] and found["kendall_p"] == pytest.approx(1 / 500)
    assert found["detectable_pearson"] < 0.6


def test_families_are_the_units_of_a():
    """Means over the models of the reference recipe that have both, however many a family has."""
    rng = np.random.default_rng(3)
    families = {f"f{i}": rng.normal(size=(2, 2 + i)) for i in range(7)}
    families["f7"] = ([np.nan, 1.0, 2.0], [5.0, 6.0, np.nan])
    table = several(families)
    found = one(correlations(table, QUICK), scope="families")
    x, y = np.array([np.mean(v, axis=1) for v in list(families.values())[:7]] + [[1.0, 6.0]]).T
    for kind, f in (("kendall", stats.kendalltau), ("pearson", stats.pearsonr)):
        assert found[kind] == pytest.approx(f(x, y).statistic)
    assert found["kendall_p"] == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue)
    counts = found[["n", "units", "groups", "missing", "exact"]]
    assert counts.tolist() == [sum(range(2, 9)) + 1, 8, 1, 2, True]
    noisy = pd.concat([table.assign(recipe="baseline"), table.assign(recipe="noise", quality=0.0)])
    noisy["model"] = [f"m{i}" for i in range(len(noisy))]
    again = one(correlations(noisy, QUICK), scope="families")
    assert again["kendall"] == pytest.approx(found["kendall"]) and again["units"] == 8


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
    options = options_with(metrics=("alpha", "log_norm"), permutations=99, bootstrap=99)
    found = correlations(table, options)
    dropped = one(found, scope="family")
    stored = one(found, scope="family", treatment="stored")
    assert stored["kendall"] == -dropped["kendall"] != 0
    same = [one(found, scope="family", metric="log_norm", treatment=t) for t in keys.TREATMENTS]
    pd.testing.assert_series_equal(
        same[0].drop("treatment"), same[1].drop("treatment"), check_names=False
    )
