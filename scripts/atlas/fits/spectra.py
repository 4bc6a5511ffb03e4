"""Eigenvalues of every layer matrix: the expensive step, done once while the weights are there.

The eigenvalues of W^T W come from the smaller Gram matrix in float64. That squares the condition
number: an eigenvalue below about 1e-13 of the largest is rounding noise, and ranks would be wrong.
Where one falls below ``RELIABLE``, the layer is done again by a singular value decomposition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atlas.errors import KnownFailure
from atlas.io import atomic
from atlas.weights.layers import CONV2D, CONV3D, Matrices, cut, parameters, size_of, smaller_side_of
from atlas.weights.store import open_weights

RELIABLE = 1e-10
"""Smallest ratio of eigenvalues (least to largest of a matrix) that a Gram matrix is trusted with."""

LAYERS = ("weightwatcher", "complete")
"""Which layers can be asked for: see ``docs/layers.md``."""

SCHEMA = {
    "tensor": "text",
    "layer_id": "int",
    "name": "text",
    "longname": "text",
    "layer_type": "text",
    "parameters": "int",
    "N": "int",
    "M": "int",
    "rf": "int",
    "sv_max": "float",
    "sv_min": "float",
    "rank_loss": "int",
    "reason": "text",
    "evals": "list",
}
"""The columns of a spectra table. ``reason`` says why a tensor has no spectrum; then the rest is null."""


def eigenvalues(matrices: Matrices) -> np.ndarray:
    """Eigenvalues of W^T W for each matrix of a stack: shape (k, min(rows, columns)), ascending.

    Raises numpy.linalg.LinAlgError where the decomposition does not converge.
    """
    stack = matrices.stack
    if stack.shape[1] < stack.shape[2]:
        stack = stack.transpose(0, 2, 1)
    values = np.linalg.eigvalsh(stack.transpose(0, 2, 1) @ stack)
    weak = np.flatnonzero(~(values[:, 0] > RELIABLE * values[:, -1]))
    if len(weak):
        values[weak] = np.sort(np.linalg.svd(stack[weak], compute_uv=False) ** 2, axis=1)
    return values


def singular_values(matrices: Matrices) -> np.ndarray:
    """The singular values that weightwatcher pools: shape (slices, min(rows, columns)), ascending."""
    singular = np.sqrt(eigenvalues(matrices))
    if matrices.rf == 1:
        # A batch (conv1d) is truncated to the M largest; for one matrix this is all of them.
        singular = np.sort(singular.ravel())[-matrices.M :][None, :]
    return singular


def layer_spectrum(weight: np.ndarray, layer_type: str) -> dict[str, Any]:
    """What weightwatcher derives from one layer's singular values.

    Returns ``evals`` (all slices pooled, ascending), ``sv_max``, ``sv_min`` (the largest of the
    slices' smallest, as weightwatcher has it) and ``rank_loss`` (summed over slices; a singular
    value counts as zero below max * N * machine epsilon, as in numpy.linalg.matrix_rank).
    """
    matrices = cut(weight, layer_type)
    singular = singular_values(matrices)
    tolerance = singular[:, -1:] * matrices.N * np.finfo(np.float64).eps
    return {
        "N": matrices.N,
        "M": matrices.M,
        "rf": matrices.rf,
        "evals": np.sort((singular**2).ravel()),
        "sv_max": singular[:, -1].max(),
        "sv_min": singular[:, 0].max(),
        "rank_loss": int(np.count_nonzero(singular <= tolerance)),
    }


def why_left_out(
    entry: Mapping[str, Any], max_evals: int, max_N: int, layers: str = "weightwatcher"
) -> str:
    """Why a tensor of the manifest gets no spectrum, or an empty text.

    weightwatcher limits N and the number of eigenvalues of all slices together. ``complete`` limits
    only the smaller side of a single matrix, by the lower of the two numbers: a decomposition costs
    the cube of that side, while a longer side, or one slice more, costs no more than its data.
    """
    complete = layers == "complete"
    if entry["reason"] and not (complete and entry["complete"]):
        return entry["reason"]
    if len(entry["shape"]) < 2:
        return "no matrix"
    if 0 in entry["shape"]:
        return "an empty tensor"
    if complete:
        side, most = smaller_side_of(entry["shape"], cut_as(entry, layers)), min(max_evals, max_N)
        return f"smaller side {side} > {most}" if side > most else ""
    N, evals = size_of(entry["shape"], entry["layer_type"])
    if N > max_N:
        return f"N = {N} > {max_N}"
    if evals > max_evals:
        return f"{evals} eigenvalues > {max_evals}"
    return ""


def type_of(entry: Mapping[str, Any], layers: str) -> str:
    """The layer type under which a tensor of the manifest is analysed."""
    return (layers == "complete" and entry["complete"]) or entry["layer_type"]


def cut_as(entry: Mapping[str, Any], layers: str) -> str:
    """The type that ``weights.layers.cut`` is given: ``type_of``, with one exception.

    weightwatcher's exchange of N and M in a ``conv2d`` is not repeated for a row it does not have.
    """
    layer_type = type_of(entry, layers)
    added = layers == "complete" and entry["complete"] == CONV2D
    return CONV3D if added else layer_type


def spectra(
    weights: Path, *, layers: str, max_evals: int, max_N: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The spectra of one model (a row per tensor, in the network's order) and its manifest.

    A row has the keys of ``SCHEMA``. ``layers`` is ``weightwatcher`` (its layers and no others) or
    ``complete`` (see ``weights.layers``). Raises ValueError for any other; KnownFailure: as the
    weights have it, (failed) for a matrix to analyse that is not finite, or (unsupported) for a
    model without a single layer that can be analysed.
    """
    if layers not in LAYERS:
        raise ValueError(f"layers is {layers!r}, not one of {LAYERS}")
    file, manifest = open_weights(weights)
    rows = []
    for entry in manifest["tensors"]:
        reason = why_left_out(entry, max_evals, max_N, layers)
        row = dict.fromkeys(SCHEMA) | {key: entry[key] for key in SCHEMA.keys() & entry.keys()}
        row |= {"parameters": parameters([entry["shape"]]), "reason": reason}
        row["layer_type"] = type_of(entry, layers)
        if layers == "weightwatcher" and entry["reason"]:
            row |= {"layer_id": None, "name": "", "longname": ""}
        if not reason:
            weight = file.get_tensor(entry["tensor"])
            if wrong := weight.size - int(np.count_nonzero(np.isfinite(weight))):
                what = f"{entry['tensor']}: {wrong} of {weight.size} values are NaN or infinite"
                raise KnownFailure("failed", what)
            row |= layer_spectrum(weight, cut_as(entry, layers))
        rows.append(row)
    if all(row["reason"] for row in rows):
        whose = "weightwatcher" if layers == "weightwatcher" else "Alpha Atlas"
        raise KnownFailure("unsupported", f"no layer that {whose} could analyse")
    return rows, manifest


def write(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
    columns: Mapping[str, str] = SCHEMA,
) -> None:
    """Write spectra as Parquet, with ``about`` (status, reason, provenance) in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "list": pa.list_(pa.float64()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    arrow = pa.Table.from_pylist(list(rows), schema=schema)
    arrow = arrow.replace_schema_metadata({"atlas": json.dumps(about, sort_keys=True)})
    with atomic(path) as beside:
        pq.write_table(arrow, beside, compression="zstd")


def about(path: Path) -> dict[str, Any]:
    """What the spectra of a model say about themselves, without reading them."""
    import pyarrow.parquet as pq

    return json.loads(pq.read_schema(path).metadata[b"atlas"])


def read(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read the spectra of a model and what they say about themselves (status, provenance).

    ``evals`` is an array of shape (n,), ascending, or None for a tensor that was left out.
    """
    import pyarrow.parquet as pq

    arrow = pq.read_table(path)
    rows = arrow.drop_columns(["evals"]).to_pylist()
    for row, evals in zip(rows, arrow["evals"], strict=True):
        row["evals"] = evals.values.to_numpy() if evals.is_valid else None
    return rows, json.loads(arrow.schema.metadata[b"atlas"])
