"""Keras models: their layers as weightwatcher has them, on any backend; files and downloads."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = ""
if importlib.util.find_spec("keras") is None:
    pytest.skip("Keras is not installed", allow_module_level=True)

import numpy as np
import pandas as pd

from atlas.errors import KnownFailure
from atlas.fits import audit
from atlas.io import read_json, sha256
from atlas.weights import keras_layers, keras_models, keras_package, sources
from atlas.weights.network import Network
from atlas.weights.store import open_weights

keras = keras_package.import_keras()
from helpers import keras_env
from helpers.keras_env import heavy_tailed, mobile, odd, ours, theirs
from helpers.server import Fault, Server

WEIGHTWATCHERS_OWN = ["layer_id", "name", "longname", "layer_type", "N", "M", "rf"]
TF_KERAS = pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None, reason="tf_keras is not installed"
)


def legacy(*values):
    """A parameter that needs tf_keras."""
    return pytest.param(*values, marks=TF_KERAS)


@pytest.fixture(scope="module")
def odd_model():
    return odd()


@pytest.fixture(scope="module")
def small():
    """A model that is quick to save and to load."""
    keras.utils.clear_session()
    layers = keras.layers
    inner = keras.Sequential([layers.Input((4, 4, 8)), layers.Conv2D(9, 3, name="a")], name="inner")
    outer = [layers.Input((8, 8, 3)), layers.Conv2D(8, 5, name="a"), layers.BatchNormalization()]
    return heavy_tailed(keras.Sequential([*outer, inner, layers.Flatten(), layers.Dense(10)]))


def described(model):
    """The layers as weightwatcher describes them, without spectra."""
    import weightwatcher

    with keras_models.for_weightwatcher(model) as readable:
        table = weightwatcher.WeightWatcher(model=readable).describe(min_evals=2)
    return table[WEIGHTWATCHERS_OWN].to_dict("records")


def as_described(model):
    """The same from our own tensors."""
    from atlas.weights.layers import cut

    state, tensors = keras_models.tensors(model)
    rows = []
    for tensor in tensors:
        if tensor.layer_type:
            found = cut(np.asarray(state[tensor.tensor]), tensor.layer_type)
            names = (tensor.layer_id, tensor.name, tensor.longname, tensor.layer_type)
            if 2 <= found.evals <= 15000:
                values = (*names, found.N, found.M, found.rf)
                rows.append(dict(zip(WEIGHTWATCHERS_OWN, values, strict=True)))
    return rows


def regnet():
    return heavy_tailed(keras_models.build("RegNetX002", pretrained=False))


@pytest.mark.parametrize("make", [odd, mobile, legacy(regnet)])
def test_a_model_gives_weightwatchers_layers_and_numbers(make, tmp_path):
    model = make()
    mine, rows, _ = ours(model, tmp_path)
    its = theirs(model)
    compared = audit.compare(mine, its)
    assert compared["difference"].max() < 1e-9, compared
    assert mine[["layer_id", "name"]].equals(its[["layer_id", "name"]])
    counted = sum(row["parameters"] for row in rows)
    assert counted == sum(int(np.prod(v.shape)) for v in model.trainable_weights)


@pytest.mark.parametrize(
    "name",
    [
        *("NASNetMobile", "EfficientNetV2B0", "ConvNeXtTiny", "ResNet50"),
        *map(legacy, ("RegNetY002", "ResNetRS50")),
    ],
)
def test_an_applications_layers_are_weightwatchers(name):
    model = keras_models.build(name, pretrained=False)
    assert as_described(model) == described(model)
    state, _ = keras_models.tensors(model)
    again, _ = keras_models.tensors(keras_models.build(name, pretrained=False))
    assert list(again) == list(state)


@TF_KERAS
def test_weightwatcher_tells_layers_by_the_classes_of_the_models_own_package():
    import tensorflow
    import tf_keras

    before = vars(tensorflow).get("keras"), sys.modules.get("tensorflow.keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((4,)), layers.LayerNormalization(), layers.Dense(3)])
    for mine, package in (model, tf_keras), (keras.Sequential([keras.layers.Input((4,))]), keras):
        with pytest.raises(ZeroDivisionError), keras_models.for_weightwatcher(mine):
            assert importlib.import_module("tensorflow.keras") is tensorflow.keras is package
            raise ZeroDivisionError
        assert (vars(tensorflow).get("keras"), sys.modules.get("tensorflow.keras")) == before
    types = {layer.name: keras_layers._type_of(layer) for layer in model.layers}
    with keras_models.for_weightwatcher(model) as readable:
        from weightwatcher import weightwatcher

        weightwatcher.WeightWatcher(model=readable)  # imports what it knows layers by
        its = {x.name: str(weightwatcher.KerasLayer(x, 0).the_type) for x in readable.layers}
    assert types == its == {"layer_normalization": "norm", "dense": "dense"}


def test_the_complete_layers_have_the_matrices_that_keras_computes_with(odd_model, tmp_path):
    mine, _, _ = ours(odd_model, tmp_path, layers="complete")
    found = mine.set_index("longname")
    kernel = {variable.path: np.asarray(variable) for variable in odd_model.weights}

    def largest(path, rows):
        matrix = next(value for key, value in kernel.items() if key.endswith(path))
        return np.linalg.norm(matrix.reshape(rows, -1).astype(float), 2) ** 2

    assert found.loc["attention/query", "spectral_norm"] == pytest.approx(
        largest("query/kernel", 32)
    )
    assert found.loc["attention/attention_output", "spectral_norm"] == pytest.approx(
        largest("attention_output/kernel", 32)
    )
    assert found.loc["heads", "spectral_norm"] == pytest.approx(largest("heads/kernel", 20))
    assert found.loc["joined", "spectral_norm"] == pytest.approx(largest("joined/kernel", 24))
    assert found.loc["inner/inside", "spectral_norm"] == pytest.approx(largest("inside/kernel", 16))
    pointwise = found.loc["separable/pointwise_kernel"]
    assert (pointwise["N"], pointwise["M"], pointwise["rf"]) == (24, 16, 1)
    recurrent = found.loc["lstm/lstm_cell/recurrent_kernel"]
    assert (recurrent["N"], recurrent["M"]) == (64, 16)
    assert found.loc["conv3d", "num_evals"] == 27
    assert found.loc["conv1d", "num_evals"] == 9 * 8
    assert found.index.is_unique


def test_another_backend_gives_the_same_weights_and_weightwatcher_the_same_numbers(
    odd_model, tmp_path
):
    """In a process of its own, on PyTorch, where TensorFlow cannot be imported."""
    paths = [str(Path(keras_models.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("KERAS_BACKEND", None)
    command = [sys.executable, keras_env.__file__, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=120)
    found = read_json(tmp_path / "found.json")
    assert found["backend"] == "torch" and found["left"] == []
    assert found["legacy"].startswith("it needs the package tf_keras (make .venv/keras.installed)")
    its = theirs(odd_model)[keras_env.NUMBERS]
    for there in found["mine"], found["its"]:
        there = pd.DataFrame(there)
        pd.testing.assert_frame_equal(there, its, check_dtype=False, rtol=1e-9)
    _, _, state = ours(odd_model, tmp_path)
    with np.load(tmp_path / "state.npz") as other:
        assert list(other) == list(state)
        assert all(np.array_equal(other[key], state[key]) for key in state)


def test_the_same_weights_in_timm_give_the_same_alphas(tmp_path):
    timm = pytest.importorskip("timm")
    import torch

    from atlas.fits import metrics as fits_metrics
    from atlas.fits import spectra as fits_spectra
    from atlas.weights.layers import tensors_of_module
    from atlas.weights.store import save

    mine, _, state = ours(
        heavy_tailed(keras_models.build("EfficientNetB0", pretrained=False)), tmp_path
    )
    module = timm.create_model("tf_efficientnet_b0", pretrained=False)
    kernels = [value for value in state.values() if value.ndim > 1]
    weights = [value for value in module.parameters() if value.ndim > 1]
    assert len(kernels) == len(weights) == 82
    with torch.no_grad():
        for kernel, weight in zip(kernels, weights, strict=True):
            depthwise = kernel.ndim == 4 and kernel.shape[0] == 1 < weight.shape[0]
            weight.copy_(kernel.transpose(0, 1) if depthwise else kernel)
    path = tmp_path / "timm.safetensors"
    save(path, module.state_dict(), tensors_of_module(module))
    rows, _ = fits_spectra.spectra(path, layers="weightwatcher", max_evals=15000, max_N=50000)
    its = pd.DataFrame(fits_metrics.details(rows, 2))
    assert len(mine) == len(its) == 82
    assert np.abs(mine["alpha"].to_numpy() / its["alpha"].to_numpy() - 1).max() < 1e-6


def test_without_its_top_a_model_has_no_classifier():
    whole, bare = (
        keras_models.tensors(keras_models.build("MobileNetV3Small", top, pretrained=False))[1]
        for top in (True, False)
    )
    left_out = {t.longname for t in whole if t.layer_type} - {
        t.longname for t in bare if t.layer_type
    }
    assert left_out == {"conv_2", "logits"}


def test_every_application_is_found_and_an_unknown_one_is_told():
    known = list(keras_models.applications())
    assert known == sorted(known) and len(known) >= 38
    assert {"EfficientNetB0", "ConvNeXtTiny", "NASNetLarge", "RegNetY320"} <= set(known)
    with pytest.raises(
        KnownFailure, match="no 'EfficientNetB'; did you mean EfficientNetB"
    ) as told:
        keras_models.build("EfficientNetB")
    assert told.value.status == "failed"


@TF_KERAS
def test_the_applications_that_keras_3_lacks_are_those_of_tf_keras():
    import tf_keras

    options = {"include_top", "weights", "classes", "pooling"}
    there = {
        name
        for name, value in vars(tf_keras.applications).items()
        if callable(value) and options <= set(getattr(value, "__code__", options).co_varnames)
    }
    assert set(keras_models.applications()) == there
    assert set(keras_models.LEGACY_APPLICATIONS) == there - set(vars(keras.applications))


def test_where_tf_keras_is_not_installed_its_applications_say_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(KnownFailure, match=r"needs the package tf_keras \(make .venv/keras.ins"):
        keras_models.build("RegNetX002", pretrained=False)
    assert keras_models.build("MobileNet", pretrained=False)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_is_loaded_and_rebuilt_with_other_weights(small, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    small.save(path)
    state, tensors = keras_models.tensors(small)
    loaded, same = keras_models.tensors(keras_models.load(path))
    assert same == tensors and list(loaded) == list(state)
    assert all(np.array_equal(loaded[key], state[key]) for key in state)
    other = {key: np.asarray(value) + 1 for key, value in state.items()}
    rebuilt = keras_models.with_weights({"source": "file", "location": str(path)}, other)
    again, _ = keras_models.tensors(rebuilt)
    assert all(np.array_equal(again[key], other[key]) for key in other)
    with pytest.raises(KnownFailure, match="do not fit the model: a/kernel"):
        keras_models.with_weights({"source": "file", "location": str(path)}, {})


@pytest.mark.parametrize("name", ["MobileNetV2", legacy("RegNetX002")])
def test_an_application_is_rebuilt_with_its_weights(name):
    identity = {"source": "keras", "location": name, "include_top": False}
    model = heavy_tailed(keras_models.build(name, False, pretrained=False))
    state, _ = keras_models.tensors(model)
    rebuilt = keras_models.with_weights(identity, state)
    pairs = zip(model.weights, rebuilt.weights, strict=True)
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)
    assert any(key.endswith("moving_variance") for key in state)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")
def test_code_in_a_file_is_refused(tmp_path, suffix):
    layers = keras.layers
    path = tmp_path / f"model{suffix}"
    keras.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x * 2)]).save(path)
    with pytest.raises(KnownFailure, match="it holds code, not only layers and weights") as told:
        keras_models.load(path)
    assert "\n" not in told.value.reason and len(told.value.reason) < 400


class Custom(keras.layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_class_of_ones_own_in_a_file_is_told(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    keras.Sequential([keras.layers.Input((3,)), Custom()]).save(path)
    with pytest.raises(KnownFailure, match="it needs code that is not Keras' own") as told:
        keras_models.load(path)
    assert "\n" not in told.value.reason and len(told.value.reason) < 400


def test_what_is_no_whole_model_is_told(small, tmp_path):
    weights = tmp_path / "model.weights.h5"
    small.save_weights(weights)
    for name in "no.h5", "no.keras", "no.pt", "zip.keras":
        (tmp_path / name).write_bytes(b"nothing")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("text", "nothing")
    for name, reason in {
        "model.weights.h5": "it holds only weights",
        "no.h5": "it is no HDF5 file",
        "no.keras": "it is no Keras model file",
        "no.pt": "it is no .keras or .h5 file",
        "zip.keras": "Keras cannot load it",
        "missing.h5": "no such file",
    }.items():
        with pytest.raises(KnownFailure, match=reason):
            keras_models.load(tmp_path / name)


def test_a_model_without_weights_is_told():
    with pytest.raises(KnownFailure, match="never built"):
        keras_models.tensors(keras.Sequential([keras.layers.Dense(3)]))


def test_quantised_weights_are_refused_with_the_reason():
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(9)])
    model.quantize("int8")
    with pytest.raises(KnownFailure, match=r"quantised .*kernel is int8") as caught:
        keras_models.tensors(model)
    assert caught.value.status == "unsupported"


def test_weights_are_downloaded_once_to_keras_own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    there = heavy_tailed(keras_models.build("MobileNetV2", False, pretrained=False))
    there.save(tmp_path / "there.h5")
    calls = []

    def fetch(origin, path, known_hash):
        calls.append((origin, known_hash))
        path.write_bytes((tmp_path / "there.h5").read_bytes())

    original = keras.src.utils.file_utils.get_file
    for cached in False, True:
        with keras_models.downloads_through(fetch) as used:
            model = keras_models.build("MobileNetV2", include_top=False)
        assert [file.cached for file in used] == [cached]
        assert used[0].path.parent == tmp_path / "home" / "models"
        assert sha256(used[0].path) == sha256(tmp_path / "there.h5")
        assert np.array_equal(np.asarray(model.weights[0]), np.asarray(there.weights[0]))
    assert len(calls) == 1 and calls[0][0].startswith("https://") and calls[0][1] is None
    assert keras.src.utils.file_utils.get_file is original


@TF_KERAS
@pytest.mark.parametrize("include_top", [True, False])
def test_tf_keras_downloads_in_the_same_way(include_top, tmp_path, monkeypatch):
    from tf_keras.src.applications import regnet
    from tf_keras.src.utils import data_utils

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    there = heavy_tailed(keras_models.build("RegNetX002", include_top, pretrained=False))
    there.save_weights(tmp_path / "there.h5")
    digest = hashlib.md5((tmp_path / "there.h5").read_bytes()).hexdigest()
    monkeypatch.setitem(regnet.WEIGHTS_HASHES, "x002", (digest, digest))
    calls = []

    def fetch(origin, path, known_hash):
        calls.append((origin, known_hash))
        path.write_bytes((tmp_path / "there.h5").read_bytes())

    original = data_utils.get_file
    for cached in False, True:
        with keras_models.downloads_through(fetch) as used:
            model = keras_models.build("RegNetX002", include_top)
        name = f"regnetx002{'' if include_top else '_notop'}.h5"
        path = tmp_path / "home" / "models" / name
        assert used == [keras_models.WeightsFile(path, cached)]
        pairs = zip(model.weights, there.weights, strict=True)
        assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)
    host = "https://storage.googleapis.com/tensorflow/keras-applications/regnet/"
    assert calls == [(host + name, f"md5:{digest}")]
    assert data_utils.get_file is original


@pytest.mark.parametrize(
    "name",
    [
        *("MobileNetV3Small", "NASNetMobile", "EfficientNetB0"),
        *map(legacy, ("RegNetY002", "ResNetRS50")),
    ],
)
def test_a_file_with_another_hash_is_refused_and_not_kept(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    hashes = []

    def fetch(origin, path, known_hash):
        hashes.append(known_hash)
        path.write_bytes(b"something else")

    with keras_models.downloads_through(fetch) as used:
        with pytest.raises(KnownFailure, match="does not have the hash"):
            keras_models.build(name)
    assert (
        used == [] and [path for path in (tmp_path / "models").rglob("*") if path.is_file()] == []
    )
    assert hashes[0].split(":")[0] in ("md5", "sha256")


def test_a_cached_file_with_another_hash_is_fetched_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "file.h5").write_bytes(b"half")
    for algorithm in "md5", "sha256":
        digest = hashlib.new(algorithm, b"whole").hexdigest()
        with keras_models.downloads_through(lambda o, path, h: path.write_bytes(b"whole")) as used:
            with keras_models._redirected(keras):
                get = keras.src.utils.file_utils.get_file
                path = get("file.h5", "https://x/file.h5", cache_subdir="models", file_hash=digest)
        assert Path(path).read_bytes() == b"whole"
        assert used[0].cached is (algorithm == "sha256")


def test_a_download_that_fails_is_told_with_its_address(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def fetch(origin, path, known_hash):
        path.write_bytes(b"half")
        raise TimeoutError("no answer\nfor 60 s")

    with keras_models.downloads_through(fetch):
        with pytest.raises(KnownFailure, match=r"https://.* cannot be downloaded: no answer for"):
            keras_models.build("MobileNetV2")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_application_comes_through_a_mirror_over_the_real_downloader(tmp_path, monkeypatch):
    """MobileNetV2: Keras knows no checksum of it. A cut on the way, and nothing is left behind."""
    home = tmp_path / "home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    there = heavy_tailed(keras_models.build("MobileNetV2", False, pretrained=False))
    folder = tmp_path / "mirror" / "keras-applications" / "mobilenet_v2"
    folder.mkdir(parents=True)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    there.save(folder / name)
    row = {"source": "keras", "location": "MobileNetV2", "include_top": False, "sha256": None}
    with Server(tmp_path / "mirror") as running:
        running.fault(name, Fault("status", 500), Fault("cut", 2_000_000))
        network = Network(f"{running.url}/files", timeout=0.5, retries=2)
        sources.obtain(row | {"revision": None}, tmp_path / "out.safetensors", network)
    file, manifest = open_weights(tmp_path / "out.safetensors")
    assert manifest["origin"] == {"source_sha256": sha256(folder / name), "file": name}
    kernel = there.get_layer("Conv1").weights[0]
    stored = next(t for t in manifest["tensors"] if t["longname"] == "Conv1")
    assert np.array_equal(
        file.get_tensor(stored["tensor"]), np.asarray(kernel).transpose(3, 2, 0, 1)
    )
    assert [path for path in (home / "models").rglob("*") if path.is_file()] == []
