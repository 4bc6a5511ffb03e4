"""Obtaining weights that somebody else trained: from a package or from a file.

Weights are not trusted. Files are read as safetensors or with PyTorch's restricted unpickler; a
pickle with code in it is refused.
"""

from __future__ import annotations

import importlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import KnownFailure
from atlas.io import sha256
from atlas.layers import tensors_of_module, tensors_of_state_dict
from atlas.packages import PACKAGES
from atlas.weights import open_weights, save

if TYPE_CHECKING:
    import torch


def obtain(identity: Mapping[str, Any], out: Path) -> None:
    """Write the weights of a packaged or a user's own model to ``out`` (see ``atlas.weights``).

    ``identity`` is a model row's identity (source, location, architecture, sha256). Raises
    KnownFailure for weights that cannot be used.
    """
    match identity["source"]:
        case "package":
            path = package_file(identity["location"])
            digest = _checked(path, identity["sha256"])
            module = _by_position(read_state_dict(path), identity["architecture"], path.name)
            save(out, module.state_dict(), tensors_of_module(module), digest)
        case "file":
            path = Path(identity["location"])
            digest = _checked(path, identity["sha256"])
            state = read_state_dict(path)
            shapes = {key: tuple(value.shape) for key, value in state.items()}
            save(out, state, tensors_of_state_dict(shapes), digest)
        case other:
            raise ValueError(f"source {other!r} has no way to be obtained")


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


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors or PyTorch file, by name; raises KnownFailure where it has none.

    A checkpoint that wraps its tensors (``state_dict``, ``model``, ...) is unwrapped.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise KnownFailure("failed", f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower():
            reason = "it holds code, not only weights, and is not loaded; save its state dict as safetensors"
        else:
            reason = "it is no PyTorch checkpoint"
        raise KnownFailure("failed", f"{path}: {reason}") from None
    except (
        SafetensorError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        zipfile.BadZipFile,
        OSError,
    ) as error:
        kind = "safetensors file" if path.suffix == ".safetensors" else "PyTorch checkpoint"
        raise KnownFailure("failed", f"{path}: it is no {kind} ({error})") from None
    while isinstance(content, dict):
        inner = [
            content[key] for key in ("state_dict", "model", "model_state_dict") if key in content
        ]
        inner = [value for value in inner if isinstance(value, dict)]
        if not inner:
            break
        content = inner[0]
    tensors = {}
    if isinstance(content, dict):
        tensors = {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise KnownFailure("failed", f"{path}: it holds no tensors by name")
    return tensors


def module_of(
    identity: Mapping[str, Any], weights: Path
) -> torch.nn.Module | dict[str, torch.Tensor]:
    """The network itself, as weightwatcher is given it: a module, or a state dict for a file.

    Raises KnownFailure where the model could not be obtained.
    """
    from safetensors.torch import load_file

    open_weights(weights)
    state = load_file(weights)
    if identity["source"] == "package":
        import timm

        module = timm.create_model(identity["architecture"], pretrained=False)
        module.load_state_dict(state, strict=False)  # without the integer counters of batch norms
        return module.eval()
    return state


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


def _checked(path: Path, expected: str | None) -> str:
    """The file's SHA-256; raises KnownFailure where the row expects another."""
    if not path.is_file():
        raise KnownFailure("failed", f"{path}: no such file")
    found = sha256(path)
    if expected and found != expected.lower():
        raise KnownFailure("failed", f"{path.name}: sha256 is {found}, but the row says {expected}")
    return found
