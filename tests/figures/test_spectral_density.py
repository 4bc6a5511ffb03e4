"""The spectral density of one layer and its fit."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.figures import drawn, spectrum, words

from atlas.figures import spectral_density


def test_density_shows_the_layer_that_is_asked_for():
    spectra, details = spectrum()
    assert spectral_density.pick_layer(details, None)["longname"] == "blocks.1.conv"  # 2 failed
    assert spectral_density.pick_layer(details, "blocks.0.conv")["layer_id"] == 0
    assert spectral_density.pick_layer(details, 2)["longname"] == "blocks.2.conv"
    assert spectral_density.pick_layer(details, "nowhere") is None
    evals = spectra.iloc[1]["evals"]
    seen = words(drawn("spectral_density"))
    assert "xmin = 0.8 alpha = 4.10 D = 0.041" in seen
    assert f"{int((evals >= 0.8).sum())} in the tail" in seen
    assert "800 × 400: 400 eigenvalues" in seen and "net, blocks.1.conv" in seen
    assert "the fit of its tail failed" in words(drawn("spectral_density", layer=2))
    assert "net has no layer nowhere" in words(drawn("spectral_density", layer="nowhere"))


def test_density_and_its_fit_are_densities():
    spectra = spectrum()[0]
    figure = drawn("spectral_density")
    (ax,) = figure.axes
    (steps,) = [p for p in ax.patches if hasattr(p, "get_data")]
    values, edges, base = steps.get_data()
    inside = np.where(values > base * 1.0001, values, 0) * np.diff(edges)
    assert inside.sum() == pytest.approx(1, rel=0.01)
    fit = max(ax.lines, key=lambda line: len(line.get_xdata()))
    x, y = fit.get_xdata(), fit.get_ydata()
    tail = (spectra.iloc[1]["evals"] >= 0.8).mean()
    assert np.trapezoid(y, x) == pytest.approx(tail * (1 - (x[-1] / 0.8) ** -3.1), rel=0.02)
