"""The section that holds a study against printed values."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from helpers.papers import CONFIG, compose, models_frame, study

from atlas.paper import contents, printed


def value(table, agrees, printed="0.50", ours="0.5034", **more):
    """A row of the statistics as read from CSV."""
    names = {"collection": "c", "dataset": "d", "series": "S|1", "quantity": "r2"}
    names |= {"metric": "log_norm", "note": ""}
    return {"table": table, **names, "printed": printed, "ours": ours, "agrees": agrees} | more


VALUES = [
    value("One", "True"),
    value("One", "False", ours="0.6129", note="nobody knows"),
    value("Two", "False", ours="", metric="spectral_norm"),
    value("Two", "False", "6", ours="8.0", metric="", quantity="models"),
]


@pytest.fixture
def held():
    given = study(models_frame(), config={"printed": "values.csv"})
    given.tables["printed"] = VALUES
    out = {"quality": "", "quality_source": "left out: an outlier", "variant": "x_1"}
    given.models.append(given.models[0] | out)
    return given


def lines(table):
    return [
        [cell.strip() for cell in line.replace(r"\|", "/").strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ]


def test_values_are_counted_by_printed_table(held):
    _, _, *rows = lines(printed.printed_table(held))
    assert rows == [
        ["One", "2", "1", "1", "0"],
        ["Two", "2", "0", "1", "1"],
        ["All", "4", "1", "2", "1"],
    ]


def test_the_text_counts_them_and_names_the_models_left_out_with_the_reason(held):
    text = printed.printed_text(held)
    assert "Of 4 printed values, 1 agree and 2 differ; for 1 the study has no models." in text
    assert r"left out: an outlier: x\_1" in text


def test_every_disagreement_is_listed_with_one_digit_more_than_printed(held):
    _, _, *rows = lines(printed.differences_table(held))
    assert rows == [
        ["One", "S/1, d", "$R^2$ with log norm", "0.50", "0.613", "nobody knows"],
        ["Two", "S/1, d", "$R^2$ with mean spectral norm", "0.50", "–", "–"],
        ["Two", "S/1, d", "models", "6", "8", "–"],
    ]


def test_only_a_study_with_printed_values_has_the_section(held):
    names = ("published", "audited", "zoo", "weighed", "has_experiments", "compares_trainings")
    names += ("varies_factors",)
    given = SimpleNamespace(**dict.fromkeys(names, ()), config=CONFIG | {"printed": None})
    assert "printed" not in contents.parts_of(given, ())
    given.config["printed"] = "values.csv"
    assert "printed" in contents.parts_of(given, ())
    files = compose(study(models_frame()))
    assert "not held against printed values" in files["text/print_results.md"]
    assert "4 printed values" in compose(held)["text/print_results.md"]
