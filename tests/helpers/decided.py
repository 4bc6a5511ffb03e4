"""Tables of the statistics in which everything is decided, in one direction or the other."""

from __future__ import annotations

import dataclasses

import pandas as pd

from atlas.findings import results
from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics import explanations as statistics_explanations
from atlas.statistics import mixed as statistics_mixed
from atlas.statistics import pairs as statistics_pairs
from atlas.statistics import prediction as statistics_prediction
from atlas.statistics import shape as statistics_shape
from atlas.statistics import traits
from helpers.papers import OPTIONS, rows_of

COLUMNS = {
    "pairs": statistics_pairs.PAIRS,
    "mixed": statistics_mixed.MIXED,
    "prediction": statistics_prediction.PREDICTION,
    "alternatives": statistics_alternatives.ALTERNATIVE,
    "shape": statistics_shape.SHAPE,
    "traits": traits.TRAITS_TABLE,
    "explanations": statistics_explanations.EXPLANATION,
}
PLACE = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
TOGETHER = {"collection": "all", "dataset": "", "weightwatcher_version": ""}
MEASURED = {"metric": "alpha", "quality_metric": "accuracy", "treatment": "dropped"}


def table(name, *rows) -> pd.DataFrame:
    """A table of the statistics with its real columns; a cell of another column is an error."""
    for cells in rows:
        assert set(cells) <= set(COLUMNS[name]), set(cells) - set(COLUMNS[name])
    return pd.DataFrame(rows, columns=COLUMNS[name])


def bounds(name, value, low, high, p=None) -> dict[str, float]:
    cells = {name: value, f"{name}_low": low, f"{name}_high": high}
    return cells | ({} if p is None else {f"{name}_p": p})


def made(sign=-1) -> dict[str, pd.DataFrame]:
    """All new tables for a relation of this sign: -1 is what the theory expects."""

    def signed(name, size, p=0.001):
        low, high = sorted((sign * (size - 0.1), sign * (size + 0.1)))
        return bounds(name, sign * size, low, high, p)

    won = 0.5 - 0.3 * sign
    concordance = bounds("concordance", won, won - 0.1, won + 0.1, 0.001)
    within = {"concordance_within": won, "concordance_within_p": 0.001}
    own = PLACE | MEASURED
    quality = PLACE | {"quality_metric": "accuracy"}
    kendall = signed("kendall", 0.5) | {"interval": "fisher-z"}
    trait = {"level": "family", "comparison": "b", "kind": "number", "n": 5}
    counts = {"pairs": 150, "variants": 15, "recipes": 5}
    return {
        "pairs": table(
            "pairs",
            own | {"family": ""} | counts | concordance | bounds("gain", -sign, -sign, -sign),
            own | {"family": "", "treatment": "stored"} | counts | concordance,
            own | {"family": "mlp"} | counts | concordance,
        ),
        "mixed": table(
            "mixed",
            *(
                own
                | {"comparison": "b", "adjusted": adjusted, "n": 30, "units": 15, "groups": 5}
                | signed("within", 0.5)
                | bounds("between", 0.1, -0.3, 0.5, 0.7)
                | bounds("difference", 0.6, 0.2, 1.0, 0.001)
                for adjusted in (False, True)
            ),
        ),
        "prediction": table(
            "prediction",
            quality | {"predictor": "alpha", "n": 15, "families": 5, "r2": 0.1, "rmse": 1} | within,
            quality | {"predictor": "alpha (sign)", "n": 15, "families": 5} | within,
            quality
            | {"predictor": "size", "n": 15, "families": 5, "r2": 0.1, "rmse": 1}
            | {"concordance_within": 0.5, "concordance_within_p": 0.9},
        ),
        "alternatives": table(
            "alternatives",
            *(
                quality
                | {
                    "comparison": "a",
                    "metric": metric,
                    "kind": "alternative",
                    "n": 30,
                    "units": 15,
                    "groups": 1,
                }
                | {"kendall_p_holm": 0.001, "equal": 0}
                | kendall
                | signed("difference", 0.3, None)
                for metric in ("hill", "alpha_shuffled")
            ),
            quality
            | {"comparison": "a", "metric": "log_norm", "kind": "baseline"}
            | {"n": 30, "units": 15, "groups": 1, "kendall_p_holm": 0.001, "equal": 0}
            | kendall
            | bounds("difference", 0.9, 0.7, 1.1)
            | signed("gain", 0.2, None),
        ),
        "shape": table(
            "shape",
            PLACE
            | {"null": "shuffled", "level": "variants", "n": 15, "alpha": 3, "null_alpha": 5}
            | {"r2": 0.25, "interval": "fisher-z"}
            | signed("pearson", 0.5),
        ),
        "traits": table(
            "traits",
            quality | {"family": "mlp", "n": 6, "units": 3, "kendall_b": 0.1, "N_median": 64},
            quality | {"family": "resnet", "n": 6, "units": 3},
        ),
        "explanations": table(
            "explanations",
            TOGETHER
            | {"quality_metric": "", "candidate": "N_median", "kendall_p_bh": 0.01}
            | trait
            | {"left_out_low": sign * 0.5, "left_out_high": sign * 0.5}
            | kendall,
            TOGETHER
            | {"quality_metric": "", "candidate": "recipe", "eta2": 0.6, "kendall_p_bh": 0.01}
            | trait
            | {"kind": "category"},
            quality | {"candidate": "D", "kendall_p_bh": 0.9} | trait | kendall,
        ),
    }


FAST = {"statistics": OPTIONS | {"permutations": 99, "bootstrap": 20}}


def with_tables(given: results.Results, **new: pd.DataFrame) -> results.Results:
    """The study with other tables of the statistics."""
    found = dict(given.tables) | {name: rows_of(frame) for name, frame in new.items()}
    return dataclasses.replace(given, tables=found)
