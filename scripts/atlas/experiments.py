"""Experiments that could refute an explanation of what alpha shows, on one model's weights.

Whatever needs the weights is computed while they are there, with the spectra, and kept:

- ``shuffled``: the spectrum of the same matrices with their entries permuted, several times. What
  alpha says about them comes from shape and from the distribution of the entries alone.
- ``gaussian``: the same for Gaussian noise of the same shape and scale: shape alone.
- ``windows``: the pooled spectrum of square submatrices of one size, so that neither size nor aspect
  ratio differ between layers (FARMS: Hu et al. 2025, ICML, section 3).
- ``other_layers``: the layers that the other of the two rules in ``docs/layers.md`` takes.

The fits are another stage's (``fit``), as for the spectra themselves.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atlas import metrics
from atlas.layers import Matrices, cut
from atlas.powerlaw import THRESHOLD, fit_tail
from atlas.spectra import LAYERS, cut_as, singular_values, why_left_out
from atlas.weights import open_weights

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
"""The columns of a table of experiments; ``evals`` is null where the other rule leaves a tensor out."""

FITS = ("longname", "experiment", "draw", "num_evals", "alpha", "D", "status", "hill")
"""The columns of the fits of experiments; ``weights`` stands for the spectra themselves."""

NULLS = ("shuffled", "gaussian")


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
                if there:
                    matrices = cut(file.get_tensor(entry["tensor"]), cut_as(entry, other))
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


# --- fits -----------------------------------------------------------------------------------------


def hill(evals: np.ndarray) -> float | None:
    """Hill's (1975, Annals of Statistics 3) estimate of a density's exponent, from the upper half.

    1 + k / sum_{i<=k} ln(lambda_(n-i+1) / lambda_(n-k)) with k = n/2, as TempBalance (Zhou et al.
    2023, NeurIPS, equation 1 and its "median" rule) and FARMS have it. ``evals``: shape (n,),
    ascending; those that weightwatcher does not fit (below ``THRESHOLD``) are left out. None for
    fewer than four, or where the upper half is constant.
    """
    data = evals[evals > THRESHOLD]
    if len(data) < 4:
        return None
    k = len(data) // 2
    total = np.sum(np.log(data[-k:] / data[-k - 1]))
    return float(1 + k / total) if total > 1e-12 else None


def fit(
    spectra: Sequence[Mapping[str, Any]],
    experiments: Sequence[Mapping[str, Any]],
    min_evals: int,
) -> list[dict[str, Any]]:
    """A fit for each spectrum of an analysed layer and each of its experiments, columns ``FITS``.

    ``spectra`` are the rows of ``atlas.spectra``. A layer that the other rule leaves out keeps a row
    of ``other_layers`` without a fit.
    """
    analysed = {row["tensor"]: row for row in spectra if metrics.is_taken(row, min_evals)}
    fits = [
        {"longname": row["longname"], "experiment": "weights", "draw": 0, **_fitted(row["evals"])}
        for row in analysed.values()
    ]
    for row in experiments:
        other = row["experiment"] == "other_layers"
        if not other and row["tensor"] not in analysed:
            continue
        names = {key: row[key] for key in ("longname", "experiment", "draw")}
        enough = row["evals"] is not None and row["M"] * row["rf"] >= min_evals
        nothing = dict.fromkeys(FITS) | {"status": "left out"}
        fits.append((_fitted(row["evals"]) if enough else nothing) | names)
    return [{name: row[name] for name in FITS} for row in fits]


def _fitted(evals: np.ndarray) -> dict[str, Any]:
    found = fit_tail(evals)
    usable = found is not None and found.alpha > 1
    return {
        "num_evals": len(evals),
        "alpha": found.alpha if usable else None,
        "D": found.D if usable else None,
        "status": "success" if usable else "failed",
        "hill": hill(evals),
    }


def by_layer(fits: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """What the experiments say about each layer, by its longname.

    ``alpha_shuffled`` and ``alpha_gaussian`` are medians over the draws that could be fitted,
    ``alpha_windows``, ``hill`` and ``hill_windows`` single values; what could not be fitted is absent.
    """
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    layers: dict[str, dict[str, float]] = {}
    for row in fits:
        name, experiment = row["longname"], row["experiment"]
        if experiment == "other_layers":
            continue
        layer = layers.setdefault(name, {})
        if experiment in NULLS and row["alpha"] not in (None, ""):
            values[name, experiment].append(row["alpha"])
        if experiment == "windows" and row["alpha"] not in (None, ""):
            layer["alpha_windows"] = row["alpha"]
        if experiment in ("weights", "windows") and row["hill"] not in (None, ""):
            layer["hill" if experiment == "weights" else "hill_windows"] = row["hill"]
    for (name, experiment), alphas in values.items():
        layers[name][f"alpha_{experiment}"] = float(np.median(alphas))
    return layers


BY_LAYER = ("alpha_shuffled", "alpha_gaussian", "alpha_windows", "hill", "hill_windows")
"""The columns that ``by_layer`` adds to the table of layers."""


def averages(
    details: Sequence[Mapping[str, Any]],
    fits: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> dict[str, float | None]:
    """The alternatives of alpha that follow from the experiments: means over a model's layers.

    ``alpha_over_shuffled`` is the mean of log10(alpha / alpha_shuffled) over the layers that have
    both; ``alpha_other_layers`` the mean over the layers that the other rule takes, each with its
    own fit. None where no layer has one; an experiment that was not made gives nothing.
    """
    layers = by_layer(fits)
    made = {
        "alpha_shuffled": options["shuffled"],
        "alpha_gaussian": options["gaussian"],
        "alpha_windows": options["windows"]["size"],
        "hill": True,
        "hill_windows": options["windows"]["size"],
    }
    result = {
        name: _mean([layer[name] for layer in layers.values() if name in layer])
        for name in BY_LAYER
        if made[name]
    }
    alphas = {
        row["longname"]: row["alpha"]
        for row in details
        if row["status"] == "success" and row["alpha"] > 1
    }
    if options["shuffled"]:
        result["alpha_over_shuffled"] = _mean(
            [
                np.log10(alpha / layers[name]["alpha_shuffled"])
                for name, alpha in alphas.items()
                if "alpha_shuffled" in layers.get(name, {})
            ]
        )
    if options["other_layers"]:
        other = {row["longname"]: row for row in fits if row["experiment"] == "other_layers"}
        found = [alpha for name, alpha in alphas.items() if name not in other]
        found += [row["alpha"] for row in other.values() if row["status"] == "success"]
        result["alpha_other_layers"] = _mean(found)
    return result


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
