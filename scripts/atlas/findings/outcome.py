"""What a row of the statistics shows: the only rule for decided or open.

A comparison is decided only if its interval excludes chance *and* its p value, corrected for
multiple tests, is small enough; everything else stays open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from atlas.terms.notes import Note, notes_of


class Outcome(StrEnum):
    """What a comparison shows about metric and quality."""

    NEGATIVE = "negative"  # smaller metric, better models: what the theory expects
    POSITIVE = "positive"
    OPEN = "open"  # an interval or a p value does not decide it
    FEW = "few"  # a correlation, but too few models for an interval
    NONE = "none"  # nothing could be computed

    @property
    def decided(self) -> bool:
        return self in (Outcome.NEGATIVE, Outcome.POSITIVE)


@dataclass(frozen=True)
class Finding:
    """One comparison's result: `p` is the corrected p value, `notes` are the row's."""

    outcome: Outcome
    n: int = 0
    units: int = 0
    groups: int = 0
    tau: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    detectable: float = math.nan
    level: float = 0.05
    notes: tuple[Note, ...] = ()
    corrected: bool = False

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def level_of(confidence: float) -> float:
    """The largest p value that decides, without the rounding that 1 - 0.9 leaves."""
    return round(1 - confidence, 12)


def decided(value: Any, low: Any, high: Any, p: Any, level: float, null: float = 0.0) -> Any:
    """Whether an interval and its value lie on one side of ``null`` and p is at most ``level``.

    Numbers or columns (n,) of them; a missing one decides nothing.
    """
    aside = ((low > null) & (value > null)) | ((high < null) & (value < null))
    return aside & (p <= level)


def _outcome(
    value: float, low: float, high: float, p: float, level: float, null: float = 0.0
) -> Outcome:
    """What an estimate shows; where there is no test, p is 0 and the interval decides alone."""
    if not math.isfinite(value):
        return Outcome.NONE
    if not (math.isfinite(low) and math.isfinite(high)):
        return Outcome.FEW
    if not decided(value, low, high, p, level, null):
        return Outcome.OPEN
    return Outcome.NEGATIVE if value < null else Outcome.POSITIVE


def judge(row: Mapping[str, Any] | None, confidence: float, kind: str = "kendall") -> Finding:
    """The finding of one row of the statistics; None is a comparison that the study does not have.

    A correlation of plus or minus 1 has no interval where one was tried: its p value decides.
    """
    level = level_of(confidence)
    if row is None:
        return Finding(Outcome.NONE, level=level, notes=(Note.NOT_IN_STUDY,))
    tau, low, high = (_number(row.get(f"{kind}{part}")) for part in ("", "_low", "_high"))
    p, corrected = _corrected(row, f"{kind}_p")
    tried = bool(row.get("interval"))
    certain = tried and abs(tau) > 1 - 1e-9
    bounds = (tau, tau) if certain else (low, high)
    found = _outcome(tau, *bounds, p, level)
    return Finding(
        Outcome.OPEN if tried and found is Outcome.FEW else found,
        n=_count(row.get("n")),
        units=_count(row.get("units", row.get("n"))),
        groups=_count(row.get("groups")),
        tau=tau,
        low=low,
        high=high,
        p=p,
        detectable=_number(row.get("detectable_pearson")),
        level=level,
        notes=_notes(row),
        corrected=corrected,
    )


def _corrected(row: Mapping[str, Any], name: str) -> tuple[float, bool]:
    """A row's p value, corrected by the plan for multiple tests where it is, and whether it is."""
    raw, holm, bh = (_number(row.get(f"{name}{end}")) for end in ("", "_holm", "_bh"))
    found = next((p for p in (holm, bh) if math.isfinite(p)), math.nan)
    return (found, True) if math.isfinite(found) else (raw, False)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _count(value: Any) -> int:
    value = _number(value)
    return int(value) if math.isfinite(value) else 0


def _notes(row: Mapping[str, Any]) -> tuple[Note, ...]:
    note = row.get("note")
    return notes_of(note) if isinstance(note, str) else ()


@dataclass(frozen=True)
class Beyond:
    """A metric beside the size-only baseline: the outcome is that of the partial correlation."""

    outcome: Outcome
    tau: float = math.nan
    tau_size: float = math.nan
    partial: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    notes: tuple[Note, ...] = ()


def judge_beyond(row: Mapping[str, Any] | None, confidence: float) -> Beyond:
    """What a row of the baselines says: interval and p value of the partial correlation decide."""
    if row is None:
        return Beyond(Outcome.NONE, notes=(Note.NOT_IN_STUDY,))
    partial, low, high = (_number(row.get(f"partial{end}")) for end in ("", "_low", "_high"))
    p, _ = _corrected(row, "partial_p")
    return Beyond(
        _outcome(partial, low, high, p, level_of(confidence)),
        tau=_number(row.get("kendall")),
        tau_size=_number(row.get("kendall_size")),
        partial=partial,
        low=low,
        high=high,
        p=p,
        notes=_notes(row),
    )


@dataclass(frozen=True)
class Effect:
    """An estimate: `outcome` says whether it is below (NEGATIVE) or above what chance gives."""

    outcome: Outcome
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    notes: tuple[Note, ...] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval; the value alone where it is decided without one: no resample differs."""
        known = math.isfinite(self.low) or not self.outcome.decided
        return (self.low, self.high) if known else (self.value, self.value)


def effect(
    row: Mapping[str, Any] | None, name: str, confidence: float, null: float = 0.0
) -> Effect:
    """What columns ``name``, ``name_low``, ``name_high`` and ``name_p`` of a row say beside ``null``.

    Decided where the interval excludes ``null`` and the p value is small; where the table has no
    p value for it, the interval decides alone. Where all resamples are equal, as with a share of
    1, there is no interval, and the value takes its place.
    """
    if row is None:
        return Effect(Outcome.NONE, notes=(Note.NOT_IN_STUDY,))
    value, low, high, p = (_number(row.get(f"{name}{end}")) for end in ("", "_low", "_high", "_p"))
    notes = _notes(row)
    bounds = (low, high)
    if Note.RESAMPLES_DO_NOT_VARY in notes and Note.TOO_FEW_FAMILIES_WITH_PAIRS not in notes:
        bounds = tuple(value if math.isnan(bound) else bound for bound in bounds)
    tested = p if f"{name}_p" in row else 0.0
    found = _outcome(value, *bounds, tested, level_of(confidence), null)
    return Effect(found, value=value, low=low, high=high, p=p, notes=notes)
