"""Values that no scale holds: a fit to equal eigenvalues has an alpha of 1e15 or 1e300."""

from __future__ import annotations

import numpy as np

from atlas.statistics.options import Array

REACH = 100.0
"""How many typical deviations from the median a value may lie."""
NOISE = 1e-12
"""Deviations below this share of the median are rounding noise."""


def within_reach(values: Array, reach: float = REACH) -> Array:
    """Values (n,) or (n, p), column by column, those far off the median moved to a declared limit.

    The limit is `reach` times the median of the deviations from the median that are not zero but for
    rounding. The order is kept, and what lies inside the limit, so that ranks say the same (but for
    ties among values beyond it) while squares neither overflow nor lose all others in rounding.
    Missing values stay missing; infinite ones count as missing.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim == 2:
        return np.column_stack([within_reach(column, reach) for column in values.T])
    known = values[np.isfinite(values)]
    result = np.where(np.isfinite(values), values, np.nan)
    if not len(known):
        return result
    # Halves: the difference of two finite numbers may be infinite.
    middle = np.median(known / 2)
    deviation = np.abs(known / 2 - middle)
    deviation = deviation[deviation > NOISE * abs(middle)]
    if not len(deviation):
        return result
    with np.errstate(over="ignore"):
        most = min(reach * np.median(deviation), np.finfo(float).max / 8)
        return np.clip(result, 2 * (middle - most), 2 * (middle + most))
