"""One row per model and quality, one per layer, one per model that did not make it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from atlas.fits.experiment_fits import BY_LAYER
from atlas.terms.keys import FACTOR

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
    "run",
    "step",
)
"""The columns of ``models.csv`` that come from the model list or from training."""

LEADING = (*LABELS, "parameters", "layers", "layers_failed", "engine", "weightwatcher_version")

WHOLE = ("seed", "resolution", "step", "parameters", "layers", "layers_failed")
"""Columns of whole numbers, of which some may be missing."""

MEASURED = ("accuracy", "generalization_gap")
"""Qualities that training measures (in percent), in this order."""

EXCLUDED = ("model", "stage", "status", "reason")


def models_table(
    rows: Iterable[Mapping[str, Any]],
    summaries: Mapping[str, Mapping[str, Any]],
    runs: Mapping[str, Mapping[str, Any]],
    measured: Mapping[str, Mapping[str, float]],
    published: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]] | None = None,
) -> pd.DataFrame:
    """The models that were analysed: one row per model and quality metric.

    ``rows`` are the model list's labels in its order; ``summaries``, ``runs`` and ``measured`` (the
    qualities of networks trained here) are keyed by model, ``published`` (timm's labels on ImageNet
    and its variants) by name and resolution. A model without any quality keeps one row with an empty
    quality. Raises KeyError for a model without a summary.
    """
    table = []
    metrics: dict[str, None] = {}  # in order, and each once: published results lack some
    factors: dict[str, None] = {}
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
        metrics |= dict.fromkeys(key for key in numbers if key not in LEADING)
        levels = {key: level for key, level in row.items() if key.startswith(FACTOR)}
        factors |= dict.fromkeys(levels)
        labels = {key: row.get(key) for key in LABELS} | levels
        for quality in _qualities(row, measured.get(row["model"], {}), published or {}):
            table.append({**labels, **quality, **about, **numbers})
    frame = pd.DataFrame(table, columns=[*LEADING, *factors, *metrics])
    return frame.astype(dict.fromkeys(WHOLE, "Int64"))


def layers_table(
    details: Mapping[str, pd.DataFrame],
    experiments: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
) -> pd.DataFrame:
    """Every analysed layer of every model, with ``model`` and ``depth`` (0 first, 1 last layer) first.

    ``experiments`` gives further columns (``atlas.fits.experiment_fits.BY_LAYER``) by model and longname.
    """
    frames = []
    for model, table in details.items():
        if len(table):
            depth = [i / max(len(table) - 1, 1) for i in range(len(table))]
            table = table.assign(model=model, depth=depth)
            if experiments:
                found = experiments.get(model, {})
                more = [found.get(name, {}) for name in table["longname"].astype(str)]
                table = table.assign(
                    **{c: [row.get(c, float("nan")) for row in more] for c in BY_LAYER}
                )
            frames.append(table)
    if not frames:
        return pd.DataFrame(columns=["model", "depth"])
    merged = pd.concat(frames, ignore_index=True)
    # The names of a plain Sequential's layers are digits, and would be read as numbers; and a
    # column that a published table lacks would make the others' numbers objects.
    texts = {"name", "longname", "warning", "model", "layer_type", "status", "has_esd"}
    merged = merged.astype({"name": str, "longname": str, "warning": str})
    merged = merged.astype(
        {name: float for name in merged if merged[name].dtype == object and name not in texts}
    )
    return merged[["model", "depth", *[name for name in merged if name not in ("model", "depth")]]]


def excluded_table(summaries: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The models that could not be analysed, with stage, status and reason."""
    rows = [
        {key: summary[key] for key in EXCLUDED}
        for summary in summaries.values()
        if summary["status"] != "ok"
    ]
    return pd.DataFrame(rows, columns=list(EXCLUDED))


def _qualities(
    row: Mapping[str, Any],
    measured: Mapping[str, float],
    published: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]],
) -> list[Mapping[str, Any]]:
    """The quality columns of a model's rows: measured in training, from the list, or looked up."""
    if measured:
        source = "measured on the test data after training"
        return [
            {"quality_metric": name, "quality": measured[name], "quality_source": source}
            for name in MEASURED
        ]
    if row["source"] == "timm" and row["quality"] is None:
        return list(published.get((row["location"], row["resolution"]), [{}]))
    return [{}]
