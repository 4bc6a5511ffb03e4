"""The eigenvalues of one layer, with the fitted tail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from atlas.figures.data import Ask
from atlas.figures.marks import NARROW_SHARE, compact, number, second_line
from atlas.figures.style import PALETTE, SMALL, Look, figure_without, new_figure, wrapped
from atlas.fits import metrics


def pick_layer(details: pd.DataFrame, layer: str | int | None) -> Mapping[str, Any] | None:
    """The row of the wanted layer (its number or name); by default that with most eigenvalues.

    By default only layers whose fit succeeded count, and the first of equals is taken. None where
    there is no such layer.
    """
    if details.empty:
        return None
    if layer is None:
        good = details[~metrics.failed(details)]
        return good.loc[good["num_evals"].idxmax()].to_dict() if len(good) else None
    for column in ("longname", "name", "layer_id"):
        found = details[details[column].map(str) == str(layer)]
        if len(found):
            return found.iloc[0].to_dict()
    return None


def spectral_density(look: Look, ask: Ask, spectra: pd.DataFrame, details: pd.DataFrame) -> Figure:
    """One layer's density of eigenvalues on logarithmic axes, with the power law of its tail."""
    row = pick_layer(details, ask.layer)
    if row is None:
        what = "layer with a successful fit" if ask.layer is None else f"layer {ask.layer}"
        return figure_without(
            look.width_mm, f"{ask.model} has no {what}: no spectral density to show."
        )
    same = spectra[(spectra["longname"] == row["longname"]) & spectra["evals"].notna()]
    values = np.sort(np.asarray(same.iloc[0]["evals"], float)) if len(same) else np.array([])
    positive = values[values > 0]
    if not len(positive) or positive[0] == positive[-1]:
        text = f"Layer {row['longname']} of {ask.model} has no spectrum to show."
        return figure_without(look.width_mm, text)
    good = not metrics.failed(pd.DataFrame([row])).iloc[0]
    start = max(positive[0], positive[-1] * 1e-6)
    edges = np.geomspace(start, positive[-1], int(np.clip(1.6 * len(values) ** 0.5, 12, 60)) + 1)
    edges[0], edges[-1] = start, positive[-1]
    counts = np.histogram(positive, edges)[0]
    density = counts / (len(values) * np.diff(edges))
    figure = new_figure(look, look.width_mm, 0.78 * look.width_mm, NARROW_SHARE)
    ax = figure.subplots()
    ax.set(xscale="log", yscale="log")
    density = np.where(counts > 0, density, np.nan)
    bottom = 0.3 * np.nanmin(density)
    filled = np.where(np.isnan(density), bottom, density)
    ax.stairs(filled, edges, fill=True, color=PALETTE[5], alpha=0.45, linewidth=0, baseline=bottom)
    middle = np.sqrt(edges[1:] * edges[:-1])
    ax.plot(middle, density, color=PALETTE[0], marker="o", markersize=2, linestyle="", zorder=3)
    lines = [f"{compact(row['N'])} × {compact(row['M'])}: {len(values):,} eigenvalues"]
    below = int((values < start).sum())
    if below:
        lines.append(f"{below:,} below {_scientific(start)} not shown")
    top = 3 * np.nanmax(density)
    if good:
        alpha, xmin = row["alpha"], row["xmin"]
        tail = int((values >= xmin).sum())
        x = np.geomspace(xmin, positive[-1], 50)
        share = tail / len(values)
        y = share * (alpha - 1) / xmin * (x / xmin) ** -alpha
        ax.plot(x, y, color=PALETTE[1], linewidth=1.6, zorder=4)
        ax.axvline(xmin, color=PALETTE[1], linewidth=0.7, linestyle=(0, (4, 2)), zorder=2)
        top = max(top, 3 * y.max())
        left = math.log(xmin / start) > 0.5 * math.log(positive[-1] / start)
        ax.annotate(
            f"xmin = {_three(xmin)}\nalpha = {number(alpha)}\nD = {number(row['D'], 3)}\n"
            f"{tail:,} in the tail",
            (xmin, 0.04),
            (-3 if left else 3, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha="right" if left else "left",
            va="bottom",
            size=SMALL,
            color="#A84300",
            zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )
    else:
        lines.append("the fit of its tail failed")
    ax.set_ylim(bottom, top)
    ax.set(xlabel="eigenvalue λ of WᵀW", ylabel="density (1/λ)")
    title = f"{ask.model}, {row['longname']}"
    second_line(ax, wrapped(title, look.width_mm - 22, 7.8), "; ".join(lines))
    return figure


def _three(value: float) -> str:
    """Three digits; very small and large numbers with a power of ten."""
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 else _scientific(value)


def _scientific(value: float) -> str:
    digits, power = f"{value:.1e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{raised}"
