"""Draw docs/architecture.svg, the packages and who imports whom, from the code: make architecture."""

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path
from textwrap import wrap

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path as Curve

from atlas.figures.style import style
from atlas.workflow import imports_of

FLOORS = (
    ("errors", "io", "job", "workflow"),
    ("terms",),
    ("weights",),
    ("fits",),
    ("study", "tables"),
    ("zoo", "statistics", "findings"),
    ("figures", "paper"),
)
"""The packages of `atlas` from the lowest floor, whose modules stand for themselves, to the highest."""

DOES = {
    "": "files, errors, logs, digests",
    "terms": "keys; words in two languages",
    "weights": "from a source to a model's matrices",
    "fits": "spectra, tail fits, a model's metrics",
    "study": "config, lists and labels, checked",
    "tables": "merged and read again",
    "zoo": "networks trained here",
    "statistics": "a module for each table",
    "findings": "what is decided, what is open",
    "figures": "a module for each figure",
    "paper": "tables and sentences",
}
"""What each package is for; "" is the lowest floor."""

COLOURS = ("#444444", "#888888", "#B07D2B", "#2E7D6B", "#7A4E9E", "#1F5FA8", "#B23A48")
"""Of the arrows from each floor."""

WIDTH, LINE, PAD, GAP, BREAK = 206.0, 4.6, 2.4, 2.2, 3.4
"""Of the picture, in mm: its width, a line of text, in, between and around boxes."""

LEFT, RIGHT, LETTERS = 11.0, 142.0, 88
"""Where boxes begin and end, and how many letters a line in them has."""

REACH = (WIDTH - RIGHT - 5) / 0.75
"""How far from the boxes the longest arrow is pulled: a Bézier curve goes three quarters of it."""


def imports_in(scripts: Path) -> dict[str, frozenset[str]]:
    """The modules of `atlas`, as ``package.module``, and the ones that each imports, also in functions.

    Raises InputError for an import that leads nowhere.
    """
    package = scripts / "atlas"
    names = {
        path: ".".join(path.relative_to(package).with_suffix("").parts)
        for path in sorted(package.rglob("*.py"))
        if path.name != "__init__.py"
    }
    known = [f"atlas.{name}" for name in names.values()]  # what is loaded by name is no import
    return {
        name: frozenset(names[p] for p in imports_of(scripts, path, *known) if p in names)
        for path, name in names.items()
    }


def package_of(module: str) -> str:
    """The package of a module; "" for those of the lowest floor."""
    package = module.partition(".")[0]
    return "" if package in FLOORS[0] else package


def arrows_of(imports: Mapping[str, Set[str]]) -> Counter[tuple[str, str]]:
    """How many imports lead from one package to another."""
    pairs = [(package_of(a), package_of(b)) for a, found in imports.items() for b in found]
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def digest(scripts: Path) -> str:
    """A digest of what the picture shows."""
    imports = imports_in(scripts)
    shown = [FLOORS, DOES, sorted(imports), sorted(arrows_of(imports).items())]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def drawn_from(picture: Path) -> str:
    """The digest that a picture carries; "" for none."""
    found = re.search(r"imports ([0-9a-f]{64})", picture.read_text(encoding="utf-8"))
    return found[1] if found else ""


def draw_architecture(scripts: Path, picture: Path) -> None:
    """Write the picture: a box per package with its modules, an arrow per pair that imports."""
    imports = imports_in(scripts)
    floors = [("",), *FLOORS[1:]][::-1]
    texts = {
        name: wrap(
            ", ".join(m.rpartition(".")[2] for m in imports if package_of(m) == name), LETTERS
        )
        for floor in floors
        for name in floor
    }
    heights = {name: (1 + len(lines)) * LINE + PAD for name, lines in texts.items()}
    height = sum(heights.values()) + sum((len(f) - 1) * GAP + 2 * BREAK for f in floors) + LINE * 2
    with style():
        figure = Figure(figsize=(WIDTH / 25.4, height / 25.4), facecolor="white")
        ax = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        ax.set_axis_off()
        places: dict[str, tuple[float, float]] = {}
        y = 0.0
        for place, floor in enumerate(floors):
            top = y
            y += BREAK
            for name in floor:
                places[name] = (y, heights[name])
                _box(ax, name, texts[name], y, heights[name])
                y += heights[name] + GAP
            y += BREAK - GAP
            shade = "#F3F3F3" if place % 2 == 0 else "white"
            ax.add_patch(Rectangle((0, top), WIDTH, y - top, facecolor=shade, zorder=0))
            number = str(len(floors) - 1 - place)
            ax.text(LEFT / 2, (top + y) / 2, number, fontsize=13, color="#777777", **_CENTRE)
        _arrows(ax, arrows_of(imports), places)
        note = (
            "An arrow: modules of one package import modules of the other; thicker: more of them."
        )
        ax.text(LEFT, y + LINE, note, fontsize=8, color="#555555", va="center")
        about = {"Date": None, "Creator": None, "Description": f"imports {digest(scripts)}"}
        figure.savefig(picture, format="svg", metadata=about)


_CENTRE = {"ha": "center", "va": "center"}


def _box(ax, name: str, lines: list[str], y: float, height: float) -> None:
    shape = "round,pad=0,rounding_size=1.4"
    box = FancyBboxPatch((LEFT, y), RIGHT - LEFT, height, boxstyle=shape, linewidth=0.8)
    box.set(facecolor="white", edgecolor=_colour(name), zorder=2)
    ax.add_patch(box)
    head = y + PAD / 2 + LINE / 2
    look = {"va": "center", "zorder": 3}
    ax.text(LEFT + 2.5, head, name or "atlas", fontsize=10, weight="bold", **look)
    ax.text(RIGHT - 2.5, head, DOES[name], fontsize=8, ha="right", color="#555555", **look)
    for place, line in enumerate(lines, start=1):
        ax.text(LEFT + 2.5, head + place * LINE, line, fontsize=8, **look)


def _arrows(ax, arrows: Mapping[tuple[str, str], int], places: Mapping[str, tuple[float, float]]):
    """Curves beside the boxes, which end at different heights of a box, the nearest ones inside."""
    ends: dict[tuple[str, str, str], float] = {}
    for name, (y, height) in places.items():
        mine = [pair for pair in arrows if name in pair]
        # From above to below: what comes from far above, from near, goes near, goes far below.
        mine.sort(key=lambda pair: _other_end(pair, name, places))
        for place, pair in enumerate(mine, start=1):
            ends[(*pair, name)] = y + height * place / (len(mine) + 1)
    longest = max((abs(ends[s, t, t] - ends[s, t, s]) for s, t in arrows), default=1.0)
    for (source, target), count in sorted(arrows.items()):
        start, end = ends[source, target, source], ends[source, target, target]
        bow = RIGHT + 6 + (REACH - 6) * abs(end - start) / longest
        points = [(RIGHT, start), (bow, start), (bow, end), (RIGHT + 0.6, end)]
        curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
        look = {"arrowstyle": "-|>,head_length=3.6,head_width=1.8", "shrinkA": 0, "shrinkB": 0}
        arrow = FancyArrowPatch(path=curve, color=_colour(source), fill=False, **look)
        arrow.set(linewidth=0.7 + 0.35 * count**0.6, alpha=0.85, zorder=1)
        ax.add_patch(arrow)


def _other_end(pair: tuple[str, str], name: str, places: Mapping[str, tuple[float, float]]):
    """Sorts the arrows at one box so that they do not cross there: outer curves enclose inner ones."""
    here, there = places[name][0], places[pair[0] if pair[1] == name else pair[1]][0]
    return (1, -there) if there > here else (0, -there)


def _colour(name: str) -> str:
    return COLOURS[next((n for n, floor in enumerate(FLOORS) if name in floor), 0)]


if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    draw_architecture(root / "scripts", root / "docs" / "architecture.svg")
