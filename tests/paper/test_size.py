"""The verdict on size."""

from __future__ import annotations

import pytest
from helpers.papers import MINUS, answer, beyond

from atlas.findings.outcome import Outcome
from atlas.paper import size as paper_size


@pytest.mark.parametrize(
    ("given", "english", "german"),
    [
        ([], "could not be tested", "ließ sich nicht prüfen"),
        ([Outcome.FEW, Outcome.NONE], "could not be tested", "ließ sich nicht prüfen"),
        ([Outcome.NEGATIVE] * 2, "smaller alpha goes with better models in each", "kleineres"),
        ([Outcome.POSITIVE], "larger alpha goes with better models", "größeres"),
        ([Outcome.OPEN], "no clear relation", "keinen klaren"),
        ([Outcome.NEGATIVE, Outcome.OPEN], "in 1 of the 2 comparisons", "1-mal"),
    ],
)
def test_size_verdict(given, english, german):
    parts = {key: beyond(outcome) for key, outcome in zip("abc", given, strict=False)}
    text = paper_size.verdict_size([answer(MINUS, beyond=parts)])
    assert english in text.en
    assert german in text.de
