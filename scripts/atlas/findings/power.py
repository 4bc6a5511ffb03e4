"""Whether a test could have decided anything at all."""

from __future__ import annotations


def within_power(smallest_p: float, level: float) -> bool:
    """Whether a test can reach this level: its smallest possible p, corrected, is not above it.

    A missing one says nothing against it. A permutation test of few groups has few arrangements:
    where even the most extreme one is not rare enough, that nothing is decided says nothing.
    """
    return not smallest_p > level
