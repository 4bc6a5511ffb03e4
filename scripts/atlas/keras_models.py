"""Keras models: Keras Applications, and users' own ``.keras`` and ``.h5`` files.

They are read on TensorFlow, or on the backend that KERAS_BACKEND names. RegNet and ResNetRS, which
Keras 3 no longer has, are those of Keras 2 (the package tf_keras), always on TensorFlow. The rules
on which weights count as layer matrices restate what weightwatcher 0.7.7 does with a Keras model;
the audit holds them against weightwatcher itself. It looks at the model's own layers only (not into
nested models or layers made of layers), knows them by words in the name of their class, and takes
the first weight of each.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import tempfile
import types
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from atlas.errors import KnownFailure
from atlas.layers import (
    ANALYSED,
    CONV1D,
    CONV2D,
    CONV3D,
    CONV_LAST,
    CONV_TRANSPOSE,
    DENSE,
    DENSE_FIRST,
    DENSE_LAST,
    EMBEDDING,
    NO_WEIGHT,
    NORM,
    RECURRENT,
    UNKNOWN,
    Tensor,
)

if TYPE_CHECKING:
    import keras
    import torch

Fetch = Callable[[str, Path, str | None], None]
"""Downloads an address to a path; the third is the known hash, ``md5:...`` or ``sha256:...``."""

FLATTENED = "flattened"

LEGACY = "tf_keras"
LEGACY_APPLICATIONS = (
    *(
        f"RegNet{kind}{size:03}"
        for kind in "XY"
        for size in (2, 4, 6, 8, 16, 32, 40, 64, 80, 120, 160, 320)
    ),
    *(f"ResNetRS{depth}" for depth in (50, 101, 152, 200, 270, 350, 420)),
)
"""What Keras 2 has and Keras 3 has not; known here so that listing needs no TensorFlow."""


@dataclass(frozen=True)
class WeightsFile:
    """A weights file that a model was built from, and whether it was there before."""

    path: Path
    cached: bool


@dataclass(frozen=True)
class Layout:
    """How a Keras variable is stored: its axes transposed, then reshaped."""

    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def store(self, value: np.ndarray) -> np.ndarray:
        """A variable's value as it is stored."""
        return np.ascontiguousarray(value.transpose(self.axes).reshape(self.shape))

    def restore(self, stored: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The value of a variable of this shape, from what is stored."""
        value = stored.reshape([shape[axis] for axis in self.axes])
        return value.transpose(np.argsort(self.axes))


def applications() -> dict[str, Callable[..., keras.Model]]:
    """The functions of ``keras.applications`` that build a model, by name, sorted.

    Those of Keras 2 alone are among them. Raises KnownFailure where Keras is not installed; they do
    so when called, where tf_keras is not.
    """
    found = {
        name: value
        for name, value in vars(_keras().applications).items()
        if inspect.isfunction(value)
        and {"include_top", "weights"} <= inspect.signature(value).parameters.keys()
    }
    for name in LEGACY_APPLICATIONS:
        found.setdefault(name, partial(_legacy, name))
    return dict(sorted(found.items()))


def _legacy(name: str, **options: Any) -> keras.Model:
    return getattr(_package(LEGACY).applications, name)(**options)


def build(name: str, include_top: bool = True, pretrained: bool = True) -> keras.Model:
    """A Keras Application with its ImageNet weights, or randomly initialised ones.

    Names of layers do not depend on what was built before in this process: Keras' counters for them
    start anew. Raises KnownFailure for an unknown name or weights that cannot be had.
    """
    known = applications()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise KnownFailure("failed", f"Keras Applications have no {name!r}{hint}")
    package = _package(LEGACY) if name in LEGACY_APPLICATIONS else _keras()
    package.backend.clear_session()
    try:
        with warnings.catch_warnings(), _redirected(package):
            # Without a top the size of images is open; the weights are the same for any.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
            return known[name](include_top=include_top, weights="imagenet" if pretrained else None)
    except KnownFailure:
        raise
    except Exception as error:  # the network, a full disk, a file that is no HDF5, ...
        reason = f"Keras cannot build {name}: {_first_line(error)}"
        raise KnownFailure("failed", reason) from error


@contextmanager
def downloads_through(fetch: Fetch) -> Iterator[list[WeightsFile]]:
    """Let ``build`` get its weights by ``fetch(origin, path, known_hash)`` within the block.

    The files stay where Keras keeps them (``KERAS_HOME`` or ``~/.keras``, then ``models``). A cached
    file is used if it has the hash that Keras knows; else it is fetched beside, checked and renamed.
    ``known_hash`` is ``md5:...``, ``sha256:...`` or None where Keras knows none. Yields a list that
    the files used are appended to. Raises KnownFailure where a download fails or has another hash.
    """
    used: list[WeightsFile] = []

    def get_file(
        fname: str | None = None,
        origin: str | None = None,
        *,
        file_hash: str | None = None,
        md5_hash: str | None = None,
        cache_subdir: str = "datasets",
        cache_dir: str | None = None,
        **options: Any,
    ) -> str:
        if unexpected := {key for key, value in options.items() if value not in (False, "auto")}:
            raise KnownFailure("failed", f"no way to download with {', '.join(sorted(unexpected))}")
        path = _cache(cache_dir) / cache_subdir / (fname or Path(urlsplit(origin).path).name)
        known = _known_hash(file_hash or md5_hash)
        cached = path.is_file() and _has_hash(path, known)
        if not cached:
            _download(fetch, origin, path, known)
        used.append(WeightsFile(path, cached))
        return str(path)

    token = _get_file.set(get_file)
    try:
        yield used
    finally:
        _get_file.reset(token)


_get_file: ContextVar[Callable[..., str] | None] = ContextVar("get_file", default=None)


@contextmanager
def _redirected(package: types.ModuleType) -> Iterator[None]:
    """Let a package's applications download as ``downloads_through`` says, if within one."""
    # Every module of the applications looks the function up here whenever it is called.
    where = "tf_keras.src.utils.data_utils" if _is_legacy(package) else "keras.src.utils.file_utils"
    module = importlib.import_module(where)
    original = module.get_file
    module.get_file = _get_file.get() or original
    try:
        yield
    finally:
        module.get_file = original


def load(path: Path) -> keras.Model:
    """A whole model from a ``.keras`` or ``.h5`` file, without its optimiser; no code in it is run.

    Raises KnownFailure for a file that is none of these, holds only weights, or needs code.
    """
    path = Path(path)
    keras = _keras()
    _check_format(path)
    keras.utils.clear_session(free_memory=False)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds
        raise KnownFailure("failed", f"{path}: {_why_not_loaded(error)}") from None
    if not isinstance(model, keras.Model):
        raise KnownFailure("failed", f"{path}: it holds a {type(model).__name__}, no Keras model")
    return model


def tensors(model: keras.Model) -> tuple[dict[str, torch.Tensor], list[Tensor]]:
    """The weights of a Keras model by name, float32, and what weightwatcher makes of each.

    Names are ``<layer>/<variable>``, through nested layers. Kernels are in PyTorch's layout, as
    ``atlas.layers.cut`` expects it: dense (out, in), convolutions (out, in, height, width),
    transposed ones (in, out, height, width); what weightwatcher reads as a batch of matrices keeps
    Keras' layout. The list has every parameter, in the model's order; moving statistics are among
    the weights only. Raises KnownFailure for a model without weights yet, or with quantised ones.
    """
    import torch

    convert_to_numpy = _keras().ops.convert_to_numpy
    if any(not layer.built for layer in model.layers):
        raise KnownFailure("failed", "the Keras model was never built, so it has no weights")
    state, found = {}, []
    for item in _walk(model):
        value = np.asarray(convert_to_numpy(item.variable))
        if np.issubdtype(value.dtype, np.integer) or value.dtype == bool:
            if value.ndim > 1 and value.dtype.itemsize == 1 and value.dtype != bool:
                reason = f"its weights are quantised ({item.key} is {value.dtype}); "
                raise KnownFailure("unsupported", reason + "save it in floating point")
            continue  # counters and seeds
        value = item.layout.store(value.astype(np.float32))
        state[item.key] = torch.from_numpy(np.array(value))
        if item.parameter or item.layer_type:
            found.append(item.entry())
    return state, found


def with_weights(identity: Mapping[str, Any], state: Mapping[str, Any]) -> keras.Model:
    """The model of a row, built anew, with weights as ``tensors`` gave them (arrays or tensors).

    Raises KnownFailure where the model cannot be built or the weights do not fit it.
    """
    if identity["source"] == "keras":
        top = identity.get("include_top")
        model = build(identity["location"], True if top is None else top, pretrained=False)
    else:
        model = load(Path(identity["location"]))
    for item in _walk(model):
        dtype = _keras().backend.standardize_dtype(item.variable.dtype)
        if not dtype.startswith(("float", "bfloat")):
            continue
        stored = state.get(item.key)
        if stored is None or tuple(stored.shape) != item.layout.shape:
            raise KnownFailure("failed", f"the weights do not fit the model: {item.key}")
        item.variable.assign(item.layout.restore(np.asarray(stored), tuple(item.variable.shape)))
    return model


@contextmanager
def for_weightwatcher(model: keras.Model) -> Iterator[Any]:
    """What to hand weightwatcher so that its own Keras code reads the model, on any backend.

    weightwatcher imports ``tensorflow``, of which it uses only the name ``keras`` to tell layers'
    classes: within the block that is the package that the model is of, be TensorFlow there or not.
    On TensorFlow, what is handed over is the model. On another backend weightwatcher would take any
    class with "torch" in its ancestry for a PyTorch module (and find no ``weight`` in it), so it is
    given an object with nothing but the model's ``layers``. Everything else is its own.
    """
    package = _package_of(model)
    with _as_tensorflow_keras(package):
        if _is_legacy(package) or package.backend.backend() == "tensorflow":
            yield model
        else:
            yield KerasLayers(model.layers)


class KerasLayers:
    """The layers of a Keras model; weightwatcher knows it as Keras by the name of the class."""

    def __init__(self, layers: list[keras.Layer]) -> None:
        self.layers = layers


@contextmanager
def _as_tensorflow_keras(package: types.ModuleType) -> Iterator[None]:
    """Let ``tensorflow.keras`` be this package, with an empty ``tensorflow`` where it is not loaded."""
    names = "tensorflow", "tensorflow.keras"
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    tensorflow = before.get("tensorflow")
    if tensorflow is None:
        tensorflow = types.ModuleType("tensorflow")
        tensorflow.__version__ = f"absent; Keras {package.__version__}"
        tensorflow.__spec__ = importlib.machinery.ModuleSpec("tensorflow", None)  # for find_spec
    own = vars(tensorflow).get("keras")
    tensorflow.keras = package
    sys.modules.update(zip(names, (tensorflow, package), strict=True))
    try:
        yield
    finally:
        tensorflow.keras = own
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


@dataclass(frozen=True)
class _Variable:
    """One variable of a model: where it is, how it is stored, what weightwatcher makes of it."""

    variable: Any
    key: str
    layout: Layout
    parameter: bool
    layer_id: int | None = None
    name: str = ""
    longname: str = ""
    layer_type: str = ""
    reason: str = ""
    complete: str = ""

    def entry(self) -> Tensor:
        return Tensor(
            self.key,
            self.layout.shape,
            self.layer_id,
            self.name,
            self.longname,
            self.layer_type,
            self.reason,
            self.complete,
        )


def _walk(model: keras.Model) -> Iterator[_Variable]:
    """Every variable of a model once, in the order of its layers."""
    seen: set[int] = set()
    keys: set[str] = set()
    for layer_id, layer in enumerate(model.layers):
        layer_type = _type_of(layer)
        weights = layer.weights
        first = weights[0] if weights and layer_type in ANALYSED else None
        for owner, prefix in _owners(layer, layer.name):
            for variable, parameter in _own_variables(owner):
                if id(variable) in seen:
                    continue  # a layer used twice has its weights once
                seen.add(id(variable))
                key = _unique(f"{prefix}/{_name(variable)}", keys)
                shape = tuple(variable.shape)
                if variable is first and not (layer_type == CONV2D and len(shape) != 4):
                    layout = _as_weightwatcher_reads(shape, layer_type)
                    names = (layer_id, layer.name, layer.name)
                    complete = _where_misread(owner, shape, layer_type)
                    yield _Variable(
                        variable, key, layout, parameter, *names, layer_type, complete=complete
                    )
                    continue
                layout, complete = _as_it_is(owner, variable)
                names = (layer_id, owner.name, _longname(prefix, key)) if complete else ()
                reason = _why_not(layer, owner, variable)
                named = dict(zip(("layer_id", "name", "longname"), names, strict=False))
                yield _Variable(
                    variable, key, layout, parameter, reason=reason, complete=complete, **named
                )
    # A model of one's own class may hold variables outside of its layers.
    for variable in model.weights:
        if id(variable) not in seen:
            seen.add(id(variable))
            shape = tuple(variable.shape)
            key = _unique(f"{model.name}/{_name(variable)}", keys)
            yield _Variable(variable, key, _plain(shape), variable.trainable, reason=NO_WEIGHT)


def _owners(layer: keras.Layer, prefix: str) -> Iterator[tuple[keras.Layer, str]]:
    """A layer and the layers within it, in the order in which Keras lists their weights."""
    yield layer, prefix
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        yield from _owners(inner, f"{prefix}/{inner.name}")


def _own_variables(layer: keras.Layer) -> Iterator[tuple[Any, bool]]:
    """The variables of a layer that are not within another, and whether each is a parameter."""
    kind = "weights" if _is_legacy(_package_of(layer)) else "variables"
    for prefix, parameter in ("_trainable", True), ("_non_trainable", False):
        for variable in getattr(layer, f"{prefix}_{kind}"):
            yield variable, parameter


def _name(variable: Any) -> str:
    """A variable's own name; in Keras 2 it is the last part of ``<layer>/<name>:0``."""
    return variable.name.rpartition("/")[2].removesuffix(":0")


def _type_of(layer: keras.Layer) -> str:
    """weightwatcher's layer type: by the layer's class, or words in its qualified name."""
    layers = _package_of(layer).layers
    text = str(type(layer)).lower()
    for kind, word, layer_type in (
        (layers.Dense, "dense", DENSE),
        (layers.Conv1D, "conv1d", CONV1D),
        (layers.Conv2D, "conv2d", CONV2D),
        (layers.Flatten, "flatten", FLATTENED),
        (layers.Embedding, "embedding", EMBEDDING),
        (layers.LayerNormalization, "layernorn", NORM),  # its spelling
    ):
        if isinstance(layer, kind) or word in text:
            return layer_type
    return UNKNOWN


def _as_weightwatcher_reads(shape: tuple[int, ...], layer_type: str) -> Layout:
    """The layout in which ``atlas.layers.cut`` gives the N, M and matrices that weightwatcher has.

    A kernel of shape (height, width, in, out) with height + width >= in + out is one that
    weightwatcher takes for PyTorch's: N is then in and M is out, whichever is larger. ``cut`` does
    not exchange them if the kernel is larger than the channels; where both are equal, the kernel's
    axes are made one, which makes it larger. (Not possible for a kernel of height or width 1: of
    these, those with in < out and an odd number of elements get N and M exchanged.)
    """
    if layer_type == DENSE and len(shape) == 2:
        return _transposed(shape, (1, 0))
    if layer_type == CONV2D:
        height, width, first, last = shape
        if height + width < first + last:
            return _transposed(shape, (3, 2, 0, 1))
        if height + width > first + last:
            return _transposed(shape, (2, 3, 0, 1))
        return Layout((2, 3, 0, 1), (first, last, height * width, 1))
    return _plain(shape)


def _where_misread(layer: keras.Layer, shape: tuple[int, ...], layer_type: str) -> str:
    """The type that puts right what weightwatcher misreads in its layout, or an empty text."""
    if layer_type == CONV1D and len(shape) == 3:
        return CONV_LAST
    if isinstance(layer, _package_of(layer).layers.EinsumDense) and len(shape) > 2:
        for axes in _einsum_axes(layer):
            if axes == (0,):
                return DENSE_FIRST
            if axes == (len(shape) - 1,):
                return DENSE_LAST
    return ""


def _einsum_axes(layer: keras.Layer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of an EinsumDense kernel that are inputs (the output lacks them), and outputs."""
    terms, output = layer.equation.replace(" ", "").split("->")
    kernel = terms.split(",")[1].replace("...", "")
    inputs = tuple(axis for axis, letter in enumerate(kernel) if letter not in output)
    outputs = tuple(axis for axis, letter in enumerate(kernel) if letter in output)
    return inputs, outputs


def _as_it_is(owner: keras.Layer, variable: Any) -> tuple[Layout, str]:
    """The layout of a weight that weightwatcher leaves out, and the layer type that it truly has.

    The type is empty for what is no kernel.
    """
    layers = _package_of(owner).layers
    shape, name = tuple(variable.shape), _name(variable)
    kind = type(owner).__name__
    if isinstance(owner, layers.EinsumDense) and name == "kernel":
        inputs, outputs = _einsum_axes(owner)
        rows = int(np.prod([shape[axis] for axis in outputs], dtype=int))
        columns = int(np.prod([shape[axis] for axis in inputs], dtype=int))
        return Layout((*outputs, *inputs), (rows, columns)), DENSE
    if isinstance(owner, layers.Dense) and name == "kernel":
        return _transposed(shape, (1, 0)), DENSE
    if isinstance(owner, layers.Embedding) and name == "embeddings":
        return _plain(shape), DENSE  # the same matrix
    if isinstance(owner, (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell)):
        if name in ("kernel", "recurrent_kernel"):
            return _transposed(shape, (1, 0)), RECURRENT
    elif name.endswith("kernel") and "Conv" in kind and 3 <= len(shape) <= 5 and "LSTM" not in kind:
        *kernel, first, last = shape
        if len(kernel) == 1:  # a convolution over one axis is one over a plane of height 1
            return Layout((2, 1, 0), (last, first, 1, *kernel)), CONV2D
        axes = (len(kernel) + 1, len(kernel), *range(len(kernel)))
        # Keras' transposed kernels are (..., out, in), so this is PyTorch's (in, out, ...) for them.
        if "Transpose" in kind:
            return _transposed(shape, axes), CONV_TRANSPOSE
        return _transposed(shape, axes), CONV2D if len(kernel) == 2 else CONV3D
    return _plain(shape), ""


def _why_not(layer: keras.Layer, owner: keras.Layer, variable: Any) -> str:
    """Why weightwatcher leaves out a variable of one of the model's layers."""
    kind, inner = type(layer).__name__, type(owner).__name__
    if "norm" in inner.lower():
        return f"a normalisation ({inner})"
    if len(variable.shape) < 2 or _name(variable).endswith("bias"):
        return NO_WEIGHT
    if owner is not layer and isinstance(layer, _package_of(layer).Model):
        return "in a nested model, where weightwatcher does not look"
    if _type_of(layer) in ANALYSED:
        return f"not the first weight of its layer ({kind})"
    return f"a layer weightwatcher does not know ({kind})"


def _longname(prefix: str, key: str) -> str:
    """The layer's path for its kernel; the tensor's where a layer has several matrices."""
    return prefix if key in (f"{prefix}/kernel", f"{prefix}/embeddings") else key


def _plain(shape: tuple[int, ...]) -> Layout:
    return Layout(tuple(range(len(shape))), shape)


def _transposed(shape: tuple[int, ...], axes: tuple[int, ...]) -> Layout:
    return Layout(axes, tuple(shape[axis] for axis in axes))


def _unique(key: str, taken: set[str]) -> str:
    """The key, or with a number where another variable has it; it is taken from then on."""
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key}_{number}"
    taken.add(free)
    return free


def _keras() -> types.ModuleType:
    return _package("keras")


def _is_legacy(package: types.ModuleType) -> bool:
    return package.__name__ == LEGACY


def _package_of(layer: keras.Layer) -> types.ModuleType:
    """The package that a layer, or a model, is of: Keras or tf_keras."""
    legacy = sys.modules.get(LEGACY)
    return legacy if legacy and isinstance(layer, legacy.layers.Layer) else _keras()


def _package(name: str) -> types.ModuleType:
    """Keras or tf_keras, imported once and quietly.

    Keras is on TensorFlow where that is installed, else PyTorch. Raises KnownFailure where the
    package is not installed.
    """
    if package := sys.modules.get(name):
        return package
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a GPU is of no use here, and would be filled
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    installed = importlib.util.find_spec("tensorflow") is not None
    os.environ.setdefault("KERAS_BACKEND", "tensorflow" if installed else "torch")
    try:
        with _quiet_stderr():
            # Both bring their own LLVM: TensorFlow first, and the process dies when PyTorch's
            # compiler is imported later (timm does so).
            if importlib.util.find_spec("triton") is not None:
                importlib.import_module("triton")
            return importlib.import_module(name)
    except ImportError as error:
        reason = {
            "keras": "Keras is not installed (make install)",
            LEGACY: f"it needs the package {LEGACY} (make .venv/keras.installed)",
        }[name]
        raise KnownFailure("failed", f"{reason}: {_first_line(error)}") from None


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what is written to the process's standard error: TensorFlow logs before it can be told."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _cache(cache_dir: str | None) -> Path:
    """Where Keras keeps its files: KERAS_HOME, or a folder in the home or temporary directory."""
    home = cache_dir or os.environ.get("KERAS_HOME")
    config = importlib.import_module("keras.src.backend.config")
    base = Path(home or config.keras_home()).expanduser()
    if home:
        base.mkdir(parents=True, exist_ok=True)
    return base if os.access(base, os.W_OK) else Path(tempfile.gettempdir(), ".keras")


def _known_hash(digest: str | None) -> str | None:
    """``md5:...`` or ``sha256:...``, told by the length as Keras does."""
    if not digest:
        return None
    return f"{'sha256' if len(digest) == 64 else 'md5'}:{digest.lower()}"


def _has_hash(path: Path, known: str | None) -> bool:
    if known is None:
        return path.stat().st_size > 0
    algorithm, digest = known.split(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == digest


def _download(fetch: Fetch, origin: str, path: Path, known: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that a broken download goes on; and nothing is there yet, since a
    # downloader keeps a file that is.
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        fetch(origin, beside, known)
        if not _has_hash(beside, known):
            raise KnownFailure("failed", f"{origin}: what came does not have the hash {known}")
        beside.replace(path)
    except KnownFailure:
        raise
    except Exception as error:  # whatever a downloader raises
        reason = f"{origin}: it cannot be downloaded: {_first_line(error)}"
        raise KnownFailure("failed", reason) from error
    finally:
        beside.unlink(missing_ok=True)


def _check_format(path: Path) -> None:
    """Raise KnownFailure for what is no whole model of Keras, in words of one line."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise KnownFailure("failed", f"{path}: no such file")
    if suffix == ".keras":
        if not zipfile.is_zipfile(path):
            raise KnownFailure("failed", f"{path}: it is no Keras model file")
    elif suffix in (".h5", ".hdf5"):
        import h5py

        try:
            with h5py.File(path, "r") as file:
                whole = "model_config" in file.attrs
        except OSError:
            raise KnownFailure("failed", f"{path}: it is no HDF5 file") from None
        if not whole:
            reason = "it holds only weights, not the model; save the whole model as .keras"
            raise KnownFailure("failed", f"{path}: {reason}")
    else:
        raise KnownFailure("failed", f"{path}: it is no .keras or .h5 file")


def _why_not_loaded(error: Exception) -> str:
    """What to tell the user, from what Keras says."""
    text = str(error)
    if "lambda" in text.lower() or "safe_mode" in text or "unsafe" in text.lower():
        return "it holds code, not only layers and weights, and is not loaded"
    if "Could not locate" in text or "Unknown layer" in text or "custom" in text.lower():
        return f"it needs code that is not Keras' own ({_first_line(error)})"
    return f"Keras cannot load it: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    """The beginning of an error's message: Keras' run over many lines."""
    text = " ".join(str(error).split()) or type(error).__name__
    first = text.split(". ")[0]
    return first if len(first) <= 200 else f"{first[:197]}..."
