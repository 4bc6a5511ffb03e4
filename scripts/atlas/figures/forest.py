"""The rank correlation of every family and of all together, with intervals."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from atlas.figures.data import ESTIMATE_TEXT, Ask, row_with, tidy_estimates
from atlas.figures.forests import common_note, why_not
from atlas.figures.marks import (
    FOREST,
    FOREST_SHARE,
    MAX_ROWS,
    clipped,
    compact,
    counted,
    footer,
    legend_mark,
    number,
)
from atlas.figures.style import (
    GREY,
    INK,
    LEAST,
    SMALL,
    Look,
    figure_without,
    new_figure,
    tallest,
    wrapped,
)
from atlas.tables.parts import primary_quality
from atlas.terms.keys import PARTITION, SIZE
from atlas.terms.words import metric_label


def forest(look: Look, ask: Ask, correlations: pd.DataFrame) -> Figure:
    """Kendall's tau of quality with the primary metric, a row per comparison and group."""
    metric, quality = ask.primary_metrics[0], ask.primary_quality
    table = tidy_estimates(correlations)
    table = table[~table["collection"].isin(list(ask.controls))]
    chosen = table[table["metric"] == metric]
    rows, left_out = _forest_rows(chosen, quality, tallest(look, look.width_mm, FOREST_SHARE))
    known = [row for kind, _, row in rows if kind == "row" and math.isfinite(row["kendall"])]
    if not known:
        why = common_note(row["note"] for kind, _, row in rows if kind == "row")
        why = f": {why}" if why else ""
        text = f"No correlation of {metric} with {quality} could be computed{why}."
        return figure_without(look.width_mm, text)
    height = _forest_height(rows)
    figure = new_figure(look, look.width_mm, height, FOREST_SHARE)
    ax = figure.subplots()
    y = -1.0
    ticks, names = [], []
    differ = size_shown = hollow_shown = False
    for kind, text, row in rows:
        y += 1.6 if kind == "collection" and y >= 0 else 1
        if kind != "row":
            weight = "bold" if kind == "collection" else "normal"
            ax.annotate(
                *(text, (0, y)),
                xycoords=ax.get_yaxis_transform(),
                xytext=(-4 if kind == "x" else 0, 0),
                textcoords="offset points",
                va="center",
                size=LEAST if kind == "group" else SMALL,
                weight=weight,
                color=INK if kind == "collection" else GREY,
                annotation_clip=False,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
            continue
        ticks.append(y)
        names.append(text)
        key = {name: row[name] for name in ESTIMATE_TEXT if name not in ("note", "treatment")}
        size = row_with(table, **(key | {"metric": SIZE}), treatment="dropped")
        stored = row_with(chosen, **key, treatment="stored")
        ax.annotate(
            *(compact(row["n"]), (1, y)),
            xycoords=ax.get_yaxis_transform(),
            **{"xytext": (2, 0), "textcoords": "offset points", "va": "center", "size": LEAST},
            annotation_clip=False,
        )
        if size is not None and math.isfinite(size["kendall"]) and metric != SIZE:
            size_shown = True
            ax.plot(size["kendall"], y, **_SIZE_MARK)
        value = row["kendall"]
        if not math.isfinite(value):
            ax.text(
                -1,
                y,
                why_not(row, 38),
                size=LEAST,
                color=GREY,
                va="center",
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2},
            )
            continue
        colour = FOREST[row["comparison"]]
        pooled = row["scope"] != "family"
        certain = math.isfinite(row["kendall_low"])
        hollow_shown |= not certain
        other = stored is not None and abs(stored["kendall"] - value) > 5e-4
        differ |= other
        up = -0.17 if other else 0.0
        if certain:
            ax.plot(
                *([row["kendall_low"], row["kendall_high"]], [y + up] * 2),
                **{"color": colour, "linewidth": 1.6 if pooled else 0.9, "zorder": 2},
                solid_capstyle="butt",
            )
        face = colour if certain else "white"
        ax.plot(
            value,
            y + up,
            marker="D" if pooled else "o",
            markersize=4 if pooled else 3.4,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=0.8,
            zorder=3,
        )
        if other:
            if math.isfinite(stored["kendall_low"]):
                ends = [stored["kendall_low"], stored["kendall_high"]]
                ax.plot(ends, [y + 0.22] * 2, color=GREY, linewidth=0.6, zorder=1)
            ax.plot(stored["kendall"], y + 0.22, **_STORED_MARK)
    ax.axvline(0, color=INK, linewidth=0.6, zorder=0)
    ax.set(xlim=(-1.04, 1.04), ylim=(y + 0.8, -0.8), xticks=[-1, -0.5, 0, 0.5, 1])
    ax.set_yticks(ticks, names, size=LEAST)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1 if v % 1 else 0)))
    ax.tick_params(axis="y", length=0)
    sns.despine(ax=ax, left=True)
    ax.set_xlabel(wrapped(f"Kendall's τ of quality and {metric_label(metric)}", 0.72 * height + 40))
    ax.annotate(
        "n", (1, 1), (2, 2), xycoords="axes fraction", textcoords="offset points", size=LEAST
    )
    ax.annotate(
        "← theory expects < 0",
        (0.5, 1),
        (-3, 2),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        size=LEAST,
        color=GREY,
    )
    level = f"{100 * ask.confidence:g} % interval"
    handles: list[Line2D] = [
        legend_mark(INK, "o", f"one group, {level}", size=3.4),
        legend_mark(INK, "D", "all groups together", size=4),
    ]
    if hollow_shown:
        handles.append(legend_mark(INK, "o", "too few for an interval", hollow=True, size=3.4))
    if size_shown:
        handles.append(Line2D([], [], label="size only (baseline)", **_SIZE_MARK))
    if differ:
        handles.append(Line2D([], [], label="failed fits averaged in", **_STORED_MARK))
    title = (
        f"{counted(left_out, 'row')} without an interval or with fewer models not shown"
        if left_out
        else ""
    )
    footer(figure, title, handles, look.width_mm)
    return figure


_SIZE_MARK = {
    "marker": "|",
    "markersize": 8,
    "markeredgewidth": 1.4,
    "linestyle": "",
    "color": "#A0A0A0",
    "zorder": 1.5,
}

_STORED_MARK = {
    "marker": "s",
    "markersize": 2.4,
    "markerfacecolor": "white",
    "markeredgewidth": 0.6,
    "linestyle": "",
    "color": GREY,
    "zorder": 2,
}

_COMPARISONS = {
    "a": "(a) between architectures",
    "b": "(b) variants of one architecture",
    "c": "(c) recipes and seeds of one variant",
}

_Lines = list[tuple[str, str, Mapping[str, Any]]]


def _forest_height(lines: _Lines) -> float:
    """Height in mm of a forest with these lines."""
    return 3.3 * len(lines) + 22


def _forest_rows(table: pd.DataFrame, quality: str, room_mm: float) -> tuple[_Lines, int]:
    """Headings and rows from top to bottom, and how many rows had no room.

    First come those with a value and of them what the text is about, groups together; then those
    with an interval, of most models.
    """
    first = table[table["treatment"] == "dropped"]
    parts = []
    for key, group in first.groupby(PARTITION, sort=True):
        chosen = primary_quality(group["quality_metric"], quality)
        group = group[group["quality_metric"] == chosen]
        if len(group):
            parts.append((key, group))
    parts.sort(key=lambda part: -part[1]["n"].max())
    everything = pd.concat([group for _, group in parts]) if parts else first.iloc[:0]
    order = everything.assign(
        small=everything["scope"] == "family",
        open=everything["kendall_low"].isna(),
        none=everything["kendall"].isna(),
        less=-everything["n"],
    ).sort_values(["none", "small", "open", "less", "comparison"], kind="stable")

    def lines(count: int) -> _Lines:
        return _forest_lines([(key, g[g.index.isin(order.index[:count])]) for key, g in parts])

    counts = range(1, min(MAX_ROWS, len(order)) + 1)
    fit = bisect_right(counts, room_mm, key=lambda count: _forest_height(lines(count)))
    result = lines(fit)
    blank = (everything["scope"] == "within") & (everything["family"] != "")
    shown = sum(kind == "row" for kind, *_ in result)
    return result, len(everything) - int(blank.sum()) - shown


def _forest_lines(parts: Sequence[tuple[Any, pd.DataFrame]]) -> _Lines:
    """The headings of these parts and comparisons, and their rows."""
    result: _Lines = []
    for (collection, dataset, version), group in parts:
        if group.empty:
            continue
        same = [key for key, _ in parts if key[0] == collection]
        name = clipped(collection or "no collection")
        name += f" ({clipped(dataset, 20)})" if dataset else ""
        name += f", weightwatcher {version}" if len({key[2] for key in same}) > 1 else ""
        if len(parts) > 1:
            result.append(("collection", name, {}))
        for comparison, heading in _COMPARISONS.items():
            rows = group[group["comparison"] == comparison]
            if rows.empty:
                continue
            result.append(("group", heading, {}))
            small = rows[rows["scope"] == "family"].sort_values(["family", "variant"])
            together = rows[(rows["scope"] != "family") & (rows["family"] == "")]
            for row in small.to_dict("records"):
                name = row["variant"] or row["family"] or "no family"
                result.append(("row", clipped(name), row))
            for row in together.to_dict("records"):
                word = {"a": "all models", "b": "within families", "c": "within variants"}
                result.append(("row", word[comparison], row))
    return result
