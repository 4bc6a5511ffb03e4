"""Tables of models, row by row, as the statistics are given them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from atlas.statistics import sample as statistics_sample
from atlas.statistics.models import Scope, prepare
from atlas.statistics.options import Options
from helpers.options import options_with

QUICK = options_with(metrics=("alpha",), permutations=499, bootstrap=299)


def row(alpha: float, quality: float, **labels: object) -> dict[str, object]:
    """One row of models.csv."""
    defaults = {
        "collection": "c",
        "family": "f",
        "variant": "",
        "recipe": "",
        "seed": None,
        "dataset": "d",
        "quality_metric": "accuracy",
        "parameters": 1e6,
        "weightwatcher_version": "0.7.7",
    }
    return defaults | {"alpha": alpha, "quality": quality} | labels


def models(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if "model" not in table:
        table["model"] = [f"m{i:03d}" for i in range(len(table))]
    return table


def family(x: object, y: object, **labels: object) -> pd.DataFrame:
    return models([row(a, b, **labels) for a, b in zip(x, y, strict=True)])


def several(families: dict[str, tuple[object, object]], **labels: object) -> pd.DataFrame:
    return models(
        [
            row(a, b, family=name, **labels)
            for name, (x, y) in families.items()
            for a, b in zip(x, y, strict=True)
        ]
    )


def zoo(
    rng: np.random.Generator, families: int = 5, seeds: int = 2, recipes: int = 5
) -> pd.DataFrame:
    """A zoo and its untrained control, with two qualities and two treatments."""
    rows = []
    for f, v, r, s in itertools.product(range(families), "sml", range(recipes), range(seeds)):
        alpha, accuracy = rng.normal(4, 1), rng.normal(70, 5)
        labels = {"family": f"f{f}", "variant": f"f{f}-{v}", "seed": s, "dataset": "mnist1d"}
        labels |= {"parameters": 10.0 ** (3 + "sml".index(v) / 2 + f / 7)}
        for collection in ("zoo", "zoo-untrained"):
            if collection == "zoo-untrained" and r > 0:
                continue
            recipe = "untrained" if collection != "zoo" else ["baseline", *"abcd"][r]
            name = f"{collection}-f{f}-{v}-{recipe}-{s}"
            labels |= {"collection": collection, "recipe": recipe, "model": name}
            labels |= {"alpha_stored": alpha - rng.integers(0, 2), "failed_share": 0.0}
            rows.append(row(alpha, accuracy, **labels))
            rows.append(
                row(alpha, rng.normal(9, 2), **labels | {"quality_metric": "generalization_gap"})
            )
    return models(rows)


def one(table: pd.DataFrame, **labels: object) -> pd.Series:
    """The only row with these labels (metric alpha, treatment dropped unless given)."""
    for name, value in ({"metric": "alpha", "treatment": "dropped"} | labels).items():
        table = table[table[name] == value]
    assert len(table) == 1, f"{len(table)} rows"
    return table.iloc[0]


def sample_of(
    table: pd.DataFrame, options: Options = QUICK, groups: str = ""
) -> statistics_sample.Sample:
    table = prepare(table)
    labels = table[groups].to_numpy() if groups else None
    scope = Scope("b", "within" if groups else "family", "", "", table, labels)
    return statistics_sample.make_sample(
        scope, [table["alpha"].to_numpy(), table["oriented"].to_numpy()], options
    )
