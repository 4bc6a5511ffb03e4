"""Mixed models recover known effects inside groups and between them, and say what they cannot."""

import numpy as np
import pandas as pd
import pytest
from helpers.options import options_with

from atlas.statistics import mixed
from atlas.terms.notes import Note

OPTIONS = options_with(metrics=("alpha",), permutations=99, bootstrap=99)


def models(rng, within, between, groups=12, members=6, slope_sd=0.0, noise=0.3, **columns):
    """Models of one collection whose quality has these effects of alpha."""
    level = rng.normal(size=groups)
    family = np.repeat(np.arange(groups), members)
    inside = rng.normal(size=len(family))
    inside -= (np.bincount(family, inside) / members)[family]
    slopes = within + slope_sd * rng.normal(size=groups)
    quality = between * level[family] + slopes[family] * inside
    quality += 0.2 * rng.normal(size=groups)[family] + noise * rng.normal(size=len(family))
    names = [f"f{i:02d}" for i in family]
    table = {
        "model": [f"m{i:03d}" for i in range(len(family))],
        "collection": "c",
        "dataset": "d",
        "weightwatcher_version": "0.7.7",
        "family": names,
        "variant": [f"v{i:03d}" for i in range(len(family))],
        "recipe": "baseline",
        "seed": "",
        "quality_metric": "accuracy",
        "quality": quality,
        "parameters": 10 ** rng.uniform(5, 7, len(family)),
        "layers": rng.integers(5, 50, len(family)),
        "alpha": 3 + level[family] + inside,
    }
    return pd.DataFrame(table | columns)


def row(table, adjusted=False):
    chosen = table[(table["adjusted"] == adjusted) & (table["treatment"] == "dropped")]
    return chosen[chosen["comparison"] == "b"].iloc[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("adjusted", [False, True])
def test_opposite_effects_inside_and_between_families_are_found(adjusted):
    found = row(mixed.mixed(models(np.random.default_rng(1), -1.0, 1.0), OPTIONS), adjusted)
    assert found["within_high"] < 0 < found["between_low"]
    assert found["difference_low"] > 0 and found["difference_p"] < 0.01
    assert (found["n"], found["units"], found["groups"]) == (72, 72, 12)
    assert found["note"] == ""


@pytest.mark.filterwarnings("error")
def test_no_effect_is_found_as_often_as_the_level_says():
    rng = np.random.default_rng(2)
    p = [row(mixed.mixed(models(rng, 0, 0, 6, 4), OPTIONS))["within_p"] for _ in range(120)]
    assert np.mean(np.array(p) < 0.05) < 0.11
    assert np.mean(np.array(p) < 0.5) == pytest.approx(0.5, abs=0.15)


@pytest.mark.filterwarnings("error")
def test_intervals_cover_what_was_put_in():
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(60):
        table = models(rng, -0.5, 0.5, 10, 5, slope_sd=0.3)
        found = row(mixed.mixed(table, OPTIONS))
        # In the units of the data: SD of quality per SD of alpha.
        scale = table["alpha"].std() / table["quality"].std()
        covered.append(found["within_low"] <= -0.5 * scale <= found["within_high"])
    assert np.mean(covered) > 0.85


def test_slopes_that_differ_between_families_are_seen():
    steep = row(mixed.mixed(models(np.random.default_rng(4), -1, 0, slope_sd=1.0), OPTIONS))
    flat = row(mixed.mixed(models(np.random.default_rng(4), -1, 0, slope_sd=0.0), OPTIONS))
    assert steep["random_slopes"] and steep["slope_sd"] > 0.3
    assert flat["slope_sd"] < 0.2
    assert steep["within_high"] - steep["within_low"] > flat["within_high"] - flat["within_low"]


def test_within_is_about_the_slope_of_centred_data_where_slopes_are_equal():
    table = models(np.random.default_rng(5), -1, 0.5)
    found = row(mixed.mixed(table, OPTIONS))
    centred = table[["alpha", "quality"]] - table.groupby("family")[["alpha", "quality"]].transform(
        "mean"
    )
    slope = (centred["alpha"] * centred["quality"]).sum() / (centred["alpha"] ** 2).sum()
    scale = table["alpha"].std() / table["quality"].std()
    assert found["within"] == pytest.approx(slope * scale, rel=0.02)


def test_seeds_are_replicates():
    table = models(np.random.default_rng(6), -1, 0)
    twice = pd.concat([table.assign(seed="0"), table.assign(seed="1")], ignore_index=True)
    twice["model"] = twice["model"] + "-" + twice["seed"]
    once, both = row(mixed.mixed(table, OPTIONS)), row(mixed.mixed(twice, OPTIONS))
    assert both["n"] == 144 and both["units"] == 72
    assert both["within"] == pytest.approx(once["within"])
    assert both["within_p"] == pytest.approx(once["within_p"])


def test_size_that_is_collinear_is_left_out_and_named():
    table = models(np.random.default_rng(7), -1, 0, parameters=1e6)
    found = row(mixed.mixed(table, OPTIONS), adjusted=True)
    assert found["note"] == Note.NOT_HELD_FIXED.of("size") and np.isfinite(found["within"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda t: t[t["family"] < "f03"], Note.TOO_FEW_FOR_MIXED_MODEL),
        (lambda t: t.assign(quality=70.0), Note.QUALITY_CONSTANT),
        (lambda t: t.assign(alpha=3.0), Note.METRIC_CONSTANT),
        (lambda t: t.assign(alpha=np.nan), Note.TOO_FEW_FOR_MIXED_MODEL),
        (
            lambda t: t.assign(alpha=t.groupby("family")["alpha"].transform("mean")),
            Note.NOT_WITHIN_AND_BETWEEN,
        ),
    ],
)
def test_what_cannot_be_fitted_says_why(change, note):
    found = row(mixed.mixed(change(models(np.random.default_rng(8), 0, 0)), OPTIONS))
    assert found["note"] == note and np.isnan(found["within"])


def test_the_order_of_rows_means_nothing():
    table = models(np.random.default_rng(9), -1, 1)
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(mixed.mixed(table, OPTIONS), mixed.mixed(shuffled, OPTIONS))
