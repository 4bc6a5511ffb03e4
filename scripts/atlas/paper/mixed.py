"""Families together in mixed models: findings, sentences and table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from atlas.findings.outcome import Effect, Outcome, effect
from atlas.findings.results import Cells, Results, value
from atlas.paper.cells import estimate_of
from atlas.paper.clauses import first, grouped, merged, slope_of
from atlas.paper.markdown import escape, integer, listing, p_value, pipe_table
from atlas.terms.notes import Note
from atlas.terms.words import metric_of

COVARIATES = ("size", "depth")
"""What the second model of each collection is to hold fixed."""


class Mixed(NamedTuple):
    """The mixed model of one collection, as it is and with what could be held fixed."""

    name: str
    within: Effect
    between: Effect
    difference: Effect
    adjusted: Effect  # of `within`
    held: tuple[str, ...] = COVARIATES  # what is held fixed in it


def verdict_mixed(found: Sequence[Mixed], metric: str, confidence: float) -> str:
    """The effects inside and between families, whether they differ, and what size leaves of them."""
    known = [model for model in found if model.within.outcome is not Outcome.NONE]
    if not known:
        return "A mixed model of all families together could not be fitted."
    name = metric_of(metric).en
    words = {
        Outcome.NEGATIVE: f"smaller {name} goes with better models for {{who}}",
        Outcome.POSITIVE: f"larger {name} goes with better models for {{who}}",
        Outcome.OPEN: "the direction stays open for {who}",
        Outcome.FEW: "there is no interval for {who}",
        Outcome.NONE: "nothing can be said for {who}",
    }
    differ = {
        **dict.fromkeys(
            (Outcome.NEGATIVE, Outcome.POSITIVE),
            "the two effects differ by more than chance for {who}",
        ),
        Outcome.OPEN: "no difference between the two effects beyond chance is found for {who}",
    }

    def numbers_of(item: Effect) -> str:
        return slope_of(item, confidence)

    said = [
        "Inside families, " + grouped([(m.name, m.within) for m in known], words, numbers_of),
    ]
    between = [(m.name, m.between) for m in known if m.between.outcome is not Outcome.NONE]
    if between:
        said.append("Between the means of families, " + grouped(between, words, numbers_of))
    tested = [
        (m.name, m.difference)
        for m in known
        if m.difference.outcome not in (Outcome.FEW, Outcome.NONE)
    ]
    if tested:
        said.append(first(merged(tested, differ)))
    held = [tuple(COVARIATES), *((covariate,) for covariate in COVARIATES)]
    for fixed in held:
        chosen = [model for model in known if model.held == fixed]
        if chosen:
            said.append(f"With {listing(fixed)} held fixed, {_adjusted(chosen, name)}")
    free = [model.name for model in known if not model.held]
    if free:
        said.append(f"Neither size nor depth could be held fixed for {listing(free)}")
    return " ".join(f"{sentence}." for sentence in said)


def _adjusted(found: Sequence[Mixed], name: str) -> str:
    """What becomes of the effect inside families once something is held fixed."""
    clauses: dict[str, list[str]] = {}
    for model in found:
        before, after = model.within.outcome, model.adjusted.outcome
        way = "smaller" if after is Outcome.NEGATIVE else "larger"
        if after in (Outcome.FEW, Outcome.NONE):
            text = "the effect inside families cannot be tested for {who}"
        elif before.decided and after is before:
            text = "the effect inside families stays for {who}"
        elif before.decided and after.decided:
            text = "the effect inside families turns round for {who}"
        elif before.decided:
            text = "the effect inside families is no longer clear for {who}"
        elif after.decided:
            text = f"{way} {name} goes with better models inside families for {{who}}"
        else:
            text = "the direction inside families stays open for {who}"
        clauses.setdefault(text, []).append(model.name)
    return "; ".join(text.replace("{who}", listing(names)) for text, names in clauses.items())


def found_mixed(study: Results) -> list[Mixed]:
    """The mixed model of each collection."""
    rows = {
        adjusted: dict(study.named("mixed", metric=study.metric, adjusted=adjusted))
        for adjusted in ("False", "True")
    }
    return [
        Mixed(
            escape(study.name(partition)),
            *(effect(row, part, study.confidence) for part in ("within", "between", "difference")),
            effect(rows["True"].get(partition), "within", study.confidence),
            held_fixed(rows["True"].get(partition)),
        )
        for partition, row in rows["False"].items()
    ]


def held_fixed(row: Cells | None) -> tuple[str, ...]:
    """What the second model of a collection holds fixed, from its note."""
    notes = (row or {}).get("note", "").split(";")
    left_out = [note for note in notes if note.startswith(Note.NOT_HELD_FIXED)]
    names = left_out[0].partition(":")[2].split(",") if left_out else []
    return tuple(name for name in COVARIATES if name not in names)


def mixed_table(study: Results) -> str:
    """The mixed models: effects inside and between families, as they are and with size and depth held
    fixed, as far as these could be; where none could, the second model is the first."""
    rows = []
    for partition in study.partitions:
        for adjusted in ("False", "True"):
            for p, row in study.named("mixed", metric=study.metric, adjusted=adjusted):
                held = held_fixed(row) if adjusted == "True" else ()
                again = adjusted == "True" and not held
                if p == partition and value(row, "within") is not None and not again:
                    rows.append(
                        [
                            escape(study.name(partition)),
                            ", ".join(held) or "nothing",
                            f"{integer(value(row, 'n'))} in {integer(value(row, 'groups'))}",
                            estimate_of(row, "within"),
                            p_value(value(row, "within_p")),
                            estimate_of(row, "between"),
                            estimate_of(row, "difference"),
                            p_value(value(row, "difference_p")),
                        ]
                    )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Held fixed", "l"),
            ("$n$", "r"),
            ("Within", "r"),
            ("$p$", "r"),
            ("Between", "r"),
            ("Difference", "r"),
            ("$p$", "r"),
        ],
        rows,
    )
