"""One model's weights as one safetensors file whose header says what each tensor is.

``weights/<model>.safetensors`` holds float32 tensors, named as in the network. Its header carries
the manifest: the status, where they come from (SHA-256 of what was read), the number of parameters,
and the network's tensors as ``layers`` sees them. A model that could not be obtained has a file
without tensors whose manifest gives status, reason and stage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.errors import KnownFailure, Unreachable
from atlas.io import atomic
from atlas.weights.layers import Tensor, parameters

if TYPE_CHECKING:
    import torch


def save(
    path: Path,
    state: Mapping[str, torch.Tensor],
    tensors: list[Tensor],
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write the tensors of a network: what is floating point as float32, and any ``.weight``.

    Other integers (indices, counters) are no weights and are left out.
    ``about`` says where they come from: ``source_sha256``, and of a model from the hub the commit.
    """
    arrays = {
        key: _array(value)
        for key, value in state.items()
        if value.is_floating_point() or (key.endswith(".weight") and not value.is_complex())
    }
    kept = [tensor for tensor in tensors if tensor.tensor in arrays]
    manifest = {
        "status": "ok",
        "origin": dict(about or {}),
        "parameters": parameters(tensor.shape for tensor in kept),
        "tensors": [tensor.as_dict() for tensor in kept],
    }
    _write(path, arrays, manifest)


def save_failure(path: Path, failure: KnownFailure) -> None:
    """Write the file of a model that could not be obtained: a manifest and no tensors."""
    manifest = {
        "status": failure.status,
        "reason": failure.reason,
        "stage": failure.stage or "obtain",
        "unreachable": isinstance(failure, Unreachable),
    }
    _write(path, {}, manifest)


def open_weights(path: Path) -> tuple[Any, dict[str, Any]]:
    """The open file (``get_tensor(name)`` gives an array) and its manifest.

    Raises KnownFailure where the model could not be obtained.
    """
    from safetensors import safe_open

    file = safe_open(path, framework="np")
    manifest = json.loads(file.metadata()["atlas"])
    if manifest["status"] != "ok":
        kind = Unreachable if manifest["unreachable"] else KnownFailure
        raise kind(manifest["status"], manifest["reason"], manifest["stage"])
    return file, manifest


def _write(path: Path, arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> None:
    from safetensors.numpy import save_file

    with atomic(path) as beside:
        save_file(dict(arrays), beside, metadata={"atlas": json.dumps(manifest, sort_keys=True)})


def _array(value: torch.Tensor) -> np.ndarray:
    """A tensor as weightwatcher reads it: float32, in whatever precision it was stored."""
    import torch

    if not value.is_floating_point():
        return np.ascontiguousarray(value.detach().numpy())
    return np.ascontiguousarray(value.detach().to(torch.float32).numpy())
