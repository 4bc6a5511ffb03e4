"""The three comparisons at a glance: architectures, variants, trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atlas.figures.data import Ask, by_size, parts_of, row_with, tidy_estimates, tidy_models
from atlas.figures.marks import (
    better_up,
    counted,
    few_ticks,
    header,
    say,
    scatter,
    second_line,
    tau,
)
from atlas.figures.place import Label, place_labels
from atlas.figures.style import (
    BESIDE_MM,
    INK,
    MARKERS,
    PALE,
    PALETTE,
    SMALL,
    Look,
    family_look,
    figure_without,
    new_figure,
    wrapped,
)
from atlas.tables.recipes import as_list, is_reference
from atlas.terms.words import metric_label, quality_label


def overview(look: Look, ask: Ask, models: pd.DataFrame, correlations: pd.DataFrame) -> Figure:
    """The three comparisons of the largest collection side by side."""
    metric = ask.primary_metrics[0]
    parts = parts_of(tidy_models(models, [metric]), ask.primary_quality, ask.controls)
    parts = [part for part in parts if part.models[metric].notna().any()]
    if not parts:
        text = f"No analysed model has a quality and a {metric_label(metric)}: nothing to compare."
        return figure_without(look.wide_mm, text)
    part = parts[0]
    one = len(part.families) == 1
    seeds = part.models["recipe"].nunique() == 1
    rows = tidy_estimates(correlations)
    pick = {**part.labels, "metric": metric, "treatment": "dropped", "family": "", "variant": ""}
    found = {
        "a": row_with(rows, **pick, comparison="a", scope="families"),
        "b": row_with(rows, **pick, comparison="b", scope="within")
        if not one
        else row_with(
            rows, **(pick | {"family": part.families[0]}), comparison="b", scope="family"
        ),
        "c": row_with(rows, **pick, comparison="c", scope="within"),
    }
    title = f"{part.full_name(parts)}: "
    title += f"{counted(part.models['model'].nunique(), 'model')}; "
    title += f"Kendall's τ with {100 * ask.confidence:g} % interval, the theory expects τ < 0"
    columns = 3 if look.wide_mm >= BESIDE_MM else 1
    figure = new_figure(look, look.wide_mm, 62 if columns == 3 else 175)
    header(figure, wrapped(title, look.wide_mm - 4, 7.8), [], look.wide_mm)
    axes = figure.subplots(3 // columns, columns)
    known = part.models[part.models[metric].notna()]
    chosen = known[is_reference(known, ask.reference_recipe)]
    marks = family_look(part.families)
    panels: Sequence[tuple[str, str, Callable[[Axes], list[Label] | str]]] = (
        ("a", "(a) between architectures", lambda ax: _overview_a(ax, chosen, metric, marks)),
        (
            "b",
            "(b) variants of each architecture",
            lambda ax: _overview_b(ax, chosen, metric, marks),
        ),
        (
            "c",
            f"(c) {'seeds' if seeds else 'recipes'} of each variant",
            lambda ax: _overview_c(ax, known, metric, ask),
        ),
    )
    labels: list[Label] = []
    for ax, (key, heading, panel) in zip(np.ravel(axes), panels, strict=True):
        row = found[key]
        drawn = panel(ax)
        if isinstance(drawn, str):
            say(ax, drawn)
            second_line(ax, heading, tau(row) if row else "")
            continue
        labels += drawn
        few_ticks(ax)
        better_up(ax, part.quality)
        by_variant = key == "c"
        x, y = metric_label(metric), quality_label(part.quality)
        short = x.removeprefix("mean ").removesuffix(" over layers")
        ax.set(
            xlabel=f"{short} minus its variant's mean" if by_variant else x,
            ylabel=y.replace("(%", "minus mean (%") if by_variant else y,
        )
        second_line(ax, heading, tau(row, interval=True))
    place_labels(figure, labels, SMALL)
    return figure


def _overview_a(
    ax: Axes, models: pd.DataFrame, metric: str, marks: Mapping[str, tuple[str, str]]
) -> list[Label] | str:
    """All models of the reference recipe, and each family's mean with its name."""
    if models["family"].nunique() < 2:
        return "one architecture: nothing to compare"
    labels = []
    for family, own in models.groupby("family"):
        colour, marker = marks[family]
        scatter(ax, own, metric, "quality", s=9, color=colour, marker=marker, alpha=0.45, lw=0)
    for family, own in models.groupby("family"):
        colour, marker = marks[family]
        x, y = own[metric].mean(), own["quality"].mean()
        ax.scatter(x, y, s=42, color=colour, marker=marker, edgecolor=INK, linewidth=0.7, zorder=4)
        labels.append(Label(ax, x, y, family, colour, len(own), gap=5.5))
    return labels


def _overview_b(
    ax: Axes, models: pd.DataFrame, metric: str, marks: Mapping[str, tuple[str, str]]
) -> list[Label] | str:
    """Each family's variants, joined from small to large."""
    labels = []
    for family, own in models.groupby("family"):
        colour, marker = marks[family]
        order = by_size(own)
        if len(order) < 2:
            continue
        means = own.groupby("variant")[[metric, "quality"]].mean().loc[order]
        ax.plot(means[metric], means["quality"], color=colour, linewidth=0.9, zorder=2)
        sizes = np.linspace(8, 36, len(means))
        marks_of = {"color": colour, "marker": marker, "edgecolor": "white", "linewidth": 0.4}
        ax.scatter(means[metric], means["quality"], s=sizes, zorder=3, **marks_of)
        x, y = means.iloc[-1]
        labels.append(Label(ax, x, y, family, colour, len(own)))
    return labels or "one variant per architecture: nothing to compare"


def _overview_c(ax: Axes, models: pd.DataFrame, metric: str, ask: Ask) -> list[Label] | str:
    """Deviations from the variant's mean, and each recipe's mean with its name."""
    by = models.groupby(["family", "variant"])
    several = (by["model"].transform("size") > 1) & (models["variant"] != "")
    models = models[several]
    if models.empty:
        return "one model per variant: nothing to compare"
    by = models.groupby(["family", "variant"])
    moved = models.assign(
        x=models[metric] - by[metric].transform("mean"),
        y=models["quality"] - by["quality"].transform("mean"),
    )
    recipes = sorted(
        set(moved["recipe"]), key=lambda name: (name not in as_list(ask.reference_recipe), name)
    )
    for axis in (ax.axhline, ax.axvline):
        axis(0, color=PALE, linewidth=0.5, zorder=0)
    labels = []
    for index, recipe in enumerate(recipes):
        own = moved[moved["recipe"] == recipe]
        colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        scatter(ax, own, "x", "y", s=7, color=colour, marker=marker, alpha=0.35, lw=0)
        if recipe and len(recipes) > 1:
            x, y = own["x"].mean(), own["y"].mean()
            edge = {"edgecolor": INK, "linewidth": 0.7, "zorder": 4}
            ax.scatter(x, y, s=42, color=colour, marker=marker, **edge)
            labels.append(Label(ax, x, y, recipe, colour, len(own), gap=5.5))
    return labels
