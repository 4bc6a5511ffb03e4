"""Labels beside their points, where they cover neither each other nor many points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from atlas.figures.style import INK, LEAST


@dataclass(frozen=True)
class Label:
    """A word at a point of a panel; `weight` decides who comes first where space is scarce.

    `gap` is the distance in points, more than the radius of the mark.
    """

    ax: Axes
    x: float
    y: float
    text: str
    colour: str = INK
    weight: float = 0.0
    gap: float = 4.5


def place_labels(figure: Figure, labels: Sequence[Label], size: float = LEAST) -> None:
    """Write labels beside their points where they cover neither each other nor many points.

    A label that finds no free place is left out: fewer words are better than unreadable ones.
    """
    if not labels:
        return
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    radius = 2.5 / 72 * figure.dpi  # of a mark
    taken: dict[Axes, list[Bbox]] = {}
    points = {label.ax: _points(label.ax) for label in labels}
    for label in sorted(labels, key=lambda label: -label.weight):
        ax, boxes = label.ax, taken.setdefault(label.ax, [])
        frame = ax.get_window_extent(renderer).padded(2)
        best: tuple[float, Annotation, Bbox] | None = None
        for order, (dx, dy, ha, va) in enumerate(_PLACES):
            text = ax.annotate(
                label.text,
                (label.x, label.y),
                (dx * label.gap, dy * label.gap),
                textcoords="offset points",
                ha=ha,
                va=va,
                size=size,
                color=label.colour,
                annotation_clip=False,
            )
            text.set_in_layout(False)
            text.set_path_effects([withStroke(linewidth=1.2, foreground="white", alpha=0.85)])
            box = text.get_window_extent(renderer)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            inside &= frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in boxes):
                large, small = points[ax]
                cost = 6.0 * box.padded(radius).count_contains(large) + order
                cost += 1.0 * box.count_contains(small)
                if best is None or cost < best[0]:
                    if best:
                        best[1].remove()
                    best = (cost, text, box)
                    continue
            text.remove()
        if best and best[0] > 36:  # six marks covered
            best[1].remove()
        elif best:
            boxes.append(best[2].padded(0.5))


_PLACES = [
    (dx * r, dy * r, ha, va)
    for r in (1, 1.7, 3)
    for dx, dy, ha, va in (
        (1, 0, "left", "center"),
        (-1, 0, "right", "center"),
        (0, 1, "center", "bottom"),
        (0, -1, "center", "top"),
        (0.7, 0.7, "left", "bottom"),
        (-0.7, 0.7, "right", "bottom"),
        (0.7, -0.7, "left", "top"),
        (-0.7, -0.7, "right", "top"),
    )
]


def _points(ax: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Where large marks and lines, and where small marks of a panel are on the page: (k, 2) each."""
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([np.empty((0, 2))], [np.empty((0, 2))])
    for marks in ax.collections:
        offsets = np.ma.filled(np.ma.asarray(marks.get_offsets(), float), np.nan)
        if offsets.size:
            small = isinstance(marks, PathCollection) and marks.get_sizes().max() < 10
            found[int(small)].append(ax.transData.transform(offsets))
    for line in ax.lines:
        data = np.asarray(line.get_xydata(), float)
        if line.get_transform() == ax.transData and len(data):
            corners = ax.transData.transform(data)
            steps = np.linspace(0, len(corners) - 1, 12 * len(corners))
            index = np.arange(len(corners))
            along = [np.interp(steps, index, c) for c in corners.T]
            found[0].append(np.column_stack(along))
    large, small = (np.vstack(some) for some in found)
    return large[np.isfinite(large).all(axis=1)], small[np.isfinite(small).all(axis=1)]
