"""Compute one table of a study's statistics from its table of models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas import tables
from atlas.io import write_csv
from atlas.job import logged, logger
from atlas.statistics import Options
from atlas.tables_read import read_table


def compute_statistics(
    name: str,
    models_file: Path,
    correlations_file: Path | None,
    config: Mapping[str, Any],
    out: Path,
) -> None:
    """Write the table of this name (of ``atlas.tables.TABLES``) to ``out``.

    ``config`` is the config's ``statistics``; some tables are made from the correlations, too.
    """
    correlations = read_table(correlations_file, missing="") if correlations_file else None
    table = tables.compute(name, read_table(models_file), Options.from_config(config), correlations)
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
