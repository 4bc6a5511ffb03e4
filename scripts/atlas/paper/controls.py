"""Untrained networks as controls: sentences and table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from atlas.findings.outcome import Finding, Outcome, judge
from atlas.findings.results import Cells, Results, value
from atlas.paper import clauses, notes
from atlas.paper.markdown import count, escape, estimate, integer, p_value, pipe_table
from atlas.terms import words
from atlas.terms.words import Text, metric_of


def verdict_controls(findings: Iterable[Finding], metric: str) -> Text:
    """Whether the metric of untrained networks predicts anything."""
    name = metric_of(metric)
    outcomes = [finding.outcome for finding in findings]
    found = sum(outcome.decided for outcome in outcomes)
    tested = found + outcomes.count(Outcome.OPEN)
    if not outcomes:
        return Text(
            "The study has no untrained networks as controls.",
            "Die Studie hat keine untrainierten Netze als Kontrollen.",
        )
    if not tested:
        return Text(
            f"Whether {name.en} predicts anything in untrained networks could not be tested: there "
            "are too few of them.",
            f"Ob {name.de} in untrainierten Netzen etwas vorhersagt, ließ sich nicht prüfen: Es sind "
            "zu wenige.",
        )
    if not found:
        return Text(
            f"In untrained networks, {name.en} predicts nothing that {count(tested, 'test')} could "
            "detect.",
            f"In untrainierten Netzen sagt {name.de} nichts vorher, was sich in "
            f"{count(tested, 'Test', 'Tests')} zeigen würde.",
        )
    return Text(
        f"In untrained networks, {name.en} is related to quality in {found} of "
        f"{count(tested, 'test')}: what it measures there is shape and initialisation, not training.",
        f"In untrainierten Netzen hängt {name.de} in {found} von {count(tested, 'Test', 'Tests')} "
        "mit der Qualität zusammen: Was es dort misst, sind Form und Initialisierung, nicht das "
        "Training.",
    )


class ControlQuality(NamedTuple):
    """The quality that a control is compared with, as an object and behind "a better"."""

    name: str
    better: str


CONTROL_QUALITIES = {
    "untrained": ControlQuality(
        "the quality that the same variants reach after training",
        "quality of the same variants after training",
    ),
    "own": ControlQuality("their own quality", "quality of their own"),
}


def controls_text(study: Results) -> str:
    """What the untrained networks say, in sentences."""
    rows = study.control_rows()
    if not rows:
        return (
            "This study declares no controls, or none of them could be analysed. Whether the metric "
            "would also predict something in untrained networks stays unknown.\n"
        )
    items = []
    for control in sorted({row["collection"] for row in rows}):
        said = []
        for relation, what in CONTROL_QUALITIES.items():
            for scope, where in (
                ("families", "over the means of families"),
                ("within", "within families"),
            ):
                for row in rows:
                    if (row["collection"], row["relation"], row["scope"]) == (
                        control,
                        relation,
                        scope,
                    ):
                        said.append(_control_sentence(study, row, what, where))
        items.append(f"**{escape(control)}.** " + " ".join(said))
    return "\n\n".join(items) + "\n"


def _control_sentence(study: Results, row: Cells, what: ControlQuality, where: str) -> str:
    finding = judge(row, study.confidence)
    name = words.metric_of(study.metric).en
    if finding.outcome is Outcome.NONE:
        return (
            f"Whether {name} of the untrained networks says anything about {what.name} {where} cannot be "
            f"computed: {notes.reason(finding.notes)}."
        )
    unit = ("family", "families") if row["scope"] == "families" else ("variant",)
    values = f"{clauses.numbers(finding, study.confidence)}; {count(finding.units, *unit)}"
    if finding.outcome is Outcome.FEW:
        return (
            f"{clauses.first(where)}, {name} of the untrained networks and {what.name} are too few "
            f"values for a conclusion ({values})."
        )
    if finding.outcome is Outcome.OPEN:
        return (
            f"{clauses.first(where)}, no clear relation between {name} of the untrained networks and "
            f"{what.name} is found ({values})."
        )
    way = "smaller" if finding.outcome is Outcome.NEGATIVE else "larger"
    return (
        f"{clauses.first(where)}, {way} {name} of the untrained networks goes with a better {what.better} "
        f"({values})."
    )


RELATIONS = {
    "own": "untrained metric, untrained quality",
    "untrained": "untrained metric, trained quality",
    "trained": "trained metric, trained quality",
}


def controls_table(study: Results) -> str:
    """The controls: what the metric of untrained networks says."""
    rows = [
        [
            escape(row["collection"]),
            RELATIONS.get(row["relation"], escape(row["relation"])),
            {"families": "families", "within": "within families"}[row["scope"]],
            integer(value(row, "units")),
            estimate(value(row, "kendall"), value(row, "kendall_low"), value(row, "kendall_high")),
            p_value(value(row, "kendall_p")),
        ]
        for row in study.control_rows()
    ]
    return pipe_table(
        [
            ("Control", "l"),
            ("Relation", "l"),
            ("Scope", "l"),
            ("$n$", "r"),
            ("$\\tau$", "r"),
            ("$p$", "r"),
        ],
        rows,
    )
