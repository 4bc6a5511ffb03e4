"""What could have been found: power of the test that the verdicts use, by simulation."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy import special, stats

from atlas.statistics.options import Array

STUDIES = 2000  # simulated for each number of units
SIMULATED_TO = 60  # units; above, z of Kendall's tau is close to normal


@functools.cache
def detectable(units: int, level: float, power: float) -> float:
    """Smallest |r| of normal variables that the test of Kendall's tau finds with this power.

    The test is the two-sided one of all orders of `units` independent units, at `level`. Up to
    `SIMULATED_TO` units by simulation, above by the variance of Fisher's z (Fieller, Hartley and
    Pearson 1957, Biometrika 44). Missing (NaN) where no order of so few units is rare enough.
    """
    if units < 3:
        return math.nan
    if units > SIMULATED_TO:
        half = (stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power)) * math.sqrt(
            0.437 / (units - 4)
        )
        return math.sin(math.pi / 2 * math.tanh(half))
    pairs = units * (units - 1) // 2
    counts = inversions(units)
    probability = counts / counts.sum()
    scores = pairs - 2 * np.arange(pairs + 1)
    tail = np.array([probability[np.abs(scores) >= score].sum() for score in range(pairs + 1)])
    rare = np.flatnonzero(tail <= level * (1 + 1e-9))  # 1 - 0.9 is less than 0.1
    if not len(rare):
        return math.nan
    rng = np.random.default_rng(units)
    x, noise = rng.standard_normal((2, STUDIES, units))

    def share(r: float) -> float:
        y = r * x + math.sqrt(1 - r * r) * noise
        return float(np.mean(np.abs(_scores(x, y)) >= rare[0]))

    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) >= power else (middle, high)
    return high


def inversions(units: int) -> Array:
    """How many orders (pairs + 1,) of so many units have each number of discordant pairs.

    As floats: the number of orders of 60 units has 82 digits. Kendall (1938, Biometrika 30).
    """
    counts = np.ones(1)
    for number in range(2, units + 1):
        counts = np.convolve(counts, np.ones(number) / number)
    return counts * special.factorial(units)


def _scores(x: Array, y: Array) -> Array:
    """Concordant less discordant pairs (m,) of x and y (m, n)."""
    total = np.zeros(len(x))
    for i in range(x.shape[1] - 1):
        total += np.sum(
            np.sign(x[:, i + 1 :] - x[:, i, None]) * np.sign(y[:, i + 1 :] - y[:, i, None]), axis=1
        )
    return total
