"""The tail fit of weightwatcher 0.7.7, exact, without evaluating candidates that cannot win.

A layer's eigenvalues above ``THRESHOLD`` are fitted by a power law p(x) ~ x^-alpha for x >= xmin.
For every candidate xmin, alpha is the maximum-likelihood estimate (Clauset, Shalizi and Newman 2009,
SIAM Review 51, eq. 3.1); the xmin whose fit has the smallest Kolmogorov-Smirnov distance wins (their
section 3.3). weightwatcher evaluates every candidate's distance, O(n^2) powers; here a lower bound on
the distance, from a few points of each tail, orders the candidates, and the search stops when the
bound exceeds the best distance found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLD = 1e-5
"""Only eigenvalues above this absolute value are fitted (weightwatcher's EVALS_THRESH)."""

SMALL = 20
"""Below this number of eigenvalues weightwatcher uses its small-sample estimator."""

SMALLEST_TAIL = 8
"""The small-sample estimator's shortest tail."""

_POINTS = 32


@dataclass(frozen=True)
class Fit:
    """A power-law tail: exponent, its standard error, where it starts and ends, and its distance."""

    alpha: float
    sigma: float
    xmin: float
    xmax: float
    D: float


def fit_tail(eigenvalues: np.ndarray) -> Fit | None:
    """Fit the tail of a spectrum.

    ``eigenvalues``: shape (n,), any order, float64. Returns None where weightwatcher's fit fails
    (fewer than two eigenvalues above the threshold, or an undefined exponent).
    """
    data = np.sort(eigenvalues[eigenvalues > THRESHOLD])
    if len(data) < 2:
        return None
    i, alpha, distance = _small(data) if len(data) < SMALL else _search(data)
    if np.isnan(alpha):
        return None
    # Below its shortest tail weightwatcher takes the standard error before it has an exponent.
    exponent = alpha if len(data) >= SMALLEST_TAIL else 0.0
    sigma = (exponent - 1) / np.sqrt(len(data) - i)
    return Fit(float(alpha), float(sigma), float(data[i]), float(data[-1]), float(distance))


def distance(tail: np.ndarray, alpha: float) -> float:
    """Kolmogorov-Smirnov distance of a sorted tail, shape (n,), from the power law above tail[0].

    The empirical distribution takes the values 0, 1/n, ..., (n-1)/n, as weightwatcher has it.
    """
    n = len(tail)
    return np.max(np.abs(1 - (tail / tail[0]) ** (1 - alpha) - np.arange(n) / n))


def _search(data: np.ndarray) -> tuple[int, float, float]:
    """The winning candidate's index, exponent and distance, for SMALL or more eigenvalues."""
    logs = np.log(data)
    n = len(data) - np.arange(len(data) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        alphas = 1 + n / (np.cumsum(logs[::-1])[::-1][:-1] - n * logs[:-1])
    # weightwatcher gives a candidate with alpha <= 1 (or none) the distance 1, more than any other's.
    valid = np.flatnonzero(alphas > 1)
    best = (0, _alpha(logs, 0), 1.0)
    bounds = _bounds(logs, n[valid], alphas[valid], valid)
    for k in np.argsort(bounds, kind="stable"):
        # A hair of slack: the bound and the distance are rounded differently.
        if bounds[k] > best[2] + 1e-12:
            break
        i = int(valid[k])
        alpha = _alpha(logs, i)
        D = distance(data[i:], alpha)
        if (D, i) < (best[2], best[0]):
            best = (i, alpha, D)
    return best


def _bounds(logs: np.ndarray, n: np.ndarray, alphas: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Lower bounds on each candidate's distance, from a few evenly spaced points of its tail."""
    steps = np.linspace(0, 1, _POINTS)
    offsets = (steps[None, :] * (n[:, None] - 1)).astype(np.intp)
    x = logs[start[:, None] + offsets] - logs[start][:, None]
    return np.abs(1 - np.exp((1 - alphas)[:, None] * x) - offsets / n[:, None]).max(axis=1)


def _alpha(logs: np.ndarray, i: int) -> float:
    """The exponent of candidate i, summed as weightwatcher sums it, so that the last bits agree."""
    n = float(len(logs) - i)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 + n / (np.sum(logs[i:]) - n * logs[i])


def _small(data: np.ndarray) -> tuple[int, float, float]:
    """weightwatcher's small-sample fit: bias-corrected exponents, tails of SMALLEST_TAIL or more.

    Its own criterion is overwritten by the smallest distance, the first of equals; candidates that
    are skipped keep the exponent 0 and the distance 1, as there.
    """
    logs = np.log(data)
    count = len(data)
    alphas, distances = np.zeros(count - 1), np.ones(count - 1)
    scored = False
    for i in range(count - 1):
        if count - i >= SMALLEST_TAIL:
            scored |= _small_candidate(data, logs, i, alphas, distances)
    if not scored:
        # Too few for any candidate: the whole sample is the tail.
        _small_candidate(data, logs, 0, alphas, distances, fallback=True)
    best = int(np.argmin(distances))
    return best, alphas[best], distances[best]


def _small_candidate(
    data: np.ndarray,
    logs: np.ndarray,
    i: int,
    alphas: np.ndarray,
    distances: np.ndarray,
    fallback: bool = False,
) -> bool:
    """Score one small-sample candidate in place; False where it is skipped."""
    n = float(len(data) - i)
    total = np.sum(logs[i:]) - n * logs[i]
    if total <= 1e-12:
        return False
    alphas[i] = 1 + (n - 1) / total
    if alphas[i] <= 1 and not fallback:
        return False
    distances[i] = distance(data[i:], alphas[i])
    return True
