"""What a permutation test could have found at best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from atlas.statistics.options import Array


def smallest_p(null: Array, exact: bool) -> float:
    """The two-sided p value of the most extreme of m rearrangements, whose statistics are (m,).

    Few groups have few rearrangements, and where values are tied several of them are as extreme.
    """
    sizes = np.abs(null)
    most = sizes.max()
    extreme = np.count_nonzero(sizes >= most * (1 - 1e-9) - 1e-12)
    return extreme / (len(null) + (not exact))


def alone(rows: Sequence[dict[str, Any]]) -> None:
    """Correct `smallest_p` of rows that are tested together, as if one were all that is found.

    There the first step of Holm, and of Benjamini and Hochberg, multiplies by the number of tests.
    """
    tested = [row for row in rows if math.isfinite(row["kendall_p"])]
    for row in tested:
        row["smallest_p"] = min(1.0, len(tested) * row["smallest_p"])
