"""The table in docs/layers.md, row by row: held against weightwatcher itself, and against our rules."""

import contextlib
import io
import logging
import os
import re
from pathlib import Path

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = ""
torch = pytest.importorskip("torch")

import numpy as np
from torch import nn

from atlas.errors import KnownFailure
from atlas.fits import (
    metrics,
    spectra,
)
from atlas.weights.layers import (
    ANALYSED,
    COMPLETE,
    complete_of_shape,
    cut,
    network_order,
    parameters,
    smaller_side_of,
    tensors_of_module,
    tensors_of_state_dict,
)
from atlas.weights.store import save

LIMITS = {"max_evals": 15000, "max_N": 50000}
DOCS = Path(__file__).parents[2] / "docs" / "layers.md"


# Layers that the table names


class Raw(nn.Module):
    """Raw parameters: some project activations, by their names; the others do not."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Parameter(torch.randn(20, 12))
        self.text_projection = nn.Parameter(torch.randn(20, 12))
        self.proj_table = nn.Parameter(torch.randn(20, 12))
        self.pos_embed = nn.Parameter(torch.randn(1, 20, 12))
        self.positional_embedding = nn.Parameter(torch.randn(20, 12))
        self.relative_position_bias_table = nn.Parameter(torch.randn(20, 12))
        self.cls_token = nn.Parameter(torch.randn(1, 1, 12))
        self.gamma = nn.Parameter(torch.randn(12))
        self.experts_proj = nn.Parameter(torch.randn(4, 20, 12))


class Kernel(nn.Module):
    """A module of no kind that anybody knows, with a matrix."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(20, 12))


def fused():
    from timm.layers import Attention

    return Attention(24, 2)


def gpt2():
    from transformers.pytorch_utils import Conv1D

    return Conv1D(60, 20)


def normed():
    from torch.nn.utils.parametrizations import spectral_norm, weight_norm

    return nn.Sequential(weight_norm(nn.Linear(20, 30)), spectral_norm(nn.Linear(20, 30)))


# How the eigenvalues of `complete` follow from the weight, independently of `cut`.


def whole(w):
    return [w]


def kernel_points(w):
    points = np.ndindex(*w.shape[2:])
    return [w[(slice(None), slice(None), *point)] / np.sqrt(2) for point in points]


def outputs(w):
    return [w[i] for i in range(len(w))]


PARAMETRISED = "parametrised weight (weight_norm, spectral_norm)"
# layer: (what builds it, its tensors, their matrices)
MODULE = {
    "Linear": (lambda: nn.Linear(20, 30), ["weight"], whole),
    "Linear, fused query, key and value": (fused, ["qkv.weight"], whole),
    "Conv1d": (lambda: nn.Conv1d(16, 24, 9), ["weight"], kernel_points),
    "Conv2d": (lambda: nn.Conv2d(16, 24, 3), ["weight"], kernel_points),
    "Conv2d, grouped": (lambda: nn.Conv2d(16, 24, 3, groups=4), ["weight"], kernel_points),
    "Conv2d, depthwise": (lambda: nn.Conv2d(16, 16, 3, groups=16), ["weight"], kernel_points),
    "Conv2d, pointwise": (lambda: nn.Conv2d(16, 24, 1), ["weight"], kernel_points),
    "Conv3d": (lambda: nn.Conv3d(10, 14, (3, 2, 1)), ["weight"], kernel_points),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(10, 14, 5), ["weight"], kernel_points),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(10, 14, 3), ["weight"], kernel_points),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(10, 14, 2), ["weight"], kernel_points),
    "Embedding": (lambda: nn.Embedding(40, 10), ["weight"], whole),
    "Embedding, more than max_N entries": (lambda: nn.Embedding(50001, 9), ["weight"], whole),
    "Conv2d, more than max_evals eigenvalues": (
        lambda: nn.Conv2d(64, 70, 16),
        ["weight"],
        kernel_points,
    ),
    "Bilinear": (lambda: nn.Bilinear(12, 14, 10), ["weight"], outputs),
    "MultiheadAttention, in_proj_weight": (
        lambda: nn.MultiheadAttention(16, 2),
        ["in_proj_weight"],
        whole,
    ),
    "MultiheadAttention, q_proj_weight": (
        lambda: nn.MultiheadAttention(16, 2, kdim=12, vdim=20),
        ["q_proj_weight", "k_proj_weight", "v_proj_weight"],
        whole,
    ),
    "MultiheadAttention, out_proj": (
        lambda: nn.MultiheadAttention(16, 2),
        ["out_proj.weight"],
        whole,
    ),
    "LSTM": (
        lambda: nn.LSTM(16, 12, num_layers=2, proj_size=9),
        [f"weight_{kind}_l{i}" for i in (0, 1) for kind in ("ih", "hh", "hr")],
        whole,
    ),
    "GRU, bidirectional": (
        lambda: nn.GRU(16, 12, bidirectional=True),
        [f"weight_{kind}_l0{way}" for way in ("", "_reverse") for kind in ("ih", "hh")],
        whole,
    ),
    "RNNCell": (lambda: nn.RNNCell(16, 12), ["weight_ih", "weight_hh"], whole),
    "Conv1D of transformers (GPT-2)": (gpt2, ["weight"], whole),
    "normalisation": (lambda: nn.LayerNorm(40), ["weight", "bias"], None),
    "bias": (lambda: nn.LSTM(16, 12), ["bias_ih_l0", "bias_hh_l0"], None),
    "raw parameter named proj or projection": (Raw, ["proj", "text_projection"], whole),
    "raw parameter of another name": (
        Raw,
        [
            *("proj_table", "pos_embed", "positional_embedding", "relative_position_bias_table"),
            *("cls_token", "gamma", "experts_proj"),
        ],
        None,
    ),
    "module of another kind": (Kernel, ["weight"], None),
    PARAMETRISED: (
        normed,
        [f"0.parametrizations.weight.original{i}" for i in (0, 1)]
        + ["1.parametrizations.weight.original"],
        None,
    ),
}
STATE = {
    "Linear": MODULE["Linear"],
    "Linear with one output": (lambda: nn.Linear(20, 1), ["weight"], None),
    "Bilinear, or a batch of matrices (experts)": (
        lambda: nn.Bilinear(12, 14, 10),
        ["weight"],
        None,
    ),
    "module of another kind": (Kernel, ["weight"], whole),
    **{
        layer: MODULE[layer]
        for layer in (
            *("Embedding", "Embedding, more than max_N entries", "Conv1D of transformers (GPT-2)"),
            *("Conv2d", "ConvTranspose2d", "Conv1d", "Conv3d", "ConvTranspose3d", "LSTM"),
            *("MultiheadAttention, in_proj_weight", "RNNCell", "normalisation", "bias"),
            *("raw parameter named proj or projection", "raw parameter of another name"),
            PARAMETRISED,
        )
    },
}


def table():
    """The rows of the table: {(framework, layer): (weightwatcher's cell, complete's cell)}."""
    rows = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if (
            line.startswith("|")
            and len(cells) == 5
            and cells[0] in ("module", "state dict", "Keras")
        ):
            assert cells[4], line
            assert (cells[0], cells[1]) not in rows, line
            rows[cells[0], cells[1]] = (cells[2], cells[3])
    return rows


TABLE = table()


def type_in(cell):
    """The layer type that a cell of the table gives, or None for a layer that is left out."""
    if cell in ("left out", "gives up"):
        return None
    return re.match(r"`(\w+)`(, misread)?$", cell)[1]


def described(model):
    """What weightwatcher takes: {longname: (layer_id, name, layer_type, N, M, rf)}; None if it gives up."""
    import weightwatcher

    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            watcher = weightwatcher.WeightWatcher(model=model)
            details = watcher.describe(min_evals=1, **LIMITS)
    except (AttributeError, KeyError):
        return None
    finally:
        logging.disable(logging.NOTSET)
    columns = ["layer_id", "name", "layer_type", "N", "M", "rf"]
    return {row["longname"]: tuple(row[c] for c in columns) for row in details.to_dict("records")}


def taken(tensors):
    """What our rules take where weightwatcher's are asked for, in the form of ``described``."""
    found = {}
    for tensor in tensors:
        if not spectra.why_left_out(tensor.as_dict(), **LIMITS):
            cutting = cut(np.broadcast_to(np.zeros(()), tensor.shape), tensor.layer_type)
            sizes = (cutting.N, cutting.M, cutting.rf)
            assert tensor.longname not in found
            found[tensor.longname] = (tensor.layer_id, tensor.name, tensor.layer_type, *sizes)
    return found


def of_state(module):
    return tensors_of_state_dict({key: value.shape for key, value in module.state_dict().items()})


def rows_of(path, module, tensors, layers):
    save(path, module.state_dict(), tensors)
    rows, _ = spectra.spectra(path, layers=layers, **LIMITS)
    return {row["tensor"]: row for row in rows}


def longname_of(key):
    return key.removesuffix(".weight")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_the_table_has_a_row_for_every_case_and_a_case_for_every_row():
    cases = {("module", layer) for layer in MODULE} | {("state dict", layer) for layer in STATE}
    assert cases | {("Keras", layer) for layer in KERAS} == TABLE.keys()
    for cells in TABLE.values():
        types = [type_in(cell) for cell in cells]
        assert types[0] in {None, *ANALYSED}
        assert types[1] in {None, *ANALYSED, *COMPLETE}
        # Where the two differ, either weightwatcher takes nothing or the table says it misreads.
        assert types[0] in (None, types[1]) or cells[0].endswith(", misread")


CASES = [
    *[("module", layer, *case) for layer, case in MODULE.items()],
    *[("state dict", layer, *case) for layer, case in STATE.items()],
]


@pytest.mark.parametrize(
    "framework, layer, build, keys, matrices", CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES]
)
def test_a_layer_is_taken_as_the_table_says(framework, layer, build, keys, matrices, tmp_path):
    theirs, ours = TABLE[framework, layer]
    # A second layer, since weightwatcher gives up a state dict without a key in ".weight".
    module = nn.ModuleDict({"layer": build(), "other": nn.Linear(30, 10)})
    keys = [f"layer.{key}" for key in keys]
    weights = {key: value.double().numpy() for key, value in module.state_dict().items()}
    state = framework == "state dict"
    tensors = of_state(module) if state else tensors_of_module(module)
    its = described(dict(module.state_dict()) if state else module)
    assert (its is None) == (theirs == "gives up")
    if its is not None:
        assert taken(tensors) == its
        for key in keys:
            row = its.get(longname_of(key))
            assert (row and row[2]) == type_in(theirs), key

    like_weightwatcher, complete = (
        rows_of(tmp_path / "weights", module, tensors, layers) for layers in spectra.LAYERS
    )
    assert complete.keys() == like_weightwatcher.keys()
    assert not complete["other.weight"]["reason"]
    for key in keys:
        row = complete[key]
        assert (None if row["reason"] else row["layer_type"]) == type_in(ours), key
        if matrices is None:
            assert row["evals"] is None
            continue
        assert (row["longname"], row["name"]) == (longname_of(key), row["name"])
        assert longname_of(key).endswith(row["name"]) and row["layer_id"] >= 0
        parts = matrices(weights[key])
        singular = [np.linalg.svd(part, compute_uv=False) for part in parts]
        assert row["evals"] == pytest.approx(np.sort(np.concatenate(singular) ** 2), rel=1e-9)
        assert (row["N"], row["M"], row["rf"]) == (
            *(max(parts[0].shape), min(parts[0].shape)),
            len(parts),
        )
        assert row["sv_max"] == pytest.approx(max(values.max() for values in singular))
        assert row["rank_loss"] == 0
        assert row["parameters"] == weights[key].size
    for key, row in like_weightwatcher.items():
        # Both modes agree on every row that the table calls the same.
        if row["reason"]:
            assert (row["evals"], row["M"]) == (None, None)
            # Only a layer that is too large is named.
            names = (row["layer_id"], row["name"], row["longname"])
            assert row["layer_type"] in ANALYSED or names == (None, "", "")
        elif key not in keys or not theirs.endswith("misread"):
            assert {**row, "evals": None} == {**complete[key], "evals": None}
            assert np.array_equal(row["evals"], complete[key]["evals"])
    longnames = [row["longname"] for row in complete.values() if not row["reason"]]
    assert len(longnames) == len(set(longnames))


@pytest.mark.parametrize(
    "architecture",
    [
        *("resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_050", "convnext_atto"),
        *("mixer_s32_224", "efficientnet_b0", "mobilevit_xxs", "levit_128s", "coat_tiny"),
        *("xcit_nano_12_p16_224", "ghostnet_050", "regnetx_002", "test_nfnet", "test_mambaout"),
        *("test_byobnet", "test_vit3", "swin_tiny_patch4_window7_224"),
    ],
)
@pytest.mark.parametrize("framework", ["module", "state dict"])
def test_an_architecture_has_weightwatchers_layers(architecture, framework):
    timm = pytest.importorskip("timm")
    module = timm.create_model(architecture, pretrained=False)
    state = framework == "state dict"
    tensors = of_state(module) if state else tensors_of_module(module)
    its = described(dict(module.state_dict()) if state else module)
    assert len(its) > 10
    assert taken(tensors) == its
    assert list(taken(tensors)) == list(its)
    # Every parameter, whatever becomes of it; once, also where a module is used in several places
    # (coat_tiny), which a state dict does not tell.
    total = {key: tuple(value.shape) for key, value in module.named_parameters()}
    listed = {tensor.tensor: tensor.shape for tensor in tensors}
    assert len(listed) == len(tensors)
    assert total.items() <= listed.items()
    if not state:
        assert listed.keys() == total.keys()


def share(module, layers):
    entries = [tensor.as_dict() for tensor in tensors_of_module(module)]
    left = [e["shape"] for e in entries if spectra.why_left_out(e, **LIMITS, layers=layers)]
    return 1 - parameters(left) / parameters(entry["shape"] for entry in entries)


def test_a_vision_transformer_of_torchvision_regains_its_attention():
    models = pytest.importorskip("torchvision.models")
    module = models.VisionTransformer(32, 8, 4, 2, 48, 96, num_classes=10)
    assert taken(tensors_of_module(module)) == described(module)
    complete = {t.longname: t.complete for t in tensors_of_module(module) if t.complete}
    assert complete == {
        f"encoder.layers.encoder_layer_{i}.self_attention.in_proj_weight": "attention"
        for i in range(4)
    }
    assert share(module, "weightwatcher") < 0.7
    assert share(module, "complete") > 0.95


def test_complete_raises_the_coverage_of_a_summary(tmp_path):
    module = nn.ModuleDict({"lstm": nn.LSTM(32, 40), "head": nn.Linear(40, 20)})
    coverage = {}
    for layers in spectra.LAYERS:
        rows = list(
            rows_of(tmp_path / "weights", module, tensors_of_module(module), layers).values()
        )
        summary = metrics.summarise(metrics.details(rows, 8), rows, 8)
        coverage[layers] = summary["coverage"]
    total = sum(p.numel() for p in module.parameters())
    vectors = sum(p.numel() for p in module.parameters() if p.ndim == 1)
    assert coverage["weightwatcher"] == pytest.approx(800 / total)
    assert coverage["complete"] == pytest.approx(1 - vectors / total)


def test_complete_limits_the_smaller_side_of_one_matrix(tmp_path):
    module = nn.ModuleDict(
        {"a": nn.Linear(300, 40), "b": nn.Conv2d(24, 30, 5), "c": nn.GRUCell(45, 41)}
    )
    path = tmp_path / "weights"
    save(path, module.state_dict(), tensors_of_module(module))

    def reasons(layers, max_evals, max_N):
        rows, _ = spectra.spectra(path, layers=layers, max_evals=max_evals, max_N=max_N)
        return {row["tensor"]: row["reason"] for row in rows if row["tensor"].count("weight")}

    assert reasons("weightwatcher", 599, 300) == {
        "a.weight": "",
        "b.weight": "600 eigenvalues > 599",
        "c.weight_ih": "no layer's weight",
        "c.weight_hh": "no layer's weight",
    }
    assert reasons("weightwatcher", 600, 299)["a.weight"] == "N = 300 > 299"
    assert reasons("complete", 40, 40) == {
        "a.weight": "",
        "b.weight": "",
        "c.weight_ih": "smaller side 45 > 40",
        "c.weight_hh": "smaller side 41 > 40",
    }
    assert reasons("complete", 45, 24)["a.weight"] == "smaller side 40 > 24"
    with pytest.raises(KnownFailure, match="Alpha Atlas could analyse"):
        reasons("complete", 23, 50000)


def test_layers_of_another_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not one of"):
        spectra.spectra(tmp_path / "weights", layers="all", **LIMITS)


@pytest.mark.parametrize(
    "layer_type, shape, matrices",
    [
        ("conv1d_slices", (24, 16, 5), kernel_points),
        ("conv_transpose", (6, 9, 2, 3), kernel_points),
        ("conv3d", (7, 5, 2, 3, 2), kernel_points),
        (
            "conv_channels_last",
            (2, 3, 8, 5),
            lambda w: [w[i, j] / np.sqrt(2) for i in range(2) for j in range(3)],
        ),
        ("bilinear", (4, 6, 7), outputs),
        ("dense_first_axis", (12, 3, 7), lambda w: [np.hstack([w[:, i] for i in range(3)])]),
        ("dense_last_axis", (3, 7, 12), lambda w: [np.vstack([w[i] for i in range(3)])]),
    ],
)
def test_a_tensor_is_cut_into_its_matrices(layer_type, shape, matrices):
    weight = np.random.default_rng(0).normal(size=shape)
    kept = weight.copy()
    found = spectra.layer_spectrum(weight, layer_type)
    parts = matrices(weight)
    expected = np.concatenate([np.linalg.svd(part, compute_uv=False) ** 2 for part in parts])
    assert found["evals"] == pytest.approx(np.sort(expected), rel=1e-9)
    assert (found["N"], found["M"], found["rf"]) == (
        *(max(parts[0].shape), min(parts[0].shape)),
        len(parts),
    )
    assert smaller_side_of(shape, layer_type) == min(parts[0].shape)
    assert np.array_equal(weight, kept)


@pytest.mark.parametrize(
    "shape, layer_type",
    [
        ((24, 16, 5), "conv1d_slices"),
        ((16, 24, 15), "conv1d_slices"),
        ((24, 16, 16), ""),
        ((24, 12, 16), ""),
        ((8, 40, 30), ""),
        ((24, 1, 4), ""),
        ((1, 16, 3, 3, 3), "conv3d"),
        ((24, 16), ""),
        ((24, 16, 3, 3), ""),
        ((24,), ""),
        ((), ""),
    ],
)
def test_the_shape_of_a_state_dicts_weight_tells_a_convolution(shape, layer_type):
    assert complete_of_shape(shape) == layer_type


def test_n_and_m_of_an_added_convolution_are_not_exchanged():
    added = {"layer_type": "", "complete": "conv2d"}
    same = {"layer_type": "conv2d", "complete": ""}
    weight = np.random.default_rng(0).normal(size=(12, 20, 2, 2))
    row = spectra.layer_spectrum(weight, spectra.cut_as(added, "complete"))
    assert (row["N"], row["M"]) == (20, 12)
    assert spectra.type_of(added, "complete") == "conv2d"
    for layers in spectra.LAYERS:
        its = spectra.layer_spectrum(weight, spectra.cut_as(same, layers))
        assert (its["N"], its["M"]) == (12, 20)
        assert its["evals"] == pytest.approx(row["evals"], rel=1e-12)


@pytest.mark.parametrize("layer_type", ["recurrent", "attention"])
def test_a_batch_is_no_single_matrix(layer_type):
    with pytest.raises(ValueError, match="3 axes"):
        cut(np.zeros((2, 3, 4)), layer_type)


# Keras


def plain(make, shape):
    """A model of one layer named ``layer``."""

    def build():
        import keras

        return keras.Sequential([keras.Input(shape), make(keras.layers)])

    return build


def attention():
    import keras

    values = keras.Input((8, 16))
    layer = keras.layers.MultiHeadAttention(4, 9, name="layer")
    return keras.Model(values, layer(values, values))


def nested():
    import keras

    inner = keras.Sequential(
        [keras.Input((20,)), keras.layers.Dense(30, name="inner")], name="layer"
    )
    values = keras.Input((20,))
    return keras.Model(values, inner(values))


PLANE, LINE, VOLUME = (8, 8, 16), (20, 16), (8, 8, 8, 16)
SEPARABLE = plain(lambda k: k.SeparableConv2D(24, 3, name="layer"), PLANE)
# layer: (what builds the model, its tensors)
KERAS = {
    "Dense": (plain(lambda k: k.Dense(30, name="layer"), (20,)), ["kernel"]),
    "Conv1D": (plain(lambda k: k.Conv1D(24, 9, name="layer"), LINE), ["kernel"]),
    "Conv1DTranspose": (plain(lambda k: k.Conv1DTranspose(24, 9, name="layer"), LINE), ["kernel"]),
    "Conv2D": (plain(lambda k: k.Conv2D(24, 3, name="layer"), PLANE), ["kernel"]),
    "Conv2D, grouped": (
        plain(lambda k: k.Conv2D(24, 3, groups=4, name="layer"), PLANE),
        ["kernel"],
    ),
    "DepthwiseConv2D": (plain(lambda k: k.DepthwiseConv2D(3, name="layer"), PLANE), ["kernel"]),
    "Conv2DTranspose": (plain(lambda k: k.Conv2DTranspose(24, 3, name="layer"), PLANE), ["kernel"]),
    "SeparableConv2D, depthwise_kernel": (SEPARABLE, ["depthwise_kernel"]),
    "SeparableConv2D, pointwise_kernel": (SEPARABLE, ["pointwise_kernel"]),
    "Conv3D": (plain(lambda k: k.Conv3D(24, 3, name="layer"), VOLUME), ["kernel"]),
    "Conv3DTranspose": (
        plain(lambda k: k.Conv3DTranspose(24, 3, name="layer"), VOLUME),
        ["kernel"],
    ),
    "Embedding": (plain(lambda k: k.Embedding(40, 16, name="layer"), (8,)), ["embeddings"]),
    "EinsumDense, kernel with two axes": (
        plain(lambda k: k.EinsumDense("abc,cd->abd", (None, 20), name="layer"), LINE),
        ["kernel"],
    ),
    "EinsumDense, kernel with three axes": (
        plain(lambda k: k.EinsumDense("abc,cde->abde", (None, 4, 20), name="layer"), LINE),
        ["kernel"],
    ),
    "MultiHeadAttention": (
        attention,
        [f"{part}/kernel" for part in ("query", "key", "value", "attention_output")],
    ),
    "LSTM": (
        plain(lambda k: k.LSTM(24, name="layer"), LINE),
        ["lstm_cell/kernel", "lstm_cell/recurrent_kernel"],
    ),
    "GRU, bidirectional": (
        plain(lambda k: k.Bidirectional(k.GRU(24), name="layer"), LINE),
        [
            f"{way}_gru/gru_cell/{kernel}"
            for way in ("forward", "backward")
            for kernel in ("kernel", "recurrent_kernel")
        ],
    ),
    "TimeDistributed Dense": (
        plain(lambda k: k.TimeDistributed(k.Dense(20, name="inner"), name="layer"), LINE),
        ["inner/kernel"],
    ),
    "Dense in a nested model": (nested, ["inner/kernel"]),
    "normalisation": (plain(lambda k: k.LayerNormalization(name="layer"), LINE), ["gamma", "beta"]),
    "bias": (plain(lambda k: k.Dense(30, name="layer"), (20,)), ["bias"]),
}


@pytest.fixture(scope="module")
def keras_models():
    pytest.importorskip("keras")
    from atlas.weights import keras_models

    return keras_models


@pytest.mark.parametrize("layer", KERAS)
def test_a_keras_layer_is_taken_as_the_table_says(layer, keras_models):
    theirs, ours = TABLE["Keras", layer]
    build, names = KERAS[layer]
    keras_models.applications()  # imports Keras on the backend that the package chooses
    model = build()
    with keras_models.for_weightwatcher(model) as given:
        its = described(given)
    state, tensors = keras_models.tensors(model)
    mine = {longname: row[2:] for longname, row in taken(tensors).items()}
    assert mine == {longname: row[2:] for longname, row in its.items()}
    by_name = {tensor.tensor: tensor.as_dict() for tensor in tensors}
    for name in names:
        entry = by_name[f"layer/{name}"]
        found = its.get("layer")
        if found and theirs == "left out":
            # It takes another weight of the layer: this one has no such matrices.
            assert name in ("pointwise_kernel", "bias")
            assert np.prod(found[3:]) != np.prod(entry["shape"])
            found = None
        assert (found and found[2]) == type_in(theirs), name
        left_out = spectra.why_left_out(entry, **LIMITS, layers="complete")
        assert (None if left_out else spectra.type_of(entry, "complete")) == type_in(ours), name
        if not left_out:
            spectrum = spectra.layer_spectrum(
                state[entry["tensor"]].numpy(), spectra.cut_as(entry, "complete")
            )
            assert len(spectrum["evals"]) == spectrum["M"] * spectrum["rf"]
            size = spectrum["N"] * spectrum["M"] * spectrum["rf"]
            assert size == np.prod(entry["shape"])


@pytest.mark.parametrize(
    "names",
    [
        "stem.0 layers.0.fc layers.2.fc layers.10.fc classifier.1 classifier.4",
        "conv1 layer1.0.conv1 layer1.0.conv2 layer1.0.downsample.0 layer1.1.conv1 layer2.0.conv1 fc",
        "conv_stem blocks.0.0.conv blocks.1.0.conv conv_head classifier",
        "0 2 10",
        "layer2 layer10",
        "transformer.wpe transformer.wte transformer.h.0.attn.c_attn transformer.h.0.attn.c_proj "
        "transformer.h.0.mlp.c_fc transformer.h.9.mlp.c_fc transformer.h.11.mlp.c_fc lm_head",
        "bert.embeddings.word_embeddings bert.encoder.layer.2.attention.self.key "
        "bert.encoder.layer.2.attention.output.dense bert.encoder.layer.2.intermediate.dense "
        "bert.encoder.layer.2.output.dense bert.encoder.layer.10.attention.self.key "
        "bert.pooler.dense cls.predictions.transform.dense",
        "model.embed_tokens model.layers.9.self_attn.q_proj model.layers.9.self_attn.o_proj "
        "model.layers.9.mlp.up_proj model.layers.9.mlp.down_proj model.layers.10.mlp.up_proj lm_head",
        "gpt_neox.embed_in gpt_neox.layers.0.attention.dense gpt_neox.layers.0.mlp.x embed_out",
        "shared encoder.block.0.layer.0.q encoder.block.11.layer.0.q decoder.block.0.layer.0.q "
        "lm_head",
        "patch_embed.proj blocks.1.attn.qkv blocks.1.attn.proj blocks.1.mlp.fc1 blocks.1.mlp.fc2 "
        "blocks.10.attn.qkv head",
    ],
)
def test_names_are_put_in_the_order_of_the_network(names):
    expected = [f"{name}.weight" for name in names.split()]
    assert network_order(sorted(expected)) == expected
    assert network_order(expected[::-1]) == expected
