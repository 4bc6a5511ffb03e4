"""Quality against the metric inside each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atlas.figures.data import (
    Ask,
    Part,
    by_size,
    parts_of,
    row_with,
    short_name,
    tidy_estimates,
    tidy_models,
)
from atlas.figures.marks import (
    better_up,
    clipped,
    counted,
    few_ticks,
    footer,
    legend_mark,
    most_panels,
    panel_grid,
    panel_title,
    scatter,
    second_line,
    tau,
)
from atlas.figures.place import Label, place_labels
from atlas.figures.style import GREY, INK, MARKERS, MM, PALETTE, Look, figure_without
from atlas.tables.recipes import as_list, is_reference
from atlas.terms.words import metric_label, quality_label


def _panels(parts: Sequence[Part], most: int, least: int = 2) -> tuple[list[tuple[Part, str]], int]:
    """At most so many families with most models, in order, and how many are left out."""
    counts = {
        (i, family): int((part.models["family"] == family).sum())
        for i, part in enumerate(parts)
        for family in part.families
    }
    ranked = sorted(counts, key=lambda key: (-counts[key], key))
    chosen = sorted(key for key in ranked if counts[key] >= least)
    if len(chosen) > most:
        chosen = sorted([key for key in ranked if counts[key] >= least][:most])
    return [(parts[i], family) for i, family in chosen], len(counts) - len(chosen)


def within_families(
    look: Look, ask: Ask, models: pd.DataFrame, correlations: pd.DataFrame
) -> Figure:
    """Quality against the primary metric in each family: sizes joined by a line, recipes coloured."""
    metric = ask.primary_metrics[0]
    parts = parts_of(tidy_models(models, [metric]), ask.primary_quality, ask.controls)
    parts = [
        Part(p.collection, p.dataset, p.version, p.quality, p.models[p.models[metric].notna()])
        for p in parts
    ]
    panels, left_out = _panels(parts, most_panels(look, 47, 16))
    if not panels:
        text = f"No family has two models with a quality and a {metric_label(metric)}: "
        return figure_without(look.wide_mm, text + "there is nothing to compare within families.")
    table = tidy_estimates(correlations)
    shown = pd.concat([p.models[p.models["family"] == f] for p, f in panels])
    recipes = sorted(
        set(shown["recipe"]) - {""}, key=lambda r: (r not in as_list(ask.reference_recipe), r)
    )
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(recipes)}
    colours[""] = GREY if recipes else PALETTE[0]
    figure, axes = panel_grid(look, len(panels), 47, 16 if recipes else 10)
    labels: list[Label] = []
    one_quality = len({part.quality for part, _ in panels}) == 1
    sizes = _common_sizes(panels)
    for ax, (part, family) in zip(axes, panels, strict=False):
        labels += _family_panel(ax, part, family, colours, sizes, ask)
        # The short name does where no other panel has this family of this collection.
        twins = sum((p.collection, f) == (part.collection, family) for p, f in panels) > 1
        within = part.name(parts) if twins else part.collection
        name = panel_title(family, within, len(parts) > 1)
        if one_quality and not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
        rows = [
            row_with(
                table, **part.labels, **scope, family=family, metric=metric, treatment="dropped"
            )
            for scope in (
                {"comparison": "b", "scope": "family", "variant": ""},
                {"comparison": "c", "scope": "within", "variant": ""},
            )
        ]
        own = part.models[part.models["family"] == family]
        what = "recipes" if own["recipe"].nunique() > 1 else "seeds"
        lines = f"(b) variants: {tau(rows[0])}\n(c) {what}: {tau(rows[1])}"
        if rows[1] is None:
            lines = f"(b) variants: {tau(rows[0])}\n(c) one model per variant"
        second_line(ax, name, lines)
    title = "black line: means of the variants"
    reference = [name for name in as_list(ask.reference_recipe) if name in recipes]
    title += f" on the recipe {' or '.join(reference[:3])}" if reference else ""
    title += " or ..." if len(reference) > 3 else ""
    title += ", small to large"
    title += "" if sizes else "; larger markers: larger variants"
    title += "; grey lines: the recipes of one variant" if len(recipes) > 1 else ""
    handles = [
        legend_mark(GREY, MARKERS[rank], f"variant {name}", hollow=True, size=2.8 + rank)
        for rank, name in enumerate(sizes)
    ]
    handles += [legend_mark(colours[name], "o", clipped(name)) for name in recipes[:14]]
    width = figure.get_figwidth() / MM
    if left_out:
        title += f"; {counted(left_out, 'family')} with fewer models not shown"
    footer(figure, title, handles, width)
    place_labels(figure, labels)
    return figure


def _common_sizes(panels: Sequence[tuple[Part, str]]) -> tuple[str, ...]:
    """The names of the variants, small to large, that most panels share; none for one panel."""
    names = []
    for part, family in panels:
        models = part.models[part.models["family"] == family]
        if models["variant"].nunique() > 1:
            names.append(tuple(short_name(name, family) for name in by_size(models)))
    found = max(sorted(set(names)), key=names.count, default=())
    return found if names.count(found) > 1 and len(found) <= 5 else ()


def _family_panel(
    ax: Axes,
    part: Part,
    family: str,
    colours: Mapping[str, str],
    sizes: Sequence[str],
    ask: Ask,
) -> list[Label]:
    """One family: models, a thin line per variant over its recipes, the trail of the variants."""
    metric = ask.primary_metrics[0]
    models = part.models[part.models["family"] == family]
    reference = is_reference(models, ask.reference_recipe)
    variants = by_size(models)
    trail = []
    for rank, variant in enumerate(variants):
        own = models[models["variant"] == variant]
        marker = MARKERS[rank % len(MARKERS)]
        size = 8 + 14 * rank / max(len(variants) - 1, 1)
        if own["recipe"].nunique() > 1 and np.ptp(own[metric]) > 0:
            x = np.array([own[metric].min(), own[metric].max()])
            slope, start = np.polyfit(own[metric], own["quality"], 1)
            ax.plot(x, start + slope * x, color=GREY, linewidth=0.6, zorder=1)
        for recipe, rows in own.groupby("recipe"):
            marks = {"color": colours[recipe], "edgecolor": "white", "linewidth": 0.3}
            scatter(ax, rows, metric, "quality", marker=marker, s=size, zorder=2, **marks)
        chosen = own[reference.loc[own.index]]
        if len(chosen):
            trail.append((chosen[metric].mean(), chosen["quality"].mean(), variant))
    labels = []
    if len(trail) > 1:
        ends = [(t[0], t[1]) for t in trail]
        x, y = zip(*ends, strict=True)
        ax.plot(x, y, color=INK, linewidth=0.9, zorder=3)
        ax.scatter(x, y, s=5, color=INK, zorder=4, linewidth=0)
        names = [short_name(name, family) for *_, name in trail]
        if names != list(sizes):
            labels = [
                Label(ax, *xy, n, INK, -i)
                for i, (xy, n) in enumerate(zip(ends, names, strict=True))
                if n
            ]
    few_ticks(ax)
    better_up(ax, part.quality)
    ax.set(xlabel=metric_label(metric), ylabel=quality_label(part.quality))
    return labels
