"""The options of the statistics, as the schema gives them, with changes."""

from __future__ import annotations

from typing import Any

from atlas.statistics.options import Options
from atlas.study.schema import defaults


def options_with(**changes: Any) -> Options:
    """The schema's defaults with these changes, for one seed of all tests."""
    return Options.from_config(defaults("statistics") | {"seed": 0} | changes)
