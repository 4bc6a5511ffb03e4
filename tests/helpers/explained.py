"""Tables of models with traits and alternatives of alpha."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from atlas.statistics.alternatives import ALTERNATIVES
from helpers.options import options_with

QUICK = options_with(metrics=("alpha",), permutations=499, bootstrap=299)
ROUGH = options_with(metrics=("alpha",), permutations=99, bootstrap=99)
PLAIN = ("c", "d", "1.0")


def table_of(columns: dict[str, object]) -> pd.DataFrame:
    """Rows of models.csv: what is not given is one collection of models without variants."""
    defaults = {
        "collection": "c",
        "family": "f",
        "variant": "",
        "recipe": "",
        "seed": None,
        "dataset": "d",
        "quality_metric": "accuracy",
        "parameters": 1e6,
        "weightwatcher_version": "1.0",
    }
    table = pd.DataFrame({"alpha": [], "quality": []} if not columns else columns)
    for name, value in defaults.items():
        if name not in table:
            table[name] = value
    if "model" not in table:
        table["model"] = [f"m{i:03d}" for i in range(len(table))]
    return table


def families(
    rng: np.random.Generator, slopes: object, size: int = 6, noise: float = 0.3, **labels: object
) -> pd.DataFrame:
    """Families f00, f01, ... of `size` models; in each, quality = slope x alpha + noise."""
    parts = []
    for index, slope in enumerate(slopes):
        alpha = rng.normal(4 + index % 3, 1, size)
        quality = 60 + slope * (alpha - alpha.mean()) + noise * rng.normal(size=size)
        parts.append({"family": f"f{index:02d}", "alpha": alpha, "quality": quality})
    table = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    return table_of(table.to_dict("list") | labels)


def zoo(
    rng: np.random.Generator, groups: int = 6, recipes: int = 4, seeds: int = 2
) -> pd.DataFrame:
    """Families of three variants in all recipes, two qualities, and an untrained control."""
    rows = []
    for f, v, r, s in itertools.product(range(groups), "sml", range(recipes), range(seeds)):
        row = {"family": f"f{f}", "variant": f"f{f}-{v}", "seed": str(s)}
        row |= {"parameters": 10.0 ** (4 + "sml".index(v) + f / 9)}
        row |= {name: rng.normal(5, 1) for name in ("alpha", *ALTERNATIVES)}
        row |= {name: rng.random() for name in ("D", "alpha_2_to_6", "N_median", "alpha_sd")}
        for collection in ("zoo", "zoo-untrained"):
            if collection == "zoo-untrained" and r:
                continue
            recipe = "untrained" if collection != "zoo" else ["baseline", *"abcdef"][r]
            row |= {"collection": collection, "recipe": recipe}
            row |= {"model": f"{collection}-f{f}-{v}-{recipe}-{s}"}
            rows.append(row | {"quality": rng.normal(70, 5)})
            rows.append(row | {"quality": rng.normal(9, 2), "quality_metric": "generalization_gap"})
    table = pd.DataFrame(rows)
    table["quality_metric"] = table["quality_metric"].fillna("accuracy")
    return table_of(table.to_dict("list"))


def one(table: pd.DataFrame, **labels: object) -> pd.Series:
    for name, value in labels.items():
        table = table[table[name] == value]
    assert len(table) == 1, f"{len(table)} rows"
    return table.iloc[0]


def edge(n: int, groups: int, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(n + groups)
    values = {name: rng.normal(5, 1, n) for name in ("alpha", "hill", "alpha_shuffled", "D")}
    values |= {"quality": rng.normal(70, 5, n), "family": [f"f{i % groups}" for i in range(n)]}
    return table_of(values | columns)
