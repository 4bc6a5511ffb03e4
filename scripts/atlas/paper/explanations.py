"""What goes with the families' own correlations: findings, sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from atlas.findings.outcome import Finding, Outcome, judge, level_of
from atlas.findings.power import within_power
from atlas.findings.results import Cells, Results, number_of, value
from atlas.paper import clauses
from atlas.paper.cells import estimate_of
from atlas.paper.clauses import numbers
from atlas.paper.markdown import (
    count,
    escape,
    integer,
    interval,
    listing,
    number,
    p_equation,
    p_value,
    percent,
    pipe_table,
)
from atlas.tables.parts import partition_of
from atlas.terms.keys import COMPARISONS
from atlas.terms.traits import TRAITS
from atlas.terms.words import Text, candidate_of, metric_of


class Candidate(NamedTuple):
    """A trait of families (or variants) against their own correlation of metric and quality."""

    name: str
    n: int
    finding: Finding  # Kendall's tau; of a category only its corrected p value
    eta2: float  # of a category: the share of the variance between its values
    holds: bool  # the sign stays with every single family left out
    within_power: bool = True  # the smallest p that the test could have had would have decided

    @property
    def category(self) -> bool:
        return math.isfinite(self.eta2)

    @property
    def _known(self) -> bool:
        if self.category:
            return math.isfinite(self.finding.p)
        return self.finding.outcome.decided or self.finding.outcome is Outcome.OPEN

    @property
    def tested(self) -> bool:
        return self._known and (self.within_power or self.remains)

    @property
    def too_few(self) -> bool:
        """Whether there are too few families to tell: no result could have been decided."""
        return self._known and not self.tested

    @property
    def remains(self) -> bool:
        """Whether it is decided after correction."""
        if self.category:
            return self.finding.p <= self.finding.level
        return self.finding.outcome.decided


WHOSE = {
    ("family", "b"): "the correlation between the variants of a family",
    ("family", "c"): "the correlation between the trainings in a family",
    ("family", "a"): "a family's part in the correlation between architectures",
    ("variant", "b"): "a variant's part in the correlation inside its family",
    ("variant", "c"): "the correlation between the trainings of a variant",
}
"""What the candidates are set against: by level and comparison."""


def verdict_explanations(found: Mapping[str, Found], confidence: float) -> str:
    """Which candidates go with which correlations after correction.

    ``found`` are the candidates by what they are set against. The first that could be tested is
    worded in any case, others where a candidate remains.
    """
    few = _too_few(found)
    tested = {whose: _tested(items) for whose, items in found.items()}
    tested = {whose: items for whose, items in tested.items() if items}
    if not tested:
        return few or (
            "What goes with a family's correlation could not be tested: too few families have one."
        )
    said, nothing, tests = [], [], 0
    for whose, items in tested.items():
        remains = any(item.remains for candidates in items.values() for item in candidates)
        if remains or not (said or nothing):
            said.append(_explained(items, whose, confidence))
        else:
            nothing.append(whose)
            tests += sum(len(candidates) for candidates in items.values())
    if nothing:
        said.append(
            f"Against {listing(nothing)}, none of {count(tests, 'test')} is decided after correction."
        )
    return " ".join([*said, *[few] * bool(few)])


def _too_few(found: Mapping[str, Found]) -> str:
    """Which correlations have too few families for any test to be decided, as a sentence or ""."""
    counts = {
        whose: sum(item.too_few for candidates in items.values() for item in candidates)
        for whose, items in found.items()
    }
    names = [whose for whose, number in counts.items() if number]
    if not names:
        return ""
    tests = count(sum(counts.values()), "test")
    return (
        f"Against {listing(names)}, there are too few families to tell in {tests}: not even the "
        "strongest relation would be decided after correction."
    )


Found = Mapping[str, Sequence[Candidate]]  # by collection


def _tested(found: Found) -> Found:
    tested = {name: [item for item in items if item.tested] for name, items in found.items()}
    return {name: items for name, items in tested.items() if items}


def _explained(tested: Found, whose: str, confidence: float) -> str:
    """The candidates of one collection in full, those of several counted."""
    if len(tested) > 1:
        return _counted(tested, whose)
    ((collection, items),) = tested.items()
    remaining = [item for item in items if item.remains]
    lead = f"Of {count(len(items), 'candidate')} that could be set against {whose} ({collection}), "
    if not remaining:
        return f"{lead}none goes with it after correction for multiple tests."
    text = (
        f"{lead}{integer(len(remaining))} {'goes' if len(remaining) == 1 else 'go'} with it after "
    )
    text += f"correction: {listing([_candidate_clause(item, confidence) for item in remaining])}."
    numeric = [item for item in remaining if not item.category]
    holding = [candidate_of(item.name).en for item in numeric if item.holds]
    if numeric and not holding:
        text += " No sign stays the same whichever family is left out."
    elif numeric:
        text += f" Whichever family is left out, the sign stays for: {listing(holding)}."
    return text


def _counted(tested: Found, whose: str) -> str:
    """How many tests of candidates remain in several collections, and which."""
    m = sum(len(items) for items in tested.values())
    remaining = [
        f"{candidate_of(item.name).en} for {name}"
        for name, items in tested.items()
        for item in items
        if item.remains
    ]
    lead = f"Against {whose}, in each collection on its own, "
    if not remaining:
        return f"{lead}none of {count(m, 'test')} is decided after correction."
    return (
        f"{lead}{integer(len(remaining))} of {count(m, 'test')} "
        f"{'is' if len(remaining) == 1 else 'are'} decided after correction: {listing(remaining)}."
    )


def _candidate_clause(item: Candidate, confidence: float) -> str:
    name = candidate_of(item.name).en
    if item.category:
        share = f"{percent(item.eta2)} of the differences between its values"
        return f"{name} ({share}, {p_equation('corrected p', item.finding.p)})"
    way = "lower" if item.finding.outcome is Outcome.NEGATIVE else "higher"
    return f"{name} (the larger, the {way} the correlation; {numbers(item.finding, confidence)})"


def why_traits(candidates: Sequence[Candidate], metric: str) -> Text | None:
    name = metric_of(metric)
    tested = [item for item in candidates if item.tested]
    if not tested:
        if any(item.too_few for item in candidates):
            return Text(
                f"there are too few families to tell what goes with where {name.en} works",
                f"es sind zu wenige Familien, um zu sagen, wovon abhängt, wo {name.de} etwas aussagt",
            )
        return None
    m = len(tested)
    remaining = [item for item in tested if item.remains]
    standing = [item for item in remaining if item.holds]
    lead = Text(
        f"of {count(m, 'trait')} that could explain in which families {name.en} works",
        f"von {count(m, 'Merkmal', 'Merkmalen', 'de')}, {'das' if m == 1 else 'die'} erklären "
        f"{'könnte' if m == 1 else 'könnten'}, in welchen Familien {name.de} etwas aussagt",
    )
    if not remaining:
        return Text(
            f"{lead.en}, none goes with it after correction",
            f"{lead.de}, hängt nach Korrektur keines damit zusammen",
        )
    if not standing:
        return Text(
            f"{lead.en}, none goes with it both after correction and with every single family left "
            "out",
            f"{lead.de}, hängt keines nach Korrektur und auch ohne jede einzelne Familie damit "
            "zusammen",
        )
    k = len(standing)
    names = [candidate_of(item.name) for item in standing]
    english, german = listing([n.en for n in names]), listing([n.de for n in names], "de")
    return Text(
        f"{lead.en}, {integer(k)} {'goes' if k == 1 else 'go'} with it after correction ({english})",
        f"{lead.de}, {'hängt' if k == 1 else 'hängen'} nach Korrektur {integer(k, 'de')} damit "
        f"zusammen ({german})",
    )


def dative(name: str) -> str:
    """The German name behind "mit"."""
    return f"dem {name}"


ALL = ("all", "", "")
"""The partition of rows that hold the families of all collections together."""


def explanation_rows(study: Results, level: str, comparison: str) -> list[tuple[str, Cells]]:
    """The candidates at a level and in a comparison, with the name of the collection.

    They are those of all collections together, or else of each collection.
    """
    together = [
        ("all collections", row)
        for row in study.rows(
            "explanations",
            lambda row: (
                partition_of(row) == ALL
                and (row["level"], row["comparison"]) == (level, comparison)
            ),
        )
    ]
    return together or [
        (escape(study.name(partition)), row)
        for partition, row in study.named("explanations", level=level, comparison=comparison)
    ]


def found_candidates(study: Results, level: str, comparison: str) -> dict[str, list[Candidate]]:
    """What could explain, against the correlations of families or variants, by collection."""
    found: dict[str, list[Candidate]] = {}
    for name, row in explanation_rows(study, level, comparison):
        found.setdefault(name, []).append(_candidate(study, row))
    return found


def _candidate(study: Results, row: Cells) -> Candidate:
    finding = judge(row, study.confidence)
    low, high, tau = (number_of(row, c) for c in ("left_out_low", "left_out_high", "kendall"))
    return Candidate(
        row["candidate"],
        int(value(row, "n") or 0),
        finding,
        number_of(row, "eta2") if row["kind"] == "category" else math.nan,
        (tau > 0 and low > 0) or (tau < 0 and high < 0),
        within_power(number_of(row, "smallest_p"), level_of(study.confidence)),
    )


def main_candidates(study: Results) -> list[Candidate]:
    """The candidates that the paper's sum is about: against families' correlations, (b) before (c).

    Those of the first collection with any test, or else with one that has too few families.
    """
    found = [
        candidates
        for comparison in ("b", "c")
        for candidates in found_candidates(study, "family", comparison).values()
    ]
    tested = [candidates for candidates in found if any(item.tested for item in candidates)]
    few = [candidates for candidates in found if any(item.too_few for item in candidates)]
    return next(iter([*tested, *few]), [])


def explanations_text(study: Results) -> str:
    """What goes with the correlations of families and of variants, as sentences."""
    found = {
        whose: found_candidates(study, level, comparison)
        for (level, comparison), whose in WHOSE.items()
    }
    return verdict_explanations(found, study.confidence)


def explanations_table(study: Results) -> str:
    """Each candidate against the families' correlations between variants."""
    return _candidates_table(
        [(name, "", row) for name, row in explanation_rows(study, "family", "b")], study
    )


OF = {"family": "families", "variant": "variants"}


def explanations_more_table(study: Results) -> str:
    """The candidates against the other correlations, and what is decided in single collections."""
    rows = []
    shown = {id(row) for _, row in explanation_rows(study, "family", "b")}
    for level, comparison in WHOSE:
        of = f"{COMPARISONS[comparison]} {OF[level]}"
        block = explanation_rows(study, level, comparison)
        if (level, comparison) != ("family", "b"):
            rows += [(name, of, row) for name, row in block]
            shown |= {id(row) for _, row in block}
        for partition, row in study.named("explanations", level=level, comparison=comparison):
            if id(row) not in shown and _candidate(study, row).remains:
                rows.append((escape(study.name(partition)), of, row))
    return _candidates_table(rows, study, several=True)


def _candidates_table(
    rows: Sequence[tuple[str, str, Cells]], study: Results, several: bool = False
) -> str:
    cells = [
        [
            name,
            *[of] * several,
            clauses.first(candidate_of(row["candidate"]).en),
            integer(value(row, "n")),
            _candidate_cell(study, row),
            p_value(value(row, "kendall_p")),
            p_value(value(row, "kendall_p_bh")),
            interval(value(row, "left_out_low"), value(row, "left_out_high")),
        ]
        for name, of, row in sorted(
            rows, key=lambda item: (item[1], item[0], _order(item[2]["candidate"]))
        )
        if value(row, "kendall") is not None or value(row, "eta2") is not None
    ]
    return pipe_table(
        [
            ("Collection", "l"),
            *[("Of", "l")] * several,
            ("Candidate", "l"),
            ("$n$", "r"),
            ("$\\tau$", "r"),
            ("$p$", "r"),
            ("$p$, corrected", "r"),
            ("One left out", "r"),
        ],
        cells,
    )


def _order(candidate: str) -> int:
    order = list(TRAITS)
    return order.index(candidate) if candidate in order else len(order)


def _candidate_cell(study: Results, row: Cells) -> str:
    """tau with its interval, or for a category its share of the variance; bold where it remains."""
    eta2 = value(row, "eta2")
    text = estimate_of(row, "kendall") if eta2 is None else f"$\\eta^2$ = {number(eta2)}"
    return f"**{text}**" if _candidate(study, row).remains else text
