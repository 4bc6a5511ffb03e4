"""What the Snakefile asks of its helper module, and what must not drift apart in the repository."""

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from atlas.errors import InputError
from atlas.workflow import code_of, digest_of, versions_of

ROOT = Path(__file__).resolve().parents[2]


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
    from atlas import workflow

    def digest():
        workflow._content.cache_clear()
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
