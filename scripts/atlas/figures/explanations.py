"""Which traits go with a family's own correlation: a forest of candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from atlas.figures.data import Ask, row_with, tidy
from atlas.figures.forests import (
    COMPARISONS,
    INCH_MM,
    MOST_LEVELS,
    TAU,
    TOGETHER,
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
from atlas.figures.marks import FOREST, compact, counted, footer, header, number
from atlas.figures.style import BESIDE_MM, INK, Look, figure_without, wrapped
from atlas.findings.outcome import level_of
from atlas.terms.keys import PARTITION
from atlas.terms.words import TRAITS

LEVELS = [("family", "b"), ("family", "c"), ("family", "a"), ("variant", "b"), ("variant", "c")]

_LEFT_OUT_MARK = {
    "marker": "|",
    "markersize": 2.2,
    "markeredgewidth": 0.45,
    "linewidth": 0.45,
    "color": "#8C8C8C",
    "zorder": 1.5,
}

_LEFT_OUT_KEY = {
    "marker": r"$\vdash\!\!\dashv$",
    "markersize": 9,
    "linestyle": "",
    "color": "#8C8C8C",
}


def explanations(look: Look, ask: Ask, explanations: pd.DataFrame) -> Figure:
    """Kendall's tau of each candidate with the correlations of the families or variants."""
    table = tidy(
        explanations,
        [
            *PARTITION,
            "quality_metric",
            "level",
            "comparison",
            "candidate",
            "kind",
            "interval",
            "note",
        ],
        [
            *TAU,
            "kendall_p",
            "kendall_p_bh",
            "smallest_p",
            "left_out_low",
            "left_out_high",
            "eta2",
        ],
    )
    category = table["kind"] == "category"
    table["known"] = table["eta2"].where(category, table["kendall"]).notna()
    table["same"] = False
    table["decided"] = decided_rows(table, "kendall_p_bh", ask)
    parts = [(key, rows) for key, rows in quality_parts(table, ask) if rows["known"].any()]
    if not parts:
        note = common_note(table["note"])
        text = "Nothing could be set against the correlations of the families"
        return figure_without(look.wide_mm, f"{text}: {note or 'there are too few'}.")
    parts.sort(key=lambda part: -_most(part[1]))
    single = [part for part in parts if part[0][0] != TOGETHER]
    every = [part for part in parts if part[0][0] == TOGETHER]
    chosen = single[:1]
    if every and (not chosen or _most(every[0][1]) > _most(chosen[0][1])):
        chosen = [*chosen, every[0]]
    blocks = []
    for key, rows in chosen:
        names = rows_of(TRAITS, rows.loc[rows["known"], "candidate"])
        title = "all collections together" if key[0] == TOGETHER else ""
        blocks.append(Block(title or part_title(key, rows, parts, ask), names, rows))
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    present = set(zip(shown["level"], shown["comparison"], strict=True))
    panels = [level for level in LEVELS if level in present][:MOST_LEVELS]
    some, beside = forest_room(look, blocks, len(panels), 34)
    left_out = [block.title for block in blocks[some:]]
    blocks, panels, no_room = blocks[:some], panels[:beside], panels[beside:]
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    figure, axes = forest_figure(look, blocks, len(panels), 34)
    width = figure.get_figwidth() * INCH_MM
    title = (
        "What goes with how well alpha works? Kendall's τ between a trait and alpha's correlation "
    )
    title += f"with {quality_word(ask.primary_quality)}"
    header(figure, wrapped(title, width - 4, 7.8), [], width)
    smaller = False
    for index, (block, line) in enumerate(zip(blocks, axes, strict=True)):
        for (level, comparison), ax in zip(panels, line, strict=True):
            picked = (block.table["level"] == level) & (block.table["comparison"] == comparison)
            own = block.table[picked]
            most = own.loc[own["known"], "n"].max()
            smaller |= _explanations_panel(ax, block.rows, own, FOREST[comparison], most)
            first = ax is line[0] or look.wide_mm < BESIDE_MM
            if math.isnan(most) and ax is not line[0]:
                ax.set_visible(False)  # the first has the names of the rows
                continue
            many = counted(int(most), level) if math.isfinite(most) else f"no {level}"
            words = f"{COMPARISONS[comparison]}\nn = {many}" if math.isfinite(most) else many
            heads(ax, block.title if first else "", words, 16 if index == 0 else 2)
            if index == 0:
                write_above(ax, "← alpha works\nbetter if larger", 0.0, "left")
                write_above(ax, "alpha works →\nworse if larger", 1.0, "right")
    for column in zip(*axes, strict=True):
        seen = [ax for ax in column if ax.get_visible()]
        for ax in seen[-1:]:
            ax.set_xlabel("Kendall's τ of trait and correlation")
    values = shown[shown["kind"] != "category"]
    handles = decision_handles(values, "decided after Benjamini and Hochberg's correction", ask)
    if values["left_out_low"].notna().any():
        handles.append(Line2D([], [], label="range when one family is left out", **_LEFT_OUT_KEY))
    notes = ["numbers at the right: n where it is smaller"] * smaller
    if len(values) < len(shown):
        notes.append("η²: share of the variance that lies between the categories")
    few = ~shown["decided"] & (shown["smallest_p"] > level_of(ask.confidence))
    if few.any():
        every = "" if few.all() else f" for {few.sum()} of {counted(len(few), 'estimate')}"
        notes.append(f"too few families to decide any{every}")
    notes += [f"no room for {COMPARISONS[name]} of each {level}" for level, name in no_room]
    notes += [f"no room for {title}" for title in left_out]
    notes += without_value(blocks, TRAITS, "candidate")
    rest = len(single) - 1
    if rest > 0:
        notes.append(f"{counted(rest, 'more data set')} with fewer families not shown on their own")
    footer(figure, "; ".join(notes), handles, width)
    return figure


def _most(rows: pd.DataFrame) -> float:
    """The largest number of families, or failing these of variants, that any estimate is about."""
    known = rows[rows["known"]]
    families = known[known["level"] == "family"]
    return float(np.nan_to_num((families if len(families) else known)["n"].max()))


def _explanations_panel(
    ax: Axes, rows: Sequence[ForestRow], table: pd.DataFrame, colour: str, most: float
) -> bool:
    """One level of one part; whether any row has a smaller n than the panel's `most`."""
    known = table[table["known"]]
    if known.empty:
        write_over(ax, common_note(table["note"]) or "nothing to compare")
        return False
    smaller = False
    for y, name in enumerate(rows):
        row = row_with(table, candidate=name.key)
        if row is None or not name.key:
            continue
        if not row["known"]:
            write_in_row(ax, -1, y, why_not(row))
            continue
        if row["n"] < most:
            smaller = True
            write_beside(ax, y, compact(row["n"]))
        if row["kind"] == "category":
            p = row["kendall_p"]
            text = f"η² = {number(row['eta2'])}" + (f", {_p_value(p)}" if p == p else "")
            strong = {"weight": "bold", "color": INK} if row["decided"] else {}
            write_in_row(ax, -1, y, text, **strong)
            continue
        if math.isfinite(row["left_out_low"]):
            ends = [row["left_out_low"], row["left_out_high"]]
            ax.plot(ends, [y + 0.33] * 2, **_LEFT_OUT_MARK)
        draw_estimate(ax, y, row, colour)
    return smaller


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
