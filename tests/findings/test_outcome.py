"""Outcomes follow from direction, interval and p value."""

from __future__ import annotations

import pytest
from helpers.papers import row

from atlas.findings.outcome import Outcome, effect, judge, judge_beyond
from atlas.terms.notes import Note


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (row(), Outcome.NEGATIVE),
        (row(0.5, 0.2, 0.7), Outcome.POSITIVE),
        (row(-0.5, -0.9, 0.1), Outcome.OPEN),
        (row(p=0.2), Outcome.OPEN),
        (row(kendall_p_holm=0.2), Outcome.OPEN),
        (row(kendall_p_bh=0.2), Outcome.OPEN),
        (row(p=0.2, kendall_p_bh=0.01), Outcome.NEGATIVE),
        (row(p=0.2, kendall_p_holm=0.01), Outcome.NEGATIVE),
        (row(kendall_p_holm=0.2, kendall_p_bh=0.01), Outcome.OPEN),
        (row(kendall_p_recipes=0.5), Outcome.NEGATIVE),  # repeats the p value of its row
        (row(low=None, high=None, interval=""), Outcome.FEW),
        (row(low=None, high=None), Outcome.OPEN),
        (row(-1.0, None, None), Outcome.NEGATIVE),
        (row(1.0, None, None), Outcome.POSITIVE),
        (row(-1.0, None, None, p=0.1), Outcome.OPEN),
        (row(None, None, None, None, note=Note.TOO_FEW_MODELS), Outcome.NONE),
        (None, Outcome.NONE),
    ],
)
def test_outcome_follows_from_direction_interval_and_multiplicity(given, outcome):
    assert judge(given, 0.95).outcome is outcome


def test_p_values_are_corrected_where_the_plan_corrects_them():
    assert judge(row(), 0.95).corrected is False and judge(row(), 0.95).p == 0.001
    for end in ("holm", "bh"):
        found = judge(row(**{f"kendall_p_{end}": 0.03}), 0.95)
        assert found.corrected and found.p == 0.03


@pytest.mark.parametrize(
    ("partial", "low", "high", "p", "corrected", "outcome"),
    [
        (-0.4, -0.6, -0.1, 0.001, {}, Outcome.NEGATIVE),
        (0.4, 0.1, 0.6, 0.001, {}, Outcome.POSITIVE),
        (-0.4, -0.6, -0.1, 0.2, {}, Outcome.OPEN),
        (-0.4, -0.6, 0.1, 0.001, {}, Outcome.OPEN),
        (-0.4, -0.6, -0.1, 0.001, {"holm": 0.2}, Outcome.OPEN),
        (-0.4, -0.6, -0.1, 0.001, {"bh": 0.2}, Outcome.OPEN),
        (-0.4, -0.6, -0.1, 0.2, {"holm": 0.01}, Outcome.NEGATIVE),
        (-0.4, None, None, 0.001, {}, Outcome.FEW),
        (-0.4, -0.6, -0.1, None, {}, Outcome.OPEN),
        (None, None, None, None, {}, Outcome.NONE),
    ],
)
def test_what_is_beyond_size_is_decided_by_interval_and_p_value(
    partial, low, high, p, corrected, outcome
):
    cells = row(partial=partial, partial_low=low, partial_high=high, partial_p=p)
    cells |= {f"partial_p_{end}": str(value) for end, value in corrected.items()}
    found = judge_beyond(cells, 0.95)
    assert found.outcome is outcome and found.tau == -0.5
    assert found.p == pytest.approx(next(iter(corrected.values()), p), nan_ok=True) or p is None
    assert judge_beyond(None, 0.95).outcome is Outcome.NONE


def given(value, low, high, p="absent") -> dict[str, str]:
    cells = {"x": value, "x_low": low, "x_high": high} | ({} if p == "absent" else {"x_p": p})
    return {key: "" if cell is None else str(cell) for key, cell in cells.items()}


EQUAL = {"note": Note.RESAMPLES_DO_NOT_VARY.of("x")}


def test_findings_and_effects_are_decided_at_the_same_p_value():
    """1 - 0.9 is less than 0.1 in floating point."""
    cells = {"x": "-0.5", "x_low": "-0.7", "x_high": "-0.2", "x_p": "0.1", "interval": "fisher-z"}
    assert judge(cells, 0.9, "x").outcome is effect(cells, "x", 0.9).outcome is Outcome.NEGATIVE
    above = cells | {"x_p": "0.100001"}
    assert judge(above, 0.9, "x").outcome is effect(above, "x", 0.9).outcome is Outcome.OPEN


@pytest.mark.parametrize(
    ("cells", "null", "outcome"),
    [
        (given(0.8, 0.6, 0.9, 0.01), 0.5, Outcome.POSITIVE),
        (given(0.2, 0.1, 0.4, 0.01), 0.5, Outcome.NEGATIVE),
        (given(0.2, 0.1, 0.4, 0.01), 0.0, Outcome.POSITIVE),
        (given(0.8, 0.6, 0.9, 0.2), 0.5, Outcome.OPEN),
        (given(0.8, 0.6, 0.9, None), 0.5, Outcome.OPEN),  # a p value that could not be computed
        (given(0.8, 0.6, 0.9), 0.5, Outcome.POSITIVE),  # a table without p values
        (given(0.6, 0.4, 0.9, 0.01), 0.5, Outcome.OPEN),
        (given(0.4, 0.1, 0.6, 0.01), 0.5, Outcome.OPEN),
        (given(0.6, None, None, 0.01), 0.5, Outcome.FEW),
        (given(1.0, None, None, 0.01) | EQUAL, 0.5, Outcome.POSITIVE),
        (given(0.0, None, None, 0.01) | EQUAL, 0.5, Outcome.NEGATIVE),
        (given(1.0, None, None, 0.2) | EQUAL, 0.5, Outcome.OPEN),
        (given(1.0, None, None) | EQUAL, 0.5, Outcome.POSITIVE),
        (
            given(1.0, None, None) | {"note": Note.TOO_FEW_FAMILIES_WITH_PAIRS.of("x")},
            0.5,
            Outcome.FEW,
        ),
        (given(None, None, None, None), 0.5, Outcome.NONE),
        (None, 0.5, Outcome.NONE),
    ],
)
def test_an_effect_is_decided_by_interval_and_p_value(cells, null, outcome):
    assert effect(cells, "x", 0.95, null).outcome is outcome
