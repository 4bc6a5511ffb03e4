"""Values that no scale holds, and the tables that meet them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.explained import ROUGH, families
from helpers.options import options_with
from scipy import stats

from atlas.statistics.alternatives import alternatives
from atlas.statistics.explanations import explanations
from atlas.statistics.extremes import REACH, within_reach
from atlas.statistics.prediction import prediction
from atlas.statistics.shape import shape
from atlas.statistics.traits import traits

HUGE = (1e160, 1e300, -1e300, 1.7e308)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("huge", HUGE)
def test_what_is_far_off_is_moved_and_nothing_else(huge):
    values = np.array([1.0, 2.0, np.nan, 3.0, 4.0, huge, 5.0])
    found = within_reach(values)
    assert np.array_equal(np.delete(found, 5), np.delete(values, 5), equal_nan=True)
    middle = 3.5 if huge > 0 else 2.5  # of six values, which are 1.5 from it typically
    assert found[5] == pytest.approx(middle + np.sign(huge) * REACH * 1.5)
    assert np.isfinite(within_reach(np.array([huge, -huge, huge]))).all()


def test_zeros_and_noise_are_no_typical_deviation():
    share = np.array([0.0] * 9 + [0.3, 0.9])
    assert np.array_equal(within_reach(share), share)
    nearly = np.array([3.0, 3.0, 3 + 1e-15, 3 - 1e-15, 5.0])
    assert np.array_equal(within_reach(nearly), nearly)
    assert np.array_equal(within_reach(np.full(3, 4.0)), np.full(3, 4.0))
    assert len(within_reach(np.array([]))) == 0
    both = np.column_stack([share, share * 1e300])
    assert np.array_equal(within_reach(both), both)
    assert np.isnan(within_reach(np.array([np.inf, 1.0]))).tolist() == [True, False]


def related(huge: float = 0.0) -> pd.DataFrame:
    """Six families of six in which alpha orders the qualities; one alpha of all may be huge."""
    rng = np.random.default_rng(3)
    table = families(rng, [-1.0] * 6, noise=0.2)
    table["parameters"] = 10 ** rng.uniform(5, 8, len(table))
    for name in ("hill", "alpha_shuffled", "alpha_sd", "N_median"):
        table[name] = table["alpha"] + 0.3 * rng.normal(size=len(table))
    if huge:
        table.loc[7, ["alpha", "hill", "alpha_shuffled", "alpha_sd"]] = huge
    return table


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("huge", HUGE)
def test_one_huge_alpha_does_not_spoil_the_prediction_of_all_others(huge):
    metrics = ("alpha", "hill") if huge == 1e300 else ()  # forests take long
    options = options_with(metrics=metrics, permutations=99, bootstrap=9)
    found, plain = (
        prediction(table, options).set_index("predictor") for table in (related(huge), related())
    )
    fitted = found[
        ~found.index.str.contains("sign|weighted" if metrics else "sign|weighted|forest")
    ]
    assert len(fitted) == (5 if metrics else 3)
    assert np.isfinite(fitted[["r2", "rmse"]].to_numpy()).all()
    for name in set(found.index) - {"size"}:
        # One model of 36 is in 5 of the 90 pairs inside families.
        share = found.loc[name, "concordance_within"]
        assert not share < plain.loc[name, "concordance_within"] - 0.15
    assert found.loc["alpha", "concordance_within_p"] == pytest.approx(2 / 100)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("huge", HUGE)
def test_no_other_table_overflows_or_loses_the_other_models(huge):
    table = related(huge)
    given = table.drop_duplicates("family").assign(
        comparison="b", scope="family", variant="", metric="alpha", treatment="dropped"
    )
    given = given.assign(kendall=np.linspace(-0.9, -0.1, 6))
    found = {
        "alternatives": alternatives(table, ROUGH),
        "shape": shape(table, ROUGH),
        "traits": traits(table, given, ROUGH),
        "explanations": explanations(table, given, ROUGH),
    }
    for name, rows in found.items():
        numbers = rows.select_dtypes("number").to_numpy(float)
        assert np.nanmax(np.abs(numbers)) < 1e9, name
    inside = found["alternatives"].query("comparison == 'b' and metric == 'hill'").iloc[0]
    plain = alternatives(related(), ROUGH).query("comparison == 'b' and metric == 'hill'").iloc[0]
    # The huge value moves the mean of its family, so that pairs with the other five of it count.
    assert inside["kendall"] < 0.5 * plain["kendall"] and np.isfinite(inside["difference_low"])
    labels = "candidate == 'alpha_sd' and level == 'family' and comparison == 'b'"
    means = (
        table["alpha_sd"]
        .where(table["alpha_sd"] != huge, np.sign(huge) * 1e3)
        .groupby(table["family"])
        .mean()
    )
    expected = stats.kendalltau(means, given["kendall"]).statistic
    assert found["explanations"].query(labels)["kendall"].iloc[0] == pytest.approx(expected)
