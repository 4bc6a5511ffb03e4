"""What a permutation test could have found at best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from atlas.statistics.options import Array
from atlas.statistics.permutation import p_value
from atlas.statistics.taus import rearranged_sums
from atlas.statistics.weighted import dense_ranks


def smallest_p(null: Array, exact: bool) -> float:
    """The two-sided p value of the most extreme of m rearrangements, whose statistics are (m,).

    Few groups have few rearrangements, and where values are tied several of them are as extreme.
    """
    sizes = np.abs(null)
    most = sizes.max()
    extreme = np.count_nonzero(sizes >= most * (1 - 1e-9) - 1e-12)
    return extreme / (len(null) + (not exact))


def kendall_tests(
    xs: Sequence[Array], y: Array, ranks: Array, exact: bool
) -> list[dict[str, float]]:
    """`kendall_p` and `smallest_p` of each of k variables (n,) with y (n,), two-sided.

    `ranks` (m, n) are those of the rearranged y; all rearrangements if `exact`.
    """
    observed = rearranged_sums(xs, dense_ranks(y[None, :]))[:, 0]
    nulls = rearranged_sums(xs, ranks)
    return [tested(null, own, exact) for null, own in zip(nulls, observed, strict=True)]


def tested(null: Array, observed: float, exact: bool) -> dict[str, float]:
    """p of an observed value among its rearrangements (m,), and p of the most extreme of these."""
    return {"kendall_p": p_value(null, observed, exact), "smallest_p": smallest_p(null, exact)}


def alone(rows: Sequence[dict[str, Any]]) -> None:
    """Correct `smallest_p` of rows that are tested together, as if one were all that is found.

    There the first step of Holm, and of Benjamini and Hochberg, multiplies by the number of tests.
    """
    tested = [row for row in rows if math.isfinite(row["kendall_p"])]
    for row in tested:
        row["smallest_p"] = min(1.0, len(tested) * row["smallest_p"])
