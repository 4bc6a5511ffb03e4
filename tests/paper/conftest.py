"""Studies whose paper several tests read."""

from __future__ import annotations

import pytest
from helpers.papers import models_frame, study

from atlas.findings import results


@pytest.fixture(scope="module")
def negative() -> results.Results:
    return study(models_frame(-1))
