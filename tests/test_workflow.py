"""What the Snakefile asks of its helper module, and what must not drift apart in the repository."""

import os
import re
import sys
import tomllib
from hashlib import sha256
from itertools import chain
from pathlib import Path

import pytest

from atlas import workflow
from atlas import workflow as _workflow
from atlas.errors import InputError
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
    loaded = {Path(line).name for line in done.stdout.split()}
    assert "powerlaw.py" in loaded
    assert loaded <= {Path(name).name for name in code_of(ROOT / "scripts", "fit_layers")}


def test_the_digest_changes_with_the_contents_only(scripts, monkeypatch):
    from atlas import workflow as _workflow

    def digest():
        _workflow._content.cache_clear()
        return digest_of(scripts, "run")

    first = digest()
    (scripts / "atlas" / "unused.py").write_text("x = 1")
    (scripts / "atlas" / "a.py").touch()
    assert digest() == first
    (scripts / "atlas" / "c.py").write_text("x = 1")
    assert digest() != first


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
    _workflow._known.cache_clear()  # another process
    assert contents_of([path], known) == first and not read
    link = tmp_path / "best.pth"
    link.symlink_to(path)
    assert contents_of([link, path], known) == ["again", *first] and read == [link]
    _workflow._known.cache_clear()
    known.write_text(known.read_text()[:-20])  # a line that was cut short
    assert contents_of([path, link], known) == [*first, "again"] and read == [link, link]
