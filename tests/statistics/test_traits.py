"""Traits of a family's layers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.explained import QUICK, edge, one, table_of

from atlas.statistics import traits as statistics_traits
from atlas.statistics.correlations import correlations
from atlas.statistics.models import prepare
from atlas.statistics.traits import traits
from atlas.terms import keys as terms_keys


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


def test_every_number_is_a_column_of_traits():
    assert set(statistics_traits.NUMBERS) <= set(statistics_traits.TRAITS_TABLE)


def test_size_is_the_logarithm_of_the_parameters():
    assert prepare(edge(3, 1))[terms_keys.SIZE].tolist() == [6, 6, 6]
