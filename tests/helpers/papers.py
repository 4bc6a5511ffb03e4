"""Small studies for the paper, and what their paper says."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from atlas.figures import registry as figures
from atlas.findings import results
from atlas.findings.outcome import Beyond, Outcome, judge
from atlas.findings.results import Answer
from atlas.paper import source
from atlas.statistics import correlations as statistics_correlations
from atlas.statistics import options as statistics_options
from atlas.statistics import registry
from atlas.terms.notes import Note
from helpers.stages import compute

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "paper"
PARTS = {path.stem: path.read_text("utf-8") for path in (SOURCE / "parts").glob("*.md")}
QMD = "\n\n".join([(SOURCE / "paper.qmd").read_text("utf-8"), *PARTS.values()])
OPTIONS = {
    "metrics": ["alpha", "log_parameters"],
    "primary_metrics": ["alpha"],
    "primary_quality": "accuracy",
    "reference_recipe": "baseline",
    "seeds_are_replicates": True,
    "controls": {"zoo-untrained": "zoo"},
    "permutations": 299,
    "bootstrap": 40,
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
    "experiments": {
        "shuffled": 3,
        "gaussian": 1,
        "windows": {"size": 16, "most": 64},
        "other_layers": True,
        "seed": 20260115,
    },
}
RECIPES = ("baseline", "noise", "small", "free", "tiny")


def models_frame(
    slope: float = -1.0,
    families: tuple[str, ...] = ("mlp", "convnet", "resnet", "mixer", "transformer"),
    recipes: tuple[str, ...] = RECIPES,
    sizes: int = 3,
    noise: float = 0.1,
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
                    accuracy = 70 + 10 * slope * (alpha - 3) + rng.normal(0, 10 * noise)
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


FIRST = ("correlations", "baselines", "meta", "controls", "simpson")


def computed(models: pd.DataFrame, options: statistics_options.Options) -> dict[str, pd.DataFrame]:
    """The correlations and what belongs to them; test_paper_why has the other tables."""
    correlations = statistics_correlations.correlations(models, options)
    return {name: compute(name, models, options, correlations) for name in FIRST}


def study(models: pd.DataFrame, **changes) -> results.Results:
    """A study with these models and the statistics of them."""
    config = CONFIG | changes.pop("config", {})
    options = config["statistics"]
    known = set(models["collection"]) if len(models) else set()
    controls = {a: b for a, b in options["controls"].items() if a in known}
    config = config | {"statistics": options | {"controls": controls}}
    made = dict.fromkeys(registry.TABLES, pd.DataFrame()) | computed(
        models, statistics_options.Options.from_config(config["statistics"])
    )
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
    made = results.Results(
        models=rows_of(models),
        layers=layers_of(models) if len(models) else pd.DataFrame(columns=["model", "depth"]),
        excluded=[],
        audit=rows_of(audit),
        tables={name: rows_of(table) for name, table in made.items()},
        runs=runs,
        config=config,
        versions={"scipy": "1.17.0"},
        renderer=("builtin", "pandoc 3.9, typst 0.15.2"),
    )
    return dataclasses.replace(made, **changes)


EMPTY = models_frame().iloc[:0]


def text_of(files: dict[str, str]) -> str:
    """All that is read in the paper."""
    return "\n".join(text for name, text in files.items() if name != "sources.json")


def used_variables(text: str) -> set[str]:
    return set(re.findall(r"\{\{<\s*var\s+([\w.]+)\s*>\}\}", text))


def row(tau=-0.5, low=-0.7, high=-0.2, p=0.001, **more) -> dict[str, str]:
    """A row of the statistics as read from CSV."""
    values = {
        "n": 20,
        "units": 20,
        "groups": 1,
        "kendall": tau,
        "kendall_low": low,
        "kendall_high": high,
        "kendall_p": p,
        "interval": "fisher-z",
        "note": "",
        **more,
    }
    return {key: "" if value is None else str(value) for key, value in values.items()}


def answer(a, b=None, c=None, **more) -> Answer:
    findings = [judge(given, 0.95) for given in (a, b, c)]
    return Answer("zoo", "alpha", "accuracy", *findings, **more)


MINUS, PLUS, OPEN = row(), row(0.5, 0.2, 0.7), row(-0.1, -0.5, 0.3, 0.6)


def beyond(outcome: Outcome, *notes: Note) -> Beyond:
    return Beyond(outcome, -0.5, 0.5, -0.3, -0.5, -0.1, notes)


DRAWN = {name: (figures.module_of(name), made.tables) for name, made in figures.FIGURES.items()}


def compose(given):
    """The generated files, with every optional section."""
    return source.compose(given, PARTS, DRAWN)


def degenerate() -> dict[str, pd.DataFrame]:
    models = models_frame(families=("mlp", "convnet"), package=False)
    same = models.assign(quality=50.0)
    return {
        "no model": EMPTY,
        "one model": models.iloc[:1],
        "one family": models_frame(families=("mlp",), control=False, package=False),
        "equal qualities": same,
        "no quality": models.assign(quality=np.nan, quality_metric="", quality_source=""),
        "no metric": models.assign(alpha=np.nan, alpha_stored=np.nan),
        "only controls": models[models["collection"] == "zoo-untrained"],
        "failed fits": models_frame(families=("mlp", "convnet"), package=False, failed=4),
    }
