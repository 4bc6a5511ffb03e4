"""Findings and what explains them, made up."""

from __future__ import annotations

import math

from atlas.findings.outcome import Effect, Outcome, judge
from atlas.paper.alternatives import Tried
from atlas.paper.explanations import Candidate
from atlas.paper.shape import Shape
from helpers.papers import row

MINUS = Effect(Outcome.NEGATIVE, 0.2, 0.1, 0.3, 0.001)
PLUS = Effect(Outcome.POSITIVE, 0.8, 0.7, 0.9, 0.001)
OPEN = Effect(Outcome.OPEN, 0.55, 0.4, 0.7, 0.4)
FEW = Effect(Outcome.FEW, 0.6)
NONE = Effect(Outcome.NONE)
SMALLER, LARGER = judge(row(), 0.95), judge(row(0.5, 0.2, 0.7), 0.95)
UNCLEAR = judge(row(-0.1, -0.5, 0.3, 0.6), 0.95)
TOO_FEW = judge(row(low=None, high=None, interval=""), 0.95)


def shape(finding, level="variants", null="alpha_shuffled", name="zoo") -> Shape:
    return Shape(name, null, level, finding)


def tried(finding, alpha=Outcome.OPEN, metric="hill", difference=OPEN, equal=False) -> Tried:
    return Tried("zoo", "b", metric, finding, alpha, difference, equal)


def candidate(finding, name="N_median", holds=True, eta2=math.nan) -> Candidate:
    return Candidate(name, 9, finding, eta2, holds)
