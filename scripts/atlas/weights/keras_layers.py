"""The layers of a Keras model: which variables are matrices, and as what weightwatcher reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.weights.keras_package import is_legacy, package_of
from atlas.weights.layers import (
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

FLATTENED = "flattened"


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


def walk(model: keras.Model) -> Iterator[_Variable]:
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
    kind = "weights" if is_legacy(package_of(layer)) else "variables"
    for prefix, parameter in ("_trainable", True), ("_non_trainable", False):
        for variable in getattr(layer, f"{prefix}_{kind}"):
            yield variable, parameter


def _name(variable: Any) -> str:
    """A variable's own name; in Keras 2 it is the last part of ``<layer>/<name>:0``."""
    return variable.name.rpartition("/")[2].removesuffix(":0")


def _type_of(layer: keras.Layer) -> str:
    """weightwatcher's layer type: by the layer's class, or words in its qualified name."""
    layers = package_of(layer).layers
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
    """The layout in which ``layers.cut`` gives the N, M and matrices that weightwatcher has.

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
    if isinstance(layer, package_of(layer).layers.EinsumDense) and len(shape) > 2:
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
    layers = package_of(owner).layers
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
    if owner is not layer and isinstance(layer, package_of(layer).Model):
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
