"""Traits of families against their correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from atlas.figures.data import Ask, tidy
from atlas.figures.forests import (
    COMPARISONS,
    INCH_MM,
    MOST_NAMES,
    MOST_PANELS,
    RAW,
    part_title,
    quality_parts,
    quality_word,
)
from atlas.figures.marks import (
    MAX_LEGEND,
    clipped,
    counted,
    few_ticks,
    footer,
    header,
    legend_mark,
    log_axis,
    most_panels,
    number,
    panel_grid,
)
from atlas.figures.place import Label, place_labels
from atlas.figures.style import Look, family_look, figure_without, wrapped
from atlas.terms.keys import PARTITION
from atlas.terms.words import TRAITS

LOGARITHMIC = frozenset({"evals_median", "aspect_median", "layers", "alpha_gaussian", "alpha_sd"})
"""Candidates that differ by factors."""


def traits(look: Look, ask: Ask, traits: pd.DataFrame) -> Figure:
    """Each family's correlation against its traits, a panel for each of the most relevant ones."""
    table = tidy(
        traits,
        [*PARTITION, "quality_metric", "family"],
        ["n", "units", "kendall_b", "kendall_c", *RAW],
    )
    counts = {name: int(table[f"kendall_{name}"].notna().sum()) for name in ("c", "b")}
    comparison = max(counts, key=lambda name: counts[name])  # the first of equals
    table["tau"] = table[f"kendall_{comparison}"]
    parts = [(key, rows[rows["tau"].notna()]) for key, rows in quality_parts(table, ask)]
    parts = sorted((p for p in parts if len(p[1])), key=lambda part: -len(part[1]))
    first: dict[str, pd.DataFrame] = {}
    for key, rows in parts:
        first.setdefault(key[0], rows)
    points = pd.concat(first.values(), ignore_index=True) if first else table.iloc[:0]
    most = min(MOST_PANELS, most_panels(look, 42, 22))
    varied = [name for name in RAW if points[name].nunique() > 1][:most]
    if not varied:
        text = "Fewer than two families have a correlation of their own and traits that differ: "
        return figure_without(look.wide_mm, text + "nothing to set against each other.")
    points = points.sort_values(["collection", "family"], kind="stable")
    several, named = len(first) > 1, len(points) <= MOST_NAMES
    by = "family" if named and not several else "collection"
    marks = family_look(points[by])
    figure, axes = panel_grid(look, len(varied), 42, 22)
    width = figure.get_figwidth() * INCH_MM
    title = "Where does alpha work? Kendall's τ of alpha with "
    title += f"{quality_word(ask.primary_quality)} in each family, {COMPARISONS[comparison]}"
    header(figure, wrapped(title, width - 4, 7.8), [], width)
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
            legend_mark(*marks[name], clipped(name) or "no collection") for name in sorted(first)
        ]
    of = "" if several else f" of {part_title(*parts[0], parts, ask)}"
    notes = [counted(len(points), "family") + of, "larger markers: more independent models"]
    notes.append("shaded: τ < 0, as the theory expects")
    if len(parts) > len(first):
        notes.append("of each collection, the data set with most families")
    if several and len(first) > MAX_LEGEND:
        notes.append(f"colours: {len(first)} collections")
    footer(figure, "; ".join(notes), handles, width)
    place_labels(figure, labels)
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
        log_axis(ax.xaxis, low / room, high * room)
        ax.set_xlim(low / room, high * room)
        return
    few_ticks(ax)
    ax.margins(x=0.15)
