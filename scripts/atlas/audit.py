"""Holding our details against weightwatcher's own, layer by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd

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

TEXTS = ("layer_type", "status", "warning")


def compare(
    ours: pd.DataFrame, theirs: pd.DataFrame, layers: str = "weightwatcher"
) -> pd.DataFrame:
    """The largest relative difference of each quantity, for every layer that either has.

    Both tables have weightwatcher's columns; layers are joined on ``longname``, since layer ids
    depend on the way in. Returns a row per layer: ``longname``, ``quantity`` (where it is largest),
    ``difference`` (relative; infinite where a layer is missing on one side or a text differs).
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
            rows.append((longname, "layer", np.inf))
            continue
        mine, its = ours.loc[longname], theirs.loc[longname]
        differences = {name: relative(mine[name], its[name]) for name in QUANTITIES}
        differences |= {name: 0.0 if same_text(mine[name], its[name]) else np.inf for name in TEXTS}
        worst = max(differences, key=differences.__getitem__)
        rows.append((longname, worst, differences[worst]))
    return pd.DataFrame(rows, columns=["longname", "quantity", "difference"])


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


def report(compared: dict[str, pd.DataFrame], tolerance: float) -> pd.DataFrame:
    """One row per audited model: its layers, how many agree, and where it differs most."""
    rows = []
    for model, layers in compared.items():
        worst = layers.loc[layers["difference"].idxmax()] if len(layers) else None
        rows.append(
            {
                "model": model,
                "layers": len(layers),
                "agree": int((layers["difference"] <= tolerance).sum()),
                "largest_difference": float(worst["difference"]) if worst is not None else 0.0,
                "quantity": worst["quantity"]
                if worst is not None and worst["difference"] > 0
                else "",
                "layer": worst["longname"] if worst is not None and worst["difference"] > 0 else "",
            }
        )
    names = ["model", "layers", "agree", "largest_difference", "quantity", "layer"]
    return pd.DataFrame(rows, columns=names)
