"""Comparison (c) pair by pair: findings, sentences and table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from atlas.findings.outcome import Effect, Outcome, effect
from atlas.findings.results import Results, value
from atlas.paper.cells import WORDS, estimate_of
from atlas.paper.clauses import grouped, share_of
from atlas.paper.markdown import (
    count,
    escape,
    integer,
    interval,
    number,
    p_value,
    percent,
    pipe_table,
)
from atlas.terms.keys import TREATMENTS
from atlas.terms.words import metric_of

UNITS = dict.fromkeys(("accuracy", "error", "generalization_gap"), "percentage points")
"""The unit of a quality; others have none of their own."""


class Pairs(NamedTuple):
    """Comparison (c) in one collection, pair by pair; `unit` is that of the gain."""

    name: str
    concordance: Effect  # share of pairs in which the smaller metric has the better quality
    gain: Effect
    pairs: int
    quality: str

    @property
    def outcome(self) -> Outcome:
        return self.concordance.outcome


def verdict_pairs(found: Sequence[Pairs], metric: str, confidence: float) -> str:
    """Of two trainings of one variant, which one is better, and what choosing by the metric gains."""
    name = metric_of(metric).en
    if not any(pair.outcome is not Outcome.NONE for pair in found):
        return "No variant has two trainings that could be compared with each other as a pair."
    words = {
        Outcome.POSITIVE: f"the one with the smaller {name} is the better one more often than by "
        "chance for {who}",
        Outcome.NEGATIVE: f"the one with the larger {name} is the better one more often than by "
        "chance for {who}" + ", against the theory" * metric_of(metric).theory,
        Outcome.OPEN: f"it stays open whether the one with the smaller {name} is the better one for "
        "{who}",
        Outcome.FEW: "there are too few pairs for a conclusion for {who}",
        Outcome.NONE: "there is no pair to compare for {who}",
    }

    def say(pair: Pairs) -> str:
        won = share_of(pair.concordance, f"of {count(pair.pairs, 'pair')}", confidence)
        return f"the smaller one is better in {won}{_gained(pair, confidence)}"

    text = grouped([(pair.name, pair) for pair in found], words, say)
    return f"Of two trainings of one variant, {text}."


def _gained(pair: Pairs, confidence: float) -> str:
    """What choosing by the smaller metric wins or loses against a random choice."""
    gain = pair.gain
    if gain.outcome is Outcome.NONE:
        return ""
    way = "gains" if gain.value >= 0 else "loses"
    unit = UNITS.get(pair.quality, "units of quality")
    text = f"; to choose it {way} {number(abs(gain.value))} {unit} over a random choice"
    if not math.isfinite(gain.low):
        return text
    low, high = sorted((gain.low, gain.high) if gain.value >= 0 else (-gain.low, -gain.high))
    text += f", {percent(confidence)} CI {interval(low, high)}"
    return text + ", which includes zero" * (gain.outcome is Outcome.OPEN)


def found_pairs(study: Results) -> list[Pairs]:
    """Comparison (c), pair by pair, over all families of each collection that has pairs."""
    return [
        Pairs(
            escape(study.name(partition)),
            effect(row, "concordance", study.confidence, null=0.5),
            effect(row, "gain", study.confidence),
            int(value(row, "pairs") or 0),
            row["quality_metric"],
        )
        for partition, row in study.named("pairs", metric=study.metric, family="")
    ]


def pairs_table(study: Results) -> str:
    """Comparison (c) pair by pair: all families under both treatments, and each family."""
    rows = []
    for partition in study.partitions:
        chosen = [
            (f"all, {WORDS[treatment]}", row)
            for treatment in TREATMENTS
            for p, row in study.named("pairs", metric=study.metric, family="", treatment=treatment)
            if p == partition
        ]
        chosen += [
            (escape(row["family"]), row)
            for p, row in study.named("pairs", metric=study.metric)
            if p == partition and row["family"]
        ]
        for label, row in chosen:
            rows.append(
                [
                    escape(study.name(partition)),
                    label,
                    *(integer(value(row, name)) for name in ("pairs", "variants", "recipes")),
                    estimate_of(row, "concordance"),
                    p_value(value(row, "concordance_p")),
                    estimate_of(row, "gain"),
                ]
            )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Models", "l"),
            ("Pairs", "r"),
            ("Variants", "r"),
            ("Recipes", "r"),
            ("Concordance", "r"),
            ("$p$", "r"),
            ("Gain", "r"),
        ],
        rows,
    )
