"""Excluded models and the hash of the config."""

from __future__ import annotations

import dataclasses

from helpers.papers import CONFIG, compose

from atlas.paper import appendix


def test_excluded_models_are_listed_with_reasons(negative):
    excluded = [
        {
            "model": "odd",
            "stage": "obtain",
            "status": "failed",
            "reason": "NaN | in https://x.org/a",
        }
    ]
    files = compose(dataclasses.replace(negative, excluded=excluded))
    assert r"| odd | obtain | failed | NaN \| in <https://x.org/a> |" in files["text/excluded.md"]
    assert "1 model was excluded" in files["_variables.yml"]
    assert "1 model could not be analysed" in files["_variables.yml"]
    assert "none was excluded" in compose(negative)["text/excluded.md"]


def test_the_config_s_hash_depends_on_what_decides_results():
    first = appendix.config_hash(CONFIG)
    assert first == appendix.config_hash(CONFIG | {"title": "Another"})
    assert first != appendix.config_hash(CONFIG | {"weightwatcher": {"min_evals": 50}})
