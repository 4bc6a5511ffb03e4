"""Cells that several tables share: estimates with intervals, numbers of models, marks."""

from __future__ import annotations

from atlas.findings.outcome import Outcome, judge
from atlas.findings.results import Cells, Results, value
from atlas.paper.markdown import MISSING, escape, estimate, integer, number, p_value, percent
from atlas.tables.parts import partition_of
from atlas.terms.notes import Note, notes_of


def share(part: int, whole: int) -> str:
    """A part in percent; an en dash of nothing."""
    return percent(part / whole) if whole else MISSING


CELLS = {
    Outcome.NEGATIVE: "smaller is better",
    Outcome.POSITIVE: "larger is better",
    Outcome.OPEN: "open",
    Outcome.FEW: "too few models",
    Outcome.NONE: "no answer",
}

STATISTIC_COLUMNS = [
    ("$n$", "r"),
    ("$\\tau$", "r"),
    ("$p$", "r"),
    ("$p$, corrected", "r"),
]

FEW_MARK = "\u00a0†"
"""Behind the number of models of a group that is too small for an interval of its own."""

BASELINE_COLUMNS = [("$\\tau$ of size", "r"), ("Partial $r$", "r")]


def statistic_cells(row: Cells | None) -> list[str]:
    """n, tau with its interval, p and corrected p."""
    corrected = value(row, "kendall_p_holm")
    corrected = value(row, "kendall_p_bh") if corrected is None else corrected
    return [
        _n_cell(row),
        estimate(value(row, "kendall"), value(row, "kendall_low"), value(row, "kendall_high")),
        p_value(value(row, "kendall_p")),
        p_value(corrected),
    ]


def _n_cell(row: Cells | None) -> str:
    """The number of models, that of independent units where it differs, and a mark on few."""
    n, units = value(row, "n"), value(row, "units")
    if row is None or n is None:
        return MISSING
    text = integer(n) if units in (n, None) else f"{integer(n)} ({integer(units)})"
    return text + FEW_MARK * (Note.NO_INTERVAL_SMALL_N in notes_of(row["note"]))


def baseline_cells(row: Cells | None) -> list[str]:
    return [
        number(value(row, "kendall_size")),
        estimate_of(row, "partial"),
    ]


WORDS = {"dropped": "failed fits left out", "stored": "failed fits averaged in"}


def marked(row: Cells | None, confidence: float) -> str:
    """Tau with its interval, bold where the comparison is decided."""
    text = estimate(value(row, "kendall"), value(row, "kendall_low"), value(row, "kendall_high"))
    return f"**{text}**" if judge(row, confidence).outcome.decided else text


def name_of(study: Results, row: Cells) -> str:
    """A collection's name, also where it is a control or has no part in the comparisons."""
    partition = partition_of(row)
    return (
        escape(study.name(partition))
        if partition in study.partitions
        else escape(row["collection"])
    )


def estimate_of(row: Cells | None, name: str) -> str:
    """A value of a row with its interval."""
    return estimate(value(row, name), value(row, f"{name}_low"), value(row, f"{name}_high"))
