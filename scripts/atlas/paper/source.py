"""The paper's source folder: all that is generated in it, and where each piece comes from.

It computes no statistics; it selects, formats and words what is there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from atlas.findings.results import FILES, Read, Results, file_of
from atlas.paper.contents import TABLES, TEXTS, Made
from atlas.paper.variables import VARIABLES
from atlas.statistics import registry as statistics

KEYS = 12
"""Keys of rows that are written down for a piece of the paper and a file; the rest is counted."""

OF_ONE_MODEL = {"spectra": "../spectra/*.parquet", "details": "weightwatcher/*/details.csv"}
"""Tables that a figure may show of one model, and their files seen from the study's results."""

RULES = {
    **{FILES[name]: "merge_tables" for name in ("models", "layers", "excluded")},
    **{file_of(name): "compute_statistics" for name in statistics.ALL},
    FILES["audit"]: "audit_fits",
    FILES["runs"]: "fit_layers",
    OF_ONE_MODEL["details"]: "fit_layers",
    OF_ONE_MODEL["spectra"]: "compute_spectra",
}
"""The rule that makes a file; the config is made by nobody."""

MODULES = {file_of(name): statistics.module_of(name) for name in statistics.ALL}
"""The modules that make the statistics."""


def compose(
    study: Results,
    parts: Mapping[str, str],
    figures: Mapping[str, tuple[str, Iterable[str]]] | None = None,
) -> dict[str, str]:
    """The generated files of the paper's source folder: path and text.

    ``parts`` are sections that only some studies have: name and text, empty where this one has not.
    ``figures`` are the module that draws each figure, and the tables that it shows.
    """
    made: dict[str, dict[str, str]] = defaultdict(dict)
    sources: dict[str, dict[str, Any]] = defaultdict(dict)
    for kind, pieces in (("variables", VARIABLES), ("tables", TABLES), ("texts", TEXTS)):
        for name, make in pieces.items():
            with study.reading() as used:
                made[kind][name] = make(study)
            module, function = "variables", f'VARIABLES["{name}"]'
            if isinstance(make, Made):
                module, function = make.module, make.function
            sources[kind][name] = {
                "module": f"atlas.paper.{module}",
                "function": function,
                "rule": "write_paper",
                "reads": _reads(used),
            }
    for name, (module, tables) in (figures or {}).items():
        files = [OF_ONE_MODEL.get(table) or file_of(table) for table in tables]
        sources["figures"][name] = {
            "module": module,
            "function": name,
            "rule": "draw_figure",
            "reads": [_read(file) for file in files],
        }
    return {
        "_variables.yml": variables_yaml(made["variables"]),
        "sources.json": json.dumps(sources, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        **{f"tables/{name}.md": text for name, text in made["tables"].items()},
        **{f"text/{name}.md": text for name, text in (parts | made["texts"]).items()},
    }


def _reads(used: Iterable[Read]) -> list[dict[str, Any]]:
    """The files that were read; of the statistics also how many rows, and their first keys."""
    keys: dict[str, list[str]] = defaultdict(list)
    for file, key in sorted(used):
        keys[file] += [key] if key else []
    return [
        _read(file) | ({"rows": len(rows), "keys": rows[:KEYS]} if file in MODULES else {})
        for file, rows in keys.items()
    ]


def _read(file: str) -> dict[str, Any]:
    """A file that was read, and who makes it."""
    known = {"file": file, "rule": RULES.get(file), "module": MODULES.get(file)}
    return {name: found for name, found in known.items() if found}


def variables_yaml(values: Mapping[str, str]) -> str:
    """`_variables.yml`: every value a quoted text, so that no renderer reads it as a number."""
    assert all(isinstance(text, str) and text for text in values.values())
    return "".join(
        f"{name}: {json.dumps(text, ensure_ascii=False)}\n" for name, text in sorted(values.items())
    )
