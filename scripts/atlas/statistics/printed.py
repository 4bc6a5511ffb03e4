"""Values that others have printed, each beside the one that this study gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.options import Options
from atlas.terms.keys import LOWER_IS_BETTER

LABELS = ["table", "collection", "dataset", "series", "quantity", "metric"]
PRINTED = [*LABELS, "printed", "ours", "difference", "agrees", "note"]
BUT_FIRST = "_but_first"


def printed(
    models: pd.DataFrame, layers: pd.DataFrame, values: pd.DataFrame, options: Options
) -> pd.DataFrame:
    """The printed values and ours, columns `PRINTED`, in the order of `values`.

    `values` has the columns `LABELS`, `printed` (text) and `note`. A quantity is of a series, which
    is a family (in a data set of a collection) or a variant:

    - `models`: how many models of the family have the primary quality;
    - `rmse` (root of the mean squared residual, divisor n, in units of the quality), `r2`, `kendall`:
      the least-squares line and the rank correlation of the quality on the metric in these models,
      each of which counts as one; the quality is turned so that smaller is better, as an error is;
    - `layers`, `mean`: the number of layers of the variant and the metric's mean over them;
      `layers_but_first`, `mean_but_first`: without the first one, a language model's embedding.

    `ours` is missing where the study has no such models. They agree if ours, rounded to the printed
    decimals, is the printed value.

    Raises:
        ValueError: a quantity that is none of these.
    """
    known = models[models["quality_metric"] == options.primary_quality].dropna(subset="quality")
    rows = []
    for row in values.to_dict("records"):
        ours = _ours(row, models, known, layers)
        difference = ours - float(row["printed"])
        rows.append(
            {
                **row,
                "ours": ours,
                "difference": difference,
                # Half a unit of the last digit, and what is lost when a decimal becomes binary.
                "agrees": bool(abs(difference) <= 0.5 * _last_digit(row["printed"]) + 1e-9),
            }
        )
    return pd.DataFrame(rows, columns=PRINTED)


def _last_digit(text: str) -> float:
    """What one unit in the last decimal of a printed number is worth."""
    return 10.0 ** -len(text.partition(".")[2])


def _ours(
    row: Mapping[str, Any], models: pd.DataFrame, known: pd.DataFrame, layers: pd.DataFrame
) -> float:
    quantity, metric = row["quantity"], row["metric"]
    if quantity.removesuffix(BUT_FIRST) in ("layers", "mean"):
        names = models.loc[_chosen(models, row, "variant"), "model"]
        taken = layers[layers["model"].isin(names)]
        if quantity.endswith(BUT_FIRST):
            taken = taken[taken["depth"] > 0]
        if taken.empty:
            return math.nan
        return float(taken[metric].mean() if quantity.startswith("mean") else len(taken))
    family = known[_chosen(known, row, "family")]
    if quantity == "models":
        return float(len(family)) if len(family) else math.nan
    if quantity not in ("rmse", "r2", "kendall"):
        raise ValueError(f"{quantity!r} is no quantity of printed values")
    pairs = family.dropna(subset=metric)
    if len(pairs) < 3:
        return math.nan
    return _regression(pairs, metric)[quantity]


def _chosen(models: pd.DataFrame, row: Mapping[str, Any], column: str) -> pd.Series:
    same = models[column] == row["series"]
    return (
        same & (models["collection"] == row["collection"]) & (models["dataset"] == row["dataset"])
    )


def _regression(pairs: pd.DataFrame, metric: str) -> dict[str, float]:
    """Least squares and rank correlation of the error (or of what falls as quality rises)."""
    x = pairs[metric].to_numpy(float)
    falls = pairs["quality_metric"].isin(LOWER_IS_BETTER)
    y = pairs["quality"].to_numpy(float) * np.where(falls, 1, -1)
    line = stats.linregress(x, y)
    residuals = y - line.intercept - line.slope * x
    return {
        "rmse": math.sqrt(np.mean(residuals**2)),
        "r2": float(line.rvalue**2),
        "kendall": float(stats.kendalltau(x, y).statistic),
    }
