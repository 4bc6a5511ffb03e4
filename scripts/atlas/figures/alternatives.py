"""Other alphas beside alpha: the rank correlation of each with quality, and what it gains."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from atlas.figures.data import Ask, row_with, tidy
from atlas.figures.forests import (
    ALPHA,
    COMPARISONS,
    INCH_MM,
    TAU,
    Block,
    ForestRow,
    common_note,
    decided_rows,
    decision_handles,
    draw_estimate,
    forest_figure,
    forest_room,
    heads,
    part_title,
    quality_parts,
    quality_word,
    rows_of,
    why_not,
    without_value,
    write_above,
    write_beside,
    write_in_row,
    write_over,
)
from atlas.figures.marks import FOREST, MAX_BLOCKS, compact, footer, header
from atlas.figures.style import BESIDE_MM, GREY, INK, Look, figure_without, wrapped
from atlas.findings.outcome import level_of
from atlas.terms.keys import PARTITION
from atlas.terms.words import ALTERNATIVES

_ALPHA_MARK = {
    "marker": "|",
    "markersize": 8,
    "markeredgewidth": 1.8,
    "linestyle": "",
    "color": INK,
    "zorder": 3,
}

_REDUCED_MARK = _ALPHA_MARK | {"markersize": 6, "markeredgewidth": 0.9, "color": GREY, "zorder": 1}


def alternatives(look: Look, ask: Ask, alternatives: pd.DataFrame) -> Figure:
    """Kendall's tau of quality with other ways to compute alpha and baselines, beside alpha's own."""
    table = tidy(
        alternatives,
        [*PARTITION, "comparison", "metric", "kind", "quality_metric", "interval", "note"],
        [
            *TAU,
            *["kendall_p_holm", "smallest_p", "kendall_alpha", "equal", "units"],
            *[f"{name}_{end}" for name in ("difference", "gain") for end in ("low", "high")],
        ],
    )
    table["same"] = (table["equal"] >= table["units"]) & (table["units"] > 0)
    table["known"] = table["kendall"].notna() | (table["same"] & table["kendall_alpha"].notna())
    table["decided"] = decided_rows(table, "kendall_p_holm", ask)
    baseline = table["kind"] == "baseline"  # these need not have alpha's sign
    low, high = (
        table[f"difference_{end}"].mask(baseline, table[f"gain_{end}"]) for end in ("low", "high")
    )
    table["differs"] = ((low > 0) | (high < 0)) & ~table["same"]
    parts = [(key, rows) for key, rows in quality_parts(table, ask) if rows["known"].any()]
    if not parts:
        note = common_note(table["note"])
        text = "No other way to compute alpha could be set against quality"
        return figure_without(look.wide_mm, f"{text}: {note or 'there are no values'}.")
    blocks = []
    for key, rows in parts[:MAX_BLOCKS]:
        present = rows.loc[rows["known"], "metric"]
        names = [
            ForestRow("alpha itself (mean over layers)", ALPHA),
            *rows_of(ALTERNATIVES, present),
        ]
        blocks.append(Block(part_title(key, rows, parts, ask), names, rows))
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    panels = [name for name in COMPARISONS if (shown["comparison"] == name).any()]
    some, beside = forest_room(look, blocks, len(panels), 24)
    blocks, panels, no_room = blocks[:some], panels[:beside], panels[beside:]
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    figure, axes = forest_figure(look, blocks, len(panels), 24)
    width = figure.get_figwidth() * INCH_MM
    title = "Does another way to compute alpha bring the correlation back? "
    title += f"Kendall's τ with {quality_word(ask.primary_quality)}"
    header(figure, wrapped(title, width - 4, 7.8), [], width)
    reduced = False
    for block, line in zip(blocks, axes, strict=True):
        for comparison, ax in zip(panels, line, strict=True):
            own = block.table[block.table["comparison"] == comparison]
            reduced |= _alternatives_panel(ax, block.rows, own, FOREST[comparison])
            first = ax is line[0] or look.wide_mm < BESIDE_MM
            heads(ax, block.title if first else "", COMPARISONS[comparison], 8)
            write_above(ax, "← theory expects", 0, "left")
    for ax in axes[-1]:
        ax.set_xlabel("Kendall's τ")
    handles = [Line2D([], [], label="alpha itself, on all models", **_ALPHA_MARK)]
    if reduced:
        handles.append(Line2D([], [], label="alpha on the same, fewer models", **_REDUCED_MARK))
    values = shown[~shown["same"]]
    after = "after Holm's correction"
    handles += decision_handles(values, f"decided: not 0, also {after}", ask)
    notes = ["* differs from alpha: the interval of the difference excludes 0"] * int(
        values["differs"].any()
    )
    starred = values["differs"] & (values["kind"] == "baseline")
    notes += ["of baselines: that of the absolute values"] * int(starred.any())
    few = ~values["decided"] & (values["smallest_p"] > level_of(ask.confidence))
    places = [f"({name})" for name in panels if few[values["comparison"] == name].any()]
    if places:
        notes.append(f"too few to decide some or all in {', '.join(places)}")
    notes += [f"no room for {COMPARISONS[name]}" for name in no_room]
    rest = [part_title(key, rows, parts, None) for key, rows in parts[len(blocks) :]]
    if rest:
        names = textwrap.shorten(", ".join(rest), 100, placeholder=" …")
        notes.append(f"{len(rest)} more with fewer models not shown: {names}")
    notes += without_value(blocks, ALTERNATIVES, "metric")
    footer(figure, "; ".join(notes), handles, width)
    return figure


def _alternatives_panel(
    ax: Axes, rows: Sequence[ForestRow], table: pd.DataFrame, colour: str
) -> bool:
    """One comparison of one part; whether any row has fewer models than alpha's own."""
    known = table[table["known"]]
    if known.empty:
        write_over(ax, common_note(table["note"]) or "nothing to compare")
        return False
    keys = [row.key for row in rows]
    order = known.assign(place=known["metric"].map(keys.index)).sort_values("place")
    most = order[order["kendall_alpha"].notna()].sort_values("n", ascending=False, kind="stable")
    alpha = most["kendall_alpha"].iloc[0] if len(most) else math.nan
    if math.isfinite(alpha):
        ax.axvline(alpha, color=INK, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0.6)
        ax.plot(alpha, 0, **_ALPHA_MARK)
        write_beside(ax, 0, compact(most["n"].iloc[0]))
    write_above(ax, "n", 1, "left", color=INK, dx=2)
    reduced = False
    for y, key in enumerate(keys):
        row = row_with(table, metric=key)
        if row is None or not key:
            continue
        if not row["known"]:
            write_in_row(ax, -1, y, why_not(row))
            continue
        write_beside(ax, y, compact(row["n"]) + (" *" if row["differs"] else ""))
        own = row["kendall_alpha"]
        if row["same"]:
            left = (own if math.isfinite(own) else row["kendall"]) > 0.4
            at = own if math.isfinite(own) else row["kendall"]
            write_in_row(
                ax, at - 0.05 if left else at + 0.05, y, "= alpha", "right" if left else "left"
            )
            continue
        if abs(own - alpha) > 5e-3:
            reduced = True
            ax.plot(own, y, **_REDUCED_MARK)
        draw_estimate(ax, y, row, colour)
    return reduced
