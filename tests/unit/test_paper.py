"""The paper's words and tables: chosen by results, complete, escaped, the same each time."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from atlas import markdown, metrics, paper, statistics, wording
from atlas.wording import Answer, Beyond, Finding, Outcome, judge, judge_beyond

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "paper"
QMD = (SOURCE / "paper.qmd").read_text("utf-8")
MODULES = [ROOT / "scripts" / "atlas" / name for name in ("paper.py", "wording.py")]

OPTIONS = {
    "metrics": ["alpha", "log_parameters"],
    "primary_metric": "alpha",
    "primary_quality": "accuracy",
    "reference_recipe": "baseline",
    "seeds_are_replicates": True,
    "controls": {"zoo-untrained": "zoo"},
    "permutations": 1099,
    "bootstrap": 60,
    "confidence": 0.95,
    "seed": 1,
}
ZOO = {
    "data_seed": 42,
    "seeds": [0],
    "training": {"steps": 10, "batch_size": 10, "learning_rate": 0.1, "weight_decay": 0.0},
    "architectures": {
        name: {size: {"width": 8, "depth": 1} for size in ("s", "m", "l")}
        for name in ("mlp", "convnet", "resnet", "mixer", "transformer")
    },
    "recipes": {
        "baseline": None,
        "noise": {"label_noise": 0.1},
        "small": {"train_fraction": 0.25},
        "free": {"weight_decay": 0.0},
        "tiny": {"batch_size": 4},
        "untrained": {"steps": 0},
    },
}
CONFIG = {
    "study": "test-study",
    "title": "Alpha's meaning: a *test* of {{< var x >}}",
    "date": None,
    "zoo": ZOO,
    "models": [],
    "spectra": {"layers": "weightwatcher", "max_evals": 15000, "max_N": 50000},
    "weightwatcher": {"engine": "exact", "min_evals": 8},
    "audit": {"models": [], "per_family": 1, "tolerance": 1e-9},
    "statistics": OPTIONS,
}


RECIPES = ("baseline", "noise", "small", "free", "tiny")
# --- a study --------------------------------------------------------------------------------------


def models_frame(
    slope: float = -1.0,
    families: tuple[str, ...] = ("mlp", "convnet", "resnet", "mixer", "transformer"),
    recipes: tuple[str, ...] = RECIPES,
    sizes: int = 3,
    noise: float = 0.02,
    failed: int = 0,
    control: bool = True,
    package: bool = True,
    collection: str = "zoo",
) -> pd.DataFrame:
    """Models whose accuracy goes with alpha at this slope, whatever their size."""
    rng = np.random.default_rng(7)
    rows = []
    for f, family in enumerate(families):
        for size in range(sizes):
            for recipe in (*recipes, *["untrained"] * control):
                for seed in (0,):
                    # Sizes and qualities are unrelated, so that size is not the explanation.
                    alpha = 3 + ((5 * size + 3 * f) % 7) / 5
                    alpha += 0 if recipe == "untrained" else recipes.index(recipe) / 4
                    alpha += rng.normal(0, noise)
                    untrained = recipe == "untrained"
                    accuracy = 70 + 10 * slope * (alpha - 3) + rng.normal(0, noise)
                    if untrained:
                        alpha, accuracy = 5 + rng.normal(), 10 + rng.normal()
                    row = {
                        "model": f"{collection}-{family}-{size}-{recipe}-{seed}",
                        "source": "zoo",
                        "collection": f"{collection}-untrained" if untrained else collection,
                        "family": family,
                        "variant": f"{family}-{'sml'[size % 3]}{size // 3 or ''}",
                        "recipe": recipe,
                        "seed": str(seed),
                        "dataset": "mnist-1d",
                        "quality_source": "measured on the test data after training",
                        "parameters": 10_000 * (1 + size) ** 2 + 37 * f,
                        **layer_facts(alpha, failed, rng),
                    }
                    for quality, number in (
                        ("accuracy", accuracy),
                        ("generalization_gap", 3 - seed),
                    ):
                        rows.append({**row, "quality_metric": quality, "quality": number})
    for size in range(3 * package):
        rows.append(
            {
                "model": f"lite{size}",
                "source": "package",
                "collection": "efficientnet-lite",
                "family": "efficientnet-lite",
                "variant": f"lite{size}",
                "recipe": "",
                "seed": "",
                "dataset": "imagenet-1k",
                "quality_source": "README, https://example.org/lite_(a)|b, column FP32",
                "parameters": 4_000_000 + size,
                **layer_facts(4 - size / 3, 0, rng),
                "quality_metric": "accuracy",
                "quality": 75 + size,
            }
        )
    return pd.DataFrame(rows)


def layer_facts(alpha: float, failed: int, rng: np.random.Generator) -> dict[str, object]:
    """The columns of models.csv that come from the layers."""
    return {
        "layers": 10,
        "layers_failed": failed,
        "failed_share": failed / 10,
        "coverage": 0.9,
        "engine": "exact",
        "weightwatcher_version": "0.7.7",
        "alpha": alpha,
        "alpha_stored": alpha * (1 - failed / 10) - failed / 10,
        "log_norm": rng.normal(),
        "log_norm_stored": rng.normal(),
    }


def rows_of(table: pd.DataFrame) -> list[dict[str, str]]:
    """A table as it is read back from CSV."""
    return list(csv.DictReader(io.StringIO(table.to_csv(index=False))))


def layers_of(models: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "model": model,
            "depth": depth,
            "alpha": alpha,
            "status": "success" if alpha > 1 else "failed",
            "num_evals": 30 if depth else 60,
            "num_pl_spikes": 12,
        }
        for model in models["model"].unique()
        for depth, alpha in ((0.0, 3.0), (0.5, 7.0), (1.0, -1.0))
    ]
    return pd.DataFrame(
        rows, columns=["model", "depth", "alpha", "status", "num_evals", "num_pl_spikes"]
    )


def study(models: pd.DataFrame, **changes) -> paper.Study:
    """A study with these models and the statistics of them."""
    config = CONFIG | changes.pop("config", {})
    options = config["statistics"]
    known = set(models["collection"]) if len(models) else set()
    controls = {a: b for a, b in options["controls"].items() if {a, b} <= known}
    config = config | {"statistics": options | {"controls": controls}}
    tables = statistics.all_tables(models, statistics.Options.from_config(config["statistics"]))
    runs = [
        {
            "model": model,
            "identity": {"source": "zoo", "location": None, "zoo": {"seed": 0}},
            "source_sha256": None,
            "weights_sha256": "ab" * 32,
            "versions": {"weightwatcher": "0.7.7", "numpy": "2.4.6"},
        }
        for model in (models["model"].unique() if len(models) else [])
    ]
    audit = pd.DataFrame(
        [
            {
                "model": "lite0",
                "layers": 50,
                "agree": 50,
                "largest_difference": 3.2e-13,
                "quantity": "alpha",
                "layer": "conv_stem",
            }
        ]
    )
    made = paper.Study(
        models=rows_of(models),
        layers=layers_of(models) if len(models) else pd.DataFrame(columns=["model", "depth"]),
        excluded=[],
        audit=rows_of(audit),
        tables={name: rows_of(table) for name, table in tables.items()},
        runs=runs,
        config=config,
        versions={"scipy": "1.17.0"},
        renderer=("builtin", "pandoc 3.9, typst 0.15.2"),
    )
    return dataclasses.replace(made, **changes)


EMPTY = models_frame().iloc[:0]


@pytest.fixture(scope="module")
def negative() -> paper.Study:
    return study(models_frame(-1))


@pytest.fixture(scope="module")
def positive() -> paper.Study:
    return study(models_frame(+1))


@pytest.fixture(scope="module")
def unclear() -> paper.Study:
    return study(models_frame(0, noise=3))
