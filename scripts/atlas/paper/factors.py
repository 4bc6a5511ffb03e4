"""Factorial designs: what single factors show, and how much the seeds leave to be found."""

from __future__ import annotations

from collections.abc import Iterator

from atlas.findings.outcome import Effect, Outcome, effect
from atlas.findings.results import Cells, Results, value
from atlas.paper.cells import estimate_of
from atlas.paper.clauses import with_interval
from atlas.paper.markdown import (
    count,
    equation,
    escape,
    integer,
    interval,
    number,
    p_value,
    percent,
    pipe_table,
)
from atlas.tables.parts import Partition
from atlas.terms.keys import COMPARISONS
from atlas.terms.words import better, metric_of, quality_of


def _rows(study: Results, table: str) -> Iterator[tuple[Partition, str, Cells]]:
    """The rows of a table for each partition and each primary metric, of its primary quality first."""
    for partition in study.partitions:
        for metric in study.metrics:
            for quality in dict.fromkeys((study.quality(partition), "generalization_gap")):
                for found, row in study.named(table, metric=metric, quality_metric=quality):
                    if found == partition:
                        yield partition, metric, row


def factors_text(study: Results) -> str:
    """What the mean over single factors says of each primary metric and quality."""
    said = [
        _sentence(study, partition, metric, row)
        for partition, metric, row in _rows(study, "factors")
        if row["factor"] == ""
    ]
    return "\n\n".join(said) + "\n" if said else "No factor was varied in this study.\n"


def _sentence(study: Results, partition: Partition, metric: str, row: Cells) -> str:
    found = effect(row, "kendall", study.confidence)
    name, quality = metric_of(metric).en, row["quality_metric"]
    head = f"**{escape(study.name(partition))}, {quality_of(quality)}.** "
    if found.outcome in (Outcome.NONE, Outcome.FEW):
        return f"{head}Single factors say nothing about {name}: there are too few pairs."
    what = {
        Outcome.NEGATIVE: f"the training with smaller {name} has {better(quality).en}",
        Outcome.POSITIVE: f"the training with larger {name} has {better(quality).en}",
        Outcome.OPEN: f"no order by {name} is clear",
    }[found.outcome]
    text = f"{head}Where one factor alone is changed, {what} ({_numbers(study, found)})"
    worst, at = value(row, "sign_error"), row["sign_error_at"]
    if worst is not None and at:
        text += (
            f"; at worst, where {_at(at)}, the smaller value belongs to the worse training in "
            f"{percent(worst)} of the pairs"
        )
    return text + "."


def _numbers(study: Results, found: Effect) -> str:
    bounds = interval(found.low, found.high)
    return with_interval(equation("τ", found.value), bounds, study.confidence, found.p)


def _at(environment: str) -> str:
    """An environment as the table names it, `factor: level, level`, in words."""
    factor, _, levels = environment.partition(": ")
    return escape(f"{factor.replace('_', ' ')} is {levels.replace(', ', ' or ')}")


def factors_table(study: Results) -> str:
    """The granulated tau of each factor, their mean, and the two measures of the whole design."""
    rows = [
        [
            escape(study.name(partition)),
            metric_of(metric).label,
            quality_of(row["quality_metric"]),
            escape(row["factor"].replace("_", " ")) or "**all, mean**",
            integer(value(row, "pairs")),
            estimate_of(row, "kendall"),
            p_value(value(row, "kendall_p")),
            estimate_of(row, "sign_error"),
            number(value(row, "information"), 3),
        ]
        for partition, metric, row in _rows(study, "factors")
    ]
    heads = [("Collection", "l"), ("Metric", "l"), ("Quality", "l"), ("Factor", "l")]
    heads += [("Pairs", "r"), ("$\\tau$", "r"), ("$p$", "r"), ("Worst sign error", "r")]
    return pipe_table([*heads, ("Information", "r")], rows)


def reliability_text(study: Results) -> str:
    """How many rows of the noise ceiling can be told."""
    known = [
        row
        for _, _, row in _rows(study, "reliability")
        if value(row, "metric_reliability") is not None
    ]
    if not known:
        return "No model was trained with several seeds, so the noise of single trainings is unknown.\n"
    lowest = min(known, key=lambda row: float(row["metric_reliability"]))
    return (
        f"Of {count(len(known), 'reliability', 'reliabilities')} that can be told, the lowest of a "
        f"metric is {number(value(lowest, 'metric_reliability'))}, of "
        f"{metric_of(lowest['metric']).en} in comparison {COMPARISONS[lowest['comparison']]}.\n"
    )


def reliability_table(study: Results) -> str:
    """The noise ceiling of each question: reliabilities, and the correlation corrected for them."""
    rows = [
        [
            escape(study.name(partition)),
            COMPARISONS[row["comparison"]],
            metric_of(metric).label,
            quality_of(row["quality_metric"]),
            integer(value(row, "units")),
            estimate_of(row, "metric_reliability"),
            estimate_of(row, "quality_reliability"),
            number(value(row, "ceiling")),
            number(value(row, "pearson")),
            estimate_of(row, "pearson_corrected"),
        ]
        for partition, metric, row in _rows(study, "reliability")
    ]
    heads = [("Collection", "l"), ("Of", "l"), ("Metric", "l"), ("Quality", "l"), ("$n$", "r")]
    heads += [("Of the metric", "r"), ("Of the quality", "r"), ("Ceiling", "r")]
    return pipe_table([*heads, ("$r$", "r"), ("$r$, corrected", "r")], rows)
