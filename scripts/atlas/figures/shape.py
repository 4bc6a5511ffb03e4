"""Alpha against that of its nulls: how much of it is the shape of the matrices?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from atlas.figures.data import Ask, row_with, short_name, tidy, tidy_models
from atlas.figures.forests import MOST_CROWD, MOST_LABELS, common_note, part_title
from atlas.figures.marks import (
    MAX_BLOCKS,
    SQUEEZE,
    compact,
    counted,
    few_ticks,
    footer,
    header,
    legend_mark,
    log_axis,
    number,
    say,
    second_line,
)
from atlas.figures.place import Label, place_labels
from atlas.figures.style import (
    BESIDE_MM,
    GREY,
    INK,
    SMALL,
    Look,
    family_look,
    figure_without,
    new_figure,
    tallest,
    wrapped,
)
from atlas.tables.recipes import is_reference
from atlas.terms.experiments import alpha_of
from atlas.terms.keys import PARTITION
from atlas.terms.words import NULL_LABELS

_FIT = {"color": INK, "linewidth": 0.9}


def shape(look: Look, ask: Ask, models: pd.DataFrame, shape: pd.DataFrame) -> Figure:
    """Alpha of each variant against alpha of noise in matrices of the same shapes."""
    columns = {name: alpha_of(name) for name in NULL_LABELS}
    table = tidy_models(models, ["alpha", *columns.values()])
    table = table[table["alpha"].notna() & table[list(columns.values())].notna().any(axis=1)]
    table = table.drop_duplicates([*PARTITION, "model"])
    control = table["collection"].isin(list(ask.controls))
    found = tidy(
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
        return figure_without(
            look.wide_mm, "No model has both an alpha and that of noise: no comparison."
        )
    chosen = [key for key in order[:MAX_BLOCKS] if len(parts[key]) > 2] or order[:1]
    nulls = [
        name
        for name in NULL_LABELS
        if any(parts[key][columns[name]].notna().any() for key in chosen)
    ]
    cells = [(key, null) for key in chosen for null in nulls]
    beside = min(2, len(cells)) if look.wide_mm >= BESIDE_MM else 1
    width = look.wide_mm if beside > 1 else look.width_mm
    room = int((tallest(look, width) - 24) // (60 * SQUEEZE)) * beside // len(nulls)
    chosen = chosen[: max(1, room)]
    cells = cells[: len(chosen) * len(nulls)]
    lines = math.ceil(len(cells) / beside)
    figure = new_figure(look, width, 60 * lines + 24)
    title = "How much of alpha is the shape of the matrices alone? Each variant's alpha against "
    title += "that of noise"
    header(figure, wrapped(title, width - 4, 7.8), [], width)
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
        name = part_title(key, rows, [(other, rows) for other in chosen], None)
        heading = wrapped(f"{name}: {NULL_LABELS[null]}", width / beside - 14, 7.8)
        second_line(ax, heading, _shared(rows))
        first = ax.get_subplotspec().is_first_col()
        ax.set(
            xlabel=f"alpha of {NULL_LABELS[null]}", ylabel="alpha of the network" if first else ""
        )
    handles = [legend_mark(GREY, "o", "variant", size=3.6)]
    if hollow:
        handles.append(legend_mark(GREY, "o", "the same, untrained", hollow=True, size=3.6))
    if any(_means(parts[key]).any() for key in chosen):
        handles.append(legend_mark(GREY, "o", "mean of a family", size=6))
        handles[-1].set_markeredgecolor(INK)
    if fitted:
        handles.append(Line2D([], [], label="least squares through the variants", **_FIT))
    note = "r²: share of the differences between the networks' alphas that goes with the noise's"
    rest = len(order) - len(chosen)
    note += f"; {counted(rest, 'more data set')} with fewer variants not shown" if rest else ""
    footer(figure, note, handles, width)
    place_labels(figure, labels, SMALL)
    return figure


def _variants(models: pd.DataFrame, ask: Ask) -> pd.DataFrame:
    """Means of the variants of one collection on the reference recipe, a model without one alone."""
    chosen = models[is_reference(models, ask.reference_recipe)]
    name = chosen["variant"].where(chosen["variant"] != "", chosen["model"])
    columns = ["alpha", *map(alpha_of, NULL_LABELS)]
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
        say(ax, "no values")
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
            names = [short_name(name, family) for name in own["variant"]]
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
            log_axis(axis, low, high)
    else:
        few_ticks(ax)
    ax.set(xlim=limits, ylim=limits)
    labels = sorted(labels, key=lambda label: -label.weight)[:MOST_LABELS]
    return [*labels, Label(ax, at, at, "equal to noise", GREY, math.inf)]


def _fit_line(ax: Axes, null: pd.Series, rows: pd.DataFrame, limits: tuple[float, float]) -> bool:
    """The regression line of the table over the variants' nulls (n,); whether there is one."""
    fit = row_with(rows, level="variants")
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
        row = row_with(rows, level=level)
        value = math.nan if row is None else row["r2"]
        texts[level] = f"{number(value)} (n = {compact(row['n'])})" if value == value else ""
    if not any(texts.values()):
        return f"no r²: {common_note(rows['note']) or 'not computed'}"
    lines = [f"r² = {texts['variants'] or 'not computed'} between all variants"]
    second = [f"{texts['families']} between families"] if texts["families"] else []
    second += [f"{texts['within']} within families"] if texts["within"] else []
    return "\n".join([*lines, *([f"r² = {', '.join(second)}"] if second else [])])
