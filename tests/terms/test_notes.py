"""Notes of the statistics: codes that something emits, and that have words."""

import ast
from pathlib import Path

import pytest

from atlas.paper.notes import REASONS
from atlas.terms.notes import Note, join, notes_of
from atlas.terms.words import NOTE_LABELS

PACKAGE = Path(__file__).parents[2] / "scripts" / "atlas"


def test_notes_are_joined_and_split_and_keep_their_details():
    text = join("", Note.NOT_HELD_FIXED.of("size", "depth"), "", Note.RECIPES_MIXED)
    assert text == "not_held_fixed:size,depth;recipes_mixed"
    assert notes_of(text) == (Note.NOT_HELD_FIXED, Note.RECIPES_MIXED)
    assert join(text, Note.ONE_FAMILY) == f"{text};one_family"
    assert join("") == "" and notes_of("") == ()


@pytest.mark.parametrize("read", [join, notes_of])
def test_an_unknown_code_is_refused(read):
    with pytest.raises(ValueError, match="metric is constant"):
        read("recipes_mixed;metric is constant")


def test_every_note_is_emitted_and_no_other():
    """By the statistics, or by the findings where a study has no row."""
    files = [path for name in ("statistics", "findings") for path in (PACKAGE / name).glob("*.py")]
    named = {
        node.attr
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id == "Note"
    }
    assert named == set(Note.__members__)


@pytest.mark.parametrize("words", [REASONS, NOTE_LABELS], ids=["paper", "figures"])
def test_every_note_has_words(words):
    assert list(words) == list(Note)
    assert all(words.values())
