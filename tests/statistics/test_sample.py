"""What a table holds of each number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from atlas.statistics import sample


def test_numbers_have_12_digits():
    table = sample.significant(
        pd.DataFrame({"a": [1 / 3, np.nan, 1e-9 / 3, -1e-17], "b": ["x", "", "y", "z"]})
    )
    assert table["a"].tolist()[0] == 0.333333333333
    assert table["a"].tolist()[2] == 3.33333333333e-10
    assert str(table["a"].tolist()[3]) == "0.0"
    assert np.isnan(table["a"][1]) and table["b"].tolist() == ["x", "", "y", "z"]
