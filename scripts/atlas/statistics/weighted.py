"""Correlations of weighted observations: of samples without some units, or with some repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atlas.statistics.options import Array
from atlas.statistics.sample import DIGITS, Sample

CHUNK = 2**18  # doubles held at a time by the pairwise sums: about the second-level cache


def ratio(numerator: Array, denominator: Array) -> Array:
    """Their ratio, missing where the denominator vanishes (a constant resample)."""
    safe = denominator > 1e-9
    return np.where(safe, numerator / np.where(safe, denominator, 1.0), np.nan)


def _moments(a: Array, b: Array, weights: Array) -> Array:
    """Pearson correlation (m,) of a, b (m or 1, n) under weights (m, n)."""
    total = weights.sum(axis=1, keepdims=True)
    a = a - (weights * a).sum(axis=1, keepdims=True) / total
    b = b - (weights * b).sum(axis=1, keepdims=True) / total
    weighted = weights / total
    spread = (weighted * a * a).sum(axis=1) * (weighted * b * b).sum(axis=1)
    return ratio((weighted * a * b).sum(axis=1), np.sqrt(spread))


def dense_ranks(values: Array) -> Array:
    """Ranks (m, n) from 0 along the rows of values, equal values sharing one."""
    order = values.argsort(axis=1)
    steps = np.diff(np.take_along_axis(values, order, axis=1), axis=1) > 0
    sorted_ranks = np.pad(steps.cumsum(axis=1), ((0, 0), (1, 0)))
    ranks = np.empty(values.shape, dtype=np.int16 if values.shape[1] < 2**15 else np.int32)
    np.put_along_axis(ranks, order, sorted_ranks.astype(ranks.dtype), axis=1)
    return ranks


def weight_at(ranks: Array, weights: Array) -> Array:
    """Total weight (m, n) of the observations with rank 0, 1, ... in each resample."""
    rows = np.arange(len(weights))[:, None] * weights.shape[1]
    totals = np.bincount((rows + ranks).ravel(), weights.ravel(), minlength=weights.size)
    return totals.reshape(weights.shape)


def _concordance(ranks_x: Array, ranks_y: Array, weights: Array) -> Array:
    """Sum over i < j of w_i w_j sign(x_i - x_j) sign(y_i - y_j): (m,), all inputs (m, n)."""
    totals = np.zeros(len(weights))
    # Sums of whole numbers are exact in single precision, up to several thousand models.
    precision = np.float32 if (weights == np.rint(weights)).all() else np.float64
    step = max(16, CHUNK // weights.shape[1])
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        x, y = (np.ascontiguousarray(r[rows].T) for r in (ranks_x, ranks_y))
        w = np.ascontiguousarray(weights[rows].T.astype(precision))
        for i in range(len(x) - 1):
            signs = np.sign(x[i + 1 :] - x[i]) * np.sign(y[i + 1 :] - y[i])
            totals[rows] += w[i] * np.einsum("jm,jm->m", signs.astype(precision), w[i + 1 :])
    return totals


def weighted_tau(x: Array, y: Array, weights: Array) -> Array:
    """Kendall's tau-b (m,) of x, y (m or 1, n) under weights (m, n): see the next function."""
    ranks = [np.broadcast_to(dense_ranks(v), weights.shape) for v in (x, y)]
    return tau_b(ranks, [weight_at(r, weights) for r in ranks], weights)


def tau_b(ranks: Sequence[Array], masses: Sequence[Array], weights: Array) -> Array:
    """tau-b (m,) from the ranks of two variables and the weight at each rank."""
    total = weights.sum(axis=1) ** 2
    untied = [(total - (mass**2).sum(axis=1)) / 2 for mass in masses]
    untied = [np.where(u > 1e-9 * total, u, 0.0) for u in untied]  # rounding leaves no zero
    return ratio(_concordance(*ranks, weights), np.sqrt(untied[0] * untied[1]))


def weighted_correlations(
    sample: Sample, weights: Array, pairs: Sequence[tuple[int, int]] = ((0, 1),)
) -> Array:
    """Kendall, Spearman and Pearson (m, 3, pairs) of a sample's variables in each resample.

    A resample is given by weights (m, n): how often it holds each observation. Copies of one
    are ties. Centred scopes are centred again in each resample. tau-b is the sum over i < j of
    w_i w_j s_ij t_ij, s and t the signs of the differences in the two variables, over the root
    of the product of the same sums of |s_ij| and of |t_ij|.
    """
    values = [v / (np.std(v) or 1.0) for v in sample.centre()]
    here = [v[None, :] for v in values]
    if sample.centred:
        onehot = np.eye(sample.strata)[sample.stratum]
        sizes = np.maximum(weights @ onehot, 1e-300)  # a group may be left out as a whole
        # Rounded, so that equal values stay equal and constant groups stay at zero.
        here = [
            np.round(v - ((weights * v) @ onehot / sizes)[:, sample.stratum], DIGITS - 2)
            for v in values
        ]
    ranks = [np.broadcast_to(dense_ranks(v), weights.shape) for v in here]
    masses = [weight_at(r, weights) for r in ranks]
    midranks = [
        np.take_along_axis(mass.cumsum(axis=1) - mass / 2, r.astype(np.intp), axis=1)
        for r, mass in zip(ranks, masses, strict=True)
    ]
    result = np.empty((len(weights), 3, len(pairs)))
    for index, (i, j) in enumerate(pairs):
        result[:, 0, index] = tau_b((ranks[i], ranks[j]), (masses[i], masses[j]), weights)
        result[:, 1, index] = _moments(midranks[i], midranks[j], weights)
        result[:, 2, index] = _moments(here[i], here[j], weights)
    return result
