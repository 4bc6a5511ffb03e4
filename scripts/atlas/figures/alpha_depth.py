"""Alpha along the depth of the networks, family by family."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from atlas.figures.data import Ask, tidy, tidy_models
from atlas.figures.marks import (
    BAND,
    counted,
    footer,
    most_panels,
    panel_grid,
    panel_title,
    second_line,
)
from atlas.figures.style import MM, Look, family_look, figure_without
from atlas.fits import metrics


def alpha_depth(look: Look, ask: Ask, models: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    """Alpha by depth in the network: a thin line per model, their median, the band 2 to 6."""
    about = tidy_models(models, []).drop_duplicates("model")
    about = about[~about["collection"].isin(list(ask.controls))]
    table = tidy(layers, ["model", "status"], ["alpha", "depth"])
    table["failed"] = metrics.failed(table)
    table = table.merge(about[["model", "collection", "family"]], on="model")
    good = table[~table["failed"] & table["depth"].notna()]
    if good.empty:
        return figure_without(
            look.wide_mm, "No layer of a trained model has an alpha: nothing to show."
        )
    keys = ["collection", "family"]
    counts = table.groupby(keys)["model"].nunique()
    sizes = about.groupby("collection")["model"].nunique()
    order = sorted(counts.index, key=lambda key: (-sizes[key[0]], key))
    room = most_panels(look, 40, 8)
    if len(order) > room:
        most = sorted(counts.index, key=lambda key: (-counts[key], key))[:room]
        order = [key for key in order if key in most]
    left_out = len(counts) - len(order)
    marks = {name: family_look(own["family"]) for name, own in about.groupby("collection")}
    figure, axes = panel_grid(look, len(order), 40, 8)
    low, high = good["alpha"].min(), good["alpha"].max()
    for ax, (collection, family) in zip(axes, order, strict=False):
        colour, _ = marks[collection][family]
        own = table[(table["collection"] == collection) & (table["family"] == family)]
        fine = own[~own["failed"] & own["depth"].notna()].sort_values(["model", "depth"])
        ax.axhspan(*BAND, color="#EFEFEF", linewidth=0, zorder=0)
        number_of = own["model"].nunique()
        faint = max(0.18, min(0.6, 5 / number_of))
        if len(fine):
            sns.lineplot(
                fine,
                **{"x": "depth", "y": "alpha", "units": "model", "estimator": None, "ax": ax},
                **{"color": colour, "alpha": faint, "linewidth": 0.5},
                **{"marker": "o", "markersize": 1.4, "markeredgewidth": 0, "legend": False},
            )
            depth, middle = _median_line(fine)
            ax.plot(depth, middle, color=colour, linewidth=1.8, zorder=4)
        ax.set_yscale("log")
        ax.set(ylim=(min(low, 1.5) * 0.9, max(high, 8) * 1.1), xlim=(-0.03, 1.03))
        ax.yaxis.set_major_locator(FixedLocator([1, 2, 4, 6, 10, 20, 50, 100, 200, 500, 1000]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_minor_locator(FixedLocator([]))
        ax.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        first = ax.get_subplotspec().is_first_col()
        ax.set(xlabel="depth (0 first, 1 last layer)", ylabel="alpha of the layer" if first else "")
        name = panel_title(family, collection, sizes.size > 1)
        line = f"{counted(number_of, 'model')}; {int(own['failed'].sum())} of "
        second_line(ax, name, line + f"{counted(len(own), 'fit')} failed")
    title = "bold: median over models; shaded: 2 to 6; failed fits are left out"
    if left_out:
        title += f"; {counted(left_out, 'family')} with fewer models not shown"
    footer(figure, title, [], figure.get_figwidth() / MM)
    return figure


def _median_line(layers: pd.DataFrame, steps: int = 21) -> tuple[np.ndarray, np.ndarray]:
    """Median over models of alpha (steps,) at equally spaced depths.

    Each model's log(alpha) is interpolated linearly between its layers, as the logarithmic axis
    shows it, and counts only between its first and last; a depth that fewer than half of the
    models reach has no median.
    """
    depth = np.linspace(0, 1, steps)
    lines = np.array(
        [
            np.interp(depth, own["depth"], np.log(own["alpha"]), left=np.nan, right=np.nan)
            for _, own in layers.groupby("model")
        ]
    )
    enough = np.isfinite(lines).sum(axis=0) * 2 >= len(lines)
    middle = np.full(steps, np.nan)
    middle[enough] = np.exp(np.nanmedian(lines[:, enough], axis=0))
    return depth, middle
