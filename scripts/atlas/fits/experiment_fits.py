"""The fits of the experiments on a model's weights, and the alternatives of alpha that follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from atlas.fits import metrics
from atlas.fits.powerlaw import THRESHOLD, fit_tail
from atlas.terms.experiments import NULLS, alpha_of

FITS = ("longname", "experiment", "draw", "num_evals", "alpha", "D", "status", "hill")
"""The columns of the fits of experiments; ``weights`` stands for the spectra themselves."""

MEDIAN_VARIANCE = {2: 0.5, 3: 0.44867, 4: 0.29822, 5: 0.28683}
"""Variance of the median of d normal draws, in units of theirs; beyond, at most pi/(2 d) (Laplace)."""


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

    ``spectra`` are the rows of ``spectra``. A layer that the other rule leaves out keeps a row
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
    usable = found is not None and metrics.usable(found.alpha)
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
    layers: dict[str, dict[str, float]] = {}
    for row in fits:
        name, experiment = row["longname"], row["experiment"]
        if experiment == "other_layers":
            continue
        layer = layers.setdefault(name, {})
        if experiment == "windows" and row["alpha"] not in (None, ""):
            layer["alpha_windows"] = row["alpha"]
        if experiment in ("weights", "windows") and row["hill"] not in (None, ""):
            layer["hill" if experiment == "weights" else "hill_windows"] = row["hill"]
    for experiment in NULLS:
        for name, alphas in drawn(fits, experiment).items():
            layers[name][alpha_of(experiment)] = float(np.median(alphas))
    return layers


def drawn(fits: Sequence[Mapping[str, Any]], experiment: str) -> dict[str, list[float]]:
    """The alphas of a null's draws that could be fitted, by the layer's longname."""
    alphas: dict[str, list[float]] = defaultdict(list)
    for row in fits:
        if row["experiment"] == experiment and row["alpha"] not in (None, ""):
            alphas[row["longname"]].append(row["alpha"])
    return alphas


def standard_error(alphas: Mapping[str, Sequence[float]]) -> float | None:
    """Standard error of the mean over layers of the median over each layer's draws.

    Of what other draws would change, the layers being the same: sqrt(sum of variances) / layers. A
    layer with a single draw has the mean variance of the others; None where none has two. The
    variance of a median is that of normal draws (``MEDIAN_VARIANCE``); draws of alpha have heavier
    tails, so the error is rather smaller.
    """
    variances = [
        np.var(values, ddof=1) * MEDIAN_VARIANCE.get(len(values), np.pi / (2 * len(values)))
        for values in alphas.values()
        if len(values) > 1
    ]
    return float(np.sqrt(np.mean(variances) / len(alphas))) if variances else None


BY_LAYER = ("alpha_shuffled", "alpha_gaussian", "alpha_windows", "hill", "hill_windows")
"""The columns that ``by_layer`` adds to the table of layers."""


def averages(
    details: Sequence[Mapping[str, Any]],
    fits: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> dict[str, float | None]:
    """The alternatives of alpha that follow from the experiments: means over a model's layers.

    ``alpha_over_shuffled`` is the mean of log10(alpha / alpha_shuffled) over the layers that have
    both; ``alpha_shuffled_se`` and ``alpha_gaussian_se`` say how much other draws would change the
    means of the nulls (``standard_error``); ``alpha_other_layers`` is the mean over the layers that
    the other rule takes, each with its own fit. None where no layer has one; an experiment that was
    not made gives nothing.
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
    result |= {
        f"{alpha_of(null)}_se": standard_error(drawn(fits, null)) for null in NULLS if options[null]
    }
    alphas = {
        row["longname"]: row["alpha"]
        for row in details
        if row["status"] == "success" and metrics.usable(row["alpha"])
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
