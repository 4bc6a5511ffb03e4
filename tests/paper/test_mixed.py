"""Mixed models."""

from __future__ import annotations

import pytest
from helpers.decided import table, with_tables
from helpers.effects import MINUS, NONE, OPEN, PLUS

from atlas.paper import mixed
from atlas.paper.mixed import Mixed
from atlas.terms.notes import Note, join


def model(within, between=OPEN, difference=OPEN, adjusted=OPEN, **more) -> Mixed:
    return Mixed("zoo", within, between, difference, adjusted, **more)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "could not be fitted"),
        ([model(NONE)], "could not be fitted"),
        ([model(MINUS)], "Inside families, smaller alpha goes with better models for zoo (slope"),
        ([model(PLUS)], "Inside families, larger alpha goes with better models for zoo"),
        ([model(OPEN)], "Inside families, the direction stays open for zoo"),
        ([model(OPEN, MINUS)], "means of families, smaller alpha goes with better models for zoo"),
        ([model(OPEN, PLUS)], "means of families, larger alpha goes with better models for zoo"),
        ([model(OPEN, difference=PLUS)], "two effects differ by more than chance for zoo"),
        ([model(OPEN, difference=MINUS)], "two effects differ by more than chance for zoo"),
        ([model(OPEN)], "No difference between the two effects beyond chance is found for zoo"),
        ([model(MINUS, adjusted=MINUS)], "the effect inside families stays for zoo"),
        ([model(MINUS, adjusted=PLUS)], "the effect inside families turns round for zoo"),
        ([model(MINUS, adjusted=OPEN)], "the effect inside families is no longer clear for zoo"),
        ([model(MINUS, adjusted=NONE)], "the effect inside families cannot be tested for zoo"),
        ([model(OPEN, adjusted=PLUS)], "larger alpha goes with better models inside families"),
        ([model(OPEN, adjusted=OPEN)], "the direction inside families stays open for zoo"),
    ],
)
def test_mixed_verdict(found, words):
    assert words in mixed.verdict_mixed(found, "alpha", 0.95)


def test_the_words_say_what_was_held_fixed():
    found = [model(MINUS, adjusted=MINUS), model(MINUS, adjusted=OPEN, held=("size",))]
    found.append(model(MINUS, adjusted=MINUS, held=())._replace(name="tiny"))
    text = mixed.verdict_mixed(found, "alpha", 0.95)
    assert "With size and depth held fixed, the effect inside families stays for zoo." in text
    assert "With size held fixed, the effect inside families is no longer clear for zoo." in text
    assert "Neither size nor depth could be held fixed for tiny." in text
    assert "With depth" not in text
    assert "stays for zoo and tiny" not in text


def test_the_table_says_what_was_held_fixed(negative):
    part = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
    part |= {"metric": "alpha", "quality_metric": "accuracy", "treatment": "dropped"}
    part |= {"n": 30, "units": 15, "groups": 5, "within": -0.5, "comparison": "b"}

    def lines(note: str) -> list[str]:
        rows = [part | {"adjusted": False}, part | {"adjusted": True, "note": note}]
        text = mixed.mixed_table(with_tables(negative, mixed=table("mixed", *rows)))
        return [line.split(" | ")[1] for line in text.splitlines()[2:]]

    assert lines("") == ["nothing", "size, depth"]
    assert lines(Note.NOT_HELD_FIXED.of("depth")) == ["nothing", "size"]
    both = join(Note.NO_RANDOM_EFFECTS, Note.NOT_HELD_FIXED.of("size"), Note.RECIPES_MIXED)
    assert lines(both) == ["nothing", "depth"]
    assert lines(Note.NOT_HELD_FIXED.of("size", "depth")) == ["nothing"]
