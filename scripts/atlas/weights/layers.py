"""Which tensors of a network are layer matrices, and how they are cut.

Two sets of rules. ``weightwatcher`` restates, without importing it, what weightwatcher 0.7.7 does
with a PyTorch module or a state dict; the audit holds it against weightwatcher itself in every
study. ``complete`` adds the layers that weightwatcher leaves out without a word and corrects those
that it misreads; ``docs/layers.md`` has both, layer type by layer type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

DENSE, CONV1D, CONV2D, EMBEDDING, NORM, UNKNOWN = (
    "dense",
    "conv1d",
    "conv2d",
    "embedding",
    "norm",
    "unknown",
)

ANALYSED = (DENSE, CONV1D, CONV2D, EMBEDDING)

CONV1D_SLICES, CONV_LAST, CONV3D, CONV_TRANSPOSE, BILINEAR, RECURRENT, ATTENTION = (
    "conv1d_slices",
    "conv_channels_last",
    "conv3d",
    "conv_transpose",
    "bilinear",
    "recurrent",
    "attention",
)

DENSE_FIRST, DENSE_LAST = "dense_first_axis", "dense_last_axis"

COMPLETE = (
    *(DENSE, CONV2D, EMBEDDING, DENSE_FIRST, DENSE_LAST, CONV1D_SLICES, CONV_LAST, CONV3D),
    *(CONV_TRANSPOSE, BILINEAR, RECURRENT, ATTENTION),
)
"""The types that ``Tensor.complete`` may have; ``cut`` says what each does."""

NO_WEIGHT = "no layer's weight"
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

# A state dict does not say which of its tensors are buffers. Those of floating point have such names.
_BUFFERS = re.compile(
    r"(\w+_)?(running_mean|running_var|num_batches_tracked|mask|masked_bias|inv_freq)"
    r"|(cos|sin)_cached|freqs_cis|(\w+_)?(position_ids|position_index|coords_table)"
)

# Where a part of a tensor's name stands among its siblings in the network: the first that matches,
# from 0 (first) to 5 (last); any other part stands at 2.
_PLACES = (
    (4, r"conv_head|pre_logits|.*pool(er|ing)?|neck|(final_|ln_|layer_?)?norm(_f)?|ln_f"),
    (5, r"(.+_)?(heads?|classifiers?|classification|logits|predictions?|unembed(ding)?)(_.+|\d+)?"),
    (5, r"embed_out|auxlogits|cls|fc|scores?|top|output(_layer)?|(last|final)(_.+)?"),
    (0, r"(.+_)?(stem|emb|embed|embedd?er|embeddings?|embeds|embs)(_.+)?"),
    (0, r"wte|wpe|tok(ens?)?|pos|shared|conv_?in|conv[01]|input(_layer|_proj)?"),
    (1, r"(.+_)?att(n|ention)s?(_.+)?"),
    (3, r"(.+_)?decoder|(o|out|down|c|output)_proj|proj|out|wo"),
)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a network: a layer matrix (``layer_type`` is set) or anything else.

    ``layer_id``, ``name`` and ``longname`` are weightwatcher's; ``reason`` says why a tensor is
    left out before its size is looked at, and is empty for a layer matrix. ``complete`` is the
    layer type (of ``COMPLETE``) under which ``layers: complete`` analyses the tensor, or empty
    where that treats it as weightwatcher does. A tensor that only ``complete`` takes keeps its
    ``reason``, has an empty ``layer_type``, and carries the names of its row: the layer's, or,
    where it is no ``<layer>.weight``, the tensor's. Several tensors of one module share its
    ``layer_id``.
    """

    tensor: str
    shape: tuple[int, ...]
    layer_id: int | None = None
    name: str = ""
    longname: str = ""
    layer_type: str = ""
    reason: str = ""
    complete: str = ""

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Matrices:
    """The matrices that one weight tensor is cut into, with N, M and rf as weightwatcher has them.

    ``stack`` has shape (k, rows, columns), float64. ``evals`` is the number of eigenvalues that
    weightwatcher counts (M * rf).
    """

    stack: np.ndarray
    N: int
    M: int
    rf: int

    @property
    def evals(self) -> int:
        return self.M * self.rf


def type_of_module(kind: str) -> str:
    """weightwatcher's layer type for a PyTorch module, from the text of its class.

    It looks for words in the class's qualified name, so subclasses such as ``Conv2dSame`` count.
    """
    text = kind.lower()
    for word, layer_type in (
        ("linear", DENSE),
        ("conv1d", CONV1D),
        ("conv2d", CONV2D),
        ("embedding", EMBEDDING),
        ("norm", NORM),
    ):
        if word in text:
            return layer_type
    return UNKNOWN


def type_of_shape(shape: Sequence[int]) -> str:
    """weightwatcher's layer type for the ``.weight`` of a state dict: it knows only the shape."""
    if len(shape) == 0 or shape[0] < 2:
        return UNKNOWN
    return {2: DENSE, 4: CONV2D}.get(len(shape), UNKNOWN)


def complete_of_module(kind: str, shape: Sequence[int]) -> str:
    """How ``layers: complete`` takes the ``weight`` of a PyTorch module, from the text of its class.

    Empty where that is no other than weightwatcher's way. A module that is of no known kind is left
    out, whatever the shape of its weight: it may be a table of anything.
    """
    text, axes, layer_type = kind.lower(), len(shape), type_of_module(kind)
    if layer_type == CONV1D and axes == 3:
        return CONV1D_SLICES
    if layer_type == DENSE and axes == 3 and "bilinear" in text:
        return BILINEAR
    if layer_type not in ANALYSED and axes in (3, 4, 5) and "convtranspose" in text:
        return CONV_TRANSPOSE
    if layer_type not in ANALYSED and axes == 5 and "conv3d" in text:
        return CONV3D
    return ""


def complete_of_shape(shape: Sequence[int]) -> str:
    """How ``layers: complete`` takes the ``.weight`` of a state dict: only its shape is known.

    Five axes are a volume's convolution. Three axes may be a convolution (out, in, kernel) or a
    batch of matrices (experts); they count as a convolution only where the kernel is shorter than
    either number of channels. Empty where that is no other than weightwatcher's way.
    """
    if type_of_shape(shape) in ANALYSED:
        return ""
    if len(shape) == 5:
        return CONV3D
    if len(shape) == 3 and shape[2] < min(shape[:2]):
        return CONV1D_SLICES
    return ""


def complete_of_parameter(tensor: str, shape: Sequence[int]) -> str:
    """How ``layers: complete`` takes a tensor that is no layer's ``weight``, from its name.

    Only matrices (two axes, at least 2 by 2) whose own name says that they multiply activations:
    the projections of PyTorch's attention, the weights of its recurrent layers, and raw parameters
    named ``proj`` or ``projection``, alone or after an underscore (``text_projection``). Everything
    else (positional embeddings, tokens, layer scales, bias tables) is no layer; then empty.
    """
    if len(shape) != 2 or min(shape) < 2:
        return ""
    own = tensor.rsplit(".", 1)[-1]
    for pattern, layer_type in _PARAMETERS:
        if pattern.fullmatch(own):
            return layer_type
    return ""


_PARAMETERS = (
    (re.compile(r"(in|q|k|v)_proj_weight"), ATTENTION),
    (re.compile(r"weight_(ih|hh|hr)(_l\d+(_reverse)?)?"), RECURRENT),
    (re.compile(r"(\w*_)?(proj|projection)"), DENSE),
)


def tensors_of_module(module: torch.nn.Module) -> list[Tensor]:
    """Every parameter of a PyTorch module (no buffers): matrices first, in module order.

    A module that is used in several places counts once, as weightwatcher has it. A parameter that
    several modules share (a tied embedding) counts in each.
    """
    modules = list(enumerate(module.named_modules()))
    state = {
        _within(longname, own): tuple(value.shape)
        for _, (longname, layer) in modules
        for own, value in layer.named_parameters(recurse=False, remove_duplicate=False)
    }
    found: dict[str, Tensor] = {}
    for layer_id, (longname, layer) in modules:
        for own, _ in layer.named_parameters(recurse=False):
            key = _within(longname, own)
            if own != "weight" and (tensor := _parameter(key, state[key], layer_id, own)):
                found[key] = tensor
        key = _within(longname, "weight")
        if key not in state:
            continue
        shape, kind = state[key], str(type(layer))
        layer_type, complete = type_of_module(kind), complete_of_module(kind, state[key])
        names = (layer_id, longname.rsplit(".", 1)[-1], longname)
        if layer_type in ANALYSED:
            found[key] = Tensor(key, shape, *names, layer_type, complete=complete)
        else:
            reason = _why_not(layer_type, type(layer).__name__)
            if not complete:
                names = (None, "", "")
            found[key] = Tensor(key, shape, *names, reason=reason, complete=complete)
    return _with_the_rest(found, state)


def tensors_of_state_dict(shapes: Mapping[str, Sequence[int]]) -> list[Tensor]:
    """Every parameter of a state dict, given its shapes, as weightwatcher's state-dict path sees it.

    Buffers that are known by their names (``is_buffer``) are no parameters and are not listed.
    weightwatcher counts the keys that end in ``.weight``; any other matrix has the number of the
    last one before it.
    """
    shapes = {key: tuple(shape) for key, shape in shapes.items() if not is_buffer(key)}
    found: dict[str, Tensor] = {}
    layer_id = 0
    for key, shape in shapes.items():
        if not key.endswith(".weight"):
            if tensor := _parameter(key, shape, layer_id, key):
                found[key] = tensor
            continue
        layer_id += 1
        layer_type, complete = type_of_shape(shape), complete_of_shape(shape)
        longname = key.removesuffix(".weight")
        if layer_type in ANALYSED:
            found[key] = Tensor(key, shape, layer_id, longname, longname, layer_type)
        else:
            names = (layer_id, longname, longname) if complete else (None, "", "")
            reason = f"a weight of shape {_times(shape)}"
            found[key] = Tensor(key, shape, *names, reason=reason, complete=complete)
    return _with_the_rest(found, shapes)


def is_buffer(tensor: str) -> bool:
    """Whether a tensor is no parameter, by its name: running statistics, masks, tables of positions."""
    return bool(_BUFFERS.fullmatch(tensor.rsplit(".", 1)[-1]))


def network_order(tensors: Iterable[str]) -> list[str]:
    """Names of tensors in the order of the network, as far as names tell it.

    Part by part between dots: what a network begins with (stem, embeddings) first, attention before
    the rest of a block, decoders after encoders, what it ends with (pooling, head, classifier) last;
    else by name, with numbers as numbers (``blocks.2`` before ``blocks.10``).
    """

    def place(part: str) -> int:
        found = (at for at, pattern in _PLACES if re.fullmatch(pattern, part))
        return next(found, 2)

    def key(name: str) -> list[tuple[int, list[tuple[str, int]]]]:
        return [
            (place(part), [(text, int(n or -1)) for text, n in re.findall(r"(\D*)(\d*)", part)])
            for part in name.lower().split(".")
        ]

    return sorted(tensors, key=key)


def cut(weight: np.ndarray, layer_type: str) -> Matrices:
    """Cut a weight tensor into matrices, as weightwatcher does or as ``layers: complete`` does.

    weightwatcher's: ``conv2d`` of shape (out, in, height, width) gives height * width matrices of
    shape (out, in), scaled by sqrt(1/2) (its ``conv2d_norm``); any other tensor is one matrix, or a
    batch of them over its leading axes.

    Of ``complete``: ``conv1d_slices``, ``conv3d`` (out, in, *kernel) and ``conv_transpose`` (in,
    out, *kernel) give a matrix for each point of the kernel, as ``conv2d`` does;
    ``conv_channels_last`` is the same for (*kernel, in, out). All convolutions have the factor
    sqrt(1/2), so that their eigenvalues compare with those of ``conv2d``. ``bilinear`` (out, first,
    second) gives a matrix for each output, without it. ``dense_first_axis`` and ``dense_last_axis``
    are one matrix, with that axis on one side and all others on the other; ``dense``, ``recurrent``
    and ``attention`` are one matrix as they are. A tensor always makes one row: its matrices'
    eigenvalues are pooled.

    Raises ValueError for a tensor whose number of axes the type cannot have.
    """
    if weight.ndim < 2:
        raise ValueError(f"a weight with {weight.ndim} axes is no matrix")
    weight = weight.astype(np.float64, copy=False)
    if layer_type == CONV2D and weight.ndim == 4:
        rows, columns, height, width = weight.shape
        rf = height * width
        stack = weight.transpose(2, 3, 0, 1).reshape(rf, rows, columns) * np.sqrt(0.5)
        # weightwatcher exchanges N and M once per slice while rows < columns, so an even number of
        # slices leaves them exchanged; a kernel wider than the channels is never exchanged.
        exchanged = rows < columns and rf % 2 == 1 and rows + columns >= height + width
        N, M = (columns, rows) if exchanged else (rows, columns)
        return Matrices(stack, N, M, rf)
    if layer_type in (CONV1D_SLICES, CONV3D, CONV_TRANSPOSE):
        slices = weight.reshape(*weight.shape[:2], -1).transpose(2, 0, 1)
        return _pooled(np.ascontiguousarray(slices) * np.sqrt(0.5))
    if layer_type == CONV_LAST:
        return _pooled(weight.reshape(-1, *weight.shape[-2:]) * np.sqrt(0.5))
    if layer_type == BILINEAR:
        return _pooled(weight.reshape(-1, *weight.shape[-2:]))
    if layer_type == DENSE_FIRST:
        return _pooled(weight.reshape(1, weight.shape[0], -1))
    if layer_type == DENSE_LAST:
        return _pooled(weight.reshape(1, -1, weight.shape[-1]))
    if layer_type in (RECURRENT, ATTENTION) and weight.ndim != 2:
        raise ValueError(f"{layer_type}: a weight with {weight.ndim} axes is not one matrix")
    stack = weight.reshape(-1, *weight.shape[-2:])
    return Matrices(stack, max(weight.shape), min(weight.shape), 1)


def size_of(shape: Sequence[int], layer_type: str) -> tuple[int, int]:
    """N and the number of eigenvalues of a tensor, from its shape alone (no data is touched)."""
    matrices = cut(np.broadcast_to(np.zeros(()), shape), layer_type)
    return matrices.N, matrices.evals


def smaller_side_of(shape: Sequence[int], layer_type: str) -> int:
    """The smaller side of one of the matrices that a tensor is cut into, from its shape alone."""
    matrices = cut(np.broadcast_to(np.zeros(()), shape), layer_type)
    return min(matrices.stack.shape[1:])


def parameters(shapes: Iterable[Sequence[int]]) -> int:
    """Number of elements in tensors of these shapes."""
    return sum(int(np.prod(shape)) for shape in shapes)


def _within(longname: str, own: str) -> str:
    return f"{longname}.{own}" if longname else own


def _pooled(stack: np.ndarray) -> Matrices:
    """A stack of matrices of shape (k, rows, columns), N the larger and M the smaller side."""
    return Matrices(stack, max(stack.shape[1:]), min(stack.shape[1:]), len(stack))


def _parameter(tensor: str, shape: tuple[int, ...], layer_id: int, name: str) -> Tensor | None:
    """The entry of a matrix that only ``layers: complete`` takes, or None where it is no matrix."""
    complete = complete_of_parameter(tensor, shape)
    if not complete:
        return None
    return Tensor(tensor, shape, layer_id, name, tensor, reason=NO_WEIGHT, complete=complete)


def _with_the_rest(found: dict[str, Tensor], state: Mapping[str, tuple[int, ...]]) -> list[Tensor]:
    """Add the tensors that are no module's ``weight``: biases, raw parameters."""
    rest = [
        Tensor(key, shape, reason=NO_WEIGHT) for key, shape in state.items() if key not in found
    ]
    return list(found.values()) + rest


def _why_not(layer_type: str, kind: str) -> str:
    return (
        f"a normalisation ({kind})"
        if layer_type == NORM
        else f"a layer weightwatcher does not know ({kind})"
    )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "()"
