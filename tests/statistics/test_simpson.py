"""A correlation over all families of another sign than within them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, one, several
from helpers.simulated import FAST, paradox, tau

from atlas.statistics.correlations import correlations
from atlas.statistics.simpson import simpson
from atlas.terms.notes import Note


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
    found = one(simpson(table, QUICK))
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
    found = one(simpson(several(families), QUICK))
    assert found["kendall_within"] == pytest.approx(0) and found["kendall_pooled"] < -0.4
    assert found["difference_high"] - found["difference_low"] > 1
    assert not found["claimed"]


def test_simpson_is_not_claimed_without_a_difference():
    claims = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        families = {f"f{i}": rng.normal(size=(2, 8)) for i in range(8)}
        claims.append(one(simpson(several(families), QUICK))["claimed"])
    assert sum(claims) <= 3
    few = one(simpson(several({f"f{i}": rng.normal(size=(2, 8)) for i in range(3)}), QUICK))
    assert not few["claimed"] and few["note"] == Note.TOO_FEW_FAMILY_CORRELATIONS


def test_the_paradox_is_measured():
    """Pairs of one family count in the pooled tau, too: 7 of the 95 partners of a model."""
    options = replace(FAST, bootstrap=99)
    truth = (1 - 7 / 95) * (tau(-0.6) - tau(0.6))
    rows = []
    for seed in range(40):
        table = paradox(np.random.default_rng(seed), 0.6, -0.6)
        rows.append(one(simpson(table, replace(options, seed=seed))))
    difference = np.array([row["difference"] for row in rows])
    assert difference.mean() == pytest.approx(truth, abs=4 * difference.std() / math.sqrt(40))
    held = [row["difference_low"] <= truth <= row["difference_high"] for row in rows]
    assert np.mean(held) >= 0.85
    assert np.mean([row["claimed"] for row in rows]) > 0.9
    assert np.mean([row["reversed"] for row in rows]) > 0.9


def test_a_difference_of_the_same_sign_is_no_paradox():
    row = one(simpson(paradox(np.random.default_rng(0), -0.95, -0.35, families=20), FAST))
    assert row["kendall_within"] < row["kendall_pooled"] < 0
    assert row["claimed"] and not row["reversed"]
