"""A checkout with a study that the real workflow builds."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

TARGETS = {"paper", "figures", "statistics", "tables", "weightwatcher", "spectra"}


@dataclass
class Project:
    """A checkout with a study of its own, and the means to run it."""

    path: Path

    def snakemake(self, *arguments, check=True, env=None, **kwargs):
        """Run Snakemake as a user would; the result has its output as text."""
        command = [sys.executable, "-m", "snakemake", *arguments]
        done = subprocess.run(
            command,
            cwd=self.path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            **kwargs,
        )
        assert done.returncode == 0 or not check, done.stdout[-6000:]
        return done

    def jobs(self, *arguments, **kwargs):
        """How many jobs of each rule would run now, without the targets that only collect."""
        text = self.snakemake(
            "--dry-run", "--cores", "2", *arguments, "--", "paper", **kwargs
        ).stdout
        assert ("Nothing to be done" in text) != ("Job stats:" in text), text[-3000:]
        table = text.partition("Job stats:")[2].partition("Reasons:")[0]
        counts = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
        return {name: n for name, n in counts.items() if name not in TARGETS | {"total"}}

    def copy(self, to):
        """The same project elsewhere, with all times kept."""
        shutil.copytree(self.path, to, symlinks=True)
        return Project(to)

    def edit(self, name, old, new):
        """Replace text in a file; the text must be there."""
        path = self.path / name
        text = path.read_text()
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1))

    def configure(self, change):
        """Change the config, which is given to ``change`` as a dictionary."""
        path = self.path / "config.yaml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False))

    def results(self):
        """Every result's bytes by path, without logs, times and Snakemake's own records."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in sorted((self.path / "results").rglob("*"))
            if path.is_file()
            and not {"logs", "benchmarks", ".metadata", ".lock"}
            & set(path.relative_to(self.path).parts)
        }


def environment():
    """This environment without what would change a run from outside."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    return keep | {"CUDA_VISIBLE_DEVICES": ""}
