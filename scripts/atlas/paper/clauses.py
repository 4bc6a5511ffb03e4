"""Clauses that several sentences share: collections grouped by outcome, values with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from atlas.findings.outcome import Effect, Finding, Outcome
from atlas.paper.markdown import (
    MISSING,
    count,
    equation,
    integer,
    interval,
    listing,
    number,
    p_equation,
    percent,
    percent_interval,
)


def models_of(finding: Finding) -> str:
    """The models of a finding and, where they differ, how many of them are independent."""
    text = count(finding.n, "model")
    if finding.units and finding.units != finding.n:
        text = f"{integer(finding.units)} means of {text}"
    return text


def numbers(finding: Finding, confidence: float, lang: str = "en") -> str:
    """The correlation with its interval and p value, as it stands in a sentence."""
    label = "p (korrigiert)" if lang == "de" else "corrected p"
    label = label if finding.corrected else "p"
    between = "; " if lang == "de" else ", "
    parts = [equation("τ", finding.tau, lang)]
    if finding.has_interval:
        name = f"{percent(confidence)}-KI" if lang == "de" else f"{percent(confidence)} CI"
        name = name.replace("%", "\u00a0%", 1) if lang == "de" else name
        parts.append(f"{name} {interval(finding.low, finding.high, lang)}")
    if math.isfinite(finding.p):
        parts.append(p_equation(label, finding.p, lang))
    return between.join(parts)


def first(text: str) -> str:
    """The text with a capital letter at its head."""
    return text[:1].upper() + text[1:]


FEW_NAMES = 3
"""Up to so many collections, a clause has their numbers."""


def with_interval(text: str, bounds: str, confidence: float, p: float = math.nan) -> str:
    """A value with its interval and p value, as they stand in brackets."""
    parts = [text]
    parts += [f"{percent(confidence)} CI {bounds}"] * (bounds != MISSING)
    return ", ".join([*parts, p_equation("p", p)] if math.isfinite(p) else parts)


def share_of(found: Effect, what: str, confidence: float) -> str:
    """An effect that is a share, in percent of ``what``."""
    bounds = percent_interval(found.low, found.high)
    return with_interval(f"{percent(found.value)} {what}", bounds, confidence, found.p)


def slope_of(found: Effect, confidence: float) -> str:
    """An effect that is a slope."""
    bounds = interval(found.low, found.high)
    return with_interval(f"slope {number(found.value)}", bounds, confidence, found.p)


Named = tuple[str, Any]


def grouped(
    named: Sequence[Named], words: Mapping[Outcome, str], say: Callable[[Any], str] | None = None
) -> str:
    """One clause for each outcome that occurs: ``words`` with the collections at ``{who}``.

    ``named`` are names and what has an ``outcome``; ``say`` gives the numbers of one.
    """
    clauses = []
    for outcome in Outcome:
        chosen = [(name, found) for name, found in named if found.outcome is outcome]
        if not chosen:
            continue
        shown = say and outcome not in (Outcome.FEW, Outcome.NONE) and len(chosen) <= FEW_NAMES
        names = [f"{name} ({say(found)})" if say and shown else name for name, found in chosen]
        clauses.append(words[outcome].replace("{who}", listing(names)))
    return "; ".join(clauses)


def merged(named: Sequence[Named], words: Mapping[Outcome, str]) -> str:
    """Like `grouped` without numbers, with outcomes of the same words in one clause."""
    clauses: dict[str, list[str]] = {}
    for name, found in named:
        clauses.setdefault(words[found.outcome], []).append(name)
    return "; ".join(text.replace("{who}", listing(names)) for text, names in clauses.items())
