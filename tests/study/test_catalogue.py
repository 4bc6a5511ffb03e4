"""What sources offer: families, patterns, tables, and rows that a model list can take."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import timm_tables

import list_models
from atlas.errors import InputError, KnownFailure
from atlas.study import catalogue
from atlas.study import config as study_config
from atlas.study.labels import METADATA, timm_labels
from atlas.weights import published

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "list_models.py"
TABLE = "model,img_size,top1,param_count\n"
ROWS = "resnet18.a1_in1k,224,71.5,11.69\nresnet18.a1_in1k,288,73.2,11.69\n"


@pytest.fixture(scope="module")
def labels_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    timm_tables.write(folder, TABLE + ROWS)
    (folder / METADATA).write_text("model,pretrain\nresnet18.a1_in1k,in1k\n")
    return folder


def run(*arguments, cwd=ROOT):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("resnet50", "resnet"),
        ("resnet50d", "resnet"),
        ("resnetv2_50", "resnetv2"),
        ("resnetv2_50x1_bit", "resnetv2_bit"),
        ("resnext101_32x8d", "resnext"),
        ("wide_resnet50_2", "wide_resnet"),
        ("regnetx_160", "regnetx"),
        ("convnext_base", "convnext"),
        ("convnextv2_base", "convnextv2"),
        ("tf_efficientnet_b0", "tf_efficientnet"),
        ("tf_efficientnetv2_s", "tf_efficientnetv2"),
        ("tf_efficientnet_lite0", "tf_efficientnet_lite"),
        ("efficientnet_b1_pruned", "efficientnet_pruned"),
        ("vit_base_patch16_224", "vit"),
        ("vit_base_patch16_clip_224", "vit_clip"),
        ("vit_small_r26_s32_224", "vit_hybrid"),
        ("vit_relpos_base_patch16_224", "vit_relpos"),
        ("deit_tiny_patch16_224", "deit"),
        ("deit_tiny_distilled_patch16_224", "deit_distilled"),
        ("deit3_small_patch16_224", "deit3"),
        ("swin_tiny_patch4_window7_224", "swin"),
        ("swinv2_tiny_window8_256", "swinv2"),
        ("vgg16", "vgg"),
        ("vgg16_bn", "vgg_bn"),
        ("densenet121", "densenet"),
        ("mobilenetv3_large_100", "mobilenetv3"),
        ("dm_nfnet_f0", "dm_nfnet"),
        ("res2net50_26w_4s", "res2net"),
        ("dla102x2", "dla"),
        ("levit_128s", "levit"),
        ("mixer_b16_224", "mixer"),
    ],
)
def test_families(architecture, family):
    assert catalogue.timm_family(architecture) == family


def test_a_model_comes_at_the_size_at_which_it_was_trained_or_at_all(labels_folder):
    labels = timm_labels(labels_folder)
    (one,) = catalogue.timm_offers(["resnet18.a1_*"], labels, {})
    assert (one.quality, one.resolution, one.parameters) == (71.5, 224, 11_690_000)
    both = catalogue.timm_offers(["resnet18.a1_in1k"], labels, {}, all_sizes=True)
    assert [(offer.resolution, offer.quality) for offer in both] == [(224, 71.5), (288, 73.2)]
    assert [o.row["model"] for o in both] == [
        "timm-resnet18.a1_in1k",
        "timm-resnet18.a1_in1k-288",
    ]
    (unlabelled,) = catalogue.timm_offers(["resnet50.a3_in1k"], labels, {})
    assert (unlabelled.quality, unlabelled.resolution) == (None, 160)


def test_a_wrong_name_is_answered_with_near_ones():
    with pytest.raises(InputError, match=r"no model 'EfficientNetB9'; did you mean EfficientNetB"):
        catalogue.keras_offers(["EfficientNetB9"])


def check(text, tmp_path, name):
    (tmp_path / f"{name}.csv").write_text(text)
    config = {"study": name, "title": "t", "models": [f"{name}.csv"]}
    recipes = [row["recipe"] for row in csv.DictReader(io.StringIO(text)) if row.get("recipe")]
    if recipes:
        config["statistics"] = {"reference_recipe": recipes[0]}
    return study_config.load_study(config, base=tmp_path).rows


def test_rows_of_each_source_are_valid(labels_folder, tmp_path):
    printed = run("timm", "resnet18.*", "--csv", "--labels", labels_folder)
    rows = check(printed.stdout, tmp_path, "timm")
    assert [row.location for row in rows if row.recipe == "a1_in1k"] == ["resnet18.a1_in1k"]
    assert len(rows) >= 5
    for name, offers in (
        ("keras", catalogue.keras_offers(["EfficientNet*"])),
        ("published", catalogue.published_offers([])),
    ):
        rows = check(catalogue.as_csv([offer.row for offer in offers]), tmp_path, name)
        assert len(rows) == len(offers) > 5


def test_the_table_is_aligned_and_errors_are_one_line(labels_folder, tmp_path):
    table = run("timm", "resnet18.a1_in1k", "--labels", labels_folder).stdout.splitlines()
    assert table[0].split("  ")[0] == "name"
    assert table[1].split() == ["resnet18.a1_in1k", "71.50", "224", "11.69", "in1k", "resnet"]
    assert table[0].index("pixels") + 6 == table[1].index("224") + 3
    failed = run("timm", "resnet18.*", "--labels", tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ") and failed.stderr.count("\n") == 1
    assert run("keras", "--study").returncode == 2


def test_tables_are_fetched_from_the_mirror_that_is_named(tmp_path, monkeypatch):
    asked = []

    def fetch(name, folder, network):
        asked.append((name, folder, network.mirror))
        raise KnownFailure("failed", "no such mirror")

    monkeypatch.setattr(published, "fetch", fetch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KnownFailure, match="no such mirror"):
        list_models.labels_folder(None, "https://mirror.example.org")
    folder = Path("results/fetched/timm-results")
    assert asked == [("timm-results", folder, "https://mirror.example.org")]
