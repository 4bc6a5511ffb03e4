"""Trained against untrained networks: does the metric say anything before training?"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter

from atlas.figures.data import Ask, Part, parts_of, row_with, tidy_estimates, tidy_models
from atlas.figures.forests import common_note
from atlas.figures.marks import (
    MAX_LEGEND,
    NARROW_SHARE,
    better_up,
    clipped,
    counted,
    few_ticks,
    header,
    legend_mark,
    number,
    scatter,
    second_line,
    tau,
)
from atlas.figures.style import (
    BASE,
    GREY,
    INK,
    LEAST,
    PALETTE,
    SMALL,
    Look,
    family_look,
    figure_without,
    new_figure,
    tallest,
    wrapped,
)
from atlas.tables.recipes import is_reference
from atlas.terms.words import metric_label, quality_label


def controls(look: Look, ask: Ask, models: pd.DataFrame, controls: pd.DataFrame) -> Figure:
    """Trained networks beside the untrained ones of the same variants, which cannot predict."""
    metric = ask.primary_metrics[0]
    table = tidy_models(models, [metric])
    pairs = []
    for control, reference in sorted(ask.controls.items()):
        untrained = table[table["collection"] == control].drop_duplicates("model")
        trained = table[table["collection"] == reference]
        for part in parts_of(trained, ask.primary_quality, ()):
            means = _paired(part, untrained, metric, ask.reference_recipe)
            if len(means):
                pairs.append((control, part, means))
    if not pairs:
        text = "No variant was analysed both trained and untrained: there is no control to show."
        return figure_without(look.width_mm, text)
    control, part, means = max(pairs, key=lambda pair: len(pair[2]))
    rows = tidy_estimates(controls)
    rows = rows[(rows["collection"] == control) & (rows["reference"] == part.collection)]
    for name, value in part.labels.items():
        if name != "collection":
            rows = rows[rows[name] == value]
    names = [name for name in ask.metrics if (rows["metric"] == name).any()]
    upper = 54
    room = int((tallest(look, look.width_mm, NARROW_SHARE) - upper - 5 - 18) // 3.6)
    names, rest = names[:room], len(names[room:])
    lower = 3.6 * len(names) + (18 if rest else 14) if names else 0
    figure = new_figure(look, look.width_mm, upper + lower + 5, NARROW_SHARE)
    blocks = np.atleast_1d(
        figure.subfigures(2 if names else 1, height_ratios=[upper, lower] if names else [1])
    )
    families = sorted(means["family"].unique())
    marks = family_look(families)
    handles = [legend_mark(*marks[name], clipped(name) or "no family") for name in families]
    title = f"{counted(len(means), 'variant')}: {part.collection} and {control}"
    title = wrapped(title, look.width_mm - 4, 7.8)
    header(blocks[0], title, handles if len(families) <= MAX_LEGEND else [], look.width_mm)
    axes = blocks[0].subplots(1, 2, sharey=True)
    for ax, relation in zip(axes, ("trained", "untrained"), strict=True):
        for family in families:
            colour, marker = marks[family]
            own = means[means["family"] == family]
            face = {"color": colour, "edgecolor": "white", "linewidth": 0.3}
            if relation == "untrained":
                face = {"facecolors": "none", "edgecolors": colour, "linewidth": 0.8}
            scatter(ax, own, relation, "quality", marker=marker, s=16, **face)
        few_ticks(ax)
        ax.set(xlabel=metric_label(metric), ylabel="")
        pick = {"metric": metric, "treatment": "dropped", "relation": relation}
        between, within = (row_with(rows, **pick, scope=scope) for scope in ("families", "within"))
        text = f"families {tau(between, count=False)}\nwithin {tau(within, count=False)}"
        second_line(ax, relation, text)
    better_up(axes[0], part.quality)
    axes[0].set_ylabel(f"trained {quality_label(part.quality)}")
    if names:
        _control_dots(blocks[1], rows, names, rest, ask)
    return figure


def _paired(
    part: Part, untrained: pd.DataFrame, metric: str, reference_recipe: str | Sequence[str]
) -> pd.DataFrame:
    """Variant means: `trained` and `untrained` metric, and the trained `quality`."""
    own = untrained[
        (untrained["dataset"] == part.dataset)
        & (untrained["weightwatcher_version"] == part.version)
    ]
    chosen = part.models[is_reference(part.models, reference_recipe)]
    by = ["family", "variant"]
    trained = chosen.dropna(subset=[metric]).groupby(by)[[metric, "quality"]].mean()
    before = own.dropna(subset=[metric]).groupby(by)[[metric]].mean()
    trained = trained.rename(columns={metric: "trained"})
    both = trained.join(before.rename(columns={metric: "untrained"}), how="inner")
    return both.reset_index()


def _control_dots(
    block: SubFigure, rows: pd.DataFrame, names: Sequence[str], rest: int, ask: Ask
) -> None:
    """Kendall's tau of these metrics, trained and untrained, of families and within them."""
    axes = block.subplots(1, 2, sharey=True)
    colour = {"trained": PALETTE[0], "untrained": PALETTE[1]}
    for ax, scope in zip(axes, ("families", "within"), strict=True):
        for y, metric in enumerate(names):
            for up, relation in ((-0.16, "trained"), (0.16, "untrained")):
                pick = {"metric": metric, "treatment": "dropped", "relation": relation}
                row = row_with(rows, **pick, scope=scope)
                if row is None or not math.isfinite(row["kendall"]):
                    continue
                c = colour[relation]
                ends = [row["kendall_low"], row["kendall_high"]]
                ax.plot(ends, [y + up] * 2, color=c, linewidth=0.9, zorder=1)
                face = c if relation == "trained" else "white"
                marks = {"markersize": 3.2, "markerfacecolor": face, "markeredgewidth": 0.8}
                ax.plot(row["kendall"], y + up, marker="o", color=c, **marks)
        if len(ax.lines) == 0:
            why = common_note(rows.loc[rows["scope"] == scope, "note"])
            lines = textwrap.fill(f"no τ: {why}" if why else "no τ", 20)
            where = {"transform": ax.transAxes, "ha": "center", "va": "center"}
            ax.text(0.5, 0.5, lines, size=LEAST, color=GREY, **where)
        else:
            ax.axvline(0, color=INK, linewidth=0.6, zorder=0)
        ax.set(xlim=(-1.05, 1.05), ylim=(len(names) - 0.4, -0.6), xticks=[-1, 0, 1])
        ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], size=LEAST)
        ax.tick_params(axis="y", length=0)
        sns.despine(ax=ax, left=True)
        ax.set_title("means of families" if scope == "families" else "within families", size=SMALL)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 0)))
    text = f"Kendall's τ, {100 * ask.confidence:g} % interval"
    text += f"\n{counted(rest, 'more metric')} not shown" if rest else ""
    block.supxlabel(text, size=BASE)
    handles = [
        legend_mark(colour["trained"], "o", "trained", size=3.2),
        legend_mark(colour["untrained"], "o", "untrained", hollow=True, size=3.2),
    ]
    block.legend(handles=handles, loc="outside upper left", ncols=2)
