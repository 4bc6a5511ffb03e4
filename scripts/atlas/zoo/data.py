"""MNIST-1D, generated from a seed."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from atlas.io import write_bytes

LENGTH = 40
CLASSES = 10
TRAIN_EXAMPLES = 4000
TEST_EXAMPLES = 1000


@dataclass(frozen=True)
class Dataset:
    """MNIST-1D: signals as float32 of shape (n, 40), labels as int64 of shape (n,).

    n is 4,000 for training and 1,000 for testing. Raises ValueError for other shapes or types.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def __post_init__(self) -> None:
        for name, count in (("train", TRAIN_EXAMPLES), ("test", TEST_EXAMPLES)):
            x, y = getattr(self, f"x_{name}"), getattr(self, f"y_{name}")
            if x.shape != (count, LENGTH) or x.dtype != np.float32:
                raise ValueError(
                    f"mnist-1d: x_{name} is {x.dtype} {x.shape}, not float32 {(count, LENGTH)}"
                )
            if y.shape != (count,) or y.dtype != np.int64:
                raise ValueError(f"mnist-1d: y_{name} is {y.dtype} {y.shape}, not int64 {(count,)}")


def dataset(seed: int) -> Dataset:
    """Generate MNIST-1D from `seed` with the settings of its paper.

    Takes seconds (it transforms 5,000 signals one by one), and the import of the package as many
    again: make it once and keep it with `save_dataset`.
    """
    # mnist1d imports matplotlib. Its `get_dataset` would download a pickle: never call that.
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.seed = seed
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        raw = make_dataset(arguments)  # seeds both global generators
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    return Dataset(
        x_train=np.ascontiguousarray(raw["x"], dtype=np.float32),
        y_train=np.ascontiguousarray(raw["y"], dtype=np.int64),
        x_test=np.ascontiguousarray(raw["x_test"], dtype=np.float32),
        y_test=np.ascontiguousarray(raw["y_test"], dtype=np.int64),
    )


def save_dataset(data: Dataset, path: str | Path) -> None:
    """Write `data` as .npz: equal data gives equal bytes. The file appears whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, **vars(data))  # numpy writes no time stamp into the archive
    write_bytes(path, buffer.getvalue())


def load_dataset(path: str | Path) -> Dataset:
    """Read what `save_dataset` wrote. Raises ValueError if it is not MNIST-1D."""
    with np.load(path, allow_pickle=False) as archive:
        names = ("x_train", "y_train", "x_test", "y_test")
        missing = [name for name in names if name not in archive]
        if missing:
            raise ValueError(f"{path}: no array {', '.join(missing)}")
        return Dataset(**{name: archive[name] for name in names})


def signal(x: torch.Tensor) -> torch.Tensor:
    """(batch, 40) to (batch, 1, 1, 40), channels last: batch norm is several times faster so."""
    return x[:, None, None, :].to(memory_format=torch.channels_last)
