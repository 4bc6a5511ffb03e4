"""A user's own weights: what is read, what is refused, and what a checkpoint's number is."""

import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = ""
torch = pytest.importorskip("torch")

import numpy as np
from safetensors.torch import load_file, save_file

from atlas.errors import KnownFailure
from atlas.weights import (
    checkpoints,
    files,
    sources,
)
from atlas.weights import onnx as weights_onnx

OPTIONS = {"min_evals": 8, "max_evals": 15000, "max_N": 50000}


def state(**more):
    torch.manual_seed(0)
    return {"a.weight": torch.randn(30, 20), "a.bias": torch.zeros(30), **more}


def write(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)


def sharded(folder, suffix="safetensors", name="model"):
    """A model in two shards with an index; the index and what is in it."""
    parts = [{"b.weight": torch.ones(9, 9), "b.bias": torch.zeros(9)}, state()]
    names = [f"{name}-0000{i}-of-00002.{suffix}" for i in (1, 2)]
    for shard, part in zip(names, parts, strict=True):
        write(folder / shard, part)
    shards = {key: shard for shard, part in zip(names, parts, strict=True) for key in part}
    index = folder / f"{name}.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": shards}))
    return index, parts[0] | parts[1]


def failure_of(path, reader=files.read_state_dict):
    with pytest.raises(KnownFailure) as caught:
        reader(path)
    assert "\n" not in caught.value.reason
    return caught.value


def refused(call, *arguments):
    with pytest.raises(ValueError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- state dicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt", "bin", "PTH"])
def test_a_file_of_either_kind_is_read(tmp_path, suffix, wrap):
    path = tmp_path / f"mine.{suffix}"
    write(path, {wrap: state(), "epoch": 3} if wrap and suffix != "safetensors" else state())
    found = files.read_state_dict(path)
    assert set(found) == {"a.weight", "a.bias"}
    assert torch.equal(found["a.weight"], state()["a.weight"])


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards_are_one_model_by_their_index_and_by_their_folder(tmp_path, suffix):
    index, whole = sharded(tmp_path, suffix)
    for path in (index, tmp_path):
        found = files.read_state_dict(path)
        assert set(found) == set(whole)
        assert all(torch.equal(found[key], whole[key]) for key in whole)
        assert next(iter(found)).startswith("b.")  # the first shard first


def test_a_folder_prefers_safetensors_and_refuses_two_models(tmp_path):
    write(tmp_path / "pytorch_model.bin", {"old": torch.ones(2)})
    assert set(files.read_state_dict(tmp_path)) == {"old"}
    write(tmp_path / "model.safetensors", state())
    assert files.model_in(tmp_path).name == "model.safetensors"
    assert set(files.read_state_dict(tmp_path)) == set(state())
    sharded(tmp_path)
    assert "more than one model" in failure_of(tmp_path).reason


def test_a_folder_without_a_model_is_a_failure(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert not files.is_model(tmp_path)
    assert "holds no model" in failure_of(tmp_path).reason


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "a/../../b.bin",
        "/tmp/b.bin",
        "..\\b.bin",
        "C:\\b.bin",
        "C:b.bin",
        "",
    ],
)
def test_an_index_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    folder = tmp_path / "inside"
    index, _ = sharded(folder)
    write(tmp_path / "model.safetensors", state())
    index.write_text(json.dumps({"weight_map": {"a.weight": name}}))
    assert "leads out of its own folder" in failure_of(index).reason
    assert "leads out of its own folder" in refused(files.files_of, index)


def test_a_missing_shard_and_a_lost_tensor_are_named(tmp_path):
    index, _ = sharded(tmp_path)
    write(tmp_path / "model-00002-of-00002.safetensors", {"a.bias": torch.zeros(30)})
    reason = failure_of(index).reason
    assert "a.weight is not in its shard model-00002-of-00002.safetensors" in reason
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "its shard model-00002-of-00002.safetensors is missing" in failure_of(index).reason


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "{not json", '{"weight_map": {}}', '{"weight_map": {"a": 3}}', "[" * 99999],
)
def test_an_index_that_is_none_is_a_failure(tmp_path, content):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(content)
    assert "is no index" in failure_of(path).reason


def test_an_index_does_not_lead_to_another_index(tmp_path):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": path.name}}))
    assert "is no shard" in failure_of(path).reason


def test_a_tensor_in_two_shards_is_that_of_the_index(tmp_path):
    index, whole = sharded(tmp_path)
    stale = {"b.weight": torch.full((9, 9), 7.0), "tied": torch.ones(3)}
    write(tmp_path / "model-00002-of-00002.safetensors", state() | stale)
    found = files.read_state_dict(index)
    assert torch.equal(found["b.weight"], whole["b.weight"])
    assert set(found) == {*whole, "tied"}


def test_bfloat16_is_read_and_stays_what_it_is(tmp_path):
    for suffix in ("safetensors", "pt"):
        half = state()["a.weight"].bfloat16()
        write(tmp_path / f"mine.{suffix}", {"a.weight": half})
        found = files.read_state_dict(tmp_path / f"mine.{suffix}")["a.weight"]
        assert found.dtype == torch.bfloat16 and torch.equal(found, half)


class Evil:
    def __reduce__(self):
        return (print, ("this must never be printed",))


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path, capfd):
    index, _ = sharded(tmp_path, "bin")
    torch.save({"x": Evil()}, tmp_path / "model-00001-of-00002.bin")
    reason = failure_of(index).reason
    assert "holds code" in reason and "model-00001-of-00002.bin" in reason
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil()))
    failure_of(tmp_path / "plain.pth")
    assert "never be printed" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x80\x02", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth", "onnx"])
def test_a_file_that_is_not_what_it_claims_is_a_failure(tmp_path, suffix, content):
    path = tmp_path / f"page.{suffix}"
    path.write_bytes(content)
    reader = weights_onnx.read_onnx if suffix == "onnx" else files.read_state_dict
    failure = failure_of(path, reader)
    assert failure.status == "failed" and f"page.{suffix}" in failure.reason
    assert files.files_of(path) == [path]
    path.unlink()
    assert "no such file" in failure_of(path, reader).reason


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "onnx"])
def test_a_damaged_file_is_a_failure_or_other_numbers_and_never_a_crash(tmp_path, suffix):
    path = tmp_path / f"mine.{suffix}"
    if suffix == "onnx":
        onnx_file(path, floats())
    else:
        write(path, state())
    whole = path.read_bytes()
    reader = weights_onnx.read_onnx if suffix == "onnx" else files.read_state_dict
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.3 else whole)
        for place in rng.integers(0, min(len(broken), 400), 4):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(broken)
        try:
            files.files_of(path)
        except ValueError as error:
            assert "leads out" in str(error)
        try:
            reader(path)
        except KnownFailure as failure:
            assert failure.status in ("failed", "unsupported")


# --- onnx -----------------------------------------------------------------------------------------


def random(*shape, dtype=np.float32):
    rng = np.random.default_rng(sum(shape))
    return (rng.standard_t(3, shape) * 0.1).astype(dtype)


def floats():
    """Initialisers of every shape, in an order in which ids and places differ."""
    return {
        "conv.weight": random(24, 16, 3, 3),
        "conv.bias": random(24),
        "depthwise": random(32, 1, 3, 3),
        "even": random(12, 48, 2, 2),
        "shrinking": random(12, 48, 3, 3),
        "kernel": random(4, 3, 7, 7),
        "pointwise": random(64, 32, 1, 1),
        "onnx::MatMul_12": random(40, 60),
        "gemm.weight": random(50, 30),
        "conv1d": random(20, 10, 3),
        "embedding": random(90, 30),
        "narrow": random(64, 5),
        "none": random(0, 4),
    }


def onnx_file(path, arrays, nodes=(), **how):
    """Write a model of these initialisers; the nodes are built by hand, since none are needed."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph(
        list(nodes),
        "net",
        [],
        [],
        initializer=[onnx.numpy_helper.from_array(a, name) for name, a in arrays.items()],
    )
    model = onnx.helper.make_model(graph)
    onnx.save(model, path, **how)
    return model


def our_details(tmp_path, arrays, tensors):
    import pandas as pd

    from atlas.fits import metrics as fits_metrics
    from atlas.fits import spectra as fits_spectra
    from atlas.weights import store

    path = tmp_path / "weights.safetensors"
    store.save(path, {key: torch.from_numpy(value) for key, value in arrays.items()}, tensors)
    rows, _ = fits_spectra.spectra(path, layers="weightwatcher", max_evals=15000, max_N=50000)
    return pd.DataFrame(fits_metrics.details(rows, 8))


def test_an_onnx_model_gives_weightwatchers_layers_and_numbers(tmp_path):
    """Held against weightwatcher's own ONNX path, on the model as it was written."""
    import pandas as pd

    from atlas.fits import audit as fits_audit
    from atlas.fits import reference as fits_reference

    model = onnx_file(tmp_path / "net.onnx", floats())
    arrays, tensors = weights_onnx.read_onnx(tmp_path / "net.onnx")
    mine = our_details(tmp_path, arrays, tensors)
    rebuilt = weights_onnx.onnx_of(arrays, [tensor.as_dict() for tensor in tensors])
    for given in (model, rebuilt):
        theirs = pd.DataFrame(fits_reference.details(given, **OPTIONS))
        compared = fits_audit.compare(mine, theirs)
        assert len(compared) == len(theirs) == 9
        assert compared["difference"].max() < 1e-9, compared
        assert list(mine["layer_id"]) == list(theirs["layer_id"]) != list(range(9))
        assert list(mine["name"]) == list(theirs["name"])


def test_weightwatcher_itself_fails_on_a_single_number_but_not_on_the_layers_alone(tmp_path):
    """The reason for ``onnx_of``: when weightwatcher can do it, the audit can be given the file."""
    from atlas.fits import reference as fits_reference

    more = {"scale": np.float32(2).reshape(()), "indices": np.arange(600).reshape(30, 20)}
    model = onnx_file(tmp_path / "net.onnx", more | floats())
    with pytest.raises(KnownFailure, match="unsized object"):
        fits_reference.details(model, **OPTIONS)
    arrays, tensors = weights_onnx.read_onnx(tmp_path / "net.onnx")
    assert "indices" not in arrays
    assert [t.layer_id for t in tensors if t.tensor == "conv.weight"] == [2]
    rebuilt = weights_onnx.onnx_of(arrays, [tensor.as_dict() for tensor in tensors])
    rows = fits_reference.details(rebuilt, **OPTIONS)
    assert [row["layer_id"] for row in rows][:2] == [2, 4]
    assert len(rows) == 9


def test_half_precision_is_read_as_float32(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    halves = {"h": random(30, 20, dtype=np.float16), "b": random(30, 20, dtype=ml_dtypes.bfloat16)}
    onnx_file(tmp_path / "net.onnx", halves)
    arrays, _ = weights_onnx.read_onnx(tmp_path / "net.onnx")
    for name, value in halves.items():
        assert arrays[name].dtype == np.float32
        assert np.array_equal(arrays[name], value.astype(np.float32))
    onnx_file(tmp_path / "net.onnx", {"d": random(30, 20, dtype=np.float64)})
    assert np.array_equal(
        weights_onnx.read_onnx(tmp_path / "net.onnx")[0]["d"], random(30, 20, dtype="d")
    )


def test_constants_count_as_parameters_and_running_statistics_do_not(tmp_path):
    onnx = pytest.importorskip("onnx")
    table = onnx.numpy_helper.from_array(random(30, 20), "inner")
    number = onnx.numpy_helper.from_array(np.float32(3).reshape(()), "inner")
    nodes = [
        onnx.helper.make_node("Constant", [], ["table"], value=table),
        onnx.helper.make_node("Constant", [], ["number"], value=number),
        onnx.helper.make_node("Constant", [], ["few"], value_floats=[1.0, 2.0]),
        onnx.helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"]),
    ]
    own = {name: random(8) for name in ("s", "b", "m", "v", "bn.running_mean")}
    onnx_file(tmp_path / "net.onnx", {"w": random(30, 20)} | own, nodes)
    arrays, tensors = weights_onnx.read_onnx(tmp_path / "net.onnx")
    assert set(arrays) == {"w", "s", "b", "table"} == {tensor.tensor for tensor in tensors}
    reasons = {tensor.tensor: tensor.reason for tensor in tensors}
    assert reasons["w"] == "" and "constant" in reasons["table"] and reasons["s"]


def test_quantised_weights_are_unsupported(tmp_path):
    for dtype in (np.int8, np.uint8):
        onnx_file(tmp_path / "net.onnx", {"w": np.ones((30, 20), dtype), "zero": np.ones(3, dtype)})
        failure = failure_of(tmp_path / "net.onnx", weights_onnx.read_onnx)
        assert failure.status == "unsupported" and "quantised" in failure.reason


def test_a_model_without_names_or_with_one_twice_is_a_failure(tmp_path):
    onnx = pytest.importorskip("onnx")
    tensors = [onnx.numpy_helper.from_array(random(30, 20), name) for name in ("a", "a", "")]
    for chosen, words in ((tensors[:2], "two initialisers"), (tensors[2:], "without a name")):
        graph = onnx.helper.make_graph([], "net", [], [], initializer=chosen)
        onnx.save(onnx.helper.make_model(graph), tmp_path / "net.onnx")
        assert words in failure_of(tmp_path / "net.onnx", weights_onnx.read_onnx).reason


def external(path, **entries):
    """An ONNX model whose data is in ``net.data``, then said to be elsewhere."""
    onnx = pytest.importorskip("onnx")
    table = onnx.numpy_helper.from_array(random(30, 20), "inner")
    nodes = [onnx.helper.make_node("Constant", [], ["table"], value=table)]
    onnx_file(
        path,
        {"w": random(30, 20), "v": random(20, 20)},
        nodes,
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
        convert_attribute=True,
    )
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = entries.get(entry.key, entry.value)
    onnx.save(model, path)


def test_external_data_inside_the_folder_is_read_and_listed(tmp_path):
    path = tmp_path / "net.onnx"
    external(path)
    arrays, _ = weights_onnx.read_onnx(path)
    assert np.array_equal(arrays["w"], random(30, 20))
    assert np.array_equal(arrays["table"], random(30, 20))
    assert files.files_of(path) == [path, tmp_path / "net.data"]
    onnx_file(path, floats())
    assert files.files_of(path) == [path]


def test_the_files_of_an_onnx_model_are_those_that_onnx_itself_loads(tmp_path):
    """Also tensors in the attributes of nodes, in a branch, in a list."""
    onnx = pytest.importorskip("onnx")

    def tensor(place):
        proto = onnx.numpy_helper.from_array(random(30, 20), place)
        onnx.external_data_helper.set_external_data(proto, location=place)
        return proto

    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["c"], value=tensor("deep.data"))],
        "branch",
        [],
        [],
        initializer=[tensor("sub/branch.data")],
    )
    odd = onnx.helper.make_node("Odd", [], ["o"], many=[tensor("1.data"), tensor("2.data")])
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = onnx.helper.make_graph([odd, node], "net", [], [], initializer=[tensor("top.data")])
    model = onnx.helper.make_model(graph)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    own = onnx.external_data_helper
    expected = {own.ExternalDataInfo(t).location for t in own._get_all_tensors(model)}
    assert weights_onnx.external_data(tmp_path / "net.onnx") == expected
    assert expected == {"deep.data", "sub/branch.data", "1.data", "2.data", "top.data"}


@pytest.mark.parametrize("place", ["../net.data", "/etc/hostname", "a/../../net.data"])
def test_external_data_outside_of_the_folder_is_refused(tmp_path, place):
    folder = tmp_path / "inside"
    folder.mkdir()
    external(folder / "net.onnx", location=place)
    (tmp_path / "net.data").write_bytes(bytes(9999))
    assert "leads out" in failure_of(folder / "net.onnx", weights_onnx.read_onnx).reason
    assert "leads out" in refused(files.files_of, folder / "net.onnx")


def test_external_data_behind_a_link_or_missing_or_too_short_is_a_failure(tmp_path):
    path = tmp_path / "inside" / "net.onnx"
    path.parent.mkdir()
    external(path)
    data = path.with_name("net.data")
    whole = data.read_bytes()
    data.write_bytes(whole[:100])
    assert str(path) in failure_of(path, weights_onnx.read_onnx).reason
    data.unlink()
    assert "its file net.data is missing" in failure_of(path, weights_onnx.read_onnx).reason
    (tmp_path / "secret").write_bytes(whole)
    data.symlink_to(tmp_path / "secret")
    failure_of(path, weights_onnx.read_onnx)


# --- digests and dependencies ---------------------------------------------------------------------


def test_a_digest_is_sha256sums_for_one_file_and_changes_with_any_shard(tmp_path):
    index, _ = sharded(tmp_path)
    shards = sorted(tmp_path.glob("model-*"))
    assert files.files_of(index) == files.files_of(tmp_path) == [index, *shards]

    def sum_of(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert files.digest(shards[0]) == sum_of(shards[0])
    lines = sorted(f"{path.name}:{sum_of(path)}\n" for path in [index, *shards])
    before = files.digest(index)
    assert before == hashlib.sha256("".join(lines).encode()).hexdigest() == files.digest(tmp_path)
    for path in (*shards, index):
        whole = path.read_bytes()
        path.write_bytes(whole + b" ")
        assert files.digest(index) != before
        path.write_bytes(whole)
    assert files.digest(index) == before


def test_what_a_study_asks_imports_neither_torch_nor_onnx_nor_numpy(tmp_path):
    external(tmp_path / "net.onnx")
    index, _ = sharded(tmp_path)
    write(tmp_path / "run" / "epoch_1.pt", state())
    program = f"""
import sys; from pathlib import Path
from atlas.weights import checkpoints, files
assert len(files.files_of(Path({str(index)!r}))) == 3
assert len(files.files_of(Path({str(tmp_path / "net.onnx")!r}))) == 2
assert len(checkpoints.checkpoints(Path({str(tmp_path / "run")!r}))) == 1
print(*sorted({{"torch", "onnx", "numpy", "safetensors", "pandas"}} & set(sys.modules)))
"""
    scripts = str(Path(files.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": scripts},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# --- checkpoints ----------------------------------------------------------------------------------


def run(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["epoch_10.pth", "epoch_9.pth", "epoch_003.pth"], [3, 9, 10]),
        (["step=500.safetensors", "step=1000.safetensors"], [500, 1000]),
        (["model_00010.pt", "model_00002.bin"], [2, 10]),
        (["resnet18-epoch1.PTH", "resnet18-epoch2.onnx"], [1, 2]),
        (["epoch=3-loss=0.25.pt", "epoch=4-loss=0.125.pt"], [3, 4]),
        (["v1.5-step20.pt", "model.30.pt", "40.pt"], [20, 30, 40]),
        (["weights.05.keras", "weights.06.h5"], [5, 6]),
    ],
)
def test_checkpoints_are_ordered_by_the_last_integer_of_their_names(tmp_path, names, numbers):
    found = checkpoints.checkpoints(run(tmp_path / "run", *names))
    assert [number for number, _ in found] == numbers
    assert {path.name for _, path in found} == set(names)
    assert all(path.parent == tmp_path / "run" for _, path in found)


def test_other_files_of_a_training_are_no_checkpoints(tmp_path):
    others = [
        *["optimizer.pt", "optimizer_1.pt", "epoch1_optim.pth", "scheduler.pt", "rng_state_0.pth"],
        *["training_args.bin", ".hidden_7.pt", "scaler.pt", "log.txt", "trainer_state.json"],
        *["logs/events.1", "metrics_3.csv"],
    ]
    found = checkpoints.checkpoints(run(tmp_path / "run", "epoch_1.pt", *others))
    assert [(number, path.name) for number, path in found] == [(1, "epoch_1.pt")]


def test_the_folder_of_a_hugging_face_trainer(tmp_path):
    folder = run(tmp_path / "run", "training_args.bin", "config.json", "model.safetensors")
    for step in (500, 1000):
        sharded(folder / f"checkpoint-{step}")
        run(folder, f"checkpoint-{step}/optimizer.pt")
    found = checkpoints.checkpoints(folder)
    assert [(number, path.name) for number, path in found] == [
        (500, "checkpoint-500"),
        (1000, "checkpoint-1000"),
    ]
    assert set(files.read_state_dict(found[0][1])) >= set(state())
    sharded(folder)  # a last model in shards is left out as one in a file is
    assert checkpoints.checkpoints(folder) == found
    run(folder, "checkpoint-1500/optimizer.pt")
    assert "checkpoint-1500: it holds no model" in refused(checkpoints.checkpoints, folder)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["epoch_1.pt", "best.pt"], "best.pt has no number"),
        (["epoch_1.pt", "epoch_01.pth"], "epoch_01.pth and epoch_1.pt have the same number 1"),
        (["epoch=1.pt", "loss=0.5.pt"], "loss=0.5.pt has no number"),
        (["notes.txt", "optimizer_1.pt"], "holds no checkpoints"),
        ([], "holds no checkpoints"),
        (["model-00001-of-00002.safetensors"], "one shard of a model"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path, names, words):
    assert words in refused(checkpoints.checkpoints, run(tmp_path / "run", *names))
    assert "no such folder" in refused(checkpoints.checkpoints, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "names",
    [
        ["consolidated.00.pth", "consolidated.01.pth"],
        ["mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt"],
    ],
)
def test_the_tensor_parallel_parts_of_a_model_are_refused(tmp_path, names):
    folder = run(tmp_path / "llm", *names, "params.json")
    words = f"{names[0]} and {names[1]} are parts of one model"
    assert words in refused(checkpoints.checkpoints, folder)
    failure = failure_of(folder / names[0])
    assert words in failure.reason and "convert it to" in failure.reason
    (folder / names[1]).unlink()  # a model in one part is whole
    assert len(checkpoints.checkpoints(folder)) == 1


def test_tensors_are_read_in_the_order_of_the_network(tmp_path):
    names = ["stem", *(f"blocks.{number}.fc" for number in range(12)), "classifier"]
    whole = {f"{name}.weight": torch.ones(3, 2) for name in names}
    whole["blocks.3.fc.weight"] = whole["blocks.3.fc.weight"].half()  # files are sorted by type
    torch.save(dict(reversed(whole.items())), tmp_path / "own.pth")
    assert list(files.read_state_dict(tmp_path / "own.pth")) == list(whole)[::-1]
    save_file(whole, tmp_path / "sorted.safetensors")
    assert list(load_file(tmp_path / "sorted.safetensors")) != list(whole)
    assert list(files.read_state_dict(tmp_path / "sorted.safetensors")) == list(whole)
    # A file whose writer did not sort has the network's order already.
    backwards = list(whole)[::-1]
    header = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        for i, name in enumerate(backwards)
    }
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(4 * len(backwards))
    (tmp_path / "unsorted.safetensors").write_bytes(data)
    assert list(files.read_state_dict(tmp_path / "unsorted.safetensors")) == backwards


def test_the_reader_of_sources_and_this_one_agree(tmp_path):
    """Both words and tensors, as long as there are two."""
    if not hasattr(sources, "read_state_dict"):
        pytest.skip("there is one")
    path = tmp_path / "page.pth"
    path.write_bytes(b"<html>")
    with pytest.raises(KnownFailure) as old:
        files.read_state_dict(path)
    assert failure_of(path).reason == old.value.reason
