"""Which p values are confirmatory, and what is corrected together."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, models, one, row, several, zoo
from helpers.options import options_with
from statsmodels.stats.multitest import multipletests

from atlas.statistics.baselines import baselines
from atlas.statistics.correlations import correlations
from atlas.statistics.multiplicity import correct

METRICS = ("alpha", "log_norm")
OPTIONS = options_with(metrics=(*METRICS, "other"), primary_metrics=METRICS)

WIDE = [("a", "families", "", ""), ("b", "within", "", ""), ("c", "within", "", "")]
ELSE = [
    ("a", "pooled", "", ""),
    ("b", "family", "f", ""),
    ("b", "family", "g", ""),
    ("c", "family", "f", "v"),
    ("c", "within", "f", ""),
]


def rows_of(**labels: object) -> pd.DataFrame:
    """A row of random p per scope, metric, quality and treatment of one partition."""
    rng = np.random.default_rng(1)
    rows = []
    for scope, metric, quality, treatment in itertools.product(
        [*WIDE, *ELSE],
        (*METRICS, "other", "log_parameters"),
        ("accuracy", "error"),
        ("dropped", "stored"),
    ):
        place = dict(zip(("comparison", "scope", "family", "variant"), scope, strict=True))
        rows.append({"collection": "z", "dataset": "d", "weightwatcher_version": "1"} | place | {
            "metric": metric, "quality_metric": quality, "treatment": treatment,
            "p": rng.uniform(0, 0.2),
        } | labels)  # fmt: skip
    return pd.DataFrame(rows)


def is_wide(table: pd.DataFrame) -> pd.Series:
    scopes = table[["comparison", "scope", "family", "variant"]].agg(tuple, axis=1)
    return scopes.isin(WIDE)


def is_confirmatory(table: pd.DataFrame) -> pd.Series:
    return (
        is_wide(table)
        & table["metric"].isin(METRICS)
        & (table["quality_metric"] == "accuracy")
        & (table["treatment"] == "dropped")
    )


def test_three_questions_for_each_primary_metric_are_confirmatory():
    found = correct(rows_of(), "p", OPTIONS)
    chosen = is_confirmatory(found)
    assert chosen.sum() == 3 * 2
    assert (found["p_holm"].notna() == chosen).all()
    size = found["metric"] == "log_parameters"
    assert (found["p_bh"].notna() == (~chosen & ~size)).all()
    p = found.loc[chosen, "p"]
    assert found.loc[chosen, "p_holm"].tolist() == pytest.approx(
        multipletests(p, method="holm")[1].tolist()
    )
    rest = found[~chosen & ~size]
    assert rest["p_bh"].tolist() == pytest.approx(
        multipletests(rest["p"], method="fdr_bh")[1].tolist()
    )


def test_holm_by_hand():
    table = rows_of()
    table = table[is_confirmatory(table)].reset_index(drop=True)
    table["p"] = [0.01, 0.04, 0.002, 0.9, 0.02, 0.3]
    found = correct(table, "p", OPTIONS)["p_holm"]
    # In order: 6 x 0.002, 5 x 0.01, 4 x 0.02, 3 x 0.04, 2 x 0.3, 0.9
    assert found.tolist() == pytest.approx([0.05, 0.12, 0.012, 0.9, 0.08, 0.6])


def test_one_primary_metric_has_three_tests():
    found = correct(rows_of(), "p", options_with(metrics=METRICS, primary_metrics=["alpha"]))
    assert found["p_holm"].notna().sum() == 3


def test_a_test_that_could_not_be_made_is_not_counted():
    table = rows_of()
    table.loc[table["comparison"] == "c", "p"] = np.nan
    found = correct(table, "p", OPTIONS)
    chosen = found["p_holm"].notna()
    assert chosen.sum() == 4
    assert found.loc[chosen, "p_holm"].tolist() == pytest.approx(
        multipletests(found.loc[chosen, "p"], method="holm")[1].tolist()
    )
    assert found.loc[found["p"].isna(), ["p_holm", "p_bh"]].isna().all(axis=None)


@pytest.mark.parametrize("name", ["collection", "dataset", "weightwatcher_version"])
def test_each_partition_has_a_plan_of_its_own(name):
    alone = correct(rows_of(), "p", OPTIONS)
    other = rows_of(**{name: "other"}).assign(p=1e-9)
    both = correct(pd.concat([rows_of(), other], ignore_index=True), "p", OPTIONS)
    pd.testing.assert_frame_equal(both.iloc[: len(alone)], alone)


def test_a_partition_without_the_primary_quality_has_claims_about_its_own():
    table = rows_of()
    table = table[table["quality_metric"] == "error"].reset_index(drop=True)
    table["quality_metric"] = "perplexity"
    found = correct(table, "p", OPTIONS)
    assert found["p_holm"].notna().sum() == 6
    assert (found.loc[found["p_holm"].notna(), "treatment"] == "dropped").all()


def test_where_a_comparison_has_one_group_that_group_answers():
    """No row of all groups has a p then; with two groups none of them answers alone."""
    table = rows_of()
    wide = is_wide(table) & (table["comparison"] != "a")
    table.loc[wide, "p"] = np.nan
    found = correct(table, "p", OPTIONS)
    claims = found[found["p_holm"].notna()]
    # (b) has two families here, (c) one variant.
    assert set(claims[["comparison", "scope"]].agg(tuple, axis=1)) == {
        ("a", "families"),
        ("c", "family"),
    }
    table.loc[table["family"] == "g", "p"] = np.nan
    claims = correct(table, "p", OPTIONS).dropna(subset="p_holm")
    assert set(claims["comparison"]) == {"a", "b", "c"} and len(claims) == 6


def test_families_do_not_answer_for_a():
    """A pooled row is no answer about families, also where it is the only one of (a)."""
    table = rows_of()
    table.loc[table["scope"] == "families", "p"] = np.nan
    claims = correct(table, "p", OPTIONS).dropna(subset="p_holm")
    assert set(claims["comparison"]) == {"b", "c"}


def test_a_copy_takes_its_value_and_is_not_counted():
    table = rows_of()
    stored = table["treatment"] == "stored"
    table["copy"] = pd.Series(np.nan, index=table.index, dtype=object).mask(stored, True)
    table.loc[stored, "p"] = table["p"].shift()[stored]
    found = correct(table, "p", OPTIONS)
    assert (found.loc[stored, "p_holm"].fillna(-1).to_numpy()
            == found.loc[~stored, "p_holm"].fillna(-1).to_numpy()).all()  # fmt: skip
    first = correct(table[~stored].drop(columns="copy"), "p", OPTIONS)
    for end in ("p_holm", "p_bh"):
        expected = first[end].tolist()
        assert found.loc[~stored, end].tolist() == pytest.approx(expected, nan_ok=True)
        assert found.loc[stored, end].tolist() == pytest.approx(expected, nan_ok=True)


def test_an_empty_table_stays_empty():
    assert correct(pd.DataFrame(), "p", OPTIONS).empty


def test_correlations_of_a_zoo_follow_the_plan():
    options = options_with(
        metrics=("alpha",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
    )
    found = correlations(zoo(np.random.default_rng(1), families=4, recipes=3), options)
    claims = found[(found["collection"] == "zoo") & found["kendall_p_holm"].notna()]
    assert set(claims["treatment"]) == {"dropped"}
    assert set(claims["quality_metric"]) == {"accuracy"}
    scopes = claims[["comparison", "scope", "family", "variant"]].agg(tuple, axis=1)
    assert sorted(scopes) == WIDE
    assert claims["kendall_p_holm"].tolist() == pytest.approx(
        multipletests(claims["kendall_p"], method="holm")[1].tolist()
    )
    other = found[(found["collection"] == "zoo") & found["kendall_p_bh"].notna()]
    assert other["kendall_p_bh"].tolist() == pytest.approx(
        multipletests(other["kendall_p"], method="fdr_bh")[1].tolist()
    )
    size = found[found["metric"] == "log_parameters"]
    assert size[["kendall_p_holm", "kendall_p_bh"]].isna().all(axis=None)
    assert (found["kendall_p_holm"].isna() | found["kendall_p_bh"].isna()).all()


def test_a_collection_without_failed_fits_counts_each_test_once():
    rng = np.random.default_rng(2)
    table = several({f"f{i}": (rng.normal(size=6), rng.normal(size=6)) for i in range(6)})
    found = correlations(table, QUICK)
    found = found[found["metric"] == "alpha"]
    usual, again = (found[found["treatment"] == t] for t in ("dropped", "stored"))
    for end in ("holm", "bh"):
        column = f"kendall_p_{end}"
        assert again[column].tolist() == pytest.approx(usual[column].tolist(), nan_ok=True)
    tested = usual[usual["kendall_p_bh"].notna()]
    assert len(tested) == 7  # pooled, and each of six families
    assert tested["kendall_p_bh"].tolist() == pytest.approx(
        multipletests(tested["kendall_p"], method="fdr_bh")[1].tolist()
    )


def test_what_is_left_beyond_size_has_the_same_plan():
    rng = np.random.default_rng(3)
    rows = [
        row(*rng.normal(size=2), family=f"f{i}", parameters=10 ** rng.uniform(5, 7))
        for i in range(6) for _ in range(5)
    ]  # fmt: skip
    found = baselines(models(rows), QUICK)
    usual = found[found["treatment"] == "dropped"]
    claims = usual[usual["partial_p_holm"].notna()]
    assert sorted(claims["scope"]) == ["families", "within"]
    assert one(found, scope="families")["partial_p_holm"] == pytest.approx(
        multipletests(claims["partial_p"], method="holm")[1][0]
    )
    rest = usual[usual["partial_p_bh"].notna()]
    assert sorted(set(rest["scope"])) == ["family", "pooled"] and len(rest) == 7
