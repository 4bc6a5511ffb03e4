"""How much of alpha the null of a layer's shape has."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from helpers.explained import QUICK, one, table_of, zoo
from helpers.options import options_with
from scipy import stats

from atlas.statistics import shape as statistics_shape
from atlas.statistics.shape import shape
from atlas.terms.notes import Note


def test_the_share_of_the_null_is_recovered():
    """Alpha is 1 + 0.5 null + noise of as much variance: r2 is a half."""
    rng = np.random.default_rng(9)
    null = rng.normal(10, 2, 1000) + np.repeat(rng.normal(0, 2, 50), 20)
    noise = 0.5 * math.sqrt(8) * rng.normal(size=1000)
    table = table_of({"alpha": 1 + 0.5 * null + noise, "quality": np.nan, "alpha_shuffled": null})
    table["family"] = np.repeat([f"f{i:02d}" for i in range(50)], 20)
    found = shape(table, options_with(permutations=99, bootstrap=99))
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
    found = shape(table, options_with(permutations=99, bootstrap=99)).set_index("level")[
        "reliability"
    ]

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
    options = options_with(permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"})
    found = shape(table, options)
    assert found.groupby("collection")["n"].agg(list).to_dict() == {
        name: [3, 9, 9] * 2 for name in ("zoo", "zoo-untrained")
    }
    assert not found["note"].str.contains(Note.RECIPES_MIXED).any()
