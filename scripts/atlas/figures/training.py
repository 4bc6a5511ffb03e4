"""Alpha and quality over the checkpoints of training runs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from atlas.figures.data import Ask, tidy, tidy_models
from atlas.figures.marks import BAND, NARROW_SHARE, better_up, clipped, counted, footer
from atlas.figures.style import GREY, LEAST, PALETTE, Look, family_look, figure_without, new_figure
from atlas.fits import metrics
from atlas.terms.keys import PARTITION
from atlas.terms.words import metric_label, quality_label


def training(look: Look, ask: Ask, models: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    """Mean alpha of the checkpoints of each run, with the quartiles of its layers; below, quality."""
    table = tidy_models(tidy(models, ["run"], ["step"]), ["alpha"])
    table = table[table["step"].notna() & table["alpha"].notna()]
    if table.empty:
        text = "No checkpoint of a training run has an alpha: nothing to show over training."
        return figure_without(look.width_mm, text)
    table["run"] = table["run"].where(table["run"] != "", table["model"])
    same = table.groupby("run")["collection"].transform("nunique") > 1
    table["run"] = table["run"].where(~same, table["run"] + " (" + table["collection"] + ")")
    points = table.drop_duplicates("model").merge(_quartiles(layers), on="model", how="left")
    sizes = points.groupby("run")["model"].size()
    shown = sorted(sorted(sizes.index, key=lambda name: (-sizes[name], name))[: len(PALETTE)])
    marks = family_look(shown)
    quality, values = _quality_of_runs(table[table["run"].isin(shown)], ask.primary_quality)
    heights = [44, 20] if len(values) else [44]
    figure = new_figure(look, look.width_mm, sum(heights) + 22, NARROW_SHARE)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    ax = panels[0, 0]
    for guide in BAND:
        ax.axhline(guide, color=GREY, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    ends = {}
    for name in shown:
        own = points[points["run"] == name].sort_values("step")
        colour, _ = marks[name]
        band = {"color": colour, "alpha": 0.2 if len(shown) <= 3 else 0.1, "linewidth": 0}
        ax.fill_between(own["step"], own["low"], own["high"], zorder=0, **band)
        _run_line(ax, own["step"], own["alpha"], marks[name])
        ends[name] = own["alpha"].iloc[-1]
    ax.set_yscale("log")
    seen = points[points["run"].isin(shown)][["alpha", "low", "high"]]
    ax.set_ylim(min(seen.min().min(), 2) * 0.85, max(seen.max().max(), 6) * 1.15)
    places = [1, 1.5, 2, 3, 4, 6, 10, 20, 50, 100, 200, 500, 1000]
    ax.yaxis.set_major_locator(FixedLocator(places))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.yaxis.set_minor_locator(FixedLocator([]))
    ax.set_ylabel(metric_label("alpha"))
    if len(values):
        below = panels[1, 0]
        for name, own in values.groupby("run"):
            _run_line(below, own["step"], own["quality"], marks[name])
        below.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        below.margins(y=0.15)
        better_up(below, quality)
        below.set_ylabel(textwrap.fill(quality_label(quality), 16))
        figure.align_ylabels()
    _step_axis(panels[-1, 0], points["step"].to_numpy())
    if len(shown) > 1:
        _name_ends(ax, ends, marks, heights[0])
    title = f"{counted(len(shown), 'run')}, " if len(shown) > 1 else f"{shown[0]}: "
    title += counted(int(sizes[shown].sum()), "checkpoint")
    ax.set_title(textwrap.shorten(title, 55, placeholder=" …"), loc="left", weight="bold")
    guides = " and ".join(f"{guide:g}" for guide in BAND)
    note = f"shaded: the middle half of the layers; dashed: alpha {guides}"
    if len(sizes) > len(shown):
        note += f"; {counted(len(sizes) - len(shown), 'run')} with fewer checkpoints not shown"
    footer(figure, note, [], look.width_mm)
    return figure


def _quartiles(layers: pd.DataFrame) -> pd.DataFrame:
    """The quartiles `low` and `high` of alpha over each model's layers, without failed fits."""
    table = tidy(layers, ["model", "status"], ["alpha"])
    good = table[~metrics.failed(table)]
    found = good.groupby("model")["alpha"].quantile([0.25, 0.75]).unstack()
    found = found.reindex(columns=[0.25, 0.75]).set_axis(["low", "high"], axis=1)
    return found.rename_axis("model").reset_index()


def _quality_of_runs(table: pd.DataFrame, wanted: str) -> tuple[str, pd.DataFrame]:
    """The quality, on one data set, that most checkpoints have; the wanted one where there is any.

    Rows are sorted by step. None where no run has it at two steps: a point is no course.
    """
    known = table[table["quality"].notna() & (table["quality_metric"] != "")]
    several = known.groupby([*PARTITION, "quality_metric", "run"])["step"].transform("nunique") > 1
    known = known[several]
    if (known["quality_metric"] == wanted).any():
        known = known[known["quality_metric"] == wanted]
    if known.empty:
        return wanted, known
    counts = known.groupby(["quality_metric", "dataset"]).size()
    quality, dataset = max(sorted(counts.index), key=lambda key: counts[key])
    chosen = known[(known["quality_metric"] == quality) & (known["dataset"] == dataset)]
    return quality, chosen.drop_duplicates("model").sort_values(["run", "step"])


def _run_line(ax: Axes, x: pd.Series, y: pd.Series, look: tuple[str, str]) -> None:
    """A run's course; its marks are left out where they would be a thick line."""
    colour, marker = look
    size = 3.2 if len(x) <= 30 else 0
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.3}
    ax.plot(x, y, color=colour, marker=marker, markersize=size, linewidth=1.1, zorder=3, **edge)


def _step_axis(ax: Axes, steps: np.ndarray) -> None:
    """The axis of steps: logarithmic, with a place for 0, where they grow by large factors."""
    positive = np.unique(steps[steps > 0])
    ax.set_xlabel("step or epoch of the checkpoint")
    if len(positive) < 4 or positive[-1] / positive[0] <= 100:
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _thousands(v)))
        ax.margins(x=0.04)
        return
    ax.set_xscale("symlog", linthresh=positive[0], linscale=0.4)
    powers = 10.0 ** np.arange(math.ceil(math.log10(positive[0])), math.log10(positive[-1]) + 1e-9)
    ax.xaxis.set_major_locator(FixedLocator([0.0, *powers]))
    ax.xaxis.set_minor_locator(FixedLocator([]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _thousands(v)))
    zero = (steps <= 0).any()
    ax.set_xlim(-0.3 * positive[0] if zero else 0.8 * positive[0], 1.3 * positive[-1])


def _thousands(value: float) -> str:
    """500, 2k, 1.5k, 3M: short enough for ticks."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _name_ends(
    ax: Axes, ends: Mapping[str, float], marks: Mapping[str, tuple[str, str]], height_mm: float
) -> None:
    """Each run's name at the right of the panel, at the height of its last point or just off it."""
    gap = 1.25 * LEAST / 72 * 25.4 / height_mm
    low, high = np.log(ax.get_ylim())
    names = sorted(ends, key=lambda name: (ends[name], name))
    heights = _apart([(math.log(ends[name]) - low) / (high - low) for name in names], gap)
    for name, y in zip(names, heights, strict=True):
        colour, marker = marks[name]
        mark = {"color": colour, "marker": marker, "markersize": 3.2, "markeredgewidth": 0}
        ax.plot(1.035, y, transform=ax.transAxes, clip_on=False, **mark)
        ax.annotate(
            clipped(name, 20),
            (1.035, y),
            (4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            size=LEAST,
            color=colour,
            annotation_clip=False,
        )


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places, moved as little as possible (least squares) until a gap is between any two."""
    blocks: list[list[float]] = []  # sum, count: those that touch move together
    for i, place in enumerate(places):
        blocks.append([place - i * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    means = [total / count for total, count in blocks for _ in range(int(count))]
    return [mean + i * gap for i, mean in enumerate(means)]
