"""What figures draw and write: numbers, points, ticks, headers, legends and grids of panels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from atlas.figures.data import ESTIMATE_TEXT
from atlas.figures.style import BASE, GREY, PALETTE, SMALL, Look, new_figure, tallest, wrapped
from atlas.fits import metrics
from atlas.terms.keys import LOWER_IS_BETTER

MAX_BLOCKS, MAX_PANELS, MAX_ROWS, MAX_LEGEND = 3, 12, 60, 10
"""Collections of `quality_metrics`, panels, rows of a forest, families in a legend."""

NARROW_SHARE, FOREST_SHARE = 0.58, 0.54
"""On which share of the text's width the paper prints figures `width_mm` wide, and the forest."""

SQUEEZE = 0.8
"""How far panels may be pressed together before something is left out."""

LONGEST = 30
"""Letters of a name in a legend, a row or over a panel; longer ones lose their middle."""

BAND = (metrics.OVER_TRAINED, metrics.UNDER_TRAINED)


ESTIMATE_TEXT += ["metric", "quality_metric", "treatment", "relation", "reference", "note"]


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign; a dash for none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def tau(row: Mapping[str, Any] | None, interval: bool = False, count: bool = True) -> str:
    """Kendall's tau of a row of correlations, as annotated: value, interval, number of models."""
    if row is None:
        return "τ not computed"
    if not math.isfinite(row["kendall"]):
        return "no τ" + (f" (n = {compact(row['n'])})" if count else "")
    text = f"τ = {number(row['kendall'])}"
    if interval and math.isfinite(row["kendall_low"]):
        text += f" [{number(row['kendall_low'])}, {number(row['kendall_high'])}]"
    return text + (f" (n = {compact(row['n'])})" if count else "")


def compact(value: float) -> str:
    return f"{int(value)}" if math.isfinite(value) else "–"


def counted(count: int, noun: str) -> str:
    """'1 model', '2 models', '2 families'."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def say(ax: Axes, text: str, width: int = 28) -> None:
    """Words in a panel that has nothing to show."""
    ax.set(xticks=[], yticks=[])
    sns.despine(ax=ax, left=True, bottom=True)
    lines = textwrap.fill(text, width)
    ax.text(
        0.5, 0.5, lines, ha="center", va="center", transform=ax.transAxes, color=GREY, size=SMALL
    )


def few_ticks(ax: Axes, x: int = 4, y: int = 5) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(x, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(y, steps=[1, 2, 5, 10]))
    ax.margins(0.1)


def better_up(ax: Axes, quality: str) -> None:
    if quality in LOWER_IS_BETTER:
        ax.invert_yaxis()


def second_line(ax: Axes, title: str, line: str) -> None:
    """A bold title with a plain line below it."""
    ax.set_title(title, loc="left", weight="bold", pad=3 + (SMALL + 2) * (1 + line.count("\n")))
    ax.annotate(
        line,
        (0, 1),
        (0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
        size=SMALL,
        linespacing=1.15,
    )


def scatter(ax: Axes, rows: pd.DataFrame, x: str, y: str, **marks: Any) -> None:
    """Points without a legend; missing values are left out."""
    rows = rows[rows[x].notna() & rows[y].notna()]
    if len(rows):
        ax.scatter(rows[x], rows[y], **marks)


def legend_mark(
    colour: str, marker: str, label: str, hollow: bool = False, size: float = 4
) -> Line2D:
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle="",
        markersize=size,
        markeredgewidth=0.7,
        markerfacecolor="white" if hollow else colour,
        label=label,
    )


def _columns(labels: Sequence[str], width_mm: float) -> int:
    """How many entries of a legend fit side by side."""
    widths = sorted((1.22 * len(text) + 6.5 for text in labels), reverse=True)
    room = width_mm - 4
    return max(1, len(labels) if sum(widths) <= room else int(room / max(widths)))


def header(figure: Figure | SubFigure, title: str, handles: list[Any], width_mm: float) -> None:
    """A bold title at the top left and, below it, what the marks mean."""
    if not handles:
        figure.suptitle(title, x=0.006, ha="left", size=BASE, weight="bold")
        return
    names = [handle.get_label() for handle in handles]
    legend = figure.legend(
        handles=handles,
        title=title,
        loc="outside upper left",
        ncols=_columns(names, width_mm),
        alignment="left",
    )
    legend.get_title().set_weight("bold")


def most_panels(look: Look, row_mm: float, extra_mm: float) -> int:
    """How many panels of `panel_grid` the page holds, and no more than one can look at."""
    columns = max(1, min(4, int(look.wide_mm // 43)))
    rows = int((tallest(look, look.wide_mm) - extra_mm) // (row_mm * SQUEEZE))
    return min(MAX_PANELS, columns * rows)


def panel_grid(look: Look, count: int, row_mm: float, extra_mm: float) -> tuple[Figure, list[Axes]]:
    """A figure with this many panels side by side and below each other, and its panels."""
    columns = max(1, min(3 if count in (3, 5, 6, 9) else 4, int(look.wide_mm // 43), count))
    rows = math.ceil(count / columns)
    width = look.wide_mm if columns > 1 else look.width_mm
    figure = new_figure(look, width, rows * row_mm + extra_mm)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[count:]:
        ax.set_axis_off()
    return figure, axes


def footer(figure: Figure, title: str, handles: list[Any], width_mm: float) -> None:
    """What the marks mean, below the panels."""
    names = [handle.get_label() for handle in handles]
    legend = figure.legend(
        handles=handles,
        title=wrapped(title, width_mm - 4, SMALL),
        loc="outside lower left",
        ncols=_columns(names, width_mm) if names else 1,
        alignment="left",
    )
    legend.get_title().set_size(SMALL)


def panel_title(family: str, collection: str, several: bool) -> str:
    """A panel's title: the family, with its collection where there are several."""
    name = family or "no family"
    return clipped(f"{name} ({collection})" if several and family != collection else name)


FOREST = {"a": PALETTE[2], "b": PALETTE[0], "c": PALETTE[1]}


def clipped(name: str, length: int = LONGEST) -> str:
    """A name's beginning and end where it is long: runs often differ only there."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def log_axis(axis: Axis, low: float, high: float) -> None:
    """Few round ticks, written in full, on a logarithmic axis."""
    powers = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1,) if high / low > 300 else (1, 3) if high / low > 30 else (1, 2, 5)
    ticks = sorted(digit * power for power in powers for digit in digits)
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))
    axis.set_minor_locator(NullLocator())
