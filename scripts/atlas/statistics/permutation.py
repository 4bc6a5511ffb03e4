"""Rearrangements of exchangeable units, and their p values."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from scipy import stats

from atlas.statistics.options import Array
from atlas.statistics.sample import Sample

EXACT_LIMIT = math.factorial(8)  # enumerate every rearrangement up to here: n <= 8
PAIR_LIMIT = 3_000_000_000  # pairs visited per row: above it, a row takes fewer rearrangements


def _classes(stratum: Array, unit: Array) -> list[Array]:
    """Exchangeable units: arrays (k, s) of indices, k units of s models in one stratum."""
    classes: dict[tuple[int, int], list[Array]] = {}
    for code in np.unique(unit):
        members = np.flatnonzero(unit == code)
        classes.setdefault((int(stratum[members[0]]), len(members)), []).append(members)
    return [np.array(classes[key]) for key in sorted(classes)]


@functools.cache
def _arrangements(k: int, s: int) -> Array:
    """All rearrangements (k! s!^k, k s) of k units of s models: of the units, and inside each."""
    orders = np.array(list(itertools.permutations(range(k))))  # (k!, k)
    inside = np.array(list(itertools.permutations(range(s))))  # (s!, s)
    choices = inside[np.indices((len(inside),) * k).reshape(k, -1).T]  # (s!^k, k, s)
    return (orders[:, None, :, None] * s + choices[None]).reshape(-1, k * s)


def rearrangements(sample: Sample, count: int, seed: int) -> tuple[Array, bool]:
    """Indices (m, n) of rearranged observations, and whether these are all there are.

    All are enumerated where there are at most 8! (n <= 8 without groups and seeds), the
    identity among them. Else `count` are drawn at random, fewer for several thousand models.
    """
    return _rearranged(tuple(sample.stratum), tuple(sample.unit), count, seed)


@functools.lru_cache(maxsize=4)  # the metrics of one scope share theirs
def _rearranged(
    stratum: tuple[int, ...], unit: tuple[int, ...], count: int, seed: int
) -> tuple[Array, bool]:
    """`rearrangements` of observations with these codes."""
    n = len(unit)
    classes = _classes(np.array(stratum), np.array(unit))
    rng = np.random.default_rng(seed)
    number = math.prod(
        math.factorial(len(c)) * math.factorial(c.shape[1]) ** len(c) for c in classes
    )
    if number <= EXACT_LIMIT:
        result = np.arange(n)[None, :]
        for members in classes:
            slots = members.ravel()
            choices = slots[_arrangements(*members.shape)]
            result = np.repeat(result, len(choices), axis=0)
            result[:, slots] = np.tile(choices, (len(result) // len(choices), 1))
        return result, True

    count = max(99, min(count, 2 * PAIR_LIMIT // n**2))
    result = np.empty((count, n), dtype=np.intp)
    by_shape: dict[tuple[int, ...], list[Array]] = {}
    for members in classes:
        by_shape.setdefault(members.shape, []).append(members)
    for shape in sorted(by_shape):
        block = np.array(by_shape[shape])  # (groups, k, s)
        order = rng.random((count, *block.shape[:2])).argsort(axis=-1)
        drawn = np.take_along_axis(block[None], order[..., None], axis=2)
        if shape[1] > 1:
            drawn = np.take_along_axis(drawn, rng.random(drawn.shape).argsort(axis=-1), axis=3)
        result[:, block.ravel()] = drawn.reshape(count, -1)
    return result, False


def recipe_rearrangements(sample: Sample, count: int, seed: int) -> tuple[Array, bool] | None:
    """Indices (m, n) that exchange recipes in all groups at once; None if not possible.

    Every group repeats the same recipes, so label noise, say, lowers the accuracy of all
    variants together: those are not as many independent observations as there are variants.
    Needs two or more groups, and each recipe equally often in each group.
    """
    counts = np.zeros((sample.strata, len(np.unique(sample.recipe))), dtype=int)
    np.add.at(counts, (sample.stratum, sample.recipe), 1)
    if len(counts) < 2 or counts.shape[1] < 2 or counts.min() == 0 or np.ptp(counts) > 0:
        return None
    order = np.lexsort((np.arange(sample.n), sample.recipe, sample.stratum))
    table = order.reshape(*counts.shape, -1)  # (groups, recipes, seeds)
    recipes = counts.shape[1]
    exact = math.factorial(recipes) <= EXACT_LIMIT
    if exact:
        orders = np.array(list(itertools.permutations(range(recipes))))
    else:
        count = max(99, min(count, 2 * PAIR_LIMIT // sample.n**2))
        orders = np.random.default_rng(seed).random((count, recipes)).argsort(axis=1)
    result = np.empty((len(orders), sample.n), dtype=np.intp)
    result[:, table.ravel()] = table[:, orders].transpose(1, 0, 2, 3).reshape(len(orders), -1)
    return result, exact


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
