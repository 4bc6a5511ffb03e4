"""The verdict on the controls."""

from __future__ import annotations

import pytest
from helpers.papers import MINUS, OPEN, PLUS

from atlas.findings.outcome import judge
from atlas.paper import controls as paper_controls


@pytest.mark.parametrize(
    ("rows", "english", "german"),
    [
        ([], "no untrained networks", "keine untrainierten"),
        ([None], "could not be tested", "ließ sich nicht prüfen"),
        ([OPEN, OPEN], "nothing that 2 tests", "nichts vorher"),
        ([OPEN, MINUS], "in 1 of 2 tests", "in 1 von 2 Tests"),
        ([PLUS], "not training", "nicht das Training"),
    ],
)
def test_controls_verdict(rows, english, german):
    text = paper_controls.verdict_controls([judge(given, 0.95) for given in rows], "alpha")
    assert english in text.en
    assert german in text.de
