"""The figures about reasons: what another alpha would show, and what goes with alpha's success.

As in `figures`, every function is pure, reads correlations from the tables of the statistics and
says in words what cannot be shown. The shared grammar of the two forests: a filled, strong diamond
is decided (beyond the correction for many tests), a pale disc is not, a hollow one has no interval.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from atlas.figures import (
    _FOREST,
    BESIDE_MM,
    GREY,
    INK,
    LEAST,
    MAX_BLOCKS,
    MAX_LEGEND,
    PALE,
    PARTITION,
    SMALL,
    SQUEEZE,
    Ask,
    Label,
    Look,
    _clipped,
    _count,
    _figure,
    _footer,
    _grid,
    _handle,
    _header,
    _many,
    _missing,
    _models,
    _most_panels,
    _place,
    _row,
    _say,
    _second_line,
    _short,
    _ticks,
    _tidy,
    _wrapped,
    family_look,
    metric_label,
    number,
    quality_label,
    tallest,
)
from atlas.parts import primary_quality
from atlas.recipes import is_reference
from atlas.wording import level_of

ALTERNATIVES = {
    "how layers are averaged and chosen": {
        "alpha_median": "median over layers",
        "alpha_by_size": "mean weighted by layer size",
        "alpha_enough": "layers with 50 eigenvalues or more",
        "alpha_inner": "without first and last layer",
        "alpha_in_range": "layers with alpha in 2 to 6",
        "alpha_depthwise": "depthwise convolutions only",
        "alpha_pointwise": "1 × 1 convolutions only",
        "alpha_conv": "other convolutions only",
        "alpha_dense": "dense layers only",
    },
    "how the spectrum is taken": {
        "alpha_other_layers": "the other rule for layers",
        "alpha_windows": "fit to windows of one size",
        "hill": "Hill estimator",
        "hill_windows": "Hill estimator on windows (FARMS)",
    },
    "nulls: noise instead of training": {
        "alpha_shuffled": "entries shuffled",
        "alpha_gaussian": "Gaussian noise, same shape",
        "alpha_over_shuffled": "alpha relative to shuffled (log)",
    },
}
"""The other ways to compute alpha, as the rows of `alternatives` name them."""

TRAITS = {
    "matrix shape": {
        "N_median": "longer side N (median)",
        "M_median": "shorter side M (median)",
        "aspect_median": "aspect ratio N/M (median)",
        "evals_median": "number of eigenvalues (median)",
        "evals_50": "50 eigenvalues or more (share)",
        "rank_loss_share": "eigenvalues lost to rank (share)",
        "alpha_gaussian": "alpha of Gaussian noise, same shape",
        "alpha_shuffled": "alpha of shuffled entries",
    },
    "layer types": {
        "depthwise_share": "depthwise convolutions (share)",
        "pointwise_share": "1 × 1 convolutions (share)",
        "conv_share": "other convolutions (share)",
        "dense_share": "dense layers (share)",
    },
    "fits": {
        "tail_share": "eigenvalues in the tail (share)",
        "D": "KS distance D (mean)",
        "outside_share": "alphas outside 2 to 6 (share)",
        "alpha_sd": "alpha's spread over layers (SD)",
        "failed_share": "failed fits (share)",
        "coverage": "parameters analysed (share)",
    },
    "size": {
        "log_parameters": "log₁₀ parameters",
        "layers": "number of layers",
    },
    "training and data": {
        "metric_sd": "alpha's spread between models (SD)",
        "quality_sd": "quality's spread between models (SD)",
        "recipe": "training recipe",
        "dataset": "data set",
        "weightwatcher_version": "weightwatcher version",
    },
}
"""The candidates, as the rows of `explanations` and the axes of `traits` name them."""

RAW = ("evals_median", "aspect_median", "log_parameters", "D", "outside_share", "rank_loss_share")
RAW += ("pointwise_share", "depthwise_share", "tail_share", "alpha_gaussian", "layers", "alpha_sd")
MOST_PANELS, MOST_NAMES = 6, 12
"""Candidates of `traits` in the order of preference, how many are shown, how many families named."""

MOST_CROWD, MOST_LABELS = 20, 30
"""With how many families the marks of `shape` become smaller; how many of them may get a name."""

LOGARITHMIC = frozenset({"evals_median", "aspect_median", "layers", "alpha_gaussian", "alpha_sd"})
"""Candidates that differ by factors."""

NULLS = {
    "gaussian": "Gaussian noise, same shapes",
    "shuffled": "its own entries shuffled",
}
"""What a network's alpha is compared with, and the words for it."""

COMPARISONS = {
    "a": "(a) between architectures",
    "b": "(b) between variants",
    "c": "(c) between trainings",
}
"""Short names of the comparisons, for the heads of narrow panels."""

LEVELS = [("family", "b"), ("family", "c"), ("variant", "a"), ("variant", "b"), ("variant", "c")]
MOST_LEVELS = 3
"""Whose correlations, of which comparison, `explanations` shows: the first of these that there are."""

TOGETHER = "all"
"""What the table of explanations calls the collections together."""

TAU = ["n", "kendall", "kendall_low", "kendall_high"]
ALPHA = "alpha"
ROW_MM, LEAST_ROW_MM = 2.8, 2.3
"""Height of a row of a forest, and how little it may be."""

INCH_MM = 25.4

_ALPHA_MARK = {
    "marker": "|",
    "markersize": 8,
    "markeredgewidth": 1.8,
    "linestyle": "",
    "color": INK,
    "zorder": 3,
}
_REDUCED_MARK = _ALPHA_MARK | {"markersize": 6, "markeredgewidth": 0.9, "color": GREY, "zorder": 1}
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
_FIT = {"color": INK, "linewidth": 0.9}


# --- rows and panels ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line across the panels: what `key` names, or a heading where there is no key."""

    text: str
    key: str = ""


@dataclass(frozen=True)
class Block:
    """What one part of the data says: its title, its rows from top to bottom, its estimates."""

    title: str
    rows: list[Row]
    table: pd.DataFrame


Part = tuple[tuple[str, str, str], pd.DataFrame]
"""A partition (collection, data set, version) and its rows."""


def _rows(groups: Mapping[str, Mapping[str, str]], present: Iterable[str]) -> list[Row]:
    """The rows of what is present under the headings of their groups; unknown ones come last."""
    left = set(present)
    rows: list[Row] = []
    for heading, names in groups.items():
        found = [Row(text, key) for key, text in names.items() if key in left]
        left -= set(names)
        rows += [Row(heading), *found] if found else []
    others = [Row(metric_label(key), key) for key in sorted(left)]
    return [*rows, Row("other"), *others] if others else rows


def _qualities(table: pd.DataFrame, ask: Ask) -> list[Part]:
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


def _title(
    key: tuple[str, str, str], rows: pd.DataFrame, parts: Sequence[Part], ask: Ask | None
) -> str:
    """A partition's name: collection, data set, and what is not as elsewhere: version, quality."""
    collection, dataset, version = key
    several = len({other[2] for other, _ in parts if other[:2] == key[:2]}) > 1
    name = (collection or "no collection") + (f" ({dataset})" if dataset else "")
    name = _clipped(name, 44)  # beside the names of the rows there is room for no more
    name += f", weightwatcher {version}" if several else ""
    quality = rows["quality_metric"].iloc[0] if ask else ""
    other = ask and quality not in ("", ask.primary_quality)
    return name + (f": {_word(quality)}" if other else "")


def _word(quality: str) -> str:
    """A quality in a sentence."""
    return re.split(r" \(|,", quality_label(quality))[0]


def _forest_size(
    look: Look, blocks: Sequence[Block], panels: int, extra_mm: float, row_mm: float
) -> tuple[float, float]:
    """Width and height in mm of a figure of `_forest` with rows of this height."""
    lines = 1 if look.wide_mm >= BESIDE_MM else panels
    units = sum(len(block.rows) + 0.4 for block in blocks) * lines
    width = look.wide_mm if panels > 1 else max(look.width_mm, min(look.wide_mm, 110))
    return width, row_mm * units + 12.5 * len(blocks) * lines + extra_mm


def _forest_room(
    look: Look, blocks: Sequence[Block], panels: int, extra_mm: float
) -> tuple[int, int]:
    """How many of the blocks, and of their panels, the page holds: the last give way first."""

    def fits(some: int, beside: int) -> bool:
        width, height = _forest_size(look, blocks[:some], beside, extra_mm, LEAST_ROW_MM)
        return height <= tallest(look, width)

    choices = [(some, panels) for some in range(len(blocks), 0, -1)]
    choices += [(1, beside) for beside in range(panels - 1, 0, -1)]
    return next((choice for choice in choices if fits(*choice)), choices[-1])


def _forest(
    look: Look, blocks: Sequence[Block], panels: int, extra_mm: float
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a line of panels per block, on a narrow page below each other, and its panels.

    All have an axis of Kendall's tau; the names of the rows are at the left.
    """
    beside = panels if look.wide_mm >= BESIDE_MM else 1
    lines = [block for block in blocks for _ in range(panels // beside)]
    units = [len(block.rows) + 0.4 for block in lines]
    figure = _figure(look, *_forest_size(look, blocks, panels, extra_mm, ROW_MM))
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


def _heads(ax: Axes, title: str, heading: str, room: float) -> None:
    """A bold title, where there is one, and the heading of the panel, `room` points above it."""
    lines = 1 + heading.count("\n")
    if title:
        pad = 4 + room + lines * 1.2 * SMALL
        ax.set_title(title, loc="left", weight="bold", pad=pad)
    _above(ax, heading, 0, "left", room + 2, size=SMALL, color=INK)


def _above(
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


def _over(ax: Axes, text: str) -> None:
    """Words over a panel whose rows have nothing to show."""
    lines = textwrap.fill(text, 26)
    back = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    where = {"transform": ax.transAxes, "ha": "center", "va": "center", "zorder": 5}
    ax.text(0.5, 0.5, lines, size=SMALL, color=GREY, bbox=back, **where)


def _beside(ax: Axes, y: float, text: str) -> None:
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


def _in_row(ax: Axes, x: float, y: float, text: str, ha: str = "left", **look: Any) -> None:
    """Words in a row of a panel, on white."""
    back = {"facecolor": "white", "edgecolor": "none", "pad": 0.2}
    common = {"ha": ha, "va": "center", "size": LEAST, "color": GREY, "bbox": back}
    ax.text(x, y, text, **(common | look))


def _decided(table: pd.DataFrame, p: str, ask: Ask) -> pd.Series:
    """Whether the interval excludes 0 and the corrected p is small, as the text has it.

    A category has no tau and no interval, and a tau of plus or minus 1 none that varies: there p
    decides alone.
    """
    clear = (table["kendall_low"] > 0) | (table["kendall_high"] < 0)
    clear |= (table["kendall"].abs() > 1 - 1e-9) & table["interval"].isin(["bca", "fisher-z"])
    if "kind" in table:
        clear |= table["kind"] == "category"
    return clear & (table[p] <= level_of(ask.confidence))


def _estimate(ax: Axes, y: float, row: Mapping[str, Any], colour: str) -> None:
    """Kendall's tau with its interval: strong where decided, hollow without an interval."""
    decided = row["decided"]
    strength = {"color": colour, "alpha": 1 if decided else 0.5}
    certain = math.isfinite(row["kendall_low"])
    if certain:
        ends = [row["kendall_low"], row["kendall_high"]]
        width = 1.7 if decided else 0.9
        ax.plot(ends, [y, y], linewidth=width, zorder=2, solid_capstyle="butt", **strength)
    mark = {"marker": "D", "markersize": 3.6} if decided else {"marker": "o", "markersize": 3.4}
    face = colour if certain else "white"
    ax.plot(
        row["kendall"], y, markerfacecolor=face, markeredgewidth=0.8, zorder=3, **mark, **strength
    )


def _why_not(row: Mapping[str, Any], length: int = 30) -> str:
    """A row's note, short."""
    note = re.split(r";|:| \(", row["note"])[0]
    return textwrap.shorten(note, length, placeholder=" …") or "not computed"


def _common_note(table: pd.DataFrame) -> str:
    """The note that most rows have, or nothing."""
    notes = [note for note in table["note"] if note]
    return max(sorted(set(notes)), key=notes.count) if notes else ""


def _decision_handles(rows: pd.DataFrame, decided: str, ask: Ask) -> list[Line2D]:
    """What the marks of `_estimate` mean, as far as these rows show them."""
    level = f"{100 * ask.confidence:g} % interval"
    handles = []
    if rows["decided"].any():
        handles.append(_handle(INK, "D", decided, size=3.6))
    if (~rows["decided"] & rows["kendall_low"].notna()).any():
        handles.append(_handle(INK, "o", f"not decided; bars: {level}", size=3.4))
        handles[-1].set_alpha(0.5)
    if rows["kendall_low"].isna().any():
        handles.append(_handle(INK, "o", "hollow: too few for an interval", hollow=True, size=3.4))
    return handles


def _without_value(
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


# --- 1: other ways to compute alpha ---------------------------------------------------------------


def alternatives(look: Look, ask: Ask, alternatives: pd.DataFrame) -> Figure:
    """Kendall's tau of quality with other ways to compute alpha, beside alpha's own."""
    table = _tidy(
        alternatives,
        [*PARTITION, "comparison", "metric", "quality_metric", "interval", "note"],
        [
            *TAU,
            "kendall_p_holm",
            "kendall_alpha",
            "difference_low",
            "difference_high",
            "equal",
        ],
    )
    table["same"] = (table["equal"] >= table["n"]) & (table["n"] > 0)
    table["known"] = table["kendall"].notna() | (table["same"] & table["kendall_alpha"].notna())
    table["decided"] = _decided(table, "kendall_p_holm", ask)
    differs = (table["difference_low"] > 0) | (table["difference_high"] < 0)
    table["differs"] = differs & ~table["same"]
    parts = [(key, rows) for key, rows in _qualities(table, ask) if rows["known"].any()]
    if not parts:
        note = _common_note(table)
        text = "No other way to compute alpha could be set against quality"
        return _missing(look.wide_mm, f"{text}: {note or 'there are no values'}.")
    blocks = []
    for key, rows in parts[:MAX_BLOCKS]:
        present = rows.loc[rows["known"], "metric"]
        names = [Row("alpha itself (mean over layers)", ALPHA), *_rows(ALTERNATIVES, present)]
        blocks.append(Block(_title(key, rows, parts, ask), names, rows))
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    panels = [name for name in COMPARISONS if (shown["comparison"] == name).any()]
    some, beside = _forest_room(look, blocks, len(panels), 24)
    blocks, panels, no_room = blocks[:some], panels[:beside], panels[beside:]
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    figure, axes = _forest(look, blocks, len(panels), 24)
    width = figure.get_figwidth() * INCH_MM
    title = "Does another way to compute alpha bring the correlation back? "
    title += f"Kendall's τ with {_word(ask.primary_quality)}"
    _header(figure, _wrapped(title, width - 4, 7.8), [], width)
    reduced = False
    for block, line in zip(blocks, axes, strict=True):
        for comparison, ax in zip(panels, line, strict=True):
            own = block.table[block.table["comparison"] == comparison]
            reduced |= _alternatives_panel(ax, block.rows, own, _FOREST[comparison])
            first = ax is line[0] or look.wide_mm < BESIDE_MM
            _heads(ax, block.title if first else "", COMPARISONS[comparison], 8)
            _above(ax, "← theory expects", 0, "left")
    for ax in axes[-1]:
        ax.set_xlabel("Kendall's τ")
    handles = [Line2D([], [], label="alpha itself, on all models", **_ALPHA_MARK)]
    if reduced:
        handles.append(Line2D([], [], label="alpha on the same, fewer models", **_REDUCED_MARK))
    values = shown[~shown["same"]]
    after = "after Holm's correction"
    handles += _decision_handles(values, f"decided: not 0, also {after}", ask)
    notes = ["* differs from alpha: the interval of the difference excludes 0"] * int(
        values["differs"].any()
    )
    notes += [f"no room for {COMPARISONS[name]}" for name in no_room]
    rest = [_title(key, rows, parts, None) for key, rows in parts[len(blocks) :]]
    if rest:
        names = textwrap.shorten(", ".join(rest), 100, placeholder=" …")
        notes.append(f"{len(rest)} more with fewer models not shown: {names}")
    notes += _without_value(blocks, ALTERNATIVES, "metric")
    _footer(figure, "; ".join(notes), handles, width)
    return figure


def _alternatives_panel(ax: Axes, rows: Sequence[Row], table: pd.DataFrame, colour: str) -> bool:
    """One comparison of one part; whether any row has fewer models than alpha's own."""
    known = table[table["known"]]
    if known.empty:
        _over(ax, _common_note(table) or "nothing to compare")
        return False
    keys = [row.key for row in rows]
    order = known.assign(place=known["metric"].map(keys.index)).sort_values("place")
    most = order[order["kendall_alpha"].notna()].sort_values("n", ascending=False, kind="stable")
    alpha = most["kendall_alpha"].iloc[0] if len(most) else math.nan
    if math.isfinite(alpha):
        ax.axvline(alpha, color=INK, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0.6)
        ax.plot(alpha, 0, **_ALPHA_MARK)
        _beside(ax, 0, _count(most["n"].iloc[0]))
    _above(ax, "n", 1, "left", color=INK, dx=2)
    reduced = False
    for y, key in enumerate(keys):
        row = _row(table, metric=key)
        if row is None or not key:
            continue
        if not row["known"]:
            _in_row(ax, -1, y, _why_not(row))
            continue
        _beside(ax, y, _count(row["n"]) + (" *" if row["differs"] else ""))
        own = row["kendall_alpha"]
        if row["same"]:
            left = (own if math.isfinite(own) else row["kendall"]) > 0.4
            at = own if math.isfinite(own) else row["kendall"]
            _in_row(ax, at - 0.05 if left else at + 0.05, y, "= alpha", "right" if left else "left")
            continue
        if abs(own - alpha) > 5e-3:
            reduced = True
            ax.plot(own, y, **_REDUCED_MARK)
        _estimate(ax, y, row, colour)
    return reduced


# --- 2: what goes with alpha's success ------------------------------------------------------------


def explanations(look: Look, ask: Ask, explanations: pd.DataFrame) -> Figure:
    """Kendall's tau of each candidate with the correlations of the families or variants."""
    table = _tidy(
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
            "left_out_low",
            "left_out_high",
            "eta2",
        ],
    )
    category = table["kind"] == "category"
    table["known"] = table["eta2"].where(category, table["kendall"]).notna()
    table["same"] = False
    table["decided"] = _decided(table, "kendall_p_bh", ask)
    parts = [(key, rows) for key, rows in _qualities(table, ask) if rows["known"].any()]
    if not parts:
        note = _common_note(table)
        text = "Nothing could be set against the correlations of the families"
        return _missing(look.wide_mm, f"{text}: {note or 'there are too few'}.")
    parts.sort(key=lambda part: -_most(part[1]))
    single = [part for part in parts if part[0][0] != TOGETHER]
    every = [part for part in parts if part[0][0] == TOGETHER]
    chosen = single[:1]
    if every and (not chosen or _most(every[0][1]) > _most(chosen[0][1])):
        chosen = [*chosen, every[0]]
    blocks = []
    for key, rows in chosen:
        names = _rows(TRAITS, rows.loc[rows["known"], "candidate"])
        title = "all collections together" if key[0] == TOGETHER else ""
        blocks.append(Block(title or _title(key, rows, parts, ask), names, rows))
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    present = set(zip(shown["level"], shown["comparison"], strict=True))
    panels = [level for level in LEVELS if level in present][:MOST_LEVELS]
    some, beside = _forest_room(look, blocks, len(panels), 34)
    left_out = [block.title for block in blocks[some:]]
    blocks, panels, no_room = blocks[:some], panels[:beside], panels[beside:]
    shown = pd.concat([block.table[block.table["known"]] for block in blocks])
    figure, axes = _forest(look, blocks, len(panels), 34)
    width = figure.get_figwidth() * INCH_MM
    title = (
        "What goes with how well alpha works? Kendall's τ between a trait and alpha's correlation "
    )
    title += f"with {_word(ask.primary_quality)}"
    _header(figure, _wrapped(title, width - 4, 7.8), [], width)
    smaller = False
    for index, (block, line) in enumerate(zip(blocks, axes, strict=True)):
        for (level, comparison), ax in zip(panels, line, strict=True):
            picked = (block.table["level"] == level) & (block.table["comparison"] == comparison)
            own = block.table[picked]
            most = own.loc[own["known"], "n"].max()
            smaller |= _explanations_panel(ax, block.rows, own, _FOREST[comparison], most)
            first = ax is line[0] or look.wide_mm < BESIDE_MM
            if math.isnan(most) and ax is not line[0]:
                ax.set_visible(False)  # the first has the names of the rows
                continue
            many = _many(int(most), level) if math.isfinite(most) else f"no {level}"
            words = f"{COMPARISONS[comparison]}\nn = {many}" if math.isfinite(most) else many
            _heads(ax, block.title if first else "", words, 16 if index == 0 else 2)
            if index == 0:
                _above(ax, "← alpha works\nbetter if larger", 0.0, "left")
                _above(ax, "alpha works →\nworse if larger", 1.0, "right")
    for column in zip(*axes, strict=True):
        seen = [ax for ax in column if ax.get_visible()]
        for ax in seen[-1:]:
            ax.set_xlabel("Kendall's τ of trait and correlation")
    values = shown[shown["kind"] != "category"]
    handles = _decision_handles(values, "decided after Benjamini and Hochberg's correction", ask)
    if values["left_out_low"].notna().any():
        handles.append(Line2D([], [], label="range when one family is left out", **_LEFT_OUT_KEY))
    notes = ["numbers at the right: n where it is smaller"] * smaller
    if len(values) < len(shown):
        notes.append("η²: share of the variance that lies between the categories")
    notes += [f"no room for {COMPARISONS[name]} of each {level}" for level, name in no_room]
    notes += [f"no room for {title}" for title in left_out]
    notes += _without_value(blocks, TRAITS, "candidate")
    rest = len(single) - 1
    if rest > 0:
        notes.append(f"{_many(rest, 'more data set')} with fewer families not shown on their own")
    _footer(figure, "; ".join(notes), handles, width)
    return figure


def _most(rows: pd.DataFrame) -> float:
    """The largest number of families, or failing these of variants, that any estimate is about."""
    known = rows[rows["known"]]
    families = known[known["level"] == "family"]
    return float(np.nan_to_num((families if len(families) else known)["n"].max()))


def _explanations_panel(
    ax: Axes, rows: Sequence[Row], table: pd.DataFrame, colour: str, most: float
) -> bool:
    """One level of one part; whether any row has a smaller n than the panel's `most`."""
    known = table[table["known"]]
    if known.empty:
        _over(ax, _common_note(table) or "nothing to compare")
        return False
    smaller = False
    for y, name in enumerate(rows):
        row = _row(table, candidate=name.key)
        if row is None or not name.key:
            continue
        if not row["known"]:
            _in_row(ax, -1, y, _why_not(row))
            continue
        if row["n"] < most:
            smaller = True
            _beside(ax, y, _count(row["n"]))
        if row["kind"] == "category":
            p = row["kendall_p"]
            text = f"η² = {number(row['eta2'])}" + (f", {_p_value(p)}" if p == p else "")
            strong = {"weight": "bold", "color": INK} if row["decided"] else {}
            _in_row(ax, -1, y, text, **strong)
            continue
        if math.isfinite(row["left_out_low"]):
            ends = [row["left_out_low"], row["left_out_high"]]
            ax.plot(ends, [y + 0.33] * 2, **_LEFT_OUT_MARK)
        _estimate(ax, y, row, colour)
    return smaller


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


# --- 3: shape alone -------------------------------------------------------------------------------


def shape(look: Look, ask: Ask, models: pd.DataFrame, shape: pd.DataFrame) -> Figure:
    """Alpha of each variant against alpha of noise in matrices of the same shapes."""
    columns = {name: f"alpha_{name}" for name in NULLS}
    table = _models(models, ["alpha", *columns.values()])
    table = table[table["alpha"].notna() & table[list(columns.values())].notna().any(axis=1)]
    table = table.drop_duplicates([*PARTITION, "model"])
    control = table["collection"].isin(list(ask.controls))
    found = _tidy(
        shape,
        [*PARTITION, "null", "level", "note"],
        ["n", "alpha", "null_alpha", "slope", "r2"],
    )
    parts = {key: _variants(own, ask) for key, own in table[~control].groupby(PARTITION, sort=True)}
    # The same models on further data sets are not in the table of the statistics.
    stated = set(found[PARTITION].itertuples(index=False, name=None))
    order = [key for key in parts if key in stated] or list(parts)
    order.sort(key=lambda key: -len(parts[key]))
    if not order:
        return _missing(
            look.wide_mm, "No model has both an alpha and that of noise: no comparison."
        )
    chosen = [key for key in order[:MAX_BLOCKS] if len(parts[key]) > 2] or order[:1]
    nulls = [
        name for name in NULLS if any(parts[key][columns[name]].notna().any() for key in chosen)
    ]
    cells = [(key, null) for key in chosen for null in nulls]
    beside = min(2, len(cells)) if look.wide_mm >= BESIDE_MM else 1
    width = look.wide_mm if beside > 1 else look.width_mm
    room = int((tallest(look, width) - 24) // (60 * SQUEEZE)) * beside // len(nulls)
    chosen = chosen[: max(1, room)]
    cells = cells[: len(chosen) * len(nulls)]
    lines = math.ceil(len(cells) / beside)
    figure = _figure(look, width, 60 * lines + 24)
    title = "How much of alpha is the shape of the matrices alone? Each variant's alpha against "
    title += "that of noise"
    _header(figure, _wrapped(title, width - 4, 7.8), [], width)
    axes = list(figure.subplots(lines, beside, squeeze=False).flat)
    labels: list[Label] = []
    hollow = fitted = False
    for ax in axes[len(cells) :]:
        ax.set_axis_off()
    for ax, (key, null) in zip(axes, cells, strict=False):
        mine = [name for name, reference in ask.controls.items() if reference == key[0]]
        same = (table[PARTITION[1:]] == list(key[1:])).all(axis=1)
        untrained = _variants(table[table["collection"].isin(mine) & same], ask)
        rows = found[(found[PARTITION] == list(key)).all(axis=1) & (found["null"] == null)]
        both = pd.concat([parts[key], untrained])[["alpha", *(columns[name] for name in nulls)]]
        limits = both.min().min() / 1.15, both.max().max() * 1.15
        labels += _shape_panel(ax, parts[key], untrained, columns[null], limits)
        fitted |= _fit_line(ax, parts[key][columns[null]], rows, limits)
        hollow |= len(untrained) > 0
        name = _title(key, rows, [(other, rows) for other in chosen], None)
        heading = _wrapped(f"{name}: {NULLS[null]}", width / beside - 14, 7.8)
        _second_line(ax, heading, _shared(rows))
        first = ax.get_subplotspec().is_first_col()
        ax.set(xlabel=f"alpha of {NULLS[null]}", ylabel="alpha of the network" if first else "")
    handles = [_handle(GREY, "o", "variant", size=3.6)]
    if hollow:
        handles.append(_handle(GREY, "o", "the same, untrained", hollow=True, size=3.6))
    if any(_means(parts[key]).any() for key in chosen):
        handles.append(_handle(GREY, "o", "mean of a family", size=6))
        handles[-1].set_markeredgecolor(INK)
    if fitted:
        handles.append(Line2D([], [], label="least squares through the variants", **_FIT))
    note = "r²: share of the differences between the networks' alphas that goes with the noise's"
    rest = len(order) - len(chosen)
    note += f"; {_many(rest, 'more data set')} with fewer variants not shown" if rest else ""
    _footer(figure, note, handles, width)
    _place(figure, labels, SMALL)
    return figure


def _variants(models: pd.DataFrame, ask: Ask) -> pd.DataFrame:
    """Means of the variants of one collection on the reference recipe, a model without one alone."""
    chosen = models[is_reference(models, ask.reference_recipe)]
    name = chosen["variant"].where(chosen["variant"] != "", chosen["model"])
    columns = ["alpha", *(f"alpha_{null}" for null in NULLS)]
    return chosen.groupby(["family", name.rename("variant")])[columns].mean().reset_index()


def _means(variants: pd.DataFrame) -> pd.Series:
    """Which families have a mean to be shown: several variants, beside other families; by family."""
    sizes = variants.groupby("family").size()
    return (sizes > 1) & (len(sizes) > 1)


def _shape_panel(
    ax: Axes,
    variants: pd.DataFrame,
    untrained: pd.DataFrame,
    null: str,
    limits: tuple[float, float],
) -> list[Label]:
    """One collection against one null; returns the labels that are still to be placed."""
    variants, untrained = (table[table[null].notna()] for table in (variants, untrained))
    if variants.empty:
        _say(ax, "no values")
        return []
    marks = family_look([*variants["family"], *untrained["family"]])
    means = _means(variants)
    crowd = len(means) > MOST_CROWD
    small, large = (7, 20) if crowd else (18, 42)
    labels = []
    for family, own in untrained.groupby("family"):
        colour, marker = marks[family]
        look = {"facecolors": "none", "edgecolors": colour, "linewidth": 0.4 if crowd else 0.8}
        ax.scatter(own[null], own["alpha"], s=small, marker=marker, zorder=2, **look)
    for family, own in variants.groupby("family"):
        colour, marker = marks[family]
        look = {"color": colour, "edgecolor": "white", "linewidth": 0.2 if crowd else 0.3}
        ax.scatter(own[null], own["alpha"], s=small, marker=marker, zorder=3, **look)
        x, y = own[null].mean(), own["alpha"].mean()
        if len(means) == 1:
            names = [_short(name, family) for name in own["variant"]]
            points = zip(own[null], own["alpha"], names, strict=True)
            labels += [Label(ax, *point, colour) for point in points]
            continue
        if means[family]:
            edge = {"color": colour, "edgecolor": INK, "linewidth": 0.4 if crowd else 0.7}
            ax.scatter(x, y, s=large, marker=marker, zorder=4, **edge)
        labels.append(Label(ax, x, y, family or "no family", colour, len(own), gap=5.5))
    low, high = limits
    ax.plot(limits, limits, color=GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    at = low + 0.8 * (high - low)
    if low > 0 and high / low > 5:
        at = low * (high / low) ** 0.8
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            _log_axis(axis, low, high)
    else:
        _ticks(ax)
    ax.set(xlim=limits, ylim=limits)
    labels = sorted(labels, key=lambda label: -label.weight)[:MOST_LABELS]
    return [*labels, Label(ax, at, at, "equal to noise", GREY, math.inf)]


def _fit_line(ax: Axes, null: pd.Series, rows: pd.DataFrame, limits: tuple[float, float]) -> bool:
    """The regression line of the table over the variants' nulls (n,); whether there is one."""
    fit = _row(rows, level="variants")
    if fit is None or not math.isfinite(fit["slope"]) or null.isna().all():
        return False
    x = np.linspace(null.min(), null.max(), 50)
    y = fit["alpha"] + fit["slope"] * (x - fit["null_alpha"])
    inside = (y > limits[0]) & (y < limits[1])
    crowd = [withStroke(linewidth=2, foreground="white")] if len(null) > 3 * MOST_CROWD else []
    ax.plot(x[inside], y[inside], path_effects=crowd, zorder=5 if crowd else 2.5, **_FIT)
    return True


def _shared(rows: pd.DataFrame) -> str:
    """The r² of each level, in two lines: between variants, then between and within families."""
    texts = {}
    for level in ("variants", "families", "within"):
        row = _row(rows, level=level)
        value = math.nan if row is None else row["r2"]
        texts[level] = f"{number(value)} (n = {_count(row['n'])})" if value == value else ""
    if not any(texts.values()):
        return f"no r²: {_common_note(rows) or 'not computed'}"
    lines = [f"r² = {texts['variants'] or 'not computed'} between all variants"]
    second = [f"{texts['families']} between families"] if texts["families"] else []
    second += [f"{texts['within']} within families"] if texts["within"] else []
    return "\n".join([*lines, *([f"r² = {', '.join(second)}"] if second else [])])


# --- 4: the raw relations -------------------------------------------------------------------------


def traits(look: Look, ask: Ask, traits: pd.DataFrame) -> Figure:
    """Each family's correlation against its traits, a panel for each of the most relevant ones."""
    table = _tidy(
        traits,
        [*PARTITION, "quality_metric", "family"],
        ["n", "units", "kendall_b", "kendall_c", *RAW],
    )
    counts = {name: int(table[f"kendall_{name}"].notna().sum()) for name in ("c", "b")}
    comparison = max(counts, key=lambda name: counts[name])  # the first of equals
    table["tau"] = table[f"kendall_{comparison}"]
    parts = [(key, rows[rows["tau"].notna()]) for key, rows in _qualities(table, ask)]
    parts = sorted((p for p in parts if len(p[1])), key=lambda part: -len(part[1]))
    first: dict[str, pd.DataFrame] = {}
    for key, rows in parts:
        first.setdefault(key[0], rows)
    points = pd.concat(first.values(), ignore_index=True) if first else table.iloc[:0]
    most = min(MOST_PANELS, _most_panels(look, 42, 22))
    varied = [name for name in RAW if points[name].nunique() > 1][:most]
    if not varied:
        text = "Fewer than two families have a correlation of their own and traits that differ: "
        return _missing(look.wide_mm, text + "nothing to set against each other.")
    points = points.sort_values(["collection", "family"], kind="stable")
    several, named = len(first) > 1, len(points) <= MOST_NAMES
    by = "family" if named and not several else "collection"
    marks = family_look(points[by])
    figure, axes = _grid(look, len(varied), 42, 22)
    width = figure.get_figwidth() * INCH_MM
    title = "Where does alpha work? Kendall's τ of alpha with "
    title += f"{_word(ask.primary_quality)} in each family, {COMPARISONS[comparison]}"
    _header(figure, _wrapped(title, width - 4, 7.8), [], width)
    texts = {key: text for names in TRAITS.values() for key, text in names.items()}
    labels: list[Label] = []
    for ax, name in zip(axes, varied, strict=False):
        known = points[points[name].notna()]
        ax.axhspan(-1.15, 0, color="#EFEFEF", linewidth=0, zorder=0)
        for group, own in known.groupby(by):
            colour, marker = marks[group]
            look_of = {"color": colour, "edgecolor": "white", "linewidth": 0.3, "alpha": 0.9}
            ax.scatter(own[name], own["tau"], s=_areas(own["units"]), marker=marker, **look_of)
            if named:
                columns = [own[c] for c in (name, "tau", "family", "units")]
                labels += [
                    Label(ax, x, y, family or "no family", colour, units, gap=5)
                    for x, y, family, units in zip(*columns, strict=True)
                ]
        _trait_axis(ax, known[name], name in LOGARITHMIC)
        ax.set(ylim=(-1.15, 1.15), yticks=[-1, -0.5, 0, 0.5, 1], xlabel=texts[name])
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1 if v % 1 else 0)))
        left = ax.get_subplotspec().is_first_col()
        ax.set_ylabel("τ of the family" if left else "")
        ax.tick_params(labelleft=left)
    handles = []
    if several and len(first) <= MAX_LEGEND:
        handles = [
            _handle(*marks[name], _clipped(name) or "no collection") for name in sorted(first)
        ]
    of = "" if several else f" of {_title(*parts[0], parts, ask)}"
    notes = [_many(len(points), "family") + of, "larger markers: more independent models"]
    notes.append("shaded: τ < 0, as the theory expects")
    if len(parts) > len(first):
        notes.append("of each collection, the data set with most families")
    if several and len(first) > MAX_LEGEND:
        notes.append(f"colours: {len(first)} collections")
    _footer(figure, "; ".join(notes), handles, width)
    _place(figure, labels)
    return figure


def _areas(units: pd.Series) -> np.ndarray:
    """Areas of marks (n,) in square points that grow with the number of models, within limits."""
    return np.clip(8 + 1.2 * np.nan_to_num(units.to_numpy(float)), 10, 45)


def _trait_axis(ax: Axes, values: pd.Series, logarithmic: bool) -> None:
    """The axis of a trait: logarithmic, if it may be, where its values differ by a large factor."""
    low, high = values.min(), values.max()
    if logarithmic and low > 0 and high / low > 8:
        ax.set_xscale("log")
        room = (high / low) ** 0.15
        _log_axis(ax.xaxis, low / room, high * room)
        ax.set_xlim(low / room, high * room)
        return
    _ticks(ax)
    ax.margins(x=0.15)


def _log_axis(axis: Axis, low: float, high: float) -> None:
    """Few round ticks, written in full, on a logarithmic axis."""
    powers = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1,) if high / low > 300 else (1, 3) if high / low > 30 else (1, 2, 5)
    ticks = sorted(digit * power for power in powers for digit in digits)
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))
    axis.set_minor_locator(NullLocator())


DRAWN: dict[str, Callable[..., Figure]] = {
    "alternatives": alternatives,
    "explanations": explanations,
    "shape": shape,
    "traits": traits,
}
"""Every figure of this module by name, as in `figures`."""
