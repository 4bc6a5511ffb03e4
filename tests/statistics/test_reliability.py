"""How much of metric and quality another seed would tell again."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from helpers.models import models, row
from helpers.options import options_with
from scipy import stats

from atlas.statistics.reliability import RELIABILITY, reliability
from atlas.terms.notes import Note

OPTIONS = options_with(metrics=("alpha",), primary_metrics=("alpha",))


def made(x: np.ndarray, y: np.ndarray, **labels: object) -> pd.DataFrame:
    """Models of families, variants and seeds: arrays (f, v, s)."""
    return models(
        [
            row(x[f, v, s], y[f, v, s], family=f"f{f}", variant=f"f{f}-{v}", seed=s, **labels)
            for f, v, s in np.ndindex(x.shape)
        ]
    )


def random(seed: int, *shape: int, noise: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    units = rng.normal(size=(2, shape[0], 1, 1)) + rng.normal(size=(2, *shape[:2], 1))
    return made(*(units + noise * rng.normal(size=(2, *shape))))


def trainings(seed: int, variants: int, settings: int) -> pd.DataFrame:
    """Variants of one family with the same recipes, two seeds each; alike effects of recipes."""
    rng = np.random.default_rng(seed)
    x, y = (
        rng.normal(size=(2, 1, settings, 1))
        + 0.5 * rng.normal(size=(2, variants, settings, 1))
        + 0.5 * rng.normal(size=(2, variants, settings, 2))
    )
    return models(
        [
            row(x[v, r, s], y[v, r, s], variant=f"v{v}", recipe=f"r{r}", seed=s)
            for v, r, s in np.ndindex(x.shape)
        ]
    )


def found(table: pd.DataFrame, question: str) -> pd.Series:
    one = table[table["comparison"] == question]
    assert len(one) == 1
    return one.iloc[0]


def test_it_is_that_of_an_analysis_of_variance_where_all_have_as_many_seeds():
    table = random(1, 1, 6, 3)
    result = found(reliability(table, OPTIONS), "b")
    for name, column in (("metric", "alpha"), ("quality", "quality")):
        groups = [group[column] for _, group in table.groupby("variant")]
        expected = 1 - 1 / stats.f_oneway(*groups).statistic
        assert result[f"{name}_reliability"] == pytest.approx(expected)
    assert tuple(result[["units", "groups", "replicated", "seeds"]]) == (6, 1, 6, 3)
    families = random(2, 6, 1, 3)
    groups = [group["alpha"] for _, group in families.groupby("family")]
    result = found(reliability(families, OPTIONS), "a")
    assert result["metric_reliability"] == pytest.approx(1 - 1 / stats.f_oneway(*groups).statistic)
    # Of one variant, recipes are what variants are of one family.
    recipes = table.assign(recipe=table["variant"], variant="v")
    result = found(reliability(recipes, OPTIONS), "c")
    assert result["metric_reliability"] == pytest.approx(
        found(reliability(table, OPTIONS), "b")["metric_reliability"]
    )
    assert (result["units"], result["groups"]) == (6, 1)


def test_numbers_of_seeds_and_variants_may_differ():
    # Variants of 2 and 1 seeds, of 2 and 2, and one of 1. Seeds of variance (0.5 + 0.5 + 2) / 3 = 1.
    rows = [
        *[row(x, x, family="f", variant="1", seed=s) for s, x in enumerate((0.0, 1.0))],
        row(4.5, 4.5, family="f", variant="2", seed=0),
        *[row(x, x, family="g", variant="1", seed=s) for s, x in enumerate((8.0, 10.0))],
        *[row(x, x, family="g", variant="2", seed=s) for s, x in enumerate((1.0, 2.0))],
        row(5.0, 5.0, family="h", variant="1", seed=0),
    ]
    table = reliability(models(rows), OPTIONS)
    # (b) 0.5 and 4.5: 8; 9 and 1.5: 28.125; two degrees of freedom.
    assert found(table, "b")["metric_reliability"] == pytest.approx(
        1 - ((0.5 + 1) / 2 + (0.5 + 0.5) / 2) / (8 + 28.125)
    )
    # (a) means of two variants, of two, and of one.
    expected = ((0.5 + 1) / 4 + (0.5 + 0.5) / 4 + 1) / 3
    total = np.var([2.5, 5.25, 5.0], ddof=1)
    assert found(table, "a")["metric_reliability"] == pytest.approx(1 - expected / total)
    assert found(table, "b")["seeds"] == 7 / 4
    assert found(table, "b")["replicated"] == 3


def test_the_correlation_is_spearmans_where_seeds_are_not_correlated():
    x = np.array([1.0, 2.0, 4.0, 3.0, 7.0])[None, :, None] + np.array([1, 1, -1, -1]) / 2
    y = np.array([5.0, 3.0, 2.0, 4.0, 1.0])[None, :, None] + np.array([1, -1, 1, -1]) / 2
    result = found(reliability(made(x, y), OPTIONS), "b")
    r = np.corrcoef(x.mean(axis=2)[0], y.mean(axis=2)[0])[0, 1]
    ceiling = math.sqrt(result["metric_reliability"] * result["quality_reliability"])
    assert result["pearson"] == pytest.approx(r)
    assert result["ceiling"] == pytest.approx(ceiling) and ceiling < 0.99
    assert result["pearson_corrected"] == pytest.approx(r / ceiling)


def test_the_covariance_of_seeds_is_taken_out():
    rng = np.random.default_rng(3)
    units, seeds = rng.normal(size=(2, 1, 400, 1)), rng.normal(size=(1, 400, 2))
    result = found(reliability(made(units[0] + seeds, units[1] + seeds), OPTIONS), "b")
    assert result["pearson"] > 0.25
    assert abs(result["pearson_corrected"]) < 0.15


def left_out(table: pd.DataFrame, question: str, codes: pd.Series) -> np.ndarray:
    """log(E / T) of the metric with each code left out."""
    return np.array(
        [
            math.log(
                1
                - found(reliability(table[codes != code], OPTIONS), question)["metric_reliability"]
            )
            for code in sorted(set(codes))
        ]
    )


def jackknifed(values: np.ndarray) -> float:
    return (len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum()


def check(result: pd.Series, variance: float, freedom: int) -> None:
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    centre = math.log(1 - result["metric_reliability"])
    expected = [1 - math.exp(centre + half), 1 - math.exp(centre - half)]
    ends = [result[f"metric_reliability_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx(expected)


def test_intervals_leave_out_families():
    table = random(4, 6, 3, 2)
    result = reliability(table, OPTIONS)
    check(found(result, "a"), jackknifed(left_out(table, "a", table["family"])), 5)
    check(found(result, "b"), jackknifed(left_out(table, "b", table["family"])), 5)


def test_intervals_leave_out_settings_and_variants_of_trainings():
    table = trainings(5, 5, 6)
    unit = table["variant"] + table["recipe"]
    by_recipe, by_variant, by_unit = (
        jackknifed(left_out(table, "c", codes))
        for codes in (table["recipe"], table["variant"], unit)
    )
    assert by_unit < max(by_recipe, by_variant)
    variance = max(by_recipe + by_variant - by_unit, by_recipe, by_variant)
    check(found(reliability(table, OPTIONS), "c"), variance, 4)


def test_settings_are_told_apart_by_factors_without_recipes():
    table = trainings(6, 3, 5)
    factors = table.assign(recipe="", factor_depth=table["recipe"])
    expected = found(reliability(table, OPTIONS), "c")
    pd.testing.assert_series_equal(
        found(reliability(factors, OPTIONS), "c"), expected, check_names=False
    )
    assert (expected["units"], expected["groups"], expected["replicated"]) == (15, 3, 15)


def test_order_and_units_of_measure_do_not_matter():
    table = random(7, 6, 3, 2)
    expected = reliability(table, OPTIONS)
    pd.testing.assert_frame_equal(
        reliability(table.sample(frac=1, random_state=1), OPTIONS), expected
    )
    other = table.assign(alpha=1e3 + 5 * table["alpha"], quality=2 * table["quality"] - 7)
    pd.testing.assert_frame_equal(reliability(other, OPTIONS), expected)


def test_the_gap_stands_beside_the_primary_quality_and_is_turned():
    table = random(8, 6, 3, 2)
    gap = table.assign(quality_metric="generalization_gap", quality=-table["quality"])
    error = table.assign(quality_metric="error")
    result = reliability(pd.concat([table, gap, error]), OPTIONS)
    assert set(result["quality_metric"]) == {"accuracy", "generalization_gap"}
    assert (result.groupby("comparison")["pearson"].nunique() == 1).all()


def test_what_cannot_be_answered_is_said():
    numbers = RELIABILITY[RELIABILITY.index("metric_reliability") : -1]
    table = random(9, 6, 3, 2)

    def notes(table, options=OPTIONS):
        result = reliability(table, options)
        assert result[numbers].isna().all(axis=None)
        assert len(result)
        return set(result["note"])

    assert notes(table[table["seed"] == 0]) == {Note.NO_REPLICATES}
    each = options_with(primary_metrics=("alpha",), seeds_are_replicates=False)
    assert Note.NO_REPLICATES in notes(table, each)
    assert notes(table.assign(alpha=1.0)) == {Note.METRIC_CONSTANT}
    assert notes(random(9, 2, 1, 2)) == {Note.TOO_FEW_UNITS}
    few = found(reliability(random(9, 3, 1, 2), OPTIONS), "a")
    assert few["note"] == Note.NO_INTERVAL_SMALL_N
    assert few["metric_reliability"] < 1 and np.isnan(few["metric_reliability_low"])


def test_what_differs_no_more_than_seeds_has_no_ceiling():
    x = np.tile([0.0, 1.0], (1, 6, 1)) + np.arange(6)[None, :, None] / 100
    y = np.tile([0.0, 1.0], (1, 6, 1)) + np.arange(6)[None, :, None]
    result = found(reliability(made(x, y), OPTIONS), "b")
    assert Note.NO_SPREAD_BEYOND_SEEDS in result["note"]
    assert result["metric_reliability"] < 0 < result["quality_reliability"] < 1
    assert np.isnan(result["ceiling"]) and np.isnan(result["pearson_corrected"])


@pytest.mark.parametrize(
    "table", [pd.DataFrame(), random(1, 1, 1, 3), random(1, 6, 1, 2).assign(collection="control")]
)
def test_without_a_question_the_table_is_empty(table):
    options = options_with(primary_metrics=("alpha",), controls={"control": "c"})
    result = reliability(table, options)
    assert list(result) == RELIABILITY and len(result) == 0
