"""The floors of the package: who may import whom, read from the imports; and their picture."""

from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path

import pytest

import draw_architecture
from draw_architecture import FLOORS, imports_in

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"

SHARED = {"style", "place", "data", "marks", "forests", "registry"}
"""The modules of `figures` that a figure may import; no figure imports another."""

WORDLESS = ("statistics", "fits")
"""Packages that reach no words, however far around: an edit of a label reruns none of their jobs."""

MOST_LINES = 500
"""Of a module; the paper's are prose."""

Imports = Mapping[str, Set[str]]


def package_of(module: str) -> str:
    return module.partition(".")[0]


def floor_of(module: str) -> int:
    return next((n for n, floor in enumerate(FLOORS) if package_of(module) in floor), -1)


def reached(imports: Imports, module: str) -> set[str]:
    """All modules that are loaded with one; itself only where there is a circle."""
    found: set[str] = set()
    todo = [module]
    while todo:
        new = imports[todo.pop()] - found
        found |= new
        todo += new
    return found


def wrong_floors(imports: Imports) -> Iterator[str]:
    for module, targets in imports.items():
        if floor_of(module) < 0:
            yield f"{module} is on no floor"
        for target in sorted(targets):
            if floor_of(target) > floor_of(module):
                yield f"{module} imports {target} from a higher floor"
            same = floor_of(target) == floor_of(module) > 0
            if same and package_of(target) != package_of(module):
                yield f"{module} imports {target} from beside it"


def circles(imports: Imports) -> Iterator[str]:
    for module in imports:
        if module in reached(imports, module):
            yield f"{module} is in a circle"


def words_reached(imports: Imports) -> Iterator[str]:
    for module in imports:
        if package_of(module) in WORDLESS and "terms.words" in reached(imports, module):
            yield f"{module} reaches terms.words"


def figures_together(imports: Imports) -> Iterator[str]:
    for module, targets in imports.items():
        if package_of(module) == "figures":
            for target in sorted(targets):
                if package_of(target) == "figures" and target.partition(".")[2] not in SHARED:
                    yield f"{module} imports {target}, a figure"


def heavy_registries(imports: Imports) -> Iterator[str]:
    for module, targets in imports.items():
        if module.endswith(".registry"):
            for target in sorted(targets):
                if package_of(target) == package_of(module):
                    yield f"{module} imports {target}, which it only has to name"


RULES: tuple[Callable[[Imports], Iterator[str]], ...] = (
    wrong_floors,
    circles,
    words_reached,
    figures_together,
    heavy_registries,
)


def long_modules(scripts: Path) -> Iterator[str]:
    for path in sorted((scripts / "atlas").rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES and path.parent.name != "paper":
            yield f"{path.relative_to(scripts)} has {lines} lines"


def wrong(scripts: Path) -> list[str]:
    imports = imports_in(scripts)
    return [*(text for rule in RULES for text in rule(imports)), *long_modules(scripts)]


def test_each_module_imports_only_what_it_may():
    assert wrong(SCRIPTS) == []


GOOD = {
    "errors": "",
    "terms/keys": "",
    "terms/words": "from atlas.terms import keys",
    "weights/layers": "from atlas.errors import InputError",
    "fits/metrics": "from atlas.weights.layers import x",
    "tables/read": "from atlas.terms.keys import x",
    "study/row": "from atlas.weights import layers",
    "findings/results": "from atlas.terms.words import x",
    "statistics/registry": "",
    "statistics/meta": "from atlas.tables.read import x",
    "figures/style": "",
    "figures/forest": "from atlas.figures.style import x\nfrom atlas.findings import results",
    "figures/shape": "def shape():\n    from atlas.figures import style",
    "paper/mixed": "from atlas.terms.words import x\n" * 600,
}


def package(folder: Path, changed: Mapping[str, str]) -> Path:
    for name, text in (GOOD | changed).items():
        path = folder / "atlas" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return folder


def test_a_good_package_is_good(tmp_path):
    assert wrong(package(tmp_path, {})) == []


ABOVE, BESIDE = "from a higher floor", "from beside it"


@pytest.mark.parametrize(
    ("module", "text", "found"),
    [
        ("weights/layers", "from atlas.fits.metrics import x", ABOVE),
        ("weights/layers", "def f():\n    from atlas.fits.metrics import x", ABOVE),
        ("weights/layers", "import atlas.fits.metrics", ABOVE),
        ("weights/layers", "from ..fits import metrics", ABOVE),
        ("errors", "from atlas.terms import keys", ABOVE),
        ("study/row", "from atlas.statistics.meta import x", ABOVE),
        ("statistics/meta", "from atlas.figures import forest", ABOVE),
        ("statistics/meta", "from atlas.paper import mixed", ABOVE),
        ("findings/results", "from atlas.paper import mixed", ABOVE),
        ("statistics/meta", "from atlas.findings.results import x", BESIDE),
        ("figures/forest", "from atlas.paper.mixed import x", BESIDE),
        ("paper/mixed", "from atlas.figures.forest import x", BESIDE),
        ("study/row", "from atlas.tables import read", BESIDE),
        ("dashboard/app", "", "dashboard.app is on no floor"),
        ("terms/keys", "from atlas.terms.words import x", "in a circle"),
        ("errors", "from atlas import job", "in a circle"),
        ("statistics/meta", "from atlas.terms.words import x", "meta reaches terms.words"),
        ("fits/metrics", "from atlas.terms import words", "metrics reaches terms.words"),
        ("tables/read", "from atlas.terms import words", "meta reaches terms.words"),
        ("figures/forest", "from atlas.figures.shape import x", "figures.shape, a figure"),
        ("statistics/registry", "from atlas.statistics import meta", "which it only has to name"),
        ("statistics/meta", "\n" * 501, "has 501 lines"),
    ],
)
def test_each_kind_of_wrong_import_is_found(tmp_path, module, text, found):
    beside = {"job": "from atlas.errors import x"} if text == "from atlas import job" else {}
    texts = wrong(package(tmp_path, {module: text, **beside}))
    assert any(found in told for told in texts)


def test_an_import_for_types_only_is_none(tmp_path):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from atlas.paper import mixed"
    assert wrong(package(tmp_path, {"statistics/meta": text})) == []


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_shows_the_package_as_it_is():
    found = draw_architecture.drawn_from(ROOT / "docs" / "architecture.svg")
    assert found == draw_architecture.digest(SCRIPTS), "make architecture draws it anew"


def test_each_package_has_its_place_and_its_purpose():
    packages = {path.name for path in (SCRIPTS / "atlas").iterdir() if any(path.glob("*.py"))}
    assert {name for floor in FLOORS[1:] for name in floor} == packages
    assert set(draw_architecture.DOES) == packages | {""}


@pytest.mark.parametrize(
    ("module", "text", "stale"),
    [
        ("statistics/more", "", True),
        ("statistics/meta", "from atlas.tables.read import x\nfrom atlas.terms import keys", True),
        ("terms/keys", "# what changes no import changes no picture", False),
    ],
)
def test_a_new_arrow_or_module_makes_the_picture_stale(tmp_path, module, text, stale):
    digests = [
        draw_architecture.digest(package(tmp_path / name, changed))
        for name, changed in (("before", {}), ("after", {module: text}))
    ]
    assert (digests[0] != digests[1]) == stale


def test_the_picture_is_drawn_to_the_same_bytes(tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        draw_architecture.draw_architecture(SCRIPTS, path)
    assert first.read_bytes() == second.read_bytes()
    assert draw_architecture.drawn_from(first) == draw_architecture.digest(SCRIPTS)
