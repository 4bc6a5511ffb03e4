"""Holding our details against weightwatcher's own, layer by layer.

Two correct decompositions of one matrix differ in the last bits of its eigenvalues. Most quantities
hardly move with them, but those of a spectrum that is all but constant do: alpha - 1 is one over the
mean logarithm of lambda / xmin, so an orthogonal matrix has an alpha in the millions, which loses as
many digits. A difference beyond the tolerance therefore still counts as agreement where rounding the
eigenvalues anew moves the quantity as far (``movement``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from atlas.fits import metrics
from atlas.fits.spectra import RELIABLE

QUANTITIES = (
    "alpha",
    "xmin",
    "xmax",
    "D",
    "sigma",
    "alpha_weighted",
    "log_alpha_norm",
    "log_norm",
    "log_spectral_norm",
    "norm",
    "spectral_norm",
    "stable_rank",
    "matrix_rank",
    "rank_loss",
    "entropy",
    "sv_max",
    "N",
    "M",
    "rf",
    "num_evals",
    "num_pl_spikes",
)
"""What must agree. ``sv_min`` and ``weak_rank_loss`` of rank-deficient layers are rounding noise."""

OF_THE_FIT = tuple("alpha xmin xmax D sigma alpha_weighted log_alpha_norm num_pl_spikes".split())
"""What means nothing where alpha is infinite up to rounding, which is a failed fit on both sides."""

TEXTS = ("layer_type", "status", "warning")

DRAWS = 16
"""How often ``movement`` rounds the eigenvalues anew."""


def compare(
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    layers: str = "weightwatcher",
    tolerance: float = 0.0,
    spectra: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """The largest relative difference of each quantity, for every layer that either has.

    Both tables have weightwatcher's columns; layers are joined on ``longname``, since layer ids
    depend on the way in. Returns a row per layer: ``longname``, ``quantity`` (where it is largest),
    ``difference`` (relative; infinite where a layer is missing on one side or a text differs),
    ``agrees`` (no difference is beyond the tolerance and beyond what rounding explains, which needs
    the layer's row of ``spectra``, by longname; a fit that is unbounded on both sides is the same).
    Of a layer that does not agree the quantity is the
    one that differs most without an explanation.
    With ``layers="complete"`` the layers that only we analyse are no part of it, nor are those that
    we take for another type because weightwatcher misreads them; one that we lack still is.
    """
    if layers == "complete":
        types = dict(zip(theirs["longname"], theirs["layer_type"], strict=True))
        mine = dict(zip(ours["longname"], ours["layer_type"], strict=True))
        other = {name for name in types.keys() & mine.keys() if types[name] != mine[name]}
        ours = ours[ours["longname"].isin(types.keys() - other)]
        theirs = theirs[~theirs["longname"].isin(other)]
    ours, theirs = ours.set_index("longname"), theirs.set_index("longname")
    rows = []
    for longname in sorted(set(ours.index) | set(theirs.index)):
        if longname not in ours.index or longname not in theirs.index:
            rows.append((longname, "layer", np.inf, False))
            continue
        mine, its = ours.loc[longname], theirs.loc[longname]
        differences = {name: relative(mine[name], its[name]) for name in QUANTITIES}
        differences |= {name: 0.0 if same_text(mine[name], its[name]) else np.inf for name in TEXTS}
        if min(mine["alpha"], its["alpha"]) >= metrics.UNBOUNDED:
            differences |= dict.fromkeys(OF_THE_FIT, 0.0)
        beyond = {name for name, found in differences.items() if found > tolerance}
        if beyond and longname in (spectra or {}):
            moved = movement(spectra[longname])
            beyond = {name for name in beyond if differences[name] > moved[name]}
        worst = max(beyond or differences, key=differences.__getitem__)
        rows.append((longname, worst, differences[worst], not beyond))
    return pd.DataFrame(rows, columns=["longname", "quantity", "difference", "agrees"])


def movement(layer: Mapping[str, Any]) -> dict[str, float]:
    """How far each quantity of a layer moves when its eigenvalues are rounded anew: relative.

    ``layer`` is a row of ``spectra``. Twice the largest move of ``DRAWS`` (each side has an
    error of its own), infinite where a text changes. The error of an eigenvalue is that of the
    decomposition it comes from, uniform up to sqrt(N) units of rounding of the largest eigenvalue;
    of a matrix that is done by singular values, of the largest of those, N being the longer side.
    """
    evals = np.asarray(layer["evals"])
    roots = not evals.min() > RELIABLE * evals.max()
    exact = np.sqrt(evals) if roots else evals
    size = np.sqrt(layer["N"]) * np.finfo(np.float64).eps * exact.max()
    rng = np.random.default_rng(0)
    here = metrics.layer_details(layer)
    moved = dict.fromkeys((*QUANTITIES, *TEXTS), 0.0)
    for _ in range(DRAWS):
        values = np.abs(exact + size * rng.uniform(-1, 1, exact.shape))
        values = np.sort(values**2 if roots else values)
        there = metrics.layer_details({**layer, "evals": values})
        for name in QUANTITIES:
            moved[name] = max(moved[name], 2 * relative(_number(there[name]), _number(here[name])))
        for name in TEXTS:
            moved[name] = np.inf if there[name] != here[name] else moved[name]
    return moved


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def relative(a: float, b: float) -> float:
    """|a - b| / max(|b|, 1e-12): relative to weightwatcher's value; 0 where both are equal or missing."""
    a, b = float(a), float(b)
    if a == b or (np.isnan(a) and np.isnan(b)):
        return 0.0
    difference = abs(a - b) / max(abs(b), 1e-12)
    return float("inf") if np.isnan(difference) else difference


def same_text(a: object, b: object) -> bool:
    """Equal texts, where a missing one equals an empty one."""
    return ("" if pd.isna(a) else str(a)) == ("" if pd.isna(b) else str(b))


def report(compared: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per audited model: its layers, how many agree, and where it differs most.

    Where some do not agree, it is the one of these that differs most.
    """
    rows = []
    for model, layers in compared.items():
        wrong = layers[~layers["agrees"].astype(bool)]
        most = wrong if len(wrong) else layers
        worst = layers.loc[most["difference"].idxmax()] if len(layers) else None
        rows.append(
            {
                "model": model,
                "layers": len(layers),
                "agree": len(layers) - len(wrong),
                "largest_difference": float(worst["difference"]) if worst is not None else 0.0,
                "quantity": worst["quantity"]
                if worst is not None and worst["difference"] > 0
                else "",
                "layer": worst["longname"] if worst is not None and worst["difference"] > 0 else "",
            }
        )
    names = ["model", "layers", "agree", "largest_difference", "quantity", "layer"]
    return pd.DataFrame(rows, columns=names)
