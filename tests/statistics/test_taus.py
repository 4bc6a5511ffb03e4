"""Kendall's tau of resamples, without a family, and in parts."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.explained import PLAIN, QUICK, families, table_of
from scipy import stats

from atlas.statistics import explanations as statistics_explanations
from atlas.statistics import taus as statistics_taus
from atlas.statistics import traits as statistics_traits
from atlas.statistics.sample import Sample
from atlas.statistics.weighted import weighted_correlations
from atlas.terms.notes import Note


@pytest.mark.parametrize("centred", [False, True])
def test_resampled_taus_are_those_of_the_machinery(centred):
    rng = np.random.default_rng(3)
    stratum = np.repeat(np.arange(4), 5) if centred else np.zeros(20, int)
    values = rng.integers(0, 7, (3, 20)).astype(float)
    sample = Sample(values, stratum, np.arange(20), centred, 20)
    weights = (1 - np.eye(20)) * rng.integers(1, 4, (20, 20))
    found = statistics_taus.resampled_taus(sample, weights)
    expected = weighted_correlations(sample, weights, ((0, 2), (1, 2)))[:, 0]
    assert found == pytest.approx(expected, abs=1e-12)


def test_left_out_by_hand():
    x, tau = np.array([1.0, 2, 3, 4]), np.array([0.1, 0.4, 0.6, -0.9])
    sample = Sample(np.array([x, tau]), np.zeros(4, int), np.arange(4), False, 4)
    (row,) = statistics_explanations._related(sample, ["D"], QUICK, (*PLAIN, "q", "variant", "b"))
    by_hand = [stats.kendalltau(np.delete(x, u), np.delete(tau, u)).statistic for u in range(4)]
    assert (row["left_out_low"], row["left_out_high"]) == pytest.approx(
        (min(by_hand), max(by_hand))
    )
    assert row["left_out_high"] > 0.7 > row["kendall"]
    assert row["note"] == Note.NO_INTERVAL_SMALL_N and np.isfinite(row["kendall_p"])


def test_attributed_parts_average_to_kendalls_tau():
    rng = np.random.default_rng(14)
    table = statistics_traits.with_candidates(families(rng, [1.0, -1.0, 0.0], size=7), QUICK)
    within = statistics_explanations._attributed(table).groupby("family").mean()
    for name, members in table.groupby("family"):
        expected = stats.kendalltau(members["alpha"], members["quality"]).statistic
        assert within[name] == pytest.approx(expected)
    means = table.groupby("family")[["alpha", "quality"]].mean()
    expected = stats.kendalltau(means["alpha"], means["quality"]).statistic
    parts = statistics_explanations._attributed_to_families(table)
    assert parts.index.tolist() == means.index.tolist() and parts.mean() == pytest.approx(expected)


def test_a_family_weighs_by_its_units_and_not_by_its_seeds():
    rows = [  # family, variant, seed, alpha, quality
        ("f", "v", "0", 1.0, 9.0),
        ("f", "v", "1", 1.0, 9.0),
        ("f", "v", "2", 1.0, 9.0),
        ("f", "w", "0", 5.0, 1.0),  # f: 3, 5
        ("g", "v", "0", 2.0, 6.0),
        ("h", "v", "0", 4.0, 7.0),
    ]
    names = ("family", "variant", "seed", "alpha", "quality")
    table = table_of(dict(zip(names, zip(*rows, strict=True), strict=True)))
    found = statistics_explanations._attributed_to_families(
        statistics_traits.with_candidates(table, QUICK)
    )
    # f above g in alpha and below it in quality, below h in both; h above g in both.
    assert found.to_dict() == {"f": 0.0, "g": 0.0, "h": 1.0}


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
    found = statistics_explanations._attributed(statistics_traits.with_candidates(table, QUICK))
    # v: with both units of w -1 and +1, with x -1. w: its units -1 and +1 with v, -1 each with x.
    assert found["f"].to_dict() == pytest.approx({"v": -1 / 3, "w": (-1 + 0) / 2, "x": -1})
    assert statistics_explanations._attributed(
        statistics_traits.with_candidates(table.iloc[:3], QUICK)
    ).isna().all()  # fmt: skip
