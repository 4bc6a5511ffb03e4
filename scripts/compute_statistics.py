"""Compute one table of a study's statistics from its table of models."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from atlas.io import write_csv
from atlas.job import logged, logger
from atlas.statistics.options import Options
from atlas.statistics.sample import significant
from atlas.tables.read import read_table


def compute_statistics(
    name: str, inputs: Sequence[Path], config: Mapping[str, Any], out: Path
) -> None:
    """Write the table of this name to ``out``, numbers rounded to 12 significant digits.

    ``inputs`` are the tables that it is made from, in the order of ``atlas.statistics.registry``;
    ``config`` is the config's ``statistics``.
    """
    models, *tables = inputs
    make = getattr(import_module(f"atlas.statistics.{name}"), name)
    table = make(
        read_table(models),
        *(read_table(path, missing="") for path in tables),
        Options.from_config(config),
    )
    write_csv(out, significant(table))
    logger.info("%s: %d rows", name, len(table))


if "snakemake" in globals():
    with logged(snakemake):
        compute_statistics(
            snakemake.wildcards.table,
            [Path(path) for path in snakemake.input],
            snakemake.params.options,
            Path(snakemake.output[0]),
        )
