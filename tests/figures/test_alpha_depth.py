"""Alpha over depth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.figures import ASK, tables, words
from helpers.stages import draw

from atlas.figures import alpha_depth, style


def test_depth_counts_failed_fits_and_never_draws_them():
    given = tables("alpha_depth")
    figure = draw("alpha_depth", given, style.Look(), ASK)
    own = given["layers"][given["layers"]["model"].str.startswith("zoo-mlp-")]
    failed = int((own["status"] == "failed").sum())
    assert failed > 0
    assert f"18 models; {failed} of {len(own)} fits failed" in words(figure)
    for ax in figure.axes:
        for line in ax.lines:
            values = np.asarray(line.get_ydata(), float)
            assert np.nanmin(values) > 0
        band = ax.patches[0].get_path().get_extents(ax.patches[0].get_patch_transform())
        assert (band.y0, band.y1) == (2, 6)


def test_median_line_is_the_median_of_the_models():
    layers = pd.DataFrame(
        {
            "model": list("aabbcc"),
            "depth": [0, 1] * 3,
            "alpha": [2.0, 8.0, 4.0, 4.0, 8.0, 2.0],
        }
    )
    depth, middle = alpha_depth._median_line(layers, 3)
    assert depth.tolist() == [0, 0.5, 1]
    assert middle == pytest.approx([4, 4, 4])
