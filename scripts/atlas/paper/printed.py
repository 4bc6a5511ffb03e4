"""What others have printed, held against this study: counts, differences, models left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from atlas.findings.results import Cells, Results, value
from atlas.paper.markdown import MISSING, bullets, count, escape, integer, number, pipe_table, prose
from atlas.terms.words import metric_of

METRICS = {
    "spectral_norm": "mean spectral norm",
    "log_mean_spectral_norm": "log of the mean spectral norm",
}
"""Metrics that only printed tables ask for."""

QUANTITIES = {
    "models": "models",
    "layers": "layers",
    "layers_but_first": "layers but the first",
    "rmse": "RMSE on",
    "r2": "$R^2$ with",
    "kendall": "$\\tau$ with",
    "mean": "mean of",
    "mean_but_first": "mean, but the first layer, of",
}


def _rows(study: Results) -> list[Cells]:
    return study.rows("printed") if study.config.get("printed") else []


def _agree(rows: Iterable[Cells]) -> int:
    return sum(row["agrees"] == "True" for row in rows)


def _without_models(rows: Iterable[Cells]) -> int:
    return sum(value(row, "ours") is None for row in rows)


def printed_text(study: Results) -> str:
    """How many printed values agree; and whom the authors left out, with the reasons."""
    rows = _rows(study)
    if not rows:
        return "This study is not held against printed values.\n"
    agree, without = _agree(rows), _without_models(rows)
    text = (
        f"Of {count(len(rows), 'printed value')}, {integer(agree)} agree and "
        f"{integer(len(rows) - agree - without)} differ; for {integer(without)} the study has no models.\n"
    )
    left_out: dict[str, list[str]] = defaultdict(list)
    for row in study.models:
        if row["quality_source"] and not row["quality"]:
            left_out[row["quality_source"]].append(escape(row["variant"]))
    if left_out:
        models = count(sum(map(len, left_out.values())), "model")
        items = [f"{prose(why)}: {', '.join(names)}" for why, names in left_out.items()]
        text += (
            f"\nThe list of models says of {models} why they have no quality here and take no part "
            f"in any comparison:\n\n{bullets(items)}"
        )
    return text


def printed_table(study: Results) -> str:
    """The printed tables: values, how many agree, differ, or are about models that are not here."""
    tables: dict[str, list[Cells]] = defaultdict(list)
    for row in _rows(study):
        tables[row["table"]].append(row)
    if len(tables) > 1:
        tables["All"] = _rows(study)
    cells = []
    for name, rows in tables.items():
        agree, without = _agree(rows), _without_models(rows)
        differ = len(rows) - agree - without
        cells.append([escape(name), *map(integer, (len(rows), agree, differ, without))])
    heads = [(name, "r") for name in ("Values", "Agree", "Differ", "Without models")]
    return pipe_table([("Printed table", "l"), *heads], cells)


def differences_table(study: Results) -> str:
    """Every printed value with which ours does not agree."""
    cells = [
        [
            escape(row["table"]),
            f"{escape(row['series'])}, {escape(row['dataset'])}",
            _quantity(row),
            escape(row["printed"]),
            _ours(row),
            prose(row["note"]) if row["note"] else MISSING,
        ]
        for row in _rows(study)
        if row["agrees"] != "True"
    ]
    left = [(name, "l") for name in ("Printed table", "Series", "Quantity")]
    return pipe_table([*left, ("Printed", "r"), ("Ours", "r"), ("Why", "l")], cells)


def _quantity(row: Cells) -> str:
    metric = METRICS.get(row["metric"]) or (metric_of(row["metric"]).en if row["metric"] else "")
    quantity = QUANTITIES.get(row["quantity"], escape(row["quantity"]))
    return f"{quantity} {metric}".strip()


def _ours(row: Cells) -> str:
    """Our value, with one digit more than is printed; a count as it is."""
    if "." not in row["printed"]:
        return integer(value(row, "ours"))
    return number(value(row, "ours"), len(row["printed"].partition(".")[2]) + 1)
