"""How all figures look: colours, marks, sizes, and how they are saved."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

from atlas.io import atomic

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours without yellow, which is too pale for a marker on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
"""As many as share no divisor with the colours: 77 families before a pair repeats."""

GREY, PALE, INK = "#767676", "#C8C8C8", "#1A1A1A"

BASE, SMALL, LEAST = 7.0, 6.5, 6.0
"""Sizes of text in points: axes, annotations, ticks and dense rows."""

MM = 1 / 25.4

PAGE_MM = (158.0, 210.0)
"""Width of the paper's text block, and what a figure may take of its height; a caption is beneath.

That is the built-in renderer's A4 page, 158 mm by 243 mm. Quarto's is 146.5 mm by 233.5 mm: there
a figure as wide as the page is less tall by as much, and so fits as well.
"""

BESIDE_MM = 120
"""From which width on panels stand side by side."""


@dataclass(frozen=True)
class Look:
    """Widths in mm of a figure and of one with several panels side by side; dots per inch."""

    width_mm: float = 85
    wide_mm: float = 175
    dpi: int = 300


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


def family_look(families: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each family of one collection: the same in all figures."""
    return {
        name: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(sorted(set(families)))
    }


def wrapped(text: str, mm: float, size: float = BASE) -> str:
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


def new_figure(look: Look, width_mm: float, height_mm: float, share: float = 1.0) -> Figure:
    """An empty figure; of what is too tall for the page, the panels are pressed together."""
    height_mm = min(height_mm, tallest(look, width_mm, share))
    return Figure(figsize=(width_mm * MM, height_mm * MM), layout="constrained")


def figure_without(width_mm: float, text: str) -> Figure:
    """A figure that says in words why there is none."""
    lines = wrapped(text, width_mm - 8)
    height = 14 + 4 * lines.count("\n")
    figure = Figure(figsize=(width_mm * MM, height * MM), layout="constrained")
    figure.text(0.5, 0.5, lines, ha="center", va="center", color=GREY)
    return figure
