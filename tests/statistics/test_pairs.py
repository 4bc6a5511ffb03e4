"""Pairs of models of one variant: hand-computed answers, honest p values and intervals, bad input."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.options import options_with

from atlas.statistics import pairs as statistics_pairs
from atlas.statistics.models import prepare
from atlas.statistics.options import Options
from atlas.statistics.pairs import PAIRS, pairs
from atlas.statistics.permutation import EXACT_LIMIT
from atlas.terms.notes import Note, join, notes_of

QUICK = options_with(metrics=("alpha",), permutations=299, bootstrap=299)


def row(alpha: float, quality: float, **labels: object) -> dict[str, object]:
    """One row of models.csv."""
    defaults = {
        "collection": "c",
        "family": "f",
        "variant": "v",
        "recipe": "",
        "seed": None,
        "dataset": "d",
        "quality_metric": "accuracy",
        "parameters": 1e6,
        "weightwatcher_version": "0.7.7",
    }
    return defaults | {"alpha": alpha, "quality": quality} | labels


def table_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if "model" not in table:
        table["model"] = [f"m{i:04d}" for i in range(len(table))]
    return table


def grid(alpha: object, quality: object, **labels: object) -> pd.DataFrame:
    """Models of variants x recipes, from arrays of that shape."""
    return table_of(
        [
            row(a, q, variant=f"v{v}", recipe=f"r{r}", **labels)
            for v, (x, y) in enumerate(zip(alpha, quality, strict=True))
            for r, (a, q) in enumerate(zip(x, y, strict=True))
        ]
    )


def one(table: pd.DataFrame, **labels: object) -> pd.Series:
    """The only row with these labels (alpha, dropped, all families unless given)."""
    defaults = {"metric": "alpha", "treatment": "dropped", "family": ""}
    for name, value in (defaults | labels).items():
        table = table[table[name] == value]
    assert len(table) == 1, f"{len(table)} rows"
    return table.iloc[0]


def answer(models: pd.DataFrame, options: Options = QUICK, **labels: object) -> pd.Series:
    return one(pairs(models, options), **labels)


def design_of(models: pd.DataFrame, options: Options = QUICK) -> statistics_pairs.Design:
    return statistics_pairs.make_design(prepare(models), options)


# --- estimates ------------------------------------------------------------------------------


def test_concordance_and_gain_by_hand():
    """Pairs (alpha, accuracy): one agrees, one disagrees, one ties in alpha, one in accuracy."""
    table = grid([[1, 2, 2], [3, 3.5, np.nan]], [[70, 60, 75], [50, 50, 99]])
    found = answer(table)
    assert (found["pairs"], found["variants"], found["recipes"]) == (4, 2, 3)
    assert found["concordance"] == (1 + 0 + 0.5 + 0.5) / 4
    assert found["gain"] == ((70 - 60) / 2 + (70 - 75) / 2 + 0 + 0) / 4


def test_perfect_order():
    alpha = np.array([[1, 2, 3, 4, 5], [11, 12, 13, 14, 15]])
    quality = np.array([[80, 78, 74, 73, 70], [60, 59, 58, 50, 40]])
    found = answer(grid(alpha, quality))
    differences = [y[i] - y[j] for y in quality for i, j in itertools.combinations(range(5), 2)]
    assert found["pairs"] == 20
    assert found["concordance"] == 1
    assert found["gain"] == pytest.approx(np.mean(differences) / 2)
    assert found["concordance_p"] == 2 / math.factorial(5)
    assert math.isnan(found["concordance_low"]), "no resample differs from 1"
    assert found["note"] == Note.RESAMPLES_DO_NOT_VARY.of("concordance")
    assert 0 < found["gain_low"] < found["gain"] < found["gain_high"]

    assert answer(grid(-alpha, quality))["concordance"] == 0
    assert answer(grid(-alpha, quality))["gain"] == -found["gain"]


@pytest.mark.parametrize("quality_metric", ["error", "generalization_gap", "perplexity"])
def test_gain_is_an_improvement_where_lower_is_better(quality_metric):
    found = answer(grid([[1, 2]], [[20, 30]], quality_metric=quality_metric))
    assert (found["concordance"], found["gain"]) == (1, 5)


def test_pairs_stay_inside_variants():
    """Every variant has the smaller alpha worse, though over all variants small alphas are best."""
    table = grid([[1, 2], [3, 4], [5, 6]], [[90, 91], [70, 71], [50, 51]])
    table.loc[table["variant"] == "v2", "family"] = "g"
    found = pairs(table, QUICK)
    assert one(found)["concordance"] == 0
    assert (one(found)["pairs"], one(found)["variants"]) == (3, 3)
    assert one(found, family="f")["pairs"] == 2
    assert one(found, family="g")["pairs"] == 1
    assert one(found)["gain"] == -0.5


def test_variants_of_the_same_name_in_two_families_are_two():
    table = pd.concat([grid([[1, 2]], [[1, 2]], family=f).assign(model=[f, f * 2]) for f in "fg"])
    found = answer(table)
    assert (found["pairs"], found["variants"]) == (2, 2)


def test_rounding_noise_is_a_tie():
    found = answer(grid([[0.1 + 0.2, 0.3, 1.0]], [[50, 60, 70]]))
    assert found["concordance"] == 0.5 / 3


# --- seeds and recipes ------------------------------------------------------------------------


def seeded() -> pd.DataFrame:
    """Two recipes; their means disagree with three of the four pairs of seeds."""
    values = {("a", 0): (1, 10), ("a", 1): (4, 70), ("b", 0): (2, 30), ("b", 1): (2, 20)}
    return table_of([row(*v, recipe=r, seed=s) for (r, s), v in values.items()])


def test_seeds_are_averaged():
    found = answer(seeded())  # a: (2.5, 40), b: (2, 25)
    assert (found["pairs"], found["recipes"]) == (1, 2)
    assert (found["concordance"], found["gain"]) == (0, -7.5)

    apart = options_with(
        metrics=("alpha",), permutations=99, bootstrap=99, seeds_are_replicates=False
    )
    found = answer(seeded(), apart)
    assert (found["pairs"], found["recipes"]) == (6, 2)
    assert found["concordance"] == 0.5 / 6  # b against b ties in alpha, all others disagree


def test_seeds_are_averaged_over_complete_models():
    table = seeded()
    table.loc[1, "alpha"] = np.nan
    assert answer(table)["gain"] == (10 - 25) / 2


def test_seeds_of_a_single_recipe_are_compared():
    table = table_of([row(a, 80 - a, recipe="baseline", seed=a) for a in range(5)])
    found = answer(table)
    assert (found["pairs"], found["recipes"], found["concordance"]) == (10, 5, 1)
    assert found["permutations"] == math.factorial(5)


def test_models_without_a_recipe_are_recipes_of_their_own():
    table = table_of([row(a, a, variant=v) for v in "xy" for a in (1, 2, 3)])
    found = answer(table)
    assert (found["pairs"], found["recipes"]) == (6, 6)
    assert found["permutations"] == 6 * 6, "nothing in common: permuted inside each variant"
    assert found["concordance_p"] == 2 / 36


# --- p values -------------------------------------------------------------------------------


def test_exact_p_is_that_of_all_joint_exchanges():
    rng = np.random.default_rng(3)
    alpha, quality = rng.normal(size=(2, 3, 4))
    found = answer(grid(alpha, quality))

    def score(order):
        pairs = [(v, i, j) for v in range(3) for i, j in itertools.combinations(range(4), 2)]
        y = quality[:, order]
        return np.mean([(alpha[v, i] - alpha[v, j]) * (y[v, i] - y[v, j]) < 0 for v, i, j in pairs])

    null = [abs(score(list(order)) - 0.5) for order in itertools.permutations(range(4))]
    observed = abs(score([0, 1, 2, 3]) - 0.5)
    assert found["exact"] and found["permutations"] == 24
    assert found["concordance_p"] == np.mean(np.array(null) >= observed - 1e-12)


def test_exchanges_keep_what_recipes_do_to_variants_in_common():
    """r0 to r3 are in both variants, r4 and r5 in the first alone, r6 in the second alone."""
    table = grid(np.ones((2, 7)), np.ones((2, 7)))
    drop = ((table["variant"] == "v0") & (table["recipe"] == "r6")) | (
        (table["variant"] == "v1") & table["recipe"].isin(["r4", "r5"])
    )
    design = design_of(table[~drop])
    indices, exact = statistics_pairs.recipe_exchanges(design, 99, 0)
    assert exact
    assert len({tuple(i) for i in indices}) == len(indices) == math.factorial(4) * 2
    assert (design.variant[indices] == design.variant).all()
    received = design.recipe[indices]
    first, second = ({0, 1, 2, 3} for _ in range(2))
    for taken in received:
        moved = [
            dict(zip(design.recipe[here], taken[here], strict=True)) for here in variants(design)
        ]
        assert all(moved[0][r] == moved[1][r] for r in first & second)
        assert moved[1][6] == 6
        assert {moved[0][4], moved[0][5]} == {4, 5}


def variants(design: statistics_pairs.Design) -> list[np.ndarray]:
    return [np.flatnonzero(design.variant == code) for code in np.unique(design.variant)]


def test_more_than_8_recipes_are_exchanged_at_random():
    rng = np.random.default_rng(5)
    alpha = rng.normal(size=(2, 9))
    found = answer(grid(alpha, -alpha))
    assert not found["exact"] and math.factorial(9) > EXACT_LIMIT
    assert found["permutations"] == QUICK.permutations
    assert found["concordance_p"] == 1 / (QUICK.permutations + 1)


def test_too_few_rearrangements_are_named():
    found = answer(grid([[1, 2, 3]], [[3, 2, 1]]))
    assert found["concordance_p"] == 2 / 6
    assert Note.TOO_FEW_REARRANGEMENTS in notes_of(found["note"])


def studies(
    count: int, shape: tuple[int, int], options: Options, seed: int, missing: bool = False
) -> pd.DataFrame:
    """Estimates of studies without an effect, variants x recipes, the first model maybe missing.

    Recipes act on the metric of all variants, and, independently, on their quality.
    """
    rng = np.random.default_rng(seed)
    there = slice(int(missing), None)
    design = design_of(grid(np.ones(shape), np.ones(shape)).iloc[there])
    rows = []
    for study in range(count):
        alpha, quality = (
            (2 * rng.normal(size=shape[1]) + rng.normal(size=shape)).ravel()[there] for _ in "xy"
        )
        rows += statistics_pairs.compare(design, alpha[None, :], quality, options, (study,))
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("recipes", "missing"), [(6, False), (7, True)], ids=["complete", "one fit failed"]
)
def test_false_positives_are_nominal_where_recipes_act_on_all_variants(recipes, missing):
    """Permuting inside each variant instead finds effects in half of these."""
    found = studies(400, (6, recipes), QUICK, 11, missing)
    assert set(found["permutations"]) == {math.factorial(6)}
    rate = (found["concordance_p"] <= 0.05).mean()
    assert 0.015 <= rate <= 0.085  # nominal 0.05, standard error 0.011
    # Tied arrangements count as extreme ones: slightly above 0.5.
    assert 0.45 < found["concordance_p"].mean() < 0.62


# --- intervals ------------------------------------------------------------------------------


def test_coverage():
    """The true concordance is 0.5: recipes, variants and models differ, all at random."""
    found = studies(400, (5, 9), QUICK, 12)
    for name, truth in (("concordance", 0.5), ("gain", 0.0)):
        covered = (found[f"{name}_low"] <= truth) & (truth <= found[f"{name}_high"])
        assert 0.92 <= covered.mean() <= 0.995, name
    assert (found["concordance_high"] - found["concordance_low"]).mean() < 0.65


def test_resamples_are_those_of_drawn_variants_and_recipes():
    """Against a resample written out: every copy of a variant with every two copies of recipes."""
    rng = np.random.default_rng(7)
    table = grid(*rng.normal(size=(2, 3, 4))).drop(index=[5])
    design = design_of(table)
    statistic = rng.normal(size=(1, len(design.first)))
    found = statistics_pairs.pigeonhole(design, statistic, 40, 9)[0]

    rng = np.random.default_rng(9)
    recipes, variants = (rng.multinomial(k, np.full(k, 1 / k), size=40) for k in (4, 3))
    for value, drawn_recipes, drawn_variants in zip(found, recipes, variants, strict=True):
        values = [
            v
            for v, i, j in zip(statistic[0], design.first, design.second, strict=True)
            for _ in range(drawn_variants[design.variant[i]])
            for _ in range(drawn_recipes[design.recipe[i]])
            for _ in range(drawn_recipes[design.recipe[j]])
        ]
        assert value == pytest.approx(np.mean(values)) if values else math.isnan(value)


def test_copies_of_a_variant_are_no_evidence():
    """One variant and six equal ones: same recipes, same interval and p."""
    rng = np.random.default_rng(8)
    alpha, quality = rng.normal(size=(2, 1, 7))
    single = answer(grid(alpha, quality))
    copied = answer(grid(np.repeat(alpha, 6, 0), np.repeat(quality, 6, 0)))
    assert copied["pairs"] == 6 * single["pairs"]
    for name in ("concordance_low", "concordance_high", "concordance_p", "gain_low", "gain_high"):
        assert copied[name] == pytest.approx(single[name]), name


@pytest.mark.parametrize(
    ("shape", "given"), [((1, 4), False), ((1, 5), True), ((20, 4), False), ((2, 5), True)]
)
def test_intervals_need_5_recipes_and_10_pairs(shape, given):
    rng = np.random.default_rng(2)
    found = answer(grid(*rng.normal(size=(2, *shape))))
    for name in ("concordance", "gain"):
        assert math.isfinite(found[f"{name}_low"]) == given
        assert math.isfinite(found[name])
    assert (Note.TOO_FEW_PAIRS in notes_of(found["note"])) != given


def test_few_pairs_of_many_recipes_have_no_interval():
    """Nine variants with two models of their own: 18 recipes, 9 pairs. Ten: an interval."""
    rng = np.random.default_rng(2)
    table = table_of([row(*rng.normal(size=2), variant=f"v{v}") for v in range(10) for _ in "ab"])
    assert math.isfinite(answer(table)["concordance_low"])
    found = answer(table[table["variant"] != "v9"])
    assert (found["recipes"], found["pairs"]) == (18, 9)
    assert math.isnan(found["concordance_low"]) and found["note"] == Note.TOO_FEW_PAIRS


def test_confidence_widens_the_interval():
    table = grid(*np.random.default_rng(4).normal(size=(2, 4, 8)))
    narrow = answer(table, options_with(metrics=("alpha",), permutations=99, confidence=0.5))
    wide = answer(table, options_with(metrics=("alpha",), permutations=99, confidence=0.95))
    assert wide["concordance_low"] < narrow["concordance_low"] < narrow["concordance"]
    assert narrow["concordance"] < narrow["concordance_high"] < wide["concordance_high"]


# --- which rows -----------------------------------------------------------------------------


def test_columns_and_keys():
    rng = np.random.default_rng(1)
    table = grid(*rng.normal(size=(2, 3, 5)))
    found = pairs(
        table, options_with(metrics=("alpha", "stable_rank"), permutations=99, bootstrap=99)
    )
    assert list(found.columns) == PAIRS
    keys = PAIRS[: PAIRS.index("pairs")]
    assert len(found) == 2 * 3 * 2 and not found.duplicated(keys).any()
    assert set(found["metric"]) == {"alpha", "stable_rank", "log_parameters"}
    assert found.equals(found.sort_values(keys, ignore_index=True))
    absent = found[found["metric"] == "stable_rank"]
    assert set(absent["note"]) == {Note.NO_VALUES}
    size = one(found, metric="log_parameters")
    assert size["note"] == Note.METRIC_CONSTANT_WITHIN_VARIANTS and size["pairs"] == 30


def test_treatments():
    table = grid([[1, 2, 3]], [[70, 60, 50]])
    options = options_with(metrics=("alpha", "entropy"), permutations=99, bootstrap=99)
    table["alpha_stored"] = [3.0, 2.0, 1.0]
    table["entropy"] = table["entropy_stored"] = [1.0, 3.0, 2.0]
    found = pairs(table, options)
    assert one(found)["concordance"] == 1
    assert one(found, treatment="stored")["concordance"] == 0
    first, second = (one(found, metric="entropy", treatment=t) for t in ("dropped", "stored"))
    assert first.drop("treatment").equals(second.drop("treatment"))
    assert first["concordance"] == 2 / 3


def test_metrics_do_not_depend_on_their_company():
    rng = np.random.default_rng(6)
    table = grid(*rng.normal(size=(2, 3, 6)))
    alone = answer(table)
    table["entropy"], table["stable_rank"] = rng.normal(size=(2, len(table)))
    table.loc[0, "entropy"] = np.nan
    options = options_with(
        metrics=("stable_rank", "entropy", "alpha"), permutations=299, bootstrap=299
    )
    pd.testing.assert_series_equal(answer(table, options), alone, check_names=False)


def test_untrained_controls_have_no_rows():
    table = pd.concat([grid([[1, 2]], [[1, 2]], collection=c) for c in ("zoo", "zoo-untrained")])
    options = options_with(
        metrics=("alpha",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
    )
    assert set(pairs(table, options)["collection"]) == {"zoo"}


def test_further_data_sets_have_the_primary_metric_and_size():
    table = pd.concat([grid([[1, 2]], [[1, 2]], dataset=d) for d in ("a", "b")])
    table["stable_rank"] = 1.0
    options = options_with(metrics=("alpha", "stable_rank"), permutations=99, bootstrap=99)
    found = pairs(table, options)
    assert set(found.loc[found["dataset"] == "a", "metric"]) == set(options.all_metrics)
    assert set(found.loc[found["dataset"] == "b", "metric"]) == {"alpha", "log_parameters"}


def test_qualities_and_versions_are_kept_apart():
    table = pd.concat(
        [
            grid([[1, 2]], [[70, 60]]),
            grid([[1, 2]], [[70, 60]], quality_metric="error"),
            grid([[1, 2]], [[60, 70]], weightwatcher_version="0.8"),
        ]
    )
    found = pairs(table, QUICK)
    old = {"weightwatcher_version": "0.7.7"}
    assert one(found, quality_metric="accuracy", **old)["concordance"] == 1
    assert one(found, quality_metric="error", **old)["concordance"] == 0
    assert one(found, weightwatcher_version="0.8")["concordance"] == 0


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(9)
    table = grid(np.round(rng.normal(size=(4, 6)), 1), rng.normal(size=(4, 6)))
    table["family"] = np.where(table["variant"].isin(["v0", "v1"]), "f", "g")
    table = table.drop(index=[3, 9])
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(pairs(table, QUICK), pairs(shuffled, QUICK))


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "note"),
    [
        (
            grid([[1, 1, 1], [2, 2, 2]], [[1, 2, 3], [1, 2, 3]]),
            Note.METRIC_CONSTANT_WITHIN_VARIANTS,
        ),
        (
            grid([[1, 2, 3], [1, 2, 3]], [[1, 1, 1], [2, 2, 2]]),
            Note.QUALITY_CONSTANT_WITHIN_VARIANTS,
        ),
        (
            grid([[1, 1]], [[2, 2]]),
            join(Note.METRIC_CONSTANT_WITHIN_VARIANTS, Note.QUALITY_CONSTANT_WITHIN_VARIANTS),
        ),
        (grid([[np.nan] * 3], [[1, 2, 3]]), Note.NO_VALUES),
        (grid([[1, 2, np.inf]], [[np.nan, np.nan, 1]]), Note.NO_VALUES),
        (grid([[1, 2, 3]], [[1, np.nan, np.nan]]), Note.NO_TWO_RECIPES),
        (grid([[1, np.nan], [1, np.nan]], [[1, 2], [2, 1]]), Note.NO_TWO_RECIPES),
    ],
)
def test_what_cannot_be_answered_is_said(table, note):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = answer(table)
    assert found["note"] == note
    assert found["permutations"] == 0 and not found["exact"]
    estimates = [c for c in PAIRS if c.startswith(("concordance", "gain"))]
    assert found[estimates].isna().all()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(),
        grid([[1]], [[1]]),
        grid([[1], [2]], [[1], [2]]),
        grid([[1, 2, 3]], [[1, 2, 3]]).assign(variant=""),
        grid([[1, 2]], [[1, 2]]).iloc[:0],
    ],
    ids=["no table", "one model", "one model a variant", "no variants", "no rows"],
)
def test_nothing_to_compare(table):
    found = pairs(table, QUICK)
    assert found.empty and list(found.columns) == PAIRS


def test_a_variant_without_a_pair_counts_nowhere():
    """A recipe that occurs once more, in a variant of one model, is the same to the others."""
    rng = np.random.default_rng(10)
    table = grid(*rng.normal(size=(2, 2, 5)))
    alone = row(9.0, 9.0, variant="w", recipe="r0", model="alone")
    left = row(np.nan, 9.0, variant="w", recipe="r1", model="left")
    with_one = pd.concat([table, table_of([alone, left])])
    pd.testing.assert_series_equal(answer(with_one), answer(table), check_names=False)
