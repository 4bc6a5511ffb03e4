"""Obtaining weights that somebody else trained: from timm, Keras, the hub, a package or a file.

Weights are not trusted. Files are read as safetensors or with PyTorch's restricted unpickler; a
pickle with code in it is refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import KnownFailure
from atlas.io import sha256
from atlas.weights.download import fetch
from atlas.weights.files import (
    ONNX,
    digest,
    files_of,
    read_state_dict,
    refuse_quantised,
    without_masks,
)
from atlas.weights.layers import tensors_of_module, tensors_of_state_dict
from atlas.weights.network import Network
from atlas.weights.onnx import read_onnx
from atlas.weights.packages import PACKAGES
from atlas.weights.store import open_weights, save

if TYPE_CHECKING:
    import torch

KERAS = (".keras", ".h5", ".hdf5")

KERAS_HOST = "https://storage.googleapis.com/tensorflow/"
"""Where Keras Applications has its weights: a mirror holds what lies below, keras-applications/..."""


def obtain(identity: Mapping[str, Any], out: Path, network: Network) -> None:
    """Write the weights of a model that was trained elsewhere to ``out`` (see ``store``).

    ``identity`` is a model row's identity (source, location, architecture, revision, include_top,
    sha256). What is recorded beside the weights: the checksum of what was read, and of a model from
    the hub the commit. Raises KnownFailure for weights that cannot be had or used.
    """
    location, expected = identity["location"], identity["sha256"]
    match identity["source"]:
        case "package":
            path = package_file(location)
            about = {"source_sha256": _agrees(sha256(path), expected, path.name)}
            module = _by_position(read_state_dict(path), identity["architecture"], path.name)
            save(out, module.state_dict(), tensors_of_module(module), about)
        case "timm":
            from atlas.weights.hub import timm_weights

            with _folder_of(out) as own:
                module, about = timm_weights(location, identity["revision"], expected, network, own)
            save(out, module.state_dict(), tensors_of_module(module), about)
        case "huggingface":
            from atlas.weights.hub import huggingface_weights

            with _folder_of(out) as own:
                state, about = huggingface_weights(
                    location, identity["revision"], expected, network, own
                )
            _save_state(out, state, about)
        case "keras":
            from atlas.weights import keras_models

            with _keras_downloads(network) as files:
                model = keras_models.build(location, identity["include_top"] is not False)
                found = _agrees(sha256(files[0].path), expected, location)
            about = {"source_sha256": found, "file": files[0].path.name}
            save(out, *keras_models.tensors(model), about)
        case "file":
            path = Path(location)
            about = {"source_sha256": _agrees(_digest(path), expected, path.name)}
            if path.name.lower().endswith(KERAS):
                from atlas.weights import keras_models

                save(out, *keras_models.tensors(keras_models.load(path)), about)
            elif path.name.lower().endswith(ONNX):
                import torch

                arrays, tensors = read_onnx(path)
                state = {name: torch.from_numpy(array) for name, array in arrays.items()}
                save(out, state, tensors, about)
            else:
                _save_state(out, read_state_dict(path), about)
        case other:
            raise ValueError(f"source {other!r} has no way to be obtained")


def _save_state(out: Path, state: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    refuse_quantised(state)
    shapes = {key: tuple(value.shape) for key, value in without_masks(state).items()}
    save(out, state, tensors_of_state_dict(shapes), about)


@contextmanager
def _folder_of(out: Path) -> Iterator[Path]:
    """A folder for one model's download: two models may have the same weights."""
    folder = out.parent / ".download" / out.stem
    try:
        yield folder
    finally:
        with suppress(OSError):  # what a broken download has so far stays there
            folder.rmdir()


@contextmanager
def _keras_downloads(network: Network) -> Iterator[list[Any]]:
    """Let Keras' downloads go through ours; weights that were not in its cache leave it again."""
    from atlas.weights.keras_models import downloads_through

    def download(origin: str, path: Path, known_hash: str | None) -> None:
        if network.mirror and origin.startswith(KERAS_HOST):
            mirrored = f"{network.mirror.rstrip('/')}/{origin.removeprefix(KERAS_HOST)}"
            try:
                fetch(mirrored, path, known_hash=known_hash, network=network)
                return
            except KnownFailure:
                pass  # the mirror need not have all of them
        fetch(origin, path, known_hash=known_hash, network=network)

    with downloads_through(download) as files:
        try:
            yield files
        finally:
            for file in files:
                if not file.cached:
                    file.path.unlink(missing_ok=True)


def package_file(distribution: str) -> Path:
    """The one checkpoint that a distribution ships; raises KnownFailure where there is none."""
    try:
        root = Path(importlib.import_module(PACKAGES[distribution]).__file__).parent
    except (KeyError, ImportError) as error:
        raise KnownFailure("failed", f"package {distribution} is not installed ({error})") from None
    found = sorted(path for path in root.rglob("*") if path.suffix in (".pth", ".safetensors"))
    if len(found) != 1:
        raise KnownFailure(
            "failed", f"package {distribution} ships {len(found)} checkpoints, not one"
        )
    return found[0]


@contextmanager
def readable(identity: Mapping[str, Any], weights: Path) -> Iterator[Any]:
    """The network itself, in the form that weightwatcher can be given, within the block.

    Raises KnownFailure where the model could not be obtained.
    """
    model = module_of(identity, weights)
    if is_keras(identity):
        from atlas.weights.keras_models import for_weightwatcher

        with for_weightwatcher(model) as layers:
            yield layers
    else:
        yield model


def is_keras(identity: Mapping[str, Any]) -> bool:
    """Whether a model is one of Keras, an application or a user's own file."""
    own = identity["source"] == "file" and str(identity["location"]).lower().endswith(KERAS)
    return own or identity["source"] == "keras"


def module_of(identity: Mapping[str, Any], weights: Path) -> Any:
    """The network: a PyTorch module of a timm network, a Keras or ONNX model; else a state dict.

    Raises KnownFailure where the model could not be obtained.
    """
    from safetensors.torch import load_file

    _, manifest = open_weights(weights)
    state = load_file(weights)
    source, location = identity["source"], str(identity["location"])
    if source in ("package", "timm"):
        import timm

        name = identity["architecture"] if source == "package" else location
        module = timm.create_model(name, pretrained=False)
        module.load_state_dict(state, strict=False)  # without the integer counters of batch norms
        return module.eval()
    if is_keras(identity):
        from atlas.weights import keras_models

        return keras_models.with_weights(
            identity, {name: value.numpy() for name, value in state.items()}
        )
    if source == "file" and location.lower().endswith(ONNX):
        from atlas.weights.onnx import onnx_of

        arrays = {name: value.numpy() for name, value in state.items()}
        return onnx_of(arrays, manifest["tensors"])
    # In the network's order, which the file of weights does not keep.
    listed = [entry["tensor"] for entry in manifest["tensors"]]
    return {name: state[name] for name in listed} | state


def _by_position(
    state: Mapping[str, torch.Tensor], architecture: str, name: str
) -> torch.nn.Module:
    """A timm network with another implementation's tensors, matched by position and shape."""
    import timm

    module = timm.create_model(architecture, pretrained=False)
    own = module.state_dict()
    if [value.shape for value in own.values()] != [value.shape for value in state.values()]:
        raise KnownFailure("failed", f"the tensors of {name} do not fit timm's {architecture}")
    module.load_state_dict(dict(zip(own, state.values(), strict=True)))
    return module


def _digest(path: Path) -> str:
    """The SHA-256 of a user's model; raises KnownFailure where a file of it is missing."""
    try:
        missing = [each for each in files_of(path) if not each.is_file()]
        if missing:
            raise KnownFailure("failed", f"{missing[0]}: no such file")
        return digest(path)
    except (OSError, ValueError) as error:
        raise KnownFailure("failed", str(error)) from None


def _agrees(found: str, expected: str | None, name: str) -> str:
    """The SHA-256 as found; raises KnownFailure where the row expects another."""
    if expected and found != expected.lower():
        raise KnownFailure("failed", f"{name}: sha256 is {found}, but the row says {expected}")
    return found
