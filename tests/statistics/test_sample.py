"""What a table holds of each number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, models, row

from atlas.statistics import sample
from atlas.statistics.models import Scope, prepare


def test_numbers_have_12_digits():
    table = sample.significant(
        pd.DataFrame({"a": [1 / 3, np.nan, 1e-9 / 3, -1e-17], "b": ["x", "", "y", "z"]})
    )
    assert table["a"].tolist()[0] == 0.333333333333
    assert table["a"].tolist()[2] == 3.33333333333e-10
    assert str(table["a"].tolist()[3]) == "0.0"
    assert np.isnan(table["a"][1]) and table["b"].tolist() == ["x", "", "y", "z"]


def sample_for(
    rows: list[dict[str, object]], scope: str, comparison: str, by: str = "", **changes: object
) -> sample.Sample:
    table = prepare(models(rows))
    groups = table[by].to_numpy() if by else None
    values = [table["alpha"].to_numpy(), table["oriented"].to_numpy()]
    where = Scope(comparison, scope, "", "", table, groups)
    return sample.make_sample(where, values, replace(QUICK, **changes))


SEEDS = [
    row(1.0, 10.0, family="f", variant="v", recipe="r", seed=0),
    row(3.0, 30.0, family="f", variant="v", recipe="r", seed=1),
    row(np.nan, 99.0, family="f", variant="v", recipe="r", seed=2),
    row(5.0, 20.0, family="f", variant="w", recipe="r", seed=0),
    row(7.0, 50.0, family="g", variant="x", recipe="r", seed=0),
    row(9.0, 60.0, family="g", variant="x", recipe="r", seed=1),
    row(4.0, np.nan, family="g", variant="y", recipe="r", seed=0),
]


@pytest.mark.parametrize(
    ("scope", "replicates", "alpha", "quality"),
    [
        ("pooled", True, [2, 5, 8], [20, 20, 55]),
        ("pooled", False, [1, 3, 5, 7, 9], [10, 30, 20, 50, 60]),
        ("families", True, [3, 8], [20, 55]),  # of all models: v has two, w one
        ("families", False, [3, 8], [20, 55]),
    ],
)
def test_units_are_means_of_complete_models(scope, replicates, alpha, quality):
    found = sample_for(SEEDS, scope, "a", seeds_are_replicates=replicates)
    order = np.argsort(found.values[0])
    assert found.values[:, order].tolist() == [alpha, quality]
    assert (found.n, found.models, found.missing, found.strata) == (len(alpha), 5, 2, 1)
    assert found.effective == len(alpha) and len(set(found.mover)) == len(alpha)


def test_groups_of_one_unit_are_left_out():
    found = sample_for(SEEDS, "within", "b", "family")
    assert found.values.tolist() == [[2, 5], [20, 20]] and (found.models, found.strata) == (3, 1)
    apart = sample_for(SEEDS, "within", "b", "family", seeds_are_replicates=False)
    assert (apart.n, apart.strata, apart.effective) == (5, 2, 4)
    assert apart.centre().sum(axis=1) == pytest.approx([0, 0])


def test_seeds_of_a_variant_with_one_recipe_are_its_units_in_c():
    """They are no recipes that other variants have, too: each moves for itself."""
    found = sample_for(SEEDS, "within", "c", "variant")
    assert (found.n, found.models, found.strata, found.effective) == (4, 4, 2, 3)
    assert len(set(found.mover)) == 4


@pytest.mark.parametrize(
    ("recipes", "movers", "effective"),
    [
        ([["a", "b", "c"]] * 3, 3, 3),  # the same in all variants
        ([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]], 9, 7),
        ([["", "", ""]] * 3, 9, 7),  # without a name
        ([["a", "b", "c"], ["a", "b", "c"], ["d", "e", "f"]], 6, 5),
        ([["a", "b", "c"], ["a", "b", "d"]], 4, 2),  # c and d have no like
        ([["a", "b", "c"], ["a", "b"]], 3, 2),
    ],
)
def test_recipes_move_as_one(recipes, movers, effective):
    rows = [
        row(10.0 * v + i, i**2, variant=f"v{v}", recipe=name)
        for v, names in enumerate(recipes)
        for i, name in enumerate(names)
    ]
    found = sample_for(rows, "within", "c", "variant")
    assert found.n == len(rows) and len(set(found.mover)) == movers
    assert found.effective == effective
    together = np.concatenate([members.ravel() for members in found.classes])
    assert sorted(together) == list(range(len(rows)))
    for members in found.classes:
        assert (found.stratum[members] == found.stratum[members[0]]).all()
        assert (np.ptp(found.mover[members], axis=1) == 0).all()
    in_b = sample_for(rows, "within", "b", "variant")
    assert len(set(in_b.mover)) == len(rows)  # recipes are exchanged as one in (c) alone
