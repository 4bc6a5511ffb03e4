"""A user's own weights: one file, shards with an index, an ONNX model, a folder of checkpoints.

Weights are not trusted. Files are read as safetensors or with PyTorch's restricted unpickler; a
pickle with code in it is refused, and no index and no ONNX model leads out of its own folder.

What is called while a study is read (``files_of``, ``is_model``, ``checkpoints``) imports neither
PyTorch nor onnx.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from atlas.errors import KnownFailure
from atlas.io import sha256

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import torch

    from atlas.layers import Tensor

STATE_DICTS = (".safetensors", ".pth", ".pt", ".bin")
INDEXES = (".safetensors.index.json", ".bin.index.json")
ONNX = ".onnx"
_SORTED = (".safetensors", ".safetensors.index.json")
CHECKPOINTS = (*STATE_DICTS, ONNX, ".keras", ".h5", ".hdf5")
"""Endings of one file's name; upper and lower case are the same."""

_ONE_FILE = {".safetensors.index.json": "model.safetensors", ".bin.index.json": "pytorch_model.bin"}
"""The kinds of model that a folder may hold, the preferred one first: index, and file without one."""

_SHARD = re.compile(r"-[0-9]+-of-[0-9]+$")
_BESIDE = re.compile(
    r"(^|[^a-z])(optim(izer)?|sched(uler)?|rng|scaler|training_args|trainer_state)([^a-z]|$)"
)
# One of several parts of a model, each of which has a piece of every matrix.
_PART = re.compile(
    r"consolidated[._-][0-9]+|(.*[^a-z])?(mp|tp|pp|(model|tensor)_parallel)_rank_?[0-9]+.*"
)
_SCALES = re.compile(r"_?(\w+_)?(scales?(_\w+)?|scb|absmax)", re.IGNORECASE)
# An integer on its own, not a part of a decimal number: the loss in "epoch=3-loss=0.25" is no step.
_INTEGER = re.compile(r"(?<![0-9])(?<![0-9]\.)[0-9]+(?![0-9])(?!\.[0-9])")

# Where an ONNX file may name data outside of itself: message -> field -> message.
_PROTOBUF: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


# --- what a location depends on -------------------------------------------------------------------


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
        names = " or ".join(f"{single} (or its index)" for single in _ONE_FILE.values())
        raise ValueError(f"{folder}: it holds no model; a folder of one has {names}")
    return found[0]


def _models_in(folder: Path) -> list[Path]:
    """All models of the preferred kind that there is."""
    for ending, single in _ONE_FILE.items():
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
        _stay_inside(path, shard)
        if not shard.lower().endswith(STATE_DICTS):
            raise ValueError(f"{path}: {shard!r} is no shard; it ends in none of {STATE_DICTS}")
    return shards


def external_data(path: Path) -> set[str]:
    """The names of the files, relative to its folder, in which an ONNX model keeps tensors.

    Walks the file's protocol buffers and skips what is in them, so a large model costs little.
    A file that is no ONNX model, or is not there, names none. Raises ValueError (one line) where a
    name leads out of the folder.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = set(_locations(data, 0, len(data), "model"))
    except (OSError, ValueError, IndexError, RecursionError, UnicodeDecodeError):
        return set()  # nothing that can be read: reading it says what is wrong
    for name in sorted(found):
        _stay_inside(path, name)
    return found


def _stay_inside(path: Path, name: str) -> None:
    """Raises ValueError for a name that may lead out of the folder of ``path``, on any system."""
    steps = PurePosixPath(name.replace("\\", "/")).parts
    absolute = name.startswith(("/", "\\")) or PureWindowsPath(name).drive
    if absolute or ".." in steps or not steps or "\0" in name:
        raise ValueError(f"{path}: it leads out of its own folder, to {name!r}, and is not read")


def _locations(data: Any, start: int, end: int, message: str) -> Iterator[str]:
    """The values of all ``location`` entries in one message of an ONNX file."""
    if message == "entry":
        key, value = (
            next((data[a:b].decode() for f, a, b in _fields(data, start, end) if f == number), "")
            for number in (1, 2)
        )
        if key == "location":
            yield value
        return
    for number, a, b in _fields(data, start, end):
        inner = _PROTOBUF[message].get(number)
        if inner:
            yield from _locations(data, a, b, inner)


def _fields(data: Any, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields with a length of one message: number, first byte, byte after the last."""
    while at < end:
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                _, at = _varint(data, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint(data, at)
                if at + length > end:
                    raise ValueError("a field is longer than its message")
                yield key >> 3, at, at + length
                at += length
            case 5:
                at += 4
            case _:
                raise ValueError("no protocol buffer")


def _varint(data: Any, at: int) -> tuple[int, int]:
    """An integer of variable length, and the place after it."""
    value = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("no protocol buffer")


# --- state dicts ----------------------------------------------------------------------------------


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors or PyTorch model, by name, in the order of the network.

    That is the file's order; safetensors are sorted by type and name when they are written, and
    then names have to tell it (``atlas.layers.network_order``). ``path`` is a file, the index of
    one in shards, or the folder of one. Raises KnownFailure where it has no tensors, cannot be read
    or is a part of a model. A checkpoint that wraps its tensors (``state_dict``, ``model``, ...) is
    unwrapped.
    """
    try:
        if path.is_dir():
            path = model_in(path)
        shards = read_index(path) if path.name.lower().endswith(INDEXES) else None
        if _PART.fullmatch(_stem(path)):
            _no_parts(path.parent, path.parent.glob("*"))
    except ValueError as error:
        raise KnownFailure("failed", str(error)) from None
    tensors = _read_file(path) if shards is None else _read_shards(path, shards)
    return in_network_order(tensors) if path.name.lower().endswith(_SORTED) else tensors


def in_network_order(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of safetensors in the order of the network; as they are where nobody sorted them."""
    from atlas.layers import network_order

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


# --- ONNX -----------------------------------------------------------------------------------------


def read_onnx(path: Path) -> tuple[dict[str, np.ndarray], list[Tensor]]:
    """The parameters of an ONNX model by name, and what weightwatcher takes each of them for.

    weightwatcher looks at no node: every initialiser with two axes is a dense layer, every one with
    four a convolution (out, in, height, width), and the layer's id is its place among all of them.
    Arrays keep that layout and their precision, but half precision becomes float32 and integers
    (indices, shapes) are left out, as are the running statistics of normalisations. Constants of
    the graph are parameters too, which weightwatcher does not see.

    Raises KnownFailure: "failed" where the file or its data cannot be read, "unsupported" where the
    weights are quantised.
    """
    import numpy as np

    from atlas.layers import STATISTICS, Tensor, parameters

    model = _open_onnx(path)
    arrays: dict[str, np.ndarray] = {}
    tensors: list[Tensor] = []
    statistics = {
        name
        for node in model.graph.node
        if node.op_type == "BatchNormalization"
        for name in node.input[3:5]
    }
    for layer_id, proto in enumerate(model.graph.initializer):
        name, shape = proto.name, tuple(proto.dims)
        if not isinstance(name, str):  # protobuf's way with text that is none
            raise KnownFailure("failed", f"{path}: it is no ONNX model")
        if not name or name in arrays:
            what = f"two initialisers named {name!r}" if name else "an initialiser without a name"
            raise KnownFailure("failed", f"{path}: it has {what}")
        value = _array(path, proto)
        if value is None or name in statistics or name.endswith(STATISTICS):
            continue
        arrays[name] = value
        layer_type = _ONNX_TYPES.get(len(shape), "") if parameters([shape]) else ""
        if layer_type:
            tensors.append(Tensor(name, shape, layer_id, name, name, layer_type))
        else:
            tensors.append(Tensor(name, shape, reason="no layer's weight"))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type != "Constant" or attribute.name != "value" or not node.output:
                continue
            name, value = node.output[0], _array(path, attribute.t)
            if value is None or value.ndim == 0 or name in arrays:
                continue  # a single number is no parameter
            arrays[name] = value
            reason = "a constant of the graph, no initialiser"
            tensors.append(Tensor(name, tuple(value.shape), reason=reason))
    if not arrays:
        raise KnownFailure("failed", f"{path}: it holds no tensors by name")
    whole = {name: np.require(value, requirements=["C", "W"]) for name, value in arrays.items()}
    return whole, tensors  # writable, since PyTorch warns of others


def onnx_of(arrays: Mapping[str, np.ndarray], tensors: Iterable[Mapping[str, Any]]) -> Any:
    """An ``onnx.ModelProto`` with the layers' weights alone: what weightwatcher itself is given.

    ``tensors`` are entries as ``Tensor.as_dict`` makes them. weightwatcher fails on a model that
    has a single number among its initialisers, as most have, and would analyse matrices of
    indices; layers keep their ids, and empty initialisers stand where others were.
    """
    from onnx import helper, numpy_helper

    entries = {entry["layer_id"]: entry for entry in tensors if entry["layer_type"]}
    graph = helper.make_graph([], "weights", [], [])
    for layer_id in range(max(entries, default=-1) + 1):
        proto = graph.initializer.add()
        if layer_id in entries:
            name = entries[layer_id]["tensor"]
            proto.CopyFrom(numpy_helper.from_array(arrays[name], name))
        else:
            proto.CopyFrom(helper.make_tensor(f"nothing {layer_id}", 1, [0], []))
    return helper.make_model(graph)


_ONNX_TYPES = {2: "dense", 4: "conv2d"}  # number of axes -> weightwatcher's layer type


def _open_onnx(path: Path) -> onnx.ModelProto:
    """An ONNX model with its external data; raises KnownFailure."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise KnownFailure("failed", f"package onnx is not installed ({error})") from None
    if not path.is_file():
        raise KnownFailure("failed", f"{path}: no such file")
    try:
        missing = [
            name for name in sorted(external_data(path)) if not (path.parent / name).is_file()
        ]
        if missing:
            raise KnownFailure("failed", f"{path}: its file {missing[0]} is missing")
        model = onnx.load(path, format="protobuf")
    except DecodeError:
        raise KnownFailure("failed", f"{path}: it is no ONNX model") from None
    except (ValueError, RuntimeError, OSError, onnx.checker.ValidationError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise KnownFailure("failed", f"{path}: {reason}") from None
    if not model.HasField("graph"):
        raise KnownFailure("failed", f"{path}: it is no ONNX model")
    return model


def _array(path: Path, proto: onnx.TensorProto) -> np.ndarray | None:
    """A tensor as an array of floats, or None where it holds none; raises KnownFailure."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    whole = (TensorProto.FLOAT, TensorProto.DOUBLE)
    wide = (TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32, TensorProto.UINT32)
    others = (TensorProto.INT64, TensorProto.UINT64, TensorProto.BOOL, TensorProto.STRING)
    if proto.data_type in (*wide, *others):
        return None
    if proto.data_type not in (*halves, *whole):
        if len(proto.dims) not in _ONNX_TYPES:
            return None  # zero points
        kind = TensorProto.DataType.Name(proto.data_type).lower()
        reason = f"{path}: its weights are quantised ({proto.name} is {kind}); "
        raise KnownFailure("unsupported", reason + "save it in floating point")
    try:
        value = numpy_helper.to_array(proto)
    except (ValueError, TypeError, RuntimeError) as error:
        raise KnownFailure("failed", f"{path}: {proto.name}: {error}") from None
    return value.astype(np.float32) if proto.data_type in halves else value


# --- the checkpoints of one run -------------------------------------------------------------------


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints of one training run: their numbers, ascending, and where they are.

    A checkpoint is a file of ``CHECKPOINTS`` or a folder with a model (``checkpoint-1000``). Its
    number, an epoch or a step, is the last integer in its name without ending; one in a decimal
    number does not count. Hidden files and those of optimisers, schedulers, random states and
    training arguments are left out; so is, beside folders ``checkpoint-N``, the model that
    Hugging Face's trainer saves at the end, which has no number.

    Raises ValueError (one line) for a folder without checkpoints, a checkpoint without a number,
    two with the same.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    found = [path for path in entries if path.is_dir() and _is_checkpoint_folder(path)]
    trainer = any(path.name.startswith("checkpoint-") for path in found)
    for path in entries:
        name = path.name.lower()
        if path.is_dir() or not name.endswith(CHECKPOINTS) or _BESIDE.search(_stem(path)):
            continue
        shard = _SHARD.search(_stem(path))
        if trainer and (shard or name in _ONE_FILE.values()):
            continue
        if shard:
            raise ValueError(
                f"{folder}: {path.name} is one shard of a model; name the model's index, or give "
                "each checkpoint in shards a folder of its own"
            )
        found.append(path)
    if not found:
        endings = ", ".join(CHECKPOINTS)
        raise ValueError(f"{folder}: it holds no checkpoints (files that end in {endings})")
    _no_parts(folder, found)
    numbered: dict[int, Path] = {}
    for path in found:
        numbers = _INTEGER.findall(path.name if path.is_dir() else _stem(path))
        if not numbers:
            raise ValueError(
                f"{folder}: {path.name} has no number in its name; write its epoch or step there, "
                "or move it elsewhere"
            )
        number = int(numbers[-1])
        if number in numbered:
            names = f"{numbered[number].name} and {path.name}"
            raise ValueError(f"{folder}: {names} have the same number {number}; rename one")
        numbered[number] = path
    return sorted(numbered.items())


def _no_parts(folder: Path, paths: Iterable[Path]) -> None:
    """Raises ValueError where several of the files are the tensor-parallel parts of one model."""
    parts = sorted(path.name for path in paths if _PART.fullmatch(_stem(path)))
    if len(parts) > 1:
        raise ValueError(
            f"{folder}: {parts[0]} and {parts[1]} are parts of one model, each with a piece of every "
            "matrix (tensor-parallel); convert it to one state dict or to the format of Hugging Face, "
            "and name that"
        )


def _is_checkpoint_folder(path: Path) -> bool:
    """A folder with a model; raises ValueError where its name promises one, or it has several."""
    if not is_model(path) and not re.fullmatch(r"checkpoint-[0-9]+", path.name):
        return False
    model_in(path)
    return True


def _stem(path: Path) -> str:
    """The name without its ending, in lower case."""
    name = path.name.lower()
    return next((name.removesuffix(end) for end in CHECKPOINTS if name.endswith(end)), name)
