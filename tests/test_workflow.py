"""What the Snakefile asks of its helper module, and what must not drift apart in the repository."""

import os
import re
import shutil
import sys
import tomllib
from hashlib import sha256
from itertools import chain
from pathlib import Path

import pytest

from atlas import workflow
from atlas.errors import InputError
from atlas.figures import registry as figures
from atlas.statistics import registry as statistics
from atlas.workflow import code_of, contents_of, digest_of, versions_of

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scripts(tmp_path):
    folder = tmp_path / "scripts"
    (folder / "atlas").mkdir(parents=True)
    (folder / "run.py").write_text("from atlas import a\nimport atlas.b\nimport json\n")
    (folder / "atlas" / "a.py").write_text("def f():\n    from atlas.c import x\n")
    (folder / "atlas" / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from atlas.types import T\n"
    )
    for name in ("c", "types", "unused"):
        (folder / "atlas" / f"{name}.py").write_text("")
    return folder


def test_a_script_depends_on_what_it_imports_at_any_depth_and_on_nothing_else(scripts):
    names = [f"scripts/atlas/{name}.py" for name in "abc"]
    assert code_of(scripts, "run") == [*names, "scripts/run.py"]


def test_every_imported_module_of_the_project_is_found():
    """What Python really loads from the project is what the digest covers."""
    import subprocess

    program = (
        "import sys; sys.path.insert(0, 'scripts'); import runpy; runpy.run_path('scripts/fit_layers.py');"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('atlas.')), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {Path(line).resolve().relative_to(ROOT).as_posix() for line in done.stdout.split()}
    assert "scripts/atlas/fits/powerlaw.py" in loaded
    assert loaded <= set(code_of(ROOT / "scripts", "fit_layers"))


def test_the_digest_changes_with_the_contents_only(scripts):
    def digest():
        workflow._content.cache_clear()
        return digest_of(scripts, "run")

    first = digest()
    (scripts / "atlas" / "unused.py").write_text("x = 1")
    (scripts / "atlas" / "a.py").touch()
    assert digest() == first
    (scripts / "atlas" / "c.py").write_text("x = 1")
    assert digest() != first


def files(folder, **texts):
    """A folder ``scripts`` with these files; in their names, ``__`` is a slash, ``init`` ``__init__``."""
    for name, text in texts.items():
        path = folder / "scripts" / f"{name.replace('__', '/').replace('init', '__init__')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "scripts"


def code(scripts, *modules):
    """What ``run`` depends on, without itself, by dotted name."""
    found = [Path(name).with_suffix("") for name in code_of(scripts, "run", *modules)]
    return [".".join(name.parts[1:]) for name in found if name.name != "run"]


PACKAGE = {
    "atlas__init": "",
    "atlas__x__init": "",
    "atlas__x__a": "def f(): ...",
    "atlas__x__b": "",
}


@pytest.mark.parametrize(
    ("run", "more", "expected"),
    [
        ("from atlas.x import a", {}, ["x.a"]),
        ("from atlas.x.a import f", {}, ["x.a"]),
        ("import atlas.x.a as short", {}, ["x.a"]),
        ("import atlas.x", {}, []),
        ("from atlas.x import a", {"atlas__x__a": "from . import b"}, ["x.a", "x.b"]),
        ("from atlas.x import a", {"atlas__x__a": "from .b import g"}, ["x.a", "x.b"]),
        (
            "from atlas.x import a",
            {"atlas__x__a": "from ..y import g", "atlas__y": ""},
            ["x.a", "y"],
        ),
        ("from atlas.x import f", {"atlas__x__init": "from atlas.x.a import f"}, ["x.a"]),
        ("from atlas.x import g", {"atlas__x__init": "from .a import f as g"}, ["x.a"]),
        ("from atlas.x import F", {"atlas__x__init": "F = 1"}, []),
        ("from atlas.x import *", {"atlas__x__init": "from . import b"}, ["x.b"]),
        ("import importlib\nimportlib.import_module('atlas.x.b')", {}, ["x.b"]),
    ],
)
def test_packages_are_followed_in_every_way_to_import_them(tmp_path, run, more, expected):
    scripts = files(tmp_path, run=run, **PACKAGE | more)
    expected = [f"atlas.{name}" for name in ("__init__", "x.__init__", *expected)]
    assert sorted(code(scripts)) == sorted(expected)


@pytest.mark.parametrize(
    "line",
    ["from atlas.x import c", "import atlas.z", "from atlas.x.c import f", "from atlas import z"],
)
def test_an_import_that_leads_nowhere_is_refused(tmp_path, line):
    scripts = files(tmp_path, **PACKAGE | {"run": "from atlas.x import a", "atlas__x__a": line})
    with pytest.raises(InputError, match=r"scripts/atlas/x/a\.py imports atlas\.\S+, which is not"):
        code_of(scripts, "run")


def test_a_module_whose_name_is_put_together_is_named_by_the_rule(tmp_path):
    line = "from importlib import import_module\nimport_module(f'atlas.x.{name}')"
    scripts = files(tmp_path, **PACKAGE | {"run": line, "atlas__x__b": "from atlas.x import a"})
    with pytest.raises(InputError, match=r"run\.py loads atlas\.x\.\.\.\. by name"):
        code_of(scripts, "run")
    with pytest.raises(InputError, match=r"the rule of run imports atlas\.x\.c"):
        code_of(scripts, "run", "atlas.x.c")
    assert "atlas.x.b" not in code(scripts, "atlas.x.a")
    assert {"atlas.x.a", "atlas.x.b"} <= set(code(scripts, "atlas.x.b"))


def test_what_fetches_published_results_does_not_depend_on_the_fits():
    assert "scripts/atlas/fits/powerlaw.py" in code_of(ROOT / "scripts", "fit_layers")
    assert not [name for name in code_of(ROOT / "scripts", "fetch_published") if "/fits/" in name]


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("statistics/prediction", {"statistics prediction"}),
        ("figures/traits", {"figure traits"}),
    ],
)
def test_an_edit_changes_the_digests_of_what_it_makes(tmp_path, edited, changed):
    scripts = tmp_path / "scripts"
    shutil.copytree(ROOT / "scripts", scripts, ignore=shutil.ignore_patterns("__pycache__"))

    def digests():
        workflow._content.cache_clear()
        made = {f"statistics {name}": statistics.module_of(name) for name in statistics.TABLES}
        drawn = {f"figure {name}": figures.module_of(name) for name in figures.FIGURES}
        return {n: digest_of(scripts, "compute_statistics", m) for n, m in made.items()} | {
            n: digest_of(scripts, "draw_figure", m) for n, m in drawn.items()
        }

    before = digests()
    with (scripts / "atlas" / f"{edited}.py").open("a") as file:
        file.write("# an edit\n")
    after = digests()
    assert {name for name in before if before[name] != after[name]} == changed


def test_an_edit_of_the_words_makes_no_statistics_anew():
    for table in statistics.ALL:
        found = code_of(ROOT / "scripts", "compute_statistics", statistics.module_of(table))
        assert "scripts/atlas/terms/keys.py" in found
        assert "scripts/atlas/terms/words.py" not in found


def test_versions_are_the_installed_ones_else_the_pinned_ones(tmp_path):
    (tmp_path / "x.yaml").write_text("  - pip:\n      - not-installed==1.2.3\n      - numpy==0.1\n")
    import numpy

    found = versions_of(["numpy", "not-installed"], tmp_path)
    assert found == {"numpy": numpy.__version__, "not-installed": "1.2.3"}
    with pytest.raises(InputError, match="neither is not installed"):
        versions_of(["neither"], tmp_path)


def pins(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return set(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("group", ["core", "dev", "keras", "dashboard", "slurm", "uv"])
def test_each_group_of_requirements_is_part_of_the_lock(group):
    assert pins(group) and pins(group) <= pins("lock")


def test_every_requirement_of_the_project_is_locked_and_every_pin_has_a_hash():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w.-]+", text).group().lower() for text in named}
    assert names <= {name for name, _ in pins("lock")}
    text = (ROOT / "requirements" / "lock.txt").read_text()
    for block in re.split(r"\n(?=\S)", text):
        assert "--hash=sha256:" in block or block.startswith("#"), block.splitlines()[0]


def test_the_conda_environments_have_the_locks_versions():
    sys.path.insert(0, str(ROOT / "requirements"))
    try:
        import lock
    finally:
        sys.path.pop(0)
    for concern in lock.CONCERNS:
        assert (ROOT / "envs" / f"{concern}.yaml").read_text() == lock.environment(concern)
    assert {path.stem for path in (ROOT / "envs").glob("*.yaml")} == set(lock.CONCERNS)


def test_the_default_profile_names_no_plugin():
    import yaml

    profile = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())
    assert not {"executor", "storage", "default-storage-provider"} & set(profile)
    assert "code" not in profile["rerun-triggers"]  # its mtime says nothing about its content


def test_a_file_is_known_by_its_content_however_old_it_is(tmp_path):
    known, path = tmp_path / "known" / "contents.jsonl", tmp_path / "now.pth"
    path.write_bytes(b"first")
    os.utime(path, (1.75e9, 1.75e9))
    first = contents_of([path], known)
    assert first == [sha256(b"first").hexdigest()]

    older = tmp_path / "older.pth"  # of the same size and of another time, or even of the same
    for time in (1.7e9, 1.75e9):
        older.write_bytes(b"older")
        os.utime(older, (time, time))
        older.replace(path)
        assert contents_of([path], known) == [sha256(b"older").hexdigest()]
        path.write_bytes(b"first")
        os.utime(path, (1.75e9, 1.75e9))
        assert contents_of([path], known) == first
    path.unlink()
    assert contents_of([path, tmp_path], known) == ["", ""]


def test_a_file_is_read_once_as_long_as_it_stays_as_it_is(tmp_path, monkeypatch):
    known, path = tmp_path / "contents.jsonl", tmp_path / "now.pth"
    path.write_bytes(b"first")
    first = contents_of([path], known)
    read = []
    monkeypatch.setattr(workflow, "sha256", lambda path: read.append(path) or "again")
    workflow._known.cache_clear()  # another process
    assert contents_of([path], known) == first and not read
    link = tmp_path / "best.pth"
    link.symlink_to(path)
    assert contents_of([link, path], known) == ["again", *first] and read == [link]
    workflow._known.cache_clear()
    known.write_text(known.read_text()[:-20])  # a line that was cut short
    assert contents_of([path, link], known) == [*first, "again"] and read == [link, link]
