"""A small study, built once by the real workflow, that the tests change and look at."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "rules",
    "scripts",
    "schemas",
    "models",
    "studies",
    "paper",
    "profiles",
    "envs",
)
TARGETS = {"paper", "figures", "statistics", "tables", "weightwatcher", "spectra"}

FILES = """\
model,source,location,collection,family,variant,dataset,quality_metric,quality,quality_source
mine,file,mine/good.safetensors,mine,net,net-1,my-data,accuracy,71.5,my own test set
mine-code,file,mine/code.pth,mine,net,net-2,my-data,accuracy,70.5,my own test set
mine-nan,file,mine/nan.safetensors,mine,net,net-3,my-data,accuracy,69.5,my own test set
mine-bias,file,mine/bias.safetensors,mine,net,net-4,my-data,accuracy,68.5,my own test set
mine-scaled,file,mine/scaled.safetensors,mine,net,net-5,my-data,accuracy,67.5,my own test set
"""


class Code:
    """What a checkpoint with code in it unpickles to."""

    def __reduce__(self):
        return (os.system, ("touch ran-code",))


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


def write_study(path):
    """A study of 6 trained networks, a usable file and four that cannot be used."""
    import torch
    from safetensors.torch import save_file

    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {
        "study": "small",
        "models": ["models/mine.csv"],
        "zoo": {
            "data_seed": 1,
            "seeds": [0],
            "training": {
                "steps": 5,
                "batch_size": 32,
                "learning_rate": 0.002,
                "weight_decay": 0.01,
            },
            "architectures": {
                "mlp": {"s": {"width": 32, "depth": 2}},
                "convnet": {"s": {"width": 16, "depth": 2}},
            },
            "recipes": {
                "baseline": {},
                "label-noise": {"label_noise": 0.2},
                "untrained": {"steps": 0},
            },
        },
        "audit": {"models": ["zoo-mlp-s-baseline-0", "mine"], "per_family": 0, "tolerance": 1e-9},
        "figures": {"layer": {"model": "mine", "layer": None}},
    }
    config["statistics"] |= {"permutations": 99, "bootstrap": 99}
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (path / "models" / "mine.csv").write_text(FILES)
    torch.manual_seed(0)
    folder = path / "mine"
    folder.mkdir()
    good = {f"{i}.weight": torch.randn(40 + i, 30) for i in range(4)}
    save_file(good, folder / "good.safetensors")
    save_file(good | {"0.weight": good["0.weight"] / 0}, folder / "nan.safetensors")
    save_file({"0.bias": torch.zeros(5)}, folder / "bias.safetensors")
    save_file({key: value * 1e-6 for key, value in good.items()}, folder / "scaled.safetensors")
    torch.save({"weight": Code()}, folder / "code.pth")


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """The small study, not built yet."""
    path = tmp_path_factory.mktemp("project") / "atlas"
    path.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, path / part, ignore=ignore)
        else:
            shutil.copy2(source, path / part)
    write_study(path)
    return Project(path)


@pytest.fixture(scope="session")
def built(blank, tmp_path_factory):
    """The small study, built; tests work on copies of it."""
    project = blank.copy(tmp_path_factory.mktemp("built") / "atlas")
    project.output = project.snakemake("--cores", "2", "paper").stdout
    return project


@pytest.fixture
def project(built, tmp_path):
    """A copy of the built study that a test may change."""
    return built.copy(tmp_path / "atlas")
