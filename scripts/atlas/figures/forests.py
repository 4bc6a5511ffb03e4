"""The grammar of forests with several panels.

A filled, strong diamond is decided, as the text has it; a pale one is open; a hollow one has no
interval. What cannot be shown is said in words.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from atlas.figures.data import Ask
from atlas.figures.marks import clipped, legend_mark, number
from atlas.figures.style import BESIDE_MM, GREY, INK, LEAST, PALE, SMALL, Look, new_figure, tallest
from atlas.findings.outcome import decided, level_of
from atlas.tables.parts import primary_quality
from atlas.terms.keys import PARTITION
from atlas.terms.notes import notes_of
from atlas.terms.words import NOTE_LABELS, metric_label, quality_label

RAW = ("evals_median", "aspect_median", "log_parameters", "D", "outside_share", "rank_loss_share")


RAW += ("pointwise_share", "depthwise_share", "tail_share", "alpha_gaussian", "layers", "alpha_sd")


MOST_PANELS, MOST_NAMES = 6, 12
"""Candidates of `traits` in the order of preference, how many are shown, how many families named."""

MOST_CROWD, MOST_LABELS = 20, 30
"""With how many families the marks of `shape` become smaller; how many of them may get a name."""

COMPARISONS = {
    "a": "(a) between architectures",
    "b": "(b) between variants",
    "c": "(c) between trainings",
}
"""Short names of the comparisons, for the heads of narrow panels."""

MOST_LEVELS = 3
"""Whose correlations, of which comparison, `explanations` shows: the first of these that there are."""

TOGETHER = "all"
"""What the table of explanations calls the collections together."""

TAU = ["n", "kendall", "kendall_low", "kendall_high"]
ALPHA = "alpha"

ROW_MM, LEAST_ROW_MM = 2.8, 2.3
"""Height of a row of a forest, and how little it may be."""

INCH_MM = 25.4


@dataclass(frozen=True)
class ForestRow:
    """A line across the panels: what `key` names, or a heading where there is no key."""

    text: str
    key: str = ""


@dataclass(frozen=True)
class Block:
    """What one part of the data says: its title, its rows from top to bottom, its estimates."""

    title: str
    rows: list[ForestRow]
    table: pd.DataFrame


QualityPart = tuple[tuple[str, str, str], pd.DataFrame]
"""A partition (collection, data set, version) and its rows."""


def rows_of(groups: Mapping[str, Mapping[str, str]], present: Iterable[str]) -> list[ForestRow]:
    """The rows of what is present under the headings of their groups; unknown ones come last."""
    left = set(present)
    rows: list[ForestRow] = []
    for heading, names in groups.items():
        found = [ForestRow(text, key) for key, text in names.items() if key in left]
        left -= set(names)
        rows += [ForestRow(heading), *found] if found else []
    others = [ForestRow(metric_label(key), key) for key in sorted(left)]
    return [*rows, ForestRow("other"), *others] if others else rows


def quality_parts(table: pd.DataFrame, ask: Ask) -> list[QualityPart]:
    """The partitions and their rows about the primary quality, those with most models first.

    A partition without it shows its own primary one, and one that is about several qualities
    (collections together) names none; controls are none.
    """
    parts = []
    table = table[~table["collection"].isin(list(ask.controls))]
    for key, group in table.groupby(PARTITION, sort=True):
        chosen = primary_quality(group["quality_metric"], ask.primary_quality)
        rows = group[group["quality_metric"].isin([chosen, ""])]
        if len(rows):
            parts.append((key, rows))
    return sorted(parts, key=lambda part: -np.nan_to_num(part[1]["n"].max()))


def part_title(
    key: tuple[str, str, str], rows: pd.DataFrame, parts: Sequence[QualityPart], ask: Ask | None
) -> str:
    """A partition's name: collection, data set, and what is not as elsewhere: version, quality."""
    collection, dataset, version = key
    several = len({other[2] for other, _ in parts if other[:2] == key[:2]}) > 1
    name = (collection or "no collection") + (f" ({dataset})" if dataset else "")
    name = clipped(name, 42)  # beside the names of the rows there is room for no more
    name += f", weightwatcher {version}" if several else ""
    quality = rows["quality_metric"].iloc[0] if ask else ""
    other = ask and quality not in ("", ask.primary_quality)
    return name + (f": {quality_word(quality)}" if other else "")


def quality_word(quality: str) -> str:
    """A quality in a sentence."""
    return re.split(r" \(|,", quality_label(quality))[0]


def _forest_size(
    look: Look, blocks: Sequence[Block], panels: int, extra_mm: float, row_mm: float
) -> tuple[float, float]:
    """Width and height in mm of a figure of `forest_figure` with rows of this height."""
    lines = 1 if look.wide_mm >= BESIDE_MM else panels
    units = sum(len(block.rows) + 0.4 for block in blocks) * lines
    width = look.wide_mm if panels > 1 else max(look.width_mm, min(look.wide_mm, 110))
    return width, row_mm * units + 12.5 * len(blocks) * lines + extra_mm


def forest_room(
    look: Look, blocks: Sequence[Block], panels: int, extra_mm: float
) -> tuple[int, int]:
    """How many of the blocks, and of their panels, the page holds: the last give way first."""

    def fits(some: int, beside: int) -> bool:
        width, height = _forest_size(look, blocks[:some], beside, extra_mm, LEAST_ROW_MM)
        return height <= tallest(look, width)

    choices = [(some, panels) for some in range(len(blocks), 0, -1)]
    choices += [(1, beside) for beside in range(panels - 1, 0, -1)]
    return next((choice for choice in choices if fits(*choice)), choices[-1])


def forest_figure(
    look: Look, blocks: Sequence[Block], panels: int, extra_mm: float
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a line of panels per block, on a narrow page below each other, and its panels.

    All have an axis of Kendall's tau; the names of the rows are at the left.
    """
    beside = panels if look.wide_mm >= BESIDE_MM else 1
    lines = [block for block in blocks for _ in range(panels // beside)]
    units = [len(block.rows) + 0.4 for block in lines]
    figure = new_figure(look, *_forest_size(look, blocks, panels, extra_mm, ROW_MM))
    grid = figure.subplots(len(lines), beside, height_ratios=units, squeeze=False)
    axes = list(grid.flat)
    for index, ax in enumerate(axes):
        rows = lines[index // beside].rows
        first = index % beside == 0
        sns.despine(ax=ax, left=True)
        ax.set(xlim=(-1.04, 1.04), ylim=(len(rows) - 0.3, -0.7), xticks=[-1, -0.5, 0, 0.5, 1])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1 if v % 1 else 0)))
        ax.set_yticks(range(len(rows)), [row.text if first else "" for row in rows], size=LEAST)
        ax.tick_params(axis="y", length=0)
        for y, (row, label) in enumerate(zip(rows, ax.get_yticklabels(), strict=True)):
            if row.key:
                ax.axhline(y, color=PALE, linewidth=0.3, zorder=0)
            else:
                label.set_weight("bold")
        ax.axvline(0, color=INK, linewidth=0.6, zorder=0.5)
    return figure, [axes[i : i + panels] for i in range(0, len(axes), panels)]


def heads(ax: Axes, title: str, heading: str, room: float) -> None:
    """A bold title, where there is one, and the heading of the panel, `room` points above it."""
    lines = 1 + heading.count("\n")
    if title:
        pad = 4 + room + lines * 1.2 * SMALL
        ax.set_title(title, loc="left", weight="bold", pad=pad)
    write_above(ax, heading, 0, "left", room + 2, size=SMALL, color=INK)


def write_above(
    ax: Axes, text: str, x: float, ha: str, points: float = 2, dx: float = 0, **look: Any
) -> None:
    """Small words just above a panel, at `x` of its width; they take no room in the layout."""
    ax.annotate(
        text,
        (x, 1),
        (dx, points),
        xycoords="axes fraction",
        textcoords="offset points",
        annotation_clip=False,
        **{"ha": ha, "va": "bottom", "size": LEAST, "color": GREY, "linespacing": 1.1, **look},
    ).set_in_layout(False)


def write_over(ax: Axes, text: str) -> None:
    """Words over a panel whose rows have nothing to show."""
    lines = textwrap.fill(text, 26)
    back = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    where = {"transform": ax.transAxes, "ha": "center", "va": "center", "zorder": 5}
    ax.text(0.5, 0.5, lines, size=SMALL, color=GREY, bbox=back, **where)


def write_beside(ax: Axes, y: float, text: str) -> None:
    """A number at the right of a row."""
    ax.annotate(
        text,
        (1, y),
        (2, 0),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        size=LEAST,
        annotation_clip=False,
    )


def write_in_row(ax: Axes, x: float, y: float, text: str, ha: str = "left", **look: Any) -> None:
    """Words in a row of a panel, on white."""
    back = {"facecolor": "white", "edgecolor": "none", "pad": 0.2}
    common = {"ha": ha, "va": "center", "size": LEAST, "color": GREY, "bbox": back}
    ax.text(x, y, text, **(common | look))


def decided_rows(table: pd.DataFrame, p: str, ask: Ask) -> pd.Series:
    """Whether the interval excludes 0 and the corrected p is small, as the text has it.

    A category has no tau and no interval, and a tau of plus or minus 1 none that varies: there p
    decides alone.
    """
    tau, low, high = (table[f"kendall{end}"] for end in ("", "_low", "_high"))
    certain = (tau.abs() > 1 - 1e-9) & (table["interval"] != "")
    low, high = low.mask(certain, tau), high.mask(certain, tau)
    if "kind" in table:
        category = table["kind"] == "category"
        tau, low, high = (column.mask(category, 1.0) for column in (tau, low, high))
    return decided(tau, low, high, table[p], level_of(ask.confidence))


def draw_estimate(ax: Axes, y: float, row: Mapping[str, Any], colour: str) -> None:
    """Kendall's tau with its interval: strong where decided, hollow without an interval."""
    strong = row["decided"]
    strength = {"color": colour, "alpha": 1 if strong else 0.5}
    certain = math.isfinite(row["kendall_low"])
    if certain:
        ends = [row["kendall_low"], row["kendall_high"]]
        width = 1.7 if strong else 0.9
        ax.plot(ends, [y, y], linewidth=width, zorder=2, solid_capstyle="butt", **strength)
    mark = {"marker": "D", "markersize": 3.6} if strong else {"marker": "o", "markersize": 3.4}
    face = colour if certain else "white"
    ax.plot(
        row["kendall"], y, markerfacecolor=face, markeredgewidth=0.8, zorder=3, **mark, **strength
    )


def why_not(row: Mapping[str, Any], length: int = 30) -> str:
    """A row's first note in words, short."""
    label = NOTE_LABELS[notes_of(row["note"])[0]] if row["note"] else "not computed"
    return textwrap.shorten(label, length, placeholder=" …")


def common_note(notes: Iterable[str]) -> str:
    """What most of the rows' notes say in words, or nothing."""
    labels = ["; ".join(NOTE_LABELS[n] for n in notes_of(note)) for note in notes if note]
    return max(sorted(set(labels)), key=labels.count) if labels else ""


def decision_handles(rows: pd.DataFrame, decided: str, ask: Ask) -> list[Line2D]:
    """What the marks of `draw_estimate` mean, as far as these rows show them."""
    level = f"{100 * ask.confidence:g} % interval"
    handles = []
    if rows["decided"].any():
        handles.append(legend_mark(INK, "D", decided, size=3.6))
    if (~rows["decided"] & rows["kendall_low"].notna()).any():
        handles.append(legend_mark(INK, "o", f"not decided; bars: {level}", size=3.4))
        handles[-1].set_alpha(0.5)
    if rows["kendall_low"].isna().any():
        handles.append(
            legend_mark(INK, "o", "hollow: too few for an interval", hollow=True, size=3.4)
        )
    return handles


def without_value(
    blocks: Sequence[Block], groups: Mapping[str, Mapping[str, str]], column: str
) -> list[str]:
    """Which rows are in the tables but have no estimate in any panel of their block, in words."""
    text = {key: name for names in groups.values() for key, name in names.items()}
    absent = {}
    for block in blocks:
        empty = set(block.table[column]) - {row.key for row in block.rows}
        names = ", ".join(name for key, name in text.items() if key in empty)
        absent[block.title] = textwrap.shorten(names, 110, placeholder=" …")
    if len(set(absent.values())) == 1:
        (names,) = set(absent.values())
        return [f"without a value: {names}"] if names else []
    return [f"without a value in {title}: {names}" for title, names in absent.items() if names]
