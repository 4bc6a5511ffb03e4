"""The verdict on failed fits."""

from __future__ import annotations

import pytest
from helpers.papers import MINUS, OPEN, answer

from atlas.findings.outcome import judge
from atlas.paper import failed_fits


@pytest.mark.parametrize(
    ("failed", "stored", "english", "german"),
    [
        (0, MINUS, "No tail fit", "Keine Anpassung"),
        (3, MINUS, "changes no conclusion", "ändert keine Aussage"),
        (3, OPEN, "would change the conclusion in 1 of 1 comparison", "in 1 von 1 Vergleich"),
        (3, None, "could not be tested", "ließ sich nicht prüfen"),
    ],
)
def test_treatment_verdict(failed, stored, english, german):
    given = answer(MINUS, failed=failed, stored={"a": judge(stored, 0.95)})
    text = failed_fits.verdict_treatment([given])
    assert english in text.en
    assert german in text.de
