"""Intervals of correlations, on Fisher's z, whose width is smooth in the number of units.

The variance of z is the larger of two: that of normal variables, which is right for few units, and
the jackknife's, which also sees ties, heavy tails and groups that differ. Where a recipe acts alike
in all variants it is left out of all at once, and variants are left out too: both variances add up,
as for crossed factors (Owen 2007, Annals of Applied Statistics 1), which errs on the wide side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from atlas.statistics.options import Array
from atlas.statistics.sample import Sample
from atlas.terms.keys import INTERVAL_FROM

BLOCKS = 200  # more movers are left out in as many blocks
LARGEST = 0.9999  # of a correlation without some units: z of 1 is infinite

Statistic = Callable[[Array], Array]
"""From weights (m, n) of a sample's units to values (m, q)."""


def normal_variance(kind: str, estimate: float, effective: int, fixed: int = 0) -> float:
    """Variance of Fisher's z of a correlation of normal variables, `fixed` others held fixed.

    Pearson 1/(n - 3) (Fisher 1921); Spearman (1 + r^2/2)/(n - 3) (Bonett and Wright 2000,
    Psychometrika 65); Kendall 0.437/(n - 4) (Fieller, Hartley and Pearson 1957, Biometrika 44).
    Each variable held fixed takes one from n (Fisher 1924). Missing where nothing is left of n.
    """
    numerator, lost = {
        "kendall": (0.437, 4),
        "spearman": (1 + estimate**2 / 2, 3),
        "pearson": (1.0, 3),
    }[kind]
    left = effective - lost - fixed
    return numerator / left if left > 0 else math.nan


def jackknife_variance(sample: Sample, statistic: Statistic) -> Array:
    """Variance (q,) of a statistic of a sample's units by leaving out movers in turn.

    Movers of one stratum are compared with its mean, and so are all those that have units in several
    strata; of k values, (k - 1)/k times the sum of squares counts (Davison and Hinkley 1997, section
    3.11). More than `BLOCKS` movers are left out in blocks. Where movers have units in several
    strata, the variance between strata joins, likewise. A value that is not defined without some
    units is left out of the sum.
    """
    groups: dict[int, list[Array]] = {}
    for code in np.unique(sample.mover):
        members = np.flatnonzero(sample.mover == code)
        strata = np.unique(sample.stratum[members])
        groups.setdefault(int(strata[0]) if len(strata) == 1 else -1, []).append(members)
    factors = [list(groups.values())]
    if -1 in groups:
        strata = [np.flatnonzero(sample.stratum == code) for code in np.unique(sample.stratum)]
        factors.append([strata])
    return sum(_variance(factor, sample.n, statistic) for factor in factors)


def _variance(classes: Sequence[Sequence[Array]], n: int, statistic: Statistic) -> Array:
    """The sum of the jackknife variances (q,) of several groups of movers."""
    left_out, sizes = [], []
    for members in classes:
        if len(members) > 1:
            blocks = min(len(members), BLOCKS)
            left_out += [
                np.concatenate([np.ravel(m) for m in members[start::blocks]])
                for start in range(blocks)
            ]
            sizes.append(blocks)
    weights = np.ones((len(left_out), n))
    for row, outside in zip(weights, left_out, strict=True):
        row[outside] = 0
    values = statistic(weights) if len(weights) else np.empty((0, 0))
    total, start = 0.0, 0
    for blocks in sizes:
        part = values[start : start + blocks]
        start += blocks
        known = np.isfinite(part)
        mean = np.where(known, part, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        squares = np.where(known, part - mean, 0) ** 2
        total = total + (blocks - 1) / blocks * squares.sum(axis=0)
    return np.asarray(total)


def fisher_intervals(
    sample: Sample,
    kinds: Sequence[str],
    estimates: Sequence[float],
    statistic: Statistic,
    confidence: float,
    fixed: int = 0,
    effective: int | None = None,
) -> list[tuple[float, float]]:
    """Intervals of correlations (q,) of these kinds, given a statistic that has them.

    `fixed` variables are held fixed; `effective` is the effective number if not the sample's.

    Half the width of z is the larger of the normal quantile times the root of the normal variance,
    and Student's quantile with the effective number less 2 degrees of freedom times the root of the
    jackknife's. Missing for a correlation of plus or minus 1, whose z is infinite, and for an
    effective number below `INTERVAL_FROM`.
    """
    number = sample.effective if effective is None else effective
    if number < INTERVAL_FROM + fixed:
        return [(math.nan, math.nan)] * len(kinds)
    spread = jackknife_variance(
        sample, lambda weights: np.arctanh(np.clip(statistic(weights), -LARGEST, LARGEST))
    )
    level = (1 + confidence) / 2
    normal, student = stats.norm.ppf(level), stats.t.ppf(level, number - 2 - fixed)
    bounds = []
    for kind, estimate, jackknife in zip(kinds, estimates, spread, strict=True):
        if not abs(estimate) < 1 - 1e-12:
            bounds.append((math.nan, math.nan))
            continue
        variance = normal_variance(kind, estimate, number, fixed)
        half = max(normal * math.sqrt(variance), student * math.sqrt(jackknife))
        z = math.atanh(estimate)
        bounds.append((math.tanh(z - half), math.tanh(z + half)))
    return bounds


def plain_intervals(
    sample: Sample, estimates: Sequence[float], statistic: Statistic, confidence: float
) -> list[tuple[float, float]]:
    """Student's intervals of estimates (q,) with the jackknife's variance, on their own scale.

    Missing for an effective number below `INTERVAL_FROM`, and for an estimate that is missing.
    """
    if sample.effective < INTERVAL_FROM:
        return [(math.nan, math.nan)] * len(estimates)
    student = stats.t.ppf((1 + confidence) / 2, sample.effective - 2)
    half = student * np.sqrt(jackknife_variance(sample, statistic))
    return [(value - h, value + h) for value, h in zip(estimates, half, strict=True)]
