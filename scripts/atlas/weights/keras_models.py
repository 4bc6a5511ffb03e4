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
from atlas.weights.keras_layers import walk
from atlas.weights.keras_package import (
    LEGACY,
    first_line,
    import_keras,
    import_package,
    is_legacy,
    package_of,
)
from atlas.weights.layers import Tensor

if TYPE_CHECKING:
    import keras
    import torch

Fetch = Callable[[str, Path, str | None], None]
"""Downloads an address to a path; the third is the known hash, ``md5:...`` or ``sha256:...``."""

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


def applications() -> dict[str, Callable[..., keras.Model]]:
    """The functions of ``keras.applications`` that build a model, by name, sorted.

    Those of Keras 2 alone are among them. Raises KnownFailure where Keras is not installed; they do
    so when called, where tf_keras is not.
    """
    found = {
        name: value
        for name, value in vars(import_keras().applications).items()
        if inspect.isfunction(value)
        and {"include_top", "weights"} <= inspect.signature(value).parameters.keys()
    }
    for name in LEGACY_APPLICATIONS:
        found.setdefault(name, partial(_legacy, name))
    return dict(sorted(found.items()))


def _legacy(name: str, **options: Any) -> keras.Model:
    return getattr(import_package(LEGACY).applications, name)(**options)


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
    package = import_package(LEGACY) if name in LEGACY_APPLICATIONS else import_keras()
    package.backend.clear_session()
    try:
        with warnings.catch_warnings(), _redirected(package):
            # Without a top the size of images is open; the weights are the same for any.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
            return known[name](include_top=include_top, weights="imagenet" if pretrained else None)
    except KnownFailure:
        raise
    except Exception as error:  # the network, a full disk, a file that is no HDF5, ...
        reason = f"Keras cannot build {name}: {first_line(error)}"
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
    where = "tf_keras.src.utils.data_utils" if is_legacy(package) else "keras.src.utils.file_utils"
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
    keras = import_keras()
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
    ``layers.cut`` expects it: dense (out, in), convolutions (out, in, height, width),
    transposed ones (in, out, height, width); what weightwatcher reads as a batch of matrices keeps
    Keras' layout. The list has every parameter, in the model's order; moving statistics are among
    the weights only. Raises KnownFailure for a model without weights yet, or with quantised ones.
    """
    import torch

    convert_to_numpy = import_keras().ops.convert_to_numpy
    if any(not layer.built for layer in model.layers):
        raise KnownFailure("failed", "the Keras model was never built, so it has no weights")
    state, found = {}, []
    for item in walk(model):
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
    for item in walk(model):
        dtype = import_keras().backend.standardize_dtype(item.variable.dtype)
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
    package = package_of(model)
    with _as_tensorflow_keras(package):
        if is_legacy(package) or package.backend.backend() == "tensorflow":
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
        reason = f"{origin}: it cannot be downloaded: {first_line(error)}"
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
        return f"it needs code that is not Keras' own ({first_line(error)})"
    return f"Keras cannot load it: {first_line(error)}"
