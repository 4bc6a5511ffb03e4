"""The controls beside what they control."""

from __future__ import annotations

import matplotlib
from helpers.figures import ASK, drawn, tables, tau_of, words
from helpers.stages import draw

from atlas.figures import style


def test_untrained_networks_are_in_the_controls_only():
    for name in ("overview", "quality_metrics", "within_families", "forest", "alpha_depth"):
        assert "untrained" not in words(drawn(name)), name
    assert "zoo and zoo-untrained" in words(drawn("controls"))


def test_controls_pair_the_same_variants():
    given = tables("controls")
    figure = draw("controls", given, style.Look(), ASK)
    trained, untrained = figure.findobj(matplotlib.axes.Axes)[:2]
    heights = [
        sorted(y for marks in ax.collections for y in marks.get_offsets()[:, 1])
        for ax in (trained, untrained)
    ]
    assert heights[0] == heights[1] and len(heights[0]) == 15
    table = given["controls"]
    table = table[table["quality_metric"] == "accuracy"]
    seen = words(figure)
    for relation in ("trained", "untrained"):
        for scope in ("families", "within"):
            value = tau_of(table, relation=relation, scope=scope)
            assert f"{scope} {value}" in seen
