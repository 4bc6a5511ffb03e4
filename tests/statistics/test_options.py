"""Options of the statistics."""

from __future__ import annotations

import pytest

from atlas.statistics.options import Options


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="unknown option permutation"):
        Options.from_config({"permutation": 5})
    assert Options.from_config({"metrics": ["alpha", "log_parameters"]}).all_metrics == (
        "alpha",
        "log_parameters",
    )
