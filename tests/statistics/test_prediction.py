"""Models of a family that the fit has not seen: known answers, and nothing that leaks."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.options import options_with

from atlas.statistics import prediction

OPTIONS = options_with(metrics=("alpha", "log_norm"), permutations=99, bootstrap=199)


def models(rng, families=4, members=4, inside=-1.0, between=-1.0, noise=0.0, size=0.0):
    """Quality falls with alpha inside families and between them, as asked; and rises with size."""
    family = np.repeat(np.arange(families), members)
    level, own = rng.normal(size=families)[family], rng.normal(size=len(family))
    log_size = rng.uniform(5, 8, len(family))
    quality = inside * own + between * level + size * log_size
    return pd.DataFrame(
        {
            "model": [f"m{i:03d}" for i in range(len(family))],
            "collection": "c",
            "dataset": "d",
            "weightwatcher_version": "0.7.7",
            "family": [f"f{i}" for i in family],
            "variant": [f"v{i:03d}" for i in range(len(family))],
            "recipe": "baseline",
            "seed": "",
            "quality_metric": "accuracy",
            "quality": quality + noise * rng.normal(size=len(family)),
            "parameters": 10**log_size,
            "alpha": 3 + level + own,
            "log_norm": rng.normal(size=len(family)),
        }
    )


def rows(table):
    return prediction.prediction(table, OPTIONS).set_index("predictor")


def test_what_decides_the_quality_predicts_it_in_a_new_family():
    found = rows(models(np.random.default_rng(0)))
    assert found.loc["alpha", "concordance_within"] == 1
    assert found.loc["alpha", "r2"] == pytest.approx(1)
    assert found.loc["alpha", "rmse"] == pytest.approx(0, abs=1e-9)
    assert found.loc["alpha", "pairs_within"] == 4 * 6
    assert found.loc["alpha", "n"] == 16 and found.loc["alpha", "families"] == 4
    assert found.loc["size", "concordance_within"] < 0.9
    by_size = rows(models(np.random.default_rng(1), inside=0, between=0, size=1.0))
    assert by_size.loc["size", "concordance_within"] == 1
    assert by_size.loc["alpha", "concordance_within"] < 0.9


def test_a_relation_between_families_that_turns_inside_them_misleads():
    """Simpson's paradox: what is learnt from other families orders a new one the wrong way."""
    rng = np.random.default_rng(2)
    table = models(rng, families=4, inside=0.3, between=-5.0)
    assert rows(table).loc["alpha", "concordance_within"] < 0.2


def test_the_sign_stays_right_where_the_line_of_other_families_has_the_wrong_slope():
    table = models(np.random.default_rng(2), families=4, inside=-0.3, between=5.0)
    found = rows(table)
    assert found.loc["alpha", "concordance_within"] < 0.2
    sign = found.loc["alpha (sign)"]
    assert sign["concordance_within"] == 1 and sign["concordance_within_p"] < 0.05
    assert sign["concordance_between"] < 0.5
    assert sign[["r2", "rmse"]].isna().all()


def test_the_sign_by_hand():
    """Three families of three; the smaller alpha is better in 2, 3 and 1 of their pairs."""
    table = models(np.random.default_rng(0), families=3, members=3)
    table["alpha"] = [1, 2, 3, 1, 2, 3, 1, 2, 2]
    table["quality"] = [70, 71, 60, 9, 8, 7, 5, 5, 4]
    row = rows(table).loc["alpha (sign)"]
    assert row["pairs_within"] == 3 + 3 + 2  # one pair has equal qualities
    assert row["concordance_within"] == pytest.approx((2 + 3 + 1 + 0.5) / 8)
    better = [
        0.5 if a == b else float(a < b)
        for f, (a, q) in zip(table["family"], table[["alpha", "quality"]].to_numpy(), strict=True)
        for g, (b, r) in zip(table["family"], table[["alpha", "quality"]].to_numpy(), strict=True)
        if f != g and q > r
    ]
    assert row["pairs_between"] == len(better)
    assert row["concordance_between"] == pytest.approx(np.mean(better))


def test_every_primary_metric_predicts_and_a_further_one_where_it_is_known():
    table = models(np.random.default_rng(8), families=5)
    table["alpha_weighted"] = -table["quality"]
    table.loc[::5, "alpha_weighted"] = np.nan
    found, one = (
        prediction.prediction(table, replace(OPTIONS, primary_metrics=names)).set_index("predictor")
        for names in (("alpha", "alpha_weighted"), ("alpha",))
    )
    pd.testing.assert_frame_equal(found.loc[one.index], one)
    names = ("alpha_weighted", "alpha_weighted + size", "alpha_weighted (sign)")
    assert set(found.index) - set(one.index) == set(names)
    for name in names:
        assert (found.loc[name, "n"], found.loc[name, "concordance_within"]) == (16, 1)


def test_a_relation_is_found_and_p_is_small():
    row = rows(models(np.random.default_rng(5), families=6, noise=0.5)).loc["alpha"]
    assert row["concordance_within"] > 0.8
    assert row["concordance_within_p"] == pytest.approx(2 / 100)  # as small as 99 can say
    assert np.isnan(rows(models(np.random.default_rng(5))).loc["forest", "concordance_within_p"])


def test_p_is_that_of_qualities_exchanged_inside_families():
    """By hand: every family's qualities in another order, a new table, all predictions again."""
    rng = np.random.default_rng(6)
    table = models(rng, families=3, noise=2.0)
    observed = rows(table).loc["alpha"]
    null = []
    for _ in range(200):
        shuffled = table["quality"].groupby(table["family"]).transform(rng.permutation)
        other = prediction.prediction(table.assign(quality=shuffled), replace(OPTIONS, metrics=()))
        null.append(other.set_index("predictor").loc["alpha", "concordance_within"])
    null = np.array(null)
    tail = min(
        (null >= observed["concordance_within"] - 1e-9).mean(),
        (null <= observed["concordance_within"] + 1e-9).mean(),
    )
    many = prediction.prediction(table, replace(OPTIONS, metrics=(), permutations=999))
    p = many.set_index("predictor").loc["alpha", "concordance_within_p"]
    assert p == pytest.approx(min(1, 2 * tail), abs=0.12)


def test_p_errs_as_often_as_it_says_although_families_differ():
    """What differs between families is in the null: a slope learnt there is no evidence inside."""
    rng = np.random.default_rng(7)
    options = replace(OPTIONS, metrics=())
    p = []
    for _ in range(120):
        table = models(rng, families=6, members=5, inside=0, between=-2.0, noise=1.0)
        found = prediction.prediction(table, options).set_index("predictor")
        p.append(found.loc["alpha", "concordance_within_p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)
    assert np.mean(np.array(p) <= 0.5) > 0.25


def test_p_of_the_sign_is_that_of_all_orders_inside_families():
    """Three families of three, all 216 orders by hand."""
    table = models(np.random.default_rng(9), families=3, members=3, noise=1.0)
    by_family = [part[["alpha", "quality"]].to_numpy() for _, part in table.groupby("family")]
    null = []
    for orders in itertools.product(itertools.permutations(range(3)), repeat=3):
        right = 0.0
        for part, order in zip(by_family, orders, strict=True):
            alpha, quality = part[:, 0], part[list(order), 1]
            for i, j in itertools.combinations(range(3), 2):
                right += (alpha[i] - alpha[j]) * (quality[i] - quality[j]) < 0
        null.append(right / 9)
    null = np.array(null)
    many = prediction.prediction(table, replace(OPTIONS, metrics=(), permutations=999))
    row = many.set_index("predictor").loc["alpha (sign)"]
    assert row["concordance_within"] == pytest.approx(null[0])
    tail = min((null >= null[0] - 1e-9).mean(), (null <= null[0] + 1e-9).mean())
    assert row["concordance_within_p"] == pytest.approx(min(1, 2 * tail), abs=0.06)


@pytest.mark.parametrize(("families", "members", "told"), [(4, 2, False), (4, 4, True)])
def test_small_families_have_few_orders(families, members, told):
    """Four pairs have 16 orders: even the best one has p = 2/16."""
    options = replace(OPTIONS, metrics=(), permutations=999)
    table = models(np.random.default_rng(10), families, members)
    found = prediction.prediction(table, options).set_index("predictor").loc["alpha (sign)"]
    assert found["concordance_within"] == 1
    assert found["smallest_p"] <= found["concordance_within_p"]
    assert (found["smallest_p"] <= 0.05) == told
    if not told:
        assert found["smallest_p"] == pytest.approx(2 / 16, abs=0.03)


def test_no_information_is_as_good_as_a_coin():
    rng = np.random.default_rng(3)
    found = [rows(models(rng, inside=0, between=0, noise=1.0)).loc["alpha"] for _ in range(40)]
    for kind in ("within", "between"):
        assert np.mean([f[f"concordance_{kind}"] for f in found]) == pytest.approx(0.5, abs=0.09)


@pytest.mark.parametrize("kind", ["least squares", "forest"])
def test_the_qualities_that_are_left_out_do_not_reach_their_predictions(kind):
    rng = np.random.default_rng(4)
    family = np.repeat(np.arange(4), 4)
    x, y = rng.normal(size=(16, 2)), rng.normal(size=16)
    left_out = (family == 0)[None, :]

    def predict(y):
        if kind == "forest":
            return prediction.random_forest(x, y, family, left_out, 1)[0, family == 0]
        return prediction.least_squares(x, y, left_out)[0, family == 0]

    changed = np.where(family == 0, -100 * y, y)
    assert np.array_equal(predict(y), predict(changed))
    assert not np.array_equal(predict(y), predict(np.where(family == 1, -100 * y, y)))


def test_a_forest_finds_what_a_line_cannot():
    rng = np.random.default_rng(7)
    table = models(rng, families=5, members=6)
    table["quality"] = -(np.abs(table["alpha"] - 3) ** 2)
    found = rows(table)
    assert found.loc["forest", "concordance_within"] > 0.75
    assert found.loc["forest", "concordance_within"] > found.loc["alpha", "concordance_within"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.iloc[:0],
        lambda t: t.iloc[:1],
        lambda t: t[t["family"] == "f0"],
        lambda t: t.assign(quality=70.0),
        lambda t: t.assign(alpha=np.nan),
        lambda t: t.assign(alpha=3.0, parameters=1e6),
    ],
)
def test_what_cannot_be_predicted_says_why(change):
    table = prediction.prediction(change(models(np.random.default_rng(5))), OPTIONS)
    assert list(table.columns) == prediction.PREDICTION
    silent = table[table["concordance_within"].isna()]
    assert (silent["note"] != "").all()


def test_the_order_of_rows_means_nothing():
    table = models(np.random.default_rng(6), noise=0.5)
    again = table.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        prediction.prediction(table, OPTIONS), prediction.prediction(again, OPTIONS)
    )
