"""Verdicts on all answers together, in both languages."""

from __future__ import annotations

import re

import pytest
from helpers import effects
from helpers.effects import LARGER, SMALLER, UNCLEAR, candidate, shape, tried
from helpers.papers import MINUS, OPEN, PLUS, answer, beyond

from atlas.findings.outcome import Beyond, Outcome, judge
from atlas.paper import verdicts
from atlas.terms import words as terms_words
from atlas.terms.notes import Note


@pytest.mark.parametrize(
    ("answers", "english", "german"),
    [
        ([], "too few models", "zu wenige Modelle"),
        ([answer(MINUS, MINUS, MINUS)], "in each of the 3", "in jedem der 3"),
        ([answer(MINUS)], "in the one comparison", "im einzigen"),
        ([answer(PLUS, PLUS)], "opposite of what is expected", "anders als erwartet"),
        ([answer(OPEN, OPEN)], "None of the 2 comparisons", "In keinem von 2"),
        ([answer(OPEN)], "The one comparison", "Im einzigen"),
        ([answer(MINUS, OPEN)], "depends on what is compared", "darauf an"),
        ([answer(PLUS, OPEN)], "the others stay open", "übrigen bleiben offen"),
        ([answer(PLUS, MINUS)], "direction itself changes", "Richtung selbst wechselt"),
    ],
)
def test_overall_verdict(answers, english, german):
    text = verdicts.verdict_overall(answers)
    assert english in text.en
    assert german in text.de


def test_advice_depends_on_size_and_controls():
    kept = {"a": beyond(Outcome.NEGATIVE)}
    alarm, quiet = [judge(MINUS, 0.95)], [judge(OPEN, 0.95)]
    same_size = {"c": Beyond(Outcome.NONE, notes=(Note.SIZE_CONSTANT,))}

    def said(given, controls) -> terms_words.Text:
        return verdicts.verdict_use([given], controls)

    assert "Nothing" in said(answer(OPEN), quiet).en
    assert "not ruled out" in said(answer(MINUS, beyond={"a": beyond(Outcome.OPEN)}), quiet).en
    assert "can help" in said(answer(MINUS, beyond=kept), quiet).en
    assert "untrained controls" in said(answer(MINUS, beyond=kept), alarm).en
    trained = said(answer(None, None, MINUS, beyond=same_size), quiet)
    assert "differently trained models of one variant; there" in trained.en
    assert "verschieden trainierten Modellen einer Variante nicht; dort" in trained.de


def why(candidates=(), alternatives=(), shapes=(), tested=None) -> terms_words.Text:
    return verdicts.verdict_why(candidates, alternatives, shapes, tested or {}, "alpha")


@pytest.mark.parametrize(
    ("parts", "english", "german"),
    [
        ({}, "could not be tested", "ließ sich nicht prüfen"),
        ({"candidates": [candidate(UNCLEAR)]}, "Of 1 trait", "Von 1 Merkmal, das erklären könnte"),
        ({"candidates": [candidate(UNCLEAR)] * 2}, "none goes with it", "keines damit zusammen"),
        (
            {"candidates": [candidate(LARGER), candidate(UNCLEAR)]},
            "1 goes with it after correction (longer side of the matrices)",
            "hängt nach Korrektur 1 damit zusammen (längere Seite der Matrizen)",
        ),
        (
            {"candidates": [candidate(LARGER), candidate(SMALLER, "D")]},
            "2 go with it after correction",
            "hängen nach Korrektur 2 damit zusammen",
        ),
        (
            {"candidates": [candidate(LARGER, holds=False)]},
            "with every single family left out",
            "ohne jede einzelne Familie",
        ),
        ({"alternatives": [tried(UNCLEAR)]}, "No other alpha brings", "Kein anderes Alpha bringt"),
        (
            {"alternatives": [tried(SMALLER)]},
            "another alpha does in 1 of 1 test, none with a clear difference",
            "in 1 von 1 Prüfung, keine davon mit klarem Unterschied",
        ),
        (
            {"alternatives": [tried(SMALLER, difference=effects.MINUS), tried(UNCLEAR)]},
            "in 1 of 2 tests, 1 of them with a clear difference",
            "in 1 von 2 Prüfungen, 1 davon mit klarem Unterschied",
        ),
        (
            {"alternatives": [tried(UNCLEAR, Outcome.NEGATIVE)]},
            "alpha itself shows the relation",
            "zeigt Alpha selbst den Zusammenhang",
        ),
        (
            {"shapes": [shape(LARGER)]},
            "25% of the differences in alpha between variants go with alpha of the permuted",
            "25\u00a0% der Unterschiede in Alpha zwischen Varianten gehen mit dem Alpha der",
        ),
        (
            {"shapes": [shape(LARGER), shape(UNCLEAR, name="lite")]},
            "in 1 of 2 collections",
            "in 1 von 2 Sammlungen",
        ),
        ({"shapes": [shape(UNCLEAR)]}, "does not clearly go with", "ein klarer Zusammenhang"),
        ({"shapes": [shape(LARGER, "within")]}, "could not be tested", "ließ sich nicht prüfen"),
        (
            {"shapes": [shape(LARGER)], "tested": {"alpha_shuffled": [SMALLER, UNCLEAR]}},
            "itself related to quality in 1 of 2 tests",
            "in 1 von 2 Prüfungen mit der Qualität zusammen",
        ),
        (
            {"shapes": [shape(LARGER)], "tested": {"alpha_shuffled": [UNCLEAR]}},
            "itself related to quality in none of 1 test",
            "in keiner von 1 Prüfung mit der Qualität zusammen",
        ),
    ],
)
def test_why_verdict(parts, english, german):
    text = why(**parts)
    assert english.casefold() in text.en.casefold()
    assert german.casefold() in text.de.casefold()
    assert text.en.endswith(".")
    assert text.de.endswith(".")
    assert not re.search(r"\d\.\d", text.de)
