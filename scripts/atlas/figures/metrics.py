"""Quality, or the generalisation gap, against every metric."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from atlas.figures.data import Ask, Part, parts_of, row_with, tidy_estimates, tidy_models
from atlas.figures.marks import (
    MAX_BLOCKS,
    MAX_LEGEND,
    SQUEEZE,
    better_up,
    clipped,
    counted,
    few_ticks,
    header,
    legend_mark,
    scatter,
    tau,
)
from atlas.figures.place import Label, place_labels
from atlas.figures.style import (
    BASE,
    GREY,
    LEAST,
    SMALL,
    Look,
    family_look,
    figure_without,
    new_figure,
    tallest,
    wrapped,
)
from atlas.tables.recipes import is_reference
from atlas.terms.keys import SIZE
from atlas.terms.words import metric_label, quality_label


def quality_metrics(
    look: Look, ask: Ask, models: pd.DataFrame, correlations: pd.DataFrame
) -> Figure:
    """The primary quality against each metric, a block of panels per collection and data set."""
    return _by_metric(look, ask, models, correlations, ask.primary_quality)


def generalization_gap(
    look: Look, ask: Ask, models: pd.DataFrame, correlations: pd.DataFrame
) -> Figure:
    """The generalisation gap against each metric, in the same manner."""
    return _by_metric(look, ask, models, correlations, "generalization_gap", only=True)


def _by_metric(
    look: Look,
    ask: Ask,
    models: pd.DataFrame,
    correlations: pd.DataFrame,
    quality: str,
    only: bool = False,
) -> Figure:
    """Filled marks are models of the reference recipe, which tau is about; hollow ones the others."""
    metrics = [*(name for name in ask.metrics if name != SIZE), SIZE]
    parts = parts_of(tidy_models(models, metrics), quality, ask.controls, only)
    if not parts:
        what = quality_label(quality).split(" (")[0]
        return figure_without(look.wide_mm, f"No analysed model has a {what}: nothing to show.")
    columns = max(1, min(len(metrics), int(look.wide_mm // 42)))
    room = tallest(look, look.wide_mm)
    most = columns * max(1, int((room - 15) // (35 * SQUEEZE)))
    no_room = metrics[most - 1 : -1] if len(metrics) > most else []  # the size is the baseline
    metrics = [name for name in metrics if name not in no_room]
    rows = math.ceil(len(metrics) / columns)
    blocks_fit = max(1, int(room // (rows * 35 * SQUEEZE + 11)))
    shown, rest = parts[: min(MAX_BLOCKS, blocks_fit)], parts[min(MAX_BLOCKS, blocks_fit) :]
    heights = [rows * 35 + 11 for _ in shown]
    figure = new_figure(look, look.wide_mm, sum(heights) + (4 if rest or no_room else 0))
    blocks = np.atleast_1d(figure.subfigures(len(shown), height_ratios=heights))
    table = tidy_estimates(correlations)
    labels: list[Label] = []
    for block, part in zip(blocks, shown, strict=True):
        labels += _block(block, part, parts, metrics, columns, table, look, ask)
    notes = []
    if rest:
        names = ", ".join(part.name(parts) for part in rest)
        notes.append(textwrap.shorten(f"Not shown, fewer models: {names}", 110, placeholder=" …"))
    if no_room:
        text = f"{counted(len(no_room), 'metric')} not shown: {', '.join(no_room)}"
        notes.append(textwrap.shorten(text, 110, placeholder=" …"))
    if notes:
        note = "\n".join(wrapped(note, look.wide_mm - 4, LEAST) for note in notes)
        blocks[-1].supxlabel(note, x=0.006, ha="left", size=LEAST, color=GREY)
    place_labels(figure, labels)
    return figure


def _block(
    block: SubFigure,
    part: Part,
    parts: Sequence[Part],
    metrics: Sequence[str],
    columns: int,
    table: pd.DataFrame,
    look: Look,
    ask: Ask,
) -> list[Label]:
    """One collection's panels; returns the labels that are still to be placed."""
    models, families = part.models, part.families
    marks = family_look(families)
    reference = is_reference(models, ask.reference_recipe)
    one = len(families) == 1
    scope = {"comparison": "b", "scope": "family", "family": families[0]} if one else {}
    scope = scope or {"comparison": "a", "scope": "families", "family": ""}
    title = f"{part.full_name(parts)}: "
    title += counted(models["model"].nunique(), "model")
    title += "" if one else f" of {counted(len(families), 'family')}"
    handles = []
    if 1 < len(families) <= MAX_LEGEND:
        handles = [legend_mark(*marks[name], clipped(name) or "no family") for name in families]
    if not reference.all():
        handles.append(legend_mark(GREY, "o", "other recipes (not in τ)", hollow=True, size=3))
    header(block, wrapped(title, look.wide_mm - 4, 7.8), handles, look.wide_mm)
    rows = math.ceil(len(metrics) / columns)
    axes = block.subplots(rows, columns, sharey=True, squeeze=False)
    labels: list[Label] = []
    for index, (ax, metric) in enumerate(zip(axes.flat, metrics, strict=False)):
        for family in families:
            colour, marker = marks[family]
            own = models["family"] == family
            common = {"marker": marker, "zorder": 2}
            hollow = {"facecolors": "none", "edgecolors": colour, "alpha": 0.45, "linewidth": 0.5}
            others = models[own & ~reference]
            scatter(ax, others, metric, "quality", s=6, **common, **hollow)
            filled = {"color": colour, "edgecolor": "white", "linewidth": 0.3, "alpha": 0.9}
            scatter(ax, models[own & reference], metric, "quality", s=15, **common, **filled)
        if models[metric].notna().any():
            few_ticks(ax)
            labels += _names(ax, models[reference], metric, marks, index == 0)
        else:
            ax.text(
                *(0.5, 0.5, "no values"),
                **{"transform": ax.transAxes, "ha": "center", "color": GREY, "size": SMALL},
            )
            ax.set_xticks([])
        ax.set(xlabel=metric_label(metric), ylabel="")
        found = row_with(
            table, **part.labels, **scope, variant="", metric=metric, treatment="dropped"
        )
        ax.set_title(tau(found), loc="left", size=SMALL)
        ax.tick_params(labelleft=index % columns == 0)
    for ax in axes.flat[len(metrics) :]:
        ax.set_axis_off()
    better_up(axes[0, 0], part.quality)
    block.supylabel(quality_label(part.quality), size=BASE)
    return labels


def _names(
    ax: Axes,
    models: pd.DataFrame,
    metric: str,
    marks: Mapping[str, tuple[str, str]],
    first: bool,
) -> list[Label]:
    """Labels of the models where they are few; of families too many for a legend, once."""
    known = models[models[metric].notna()]
    if len(known) <= 6 and known["family"].nunique() == 1:
        names = known["variant"].where(known["variant"] != "", known["model"])
        points = zip(known[metric], known["quality"], names, known["family"], strict=True)
        return [Label(ax, x, y, text, marks[family][0]) for x, y, text, family in points]
    groups = known.groupby("family")
    if len(groups) <= MAX_LEGEND or not first:
        return []
    return [
        Label(ax, g[metric].mean(), g["quality"].mean(), name, marks[name][0], len(g))
        for name, g in groups
    ]
