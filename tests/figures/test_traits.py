"""Correlations over the traits of families."""

from __future__ import annotations

import numpy as np
import pandas as pd
from helpers.explaining import FAMILIES, SEVERAL, changed, drawn, of_traits, offsets, study, words

from atlas.figures import forests


def test_traits_shows_each_family_at_its_values():
    figure = drawn("traits")
    table = study("default")["traits"]
    for ax, name in zip(figure.axes, forests.RAW, strict=False):
        expected = table[[name, "kendall_c"]].to_numpy().round(9)
        assert {tuple(p) for p in offsets(ax).round(9)} == {tuple(pair) for pair in expected}
        assert {text.get_text() for text in ax.texts} == set(FAMILIES)
    assert "(c) between trainings" in words(figure)


def test_traits_takes_the_comparison_that_more_families_have():
    table = of_traits()
    table.loc[1:, "kendall_c"] = np.nan
    figure = changed("traits", traits=table)
    assert "(b) between variants" in words(figure)
    assert sorted(offsets(figure.axes[0])[:, 1]) == sorted(table["kendall_b"])


def test_traits_that_do_not_differ_give_way_to_the_next():
    table = of_traits().assign(D=0.05)
    seen = words(changed("traits", traits=table))
    assert "KS distance" not in seen and "1 × 1 convolutions (share)" in seen


def test_many_families_are_coloured_by_collection_and_not_named():
    seen = words(drawn("traits", "many collections"))
    assert all(name in seen for name in SEVERAL) and "resnet" not in seen
    few = of_traits(("a", "b"), FAMILIES[:3])
    seen = words(changed("traits", traits=few))
    assert all(name in seen for name in (*FAMILIES[:3], "a", "b"))


def test_one_data_set_of_each_collection_is_in_traits():
    small = of_traits(families=FAMILIES[:3]).assign(dataset="cifar-10", kendall_c=0.99)
    figure = changed("traits", traits=pd.concat([small, of_traits()]))
    assert len(offsets(figure.axes[0])) == 5 and 0.99 not in offsets(figure.axes[0])
    assert "the data set with most families" in words(figure)
