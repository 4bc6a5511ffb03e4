"""Prediction of families left out: findings, sentences and table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from atlas.findings.outcome import Effect, Outcome, effect
from atlas.findings.results import Results, value
from atlas.paper.cells import estimate_of
from atlas.paper.clauses import first, grouped, merged, share_of
from atlas.paper.markdown import escape, integer, listing, number, p_value, pipe_table
from atlas.terms import words as terms_words
from atlas.terms.words import metric_of


class Predicted(NamedTuple):
    """How well models in a family left out of the fit are ordered, in one collection."""

    name: str
    own: Effect  # by the primary metric: share of pairs in the right order
    size: Effect

    @property
    def beside_size(self) -> Outcome:
        """POSITIVE where the metric is better than size alone: the intervals do not overlap.

        They are too narrow, so one of the two must also be decided on its own, by its p value.
        """
        if not (self.own.outcome.decided or self.size.outcome.decided):
            return Outcome.OPEN
        (low, high), (size_low, size_high) = self.own.bounds, self.size.bounds
        if low > size_high:
            return Outcome.POSITIVE
        return Outcome.NEGATIVE if high < size_low else Outcome.OPEN


def verdict_prediction(found: Sequence[Predicted], metric: str, confidence: float) -> str:
    """Whether the metric orders models in a family that the fit has not seen, and size beside it."""
    name = metric_of(metric).en
    known = [item for item in found if item.own.outcome not in (Outcome.FEW, Outcome.NONE)]
    few = [item.name for item in found if item.own.outcome is Outcome.FEW]
    late = [f"There are too few families for an interval for {listing(few)}"] * bool(few)
    if not known:
        text = (
            f"Whether {name} orders the models of a family that no fit has seen could not be tested"
        )
        return " ".join(f"{sentence}." for sentence in [text, *late])
    words = {
        Outcome.POSITIVE: "more often than chance for {who}",
        Outcome.NEGATIVE: "less often than chance for {who}",
        Outcome.OPEN: "not clearly more or less often than chance for {who}",
    }

    def say(item: Effect) -> str:
        return share_of(item, "of pairs", confidence)

    said = [
        f"In a family that the fit has not seen, {name} puts pairs of models in the right order "
        + grouped([(item.name, item.own) for item in known], words, say)
    ]
    sized = [item for item in known if item.size.outcome not in (Outcome.FEW, Outcome.NONE)]
    if sized:
        said.append(
            "Size alone does so " + grouped([(item.name, item.size) for item in sized], words, say)
        )
    against = {
        Outcome.POSITIVE: f"{name} is the better of the two for {{who}}",
        Outcome.NEGATIVE: "size is the better of the two for {who}",
        Outcome.OPEN: "which of the two is better stays open for {who}",
    }
    beside = [(item.name, Effect(item.beside_size)) for item in sized]
    if beside:
        said.append(first(merged(beside, against)))
    return " ".join(f"{sentence}." for sentence in [*said, *late])


def found_predictions(study: Results) -> list[Predicted]:
    """How models of families left out of the fit are ordered, by the metric and by size."""
    names = (study.metric, "size")
    rows = [dict(study.named("prediction", predictor=name)) for name in names]
    return [
        Predicted(
            escape(study.name(partition)),
            *(
                effect(r.get(partition), "concordance_within", study.confidence, null=0.5)
                for r in rows
            ),
        )
        for partition in rows[0]
    ]


def prediction_table(study: Results) -> str:
    """What is predicted of a family left out, by each predictor."""
    rows = [
        [
            escape(study.name(partition)),
            _predictor(row["predictor"]),
            integer(value(row, "n")),
            integer(value(row, "families")),
            estimate_of(row, "concordance_within"),
            p_value(value(row, "concordance_within_p")),
            estimate_of(row, "concordance_between"),
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
    parts = name.split(" + ")
    return " + ".join(
        part if part in ("size", "forest") else terms_words.metric_of(part).label for part in parts
    )
