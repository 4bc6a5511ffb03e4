"""Reading the pipeline's tables: one rule for what is a name and what is a number.

A layer may be called 1.10, 007, 1e3, nan or True, a family NA, and a version is 0.10: names are text
in every table, and what is one is said here and nowhere else. Light: pandas is imported when needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.io import read_cells
from atlas.terms.keys import FACTOR

if TYPE_CHECKING:
    import pandas as pd

TEXT = frozenset(
    [
        # models, and those that were excluded
        *["model", "source", "collection", "family", "variant", "recipe", "seed", "run"],
        *["dataset", "quality_metric", "quality_source", "engine", "weightwatcher_version"],
        *["stage", "status", "reason"],
        # layers, their experiments and their audit
        *["name", "longname", "layer_type", "warning", "experiment", "quantity", "layer"],
        # statistics
        *["comparison", "scope", "metric", "treatment", "relation", "reference", "adjusted"],
        *["predictor", "null", "level", "candidate", "kind", "interval", "note"],
        *["recipes", "datasets"],  # several of a family
        *["factor", "information_given", "sign_error_at"],
        *["table", "series", "printed"],  # a printed number keeps its digits
    ]
)
"""The columns of names: text also where a cell looks like a number."""


def is_text(column: str) -> bool:
    """Whether a column holds names; all others hold numbers. Levels of a factor are names."""
    return column in TEXT or column.startswith(FACTOR)


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, names as text and numbers as numbers.

    An empty name is "", an empty number None. Raises ValueError for a number that is none.
    """
    return [
        {name: cell if is_text(name) else _number(cell) for name, cell in row.items()}
        for row in read_cells(path)
    ]


def read_table(path: str | Path, missing: str | None = None) -> pd.DataFrame:
    """A CSV or Parquet file as a table, names as text and numbers as numbers.

    An empty number is missing; so is an empty name, unless ``missing`` is given: then it is that.
    """
    import pandas as pd

    path = Path(path)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    names = list(pd.read_csv(path, nrows=0).columns)
    text = [name for name in names if is_text(name)]
    empty = {name: [""] if is_text(name) else ["", "nan"] for name in names}
    table = pd.read_csv(
        path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=empty
    )
    if missing is None:
        return table
    return table.assign(**{name: table[name].fillna(missing) for name in text})


def _number(cell: str) -> int | float | bool | None:
    if cell in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[cell]
    try:
        return int(cell)
    except ValueError:
        return float(cell)
