"""Prediction of families left out: findings, sentences and table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from atlas.findings.outcome import Effect, Outcome, level_of
from atlas.findings.power import within_power
from atlas.findings.results import Cells, Results, number_of, value
from atlas.paper.clauses import grouped
from atlas.paper.markdown import (
    escape,
    integer,
    listing,
    number,
    p_equation,
    p_value,
    percent,
    pipe_table,
)
from atlas.tables.parts import Partition
from atlas.terms.words import metric_of

HALF = 0.5
"""The share of pairs that a coin puts in the right order."""


class Predicted(NamedTuple):
    """How models of a family left out of the fit are ordered, in one collection.

    Shares of pairs of a family in the right order: by a line on a primary metric, by the rule that
    the smaller metric is the better model, and by a line on size.
    """

    name: str
    metric: str
    line: Effect
    sign: Effect
    size: Effect

    @property
    def contradicts(self) -> bool:
        """Whether line and sign lie on different sides of one half."""
        return (self.line.value - HALF) * (self.sign.value - HALF) < 0


def judged(row: Cells | None, confidence: float) -> Effect:
    """The share of pairs in the right order inside families beside one half: its p value decides."""
    share, p = (number_of(row, f"concordance_within{end}") for end in ("", "_p"))
    if not math.isfinite(share):
        return Effect(Outcome.NONE)
    level = level_of(confidence)
    known = math.isfinite(p) and within_power(number_of(row, "smallest_p"), level)
    outcome = Outcome.OPEN if known else Outcome.FEW
    if p <= level:
        outcome = Outcome.POSITIVE if share > HALF else Outcome.NEGATIVE
    return Effect(outcome, value=share, p=p)


WORDS = {
    Outcome.POSITIVE: "more often than chance for {who}",
    Outcome.NEGATIVE: "less often than chance for {who}",
    Outcome.OPEN: "not clearly more or less often than chance for {who}",
    Outcome.FEW: "with too few models or families to tell for {who}",
}


def verdict_prediction(found: Sequence[Predicted], metrics: Sequence[str]) -> str:
    """How lines on each metric and on size order a family that they have not seen, and the sign."""
    said = [
        sentence
        for metric in metrics
        for sentence in _of_metric([item for item in found if item.metric == metric], metric)
    ]
    sized = {item.name: item.size for item in found if item.size.outcome is not Outcome.NONE}
    if sized:
        said.append("A line on size alone does so " + _shares(sized.items()))
    return " ".join(f"{sentence}." for sentence in said)


def _of_metric(found: Sequence[Predicted], metric: str) -> Iterator[str]:
    """The sentences about one metric, without their full stops."""
    name = metric_of(metric).en
    known = [item for item in found if item.line.outcome is not Outcome.NONE]
    if not known:
        yield f"Whether {name} orders the models of a family that no fit has seen could not be tested"
        return
    yield (
        f"In a family that it has not been fitted to, a line on {name} puts pairs of models in the "
        f"right order {_shares([(item.name, item.line) for item in known])}"
    )
    signs = [(item.name, item.sign) for item in known if item.sign.outcome is not Outcome.NONE]
    if signs:
        yield f"Without a fit, the model with the smaller {name} is the better one {_shares(signs)}"
    for smaller, larger, chosen in (
        ("smaller", "larger", lambda item: item.sign.value > HALF),
        ("larger", "smaller", lambda item: item.sign.value < HALF),
    ):
        names = [item.name for item in known if item.contradicts and chosen(item)]
        if names:
            yield (
                f"Line and sign contradict each other for {listing(names)}: lines follow what differs "
                f"between the other families too, and there {larger} {name} goes with better models, "
                f"while inside a family the model with the {smaller} one is more often the better"
            )


def _shares(named: Iterable[tuple[str, Effect]]) -> str:
    def say(item: Effect) -> str:
        return f"{percent(item.value)} of pairs, {p_equation('p', item.p)}"

    return grouped(list(named), WORDS, say)


def found_predictions(study: Results) -> list[Predicted]:
    """How models of families left out of the fit are ordered, by each primary metric and by size."""

    def of(predictor: str) -> dict[Partition, Effect]:
        rows = study.named("prediction", predictor=predictor)
        return {partition: judged(row, study.confidence) for partition, row in rows}

    size, none = of("size"), Effect(Outcome.NONE)
    return [
        Predicted(
            escape(study.name(partition)),
            metric,
            line,
            of(f"{metric} (sign)").get(partition, none),
            size.get(partition, none),
        )
        for metric in study.options["primary_metrics"]
        for partition, line in of(metric).items()
    ]


def prediction_text(study: Results) -> str:
    """What the predictions show, as sentences."""
    return verdict_prediction(found_predictions(study), study.options["primary_metrics"])


def prediction_table(study: Results) -> str:
    """What is predicted of a family left out, by each predictor."""
    rows = [
        [
            escape(study.name(partition)),
            _predictor(row["predictor"]),
            integer(value(row, "n")),
            integer(value(row, "families")),
            number(value(row, "concordance_within")),
            p_value(value(row, "concordance_within_p")),
            number(value(row, "concordance_between")),
            number(value(row, "r2")),
            number(value(row, "rmse")),
        ]
        for partition, row in study.named("prediction")
        if value(row, "concordance_within") is not None or value(row, "r2") is not None
    ]
    return pipe_table(
        [
            ("Collection", "l"),
            ("Predictor", "l"),
            ("$n$", "r"),
            ("Families", "r"),
            ("Inside families", "r"),
            ("$p$", "r"),
            ("Between families", "r"),
            ("$R^2$", "r"),
            ("RMSE", "r"),
        ],
        rows,
    )


def _predictor(name: str) -> str:
    """A predictor as the table names it: its parts, and a mark where nothing is fitted."""
    columns, sign, _ = name.partition(" (sign)")
    parts = [
        part if part in ("size", "forest") else metric_of(part).label
        for part in columns.split(" + ")
    ]
    return " + ".join(parts) + (", smaller is better" if sign else "")
