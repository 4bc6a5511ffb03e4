"""What the paper says about the networks that are trained for it."""

from __future__ import annotations

import dataclasses

import pytest
from helpers.papers import CONFIG, ZOO

from atlas.paper import data

FACTORS = {
    "levels": {"learning_rate": [1, 2], "label_noise": [0, 0.2]},
    "variants": ["mlp-s", "mixer-s"],
    "seeds": [0, 1],
}


@pytest.fixture
def factorial(negative):
    """The study as if its recipes noise and small had been settings of a grid."""
    levels = {"noise": ("1", "0.2"), "small": ("2", "0.2"), "baseline": ("1", "0")}

    def with_levels(row):
        rate, noise = levels.get(row["recipe"], ("", ""))
        return {**row, "factor_learning_rate": rate, "factor_label_noise": noise}

    zoo = ZOO | {"factors": FACTORS, "criterion": {"train_accuracy": 30}}
    config = CONFIG | {"zoo": zoo}
    each = [with_levels(row) for row in negative.models]
    return dataclasses.replace(negative, config=config, models=each)


def test_the_grid_and_the_criterion_are_told(factorial, negative):
    text = data.data_text(factorial)
    assert "A factorial grid of 4 settings, with 2 seeds each, trains mlp-s and mixer-s" in text
    assert "2 levels of learning rate and 2 levels of label noise" in text
    assert "at least 30% of its training examples" in text.replace("\xa0", "")
    without = data.data_text(negative)
    assert "grid" not in without and "beforehand" not in without


def test_every_architecture_has_words():
    from atlas.study.zoo import SIZE_KEYS

    assert set(data.ARCHITECTURES) == set(SIZE_KEYS)


def cells(table: str, said: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if f"| {said} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_level_of_the_grid_has_a_row_over_the_others(factorial, negative):
    table = data.recipes_table(factorial)
    each = int(cells(table, "label noise 0.1")[2])
    assert each == 15
    assert cells(table, "learning rate times 1")[2] == str(2 * each)
    assert cells(table, "learning rate times 2")[2] == str(each)
    assert cells(table, "label noise 0")[2] == str(each)
    assert cells(table, "label noise 0.2")[2] == str(2 * each)
    assert cells(table, "label noise 0.2")[0] == "grid"
    assert cells(table, "label noise 0")[3] == cells(table, "nothing")[3]
    assert "grid" not in data.recipes_table(negative)
