"""What is compared with what, and what is corrected together."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, family, models, one, row, sample_of, several, zoo
from helpers.options import options_with
from statsmodels.stats.multitest import multipletests

from atlas.statistics import permutation
from atlas.statistics.correlations import correlations
from atlas.terms import keys
from atlas.terms.notes import Note, notes_of


def test_comparisons_of_a_zoo():
    found = correlations(
        zoo(np.random.default_rng(0)),
        options_with(
            metrics=("alpha",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
        ),
    )
    found = found[(found["metric"] == "alpha") & (found["quality_metric"] == "accuracy")]
    shape = found[found["treatment"] == "dropped"].groupby(["collection", "comparison", "scope"])
    assert shape.size().to_dict() == {
        ("zoo", "a", "pooled"): 1,
        ("zoo", "b", "family"): 5,
        ("zoo", "b", "within"): 1,
        ("zoo", "c", "family"): 15,
        ("zoo", "c", "within"): 6,
        ("zoo-untrained", "a", "pooled"): 1,
        ("zoo-untrained", "b", "family"): 5,
        ("zoo-untrained", "b", "within"): 1,
    }
    zoo_rows = found[found["collection"] == "zoo"]
    counts = ["n", "units", "groups"]
    assert one(zoo_rows, scope="pooled")[counts].tolist() == [30, 15, 1]
    assert one(zoo_rows, comparison="b", family="f1")[counts].tolist() == [6, 3, 1]
    assert one(zoo_rows, comparison="b", scope="within")[counts].tolist() == [30, 15, 5]
    assert one(zoo_rows, variant="f1-m")[counts].tolist() == [10, 5, 1]
    inside = one(zoo_rows, comparison="c", scope="within", family="f1")
    assert inside[counts].tolist() == [30, 15, 3]
    everywhere = one(zoo_rows, comparison="c", scope="within", family="")
    assert everywhere[counts].tolist() == [150, 75, 15]
    # 5! recipe orders: p is a multiple of 1/120.
    assert everywhere["kendall_p_recipes"] * 120 == pytest.approx(
        round(everywhere["kendall_p_recipes"] * 120)
    )


def test_recipes_common_to_all_variants_are_not_many_observations():
    """Recipes that move metric and quality alike in all variants: five things, not fifty."""
    effect = [0.0, 1.0, 2.0, 3.0, 4.0]
    rows = [
        row(a, q, variant=f"v{v}", recipe=f"r{r}")
        for v in range(10)
        for r, (a, q) in enumerate(zip(effect, effect, strict=True))
    ]
    found = one(correlations(models(rows), QUICK), comparison="c", scope="within", family="")
    assert found["kendall_p"] < 0.01
    assert found["kendall_p_recipes"] == pytest.approx(2 / 120)


def test_recipes_are_exchanged_in_all_groups_at_once():
    rows = [
        row(1, 1, variant=f"v{v}", recipe=f"r{r}", seed=s)
        for v, r, s in itertools.product(range(3), range(4), range(2))
    ]
    sample = sample_of(models(rows), groups="variant")
    indices, exact = permutation.recipe_rearrangements(sample, 99, 0)
    assert exact and len(np.unique(indices, axis=0)) == len(indices) == math.factorial(4)
    assert (sample.stratum[indices] == sample.stratum).all()
    recipes = sample.recipe[indices].reshape(24, 3, 4, 2)
    assert (recipes == recipes[:, :1, :, :1]).all()
    unbalanced = sample_of(models(rows[1:]), groups="variant")
    assert permutation.recipe_rearrangements(unbalanced, 99, 0) is None


def test_seeds_of_one_recipe_are_compared_in_c():
    table = models(
        [row(a, a, variant="v", recipe="r", seed=s) for s, a in enumerate([3.0, 1.0, 2.0, 5.0])]
    )
    found = correlations(table, QUICK)
    assert one(found, comparison="c", scope="family")["units"] == 4
    in_b = one(found, comparison="b", scope="family")
    assert in_b["units"] == 1 and np.isnan(in_b["kendall"])


def test_reference_recipe():
    rng = np.random.default_rng(0)
    base = [row(*rng.normal(size=2), variant=f"v{i}", recipe="baseline") for i in range(4)]
    noisy = [row(*rng.normal(size=2), variant=f"v{i}", recipe="noise") for i in range(4)]
    other = [row(*rng.normal(size=2), variant=f"v{i}", recipe="more") for i in range(4)]
    assert one(correlations(models(base + noisy), QUICK), comparison="b", scope="family")["n"] == 4
    mixed = one(correlations(models(other + noisy), QUICK), comparison="b", scope="family")
    assert mixed["n"] == 8 and Note.RECIPES_MIXED in notes_of(mixed["note"])


@pytest.mark.parametrize("column", ["collection", "dataset", "weightwatcher_version"])
def test_never_pooled(column):
    x = [1.0, 2.0, 3.0, 4.0]
    table = pd.concat(
        [family(x, x, **{column: "0.2"}), family(x, x[::-1], **{column: "0.4"})], ignore_index=True
    )
    table["model"] = [f"m{i}" for i in range(8)]
    found = correlations(table, QUICK).query("scope == 'family' and metric == 'alpha'")
    found = found[found["treatment"] == "dropped"]
    assert found[column].tolist() == ["0.2", "0.4"]
    assert found["n"].tolist() == [4, 4]
    assert found["kendall"].tolist() == [1, -1]


def test_treatments():
    x, y = np.arange(6.0), np.array([1.0, 0, 2, 4, 3, 5])
    table = family(x, y)
    table["alpha_stored"] = x[::-1]
    table["log_norm"] = x
    options = options_with(metrics=("alpha", "log_norm"), permutations=99, bootstrap=99)
    found = correlations(table, options)
    dropped = one(found, scope="family")
    stored = one(found, scope="family", treatment="stored")
    assert stored["kendall"] == -dropped["kendall"] != 0
    same = [one(found, scope="family", metric="log_norm", treatment=t) for t in keys.TREATMENTS]
    pd.testing.assert_series_equal(
        same[0].drop("treatment"), same[1].drop("treatment"), check_names=False
    )


def test_multiplicity():
    rng = np.random.default_rng(4)
    table = several({f"f{i}": (np.arange(6.0), rng.permutation(6.0 * np.ones(6).cumsum()))
                     for i in range(4)})  # fmt: skip
    table["log_norm"] = rng.normal(size=len(table))
    options = options_with(metrics=("alpha", "log_norm"), permutations=199, bootstrap=99)
    found = correlations(table, options)
    families = found[(found["scope"] == "family") & (found["treatment"] == "dropped")]
    alpha = families[families["metric"] == "alpha"]
    assert alpha["kendall_p_holm"].tolist() == pytest.approx(
        multipletests(alpha["kendall_p"], method="holm")[1].tolist()
    )
    assert alpha["kendall_p_bh"].isna().all()
    others = found[found["kendall_p_bh"].notna() & (found["treatment"] == "dropped")]
    assert set(others["metric"]) == {"alpha", "log_norm"}  # alpha: pooled and within
    assert others["kendall_p_bh"].tolist() == pytest.approx(
        multipletests(others["kendall_p"], method="fdr_bh")[1].tolist()
    )
    size = found[found["metric"] == "log_parameters"]
    assert size["kendall_p_holm"].isna().all() and size["kendall_p_bh"].isna().all()


def test_a_collection_s_own_primary_quality_is_corrected_over_its_families():
    """Beside a collection with accuracies, one that has perplexities has claims about these."""
    rng = np.random.default_rng(4)
    parts = {
        "images": several(
            {f"f{i}": (np.arange(6.0), rng.permutation(np.arange(6.0))) for i in range(3)}
        ),
        "words": several(
            {f"g{i}": (np.arange(6.0), rng.permutation(np.arange(6.0))) for i in range(3)}
        ),
    }
    for name, part in parts.items():
        part["collection"], part["model"] = name, name + part["model"]
    parts["words"]["quality_metric"] = "perplexity"
    found = correlations(pd.concat(parts.values(), ignore_index=True), QUICK)
    claims = found.query("scope == 'family' and metric == 'alpha' and treatment == 'dropped'")
    assert claims.groupby("collection")["kendall_p_holm"].count().to_dict() == {
        "images": 3,
        "words": 3,
    }
    assert claims["kendall_p_bh"].isna().all()
