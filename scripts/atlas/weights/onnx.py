"""Weights from ONNX files: initialisers, and the files that they refer to."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from atlas.errors import KnownFailure

if TYPE_CHECKING:
    import numpy as np
    import onnx

    from atlas.weights.layers import Tensor

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
        stay_inside(path, name)
    return found


def stay_inside(path: Path, name: str) -> None:
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

    from atlas.weights.layers import STATISTICS, Tensor, parameters

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
