"""The figures: tables in, a matplotlib figure out, at the size at which it is printed.

Every function here is pure and takes only the tables that its figure shows. A table without rows,
a metric without values, one family or two hundred: each gives a figure, and where something cannot
be shown, the figure says in words why. Equal tables give equal bytes (`save`).

Sizes are final sizes: text is 6 to 8 pt in print. Colours are those of Okabe and Ito (2008), which
colour-blind readers tell apart, and no meaning rests on colour alone: families have markers of
their own. Correlations are never computed here but read from the tables of the statistics.
"""

from __future__ import annotations

import math
import re
import textwrap
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from atlas import metrics as layer_metrics
from atlas.io import atomic
from atlas.parts import PARTITION as _PARTITION
from atlas.parts import primary_quality
from atlas.recipes import as_list, is_reference

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours without yellow, which is too pale for a marker on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
"""As many as share no divisor with the colours: 77 families before a pair repeats."""

GREY, PALE, INK = "#767676", "#C8C8C8", "#1A1A1A"
BASE, SMALL, LEAST = 7.0, 6.5, 6.0
"""Sizes of text in points: axes, annotations, ticks and dense rows."""

MM = 1 / 25.4
MAX_BLOCKS, MAX_PANELS, MAX_ROWS, MAX_LEGEND = 3, 12, 60, 10
"""Collections of `quality_metrics`, panels, rows of a forest, families in a legend."""

PAGE_MM = (158.0, 210.0)
"""Width of the paper's text block, and what a figure may take of its height; a caption is beneath.

That is the built-in renderer's A4 page, 158 mm by 243 mm. Quarto's is 146.5 mm by 233.5 mm: there
a figure as wide as the page is less tall by as much, and so fits as well.
"""

NARROW_SHARE, FOREST_SHARE = 0.58, 0.54
"""On which share of the text's width the paper prints figures `width_mm` wide, and the forest."""

BESIDE_MM = 120
"""From which width on panels stand side by side."""

SQUEEZE = 0.8
"""How far panels may be pressed together before something is left out."""

LONGEST = 30
"""Letters of a name in a legend, a row or over a panel; longer ones lose their middle."""

SIZE = "log_parameters"
BAND = (layer_metrics.OVER_TRAINED, layer_metrics.UNDER_TRAINED)
PARTITION = list(_PARTITION)
TEXT = [*PARTITION, "model", "family", "variant", "recipe", "seed", "quality_metric"]
METRIC_LABELS = {
    "alpha": "mean alpha over layers",
    "alpha_weighted": "mean weighted alpha",
    "log_alpha_norm": "mean log₁₀ alpha-norm",
    "log_norm": "mean log₁₀ Frobenius norm²",
    "log_spectral_norm": "mean log₁₀ λmax",
    "stable_rank": "mean stable rank",
    "entropy": "mean matrix entropy",
    "D": "mean KS distance D",
    "alpha_median": "median alpha over layers",
    "alpha_by_size": "mean alpha, by layer size",
    "alpha_sd": "SD of alpha over layers",
    "alpha_2_to_6": "share of alphas in 2 to 6",
    "evals_50": "share with 50 eigenvalues",
    "failed_share": "failed fits (share)",
    "coverage": "parameters analysed (share)",
    SIZE: "log₁₀ parameters (size)",
}
QUALITY_LABELS = {
    "accuracy": "top-1 accuracy (%)",
    "error": "top-1 error (%), low on top",
    "generalization_gap": "generalisation gap (% points), low on top",
    "perplexity": "perplexity, low on top",
}
LOWER_IS_BETTER = frozenset({"error", "generalization_gap", "perplexity"})
"""Their axes point down: better is up in every figure, as the signs of the correlations have it."""


@dataclass(frozen=True)
class Look:
    """Widths in mm of a figure and of one with several panels side by side; dots per inch."""

    width_mm: float = 85
    wide_mm: float = 175
    dpi: int = 300


@dataclass(frozen=True)
class Ask:
    """What the figures show: the config's `statistics` keys of these names, and `figures.layer`.

    `controls` maps a collection of untrained networks to the trained one. `model` and `layer` say
    whose spectral density is shown; `layer` is a name, a number or None.
    """

    metrics: Sequence[str] = ("alpha",)
    primary_metric: str = "alpha"
    primary_quality: str = "accuracy"
    reference_recipe: str | Sequence[str] = "baseline"
    confidence: float = 0.95
    controls: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    layer: str | int | None = None


def draw(
    name: str, tables: Mapping[str, pd.DataFrame], look: Look, ask: Mapping[str, Any]
) -> Figure:
    """The figure of this name from its tables.

    Raises KeyError for a figure that is none of `DRAWN` here and in `figures_why`, TypeError for a
    table or key too many.
    """
    from atlas.figures_why import DRAWN as WHY  # it builds on this module

    with style():
        return (DRAWN | WHY)[name](look, Ask(**ask), **tables)


def save(figure: Figure, svg: Path, png: Path, dpi: int) -> None:
    """Write a figure as SVG (text as outlines) and PNG: equal figures give equal bytes."""
    with style():
        with atomic(svg) as beside:
            figure.savefig(beside, format="svg", metadata={"Date": None, "Creator": None})
        with atomic(png) as beside:
            figure.savefig(beside, format="png", dpi=dpi, metadata={"Software": None})


@contextmanager
def style() -> Iterator[None]:
    """The context in which figures are drawn and saved: nothing of a user's matplotlibrc counts."""
    thin = 0.5
    rc = {
        **sns.axes_style("ticks"),
        "font.family": ["DejaVu Sans"],  # ships with matplotlib
        "font.size": BASE,
        "axes.labelsize": BASE,
        "axes.titlesize": BASE,
        "axes.titlepad": 3,
        "axes.labelpad": 2,
        "axes.linewidth": thin,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.width": thin,
        "ytick.major.width": thin,
        "xtick.minor.width": thin / 2,
        "ytick.minor.width": thin / 2,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "xtick.major.pad": 2,
        "ytick.major.pad": 2,
        "legend.fontsize": SMALL,
        "legend.title_fontsize": BASE,
        "legend.frameon": False,
        "legend.handletextpad": 0.3,
        "legend.columnspacing": 1.2,
        "legend.borderaxespad": 0.2,
        "legend.borderpad": 0.1,
        "legend.labelspacing": 0.3,
        "lines.linewidth": 1.0,
        "patch.linewidth": thin,
        "figure.constrained_layout.h_pad": 0.03,
        "figure.constrained_layout.w_pad": 0.03,
        "figure.constrained_layout.wspace": 0.03,
        "axes.unicode_minus": True,
        "svg.fonttype": "path",
        "svg.hashsalt": "alpha-atlas",
        "savefig.bbox": None,
        "savefig.facecolor": "white",
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(rc)
        yield


# --- tables ---------------------------------------------------------------------------------------


def _tidy(table: pd.DataFrame, text: Iterable[str], numbers: Iterable[str]) -> pd.DataFrame:
    """The table with these columns for certain: text "" and numbers NaN where there is nothing."""
    table = table.copy()
    for name in text:
        values = table[name] if name in table else pd.Series("", index=table.index, dtype=object)
        table[name] = values.astype(object).where(values.notna(), "").map(str)
    for name in numbers:
        values = table[name] if name in table else pd.Series(np.nan, index=table.index)
        values = pd.to_numeric(values, errors="coerce").astype(float)
        table[name] = values.where(np.isfinite(values))
    return table


def _models(table: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """models.csv with its text, numbers and `log_parameters`; sorted, so row order means nothing."""
    wanted = [name for name in metrics if name != SIZE]
    table = _tidy(table, TEXT, ["quality", "parameters", *wanted])
    table[SIZE] = np.log10(table["parameters"].where(table["parameters"] > 0))
    return table.sort_values(TEXT, kind="stable", ignore_index=True)


ESTIMATE_TEXT = [*PARTITION, "comparison", "scope", "family", "variant"]
ESTIMATE_TEXT += ["metric", "quality_metric", "treatment", "relation", "reference", "note"]
ESTIMATE_NUMBERS = ["n", "kendall", "kendall_low", "kendall_high"]


def _estimates(table: pd.DataFrame) -> pd.DataFrame:
    """A table of correlations with the columns that figures read."""
    return _tidy(table, ESTIMATE_TEXT, ESTIMATE_NUMBERS)


def _row(table: pd.DataFrame, **labels: str) -> Mapping[str, Any] | None:
    """The one row with these labels, or None."""
    chosen = np.ones(len(table), bool)
    for name, value in labels.items():
        chosen &= (table[name] == value).to_numpy()
    found = table[chosen]
    return found.iloc[0].to_dict() if len(found) else None


@dataclass(frozen=True)
class Part:
    """Models whose qualities may stand on one axis."""

    collection: str
    dataset: str
    version: str
    quality: str
    models: pd.DataFrame

    @property
    def families(self) -> list[str]:
        return sorted(self.models["family"].unique())

    @property
    def labels(self) -> dict[str, str]:
        """What picks the rows of this part in a table of correlations."""
        key = (self.collection, self.dataset, self.version, self.quality)
        return dict(zip([*PARTITION, "quality_metric"], key, strict=True))

    def name(self, parts: Sequence[Part]) -> str:
        """The collection and what tells it from another part of the same collection."""
        same = [part for part in parts if part.collection == self.collection]
        extra = [self.dataset] * (len({part.dataset for part in same}) > 1)
        extra += [f"weightwatcher {self.version}"] * (len({part.version for part in same}) > 1)
        return ", ".join([self.collection or "no collection", *filter(None, extra)])

    def full_name(self, parts: Sequence[Part]) -> str:
        """The name, and the data set where the name does not tell it."""
        name = self.name(parts)
        told = not self.dataset or self.dataset in name.split(", ")
        return name if told else f"{name} ({self.dataset})"


def _parts(
    models: pd.DataFrame, quality: str, controls: Iterable[str], only: bool = False
) -> list[Part]:
    """The parts with any quality, the largest first; controls are none.

    A part without the wanted quality shows its own primary one, unless `only` the wanted is asked.
    """
    known = models[models["quality"].notna() & ~models["collection"].isin(list(controls))]
    parts = []
    for key, group in known.groupby(PARTITION, sort=True):
        chosen = quality if only else primary_quality(group["quality_metric"], quality)
        rows = group[group["quality_metric"] == chosen].reset_index(drop=True)
        if len(rows):
            parts.append(Part(*key, chosen, rows))
    return sorted(parts, key=lambda part: -len(part.models))


def _sizes(models: pd.DataFrame) -> list[str]:
    """The variants of one family, from the smallest to the largest number of parameters."""
    medians = models.groupby("variant")["parameters"].median()
    return sorted(medians.index, key=lambda name: (np.nan_to_num(medians[name]), name))


def _short(variant: str, family: str) -> str:
    """A variant's name without its family's in front: mlp-s is s in the panel of mlp."""
    return variant.removeprefix(family).lstrip("-_ .") or variant


# --- words and marks --------------------------------------------------------------------------


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign; a dash for none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def tau(row: Mapping[str, Any] | None, interval: bool = False, count: bool = True) -> str:
    """Kendall's tau of a row of correlations, as annotated: value, interval, number of models."""
    if row is None:
        return "τ not computed"
    if not math.isfinite(row["kendall"]):
        return "no τ" + (f" (n = {_count(row['n'])})" if count else "")
    text = f"τ = {number(row['kendall'])}"
    if interval and math.isfinite(row["kendall_low"]):
        text += f" [{number(row['kendall_low'])}, {number(row['kendall_high'])}]"
    return text + (f" (n = {_count(row['n'])})" if count else "")


def _count(value: float) -> str:
    return f"{int(value)}" if math.isfinite(value) else "–"


def metric_label(metric: str) -> str:
    """A metric's name on an axis."""
    return METRIC_LABELS.get(metric, metric.replace("_", " "))


def quality_label(quality: str) -> str:
    """A quality's name on an axis, with its unit."""
    return QUALITY_LABELS.get(quality, quality.replace("_", " "))


def _many(count: int, noun: str) -> str:
    """'1 model', '2 models', '2 families'."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def family_look(families: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each family of one collection: the same in all figures."""
    return {
        name: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(sorted(set(families)))
    }


def _wrapped(text: str, mm: float, size: float = BASE) -> str:
    """Lines that fit a width, at the mean width of DejaVu Sans's letters."""
    return textwrap.fill(text, max(12, int(mm / (0.53 * size / 72 * 25.4))))


def tallest(look: Look, width_mm: float, share: float = 1.0) -> float:
    """The most height in mm of a figure of this width, so that the paper's page holds it.

    The paper prints it on this share of the text's width. Figures for one column of a journal
    (`wide_mm` below `BESIDE_MM`) are longer: the paper prints them no larger than they are drawn.
    """
    width, height = PAGE_MM
    scale = share * width / width_mm
    return height / (min(scale, 1.0) if look.wide_mm < BESIDE_MM else scale)


def _figure(look: Look, width_mm: float, height_mm: float, share: float = 1.0) -> Figure:
    """An empty figure; of what is too tall for the page, the panels are pressed together."""
    height_mm = min(height_mm, tallest(look, width_mm, share))
    return Figure(figsize=(width_mm * MM, height_mm * MM), layout="constrained")


def _missing(width_mm: float, text: str) -> Figure:
    """A figure that says in words why there is none."""
    lines = _wrapped(text, width_mm - 8)
    height = 14 + 4 * lines.count("\n")
    figure = Figure(figsize=(width_mm * MM, height * MM), layout="constrained")
    figure.text(0.5, 0.5, lines, ha="center", va="center", color=GREY)
    return figure


def _say(ax: Axes, text: str, width: int = 28) -> None:
    """Words in a panel that has nothing to show."""
    ax.set(xticks=[], yticks=[])
    sns.despine(ax=ax, left=True, bottom=True)
    lines = textwrap.fill(text, width)
    ax.text(
        0.5, 0.5, lines, ha="center", va="center", transform=ax.transAxes, color=GREY, size=SMALL
    )


def _ticks(ax: Axes, x: int = 4, y: int = 5) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(x, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(y, steps=[1, 2, 5, 10]))
    ax.margins(0.1)


def _better_up(ax: Axes, quality: str) -> None:
    if quality in LOWER_IS_BETTER:
        ax.invert_yaxis()


def _second_line(ax: Axes, title: str, line: str) -> None:
    """A bold title with a plain line below it."""
    ax.set_title(title, loc="left", weight="bold", pad=3 + (SMALL + 2) * (1 + line.count("\n")))
    ax.annotate(
        line,
        (0, 1),
        (0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
        size=SMALL,
        linespacing=1.15,
    )


def _scatter(ax: Axes, rows: pd.DataFrame, x: str, y: str, **marks: Any) -> None:
    """Points without a legend; missing values are left out."""
    rows = rows[rows[x].notna() & rows[y].notna()]
    if len(rows):
        ax.scatter(rows[x], rows[y], **marks)


@dataclass(frozen=True)
class Label:
    """A word at a point of a panel; `weight` decides who comes first where space is scarce.

    `gap` is the distance in points, more than the radius of the mark.
    """

    ax: Axes
    x: float
    y: float
    text: str
    colour: str = INK
    weight: float = 0.0
    gap: float = 4.5


def _place(figure: Figure, labels: Sequence[Label], size: float = LEAST) -> None:
    """Write labels beside their points where they cover neither each other nor many points.

    A label that finds no free place is left out: fewer words are better than unreadable ones.
    """
    if not labels:
        return
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    radius = 2.5 / 72 * figure.dpi  # of a mark
    taken: dict[Axes, list[Bbox]] = {}
    points = {label.ax: _points(label.ax) for label in labels}
    for label in sorted(labels, key=lambda label: -label.weight):
        ax, boxes = label.ax, taken.setdefault(label.ax, [])
        frame = ax.get_window_extent(renderer).padded(2)
        best: tuple[float, Annotation, Bbox] | None = None
        for order, (dx, dy, ha, va) in enumerate(_PLACES):
            text = ax.annotate(
                label.text,
                (label.x, label.y),
                (dx * label.gap, dy * label.gap),
                textcoords="offset points",
                ha=ha,
                va=va,
                size=size,
                color=label.colour,
                annotation_clip=False,
            )
            text.set_in_layout(False)
            text.set_path_effects([withStroke(linewidth=1.2, foreground="white", alpha=0.85)])
            box = text.get_window_extent(renderer)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            inside &= frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in boxes):
                large, small = points[ax]
                cost = 6.0 * box.padded(radius).count_contains(large) + order
                cost += 1.0 * box.count_contains(small)
                if best is None or cost < best[0]:
                    if best:
                        best[1].remove()
                    best = (cost, text, box)
                    continue
            text.remove()
        if best and best[0] > 36:  # six marks covered
            best[1].remove()
        elif best:
            boxes.append(best[2].padded(0.5))


_PLACES = [
    (dx * r, dy * r, ha, va)
    for r in (1, 1.7, 3)
    for dx, dy, ha, va in (
        (1, 0, "left", "center"),
        (-1, 0, "right", "center"),
        (0, 1, "center", "bottom"),
        (0, -1, "center", "top"),
        (0.7, 0.7, "left", "bottom"),
        (-0.7, 0.7, "right", "bottom"),
        (0.7, -0.7, "left", "top"),
        (-0.7, -0.7, "right", "top"),
    )
]


def _points(ax: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Where large marks and lines, and where small marks of a panel are on the page: (k, 2) each."""
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([np.empty((0, 2))], [np.empty((0, 2))])
    for marks in ax.collections:
        offsets = np.ma.filled(np.ma.asarray(marks.get_offsets(), float), np.nan)
        if offsets.size:
            small = isinstance(marks, PathCollection) and marks.get_sizes().max() < 10
            found[int(small)].append(ax.transData.transform(offsets))
    for line in ax.lines:
        data = np.asarray(line.get_xydata(), float)
        if line.get_transform() == ax.transData and len(data):
            corners = ax.transData.transform(data)
            steps = np.linspace(0, len(corners) - 1, 12 * len(corners))
            index = np.arange(len(corners))
            along = [np.interp(steps, index, c) for c in corners.T]
            found[0].append(np.column_stack(along))
    large, small = (np.vstack(some) for some in found)
    return large[np.isfinite(large).all(axis=1)], small[np.isfinite(small).all(axis=1)]


def _handle(colour: str, marker: str, label: str, hollow: bool = False, size: float = 4) -> Line2D:
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle="",
        markersize=size,
        markeredgewidth=0.7,
        markerfacecolor="white" if hollow else colour,
        label=label,
    )


def _columns(labels: Sequence[str], width_mm: float) -> int:
    """How many entries of a legend fit side by side."""
    widths = sorted((1.22 * len(text) + 6.5 for text in labels), reverse=True)
    room = width_mm - 4
    return max(1, len(labels) if sum(widths) <= room else int(room / max(widths)))


def _header(figure: Figure | SubFigure, title: str, handles: list[Any], width_mm: float) -> None:
    """A bold title at the top left and, below it, what the marks mean."""
    if not handles:
        figure.suptitle(title, x=0.006, ha="left", size=BASE, weight="bold")
        return
    names = [handle.get_label() for handle in handles]
    legend = figure.legend(
        handles=handles,
        title=title,
        loc="outside upper left",
        ncols=_columns(names, width_mm),
        alignment="left",
    )
    legend.get_title().set_weight("bold")


# --- 1: quality against each metric ---------------------------------------------------------------


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
    parts = _parts(_models(models, metrics), quality, ask.controls, only)
    if not parts:
        what = quality_label(quality).split(" (")[0]
        return _missing(look.wide_mm, f"No analysed model has a {what}: nothing to show.")
    columns = max(1, min(len(metrics), int(look.wide_mm // 42)))
    room = tallest(look, look.wide_mm)
    most = columns * max(1, int((room - 15) // (35 * SQUEEZE)))
    no_room = metrics[most - 1 : -1] if len(metrics) > most else []  # the size is the baseline
    metrics = [name for name in metrics if name not in no_room]
    rows = math.ceil(len(metrics) / columns)
    blocks_fit = max(1, int(room // (rows * 35 * SQUEEZE + 11)))
    shown, rest = parts[: min(MAX_BLOCKS, blocks_fit)], parts[min(MAX_BLOCKS, blocks_fit) :]
    heights = [rows * 35 + 11 for _ in shown]
    figure = _figure(look, look.wide_mm, sum(heights) + (4 if rest or no_room else 0))
    blocks = np.atleast_1d(figure.subfigures(len(shown), height_ratios=heights))
    table = _estimates(correlations)
    labels: list[Label] = []
    for block, part in zip(blocks, shown, strict=True):
        labels += _block(block, part, parts, metrics, columns, table, look, ask)
    notes = []
    if rest:
        names = ", ".join(part.name(parts) for part in rest)
        notes.append(textwrap.shorten(f"Not shown, fewer models: {names}", 110, placeholder=" …"))
    if no_room:
        text = f"{_many(len(no_room), 'metric')} not shown: {', '.join(no_room)}"
        notes.append(textwrap.shorten(text, 110, placeholder=" …"))
    if notes:
        note = "\n".join(_wrapped(note, look.wide_mm - 4, LEAST) for note in notes)
        blocks[-1].supxlabel(note, x=0.006, ha="left", size=LEAST, color=GREY)
    _place(figure, labels)
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
    scope = scope or {"comparison": "a", "scope": "pooled", "family": ""}
    title = f"{part.full_name(parts)}: "
    title += _many(models["model"].nunique(), "model")
    title += "" if one else f" of {_many(len(families), 'family')}"
    handles = []
    if 1 < len(families) <= MAX_LEGEND:
        handles = [_handle(*marks[name], _clipped(name) or "no family") for name in families]
    if not reference.all():
        handles.append(_handle(GREY, "o", "other recipes (not in τ)", hollow=True, size=3))
    _header(block, _wrapped(title, look.wide_mm - 4, 7.8), handles, look.wide_mm)
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
            _scatter(ax, others, metric, "quality", s=6, **common, **hollow)
            filled = {"color": colour, "edgecolor": "white", "linewidth": 0.3, "alpha": 0.9}
            _scatter(ax, models[own & reference], metric, "quality", s=15, **common, **filled)
        if models[metric].notna().any():
            _ticks(ax)
            labels += _names(ax, models[reference], metric, marks, index == 0)
        else:
            ax.text(
                *(0.5, 0.5, "no values"),
                **{"transform": ax.transAxes, "ha": "center", "color": GREY, "size": SMALL},
            )
            ax.set_xticks([])
        ax.set(xlabel=metric_label(metric), ylabel="")
        found = _row(table, **part.labels, **scope, variant="", metric=metric, treatment="dropped")
        ax.set_title(tau(found), loc="left", size=SMALL)
        ax.tick_params(labelleft=index % columns == 0)
    for ax in axes.flat[len(metrics) :]:
        ax.set_axis_off()
    _better_up(axes[0, 0], part.quality)
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


# --- 2: within families ---------------------------------------------------------------------------


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


def _most_panels(look: Look, row_mm: float, extra_mm: float) -> int:
    """How many panels of `_grid` the page holds, and no more than one can look at."""
    columns = max(1, min(4, int(look.wide_mm // 43)))
    rows = int((tallest(look, look.wide_mm) - extra_mm) // (row_mm * SQUEEZE))
    return min(MAX_PANELS, columns * rows)


def _grid(look: Look, count: int, row_mm: float, extra_mm: float) -> tuple[Figure, list[Axes]]:
    """A figure with this many panels side by side and below each other, and its panels."""
    columns = max(1, min(3 if count in (3, 5, 6, 9) else 4, int(look.wide_mm // 43), count))
    rows = math.ceil(count / columns)
    width = look.wide_mm if columns > 1 else look.width_mm
    figure = _figure(look, width, rows * row_mm + extra_mm)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[count:]:
        ax.set_axis_off()
    return figure, axes


def within_families(
    look: Look, ask: Ask, models: pd.DataFrame, correlations: pd.DataFrame
) -> Figure:
    """Quality against the primary metric in each family: sizes joined by a line, recipes coloured."""
    metric = ask.primary_metric
    parts = _parts(_models(models, [metric]), ask.primary_quality, ask.controls)
    parts = [
        Part(p.collection, p.dataset, p.version, p.quality, p.models[p.models[metric].notna()])
        for p in parts
    ]
    panels, left_out = _panels(parts, _most_panels(look, 47, 16))
    if not panels:
        text = f"No family has two models with a quality and a {metric_label(metric)}: "
        return _missing(look.wide_mm, text + "there is nothing to compare within families.")
    table = _estimates(correlations)
    shown = pd.concat([p.models[p.models["family"] == f] for p, f in panels])
    recipes = sorted(
        set(shown["recipe"]) - {""}, key=lambda r: (r not in as_list(ask.reference_recipe), r)
    )
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(recipes)}
    colours[""] = GREY if recipes else PALETTE[0]
    figure, axes = _grid(look, len(panels), 47, 16 if recipes else 10)
    labels: list[Label] = []
    one_quality = len({part.quality for part, _ in panels}) == 1
    sizes = _common_sizes(panels)
    for ax, (part, family) in zip(axes, panels, strict=False):
        labels += _family_panel(ax, part, family, colours, sizes, ask)
        # The short name does where no other panel has this family of this collection.
        twins = sum((p.collection, f) == (part.collection, family) for p, f in panels) > 1
        within = part.name(parts) if twins else part.collection
        name = _title_of(family, within, len(parts) > 1)
        if one_quality and not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
        rows = [
            _row(table, **part.labels, **scope, family=family, metric=metric, treatment="dropped")
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
        _second_line(ax, name, lines)
    title = "black line: means of the variants"
    reference = [name for name in as_list(ask.reference_recipe) if name in recipes]
    title += f" on the recipe {' or '.join(reference[:3])}" if reference else ""
    title += " or ..." if len(reference) > 3 else ""
    title += ", small to large"
    title += "" if sizes else "; larger markers: larger variants"
    title += "; grey lines: the recipes of one variant" if len(recipes) > 1 else ""
    handles = [
        _handle(GREY, MARKERS[rank], f"variant {name}", hollow=True, size=2.8 + rank)
        for rank, name in enumerate(sizes)
    ]
    handles += [_handle(colours[name], "o", _clipped(name)) for name in recipes[:14]]
    width = figure.get_figwidth() / MM
    if left_out:
        title += f"; {_many(left_out, 'family')} with fewer models not shown"
    _footer(figure, title, handles, width)
    _place(figure, labels)
    return figure


def _footer(figure: Figure, title: str, handles: list[Any], width_mm: float) -> None:
    """What the marks mean, below the panels."""
    names = [handle.get_label() for handle in handles]
    legend = figure.legend(
        handles=handles,
        title=_wrapped(title, width_mm - 4, SMALL),
        loc="outside lower left",
        ncols=_columns(names, width_mm) if names else 1,
        alignment="left",
    )
    legend.get_title().set_size(SMALL)


def _common_sizes(panels: Sequence[tuple[Part, str]]) -> tuple[str, ...]:
    """The names of the variants, small to large, that most panels share; none for one panel."""
    names = []
    for part, family in panels:
        models = part.models[part.models["family"] == family]
        if models["variant"].nunique() > 1:
            names.append(tuple(_short(name, family) for name in _sizes(models)))
    found = max(sorted(set(names)), key=names.count, default=())
    return found if names.count(found) > 1 and len(found) <= 5 else ()


def _title_of(family: str, collection: str, several: bool) -> str:
    """A panel's title: the family, with its collection where there are several."""
    name = family or "no family"
    return _clipped(f"{name} ({collection})" if several and family != collection else name)


def _family_panel(
    ax: Axes,
    part: Part,
    family: str,
    colours: Mapping[str, str],
    sizes: Sequence[str],
    ask: Ask,
) -> list[Label]:
    """One family: models, a thin line per variant over its recipes, the trail of the variants."""
    metric = ask.primary_metric
    models = part.models[part.models["family"] == family]
    reference = is_reference(models, ask.reference_recipe)
    variants = _sizes(models)
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
            _scatter(ax, rows, metric, "quality", marker=marker, s=size, zorder=2, **marks)
        chosen = own[reference.loc[own.index]]
        if len(chosen):
            trail.append((chosen[metric].mean(), chosen["quality"].mean(), variant))
    labels = []
    if len(trail) > 1:
        ends = [(t[0], t[1]) for t in trail]
        x, y = zip(*ends, strict=True)
        ax.plot(x, y, color=INK, linewidth=0.9, zorder=3)
        ax.scatter(x, y, s=5, color=INK, zorder=4, linewidth=0)
        names = [_short(name, family) for *_, name in trail]
        if names != list(sizes):
            labels = [
                Label(ax, *xy, n, INK, -i)
                for i, (xy, n) in enumerate(zip(ends, names, strict=True))
                if n
            ]
    _ticks(ax)
    _better_up(ax, part.quality)
    ax.set(xlabel=metric_label(metric), ylabel=quality_label(part.quality))
    return labels


# --- 3: forest ------------------------------------------------------------------------------------


def forest(look: Look, ask: Ask, correlations: pd.DataFrame) -> Figure:
    """Kendall's tau of quality with the primary metric, a row per comparison and group."""
    metric, quality = ask.primary_metric, ask.primary_quality
    table = _estimates(correlations)
    table = table[~table["collection"].isin(list(ask.controls))]
    chosen = table[table["metric"] == metric]
    rows, left_out = _forest_rows(chosen, quality, tallest(look, look.width_mm, FOREST_SHARE))
    known = [row for kind, _, row in rows if kind == "row" and math.isfinite(row["kendall"])]
    if not known:
        notes = [row["note"] for kind, _, row in rows if kind == "row" and row["note"]]
        why = f": {max(sorted(set(notes)), key=notes.count)}" if notes else ""
        text = f"No correlation of {metric} with {quality} could be computed{why}."
        return _missing(look.width_mm, text)
    height = _forest_height(rows)
    figure = _figure(look, look.width_mm, height, FOREST_SHARE)
    ax = figure.subplots()
    y = -1.0
    ticks, names = [], []
    differ = size_shown = hollow_shown = False
    for kind, text, row in rows:
        y += 1.6 if kind == "collection" and y >= 0 else 1
        if kind != "row":
            weight = "bold" if kind == "collection" else "normal"
            ax.annotate(
                *(text, (0, y)),
                xycoords=ax.get_yaxis_transform(),
                xytext=(-4 if kind == "x" else 0, 0),
                textcoords="offset points",
                va="center",
                size=LEAST if kind == "group" else SMALL,
                weight=weight,
                color=INK if kind == "collection" else GREY,
                annotation_clip=False,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
            continue
        ticks.append(y)
        names.append(text)
        key = {name: row[name] for name in ESTIMATE_TEXT if name not in ("note", "treatment")}
        size = _row(table, **(key | {"metric": SIZE}), treatment="dropped")
        stored = _row(chosen, **key, treatment="stored")
        ax.annotate(
            *(_count(row["n"]), (1, y)),
            xycoords=ax.get_yaxis_transform(),
            **{"xytext": (2, 0), "textcoords": "offset points", "va": "center", "size": LEAST},
            annotation_clip=False,
        )
        if size is not None and math.isfinite(size["kendall"]) and metric != SIZE:
            size_shown = True
            ax.plot(size["kendall"], y, **_SIZE_MARK)
        value = row["kendall"]
        if not math.isfinite(value):
            note = textwrap.shorten(re.split(r";|:| \(", row["note"])[0], 38, placeholder=" …")
            ax.text(
                -1,
                y,
                note or "not computed",
                size=LEAST,
                color=GREY,
                va="center",
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2},
            )
            continue
        colour = _FOREST[row["comparison"]]
        pooled = row["scope"] != "family"
        certain = math.isfinite(row["kendall_low"])
        hollow_shown |= not certain
        other = stored is not None and abs(stored["kendall"] - value) > 5e-4
        differ |= other
        up = -0.17 if other else 0.0
        if certain:
            ax.plot(
                *([row["kendall_low"], row["kendall_high"]], [y + up] * 2),
                **{"color": colour, "linewidth": 1.6 if pooled else 0.9, "zorder": 2},
                solid_capstyle="butt",
            )
        face = colour if certain else "white"
        ax.plot(
            value,
            y + up,
            marker="D" if pooled else "o",
            markersize=4 if pooled else 3.4,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=0.8,
            zorder=3,
        )
        if other:
            if math.isfinite(stored["kendall_low"]):
                ends = [stored["kendall_low"], stored["kendall_high"]]
                ax.plot(ends, [y + 0.22] * 2, color=GREY, linewidth=0.6, zorder=1)
            ax.plot(stored["kendall"], y + 0.22, **_STORED_MARK)
    ax.axvline(0, color=INK, linewidth=0.6, zorder=0)
    ax.set(xlim=(-1.04, 1.04), ylim=(y + 0.8, -0.8), xticks=[-1, -0.5, 0, 0.5, 1])
    ax.set_yticks(ticks, names, size=LEAST)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1 if v % 1 else 0)))
    ax.tick_params(axis="y", length=0)
    sns.despine(ax=ax, left=True)
    ax.set_xlabel(
        _wrapped(f"Kendall's τ of quality and {metric_label(metric)}", 0.72 * height + 40)
    )
    ax.annotate(
        "n", (1, 1), (2, 2), xycoords="axes fraction", textcoords="offset points", size=LEAST
    )
    ax.annotate(
        "← theory expects < 0",
        (0.5, 1),
        (-3, 2),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        size=LEAST,
        color=GREY,
    )
    level = f"{100 * ask.confidence:g} % interval"
    handles: list[Line2D] = [
        _handle(INK, "o", f"one group, {level}", size=3.4),
        _handle(INK, "D", "all groups together", size=4),
    ]
    if hollow_shown:
        handles.append(_handle(INK, "o", "too few for an interval", hollow=True, size=3.4))
    if size_shown:
        handles.append(Line2D([], [], label="size only (baseline)", **_SIZE_MARK))
    if differ:
        handles.append(Line2D([], [], label="failed fits averaged in", **_STORED_MARK))
    title = (
        f"{_many(left_out, 'row')} without an interval or with fewer models not shown"
        if left_out
        else ""
    )
    _footer(figure, title, handles, look.width_mm)
    return figure


_FOREST = {"a": PALETTE[2], "b": PALETTE[0], "c": PALETTE[1]}
_SIZE_MARK = {
    "marker": "|",
    "markersize": 8,
    "markeredgewidth": 1.4,
    "linestyle": "",
    "color": "#A0A0A0",
    "zorder": 1.5,
}
_STORED_MARK = {
    "marker": "s",
    "markersize": 2.4,
    "markerfacecolor": "white",
    "markeredgewidth": 0.6,
    "linestyle": "",
    "color": GREY,
    "zorder": 2,
}
_COMPARISONS = {
    "a": "(a) between architectures",
    "b": "(b) variants of one architecture",
    "c": "(c) recipes and seeds of one variant",
}


_Lines = list[tuple[str, str, Mapping[str, Any]]]


def _forest_height(lines: _Lines) -> float:
    """Height in mm of a forest with these lines."""
    return 3.3 * len(lines) + 22


def _forest_rows(table: pd.DataFrame, quality: str, room_mm: float) -> tuple[_Lines, int]:
    """Headings and rows from top to bottom, and how many rows had no room.

    First come those with a value and of them what the text is about, groups together; then those
    with an interval, of most models.
    """
    first = table[table["treatment"] == "dropped"]
    parts = []
    for key, group in first.groupby(PARTITION, sort=True):
        chosen = primary_quality(group["quality_metric"], quality)
        group = group[group["quality_metric"] == chosen]
        if len(group):
            parts.append((key, group))
    parts.sort(key=lambda part: -part[1]["n"].max())
    everything = pd.concat([group for _, group in parts]) if parts else first.iloc[:0]
    order = everything.assign(
        small=everything["scope"] == "family",
        open=everything["kendall_low"].isna(),
        none=everything["kendall"].isna(),
        less=-everything["n"],
    ).sort_values(["none", "small", "open", "less", "comparison"], kind="stable")

    def lines(count: int) -> _Lines:
        return _forest_lines([(key, g[g.index.isin(order.index[:count])]) for key, g in parts])

    counts = range(1, min(MAX_ROWS, len(order)) + 1)
    fit = bisect_right(counts, room_mm, key=lambda count: _forest_height(lines(count)))
    result = lines(fit)
    blank = (everything["scope"] == "within") & (everything["family"] != "")
    shown = sum(kind == "row" for kind, *_ in result)
    return result, len(everything) - int(blank.sum()) - shown


def _forest_lines(parts: Sequence[tuple[Any, pd.DataFrame]]) -> _Lines:
    """The headings of these parts and comparisons, and their rows."""
    result: _Lines = []
    for (collection, dataset, version), group in parts:
        if group.empty:
            continue
        same = [key for key, _ in parts if key[0] == collection]
        name = _clipped(collection or "no collection")
        name += f" ({_clipped(dataset, 20)})" if dataset else ""
        name += f", weightwatcher {version}" if len({key[2] for key in same}) > 1 else ""
        if len(parts) > 1:
            result.append(("collection", name, {}))
        for comparison, heading in _COMPARISONS.items():
            rows = group[group["comparison"] == comparison]
            if rows.empty:
                continue
            result.append(("group", heading, {}))
            small = rows[rows["scope"] == "family"].sort_values(["family", "variant"])
            together = rows[(rows["scope"] != "family") & (rows["family"] == "")]
            for row in small.to_dict("records"):
                name = row["variant"] or row["family"] or "no family"
                result.append(("row", _clipped(name), row))
            for row in together.to_dict("records"):
                word = {"a": "all models", "b": "within families", "c": "within variants"}
                result.append(("row", word[comparison], row))
    return result


# --- 4: alpha by depth ----------------------------------------------------------------------------


def alpha_depth(look: Look, ask: Ask, models: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    """Alpha by depth in the network: a thin line per model, their median, the band 2 to 6."""
    about = _models(models, []).drop_duplicates("model")
    about = about[~about["collection"].isin(list(ask.controls))]
    table = _tidy(layers, ["model", "status"], ["alpha", "depth"])
    table["failed"] = layer_metrics.failed(table)
    table = table.merge(about[["model", "collection", "family"]], on="model")
    good = table[~table["failed"] & table["depth"].notna()]
    if good.empty:
        return _missing(look.wide_mm, "No layer of a trained model has an alpha: nothing to show.")
    keys = ["collection", "family"]
    counts = table.groupby(keys)["model"].nunique()
    sizes = about.groupby("collection")["model"].nunique()
    order = sorted(counts.index, key=lambda key: (-sizes[key[0]], key))
    room = _most_panels(look, 40, 8)
    if len(order) > room:
        most = sorted(counts.index, key=lambda key: (-counts[key], key))[:room]
        order = [key for key in order if key in most]
    left_out = len(counts) - len(order)
    marks = {name: family_look(own["family"]) for name, own in about.groupby("collection")}
    figure, axes = _grid(look, len(order), 40, 8)
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
        name = _title_of(family, collection, sizes.size > 1)
        line = f"{_many(number_of, 'model')}; {int(own['failed'].sum())} of "
        _second_line(ax, name, line + f"{_many(len(own), 'fit')} failed")
    title = "bold: median over models; shaded: 2 to 6; failed fits are left out"
    if left_out:
        title += f"; {_many(left_out, 'family')} with fewer models not shown"
    _footer(figure, title, [], figure.get_figwidth() / MM)
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


# --- 5: one spectral density ----------------------------------------------------------------------


def pick_layer(details: pd.DataFrame, layer: str | int | None) -> Mapping[str, Any] | None:
    """The row of the wanted layer (its number or name); by default that with most eigenvalues.

    By default only layers whose fit succeeded count, and the first of equals is taken. None where
    there is no such layer.
    """
    if details.empty:
        return None
    if layer is None:
        good = details[~layer_metrics.failed(details)]
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
        return _missing(look.width_mm, f"{ask.model} has no {what}: no spectral density to show.")
    same = spectra[(spectra["longname"] == row["longname"]) & spectra["evals"].notna()]
    values = np.sort(np.asarray(same.iloc[0]["evals"], float)) if len(same) else np.array([])
    positive = values[values > 0]
    if not len(positive) or positive[0] == positive[-1]:
        text = f"Layer {row['longname']} of {ask.model} has no spectrum to show."
        return _missing(look.width_mm, text)
    good = not layer_metrics.failed(pd.DataFrame([row])).iloc[0]
    start = max(positive[0], positive[-1] * 1e-6)
    edges = np.geomspace(start, positive[-1], int(np.clip(1.6 * len(values) ** 0.5, 12, 60)) + 1)
    edges[0], edges[-1] = start, positive[-1]
    counts = np.histogram(positive, edges)[0]
    density = counts / (len(values) * np.diff(edges))
    figure = _figure(look, look.width_mm, 0.78 * look.width_mm, NARROW_SHARE)
    ax = figure.subplots()
    ax.set(xscale="log", yscale="log")
    density = np.where(counts > 0, density, np.nan)
    bottom = 0.3 * np.nanmin(density)
    filled = np.where(np.isnan(density), bottom, density)
    ax.stairs(filled, edges, fill=True, color=PALETTE[5], alpha=0.45, linewidth=0, baseline=bottom)
    middle = np.sqrt(edges[1:] * edges[:-1])
    ax.plot(middle, density, color=PALETTE[0], marker="o", markersize=2, linestyle="", zorder=3)
    lines = [f"{_count(row['N'])} × {_count(row['M'])}: {len(values):,} eigenvalues"]
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
    _second_line(ax, _wrapped(title, look.width_mm - 22, 7.8), "; ".join(lines))
    return figure


def _three(value: float) -> str:
    """Three digits; very small and large numbers with a power of ten."""
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 else _scientific(value)


def _scientific(value: float) -> str:
    digits, power = f"{value:.1e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{raised}"


# --- 6: controls ----------------------------------------------------------------------------------


def controls(look: Look, ask: Ask, models: pd.DataFrame, controls: pd.DataFrame) -> Figure:
    """Trained networks beside the untrained ones of the same variants, which cannot predict."""
    metric = ask.primary_metric
    table = _models(models, [metric])
    pairs = []
    for control, reference in sorted(ask.controls.items()):
        untrained = table[table["collection"] == control].drop_duplicates("model")
        trained = table[table["collection"] == reference]
        for part in _parts(trained, ask.primary_quality, ()):
            means = _paired(part, untrained, metric, ask.reference_recipe)
            if len(means):
                pairs.append((control, part, means))
    if not pairs:
        text = "No variant was analysed both trained and untrained: there is no control to show."
        return _missing(look.width_mm, text)
    control, part, means = max(pairs, key=lambda pair: len(pair[2]))
    rows = _estimates(controls)
    rows = rows[(rows["collection"] == control) & (rows["reference"] == part.collection)]
    for name, value in part.labels.items():
        if name != "collection":
            rows = rows[rows[name] == value]
    names = [name for name in ask.metrics if (rows["metric"] == name).any()]
    upper = 54
    room = int((tallest(look, look.width_mm, NARROW_SHARE) - upper - 5 - 18) // 3.6)
    names, rest = names[:room], len(names[room:])
    lower = 3.6 * len(names) + (18 if rest else 14) if names else 0
    figure = _figure(look, look.width_mm, upper + lower + 5, NARROW_SHARE)
    blocks = np.atleast_1d(
        figure.subfigures(2 if names else 1, height_ratios=[upper, lower] if names else [1])
    )
    families = sorted(means["family"].unique())
    marks = family_look(families)
    handles = [_handle(*marks[name], _clipped(name) or "no family") for name in families]
    title = f"{_many(len(means), 'variant')}: {part.collection} and {control}"
    title = _wrapped(title, look.width_mm - 4, 7.8)
    _header(blocks[0], title, handles if len(families) <= MAX_LEGEND else [], look.width_mm)
    axes = blocks[0].subplots(1, 2, sharey=True)
    for ax, relation in zip(axes, ("trained", "untrained"), strict=True):
        for family in families:
            colour, marker = marks[family]
            own = means[means["family"] == family]
            face = {"color": colour, "edgecolor": "white", "linewidth": 0.3}
            if relation == "untrained":
                face = {"facecolors": "none", "edgecolors": colour, "linewidth": 0.8}
            _scatter(ax, own, relation, "quality", marker=marker, s=16, **face)
        _ticks(ax)
        ax.set(xlabel=metric_label(metric), ylabel="")
        pick = {"metric": metric, "treatment": "dropped", "relation": relation}
        pooled, within = (_row(rows, **pick, scope=scope) for scope in ("pooled", "within"))
        text = f"pooled {tau(pooled, count=False)}\nwithin {tau(within, count=False)}"
        _second_line(ax, relation, text)
    _better_up(axes[0], part.quality)
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
    """Kendall's tau of these metrics, trained and untrained, pooled and within families."""
    axes = block.subplots(1, 2, sharey=True)
    colour = {"trained": PALETTE[0], "untrained": PALETTE[1]}
    for ax, scope in zip(axes, ("pooled", "within"), strict=True):
        for y, metric in enumerate(names):
            for up, relation in ((-0.16, "trained"), (0.16, "untrained")):
                pick = {"metric": metric, "treatment": "dropped", "relation": relation}
                row = _row(rows, **pick, scope=scope)
                if row is None or not math.isfinite(row["kendall"]):
                    continue
                c = colour[relation]
                ends = [row["kendall_low"], row["kendall_high"]]
                ax.plot(ends, [y + up] * 2, color=c, linewidth=0.9, zorder=1)
                face = c if relation == "trained" else "white"
                marks = {"markersize": 3.2, "markerfacecolor": face, "markeredgewidth": 0.8}
                ax.plot(row["kendall"], y + up, marker="o", color=c, **marks)
        if len(ax.lines) == 0:
            notes = rows.loc[(rows["scope"] == scope) & (rows["note"] != ""), "note"]
            why = f": {notes.iloc[0]}" if len(notes) else ""
            lines = textwrap.fill(f"no τ{why}", 20)
            where = {"transform": ax.transAxes, "ha": "center", "va": "center"}
            ax.text(0.5, 0.5, lines, size=LEAST, color=GREY, **where)
        else:
            ax.axvline(0, color=INK, linewidth=0.6, zorder=0)
        ax.set(xlim=(-1.05, 1.05), ylim=(len(names) - 0.4, -0.6), xticks=[-1, 0, 1])
        ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], size=LEAST)
        ax.tick_params(axis="y", length=0)
        sns.despine(ax=ax, left=True)
        ax.set_title("pooled" if scope == "pooled" else "within families", size=SMALL)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 0)))
    text = f"Kendall's τ, {100 * ask.confidence:g} % interval"
    text += f"\n{_many(rest, 'more metric')} not shown" if rest else ""
    block.supxlabel(text, size=BASE)
    handles = [
        _handle(colour["trained"], "o", "trained", size=3.2),
        _handle(colour["untrained"], "o", "untrained", hollow=True, size=3.2),
    ]
    block.legend(handles=handles, loc="outside upper left", ncols=2)


# --- 7: the answers at a glance -------------------------------------------------------------------


def overview(look: Look, ask: Ask, models: pd.DataFrame, correlations: pd.DataFrame) -> Figure:
    """The three comparisons of the largest collection side by side."""
    metric = ask.primary_metric
    parts = _parts(_models(models, [metric]), ask.primary_quality, ask.controls)
    parts = [part for part in parts if part.models[metric].notna().any()]
    if not parts:
        text = f"No analysed model has a quality and a {metric_label(metric)}: nothing to compare."
        return _missing(look.wide_mm, text)
    part = parts[0]
    one = len(part.families) == 1
    seeds = part.models["recipe"].nunique() == 1
    rows = _estimates(correlations)
    pick = {**part.labels, "metric": metric, "treatment": "dropped", "family": "", "variant": ""}
    found = {
        "a": _row(rows, **pick, comparison="a", scope="pooled"),
        "b": _row(rows, **pick, comparison="b", scope="within")
        if not one
        else _row(rows, **(pick | {"family": part.families[0]}), comparison="b", scope="family"),
        "c": _row(rows, **pick, comparison="c", scope="within"),
    }
    title = f"{part.full_name(parts)}: "
    title += f"{_many(part.models['model'].nunique(), 'model')}; "
    title += f"Kendall's τ with {100 * ask.confidence:g} % interval, the theory expects τ < 0"
    columns = 3 if look.wide_mm >= BESIDE_MM else 1
    figure = _figure(look, look.wide_mm, 62 if columns == 3 else 175)
    _header(figure, _wrapped(title, look.wide_mm - 4, 7.8), [], look.wide_mm)
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
            _say(ax, drawn)
            _second_line(ax, heading, tau(row) if row else "")
            continue
        labels += drawn
        _ticks(ax)
        _better_up(ax, part.quality)
        by_variant = key == "c"
        x, y = metric_label(metric), quality_label(part.quality)
        short = x.removeprefix("mean ").removesuffix(" over layers")
        ax.set(
            xlabel=f"{short} minus its variant's mean" if by_variant else x,
            ylabel=y.replace("(%", "minus mean (%") if by_variant else y,
        )
        _second_line(ax, heading, tau(row, interval=True))
    _place(figure, labels, SMALL)
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
        _scatter(ax, own, metric, "quality", s=9, color=colour, marker=marker, alpha=0.45, lw=0)
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
        order = _sizes(own)
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
        _scatter(ax, own, "x", "y", s=7, color=colour, marker=marker, alpha=0.35, lw=0)
        if recipe and len(recipes) > 1:
            x, y = own["x"].mean(), own["y"].mean()
            edge = {"edgecolor": INK, "linewidth": 0.7, "zorder": 4}
            ax.scatter(x, y, s=42, color=colour, marker=marker, **edge)
            labels.append(Label(ax, x, y, recipe, colour, len(own), gap=5.5))
    return labels


# --- 8: alpha over training -----------------------------------------------------------------------


def training(look: Look, ask: Ask, models: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    """Mean alpha of the checkpoints of each run, with the quartiles of its layers; below, quality."""
    table = _models(_tidy(models, ["run"], ["step"]), ["alpha"])
    table = table[table["step"].notna() & table["alpha"].notna()]
    if table.empty:
        text = "No checkpoint of a training run has an alpha: nothing to show over training."
        return _missing(look.width_mm, text)
    table["run"] = table["run"].where(table["run"] != "", table["model"])
    same = table.groupby("run")["collection"].transform("nunique") > 1
    table["run"] = table["run"].where(~same, table["run"] + " (" + table["collection"] + ")")
    points = table.drop_duplicates("model").merge(_quartiles(layers), on="model", how="left")
    sizes = points.groupby("run")["model"].size()
    shown = sorted(sorted(sizes.index, key=lambda name: (-sizes[name], name))[: len(PALETTE)])
    marks = family_look(shown)
    quality, values = _quality_of_runs(table[table["run"].isin(shown)], ask.primary_quality)
    heights = [44, 20] if len(values) else [44]
    figure = _figure(look, look.width_mm, sum(heights) + 22, NARROW_SHARE)
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
        _better_up(below, quality)
        below.set_ylabel(textwrap.fill(quality_label(quality), 16))
        figure.align_ylabels()
    _step_axis(panels[-1, 0], points["step"].to_numpy())
    if len(shown) > 1:
        _name_ends(ax, ends, marks, heights[0])
    title = f"{_many(len(shown), 'run')}, " if len(shown) > 1 else f"{shown[0]}: "
    title += _many(int(sizes[shown].sum()), "checkpoint")
    ax.set_title(textwrap.shorten(title, 55, placeholder=" …"), loc="left", weight="bold")
    guides = " and ".join(f"{guide:g}" for guide in BAND)
    note = f"shaded: the middle half of the layers; dashed: alpha {guides}"
    if len(sizes) > len(shown):
        note += f"; {_many(len(sizes) - len(shown), 'run')} with fewer checkpoints not shown"
    _footer(figure, note, [], look.width_mm)
    return figure


def _quartiles(layers: pd.DataFrame) -> pd.DataFrame:
    """The quartiles `low` and `high` of alpha over each model's layers, without failed fits."""
    table = _tidy(layers, ["model", "status"], ["alpha"])
    good = table[~layer_metrics.failed(table)]
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
            _clipped(name, 20),
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


def _clipped(name: str, length: int = LONGEST) -> str:
    """A name's beginning and end where it is long: runs often differ only there."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


DRAWN: dict[str, Callable[..., Figure]] = {
    "overview": overview,
    "quality_metrics": quality_metrics,
    "generalization_gap": generalization_gap,
    "within_families": within_families,
    "forest": forest,
    "alpha_depth": alpha_depth,
    "spectral_density": spectral_density,
    "controls": controls,
    "training": training,
}
"""Every figure by name; what each takes beside `Look` and `Ask` are its tables."""
