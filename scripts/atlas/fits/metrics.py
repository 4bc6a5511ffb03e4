"""weightwatcher's per-layer metrics from cached spectra, and a model's summary from its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from atlas.errors import KnownFailure
from atlas.fits.powerlaw import fit_tail

RANGE = (2, 6)
"""Where alpha is to lie: below, weightwatcher calls a layer over-trained, above, under-trained."""


def layer_counts(layers: pd.DataFrame) -> dict[str, int]:
    """How many layers were analysed, failed, are small, have a short tail or an odd alpha.

    ``sized`` and ``tailed`` are those whose number of eigenvalues, and in the tail, is known: some
    published tables have none.
    """
    if "alpha" not in layers or layers.empty:
        names = ("all", "failed", "fitted", "sized", "small", "tailed", "short", "outside")
        return dict.fromkeys(names, 0)
    bad = failed(layers)
    good = layers[~bad]
    return {
        "all": len(layers),
        "failed": int(bad.sum()),
        "fitted": len(good),
        "sized": int(layers["num_evals"].notna().sum()),
        "small": int((layers["num_evals"] < LARGE).sum()),
        "tailed": int(good["num_pl_spikes"].notna().sum()),
        "short": int((good["num_pl_spikes"] < LARGE).sum()),
        "outside": int((~good["alpha"].between(*RANGE)).sum()),
    }


SUMMARY = (
    "alpha",
    "alpha_weighted",
    "log_alpha_norm",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "entropy",
)
"""Metrics that a model's summary averages over layers."""

OVER_TRAINED, UNDER_TRAINED = 2.0, 6.0

UNBOUNDED = 1e12
"""An exponent from here on says that the tail is constant up to rounding: infinite, or as good as."""

LARGE = 50
"""Eigenvalues from which the theory's authors trust a fit: weightwatcher's README."""

KINDS = ("depthwise", "pointwise", "conv", "dense")
WEAK = 1e-6
_EPSILON = 1e-10


def details(spectra: Sequence[Mapping[str, Any]], min_evals: int) -> list[dict[str, Any]]:
    """weightwatcher's details of one model: a row per analysed layer, its columns and names.

    ``spectra`` are the rows of ``spectra``. A failed fit is stored as weightwatcher stores
    it (alpha = -1, status ``failed``; an infinite alpha as a success), so that the table can be
    compared; ``summarise`` leaves such layers out (``failed``).
    """
    return [layer_details(row) for row in spectra if is_taken(row, min_evals)]


def is_taken(row: Mapping[str, Any], min_evals: int) -> bool:
    """Whether a tensor is analysed: it has a spectrum, and that has enough eigenvalues."""
    return not row["reason"] and row["M"] * row["rf"] >= min_evals


def layer_details(layer: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the details (Martin, Peng and Mahoney 2021, Nature Communications 12:4122, Methods).

    With eigenvalues lambda of W^T W: ``norm`` is the squared Frobenius norm (their sum),
    ``spectral_norm`` the largest; alpha_weighted = alpha log10(lambda_max); log_alpha_norm =
    log10(sum lambda^alpha); stable_rank = norm / spectral_norm; ``entropy`` is the entropy of
    lambda / norm in units of log(rank).
    """
    evals = np.asarray(layer["evals"])
    N = layer["N"]
    fit = fit_tail(evals)
    alpha = fit.alpha if fit else -1
    norm, largest = np.sum(evals), np.max(evals)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        log_largest = np.log10(largest)
        log_alpha_norm = np.log10(np.sum(evals**alpha))
        log_norm = np.log10(norm)
        stable_rank = norm / largest
    singular = np.sqrt(evals)
    rank = int(np.count_nonzero(singular > singular.max() * N * np.finfo(np.float64).eps))
    warning = (
        "over-trained" if alpha < OVER_TRAINED else "under-trained" if alpha > UNDER_TRAINED else ""
    )
    return {
        "layer_id": layer["layer_id"],
        "name": layer["name"],
        "D": fit.D if fit else -1,
        "M": layer["M"],
        "N": N,
        "Q": N / layer["M"],
        "alpha": alpha,
        "alpha_weighted": alpha * log_largest,
        "entropy": _entropy(singular, rank),
        "has_esd": True,
        "lambda_max": largest,
        "layer_type": layer["layer_type"],
        "log_alpha_norm": log_alpha_norm,
        "log_norm": log_norm,
        "log_spectral_norm": log_largest,
        "longname": layer["longname"],
        "matrix_rank": rank,
        "norm": norm,
        "num_evals": len(evals),
        "num_pl_spikes": int(np.count_nonzero(evals >= fit.xmin)) if fit else -1,
        "rank_loss": layer["rank_loss"],
        "rf": layer["rf"],
        "sigma": fit.sigma if fit else -1,
        "spectral_norm": largest,
        "stable_rank": stable_rank,
        "status": "success" if fit else "failed",
        "sv_max": layer["sv_max"],
        "sv_min": layer["sv_min"],
        "warning": warning,
        "weak_rank_loss": int(np.count_nonzero(evals < WEAK)),
        "xmax": fit.xmax if fit else None,
        "xmin": fit.xmin if fit else -1,
    }


def failed(details: Any) -> Any:
    """Which layers have no usable exponent: a failed fit, or a value not above 1, or ``UNBOUNDED``.

    ``details`` has the columns ``status`` and ``alpha`` (a DataFrame, or arrays by name).
    """
    return (details["status"] != "success") | ~usable(details["alpha"])


def usable(alpha: Any) -> Any:
    """Whether an exponent (or which of an array's) is that of a power law: above 1 and bounded."""
    return (alpha > 1) & (alpha < UNBOUNDED)


def summarise(
    details: Sequence[Mapping[str, Any]], spectra: Sequence[Mapping[str, Any]], min_evals: int
) -> dict[str, Any]:
    """A model's summary: means over its layers, with what they leave out beside them.

    ``<metric>`` is the mean over the layers whose fit succeeded, ``<metric>_stored`` the mean over
    all layers with what weightwatcher stores for a failed fit, as its own summary has it.
    ``coverage`` is the share of the ``parameters`` that lies in analysed layers, ``failed_share``
    the share of layers whose fit failed, ``left_out`` the rest by reason. Raises KnownFailure
    (unsupported) where no layer is left, or no fit succeeds.
    """
    if not details:
        raise KnownFailure("unsupported", "no layer with enough eigenvalues")
    left_out: dict[str, int] = {}
    for row in spectra:
        if not is_taken(row, min_evals):
            reason = row["reason"] or "too few eigenvalues"
            left_out[reason] = left_out.get(reason, 0) + row["parameters"]
    parameters = sum(row["parameters"] for row in spectra)
    return {
        "parameters": parameters,
        "coverage": 1 - sum(left_out.values()) / parameters,
        "left_out": left_out,
        **averages(details),
    }


def averages(details: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part of a summary that follows from the layers alone; see ``summarise``.

    A column may be None in all rows, as in results of older versions. Raises KnownFailure
    (unsupported) where no fit succeeds.
    """
    numbers = {*SUMMARY, "alpha", "D", "N", "M", "rf", "num_evals", "num_pl_spikes", "rank_loss"}
    every = {
        name: np.array([row[name] for row in details], dtype=float if name in numbers else None)
        for name in (*sorted(numbers), "status", "layer_type")
    }
    every["kind"] = np.array([kind_of(row) for row in details])
    bad = failed(every)
    if bad.all():
        raise KnownFailure("unsupported", f"all {len(details)} tail fits failed")
    good = {name: values[~bad] for name, values in every.items()}
    summary: dict[str, Any] = {
        "layers": len(details),
        "layers_failed": int(bad.sum()),
        "failed_share": float(bad.mean()),
    }
    for metric in SUMMARY:
        summary[metric] = _mean(good[metric])
        summary[f"{metric}_stored"] = _mean(every[metric])
    alpha, sizes = good["alpha"], good["N"] * good["M"] * good["rf"]
    summary |= _traits(every, good) | _selections(every, ~bad)
    return summary | {
        "alpha_median": float(np.median(alpha)),
        "alpha_by_size": float(np.average(alpha, weights=sizes)),
        "alpha_sd": float(np.std(alpha, ddof=1)) if len(alpha) > 1 else None,
        "alpha_2_to_6": float(np.mean((alpha >= OVER_TRAINED) & (alpha <= UNDER_TRAINED))),
        "D": _mean(good["D"]),
        "evals_50": _share(every["num_evals"], LARGE),
    }


def kind_of(layer: Mapping[str, Any]) -> str:
    """The kind of a layer by its sizes: one of ``KINDS``, or "" for an embedding and what is unknown.

    A convolution with one input channel per output is ``depthwise`` (also a first layer on a single
    channel: the spectrum cannot tell them), one with a kernel of a single point ``pointwise``.
    """
    layer_type, rf = layer["layer_type"], layer["rf"]
    if layer_type.startswith("conv"):
        narrow = min(layer["N"], layer["M"]) == 1
        return "depthwise" if narrow and rf > 1 else "pointwise" if rf == 1 else "conv"
    return "" if layer_type in ("embedding", "norm", "unknown", "") else "dense"


def _traits(
    every: Mapping[str, np.ndarray], good: Mapping[str, np.ndarray]
) -> dict[str, float | None]:
    """What a model's layers are like: candidates that may explain where alpha works.

    Medians of the longer and shorter side, their ratio and the number of eigenvalues; the share of
    each kind of layer; the share of eigenvalues lost to rank deficiency, and in the fitted tails.
    """
    longer, shorter = np.maximum(every["N"], every["M"]), np.minimum(every["N"], every["M"])
    evals, lost = every["num_evals"], every["rank_loss"]
    known = np.isfinite(evals) & np.isfinite(lost)
    return {
        "N_median": _median(longer),
        "M_median": _median(shorter),
        "aspect_median": _median(longer / shorter),
        "evals_median": _median(evals),
        **{f"{kind}_share": float(np.mean(every["kind"] == kind)) for kind in KINDS},
        "rank_loss_share": float(lost[known].sum() / evals[known].sum()) if known.any() else None,
        "tail_share": _mean(good["num_pl_spikes"] / good["num_evals"]),
    }


def _selections(every: Mapping[str, np.ndarray], good: np.ndarray) -> dict[str, float | None]:
    """The mean of alpha over some of the layers with a usable fit; None where there are none.

    ``alpha_enough``: at least ``LARGE`` eigenvalues. ``alpha_inner``: neither the first nor the last
    analysed layer. ``alpha_in_range``: alpha between ``OVER_TRAINED`` and ``UNDER_TRAINED``. And of
    each kind of layer.
    """
    alpha, places = every["alpha"], np.arange(len(good))
    chosen = {
        "enough": every["num_evals"] >= LARGE,
        "inner": (places > 0) & (places < len(good) - 1),
        "in_range": (alpha >= OVER_TRAINED) & (alpha <= UNDER_TRAINED),
        **{kind: every["kind"] == kind for kind in KINDS},
    }
    return {f"alpha_{name}": _mean(alpha[good & which]) for name, which in chosen.items()}


def _median(values: np.ndarray) -> float | None:
    """Median over finite values; None where there is none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def _share(values: np.ndarray, at_least: float) -> float | None:
    """The share of known values that are large enough; None where none is known."""
    known = values[np.isfinite(values)]
    return float(np.mean(known >= at_least)) if len(known) else None


def _mean(values: np.ndarray) -> float | None:
    """Mean over finite values; None where there is none."""
    finite = values[np.isfinite(values)]
    return float(np.mean(finite)) if len(finite) else None


def _entropy(singular: np.ndarray, rank: int) -> float:
    """weightwatcher's matrix entropy, with the small constant that it adds."""
    values = singular * singular
    with np.errstate(divide="ignore", invalid="ignore"):
        p = values / np.sum(values) + _EPSILON
        return float(-np.sum(p * np.log(p)) / np.log(rank + _EPSILON))
