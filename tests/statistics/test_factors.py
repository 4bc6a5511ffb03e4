"""Factorial designs: taus of single factors, information given factors, the worst sign error."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from helpers.models import models, row
from helpers.options import options_with
from statsmodels.stats.proportion import proportion_confint

from atlas.statistics import factors as statistics_factors
from atlas.statistics.factors import FACTORS, factors, make_grid
from atlas.statistics.models import prepare
from atlas.statistics.settings import with_settings
from atlas.terms.notes import Note

OPTIONS = options_with(metrics=("alpha",), primary_metrics=("alpha",), permutations=199)
SETTINGS = [{"p": p, "q": q} for p in "ab" for q in "12"]
NUMBERS = ["kendall", "sign_error", "information"]


def design(
    values: dict[str, list[tuple[float, float]]], settings: list[dict[str, str]] = SETTINGS
) -> pd.DataFrame:
    """Models of variants, each with alpha and quality of every setting."""
    return models(
        [
            row(x, y, variant=variant, **{f"factor_{name}": level for name, level in s.items()})
            for variant, pairs in values.items()
            for s, (x, y) in zip(settings, pairs, strict=True)
        ]
    )


def random_design(
    seed: int, variants: int = 3, levels: tuple[str, ...] = ("ab", "12", "xyz"), digits: int = 6
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    settings = [dict(zip("pqr", each, strict=True)) for each in itertools.product(*levels)]
    shape = variants, len(settings)
    x, y = np.round(rng.normal(size=(2, 1, shape[1])) + 0.5 * rng.normal(size=(2, *shape)), digits)
    return design({f"v{v}": list(zip(x[v], y[v], strict=True)) for v in range(variants)}, settings)


def found(table: pd.DataFrame, factor: str = "", metric: str = "alpha") -> pd.Series:
    one = table[(table["factor"] == factor) & (table["metric"] == metric)]
    assert len(one) == 1
    return one.iloc[0]


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    """What does not depend on the names of levels."""
    return table.drop(columns="sign_error_at").query("metric == 'alpha'").reset_index(drop=True)


HAND = design({"v": [(1.0, 10.0), (2.0, 9.0), (3.0, 8.0), (4.0, 8.5)]})


def test_an_example_by_hand():
    table = factors(HAND, OPTIONS)
    p, q, both = (found(table, factor) for factor in ("p", "q", ""))
    assert (p["kendall"], q["kendall"], both["kendall"]) == (-1, 0, -0.5)
    assert (p["pairs"], q["pairs"], both["pairs"]) == (2, 2, 4)
    assert (both["settings"], both["variants"], both["contexts"]) == (4, 1, 4)
    assert (p["sign_error"], q["sign_error"], both["sign_error"]) == (0, 0.5, 0.5)
    assert (p["sign_error_at"], both["sign_error_at"]) == ("p: a, b", "q: 1, 2")
    # One of all six pairs agrees; given one factor, each pair is alone and tells all.
    entropy = -(math.log2(1 / 6) / 6 + math.log2(5 / 6) * 5 / 6)
    assert both["information"] == pytest.approx(1 - entropy, rel=1e-6)
    assert both["information_given"] == ""
    assert np.isnan(p["information"]) and np.isnan(p["kendall_p_factors"])
    assert both["kendall_p_factors"] == 1  # of taus -1 and 0, all signs give the same mean's size
    assert (both["permutations"], both["exact"]) == (24, True)
    assert Note.TOO_FEW_SETTINGS in both["note"]


def by_hand(
    table: pd.DataFrame, names: list[str]
) -> tuple[dict[str, float], dict[tuple[str, str, str], float], float]:
    """Tau of each factor, error of each environment, information: by loops over pairs."""
    signs: dict[object, list[float]] = {}
    groups: dict[tuple[str, ...], dict[object, list[tuple[float, float]]]] = {}
    for _, variant in table.groupby("variant"):
        for (_, a), (_, b) in itertools.combinations(variant.iterrows(), 2):
            sx, sy = np.sign(a["alpha"] - b["alpha"]), np.sign(a["quality"] - b["quality"])
            differ = [n for n in names if a[f"factor_{n}"] != b[f"factor_{n}"]]
            if len(differ) == 1:
                ends = sorted([a[f"factor_{differ[0]}"], b[f"factor_{differ[0]}"]])
                if "" not in ends:
                    signs.setdefault(differ[0], []).append(sx * sy)
                    signs.setdefault((differ[0], *ends), []).append(sx * sy)
            for size in range(3):
                for chosen in itertools.combinations(names, size):
                    if not set(chosen) & set(differ):
                        key = tuple(a[f"factor_{n}"] for n in chosen)
                        groups.setdefault(chosen, {}).setdefault(key, []).append((sx, sy))
    taus = {name: float(np.mean(signs[name])) for name in names if name in signs}
    errors = {k: (1 + float(np.mean(v))) / 2 for k, v in signs.items() if isinstance(k, tuple)}
    information = []
    for by_key in groups.values():
        told = total = 0.0
        for pairs in by_key.values():
            both = [
                pair for order in (1, -1) for pair in [(order * x, order * y) for x, y in pairs]
            ]
            both = [pair for pair in both if pair[1] != 0]
            total += len(both)
            for sx, sy in both:  # the information of each pair, from the joint frequencies
                joint = both.count((sx, sy)) / len(both)
                x = sum(pair[0] == sx for pair in both) / len(both)
                y = sum(pair[1] == sy for pair in both) / len(both)
                told += math.log2(joint / x / y)
        information.append(told / total if total else 0.0)
    return taus, errors, min(information)


@pytest.mark.parametrize("digits", [6, 0])
def test_measures_are_those_of_loops_over_pairs_with_ties_and_blanks_too(digits):
    table = random_design(digits, digits=digits)
    table.loc[[1, 14, 20], "factor_r"] = ""
    table = table.drop(index=[3, 25])
    taus, errors, information = by_hand(table, ["p", "q", "r"])
    result = factors(table, OPTIONS)
    for name, tau in taus.items():
        assert found(result, name)["kendall"] == pytest.approx(tau, abs=1e-6)
        worst = max(error for key, error in errors.items() if key[0] == name)
        assert found(result, name)["sign_error"] == pytest.approx(worst, abs=1e-6)
    both = found(result)
    assert both["kendall"] == pytest.approx(np.mean(list(taus.values())), abs=1e-6)
    assert both["sign_error"] == pytest.approx(max(errors.values()), abs=1e-6)
    assert both["environments"] == len(errors)
    assert both["information"] == pytest.approx(information, abs=1e-6)


def test_p_values_exchange_whole_settings_in_all_variants_at_once():
    table = random_design(5, variants=2, levels=("ab", "12", "x"))
    quality = table["quality"].to_numpy().reshape(2, 4)
    null = []
    for order in itertools.permutations(range(4)):
        shuffled = table.assign(quality=quality[:, order].ravel())
        taus, errors, information = by_hand(shuffled, ["p", "q", "r"])
        null.append((abs(np.mean(list(taus.values()))), 1 - max(errors.values()), information))
    expected = (np.array(null) >= np.array(null[0]) - 1e-9).mean(axis=0)
    both = found(factors(table, OPTIONS))
    assert list(both[["kendall_p", "sign_error_p", "information_p"]]) == pytest.approx(expected)


def test_signs_of_whole_factors_are_flipped():
    assert statistics_factors._flipped_p(np.array([-1.0, -0.5])) == 0.5
    assert statistics_factors._flipped_p(-np.ones(6)) == 2 / 64
    assert math.isnan(statistics_factors._flipped_p(np.ones(16)))


def test_intervals_count_pairs_that_share_a_setting_or_a_variant(monkeypatch):
    table = random_design(8, variants=4)
    prepared, names = with_settings(prepare(table))
    grid = make_grid(prepared, names, OPTIONS)
    x = grid.design.average(prepared["alpha"].to_numpy())
    y = grid.design.average(prepared["oriented"].to_numpy())
    first, second = grid.design.first, grid.design.second
    agree = np.sign(x[first] - x[second]) * np.sign(y[first] - y[second])
    own = np.flatnonzero(grid.factor == 2)
    values = (1 + agree[own]) / 2
    parts = (values - values.mean()) / len(own)
    pairs = [
        (
            {grid.design.recipe[first[i]], grid.design.recipe[second[i]]},
            grid.design.variant[first[i]],
        )
        for i in own
    ]
    by_setting = by_variant = by_both = 0.0
    for (one, v), a in zip(pairs, parts, strict=True):
        for (other, w), b in zip(pairs, parts, strict=True):
            by_setting += a * b * bool(one & other) * 4 / 3  # 4 contexts, 4 variants
            by_variant += a * b * (v == w) * 4 / 3
            by_both += a * b * bool(one & other) * (v == w) * 4 / 3
    variance = max(by_setting + by_variant - by_both, by_setting, by_variant)
    assert math.isnan(statistics_factors._interval(grid, grid.factor == 2, agree, 0.95)[0])
    monkeypatch.setattr(statistics_factors, "CONTEXTS_FROM", 4)
    low, high = statistics_factors._interval(grid, grid.factor == 2, agree, 0.95)
    mean = values.mean()
    number = min(mean * (1 - mean) / variance, len(own))
    quantile = 3.182446305284263  # t of 3 degrees of freedom
    assert (low, high) == pytest.approx(statistics_factors._wilson(mean, number, quantile))


def test_wilsons_interval():
    expected = proportion_confint(3, 12, 0.05, "wilson")
    assert statistics_factors._wilson(0.25, 12, 1.959963984540054) == pytest.approx(expected)
    assert statistics_factors._wilson(0.0, 12, 2.0)[0] == 0
    assert statistics_factors._wilson(0.0, 12, 2.0)[1] > 0.2


def test_the_worst_error_has_the_ends_of_the_worst_environments():
    both = found(factors(random_design(1, variants=6, levels=("abc", "123", "xyz")), OPTIONS))
    assert both["sign_error_low"] < both["sign_error"] < both["sign_error_high"]
    assert both["kendall_low"] < both["kendall"] < both["kendall_high"]
    assert both["note"] == ""


def test_neither_the_order_of_rows_nor_names_of_levels_matter():
    # Four settings are few enough for all exchanges: random ones depend on the order of names.
    table = random_design(2, levels=("ab", "12", "x"))
    expected = factors(table, OPTIONS)
    pd.testing.assert_frame_equal(factors(table.sample(frac=1, random_state=1), OPTIONS), expected)
    names = {"a": "z, 1", "b": "1"}
    renamed = table.assign(factor_p=table["factor_p"].map(names))
    pd.testing.assert_frame_equal(numbers(factors(renamed, OPTIONS)), numbers(expected))
    more = table.assign(alpha=np.exp(table["alpha"]), quality=3 * table["quality"] - 1)
    pd.testing.assert_frame_equal(numbers(factors(more, OPTIONS)), numbers(expected))


def test_a_metric_turned_around_turns_taus_around():
    table = random_design(3)
    one, other = (found(factors(t, OPTIONS)) for t in (table, table.assign(alpha=-table["alpha"])))
    assert other["kendall"] == pytest.approx(-one["kendall"])
    assert other["kendall_p"] == one["kendall_p"]
    assert (other["kendall_low"], other["kendall_high"]) == pytest.approx(
        (-one["kendall_high"], -one["kendall_low"])
    )
    assert other["information"] == pytest.approx(one["information"])


def test_the_gap_stands_beside_the_primary_quality_and_is_turned():
    gap = HAND.assign(quality_metric="generalization_gap", quality=100 - HAND["quality"])
    table = factors(pd.concat([HAND, gap, HAND.assign(quality_metric="error")]), OPTIONS)
    assert set(table["quality_metric"]) == {"accuracy", "generalization_gap"}
    assert (table[table["metric"] == "alpha"].groupby("factor")["kendall"].nunique() == 1).all()


def test_seeds_are_averaged_first():
    more = [HAND.assign(alpha=HAND["alpha"] + d, quality=HAND["quality"] - d) for d in (-9, 9)]
    table = pd.concat(more, ignore_index=True).assign(model=[f"m{i}" for i in range(8)])
    pd.testing.assert_frame_equal(numbers(factors(table, OPTIONS)), numbers(factors(HAND, OPTIONS)))


def test_a_blank_level_is_no_end_of_a_pair():
    table = HAND.assign(factor_p=["a", "a", "", ""])
    result = factors(table, OPTIONS)
    assert found(result, "p")["note"] == Note.NO_PAIRS
    assert found(result, "q")["pairs"] == 2
    assert found(result)["kendall"] == found(result, "q")["kendall"]


def test_recipes_that_no_factor_tells_apart_are_a_factor():
    table = pd.concat([HAND.assign(recipe="x"), HAND.assign(recipe="y", alpha=-HAND["alpha"])])
    table["model"] = [f"m{i}" for i in range(8)]
    assert set(factors(table, OPTIONS)["factor"]) == {"", "p", "q", "recipe"}
    named = HAND.assign(recipe=["a1", "a2", "b1", "b2"])
    assert set(factors(named, OPTIONS)["factor"]) == {"", "p", "q"}


def test_random_numbers_have_no_relation():
    ps = [
        found(factors(random_design(seed, variants=1), options_with(
            primary_metrics=("alpha",), permutations=99, seed=seed
        )), metric="random")["kendall_p"]
        for seed in range(30)
    ]  # fmt: skip
    assert np.mean(np.array(ps) <= 0.05) < 0.2
    assert 0.3 < np.mean(ps) < 0.7


def test_what_cannot_be_answered_is_said():
    assert (factors(HAND.assign(alpha=1.0), OPTIONS).query("metric == 'alpha'")["note"]
            == Note.METRIC_CONSTANT_WITHIN_VARIANTS).all()  # fmt: skip
    same = factors(HAND.assign(quality=1.0), OPTIONS)
    assert (same["note"] == Note.QUALITY_CONSTANT_WITHIN_VARIANTS).all()
    assert same[NUMBERS].isna().all(axis=None)
    alone = factors(HAND.iloc[:1], OPTIONS)
    assert (alone["note"] == Note.NO_PAIRS).all()
    missing = factors(HAND.assign(alpha=np.nan), OPTIONS).query("metric == 'alpha'")
    assert (missing["note"] == Note.NO_PAIRS).all()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(),
        HAND.drop(columns=["factor_p", "factor_q"]),
        HAND.assign(factor_p="", factor_q=np.nan),
        HAND.assign(variant=""),
        HAND.assign(collection="untrained"),
    ],
)
def test_without_factors_the_table_is_empty(table):
    options = options_with(primary_metrics=("alpha",), controls={"untrained": "c"})
    result = factors(table, options)
    assert list(result) == FACTORS and len(result) == 0
