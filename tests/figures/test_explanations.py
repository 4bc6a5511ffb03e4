"""What goes with a family's correlation."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.explaining import (
    NUMBERS,
    bars_at,
    changed,
    drawn,
    marks_at,
    of_explanations,
    row_names,
    rows_of,
    study,
    words,
)

from atlas.figures import marks as figures_marks
from atlas.terms import words as terms_words


def test_explanations_shows_the_values_of_the_table():
    figure = drawn("explanations")
    table = study("default")["explanations"]
    names = {k: v for group in terms_words.TRAITS.values() for k, v in group.items()}
    panels = (("family", "b"), ("family", "c"), ("variant", "c"))
    hollow = set()
    for ax, (level, comparison) in zip(figure.axes, panels, strict=True):
        heights = rows_of(ax, row_names(figure))
        own = table[(table["level"] == level) & (table["comparison"] == comparison)]
        own = own[own["kendall"].notna()]
        assert len(own) == len(NUMBERS) - 2
        for row in own.to_dict("records"):
            y = heights[names[row["candidate"]]]
            (mark,) = marks_at(ax, y)
            assert mark.get_xdata()[0] == row["kendall"]
            clear = row["kendall_low"] > 0 or row["kendall_high"] < 0
            assert (mark.get_marker() == "D") == (clear and row["kendall_p_bh"] <= 0.05)
            certain = np.isfinite(row["kendall_low"])
            ends = [(row["kendall_low"], row["kendall_high"])] if certain else []
            assert bars_at(ax, y) == ends
            assert bars_at(ax, y + 0.33) == [(row["left_out_low"], row["left_out_high"])]
            hollow.add((level, mark.get_markerfacecolor() == "white"))
    assert hollow == {("family", True), ("variant", False)}


def test_explanations_says_how_many_and_shows_categories_in_words():
    figure = drawn("explanations")
    seen = words(figure)
    assert "(b) between variants n = 5 families" in seen
    assert "(c) between trainings n = 15 variants" in seen
    table = study("default")["explanations"]
    for row in table[table["eta2"].notna()].to_dict("records"):
        p = "p < 0.001" if row["candidate"] == "dataset" else "p = 0.031"
        text = f"η² = {figures_marks.number(row['eta2'])}, {p}"
        (found,) = [t for ax in figure.axes for t in ax.texts if t.get_text() == text]
        assert (found.get_weight() == "bold") == (row["kendall_p_bh"] <= 0.05)
    assert "without a value: alpha of shuffled entries, parameters analysed (share)" in seen
    right = [t.get_text() for ax in figure.axes for t in ax.texts if t.get_text().isdigit()]
    assert right == ["3", "3", "13"]  # rank loss is missing in two


def test_explanations_shows_the_largest_collection_and_all_together():
    figure = drawn("explanations", "many collections")
    seen = words(figure)
    assert "keras (mnist-1d)" in seen and "all collections together" in seen
    assert "n = 12 families" in seen and "n = 40 families" in seen
    assert len(figure.axes) == 6
    # Where one collection is all there is, it is not shown twice.
    assert "all collections together" not in words(drawn("explanations", "many families"))


def test_levels_without_an_estimate_have_no_panel():
    table = of_explanations()
    one = changed("explanations", explanations=table[table["level"] == "variant"])
    assert len(one.axes) == 1 and "n = 15 variants" in words(one)
    lost = table["level"] == "variant"
    table.loc[lost, ["kendall", "eta2"]] = np.nan
    assert len(changed("explanations", explanations=table).axes) == 2


@pytest.mark.parametrize(
    ("smallest", "text"),
    [(0.04, ""), (0.058, "too few families to decide any"), (0.06, "any for 1 of")],
)
def test_explanations_says_where_no_result_could_have_been_decided(smallest, text):
    table = of_explanations().assign(kendall_p_bh=0.9, smallest_p=smallest)
    if text.startswith("any"):
        table.loc[1:, "smallest_p"] = 0.01
    found = words(changed("explanations", explanations=table))
    assert (text in found) if text else ("too few families to decide" not in found)
    assert ("decide any for" in found) == text.startswith("any")
