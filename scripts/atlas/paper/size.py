"""What a metric adds to size, and every metric and quality beside the primary ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from atlas.findings.outcome import Beyond, Outcome, judge
from atlas.findings.results import Answer, Results, value
from atlas.paper.cells import marked
from atlas.paper.clauses import numbers
from atlas.paper.markdown import (
    count,
    equation,
    escape,
    integer,
    interval,
    number,
    p_equation,
    percent,
    pipe_table,
)
from atlas.paper.notes import reason
from atlas.terms import words
from atlas.terms.keys import SCOPES, SIZE
from atlas.terms.words import LEADS, Text, better, metric_of


def beyond_size(beyond: Beyond, metric: str, quality: str, confidence: float) -> str:
    """The size-only baseline beside the metric, as English sentences."""
    name = metric_of(metric).en
    if not math.isfinite(beyond.tau_size):
        return f"The size-only baseline cannot be computed: {reason(beyond.notes)}."
    size, own = abs(beyond.tau_size), abs(beyond.tau)
    order = "as well as" if round(size, 2) == round(own, 2) else "better than"
    order = "less well than" if round(size, 2) < round(own, 2) else order
    text = (
        f"The number of parameters alone reaches {equation('τ', beyond.tau_size)}: "
        f"it ranks the models {order} {name}."
    )
    value = equation("partial r", beyond.partial)
    if math.isfinite(beyond.low) and math.isfinite(beyond.high):
        value += f", {percent(confidence)} CI {interval(beyond.low, beyond.high)}"
    if math.isfinite(beyond.p):
        value += f", {p_equation('corrected p', beyond.p)}"
    good = better(quality).en
    return (
        f"{text} "
        + {
            Outcome.NEGATIVE: f"With size held fixed, smaller {name} goes with {good} ({value}).",
            Outcome.POSITIVE: f"With size held fixed, larger {name} goes with {good} ({value}).",
            Outcome.OPEN: f"With size held fixed, no clear relation of {name} is visible ({value}).",
            Outcome.FEW: f"With size held fixed, {value}; there are too few models for an interval.",
            Outcome.NONE: f"A partial correlation cannot be computed: {reason(beyond.notes)}.",
        }[beyond.outcome]
    )


def verdict_size(answers: Sequence[Answer]) -> Text:
    """Whether the primary metric says more than size, over all comparisons that can tell."""
    outcomes = [
        beyond.outcome
        for answer in answers
        for beyond in answer.beyond.values()
        if beyond.outcome not in (Outcome.FEW, Outcome.NONE)
    ]
    metric = metric_of(answers[0].metric if answers else "alpha")
    m = len(outcomes)
    negative, positive = outcomes.count(Outcome.NEGATIVE), outcomes.count(Outcome.POSITIVE)
    if not m:
        return Text(
            f"Whether {metric.en} says more than the number of parameters could not be tested.",
            f"Ob {metric.de} mehr aussagt als die Zahl der Parameter, ließ sich nicht prüfen.",
        )
    tested = Text(
        f"the {count(m, 'comparison') if m > 1 else 'one comparison'} that can tell",
        f"{'dem einen Vergleich, der' if m == 1 else f'den {m} Vergleichen, die'} das prüfen "
        f"{'kann' if m == 1 else 'können'}",
    )
    if not negative and not positive:
        return Text(
            f"With the number of parameters held fixed, {metric.en} shows no clear relation to "
            f"quality in {tested.en}.",
            f"Bei festgehaltener Parameterzahl zeigt {metric.de} in {tested.de}, keinen klaren "
            "Zusammenhang mit der Qualität.",
        )
    if m in (negative, positive):
        smaller = Text("smaller", "kleineres") if negative else Text("larger", "größeres")
        return Text(
            f"With the number of parameters held fixed, {smaller.en} {metric.en} goes with better "
            f"models in {'each of ' * (m > 1)}{tested.en}.",
            f"Bei festgehaltener Parameterzahl geht in {'allen' if m > 1 else 'dem einen'} "
            f"{'Vergleichen, die' if m > 1 else 'Vergleich, der'} das prüfen "
            f"{'können' if m > 1 else 'kann'}, {smaller.de} {metric.de} mit besseren Modellen einher.",
        )
    return Text(
        f"With the number of parameters held fixed, smaller {metric.en} goes with better models "
        f"in {negative} of {tested.en}, larger {metric.en} in {positive}.",
        f"Bei festgehaltener Parameterzahl geht in {tested.de}, kleineres {metric.de} {negative}-mal "
        f"mit besseren Modellen einher, größeres {positive}-mal.",
    )


def verdict_strongest(study: Results) -> Text:
    """The strongest relation of the study, whichever metric has it: of all that are decided.

    Size is no metric of weightwatcher, and the answer of the primary metrics counts as any other.
    """
    found = [
        (metric, study.name(partition), key, judge(row, study.confidence))
        for partition in study.partitions
        for metric in study.options["metrics"]
        if metric != SIZE
        for key in SCOPES
        for row in [study.row("correlations", partition, key, metric)]
    ]
    decided = [entry for entry in found if entry[3].outcome.decided]
    if not decided:
        return Text(
            "No metric of the study has a relation to quality that is decided.",
            "Keine Kennzahl der Studie hat einen gesicherten Zusammenhang mit der Qualität.",
        )
    metric, name, key, finding = max(decided, key=lambda entry: abs(entry[3].tau))
    of = metric_of(metric)
    values = [numbers(finding, study.confidence, lang) for lang in ("en", "de")]
    return Text(
        f"The strongest of all relations is that of {of.en} {LEADS[key].en[0].lower()}"
        f"{LEADS[key].en[1:]} of {escape(name)} ({values[0]}).",
        f"Den stärksten aller Zusammenhänge hat {of.de} {LEADS[key].de[0].lower()}"
        f"{LEADS[key].de[1:]} bei {escape(name)} ({values[1]}).",
    )


def metrics_table(study: Results) -> str:
    """Every metric in every comparison, for the primary quality."""
    rows = []
    metrics = [m for m in study.options["metrics"] if m != "log_parameters"] + ["log_parameters"]
    for partition in study.partitions:
        for metric in metrics:
            cells = [
                marked(study.row("correlations", partition, comparison, metric), study.confidence)
                for comparison in SCOPES
            ]
            rows.append([escape(study.name(partition)), words.metric_of(metric).label, *cells])
    return pipe_table(
        [("Collection", "l"), ("Metric", "l"), ("(a)", "r"), ("(b)", "r"), ("(c)", "r")], rows
    )


def family_metrics_table(study: Results) -> str:
    """Kendall's tau of every metric within every family that has one, for the primary quality."""
    metrics = [m for m in study.options["metrics"] if m != "log_parameters"] + ["log_parameters"]
    rows = []
    for partition in study.partitions:
        found = {
            (metric, row["family"]): row
            for metric in metrics
            for row in study.group_rows(partition, "b", metric=metric)
        }
        for family in sorted({name for _, name in found}):
            own = [found.get((metric, family)) for metric in metrics]
            known = [row for row in own if value(row, "kendall") is not None]
            if known:
                cells = [number(value(row, "kendall")) for row in own]
                size = max(int(row["n"]) for row in known if row)
                rows.append([escape(study.name(partition)), escape(family), integer(size), *cells])
    heads = [(words.metric_of(metric).label, "r") for metric in metrics]
    return pipe_table([("Collection", "l"), ("Family", "l"), ("n", "r"), *heads], rows)


def qualities_table(study: Results) -> str:
    """The primary metric against every quality metric that the models have."""
    rows = []
    for partition, models in study.partitions.items():
        qualities = sorted(
            {
                row["quality_metric"]
                for model in models
                for row in study.by_model[model["model"]]
                if row["quality_metric"]
            }
        )
        for quality in qualities:
            cells = [
                marked(
                    study.row("correlations", partition, comparison, quality=quality),
                    study.confidence,
                )
                for comparison in SCOPES
            ]
            rows.append([escape(study.name(partition)), words.quality_of(quality), *cells])
    return pipe_table(
        [("Collection", "l"), ("Quality", "l"), ("(a)", "r"), ("(b)", "r"), ("(c)", "r")], rows
    )
