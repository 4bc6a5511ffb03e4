"""Experiments as the methods name them."""

from __future__ import annotations

from helpers.papers import CONFIG, EMPTY, study

from atlas.paper import methods


def experiments(**changes) -> str:
    asked = CONFIG["experiments"] | changes
    return methods.experiment_list(study(EMPTY, config={"experiments": asked, "zoo": {}}))


def test_the_experiments_are_those_of_the_config():
    text = experiments(shuffled=4, windows={"size": 24, "most": 77}, seed=99)
    for words in ("4 times", "once", "24 rows", "at most 77", "seed 99", "Other rule"):
        assert words in text
    for off, words in (
        ({"shuffled": 0}, "Permuted matrices"),
        ({"gaussian": 0}, "Gaussian noise"),
        ({"windows": {"size": 0, "most": 64}}, "Square windows"),
        ({"other_layers": False}, "Other rule"),
        ({"shuffled": 0, "gaussian": 0}, "seed"),
    ):
        assert words in text
        assert words not in experiments(**off)
