"""The figures: what they say is in the tables, they are legible, and nothing missing breaks them."""

from __future__ import annotations

import functools
import itertools
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

from atlas import figures, statistics

METRICS = ["alpha", "log_norm", "failed_share", "log_parameters"]
CONTROLS = {"zoo-untrained": "zoo"}
OPTIONS = statistics.Options(
    metrics=tuple(METRICS), permutations=9, bootstrap=39, controls=CONTROLS, seed=1
)
FAMILIES = ("convnet", "mixer", "mlp", "resnet", "transformer")
RECIPES = ("baseline", "label-noise", "quarter-data")


# --- tables as the pipeline makes them --------------------------------------------------------


def zoo(
    families: tuple[str, ...] = FAMILIES,
    recipes: tuple[str, ...] = RECIPES,
    seeds: tuple[int, ...] = (0, 1),
    collection: str = "zoo",
    untrained: bool = False,
) -> pd.DataFrame:
    """Models of a zoo with two qualities each: alpha falls with accuracy within variants."""
    rng = np.random.default_rng(len(families) + 7 * untrained)
    rows = []
    for (f, family), (s, size), (r, recipe), seed in itertools.product(
        enumerate(families), enumerate("sml"), enumerate(recipes), seeds
    ):
        accuracy = min(96.0, 48 + 7 * (f % 6) + 5 * s - 9 * r + rng.normal(0, 2))
        alpha = 7.5 - accuracy / 18 + 0.5 * (f % 4) + rng.normal(0, 0.3)
        if untrained:
            accuracy, alpha = 10 + rng.normal(0, 0.5), 6 + rng.normal(0, 0.8)
        row = {
            "model": f"{collection}-{family}-{size}-{recipe}-{seed}",
            "source": "zoo",
            "collection": collection,
            "family": family,
            "variant": f"{family}-{size}",
            "recipe": recipe,
            "seed": str(seed),
            "dataset": "mnist-1d",
            "parameters": int(4000 * 4**s * (1 + f)),
            "layers": 8,
            "layers_failed": int(rng.integers(0, 3)),
            "engine": "exact",
            "weightwatcher_version": "0.7.7",
            "alpha": alpha,
            "alpha_stored": alpha - rng.uniform(0, 0.8),
            "log_norm": 1 + 0.2 * s + rng.normal(0, 0.1),
            "log_norm_stored": 1.0,
            "failed_share": rng.integers(0, 3) / 8,
        }
        gap = max(0.0, 20 - accuracy / 6 + rng.normal(0, 2))
        rows.append(row | {"quality_metric": "accuracy", "quality": accuracy})
        rows.append(row | {"quality_metric": "generalization_gap", "quality": gap})
    return pd.DataFrame(rows)


def lite() -> pd.DataFrame:
    """Three models of one family, without recipes and seeds."""
    return pd.DataFrame(
        {
            "model": [f"efficientnet-lite{i}" for i in range(3)],
            "collection": "efficientnet-lite",
            "family": "efficientnet-lite",
            "variant": ["lite0", "lite1", "lite2"],
            "recipe": None,
            "seed": None,
            "dataset": "imagenet-1k",
            "weightwatcher_version": "0.7.7",
            "quality_metric": "accuracy",
            "quality": [75.1, 76.7, 77.6],
            "parameters": [4_652_008, 5_416_680, 6_092_072],
            "alpha": [3.61, 3.52, 3.55],
            "alpha_stored": [3.61, 3.52, 3.55],
            "log_norm": [1.9, 2.0, 2.1],
            "failed_share": 0.0,
        }
    )


def study() -> pd.DataFrame:
    """The default study in small."""
    untrained = zoo(recipes=("untrained",), collection="zoo-untrained", untrained=True)
    return pd.concat([zoo(), lite(), untrained], ignore_index=True)


def layers_of(models: pd.DataFrame) -> pd.DataFrame:
    """Layers of these models: every ninth fit failed, alpha falls with depth."""
    rng = np.random.default_rng(3)
    rows = []
    for index, model in enumerate(models["model"].unique()):
        count = 3 + index % 5
        for layer in range(count):
            failed = (index + layer) % 9 == 0
            alpha = -1.0 if failed else 2 + 4 * rng.random() ** 2 + 2 * layer / count
            status = "failed" if failed else "success"
            rows.append([model, layer / (count - 1), alpha, status, f"l.{layer}", "dense"])
    return pd.DataFrame(
        rows, columns=["model", "depth", "alpha", "status", "longname", "layer_type"]
    )


def spectrum() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spectra and details of a model with three layers; the fit of the largest failed."""
    rng = np.random.default_rng(5)
    spectra, details = [], []
    for number, count in enumerate((60, 400, 900)):
        tail = 0.8 * rng.random(count // 3) ** (-1 / 2.1)
        evals = np.sort(np.concatenate([rng.uniform(0.001, 0.8, count - len(tail)), tail]))
        name = f"blocks.{number}.conv"
        good = number < 2
        spectra.append({"longname": name, "N": 2 * count, "M": count, "evals": evals})
        details.append(
            {
                "layer_id": number,
                "name": "conv",
                "longname": name,
                "N": 2 * count,
                "M": count,
                "num_evals": count,
                "status": "success" if good else "failed",
                "alpha": 3.1 + number if good else -1.0,
                "xmin": 0.8 if good else -1.0,
                "D": 0.041,
            }
        )
    spectra.append({"longname": "bias", "N": None, "M": None, "evals": None})
    return pd.DataFrame(spectra), pd.DataFrame(details)


@functools.cache
def answers(kind: str) -> dict[str, pd.DataFrame]:
    """The statistics of a study, through the pipeline's own code."""
    return statistics.all_tables(STUDIES[kind](), OPTIONS)


def _without_metric() -> pd.DataFrame:
    return zoo().assign(alpha=np.nan, alpha_stored=np.nan)


def _without_quality() -> pd.DataFrame:
    return zoo().assign(quality=np.nan)


STUDIES: dict[str, Any] = {
    "default": study,
    "empty": lambda: study().iloc[:0],
    "one model": lambda: lite().iloc[:1],
    "no zoo": lite,
    "one family": lambda: zoo(families=("mlp",)),
    "one recipe, one seed": lambda: zoo(recipes=("baseline",), seeds=(0,)),
    "no alpha": _without_metric,
    "no quality": _without_quality,
    "many families": lambda: zoo(
        families=tuple(f"family{i:02d}" for i in range(14)), recipes=("baseline",)
    ),
}
DEGENERATE = [kind for kind in STUDIES if kind != "default"]

ASK = {
    "metrics": METRICS,
    "primary_metric": "alpha",
    "primary_quality": "accuracy",
    "reference_recipe": "baseline",
    "controls": CONTROLS,
    "confidence": 0.95,
}
TABLES = {
    "overview": ("models", "correlations"),
    "quality_metrics": ("models", "correlations"),
    "generalization_gap": ("models", "correlations"),
    "within_families": ("models", "correlations"),
    "forest": ("correlations",),
    "alpha_depth": ("models", "layers"),
    "spectral_density": ("spectra", "details"),
    "controls": ("models", "controls"),
}


def tables(name: str, kind: str = "default") -> dict[str, pd.DataFrame]:
    """The tables that a figure takes, in a study of this kind."""
    found = {}
    for table in TABLES[name]:
        if table == "models":
            found[table] = STUDIES[kind]()
        elif table == "layers":
            models = STUDIES[kind]()
            found[table] = layers_of(models) if len(models) else pd.DataFrame({"model": []})
        elif table in ("spectra", "details"):
            pair = spectrum()
            found[table] = pair[table == "details"].iloc[: 0 if kind == "empty" else None]
        else:
            found[table] = answers(kind)[table]
    return found


def drawn(name: str, kind: str = "default", look: Any = None, **ask: Any) -> Any:
    """A figure of a study of this kind."""
    extra = {"model": "net"} if name == "spectral_density" else {}
    look = look or figures.Look(dpi=60)
    return figures.draw(name, tables(name, kind), look, ASK | extra | ask)
