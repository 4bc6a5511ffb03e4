"""The lists of models, against what they claim to hold."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import yaml
from helpers.timm_tables import TABLES, needs_tables

from atlas.errors import InputError
from atlas.io import read_cells
from atlas.statistics.printed import LABELS
from atlas.study import catalogue
from atlas.study.config import load_study
from atlas.study.labels import timm_labels

ROOT = Path(__file__).resolve().parents[2]
MIRROR = ROOT.parent / "shared" / "published"


def load(name):
    config = yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text())
    return load_study(config, base=ROOT, config_name=name)


@pytest.fixture(scope="module")
def timm_study():
    return load("timm")


@pytest.fixture(scope="module")
def keras_study():
    return load("keras")


def recipes_by_variant(rows):
    found = defaultdict(set)
    for row in rows:
        found[row.variant].add(row.recipe)
    return found


def test_both_can_be_one_study(timm_study, keras_study):
    ids = [row.model for row in (*timm_study.rows, *keras_study.rows)]
    assert len(set(ids)) == len(ids)
    assert len(timm_study.rows) >= 300
    assert len(keras_study.rows) >= 60


def test_timm_can_give_all(timm_study):
    timm = pytest.importorskip("timm")
    from timm.models import get_pretrained_cfg

    assert {row.location for row in timm_study.rows} <= set(timm.list_pretrained())
    for row in timm_study.rows:
        config = get_pretrained_cfg(row.location)
        assert config.hf_hub_id and config.num_classes == 1000, row.location
        assert row.location == f"{row.variant}.{row.recipe}"


def test_comparisons_have_something_to_compare(timm_study):
    recipes = recipes_by_variant(timm_study.rows)
    assert sum(len(names) >= 3 for names in recipes.values()) >= 35
    assert len(recipes["resnet50"]) == 18
    variants = defaultdict(set)
    for row in timm_study.rows:
        variants[row.family].add(row.variant)
    assert len(variants["regnetx"]) >= 12 and len(variants["vgg"]) == 4
    assert sum(len(names) >= 4 for names in variants.values()) >= 60


def test_a_network_has_one_resolution(timm_study):
    resolutions = defaultdict(set)
    for row in timm_study.rows:
        resolutions[row.variant].add(row.resolution)
    assert {variant for variant, sizes in resolutions.items() if len(sizes) > 1} == set()


def test_reference_recipes_are_shared_in_families(timm_study):
    preference = timm_study.config["statistics"]["reference_recipe"]
    recipes = recipes_by_variant(timm_study.rows)
    families = {row.variant: row.family for row in timm_study.rows}
    chosen = defaultdict(Counter)
    for variant, names in recipes.items():
        reference = next((recipe for recipe in preference if recipe in names), None)
        if reference:
            chosen[families[variant]][reference] += 1
    assert sum(sum(count.values()) >= 3 for count in chosen.values()) >= 90
    mixed = {family: count for family, count in chosen.items() if len(count) > 1}
    # One model each: efficientnet_b8 has no aa_in1k, mobilenetv3_large_100 no lamb_in1k.
    assert set(mixed) <= {"tf_efficientnet", "mobilenetv3"}


@needs_tables
def test_every_timm_row_has_its_label_and_every_resnet50_is_in(timm_study):
    labels = timm_labels(TABLES)
    for row in timm_study.rows:
        entry = labels[row.location, row.resolution]
        assert 0 < entry["labels"]["imagenet-1k"] < 100
        assert entry["parameters"] <= catalogue.MOST_PARAMETERS
        assert (row.dataset, row.quality_metric, row.quality, row.quality_source) == (None,) * 4
    timm = pytest.importorskip("timm")
    both = set(timm.list_pretrained()) & {name for name, _ in labels}
    listed = {row.location for row in timm_study.rows}
    assert {name for name in both if name.startswith("resnet50.")} <= listed


@needs_tables
def test_the_timm_list_is_what_its_rules_make():
    pytest.importorskip("timm")
    made = catalogue.study_list(timm_labels(TABLES))
    assert made == (ROOT / "models" / "timm.csv").read_text()


def test_each_keras_function_is_listed_once(keras_study):
    functions = catalogue.keras_functions()
    if not functions:
        pytest.skip("Keras is not installed")
    listed = [row.location for row in keras_study.rows]
    assert len(set(listed)) == len(listed)
    assert set(functions) <= set(listed)
    # The others are of two families that only Keras 2 has.
    others = {row.family for row in keras_study.rows if row.location not in functions}
    assert others <= {"regnetx", "regnety", "resnetrs"}


def test_keras_labels_say_their_source(keras_study):
    for row in keras_study.rows:
        assert row.quality is not None and 60 < row.quality < 90
        assert any(
            name in row.quality_source
            for name in ("keras.io, ", "typed in", "timm results", "Keras 3")
        )
        if not row.quality_source.startswith("keras.io, "):
            assert "keras.io's table has no such model" in row.quality_source
    sizes = Counter(row.family for row in keras_study.rows)
    earlier = ("convnext", "efficientnet", "efficientnetv2", "regnetx", "regnety", "resnetrs")
    assert [sizes[family] for family in earlier] == [5, 8, 7, 12, 12, 7]


@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of the published data")
def test_keras_labels_are_those_published(keras_study):
    def read(path):
        with (MIRROR / path).open(newline="") as lines:
            return list(csv.DictReader(lines))

    by_name = {row.location: row for row in keras_study.rows}
    keras_io = {row["model"]: float(row["top1"]) for row in read("keras-applications.csv")}
    assert {name: by_name[name].quality for name in keras_io} == keras_io
    for entry in read("seed-keras/accuracies.csv"):
        prefix = {"ResNetRS": "ResNet", "RegNetX": "RegNet", "RegNetY": "RegNet"}
        row = by_name[prefix.get(entry["family"], entry["family"]) + entry["variant"]]
        if row.location in keras_io:
            assert row.quality_source.startswith("keras.io, ")
        elif entry["flag"] and entry["variant"] != "Y320":  # whose flag is about its results
            assert row.quality == float(entry["timm_top1"])
            assert entry["timm_name"] in row.quality_source
        else:
            assert row.quality == float(entry["seed_top1"])
            assert row.quality_source.startswith("typed in the earlier study")


def test_printed_values_are_about_series_of_the_study_but_for_what_is_not_published():
    rows = load("natcom-2021").rows
    names = {(r.collection, r.dataset, n) for r in rows for n in (r.family, r.variant)}
    printed = read_cells(ROOT / "models" / "natcom-2021-printed.csv")
    asked = {(row["collection"], row["dataset"], row["series"]) for row in printed}
    assert {series for _, _, series in asked - names} == {"GPT"}
    keys = [tuple(row[key] for key in LABELS) for row in printed]
    assert len(set(keys)) == len(keys) == 396
    assert all(row["source"] for row in printed)


def test_models_that_the_authors_left_out_have_no_label_but_a_reason():
    blank = [row for row in load("natcom-2021").rows if row.quality is None]
    assert len(blank) == 9
    assert all(row.quality_source.startswith("left out by the authors: ") for row in blank)


def test_a_study_names_printed_values_that_are_there():
    config = yaml.safe_load((ROOT / "studies" / "natcom-2021.yaml").read_text())
    with pytest.raises(InputError, match=r"^x: printed: no such file as 'gone\.csv'; correct"):
        load_study(config | {"printed": "gone.csv"}, base=ROOT, config_name="x")
