"""How much of alpha's differences a matrix of noise has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from atlas.statistics.describe import describe, obstacle_to
from atlas.statistics.models import metric_values, prepare, reference_models, repeated_partitions
from atlas.statistics.options import Options
from atlas.statistics.sample import Sample, group_means, plain_sample, sorted_table
from atlas.statistics.taus import ALPHA, KENDALL, Array
from atlas.statistics.traits import with_names
from atlas.terms.experiments import NULLS, alpha_of
from atlas.terms.keys import PARTITION
from atlas.terms.notes import Note, join

SHAPE = [
    *PARTITION,
    *["null", "level", "n", "alpha", "null_alpha"],
    *KENDALL,
    *["pearson", "pearson_low", "pearson_high", "pearson_p"],
    *["r2", "slope", "reliability", "interval", "note"],
]


def shape(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Alpha against the alpha of noise of the same shape, columns `SHAPE`.

    One row per partition (quality has no part in it), null (`shuffled`: the entries of the same
    matrices permuted; `gaussian`: Gaussian noise of their shape and scale) and level: `variants`
    (models of the reference recipe averaged per variant; of a control all models), `families`
    (means of those) and `within` (variants centred on their family's mean). `r2` is Pearson's
    r squared, the share of the differences in alpha that goes with the null; `slope` is alpha per
    unit of the null's alpha. Alphas far off all others are moved to a limit (`within_reach`).
    `reliability`: the share of the null's own variance, between what is compared, that
    is not due to the draws it was computed from (Spearman 1904, American Journal of
    Psychology 15): r2 can hardly be larger. Missing without two draws. Intervals and p as in
    `describe`; at the level of variants they hold for these families, as variants of one family
    resemble each other.
    """
    table = with_names(prepare(models))
    repeated = repeated_partitions(table)
    rows: list[dict[str, Any]] = []
    for partition, part in table.groupby(PARTITION, sort=True):
        if partition in repeated:
            continue
        once = part.drop_duplicates("model").reset_index(drop=True)
        control = partition[0] in options.controls
        chosen, note = (once, "") if control else reference_models(once, options)
        for null in NULLS:
            column = alpha_of(null)
            if column not in chosen or chosen[column].isna().all():
                continue
            labels = dict(zip(PARTITION, partition, strict=True)) | {"null": null}
            values = {
                name: metric_values(chosen, c, "dropped")
                for name, c in (("x", column), ("y", ALPHA))
            }
            variants = group_means(chosen, ["family", "named"], values)
            families = variants.groupby("family", sort=True)[["x", "y"]].mean().reset_index()
            errors = _errors(chosen, column, variants)
            for level, frame, centre_on in (
                ("variants", variants, None),
                ("families", families, None),
                ("within", variants, "family"),
            ):
                row = _against_null(plain_sample(frame, centre_on), options, (*partition, level))
                row["note"] = join(row["note"], note)
                row["reliability"] = _reliability(variants, errors, level)
                rows.append(labels | {"level": level} | row)
    return sorted_table(rows, SHAPE, "n")


def _errors(models: pd.DataFrame, column: str, variants: pd.DataFrame) -> Array:
    """Squared standard errors (v,) of a null's alpha in variants, due to its draws.

    Models of one variant have the same draws, so their mean has the error of one.
    """
    errors = metric_values(models, f"{column}_se", "dropped")
    squares = models.assign(square=errors**2)
    means = squares.groupby(["family", "named"], sort=True)["square"].mean()
    return means.reindex(pd.MultiIndex.from_frame(variants[["family", "named"]])).to_numpy(float)


def _reliability(variants: pd.DataFrame, errors: Array, level: str) -> float:
    """1 less the errors' share of the null's variance at a level of `shape`, at least 0."""
    table = variants.assign(error=errors)
    if level == "families":
        groups = table.groupby("family", sort=True)
        sizes = groups.size()
        variance, error = groups["x"].mean().var(ddof=1), (groups["error"].mean() / sizes).mean()
    elif level == "within":
        table = table[table.groupby("family")["x"].transform("size") > 1]
        freedom = len(table) - table["family"].nunique()
        centred = table["x"] - table.groupby("family")["x"].transform("mean")
        variance = (centred**2).sum() / freedom if freedom else math.nan
        error = table["error"].mean()
    else:
        variance, error = table["x"].var(ddof=1), table["error"].mean()
    known = variance > 1e-18 and math.isfinite(error)
    return max(0.0, 1 - error / variance) if known else math.nan


def _against_null(sample: Sample, options: Options, key: Sequence[object]) -> dict[str, Any]:
    """The estimates of `shape` for a sample of the null (x) and alpha (y)."""
    obstacle = ""
    if sample.centred and sample.strata < 2:
        obstacle = Note.TOO_FEW_GROUPS
    row = describe(sample, options, ("shape", *key), obstacle)
    # `describe` speaks of metric and quality.
    constants = (Note.NULL_CONSTANT, Note.ALPHA_CONSTANT)
    note = obstacle_to(sample, sample.centre(), constants) or row["note"]
    means = sample.values.mean(axis=1) if sample.n else (math.nan, math.nan)
    return row | {"null_alpha": means[0], "alpha": means[1], "note": note}
