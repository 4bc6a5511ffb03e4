"""Rearrangements of exchangeable units, and their p values."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from atlas.statistics.options import Array
from atlas.statistics.sample import Sample, exchange_classes

EXACT_LIMIT = math.factorial(8)  # enumerate every rearrangement up to here: n <= 8
PAIR_LIMIT = 3_000_000_000  # pairs visited per row: above it, a row takes fewer rearrangements


def rearrangements(sample: Sample, count: int, seed: int) -> tuple[Array, bool]:
    """Indices (m, n) of rearranged observations, and whether these are all there are.

    Movers of one class change places, with all their units at once: without that, what label
    noise, say, does to every variant would count as many independent observations as there are
    variants. All are enumerated where there are at most 8! (n <= 8 in one class), the identity
    among them. Else `count` are drawn at random, fewer for several thousand models.
    """
    return _rearranged(tuple(sample.stratum), tuple(sample.mover), count, seed)


@functools.lru_cache(maxsize=4)  # the metrics of one scope share theirs
def _rearranged(
    stratum: tuple[int, ...], mover: tuple[int, ...], count: int, seed: int
) -> tuple[Array, bool]:
    """`rearrangements` of observations with these codes."""
    n = len(mover)
    classes = exchange_classes(np.array(stratum, int), np.array(mover, int))
    return exchanges(classes, n, count, seed, 2 * PAIR_LIMIT // max(n, 1) ** 2)


def exchanges(
    classes: Sequence[Array], n: int, count: int, seed: int, limit: int
) -> tuple[Array, bool]:
    """`rearrangements` of n observations whose exchangeable movers are classes (k, s)."""
    blocks = [block for block in classes if len(block) > 1]
    if math.prod(math.factorial(len(block)) for block in blocks) <= EXACT_LIMIT:
        result = np.arange(n)[None, :]
        for block in blocks:
            orders = np.array(list(itertools.permutations(range(len(block)))))
            choices = block[orders].reshape(len(orders), -1)
            result = np.repeat(result, len(choices), axis=0)
            result[:, block.ravel()] = np.tile(choices, (len(result) // len(choices), 1))
        return result, True

    count = max(99, min(count, limit))
    rng = np.random.default_rng(seed)
    result = np.tile(np.arange(n), (count, 1))
    by_shape: dict[tuple[int, ...], list[Array]] = {}
    for block in blocks:
        by_shape.setdefault(block.shape, []).append(block)
    for shape in sorted(by_shape):  # blocks of one shape are drawn together
        together = np.array(by_shape[shape])  # (blocks, k, s)
        orders = rng.random((count, *together.shape[:2])).argsort(axis=-1)
        drawn = np.take_along_axis(together[None], orders[..., None], axis=2)
        result[:, together.ravel()] = drawn.reshape(count, -1)
    return result, False


def kendall_sums(x: Array, y: Array, indices: Array) -> Array:
    """Concordant less discordant pairs (m,) of x with y[indices]: integers, so exact."""
    rank_x = np.unique(x, return_inverse=True)[1]
    rank_y = np.unique(y, return_inverse=True)[1].astype(np.int16 if len(y) < 2**15 else np.int32)
    signs = np.sign(rank_x[None, :] - rank_x[:, None]).astype(np.float32)
    shuffled = np.ascontiguousarray(rank_y[indices].T)
    totals = np.zeros(len(indices))
    for start in range(0, len(indices), 1024):
        block = shuffled[:, start : start + 1024]
        for i in range(len(y) - 1):
            pairs = np.sign(block[i + 1 :] - block[i]).astype(np.float32)
            totals[start : start + 1024] += signs[i, i + 1 :] @ pairs
    return totals


def p_value(null: Array, observed: float, exact: bool) -> float:
    """Two-sided; (b + 1) / (m + 1) for random ones (Phipson and Smyth 2010), which counts the
    observed arrangement; enumerated ones hold it already."""
    extreme = np.count_nonzero(np.abs(null) >= abs(observed) * (1 - 1e-9) - 1e-12)
    return extreme / len(null) if exact else (extreme + 1) / (len(null) + 1)


def permutation_p(x: Array, y: Array, indices: Array, exact: bool) -> dict[str, float]:
    """p of Kendall, Spearman and Pearson for x, y (n,) and rearrangements (m, n).

    The denominators do not change under rearrangement, so the numerators are compared.
    """
    identity = np.arange(len(x))[None, :]
    result = {
        "kendall": p_value(kendall_sums(x, y, indices), kendall_sums(x, y, identity)[0], exact)
    }
    for kind, (a, b) in {
        "spearman": (stats.rankdata(x), stats.rankdata(y)),
        "pearson": (x, y),
    }.items():
        a, b = stats.zscore(a), stats.zscore(b)
        result[kind] = p_value(b[indices] @ a / len(a), float(a @ b) / len(a), exact)
    return result
