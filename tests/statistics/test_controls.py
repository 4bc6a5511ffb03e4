"""Controls are set against what they control."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.models import one, zoo
from helpers.options import options_with
from helpers.simulated import FAST, families_of, normal, numbered
from scipy import stats

from atlas.statistics.controls import controls


def test_controls():
    """Alpha follows size, and so does accuracy: the untrained network predicts as well."""
    rng = np.random.default_rng(15)
    table = zoo(rng)
    size = np.log10(table["parameters"])
    table["alpha"] = table["alpha_stored"] = -size + 0.1 * rng.normal(size=len(table))
    trained = (table["collection"] == "zoo") & (table["quality_metric"] == "accuracy")
    table.loc[trained, "quality"] = 10 * size + rng.normal(size=len(table))
    table = table[(table["model"] != "zoo-untrained-f0-s-untrained-0")]
    table.loc[(table["model"].str.startswith("zoo-f1-m-baseline")), "alpha"] = np.nan
    options = options_with(
        metrics=("alpha",), permutations=499, bootstrap=299, controls={"zoo-untrained": "zoo"}
    )
    found = controls(table, options)
    found = found[(found["quality_metric"] == "accuracy") & (found["scope"] == "within")]
    relations = {name: one(found, relation=name) for name in ("own", "untrained", "trained")}
    assert [relations[name]["n"] for name in relations] == [15, 14, 14]
    assert relations["untrained"]["kendall"] < -0.6 and relations["untrained"]["kendall_p"] < 0.05
    assert relations["trained"]["kendall"] < -0.6
    assert relations["own"]["kendall_p"] > 0.05
    assert one(found, relation="untrained", treatment="stored")["n"] == 15


def test_controls_tell_training_from_architecture():
    """Within families the trained alpha predicts quality and the untrained one does not; between
    families both do."""
    rng = np.random.default_rng(16)
    shift = 10 * normal(rng, (6, 1), -0.95)
    x, y = normal(rng, (6, 6), -0.9) + shift
    before = rng.normal(size=(6, 6)) + shift[0]
    variant = numbered("f", 6, 0) + numbered("-v", 6, 1)
    trained = families_of(x, y, variant=variant)
    names = [f"u{i:02d}" for i in range(36)]
    untrained = families_of(before, rng.normal(size=(6, 6)), variant=variant, collection="u")
    table = pd.concat([trained, untrained.assign(model=names, recipe="untrained")])
    found = controls(table, replace(FAST, controls={"u": "c"}))
    p = {
        (relation, scope): one(found, relation=relation, scope=scope)["kendall_p"]
        for relation in ("own", "untrained", "trained")
        for scope in ("families", "within")
    }
    assert p["trained", "within"] < 0.01 and p["trained", "families"] < 0.02
    assert p["untrained", "families"] < 0.02 < 0.05 < p["untrained", "within"]
    assert p["own", "families"] > 0.05 and p["own", "within"] > 0.05
    means = one(found, relation="untrained", scope="families")
    assert (means["n"], means["units"], means["groups"]) == (6, 6, 1)
    assert means["exact"] and means["permutations"] == 720
    expected = stats.pearsonr(before.mean(axis=1), y.mean(axis=1)).statistic
    assert means["pearson"] == pytest.approx(expected)
    row = one(found, relation="untrained", scope="within")
    assert (row["n"], row["groups"]) == (36, 6)
    a, b = ((v - v.mean(axis=1, keepdims=True)).ravel() for v in (before, y))
    assert row["pearson"] == pytest.approx(stats.pearsonr(a, b).statistic)
