"""A user's own weights: one file, shards with an index, an ONNX model, a folder of checkpoints.

Weights are not trusted. Files are read as safetensors or with PyTorch's restricted unpickler; a
pickle with code in it is refused, and no index and no ONNX model leads out of its own folder.

What is called while a study is read (``files_of``, ``is_model``, ``checkpoints``) imports neither
PyTorch nor onnx.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.errors import KnownFailure
from atlas.io import sha256
from atlas.weights.onnx import external_data, stay_inside

if TYPE_CHECKING:
    import torch

STATE_DICTS = (".safetensors", ".pth", ".pt", ".bin")
INDEXES = (".safetensors.index.json", ".bin.index.json")
ONNX = ".onnx"
_SORTED = (".safetensors", ".safetensors.index.json")

CHECKPOINTS = (*STATE_DICTS, ONNX, ".keras", ".h5", ".hdf5")
"""Endings of one file's name; upper and lower case are the same."""

ONE_FILE = {".safetensors.index.json": "model.safetensors", ".bin.index.json": "pytorch_model.bin"}
"""The kinds of model that a folder may hold, the preferred one first: index, and file without one."""

SHARD = re.compile(r"-[0-9]+-of-[0-9]+$")

BESIDE = re.compile(
    r"(^|[^a-z])(optim(izer)?|sched(uler)?|rng|scaler|training_args|trainer_state)([^a-z]|$)"
)

# One of several parts of a model, each of which has a piece of every matrix.
_PART = re.compile(
    r"consolidated[._-][0-9]+|(.*[^a-z])?(mp|tp|pp|(model|tensor)_parallel)_rank_?[0-9]+.*"
)

_SCALES = re.compile(r"_?(\w+_)?(scales?(_\w+)?|scb|absmax)", re.IGNORECASE)

# An integer on its own, not a part of a decimal number: the loss in "epoch=3-loss=0.25" is no step.
INTEGER = re.compile(r"(?<![0-9])(?<![0-9]\.)[0-9]+(?![0-9])(?!\.[0-9])")


def is_model(folder: Path) -> bool:
    """Whether a folder is one model as Hugging Face saves it, and not a run's checkpoints."""
    return bool(_models_in(folder))


def model_in(folder: Path) -> Path:
    """The index, or the only file, of a folder that holds one model as Hugging Face saves it.

    Safetensors come first where both are there, as for Hugging Face and weightwatcher. Raises
    ValueError (one line) for a folder without a model, or with two of one kind.
    """
    found = _models_in(folder)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{folder}: it holds more than one model ({names}); name one of them")
    if not found:
        names = " or ".join(f"{single} (or its index)" for single in ONE_FILE.values())
        raise ValueError(f"{folder}: it holds no model; a folder of one has {names}")
    return found[0]


def _models_in(folder: Path) -> list[Path]:
    """All models of the preferred kind that there is."""
    for ending, single in ONE_FILE.items():
        found = sorted(path for path in folder.glob(f"*{ending}") if not path.name.startswith("."))
        found += [folder / single] * (folder / single).is_file()
        if found:
            return found
    return []


def files_of(path: str | Path) -> list[Path]:
    """Every file that a location depends on: an index and its shards, an ONNX model and its data.

    A folder is the model in it. The files named inside one need not exist. Raises ValueError (one
    line) for a folder without a model, and for an index or an ONNX model that leads elsewhere.
    """
    path = Path(path)
    if path.is_dir():
        path = model_in(path)
    name = path.name.lower()
    if name.endswith(INDEXES):
        inside: Iterable[str] = set(read_index(path).values())
    elif name.endswith(ONNX):
        inside = external_data(path)
    else:
        inside = ()
    return [path, *(path.parent / name for name in sorted(inside))]


def digest(path: str | Path) -> str:
    """SHA-256 of a model, as hexadecimal text.

    One file: of its bytes, as ``sha256sum`` has it. Several (``files_of``): of the lines
    "name:sha256\\n", sorted by name, the index or the ONNX model among them; a name is relative to
    its folder. Raises ValueError as ``files_of`` does, OSError where a file cannot be read.
    """
    files = files_of(path)
    if len(files) == 1:
        return sha256(files[0])
    folder = files[0].parent
    lines = sorted(f"{each.relative_to(folder).as_posix()}:{sha256(each)}\n" for each in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_index(path: Path) -> dict[str, str]:
    """Tensor -> name of its shard, from a Hugging Face index.

    Raises ValueError (one line) where it is no index, or a shard is not in the index's folder.
    """
    try:
        shards = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        right = all(isinstance(name, str) for name in shards.values()) and bool(shards)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        right = False
    if not right:
        raise ValueError(f"{path}: it is no index of shards (JSON with a weight_map)")
    for shard in sorted(set(shards.values())):
        stay_inside(path, shard)
        if not shard.lower().endswith(STATE_DICTS):
            raise ValueError(f"{path}: {shard!r} is no shard; it ends in none of {STATE_DICTS}")
    return shards


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors or PyTorch model, by name, in the order of the network.

    That is the file's order; safetensors are sorted by type and name when they are written, and
    then names have to tell it (``layers.network_order``). ``path`` is a file, the index of
    one in shards, or the folder of one. Raises KnownFailure where it has no tensors, cannot be read
    or is a part of a model. A checkpoint that wraps its tensors (``state_dict``, ``model``, ...) is
    unwrapped.
    """
    try:
        if path.is_dir():
            path = model_in(path)
        shards = read_index(path) if path.name.lower().endswith(INDEXES) else None
        if _PART.fullmatch(stem(path)):
            no_parts(path.parent, path.parent.glob("*"))
    except ValueError as error:
        raise KnownFailure("failed", str(error)) from None
    tensors = _read_file(path) if shards is None else _read_shards(path, shards)
    return in_network_order(tensors) if path.name.lower().endswith(_SORTED) else tensors


def in_network_order(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of safetensors in the order of the network; as they are where nobody sorted them."""
    from atlas.weights.layers import network_order

    by_type: dict[object, list[str]] = {}
    for name, value in tensors.items():
        by_type.setdefault(value.dtype, []).append(name)
    in_order = all(names == sorted(names) for names in by_type.values())
    return {name: tensors[name] for name in (network_order(tensors) if in_order else tensors)}


def without_masks(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a state dict that may be parameters, by what they hold.

    No parameters are integers and truth values (indices, masks) and matrices of nothing but 0 and
    1, or 0 and a large negative number, both of them: masks that are added or multiplied. What is
    named ``weight`` is one whatever it holds, as for weightwatcher.
    """

    def is_parameter(name: str, value: torch.Tensor) -> bool:
        if name.rsplit(".", 1)[-1] == "weight":
            return True
        if not value.is_floating_point():
            return False
        if value.ndim < 2:
            return True
        value = value.float()  # the comparisons are not there for floating point of 8 bits
        zero, one, low = value == 0, value == 1, value <= -100
        return not (zero.any() and any(x.any() and (zero | x).all() for x in (one, low)))

    return {name: value for name, value in state.items() if is_parameter(name, value)}


def refuse_quantised(state: Mapping[str, torch.Tensor]) -> None:
    """Raises KnownFailure (unsupported) where a matrix of a state dict holds no numbers but codes.

    These are integers, by name (``weight``, ``qweight``), by a tensor of scales beside them or by
    having one byte each; and floating point of one byte with scales beside. Indices and masks, of
    0 and 1 alone, are none.
    """
    scaled = {
        name.rpartition(".")[0] for name in state if _SCALES.fullmatch(name.rpartition(".")[2])
    }
    for name, value in state.items():
        above, _, own = name.rpartition(".")
        kind = str(value.dtype).removeprefix("torch.")
        small = value.element_size() == 1
        if value.ndim < 2 or not value.numel() or value.is_complex():
            continue
        if value.is_floating_point():
            codes = small and above in scaled
        elif own == "weight" or value.is_quantized:
            codes = True
        elif kind == "bool" or bool(((value == 0) | (value == 1)).all()):
            codes = False
        else:
            named = any("weight" in part for part in name.lower().split(".")[-2:])
            codes = small or named or (above in scaled and kind != "int64")
        if codes:
            reason = f"its weights are quantised ({name} is {kind}); save it in floating point"
            raise KnownFailure("unsupported", reason)


def _read_shards(index: Path, shards: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """All tensors of all shards, one shard after the other; each as the index has it."""
    tensors: dict[str, torch.Tensor] = {}
    names = sorted(set(shards.values()))
    for name in names:  # before any is read: reading takes minutes
        if not (index.parent / name).is_file():
            raise KnownFailure("failed", f"{index}: its shard {name} is missing")
    for name in names:
        shard = _read_file(index.parent / name)
        lost = [key for key, place in shards.items() if place == name and key not in shard]
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise KnownFailure("failed", f"{index}: {lost[0]}{more} is not in its shard {name}")
        # A tensor that the index does not list (tied weights) is kept as Hugging Face keeps it.
        tensors |= {key: value for key, value in shard.items() if shards.get(key, name) == name}
    return tensors


def _read_file(path: Path) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise KnownFailure("failed", f"{path}: no such file")
    safe = path.name.lower().endswith(".safetensors")
    try:
        content = load_file(path) if safe else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower():
            reason = "it holds code, not only weights, and is not loaded; "
            reason += "save its state dict as safetensors"
        else:
            reason = "it is no PyTorch checkpoint"
        raise KnownFailure("failed", f"{path}: {reason}") from None
    except (
        SafetensorError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        struct.error,
        zipfile.BadZipFile,
        OSError,
    ) as error:
        kind = "safetensors file" if safe else "PyTorch checkpoint"
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


def no_parts(folder: Path, paths: Iterable[Path]) -> None:
    """Raises ValueError where several of the files are the tensor-parallel parts of one model."""
    parts = sorted(path.name for path in paths if _PART.fullmatch(stem(path)))
    if len(parts) > 1:
        raise ValueError(
            f"{folder}: {parts[0]} and {parts[1]} are parts of one model, each with a piece of every "
            "matrix (tensor-parallel); convert it to one state dict or to the format of Hugging Face, "
            "and name that"
        )


def stem(path: Path) -> str:
    """The name without its ending, in lower case."""
    name = path.name.lower()
    return next((name.removesuffix(end) for end in CHECKPOINTS if name.endswith(end)), name)
