"""timm's results tables: what is read from them, and which tables are refused."""

import pytest
from helpers.timm_tables import HEADER, ROW, TABLES, needs_tables, write

from atlas.errors import InputError
from atlas.study.labels import DATASETS, label_rows, metadata, pretraining, timm_labels


def test_parameters_are_text_in_millions_with_thousands_separators(tmp_path):
    entry = timm_labels(write(tmp_path))["big.x_in1k", 224]
    assert entry["parameters"] == 1_014_450_000
    assert entry["labels"] == dict.fromkeys(DATASETS.values(), 80.5)


def test_no_parameters_are_none(tmp_path):
    labels = timm_labels(write(tmp_path, HEADER + "m,224,80,20,95,5,,1.0,bicubic\n"))
    assert labels["m", 224]["parameters"] is None


def test_equal_rows_are_one_and_unequal_ones_an_error(tmp_path):
    assert timm_labels(write(tmp_path, HEADER + ROW + ROW)) == timm_labels(write(tmp_path))
    with pytest.raises(InputError, match=r"results-imagenet\.csv, line 3: .* 80\.6 here and 80\.5"):
        timm_labels(write(tmp_path, HEADER + ROW + ROW.replace("80.5", "80.6")))
    with pytest.raises(InputError, match="parameters here"):
        timm_labels(write(tmp_path, imagenet_r=HEADER + ROW.replace("1,014", "1,015")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model,top1\nm,80\n", "no column img_size, param_count"),
        ("", "no column"),
        (HEADER + "m,x,80,20,95,5,1.0,1.0,bicubic\n", "line 2: invalid literal"),
        (HEADER + "m,224,nan,20,95,5,1.0,1.0,bicubic\n", "not from 0 to 100"),
        (HEADER + "m,224,800,20,95,5,1.0,1.0,bicubic\n", "not from 0 to 100"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, reason):
    with pytest.raises(InputError, match=reason):
        timm_labels(write(tmp_path, text))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"results-imagenet\.csv: No such file"):
        timm_labels(tmp_path)


def test_rows_say_where_a_label_is_from(tmp_path):
    rows = label_rows("big.x_in1k", 224, timm_labels(write(tmp_path)))
    assert [row["dataset"] for row in rows] == list(DATASETS.values())
    assert rows[1] == {
        "dataset": "imagenet-real",
        "quality_metric": "accuracy",
        "quality": 80.5,
        "quality_source": "timm results-imagenet-real.csv @ aa4b5850, column top1, img_size 224",
    }


def test_what_is_there_instead_is_named():
    labels = {("a", 288): {}, ("a", 224): {}}
    with pytest.raises(ValueError, match="no 'a' at 225; use one of: 224, 288"):
        label_rows("a", 225, labels)
    with pytest.raises(ValueError, match="no model 'b'"):
        label_rows("b", 224, labels)


def test_pretraining_is_in_the_table_or_in_the_tag():
    known = {"beit_base": "in21k-selfsl"}
    assert pretraining("beit_base", known) == "in21k-selfsl"
    assert pretraining("vit_base.augreg_in21k_ft_in1k", known) == "augreg_in21k"
    assert pretraining("vit_base.laion2b_ft_in12k_in1k", known) == "laion2b"
    assert pretraining("resnet50.a1_in1k", known) == ""


@needs_tables
def test_the_real_tables():
    labels = timm_labels(TABLES)
    imagenet = [key for key, entry in labels.items() if "imagenet-1k" in entry["labels"]]
    assert len(imagenet) == 1556
    assert len({name for name, _ in imagenet}) == 1266
    # One model is in one table only, and one is missing from one.
    assert [key[0] for key in labels if key not in imagenet] == ["resmlp_24_224.fb_dino"]
    assert sum(len(entry["labels"]) < len(DATASETS) for entry in labels.values()) == 2
    giant = labels["eva_giant_patch14_560.m30m_ft_in22k_in1k", 560]
    assert giant["parameters"] == 1_014_450_000
    assert giant["labels"]["imagenet-1k"] == 89.79
    assert labels["resnet50.a1_in1k", 224] != labels["resnet50.a1_in1k", 288]
    assert metadata(TABLES)["adv_inception_v3"] == "in1k-adv"
