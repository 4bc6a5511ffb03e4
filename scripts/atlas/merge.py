"""One row per model and quality, one per layer, one per model that did not make it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

LABELS = (
    "model",
    "source",
    "collection",
    "family",
    "variant",
    "recipe",
    "seed",
    "dataset",
    "resolution",
    "quality_metric",
    "quality",
    "quality_source",
)
"""The columns of ``models.csv`` that come from the model list or from training."""

LEADING = (*LABELS, "parameters", "layers", "layers_failed", "engine", "weightwatcher_version")

MEASURED = ("accuracy", "generalization_gap")
"""Qualities that training measures (in percent), in this order."""

EXCLUDED = ("model", "stage", "status", "reason")


def models_table(
    rows: Iterable[Mapping[str, Any]],
    summaries: Mapping[str, Mapping[str, Any]],
    runs: Mapping[str, Mapping[str, Any]],
    measured: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """The models that were analysed: one row per model and quality metric.

    ``rows`` are the model list's labels in its order; ``summaries``, ``runs`` and ``measured`` (the
    qualities of networks trained here) are keyed by model. A model without any quality keeps one
    row with an empty quality. Raises KeyError for a model without a summary.
    """
    table = []
    for row in rows:
        summary = summaries[row["model"]]
        if summary["status"] != "ok":
            continue
        run = runs[row["model"]]
        about = {
            "engine": run["weightwatcher"]["engine"],
            "weightwatcher_version": run["versions"]["weightwatcher"],
        }
        numbers = {
            key: value
            for key, value in summary.items()
            if key not in ("model", "status", "left_out", "reason", "stage")
        }
        for quality in _qualities(row, measured.get(row["model"], {})):
            table.append({**{key: row.get(key) for key in LABELS}, **quality, **about, **numbers})
    metrics = [key for key in (table[0] if table else {}) if key not in LEADING]
    frame = pd.DataFrame(table, columns=[*LEADING, *metrics])
    return frame.astype({"seed": "Int64", "resolution": "Int64"})


def layers_table(details: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every analysed layer of every model, with ``model`` and ``depth`` (0 first, 1 last layer) first."""
    frames = []
    for model, table in details.items():
        if len(table):
            depth = [i / max(len(table) - 1, 1) for i in range(len(table))]
            frames.append(table.assign(model=model, depth=depth))
    if not frames:
        return pd.DataFrame(columns=["model", "depth"])
    merged = pd.concat(frames, ignore_index=True)
    # The names of a plain Sequential's layers are digits, and would be read as numbers.
    merged = merged.astype({"name": str, "longname": str, "warning": str})
    return merged[["model", "depth", *[name for name in merged if name not in ("model", "depth")]]]


def excluded_table(summaries: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The models that could not be analysed, with stage, status and reason."""
    rows = [
        {key: summary[key] for key in EXCLUDED}
        for summary in summaries.values()
        if summary["status"] != "ok"
    ]
    return pd.DataFrame(rows, columns=list(EXCLUDED))


def _qualities(row: Mapping[str, Any], measured: Mapping[str, float]) -> list[dict[str, Any]]:
    """The quality columns of a model's rows: what training measured, else the list's label."""
    if not measured:
        return [{}]
    source = "measured on the test data after training"
    return [
        {"quality_metric": name, "quality": measured[name], "quality_source": source}
        for name in MEASURED
    ]
