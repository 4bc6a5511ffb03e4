"""Compute one table of a study's statistics from its table of models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from atlas import tables
from atlas.io import write_csv
from atlas.job import logged, logger
from atlas.statistics import TEXT, Options


def compute_statistics(
    name: str,
    models_file: Path,
    correlations_file: Path | None,
    config: Mapping[str, Any],
    out: Path,
) -> None:
    """Write the table of this name (of ``atlas.tables.TABLES``) to ``out``.

    ``config`` is the config's ``statistics``; some tables are made from the correlations, too. Text
    is read as text: a version 0.4 is no number, and NA may be a family's name.
    """
    correlations = tables.read(correlations_file) if correlations_file else None
    models = pd.read_csv(
        models_file, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""]
    )
    table = tables.compute(name, models, Options.from_config(config), correlations)
    write_csv(out, table)
    logger.info("%s: %d rows", name, len(table))


if "snakemake" in globals():
    with logged(snakemake):
        compute_statistics(
            snakemake.wildcards.table,
            Path(snakemake.input.models),
            Path(snakemake.input.correlations) if snakemake.input.get("correlations") else None,
            snakemake.params.options,
            Path(snakemake.output[0]),
        )
