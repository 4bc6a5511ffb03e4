"""Comparisons (a), (b) and (c): sentences and tables, and the verdicts of abstract and conclusion.

Words follow from findings; everything that is not decided stays open, and the words say so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from atlas.findings import outcome as findings_outcome
from atlas.findings.outcome import Beyond, Finding, Outcome, judge
from atlas.findings.results import Answer, Cells, Results, value
from atlas.paper import size
from atlas.paper.cells import (
    BASELINE_COLUMNS,
    CELLS,
    STATISTIC_COLUMNS,
    WORDS,
    baseline_cells,
    statistic_cells,
)
from atlas.paper.clauses import first, models_of, numbers
from atlas.paper.failed_fits import treatment_text
from atlas.paper.markdown import (
    MISSING,
    count,
    equation,
    escape,
    integer,
    interval,
    listing,
    number,
    p_equation,
    percent,
    pipe_table,
)
from atlas.paper.notes import reason
from atlas.tables.parts import Partition
from atlas.terms import words as terms_words
from atlas.terms.keys import POWER, SCOPES, TREATMENTS
from atlas.terms.notes import Note
from atlas.terms.words import LEADS, Text, better, metric_of


def result(finding: Finding, who: str, metric: str, quality: str, confidence: float) -> str:
    """What one comparison shows, as English sentences; `who` is the subject of "among"."""
    name = metric_of(metric)
    good = better(quality).en
    if finding.outcome is Outcome.NONE:
        return f"This comparison cannot be made {who}: {reason(finding.notes)}."
    if finding.outcome is Outcome.FEW:
        return (
            f"{first(who)}, {equation('τ', finding.tau)} over {models_of(finding)}. "
            "That is too few for an interval, and we draw no conclusion."
        )
    values = f"{numbers(finding, confidence)}; {models_of(finding)}"
    if finding.outcome is Outcome.OPEN:
        return (
            f"{first(who)}, the direction stays open ({values}): {_why_open(finding)}."
            f"{_power(finding)}"
        )
    smaller = "smaller" if finding.outcome is Outcome.NEGATIVE else "larger"
    sentence = f"{first(who)}, {smaller} {name.en} goes with {good} ({values})."
    if name.theory:
        agrees = finding.outcome is Outcome.NEGATIVE
        sentence += (
            " This is the direction that the theory expects."
            if agrees
            else " This is the opposite of what the theory expects."
        )
    return sentence


def _why_open(finding: Finding) -> str:
    """Which of the conditions for a decision are not met."""
    reasons = []
    if not finding.has_interval and abs(finding.tau) < 1 - 1e-9:
        reasons.append("no interval could be computed")
    if finding.has_interval and finding.low <= 0 <= finding.high:
        reasons.append("the interval includes zero")
    if not finding.p <= finding.level:
        which = "corrected p value" if finding.corrected else "p value"
        reasons.append(f"the {which} is above {number(finding.level)}")
    return listing(reasons) or "interval and p value do not agree"


def _power(finding: Finding) -> str:
    if not math.isfinite(finding.detectable):
        return " With so few, no correlation could have been."
    return (
        f" A correlation of {number(finding.detectable)} or stronger would have been found with a "
        f"probability of {percent(POWER)}."
    )


def verdict(comparison: str, answers: Sequence[Answer], confidence: float) -> Text:
    """The answer to (a), (b) or (c): one clause for each outcome that occurs."""
    lead = LEADS[comparison]
    if not answers:
        return Text(
            f"{lead.en}: the study has no models with which to answer this.",
            f"{lead.de}: Die Studie hat keine Modelle, mit denen sich das beantworten ließe.",
        )
    clauses = []
    for outcome in Outcome:
        for metric in dict.fromkeys(answer.metric for answer in answers):
            chosen = [
                answer
                for answer in answers
                if answer.metric == metric and answer.finding(comparison).outcome is outcome
            ]
            clauses += [_clause(outcome, comparison, chosen, confidence)] if chosen else []
    clauses = list(dict.fromkeys(clauses))  # what cannot be told cannot for any metric
    english = "; ".join(clause.en for clause in clauses)
    german = "; ".join(clause.de for clause in clauses)
    return Text(f"{lead.en}: {english}.", f"{lead.de}: {first(german)}.")


def _clause(
    outcome: Outcome, comparison: str, answers: Sequence[Answer], confidence: float
) -> Text:
    metric = metric_of(answers[0].metric)
    qualities = {answer.quality for answer in answers}
    good = better(qualities.pop() if len(qualities) == 1 else "")

    def items(lang: str) -> str:
        # Numbers where a reader can take them in; the tables have all of them.
        shown = outcome not in (Outcome.FEW, Outcome.NONE) and len(answers) <= 3
        return listing(
            [
                f"{escape(answer.name)} ({numbers(answer.finding(comparison), confidence, lang)})"
                if shown
                else escape(answer.name)
                for answer in answers
            ],
            lang,
        )

    en, de = items("en"), items("de")
    expected = Text(", as the theory expects", ", wie es die Theorie erwartet")
    against = Text(", against the theory", ", entgegen der Theorie")
    if not metric.theory:
        expected = against = Text("", "")
    return {
        Outcome.NEGATIVE: Text(
            f"for {en}, smaller {metric.en} goes with {good.en}{expected.en}",
            f"bei {de} geht kleineres {metric.de} mit {good.de} einher{expected.de}",
        ),
        Outcome.POSITIVE: Text(
            f"for {en}, larger {metric.en} goes with {good.en}{against.en}",
            f"bei {de} geht größeres {metric.de} mit {good.de} einher{against.de}",
        ),
        Outcome.OPEN: Text(
            f"for {en}, the direction of {metric.en} stays open",
            f"bei {de} bleibt die Richtung von {metric.de} offen",
        ),
        Outcome.FEW: Text(
            f"for {en}, there are too few models for a conclusion",
            f"bei {de} sind es zu wenige Modelle für eine Aussage",
        ),
        Outcome.NONE: Text(
            f"for {en}, the comparison cannot be made", f"bei {de} ist der Vergleich nicht möglich"
        ),
    }[outcome]


def results_text(study: Results, comparison: str) -> str:
    """The results of one comparison: a paragraph for each population."""
    if not study.partitions:
        return "No model could be analysed, so there is no answer.\n"
    items = []
    for partition, answer in study.answers.items():
        sentences = _sentences(study, partition, answer, comparison)
        head = f"**{escape(answer.name)}.** " if len(study.partitions) > 1 else ""
        items.append(head + " ".join(sentences))
    return "\n\n".join(items) + "\n"


def _sentences(study: Results, partition: Partition, answer: Answer, comparison: str) -> list[str]:
    finding = answer.finding(comparison)
    who = {
        "a": "across architectures",
        "b": "between the variants of a family",
        "c": "between the trainings of a variant",
    }[comparison]
    said = [result(finding, who, study.metric, answer.quality, study.confidence)]
    if finding.outcome is Outcome.NONE:
        return said
    if comparison == "a":
        said += _pooled(study, partition)
        said += _simpson(study, partition)
    else:
        said += _groups(study, partition, comparison)
        said += _together(study, partition, comparison)
    if comparison == "c" and _constant_size(answer.beyond["c"]):
        said.append(
            "Models of one variant have the same size, which therefore explains none of this."
        )
    else:
        said.append(
            size.beyond_size(
                answer.beyond[comparison], study.metric, answer.quality, study.confidence
            )
        )
    said += treatment_text(answer, comparison)
    for metric in study.metrics[1:]:
        other = study.answers_to(metric)[partition]
        said.append(
            f"**{first(metric_of(metric).en)}.** "
            + result(other.finding(comparison), who, metric, other.quality, study.confidence)
        )
        if not _constant_size(other.beyond[comparison]):
            beyond = other.beyond[comparison]
            said.append(size.beyond_size(beyond, metric, other.quality, study.confidence))
    return said


def _constant_size(beyond: Beyond) -> bool:
    return Note.SIZE_CONSTANT in beyond.notes


def _pooled(study: Results, partition: Partition) -> list[str]:
    """What a scatter plot of all models shows, which is no test of a claim about families."""
    finding = judge(study.one("correlations", partition, scope="pooled"), study.confidence)
    if finding.outcome is Outcome.NONE:
        return []
    return [
        f"Over the {count(finding.units, 'model')} of all families, as if each were independent of the "
        f"others of its family, {equation('τ', finding.tau)}."
    ]


def _simpson(study: Results, partition: Partition) -> list[str]:
    """Whether pooling and looking inside families give different answers."""
    row = study.one("simpson", partition)
    pooled, within = value(row, "kendall_pooled"), value(row, "kendall_within")
    if row is None or pooled is None or within is None:
        return []
    text = (
        f"Pooled over families, {equation('τ', pooled)}; inside families it is {number(within)} on "
        "average"
    )
    low, high = value(row, "difference_low"), value(row, "difference_high")
    if low is None or high is None:
        return [f"{text}, with too few families to test the difference."]
    bounds = f"{percent(study.confidence)} CI of the difference {interval(low, high)}"
    if row["reversed"] == "True":
        return [f"{text}: the sign reverses, which is Simpson's paradox ({bounds})."]
    if row["claimed"] == "True":
        return [f"{text}: the two differ by more than chance ({bounds})."]
    return [f"{text}; the difference is not clear ({bounds})."]


def _groups(study: Results, partition: Partition, comparison: str) -> list[str]:
    """How many families or variants show what on their own."""
    nouns = {"b": ("family", "families"), "c": ("variant", "variants")}[comparison]
    findings = [judge(row, study.confidence) for row in study.group_rows(partition, comparison)]
    known = [finding for finding in findings if finding.outcome is not Outcome.NONE]
    if len(findings) < 2 or not known:
        return []
    negative = sum(finding.tau < 0 for finding in known)
    positive = sum(finding.tau > 0 for finding in known)
    text = (
        f"The correlation is negative in {integer(negative)} and positive in {integer(positive)} of "
        f"{count(len(known), *nouns)}"
    )
    outcomes = Counter(finding.outcome for finding in known)
    decided = outcomes[Outcome.NEGATIVE] + outcomes[Outcome.POSITIVE]
    if decided:
        return [
            f"{text}; on its own, after correction, it is clearly negative in "
            f"{integer(outcomes[Outcome.NEGATIVE])} and clearly positive in "
            f"{integer(outcomes[Outcome.POSITIVE])}."
        ]
    return [f"{text}; none of them decides the question on its own."]


def _together(study: Results, partition: Partition, comparison: str) -> list[str]:
    """The meta-analysis, or the mean correlation where every group is small."""
    noun = {"b": "families", "c": "variants"}[comparison]
    row = study.one("meta", partition, comparison=comparison)
    said = []
    mean, p = value(row, "mean_r"), value(row, "mean_r_p")
    if mean is not None and p is not None and (value(row, "mean_r_groups") or 0) > 1:
        said.append(
            f"The mean of their Pearson correlations, {number(mean)}, is further from zero than "
            f"chance explains ({p_equation('p', p)})."
            if p <= findings_outcome.level_of(study.confidence)
            else f"The mean of their Pearson correlations, {number(mean)}, is compatible with chance "
            f"({p_equation('p', p)})."
        )
    low, high = value(row, "pearson_low"), value(row, "pearson_high")
    if row is not None and low is not None and high is not None:
        bounds = f"{percent(study.confidence)} CI {interval(low, high)}"
        said.append(
            f"Put together by the random-effects model, {integer(value(row, 'k'))} {noun} with more "
            f"than three independent models give {equation('r', value(row, 'pearson'))} ({bounds})."
        )
        q_p, i2 = value(row, "q_p"), value(row, "i2")
        if q_p is not None:
            differ = (
                f"The {noun} differ by more than chance"
                if q_p <= findings_outcome.level_of(study.confidence)
                else f"A difference between the {noun} beyond chance is not found"
            )
            said.append(f"{differ} (I² = {number(i2, 0)}%, {p_equation('p', q_p)}).")
    return said


def answers_table(study: Results) -> str:
    """The answers at a glance: a row for each population, a column for each comparison."""
    rows = [
        [
            escape(answer.name),
            terms_words.quality_of(answer.quality) if answer.quality else MISSING,
            metric_of(answer.metric).label,
            *(_answer_cell(answer.finding(key)) for key in SCOPES),
        ]
        for partition in study.partitions
        for answer in (study.answers_to(metric)[partition] for metric in study.metrics)
    ]
    return pipe_table(
        [
            ("Collection", "l"),
            ("Quality", "l"),
            ("Metric", "l"),
            ("(a) between architectures", "l"),
            ("(b) between variants", "l"),
            ("(c) between trainings", "l"),
        ],
        rows,
    )


def _answer_cell(finding: Finding) -> str:
    words = CELLS[finding.outcome]
    return words if finding.outcome is Outcome.NONE else f"{words} ({equation('τ', finding.tau)})"


def comparison_table(study: Results, comparison: str) -> str:
    """One comparison: all populations, both treatments; for (c) also each family."""
    rows = []
    for partition in study.partitions:
        scopes: list[tuple[str, Cells | None, Cells | None]] = []
        for metric in study.metrics:
            for treatment in TREATMENTS:
                row = study.row("correlations", partition, comparison, metric, treatment)
                base = study.row("baselines", partition, comparison, metric, treatment)
                label = f"{metric_of(metric).label}, {WORDS[treatment]}"
                scopes.append((label, row, base))
        if comparison == "a":
            pooled = study.one("correlations", partition, scope="pooled")
            base = study.one("baselines", partition, scope="pooled")
            label = f"{metric_of(study.metric).label}, all models as if independent"
            scopes.append((label, pooled, base))
        if comparison == "c":
            family_rows = study.group_rows(partition, "c", "within")
            scopes += [(escape(row["family"]), row, None) for row in family_rows if row["family"]]
        for label, row, base in scopes:
            cells = statistic_cells(row)
            cells += baseline_cells(base) * (comparison != "c")
            rows.append([escape(study.name(partition)), label, *cells])
    last = BASELINE_COLUMNS * (comparison != "c")
    return pipe_table(
        [("Collection", "l"), ("Models", "l"), *STATISTIC_COLUMNS, *last],
        rows,
    )


def families_table(study: Results) -> str:
    """Comparison (b): each family, then all families together under both treatments."""
    rows = []
    for partition in study.partitions:
        for row in study.group_rows(partition, "b"):
            labels = {name: row[name] for name in ("comparison", "scope", "family", "variant")}
            base = study.one("baselines", partition, **labels)
            rows.append([escape(study.name(partition)), escape(row["family"]), row, base])
        if len(study.groups(partition, "b")) != 1:
            for metric in study.metrics:
                for treatment in TREATMENTS:
                    row = study.row("correlations", partition, "b", metric, treatment)
                    base = study.row("baselines", partition, "b", metric, treatment)
                    label = f"all, {metric_of(metric).label}, {WORDS[treatment]}"
                    rows.append([escape(study.name(partition)), label, row, base])
    cells = [
        [
            name,
            family,
            *statistic_cells(row),
            number(value(row, "detectable_pearson")),
            *baseline_cells(base),
        ]
        for name, family, row, base in rows
    ]
    detectable = ("Detectable $|r|$", "r")
    return pipe_table(
        [("Collection", "l"), ("Family", "l"), *STATISTIC_COLUMNS, detectable, *BASELINE_COLUMNS],
        cells,
    )


def variants_table(study: Results) -> str:
    """Comparison (c) in each variant."""
    rows = []
    for partition in study.partitions:
        for row in study.group_rows(partition, "c"):
            rows.append(
                [escape(study.name(partition)), escape(row["variant"]), *statistic_cells(row)]
            )
    return pipe_table([("Collection", "l"), ("Variant", "l"), *STATISTIC_COLUMNS], rows)
