"""What others published about models that weightwatcher analysed for them: results, no weights.

A set is a folder of a repository at one commit. ``models/published/<set>.txt`` lists its files with
their SHA-256, so what is downloaded is what was looked at. Nothing of it is copied into this
project, since two of the three repositories state no licence.

A model's location is ``<set>/<model>``. Its results enter the study in the form in which our own
fits do, so that from there on nothing asks where they came from:

``seed-keras``
    50 models of Keras Applications without their top layer, weightwatcher 0.6.1; a row per layer.
    A failed fit is stored there as alpha = -1, and the set's own summaries average it in.
``ww-trends-2020``
    The models of Martin, Peng and Mahoney (2021), Nature Communications 12:4122, weightwatcher
    0.2.7. Their tables have a row per layer and one per slice of a convolution; what the paper used
    is the ``.txt`` summary beside them, which weighs slices and so is not the mean over layers.
    ``osmr/<model>`` is a row of the summaries of 311 models, without layers; its one infinite value
    is a missing value here. In this version ``norm`` is the Frobenius norm, not its square.
``timm-results``
    timm's tables of results: labels, no models.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure
from atlas.fits.reference import COLUMNS
from atlas.io import read_cells
from atlas.weights.published import SETS, files_of_model, locate, registry

OLD_NAMES = {
    "alpha": "alpha",
    "alpha_weighted": "alpha_weighted",
    "log_alpha_norm": "logpnorm",
    "log_norm": "lognorm",
    "log_spectral_norm": "logspectralnorm",
    "stable_rank": "softrank",
    "spectral_norm": "spectralnorm",
}
"""A summary's metrics as weightwatcher names them now, and as version 0.2.7 did."""

LOG_OF_MEAN = "log_mean_spectral_norm"
"""The log of the mean over layers of the spectral norm, where `log_spectral_norm` is the mean of the
logs: what the authors' notebook OSMR-Analysis.ipynb regresses on, but for the base of the log."""


def read(
    folder: Path,
    location: str,
    parameters: int | None = None,
    missing: Mapping[str, str] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """One model's published results: its details, its summary, and where they come from.

    ``folder`` holds the set's files. The details have weightwatcher's columns, None where the set
    has none; ``osmr`` has no details at all. ``parameters`` is used where there are no
    details; else the weights of the analysed layers are counted. ``missing`` are files that could not
    be had, with the reason. Raises KnownFailure for a model that is not
    in the set.
    """
    from atlas.fits.metrics import averages

    name, model = locate(location)
    files = files_of_model(name, model)
    for path in files:
        if path in (missing or {}):
            raise KnownFailure("failed", (missing or {})[path], "obtain")
    if name == "seed-keras":
        details = [_modern(row) for row in read_cells(folder / files[0])]
        summary = averages(details)
    elif model.startswith("osmr/"):
        details, summary = [], _osmr(folder / files[0], model.removeprefix("osmr/"))
    else:
        details = _whole_layers(read_cells(folder / files[0]))
        summary = averages(details) | _summary(folder / files[1])
    weights = sum(int(row["N"] * row["M"] * row["rf"]) for row in details)
    summary["parameters"] = weights or parameters
    about = {
        "set": name,
        "repository": SETS[name].repository,
        "commit": SETS[name].commit,
        "files": {path: registry(name)[path] for path in files},
    }
    return details, summary, about


def _modern(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of version 0.6.1's details as the present version writes it."""
    new = {column: _number(row.get(column, "")) for column in COLUMNS}
    ok = new["alpha"] != -1
    warning = row["warning"] if row["warning"] in ("over-trained", "under-trained") else ""
    return new | {
        "name": row["name"],
        "longname": row["name"],
        "Q": new["N"] / new["M"],
        "layer_type": row["layer_type"].removeprefix("LAYER_TYPE.").lower(),
        "status": "success" if ok else "failed",
        # The present version calls a failed fit, whose alpha is -1, over-trained.
        "warning": warning if ok else "over-trained",
    }


def _whole_layers(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The details of version 0.2.7: a row per layer, with the size and number of its slices.

    The table's own N and M of a layer are those of its slices times their number.
    """
    slices: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["level"] == "LEVEL.SLICE":
            slices.setdefault(row["layer_id"], []).append(row)
    details = []
    for row in rows:
        if row["level"] != "LEVEL.LAYER":
            continue
        known = {column: _number(row.get(column, "")) for column in COLUMNS}
        own = slices[row["layer_id"]]
        N, M = (int(own[0][side]) for side in ("N", "M"))
        name = f"layer {row['layer_id']}"
        details.append(
            known
            | {"name": name, "longname": name, "layer_type": row["layer_type"].lower()}
            | {"N": N, "M": M, "Q": N / M, "rf": len(own), "warning": ""}
            | {"status": "success" if known["alpha"] and known["alpha"] > 1 else "failed"}
        )
    return details


def _summary(path: Path) -> dict[str, float | None]:
    """The metrics of a summary as version 0.2.7 printed it: a Python dictionary of numbers."""
    text = path.read_text(encoding="utf-8")
    return _both(ast.literal_eval(text))


def _osmr(path: Path, model: str) -> dict[str, Any]:
    for row in read_cells(path):
        if row["modelname"] == model:
            return _both({key: _number(text) for key, text in row.items()})
    raise KnownFailure("failed", f"{path.name} has no model {model!r}")


def _both(values: Mapping[str, Any]) -> dict[str, float | None]:
    """The metrics under their present names, the same for both treatments of failed fits.

    This version stored no failed fits: there is nothing to leave out.
    """
    found = {new: values[old] for new, old in OLD_NAMES.items()}
    finite = {
        name: float(value) if value is not None and math.isfinite(value) else None
        for name, value in found.items()
    }
    if mean := finite["spectral_norm"]:
        finite[LOG_OF_MEAN] = math.log10(mean)
    return finite | {f"{name}_stored": value for name, value in finite.items()}


def _number(text: str) -> float | None:
    """A cell as a number; None for text and for blank cells."""
    try:
        return float(text)
    except ValueError:
        return None
