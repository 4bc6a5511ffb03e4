"""A small study, built once by the real workflow, that the tests change and look at."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.project import Project

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
