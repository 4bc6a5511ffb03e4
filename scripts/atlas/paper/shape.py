"""Alpha against its nulls: findings, sentences and table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from atlas.findings.outcome import Effect, Finding, Outcome, judge
from atlas.findings.results import Results, kept, number_of, value
from atlas.paper.cells import name_of
from atlas.paper.clauses import first, grouped, with_interval
from atlas.paper.explanations import dative
from atlas.paper.markdown import (
    count,
    integer,
    listing,
    number,
    p_value,
    percent,
    percent_interval,
    pipe_table,
)
from atlas.tables.parts import partition_of
from atlas.terms.experiments import NULLS, alpha_of
from atlas.terms.words import Text, metric_of


class Shape(NamedTuple):
    """Alpha against the alpha of a null in one collection; `finding` is Pearson's correlation."""

    name: str
    null: str  # a column: `alpha_of` one of `NULLS`
    level: str  # "variants", "families" or "within"
    finding: Finding
    reliability: float = math.nan  # share of the null's own differences that are not its draws'

    @property
    def outcome(self) -> Outcome:
        return self.finding.outcome

    @property
    def share(self) -> Effect:
        """The share of the differences in alpha that goes with the null: the square of r."""
        low, high = squared(self.finding.low, self.finding.high)
        return Effect(self.outcome, self.finding.tau**2, low, high, self.finding.p)


def squared(low: float, high: float) -> tuple[float, float]:
    """The bounds of r squared, from those of r."""
    largest = max(low**2, high**2)
    return (0.0 if low <= 0 <= high else min(low**2, high**2)), largest


LEVELS = {
    "variants": "between variants",
    "families": "between the means of families",
    "within": "inside families",
}


def verdict_shape(
    found: Sequence[Shape], tested: Mapping[str, Sequence[Finding]], confidence: float
) -> str:
    """How much of alpha goes with that of a null, and whether the null itself orders quality.

    ``tested`` are the null's own correlations with quality, by its column. The first null
    that the study has is worded in full, a second one counted.
    """
    said: list[str] = []
    for null in map(alpha_of, NULLS):
        rows = [item for item in found if item.null == null and item.outcome is not Outcome.NONE]
        if rows:
            said += _counted_shapes(rows, null) if said else _with_null(rows, null, confidence)
        said += _null_and_quality(null, tested.get(null, ()))
    return " ".join(said) or (
        "How much of alpha is shape alone was not measured in this study, or could not be."
    )


def _with_null(rows: Sequence[Shape], null: str, confidence: float) -> list[str]:
    """A sentence for each level at which alpha is set against that of the null."""
    name = metric_of(null).en.removeprefix("alpha of ")
    words = {
        Outcome.POSITIVE: f"alpha goes with that of {name} for {{who}}",
        Outcome.NEGATIVE: f"alpha runs against that of {name} for {{who}}",
        Outcome.OPEN: f"no clear relation of alpha with that of {name} is found for {{who}}",
        Outcome.FEW: f"there are too few to set alpha against that of {name} for {{who}}",
    }
    said = []
    for level, where in LEVELS.items():
        chosen = [(item.name, item) for item in rows if item.level == level]
        if chosen:
            text = grouped(chosen, words, lambda item: _share_with_null(item, confidence))
            said.append(f"{first(where)}, {text}.")
    return said + _reliable(rows, name)


def _reliable(rows: Sequence[Shape], name: str) -> list[str]:
    """How much of the null's own differences between variants other draws would show again."""
    known = [item for item in rows if item.level == "variants" and math.isfinite(item.reliability)]
    if not known:
        return []
    shares = [f"{percent(item.reliability)} for {item.name}" for item in known]
    return [
        f"Of the differences that alpha of {name} itself shows {LEVELS['variants']}, other draws of the "
        f"null would show {listing(shares)} again; alpha can hardly share more."
    ]


def _counted_shapes(rows: Sequence[Shape], null: str) -> list[str]:
    """In how many comparisons alpha goes with a further null."""
    outcomes = [item.outcome for item in rows]
    found = outcomes.count(Outcome.POSITIVE)
    m = found + outcomes.count(Outcome.NEGATIVE) + outcomes.count(Outcome.OPEN)
    if not m:
        return []
    amount = integer(found) if found else "none"
    name = metric_of(null).en.removeprefix("alpha of ")
    return [f"Alpha goes with that of {name} in {amount} of {count(m, 'such comparison')}."]


def _share_with_null(item: Shape, confidence: float) -> str:
    share = item.share
    text = f"{percent(share.value)} of the differences in alpha"
    return with_interval(text, percent_interval(share.low, share.high), confidence, share.p)


def _null_and_quality(null: str, findings: Sequence[Finding]) -> list[str]:
    """Whether an alpha without training is itself related to quality."""
    outcomes = [finding.outcome for finding in findings]
    smaller, larger = outcomes.count(Outcome.NEGATIVE), outcomes.count(Outcome.POSITIVE)
    m = smaller + larger + outcomes.count(Outcome.OPEN)
    if not m:
        return []
    name = first(metric_of(null).en)
    if not smaller and not larger:
        return [f"{name} itself shows no relation to quality that {count(m, 'test')} could detect."]
    return [
        f"{name} is itself related to quality in {integer(smaller + larger)} of {count(m, 'test')}: "
        f"smaller goes with better models in {integer(smaller)}, larger in {integer(larger)}. What it "
        "says there is no effect of training on the order of the weights."
    ]


def shape_alone(shapes: Sequence[Shape], tested: Mapping[str, Sequence[Finding]]) -> str:
    """What the nulls say, as one short sentence."""
    clause = why_shape(shapes, tested)
    return f"{first(clause.en)}." if clause else "This study has no null that would tell how much."


def why_shape(shapes: Sequence[Shape], tested: Mapping[str, Sequence[Finding]]) -> Text | None:
    """The first null that was computed, between variants; and what it says about quality."""
    for null in map(alpha_of, NULLS):
        items = [
            item
            for item in shapes
            if (item.null, item.level) == (null, "variants")
            and item.outcome not in (Outcome.FEW, Outcome.NONE)
        ]
        if items:
            break
    else:
        return None
    name = metric_of(null)
    found = [item for item in items if item.outcome is Outcome.POSITIVE]
    if not found:
        text = Text(
            f"alpha does not clearly go with {name.en}",
            f"ein klarer Zusammenhang von Alpha mit {dative(name.de)} ist nicht zu sehen",
        )
    else:
        shares = sorted(item.share.value for item in found)
        ranges = [
            percent(shares[0], lang=lang)
            if len(shares) == 1
            else f"{percent(shares[0], lang=lang)} {to} {percent(shares[-1], lang=lang)}"
            for lang, to in (("en", "to"), ("de", "bis"))
        ]
        where = Text("", "")
        if len(items) > 1:
            where = Text(
                f" in {integer(len(found))} of {integer(len(items))} collections",
                f" in {integer(len(found), 'de')} von {integer(len(items), 'de')} Sammlungen",
            )
        text = Text(
            f"{ranges[0]} of the differences in alpha between variants go with {name.en}{where.en}",
            f"{ranges[1]} der Unterschiede in Alpha zwischen Varianten gehen{where.de} mit "
            f"{dative(name.de)} einher",
        )
    outcomes = [finding.outcome for finding in tested.get(null, ())]
    decided = sum(outcome.decided for outcome in outcomes)
    m = decided + outcomes.count(Outcome.OPEN)
    if not m:
        return text
    amount = Text(integer(decided), integer(decided, "de")) if decided else Text("none", "keiner")
    return Text(
        f"{text.en}; the latter is itself related to quality in {amount.en} of {count(m, 'test')}",
        f"{text.de}; jenes Alpha hängt selbst in {amount.de} von "
        f"{count(m, 'Prüfung', 'Prüfungen', 'de')} mit der Qualität zusammen",
    )


@kept
def found_shapes(study: Results) -> list[Shape]:
    """Alpha against its nulls, without the controls."""
    return [
        Shape(
            name_of(study, row),
            alpha_of(row["null"]),
            row["level"],
            judge(row, study.confidence, "pearson"),
            number_of(row, "reliability"),
        )
        for row in study.rows("shape", lambda row: not study.is_control(row))
    ]


NULL_LABELS = {"shuffled": "permuted", "gaussian": "noise"}
LEVEL_LABELS = {"variants": "variants", "families": "families", "within": "inside families"}


def shape_table(study: Results) -> str:
    """Alpha against its nulls: means, correlation and shared differences."""
    rows = []
    order = [*LEVEL_LABELS]
    found = study.rows("shape", lambda row: value(row, "pearson") is not None)
    for row in sorted(found, key=lambda r: (partition_of(r), r["null"], order.index(r["level"]))):
        low, high = value(row, "pearson_low"), value(row, "pearson_high")
        share = percent(value(row, "r2"))
        if low is not None and high is not None:
            share += f" {percent_interval(*squared(low, high))}"
        rows.append(
            [
                name_of(study, row),
                NULL_LABELS[row["null"]],
                LEVEL_LABELS[row["level"]],
                integer(value(row, "n")),
                number(value(row, "alpha")),
                number(value(row, "null_alpha")),
                number(value(row, "pearson")),
                p_value(value(row, "pearson_p")),
                share,
                percent(value(row, "reliability")),
                number(value(row, "kendall")),
            ]
        )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Null", "l"),
            ("Between", "l"),
            ("$n$", "r"),
            ("$\\alpha$", "r"),
            ("of null", "r"),
            ("$r$", "r"),
            ("$p$", "r"),
            ("$r^2$", "r"),
            ("Reliable", "r"),
            ("$\\tau$", "r"),
        ],
        rows,
    )
