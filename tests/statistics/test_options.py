"""Options of the statistics."""

from __future__ import annotations

import pytest
from helpers.options import options_with

from atlas.statistics.options import Options
from atlas.study.schema import defaults


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'permutation'"):
        options_with(permutation=5)


def test_a_missing_option_is_refused():
    options = {name: value for name, value in defaults("statistics").items() if name != "bootstrap"}
    with pytest.raises(TypeError, match="'bootstrap'"):
        Options.from_config({"seed": 0} | options)


def test_size_is_always_among_the_metrics_and_once():
    for metrics in (["alpha"], ["alpha", "log_parameters"]):
        assert options_with(metrics=metrics).all_metrics == ("alpha", "log_parameters")
