"""The forest shows the table's values."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.figures import ASK, answers, drawn, large, words
from helpers.stages import draw

from atlas.figures import style


def test_the_forest_keeps_what_the_text_is_about_then_rows_with_an_interval():
    figure = draw("forest", {"correlations": large()["correlations"]}, style.Look(), ASK)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {"all models", "within families", "within variants"} <= set(names)
    assert "hollow" not in words(figure) and "too few for an interval" not in words(figure)
    shown = re.search(
        r"(\d+) rows without an interval or with fewer models not shown", words(figure)
    )
    assert int(shown[1]) == len(large()["correlations"]) - len(names)


def forest_rows(figure: Any) -> dict[str, float]:
    """The names on the left with their heights."""
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    return dict(zip(labels, ax.get_yticks(), strict=True))


def test_forest_shows_the_values_and_hollow_marks_have_no_interval():
    table = answers("default")["correlations"]
    figure = drawn("forest")
    (ax,) = figure.axes
    heights = forest_rows(figure)
    rows = table[
        (table["metric"] == "alpha")
        & (table["quality_metric"] == "accuracy")
        & (table["treatment"] == "dropped")
        & (table["collection"] == "zoo")
    ]
    families = rows[(rows["comparison"] == "b") & (rows["scope"] == "family")]
    assert len(families) == 5
    for row in families.to_dict("records"):
        near = [
            line
            for line in ax.lines
            if len(line.get_xdata()) == 1
            and line.get_marker() == "o"
            and abs(line.get_ydata()[0] - heights[row["family"]]) < 0.3
        ]
        assert [line.get_xdata()[0] for line in near] == [pytest.approx(row["kendall"])]
        hollow = near[0].get_markerfacecolor() == "white"
        assert hollow == np.isnan(row["kendall_low"])
    ends = sorted(tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2)
    pooled = rows[rows["comparison"] == "a"].iloc[0]
    assert any(np.allclose(e, (pooled["kendall_low"], pooled["kendall_high"])) for e in ends)
    seen = words(figure)
    assert "theory expects < 0" in seen and "failed fits averaged in" in seen
    assert "size only (baseline)" in seen


def test_forest_shows_the_other_treatment_only_where_it_differs():
    table = answers("default")["correlations"]
    same = table.copy()
    dropped = table[table["treatment"] == "dropped"]
    copy = dropped.assign(treatment="stored")
    same = pd.concat([dropped, copy], ignore_index=True)
    figure = draw("forest", {"correlations": same}, style.Look(), ASK)
    assert "failed fits averaged in" not in words(figure)
