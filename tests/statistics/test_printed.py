"""Printed values beside ours: what is computed of which models, and what counts as agreement."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.options import options_with

from atlas.fits import published as fits_published
from atlas.statistics import registry
from atlas.statistics.printed import PRINTED, printed
from atlas.study.lists import read_list
from atlas.tables.merge import layers_table, models_table
from atlas.tables.read import read_table

ROOT = Path(__file__).resolve().parents[2]
MIRROR = ROOT.parent / "shared" / "published"
ERROR = options_with(primary_quality="error")


def models(error, metric="error", family="f", x=(1.0, 2.0, 3.0, 5.0)):
    return pd.DataFrame(
        {
            "model": [f"{family}{i}" for i in range(len(x))],
            "collection": "c",
            "dataset": "d",
            "family": family,
            "variant": [f"{family}{i}" for i in range(len(x))],
            "quality_metric": metric,
            "quality": np.array(error, float),
            "log_norm": x,
        }
    )


def layers(model="f0"):
    return pd.DataFrame({"model": model, "depth": [0, 0.5, 1], "log_norm": [30.0, 1.0, 2.0]})


def asked(*cells, series="f", metric="log_norm"):
    """Printed values of one series: (quantity, printed) each."""
    rows = [("T", "c", "d", series, quantity, metric, text, "a note") for quantity, text in cells]
    columns = ["table", "collection", "dataset", "series", "quantity", "metric", "printed", "note"]
    return pd.DataFrame(rows, columns=columns)


def compare(given, *cells, options=ERROR, **more):
    found = printed(given, layers(), asked(*cells, **more), options)
    assert list(found) == PRINTED
    return found


def test_regression_is_that_of_the_quality_on_the_metric():
    found = compare(
        models([1, 2, 3, 9]), ("rmse", "0"), ("r2", "0"), ("kendall", "1"), ("models", "4")
    )
    line = np.polyfit([1, 2, 3, 5], [1, 2, 3, 9], 1)
    residuals = np.array([1, 2, 3, 9]) - np.polyval(line, [1, 2, 3, 5])
    r = np.corrcoef([1, 2, 3, 5], [1, 2, 3, 9])[0, 1]
    assert found["ours"].tolist() == pytest.approx([np.sqrt(np.mean(residuals**2)), r**2, 1, 4])
    assert found["difference"].tolist() == pytest.approx([*found["ours"][:2], 0, 0])


def test_accuracy_is_turned_into_an_error():
    options = options_with(primary_quality="accuracy")
    accuracy = models([99, 98, 97, 91], metric="accuracy")
    found = compare(accuracy, ("kendall", "1"), ("rmse", "0"), options=options)
    error = compare(models([1, 2, 3, 9]), ("kendall", "1"), ("rmse", "0"))
    assert found["ours"].tolist() == pytest.approx(error["ours"].tolist())


def test_only_models_with_the_primary_quality_count():
    others = models([1, 5, 2, 7], metric="perplexity")
    unlabelled = models([np.nan] * 4)
    given = pd.concat([models([1, 2, 3, 9]), others, unlabelled], ignore_index=True)
    found = compare(given, ("models", "4"), ("kendall", "1.00"))
    assert found["agrees"].all()


def test_a_model_without_the_metric_is_counted_and_not_regressed():
    given = models([1, 2, 3, 9, 0], x=(1.0, 2.0, 3.0, 5.0, np.nan))
    found = compare(given, ("models", "5"), ("kendall", "1.00"))
    assert found["agrees"].all()


def test_a_series_is_that_of_its_collection_and_data_set():
    other = models([9, 3, 2, 1])
    given = pd.concat([models([1, 2, 3, 9]), other.assign(dataset="e")], ignore_index=True)
    given = pd.concat([given, other.assign(collection="x")], ignore_index=True)
    found = compare(given, ("models", "4"), ("kendall", "1.00"))
    assert found["agrees"].all()


def test_layers_are_those_of_a_variant_with_or_without_the_first():
    found = compare(
        models([1, 2, 3, 9]),
        *[("layers", "3"), ("layers_but_first", "2"), ("mean", "11"), ("mean_but_first", "1.50")],
        series="f0",
    )
    assert found["ours"].tolist() == [3, 2, 11, 1.5]
    assert found["agrees"].all()


@pytest.mark.parametrize(
    ("text", "agrees"),
    [("1.5", True), ("1.50", True), ("2", True), ("1", True), ("1.51", False), ("1.49", False)],
)
def test_a_value_agrees_to_the_printed_decimals(text, agrees):
    (row,) = compare(models([1, 2, 3, 9]), ("mean_but_first", text), series="f0").to_dict("records")
    assert row["ours"] == 1.5
    assert row["agrees"] is agrees
    assert row["printed"] == text


def test_what_the_study_has_not_is_missing_and_does_not_agree():
    cells = [("models", "0"), ("rmse", "0"), ("layers", "0"), ("mean", "0")]
    found = compare(models([1, 2, 3, 9]), *cells, series="gone")
    assert found["ours"].isna().all()
    assert not found["agrees"].any()
    assert (found["note"] == "a note").all()
    assert compare(models([1, 2], x=(1.0, 2.0)), ("r2", "1.00"))["ours"].isna().all()


def test_an_unknown_quantity_is_refused():
    with pytest.raises(ValueError, match="'r3' is no quantity"):
        compare(models([1, 2, 3, 9]), ("r3", "1"))


def test_the_registry_names_the_inputs_and_only_studies_with_printed_values_have_it():
    assert tuple(inspect.signature(printed).parameters) == (*registry.PRINTED["printed"], "options")
    assert registry.module_of("printed") == printed.__module__

    study = SimpleNamespace(config={"printed": None})
    assert registry.tables_of(study) == registry.TABLES
    study.config["printed"] = "values.csv"
    assert registry.tables_of(study) == registry.TABLES | registry.PRINTED


# What was printed, held against the authors' results.

mirrored = pytest.mark.skipif(
    not MIRROR.is_dir(), reason="the mirror of the published data is not beside the checkout"
)


@pytest.fixture(scope="module")
def natcom():
    """Models and layers of the study natcom-2021."""
    seen, problems = read_list("models/natcom-2021.csv", ROOT, "config")
    assert not problems
    rows = [entry.values for entry in seen]
    folder = MIRROR / "ww-trends-2020"
    read = {
        row["model"]: fits_published.read(folder, row["location"], row["parameters"])
        for row in rows
    }
    about = {"weightwatcher": {"engine": "published"}, "versions": {"weightwatcher": "0.2.7"}}
    summaries = {model: summary | {"status": "ok"} for model, (_, summary, _) in read.items()}
    details = {model: pd.DataFrame(found) for model, (found, _, _) in read.items()}
    return models_table(rows, summaries, dict.fromkeys(read, about), {}), layers_table(details)


@pytest.fixture(scope="module")
def values():
    return read_table(ROOT / "models" / "natcom-2021-printed.csv", missing="")


@mirrored
def test_print_agrees_but_for_seven_values(natcom, values):
    found = printed(*natcom, values, ERROR)
    assert len(found) == 396
    differ = found[~found["agrees"]]
    assert Counter(zip(differ["series"], differ["metric"], strict=True)) == Counter(
        [("VGG", ""), ("VGG", "log_alpha_norm")]  # the number of models, and a value of them
        + [("GPT", m) for m in ("", "log_norm", "log_spectral_norm")]  # not published
        + [("GPT", m) for m in ("alpha_weighted", "log_alpha_norm")]
    )
    assert (differ["note"] != "").all()


def without_old_labels(models, values, ours):
    return models.assign(quality=ours["error"].where(models["quality"].notna())), values


def with_those_left_out(models, values, ours):
    out = models["quality"].isna()
    filled = models["quality"].fillna(ours["error"])
    return models.assign(
        quality=filled, quality_metric=models["quality_metric"].mask(out, "error")
    ), values


def with_the_mean_of_the_logs(models, values, _):
    other = {"spectral_norm": "log_spectral_norm", "log_mean_spectral_norm": "log_spectral_norm"}
    return models, values.assign(metric=values["metric"].replace(other))


def with_every_layer(models, values, _):
    return models, values.assign(quantity=values["quantity"].str.removesuffix("_but_first"))


def with_one_training_of_each_efficientnet(models, values, ours):
    other = ours["recipe"].notna() & (ours["recipe"] != "tensorflow")
    return models.assign(quality=models["quality"].mask(other)), values


@mirrored
@pytest.mark.parametrize(
    ("change", "agree"),
    [
        (without_old_labels, 385),
        (with_those_left_out, 366),
        (with_the_mean_of_the_logs, 312),
        (with_every_layer, 384),
        (with_one_training_of_each_efficientnet, 376),
    ],
)
def test_every_convention_is_needed(natcom, values, change, agree):
    """Without one of the authors' conventions, fewer values agree."""
    models, layers = natcom
    rows = {e.model: e.values for e in read_list("models/published.csv", ROOT, "config")[0]}
    labels = pd.DataFrame([rows[model] for model in models["model"]])
    error = (100 - labels["quality"]).where(labels["quality_metric"] == "accuracy").round(6)
    changed, asked = change(models, values, labels.assign(error=error))
    assert printed(changed, layers, asked, ERROR)["agrees"].sum() == agree
