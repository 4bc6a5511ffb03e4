"""Experiments that could refute an explanation of what alpha shows, on one model's weights.

Whatever needs the weights is computed while they are there, with the spectra, and kept:

- ``shuffled``: the spectrum of the same matrices with their entries permuted, several times. What
  alpha says about them comes from shape and from the distribution of the entries alone.
- ``gaussian``: the same for Gaussian noise of the same shape and scale: shape alone.
- ``windows``: the pooled spectrum of square submatrices of one size, so that neither size nor aspect
  ratio differ between layers (FARMS: Hu et al. 2025, ICML, section 3).
- ``other_layers``: the layers that the other of the two rules in ``docs/layers.md`` takes.

The fits are another stage's (``experiment_fits``), as for the spectra themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from atlas.fits.spectra import LAYERS, cut_as, singular_values, why_left_out
from atlas.terms.experiments import NULLS
from atlas.weights.layers import Matrices, cut
from atlas.weights.store import open_weights

SCHEMA = {
    "tensor": "text",
    "longname": "text",
    "experiment": "text",
    "draw": "int",
    "N": "int",
    "M": "int",
    "rf": "int",
    "evals": "list",
}
"""The columns of a table of experiments; ``evals`` is null where the other rule leaves a tensor out.

So is that of a tensor which only the other rule takes and which is not finite.
"""


def experiments(
    weights: Path, options: Mapping[str, Any], *, layers: str, max_evals: int, max_N: int
) -> list[dict[str, Any]]:
    """Spectra of all experiments on one model: rows with the keys of ``SCHEMA``.

    ``options`` is the config's ``experiments``, the others its ``spectra``. Raises KnownFailure as
    the weights have it.
    """
    file, manifest = open_weights(weights)
    other = next(rule for rule in LAYERS if rule != layers)
    rows: list[dict[str, Any]] = []
    for entry in manifest["tensors"]:
        taken = not why_left_out(entry, max_evals, max_N, layers)
        names = {"tensor": entry["tensor"], "longname": entry["longname"]}
        if taken:
            matrices = cut(file.get_tensor(entry["tensor"]), cut_as(entry, layers))
            rows += [names | row for row in on_layer(matrices, options, entry["tensor"])]
        if options["other_layers"]:
            there = not why_left_out(entry, max_evals, max_N, other)
            same = cut_as(entry, layers) == cut_as(entry, other)
            if taken != there or (taken and not same):
                row = dict.fromkeys(SCHEMA) | names | {"experiment": "other_layers", "draw": 0}
                weight = file.get_tensor(entry["tensor"]) if there else None
                if weight is not None and np.isfinite(weight).all():
                    matrices = cut(weight, cut_as(entry, other))
                    row |= _sizes(matrices) | {"evals": _pooled(matrices)}
                rows.append(row)
    return rows


def on_layer(matrices: Matrices, options: Mapping[str, Any], tensor: str) -> Iterator[dict]:
    """The nulls and windows of one layer: rows without the layer's names."""
    for experiment in NULLS:
        for draw in range(options[experiment]):
            rng = generator(options["seed"], experiment, draw, tensor)
            stack = (shuffled if experiment == "shuffled" else gaussian)(matrices.stack, rng)
            null = Matrices(stack, matrices.N, matrices.M, matrices.rf)
            yield {"experiment": experiment, "draw": draw, "evals": _pooled(null)} | _sizes(null)
    size = options["windows"]["size"]
    if size and min(matrices.stack.shape[1:]) >= size:
        stack = windows(matrices.stack, size, options["windows"]["most"])
        cuts = Matrices(stack, size, size, len(stack))
        yield {"experiment": "windows", "draw": 0, "evals": _pooled(cuts)} | _sizes(cuts)


def generator(seed: int, *key: object) -> np.random.Generator:
    """A generator that depends on seed and key alone, not on what was drawn before."""
    digest = hashlib.sha256("\x1f".join(map(str, (seed, *key))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def shuffled(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stack of matrices (k, rows, columns), the entries of each permuted among themselves."""
    return rng.permuted(stack.reshape(len(stack), -1), axis=1).reshape(stack.shape)


def gaussian(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of the stack's shape (k, rows, columns), each matrix with its root mean square."""
    scale = np.sqrt(np.mean(stack**2, axis=(1, 2), keepdims=True))
    return rng.standard_normal(stack.shape) * scale


def windows(stack: np.ndarray, size: int, most: int) -> np.ndarray:
    """Square windows (w, size, size) of a stack (k, rows, columns), on an even grid, at most ``most``.

    The grid covers each matrix with as little overlap as it can; of a larger grid, evenly spaced
    windows are taken. Nothing is drawn at random.
    """
    (k, rows, columns) = stack.shape
    tops, lefts = _starts(rows, size), _starts(columns, size)
    number = k * len(tops) * len(lefts)
    chosen = np.unique(np.linspace(0, number - 1, min(number, most)).round().astype(int))
    index, top, left = np.unravel_index(chosen, (k, len(tops), len(lefts)))
    return np.stack(
        [
            stack[i, t : t + size, u : u + size]
            for i, t, u in zip(index, tops[top], lefts[left], strict=True)
        ]
    )


def _starts(length: int, size: int) -> np.ndarray:
    return np.linspace(0, length - size, -(-length // size)).round().astype(int)


def _sizes(matrices: Matrices) -> dict[str, int]:
    return {"N": matrices.N, "M": matrices.M, "rf": matrices.rf}


def _pooled(matrices: Matrices) -> np.ndarray:
    """All eigenvalues of a layer, ascending: what weightwatcher fits."""
    return np.sort((singular_values(matrices) ** 2).ravel())
