"""Which tensors of a network weightwatcher takes as layer matrices, and how it cuts them.

The rules here restate, without importing it, what weightwatcher 0.7.7 does with a PyTorch module or
a state dict; the audit holds them against weightwatcher itself in every study.
"""

from __future__ import annotations

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
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Tensor:
    """One tensor of a network: a layer matrix (``layer_type`` is set) or anything else.

    ``layer_id``, ``name`` and ``longname`` are weightwatcher's; ``reason`` says why a tensor is
    left out before its size is looked at, and is empty for a layer matrix.
    """

    tensor: str
    shape: tuple[int, ...]
    layer_id: int | None = None
    name: str = ""
    longname: str = ""
    layer_type: str = ""
    reason: str = ""

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Matrices:
    """The matrices that one weight tensor is cut into, and weightwatcher's N, M and rf for them.

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


def tensors_of_module(module: torch.nn.Module) -> list[Tensor]:
    """Every parameter of a PyTorch module (no buffers): layers' weights first, in module order."""
    named = module.named_parameters(remove_duplicate=False)
    state = {key: tuple(value.shape) for key, value in named}
    found: dict[str, Tensor] = {}
    for layer_id, (longname, layer) in enumerate(module.named_modules()):
        key = f"{longname}.weight" if longname else "weight"
        if key not in state:
            continue
        layer_type = type_of_module(str(type(layer)))
        if layer_type in ANALYSED:
            name = longname.rsplit(".", 1)[-1]
            found[key] = Tensor(key, state[key], layer_id, name, longname, layer_type)
        else:
            found[key] = Tensor(key, state[key], reason=_why_not(layer_type, type(layer).__name__))
    return _with_the_rest(found, state)


def tensors_of_state_dict(shapes: Mapping[str, Sequence[int]]) -> list[Tensor]:
    """Every parameter of a state dict, given its shapes, as weightwatcher's state-dict path sees it.

    Running statistics of normalisations are no parameters and are not listed.
    """
    shapes = {key: shape for key, shape in shapes.items() if not key.endswith(STATISTICS)}
    found: dict[str, Tensor] = {}
    weights = [key for key in shapes if key.endswith(".weight")]
    for layer_id, key in enumerate(weights, start=1):
        shape = tuple(shapes[key])
        layer_type = type_of_shape(shape)
        longname = key.removesuffix(".weight")
        if layer_type in ANALYSED:
            found[key] = Tensor(key, shape, layer_id, longname, longname, layer_type)
        else:
            found[key] = Tensor(key, shape, reason=f"a weight of shape {_times(shape)}")
    return _with_the_rest(found, {key: tuple(shape) for key, shape in shapes.items()})


def cut(weight: np.ndarray, layer_type: str) -> Matrices:
    """Cut a weight tensor into the matrices that weightwatcher analyses.

    A convolution of shape (out, in, height, width) gives height * width matrices of shape
    (out, in), scaled by sqrt(1/2) (its ``conv2d_norm``); any other tensor is one matrix, or a batch
    of them over its leading axes. Raises ValueError for a tensor with fewer than two axes.
    """
    if weight.ndim < 2:
        raise ValueError(f"a weight with {weight.ndim} axes is no matrix")
    weight = weight.astype(np.float64)
    if layer_type == CONV2D and weight.ndim == 4:
        rows, columns, height, width = weight.shape
        rf = height * width
        stack = weight.transpose(2, 3, 0, 1).reshape(rf, rows, columns) * np.sqrt(0.5)
        # weightwatcher exchanges N and M once per slice while rows < columns, so an even number of
        # slices leaves them exchanged; a kernel wider than the channels is never exchanged.
        exchanged = rows < columns and rf % 2 == 1 and rows + columns >= height + width
        N, M = (columns, rows) if exchanged else (rows, columns)
        return Matrices(stack, N, M, rf)
    stack = weight.reshape(-1, *weight.shape[-2:])
    return Matrices(stack, max(weight.shape), min(weight.shape), 1)


def size_of(shape: Sequence[int], layer_type: str) -> tuple[int, int]:
    """N and the number of eigenvalues of a tensor, from its shape alone (no data is touched)."""
    matrices = cut(np.broadcast_to(np.zeros(()), shape), layer_type)
    return matrices.N, matrices.evals


def parameters(shapes: Iterable[Sequence[int]]) -> int:
    """Number of elements in tensors of these shapes."""
    return sum(int(np.prod(shape)) for shape in shapes)


def _with_the_rest(found: dict[str, Tensor], state: Mapping[str, tuple[int, ...]]) -> list[Tensor]:
    """Add the tensors that are no module's ``weight``: biases, raw parameters."""
    rest = [
        Tensor(key, shape, reason="no layer's weight")
        for key, shape in state.items()
        if key not in found
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
