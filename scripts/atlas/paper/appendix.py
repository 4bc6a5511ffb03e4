"""The appendix: models, excluded models, sources, audit, provenance, versions."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from atlas.findings.results import Results, value
from atlas.paper import clauses
from atlas.paper.markdown import (
    MISSING,
    count,
    escape,
    integer,
    listing,
    number,
    pipe_table,
    prose,
    scientific,
)
from atlas.terms import words


def renderer_text(name: str, version: str) -> str:
    """Who rendered the paper."""
    if name == "quarto":
        return f"Quarto {escape(version)}"
    return f"the built-in renderer ({escape(version)})"


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of what decides the results, as canonical JSON: the config without its words."""
    decisive = {key: part for key, part in config.items() if key not in ("title", "date")}
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def excluded_text(study: Results) -> str:
    """The models that could not be analysed, with reasons; or that there was none."""
    if not study.excluded:
        return "Every listed model could be analysed; none was excluded.\n"
    rows = [
        [escape(row["model"]), escape(row["stage"]), escape(row["status"]), prose(row["reason"])]
        for row in study.excluded
    ]
    table = pipe_table([("Model", "l"), ("Stage", "l"), ("Status", "l"), ("Reason", "l")], rows)
    return (
        f"{count(len(rows), 'model')} could not be analysed. Unsupported means that nothing in the "
        f"model can be analysed, failed that something went wrong.\n\n{table}"
    )


def label_sources(study: Results) -> dict[str, str]:
    """A short key for every source of labels, in the order of their texts."""
    texts = sorted({row["quality_source"] for row in study.models if row["quality_source"]})
    return {text: f"S{index}" for index, text in enumerate(texts, 1)}


def sources_list(study: Results) -> str:
    """What the keys of the table of models stand for."""
    keys = label_sources(study)
    if not keys:
        return "No model has a source of its quality.\n"
    return "".join(f"- {key}: {prose(text)}\n" for text, key in keys.items())


def models_table(study: Results) -> str:
    """Every model with its quality, the source of it, its size and its alpha."""
    keys = label_sources(study)
    rows = []
    for model, entries in study.by_model.items():
        first = entries[0]
        several = len({row["dataset"] for row in entries}) > 1
        qualities = [
            f"{escape(row['dataset']) + ' ' if several else ''}"
            f"{SHORT.get(row['quality_metric'], escape(row['quality_metric']))} "
            f"{number(value(row, 'quality'))}"
            for row in entries
            if row["quality_metric"] and value(row, "quality") is not None
        ]
        found = sorted({keys[row["quality_source"]] for row in entries if row["quality_source"]})
        rows.append(
            [
                escape(model),
                escape(first["family"]),
                integer(value(first, "parameters")),
                f"{integer(value(first, 'layers'))} ({integer(value(first, 'layers_failed'))})",
                number(value(first, study.metric)),
                ", ".join(qualities) or MISSING,
                ", ".join(found) or MISSING,
            ]
        )
    return pipe_table(
        [
            ("Model", "l"),
            ("Family", "l"),
            ("Parameters", "r"),
            ("Layers (failed)", "r"),
            (clauses.first(words.metric_of(study.metric).label), "r"),
            ("Quality", "l"),
            ("Source", "l"),
        ],
        rows,
    )


SHORT = {"accuracy": "acc.", "error": "err.", "generalization_gap": "gap", "perplexity": "ppl."}


def audit_table(study: Results) -> str:
    """Each audited model: layers, agreement, the largest relative difference and where it is."""
    rows = [
        [
            escape(row["model"]),
            integer(value(row, "layers")),
            integer(value(row, "agree")),
            scientific(value(row, "largest_difference")),
            escape(row["quantity"]) if row["quantity"] else MISSING,
        ]
        for row in study.audit
    ]
    return pipe_table(
        [
            ("Model", "l"),
            ("Layers", "r"),
            ("Agree", "r"),
            ("Largest difference", "r"),
            ("In", "l"),
        ],
        rows,
    )


def provenance_table(study: Results) -> str:
    """Where each model's weights came from, and their checksums, shortened."""
    rows = []
    for run in sorted(study.runs, key=lambda run: run["model"]):
        identity = run.get("identity") or {}
        rows.append(
            [
                escape(run["model"]),
                _origin(identity, run.get("revision")),
                _short(run.get("source_sha256")),
                _short(run.get("weights_sha256")),
            ]
        )
    return pipe_table(
        [("Model", "l"), ("Origin", "l"), ("SHA-256 of origin", "l"), ("SHA-256 of weights", "l")],
        rows,
    )


def _origin(identity: Mapping[str, Any], revision: str | None = None) -> str:
    source, location = identity.get("source") or "", identity.get("location")
    if source == "zoo":
        seed = (identity.get("zoo") or {}).get("seed")
        return "trained here" if seed is None else f"trained here, seed {seed}"
    if not location:
        return escape(source) or MISSING
    # Of a file only its name: where it lies is nobody else's business, and differs by machine.
    if source == "file":
        location = str(location).replace("\\", "/").rsplit("/", 1)[-1]
    more = " without its top layer" if identity.get("include_top") is False else ""
    more += f" at {revision[:12]}" if revision else ""
    return f"{escape(source)}: {escape(location)}{more}"


def _short(digest: object) -> str:
    return f"`{str(digest)[:12]}`" if digest else MISSING


def versions_table(study: Results) -> str:
    """Every package that decided a result, with its version or versions, and for what."""
    found: dict[str, set[str]] = defaultdict(set)
    used: dict[str, set[str]] = defaultdict(set)
    for run in study.runs:
        for package, version in (run.get("versions") or {}).items():
            found[package].add(version)
            used[package].add("models")
    for package, version in study.versions.items():
        found[package].add(version)
        used[package].add("statistics and paper")
    rows = [
        [
            escape(package),
            listing(sorted(map(escape, found[package]))),
            listing(sorted(used[package])),
        ]
        for package in sorted(found)
    ]
    return pipe_table([("Package", "l"), ("Version", "l"), ("Used for", "l")], rows)
