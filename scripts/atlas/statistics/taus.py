"""Kendall's tau of several variables at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from atlas.statistics.models import partitions
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import DIGITS, Sample
from atlas.statistics.weighted import dense_ranks, ratio, tau_b, weight_at

ALPHA = "alpha"
KENDALL = ["kendall", "kendall_low", "kendall_high", "kendall_p"]

WIDE = {  # the scopes of all groups together
    ("a", "families", "", ""),
    ("b", "within", "", ""),
    ("c", "within", "", ""),
}


def labelled(
    table: pd.DataFrame, options: Options
) -> Iterator[tuple[tuple[str, ...], str, pd.DataFrame]]:
    """`partitions` of a prepared table without controls and without models that have no label."""
    for partition, quality, part in partitions(table):
        if quality and partition[0] not in options.controls:
            yield partition, quality, part


def rearranged_sums(xs: Sequence[Array], ranks: Array) -> Array:
    """Concordant less discordant pairs (k, m) of k variables (n,) with rearranged ranks (m, n).

    As `permutation.kendall_sums`; the signs of the rearranged pairs serve all variables.
    """
    signs = np.array([np.sign(x[None, :] - x[:, None]) for x in xs], dtype=np.float32)
    totals = np.zeros((len(signs), len(ranks)))
    for start in range(0, len(ranks), 1024):
        block = np.ascontiguousarray(ranks[start : start + 1024].T)
        for i in range(len(block) - 1):
            pairs = np.sign(block[i + 1 :] - block[i]).astype(np.float32)
            totals[:, start : start + 1024] += signs[:, i, i + 1 :] @ pairs
    return totals


def resampled_taus(sample: Sample, weights: Array) -> Array:
    """tau-b (m, v - 1) of all variables but the last with the last, under weights (m, n).

    What `weighted.weighted_correlations` gives, without Spearman and Pearson. Where nothing is
    centred the signs of the pairs are those of the sample in every resample, and the sum over
    pairs is a quadratic form of the weights.
    """
    values = sample.centre()
    if not sample.centred:
        signs = [np.sign(v[None, :] - v[:, None]) for v in values]

        def form(matrix: Array) -> Array:
            return ((weights @ matrix) * weights).sum(axis=1)

        untied = form(np.abs(signs[-1]))
        taus = [ratio(form(s * signs[-1]), np.sqrt(form(np.abs(s)) * untied)) for s in signs[:-1]]
        return np.column_stack(taus)

    onehot = np.eye(sample.strata)[sample.stratum]
    sizes = np.maximum(weights @ onehot, 1e-300)  # a group may be left out as a whole

    def ranked(v: Array) -> tuple[Array, Array]:
        v = v / (np.std(v) or 1.0)
        here = v - ((weights * v) @ onehot / sizes)[:, sample.stratum]
        ranks = dense_ranks(np.round(here, DIGITS - 2))
        return ranks, weight_at(ranks, weights)

    last = ranked(values[-1])
    pairs = (zip(ranked(v), last, strict=True) for v in values[:-1])
    return np.column_stack([tau_b(*pair, weights) for pair in pairs])


def correct(rows: Sequence[dict[str, Any]], name: str) -> None:
    """Write `kendall_p_<name>` into the rows that have a p, corrected over these (holm or bh)."""
    tested = [row for row in rows if math.isfinite(row["kendall_p"])]
    if tested:
        method = {"holm": "holm", "bh": "fdr_bh"}[name]
        adjusted = multipletests([row["kendall_p"] for row in tested], method=method)[1]
        for row, p in zip(tested, adjusted, strict=True):
            row[f"kendall_p_{name}"] = p
