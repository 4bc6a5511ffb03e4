"""Other metrics beside alpha."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from helpers.explaining import (
    bars_at,
    changed,
    drawn,
    marks_at,
    of_alternatives,
    row_names,
    rows_of,
    study,
    words,
)
from helpers.stages import draw

from atlas.figures import data, forests, style
from atlas.findings import outcome
from atlas.terms import words as terms_words


def test_alternatives_shows_the_values_of_the_table():
    figure = drawn("alternatives")
    table = study("default")["alternatives"]
    names = {k: v for group in terms_words.ALTERNATIVES.values() for k, v in group.items()}
    shown = 0
    for ax, comparison in zip(figure.axes, "abc", strict=True):
        heights = rows_of(ax, row_names(figure))
        own = table[(table["comparison"] == comparison) & table["kendall"].notna()]
        for row in own[own["equal"] < own["units"]].to_dict("records"):
            y = heights[names[row["metric"]]]
            (mark,) = marks_at(ax, y)
            assert mark.get_xdata()[0] == row["kendall"]
            assert bars_at(ax, y) == [(row["kendall_low"], row["kendall_high"])]
            clear = row["kendall_low"] > 0 or row["kendall_high"] < 0
            decided = clear and row["kendall_p_holm"] <= 0.05
            assert (mark.get_marker(), mark.get_alpha()) == (("D", 1) if decided else ("o", 0.5))
            shown += 1
    assert shown == 3 * 20 - 1  # of 22: no depthwise, one equal; no Hill in (c)


@pytest.mark.parametrize("change", [{"kendall_p_holm": 0.9}, {"kendall_high": 0.1}])
def test_decided_takes_both_the_interval_and_the_corrected_p(change):
    table = of_alternatives().assign(kendall=-0.5, kendall_low=-0.8, kendall_high=-0.2, equal=0)
    table = table.assign(kendall_p_holm=0.01)
    assert "decided: not 0" in words(changed("alternatives", alternatives=table))
    seen = words(changed("alternatives", alternatives=table.assign(**change)))
    assert "decided: not 0" not in seen and "not decided" in seen
    wide = draw("alternatives", {"alternatives": table}, style.Look(), {"confidence": 0.999})
    assert "decided: not 0" not in words(wide)


def test_alpha_is_the_line_through_all_rows_and_equal_rows_say_so():
    figure = drawn("alternatives")
    for ax, alpha in zip(figure.axes, (-0.12, -0.35, -0.55), strict=True):
        through = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert [line.get_xdata()[0] for line in through] == [alpha]
        heights = rows_of(ax, row_names(figure))
        (equal,) = [text for text in ax.texts if text.get_text() == "= alpha"]
        assert equal.get_position()[1] == heights["the other rule for layers"]
        assert not marks_at(ax, heights["the other rule for layers"])
        reduced = [  # alpha on the models that have pointwise layers
            line.get_xdata()[0]
            for line in ax.lines
            if line.get_marker() == "|"
            and line.get_ydata()[0] == heights["1 × 1 convolutions only"]
        ]
        assert reduced == [pytest.approx(alpha + 0.15)]


def test_alternatives_are_hollow_without_an_interval():
    figure = drawn("alternatives", "one family")
    first, second = figure.axes[:2]
    assert {m.get_markerfacecolor() for y in range(20) for m in marks_at(first, y)} == {"white"}
    assert {m.get_markerfacecolor() for y in range(20) for m in marks_at(second, y)} != {"white"}


def test_a_star_marks_an_interval_of_the_difference_without_zero():
    table = of_alternatives().assign(difference_low=-0.1, difference_high=0.1, gain_low=-0.1)
    assert "*" not in words(changed("alternatives", alternatives=table))
    one = (table["metric"] == "alpha_median") & (table["comparison"] == "a")
    table.loc[one, "difference_low"] = 0.01
    seen = words(changed("alternatives", alternatives=table))
    assert seen.count("40 *") == 1 and "* differs from alpha" in seen
    assert "that of the absolute values" not in seen


def test_the_star_of_a_baseline_is_about_absolute_values():
    none = {"difference_low": -0.1, "difference_high": 0.1, "gain_low": -0.1, "gain_high": 0.1}
    table = of_alternatives().assign(**none)
    one = (table["metric"] == "log_norm") & (table["comparison"] == "a")
    table.loc[one, "difference_low"] = 0.01
    assert "*" not in words(changed("alternatives", alternatives=table))
    table.loc[one, "gain_low"] = 0.01
    seen = words(changed("alternatives", alternatives=table))
    assert seen.count("40 *") == 1 and "of baselines: that of the absolute values" in seen


def test_alternatives_says_where_no_result_could_have_been_decided():
    assert "too few to decide" not in words(drawn("alternatives"))
    table = of_alternatives().assign(kendall_p_holm=0.9)
    table.loc[table["comparison"] == "a", "smallest_p"] = 0.32
    assert "too few to decide some or all in (a)" in words(
        changed("alternatives", alternatives=table)
    )


def test_alternatives_without_a_value_are_named_and_rows_without_one_give_the_note():
    seen = words(drawn("alternatives"))
    assert "without a value: depthwise convolutions only" in seen
    assert "depthwise convolutions only" not in row_names(drawn("alternatives"))
    assert seen.count("no model has all values") == 1  # Hill, in (c)


def test_error_is_shown_where_there_is_no_accuracy_and_named():
    table = of_alternatives().assign(quality_metric="error")
    assert "zoo (mnist-1d): top-1 error" in words(changed("alternatives", alternatives=table))
    gap = of_alternatives().assign(quality_metric="generalization_gap", kendall=0.99)
    both = pd.concat([gap, of_alternatives()])
    assert words(changed("alternatives", alternatives=both)) == words(drawn("alternatives"))


@pytest.mark.parametrize("p", ["kendall_p_holm", "kendall_p_bh"])
def test_figures_and_sentences_call_the_same_rows_decided(p):
    ends = [(-0.8, -0.2), (-0.8, 0.1), (0.2, 0.8), (np.nan, np.nan)]
    rows = [
        {"kendall": tau, "kendall_low": low, "kendall_high": high, "interval": how, p: value}
        for (low, high), how, value in itertools.product(ends, ("fisher-z", ""), (0.001, 0.05, 0.2))
        for tau in ((0.5, 1.0) if low != low else ((low + high) / 2,))
    ]
    table = pd.DataFrame(rows)
    found = forests.decided_rows(table, p, data.Ask(confidence=0.95))
    text = [outcome.judge(row, 0.95).outcome.decided for row in rows]
    assert found.tolist() == text and 0 < sum(text) < len(text)
