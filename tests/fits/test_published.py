"""Published results: what is read from the sets as they are, and what their traps are."""

import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

from helpers.server import Fault, Server

from atlas.errors import KnownFailure
from atlas.fits import published as results
from atlas.weights import published
from atlas.weights.network import Network

MIRROR = ROOT.parent / "shared" / "published"
mirrored = pytest.mark.skipif(
    not MIRROR.is_dir(), reason="the mirror of the published data is not beside the checkout"
)
SEED = sorted(
    f"seed-keras/{Path(path).parent.relative_to('results')}"
    for path in published.registry("seed-keras")
)


def read(location, parameters=None):
    name, _ = published.locate(location)
    return results.read(MIRROR / name, location, parameters)


@mirrored
def test_the_earlier_study_is_there_as_a_whole():
    found = [read(location) for location in SEED]
    assert len(found) == 50
    assert sum(summary["layers"] for _, summary, _ in found) == 5903
    assert sum(summary["layers_failed"] for _, summary, _ in found) == 546
    assert sum(len(details) for details, _, _ in found) == 5903


@mirrored
def test_a_failed_fit_of_the_earlier_study_is_left_out_and_as_stored_averaged_in():
    details, summary, about = read("seed-keras/ResNetRS/RS50")
    alphas = [row["alpha"] for row in details]
    good = [alpha for alpha in alphas if alpha != -1]
    assert 0 < len(good) < len(alphas)
    assert summary["alpha"] == pytest.approx(sum(good) / len(good))
    assert summary["alpha_stored"] == pytest.approx(sum(alphas) / len(alphas))
    assert {row["status"] for row in details if row["alpha"] == -1} == {"failed"}
    assert {row["layer_type"] for row in details} <= {"conv2d", "dense"}
    assert about["commit"] == "d177830a4ff7ea5de589654eb487031b2d34aee8"


@mirrored
def test_the_summary_beside_the_table_counts_and_not_the_mean_over_its_rows():
    details, summary, _ = read("ww-trends-2020/resnet50")
    assert summary["alpha"] == pytest.approx(3.3983, abs=1e-4)
    mean = sum(row["alpha"] for row in details) / len(details)
    assert mean == pytest.approx(4.3179, abs=1e-4)  # the summary's alpha_compound
    assert summary["layers"] == len(details) == 53
    assert summary["parameters"] == 25_493_504


@mirrored
@pytest.mark.parametrize("model", ["vgg11", "resnet-1k/resnet18_wd4", "densenet161", "gpt2_xl"])
def test_every_kind_of_table_of_the_authors_is_read(model):
    details, summary, about = read(f"ww-trends-2020/{model}")
    assert len(details) == summary["layers"] > 0
    assert len({row["longname"] for row in details}) == len(details)
    assert summary["alpha_weighted"] == summary["alpha_weighted_stored"]
    assert set(about["files"]) == {f"data/{model}.csv", f"data/{model}.txt"}


@mirrored
def test_an_infinite_summary_is_a_missing_value():
    details, summary, _ = read("ww-trends-2020/osmr/igcv3_wd2", 1_985_528)
    assert details == []
    assert summary["log_spectral_norm"] is None
    assert summary["alpha"] > 1
    assert summary["parameters"] == 1_985_528


@mirrored
def test_a_model_that_is_not_in_the_table_is_a_known_failure():
    with pytest.raises(KnownFailure, match=r"df_all\.csv has no model 'resnet51'"):
        read("ww-trends-2020/osmr/resnet51")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("seed/ConvNeXt/Tiny", "begins with no published set; use one of: seed-keras, ww-trends"),
        ("timm-results/resnet50", "begins with no published set"),
        ("seed-keras/ConvNeXt/Huge", "is not in that set"),
        ("", "begins with no published set"),
    ],
)
def test_an_unknown_location_is_answered_with_the_way_out(location, message):
    with pytest.raises(LookupError) as caught:
        published.locate(location)
    assert message in caught.value.args[0]


@mirrored
def test_every_file_is_named_as_in_its_repository():
    """Address, commit and checksum, as the mirror's own list has them."""
    with (MIRROR / "MANIFEST.csv").open(newline="") as file:
        listed = {row["path"]: row for row in csv.DictReader(file)}
    for name, found in published.SETS.items():
        sources = published._sources(name)
        for path, digest in published.registry(name).items():
            row = listed[f"{name}/{path}"]
            folder = f"{found.folder}/" if found.folder else ""
            assert row["sha256"] == digest
            assert row["source_path"] == f"{folder}{sources[path]}"
            assert (row["source_repo"], row["commit"]) == (
                f"https://github.com/{found.repository}",
                found.commit,
            )
            assert found.base.endswith(f"{found.repository}/{found.commit}/{folder}".rstrip("/"))


@mirrored
def test_a_file_that_cannot_be_had_excludes_its_models_and_no_others(tmp_path, monkeypatch):
    with Server(MIRROR) as running:
        monkeypatch.setattr(published, "HOST", f"{running.url}/nothing")
        running.fault("RS50/details.csv", always=Fault("status", 404))
        network = Network(f"{running.url}/files", timeout=0.5, retries=0)
        about = published.fetch("seed-keras", tmp_path / "seed-keras", network)
    assert list(about["missing"]) == ["results/ResNetRS/RS50/details.csv"]
    folder, missing = tmp_path / "seed-keras", about["missing"]
    with pytest.raises(KnownFailure, match=r"RS50/details\.csv: HTTP 404") as caught:
        results.read(folder, "seed-keras/ResNetRS/RS50", missing=missing)
    assert caught.value.stage == "obtain"
    assert results.read(folder, "seed-keras/ResNetRS/RS101", missing=missing)[1]["layers"]


@mirrored
def test_labels_of_which_a_part_is_missing_are_none(tmp_path, monkeypatch):
    with Server(MIRROR) as running:
        monkeypatch.setattr(published, "HOST", f"{running.url}/nothing")
        running.fault("results-sketch.csv", always=Fault("status", 404))
        network = Network(f"{running.url}/files", timeout=0.5, retries=0)
        with pytest.raises(KnownFailure, match=r"1 of 7 files could not be downloaded"):
            published.fetch("timm-results", tmp_path, network)
