"""Alpha beside its null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.explaining import FAMILIES, changed, drawn, of_models, of_shape, offsets, study, words

from atlas.terms.notes import Note


def test_shape_shows_variant_means_on_the_reference_recipe_and_the_untrained_hollow():
    figure = drawn("shape")
    models = study("default")["models"]
    models = models.drop_duplicates("model")
    for ax, null in zip(figure.axes, ("alpha_gaussian", "alpha_shuffled"), strict=True):
        points = {tuple(point) for point in offsets(ax).round(9)}
        for collection, recipe in (("zoo", "baseline"), ("zoo-untrained", "untrained")):
            own = models[(models["collection"] == collection) & (models["recipe"] == recipe)]
            expected = own[[null, "alpha"]].to_numpy().round(9)
            assert len(expected) == 15 and {tuple(pair) for pair in expected} <= points
        assert len(points) == 15 + 15 + 5  # and the means of the families
        hollow = [marks for marks in ax.collections if not len(marks.get_facecolor())]
        assert sum(len(marks.get_offsets()) for marks in hollow) == 15
        assert {text.get_text() for text in ax.texts} >= set(FAMILIES)
        low, high = ax.get_xlim()
        assert ax.get_ylim() == (low, high)
        assert (points and min(min(p) for p in points) > low) and max(map(max, points)) < high


def test_shape_says_the_shares_of_the_table():
    seen = words(drawn("shape"))
    assert "r² = 0.41 (n = 15) between all variants" in seen
    assert "r² = 0.62 (n = 5) between families, 0.07 (n = 15) within families" in seen
    assert "r² = 0.51 (n = 15) between all variants" in seen  # shuffled
    table = of_shape().assign(r2=np.nan, slope=np.nan, note=Note.TOO_FEW_MODELS)
    seen = words(changed("shape", shape=table))
    assert seen.count("no r²: fewer than 3 models") == 2 and "least squares" not in seen


def test_the_line_in_shape_is_the_regression_of_the_table():
    figure = drawn("shape")
    for ax in figure.axes:
        fit = max(ax.lines, key=lambda line: len(line.get_xdata()))
        assert np.allclose(fit.get_ydata(), 4.1 + 0.13 * (fit.get_xdata() - 13))
        (identity,) = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert np.array_equal(identity.get_xdata(), identity.get_ydata())


def test_shape_shows_the_null_that_there_is():
    models = of_models()
    one = changed("shape", models=models.drop(columns="alpha_gaussian"))
    assert one.get_figwidth() * 25.4 == pytest.approx(85)
    assert "entries shuffled" in words(one) and "Gaussian" not in words(one)
    both = changed("shape", models=models.assign(alpha_gaussian=np.nan))
    assert words(both) == words(one)


def test_alphas_of_different_versions_are_not_in_one_panel():
    other = of_models().assign(weightwatcher_version="0.2.7")
    both = pd.concat([of_shape(), of_shape().assign(weightwatcher_version="0.2.7")])
    seen = words(changed("shape", models=pd.concat([of_models(), other]), shape=both))
    assert "weightwatcher 0.2.7:" in seen and "weightwatcher 0.7.7:" in seen
