"""Marks, colours and labels of families; numbers as they are printed."""

from __future__ import annotations

import itertools

import matplotlib
import pytest
from helpers.figures import drawn

from atlas.figures import marks as figures_marks
from atlas.figures import style


def test_families_keep_colour_and_marker_and_many_differ():
    look = style.family_look(f"f{i:03d}" for i in range(70))
    assert len(set(look.values())) == 70
    assert style.family_look("ba") == style.family_look("ab")
    assert len({colour for colour, _ in list(look.values())[:7]}) == 7


def test_many_families_are_labelled_without_overlap():
    figure = drawn("quality_metrics", "many families")
    first = figure.findobj(matplotlib.axes.Axes)[0]
    labels = [text for text in first.texts if text.get_text().startswith("family")]
    assert len(labels) >= 8
    boxes = [text.get_window_extent() for text in labels]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert not figure.findobj(matplotlib.legend.Legend)


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.414, "−0.41"), (0.0, "0.00"), (-0.001, "0.00"), (1.0, "1.00"), (float("nan"), "–")],
)
def test_numbers(value, text):
    assert figures_marks.number(value) == text
