"""Layers are counted by what their fits are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from atlas.fits import metrics


def test_layer_counts():
    layers = pd.DataFrame(
        {
            "model": "m",
            "alpha": [3.0, 7.0, -1.0, 1.5, 0.9],
            "status": ["success", "success", "failed", "success", "success"],
            "num_evals": [60, 40, 40, 60, 60],
            "num_pl_spikes": [55, 10, -1, 10, 10],
        }
    )
    counts = metrics.layer_counts(layers)
    expected = {"all": 5, "failed": 2, "fitted": 3, "small": 2, "short": 2, "outside": 2}
    assert counts == expected | {"sized": 5, "tailed": 3}
    unknown = layers.assign(num_evals=np.nan, num_pl_spikes=np.nan)  # as some published tables
    counts = metrics.layer_counts(unknown)
    assert (counts["sized"], counts["small"], counts["tailed"], counts["short"]) == (0, 0, 0, 0)
    assert counts["failed"] == metrics.failed(layers).sum()


def test_trained_layers_are_those_in_the_range():
    assert (metrics.OVER_TRAINED, metrics.UNDER_TRAINED) == metrics.RANGE
