"""Whether families differ, and what small ones could have shown."""

from __future__ import annotations

import math

import pytest
from helpers.papers import MINUS, answer

from atlas.paper import heterogeneity


@pytest.mark.parametrize(
    ("q", "english", "german"),
    [
        (0.001, "differ by more than chance", "stärker als durch Zufall"),
        (0.4, "no difference between families", "kein Unterschied"),
        (math.nan, "could not be tested", "ließ sich nicht prüfen"),
    ],
)
def test_families_verdict(q, english, german):
    text = heterogeneity.verdict_families([answer(MINUS, q_p=q)], 0.05)
    assert english in text.en
    assert german in text.de


@pytest.mark.parametrize(
    ("detectable", "untested", "words"),
    [
        ([], 2, "No family is large enough"),
        ([0.9], 0, "a Pearson correlation of 0.90 or stronger"),
        (
            [0.9, 0.5, 0.7],
            0,
            "at least 0.50 (the largest family) to 0.90 (the smallest), in the median",
        ),
        ([0.9, 0.5, 0.7, 0.6], 0, "median 0.65"),
        ([0.9, 0.5], 1, "1 family is too small even for that"),
        ([0.9, 0.5, math.nan], 2, "2 families are too small even for that"),
    ],
)
def test_power_sentence(detectable, untested, words):
    assert words in heterogeneity.power_of_groups(detectable, untested, 0.8)
