"""Compute a study's statistics from its table of models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from atlas import statistics
from atlas.io import write_csv
from atlas.job import logged, logger


def compute_statistics(
    models_file: Path, outputs: Mapping[str, Path], config: Mapping[str, Any]
) -> None:
    """Write each table of ``atlas.statistics.all_tables`` to ``outputs[name]``.

    ``config`` is the config's ``statistics``. Text is read as text: a version 0.4 is no number,
    and NA may be a family's name.
    """
    text = dict.fromkeys(statistics.TEXT, str)
    models = pd.read_csv(models_file, dtype=text, keep_default_na=False, na_values=[""])
    tables = statistics.all_tables(models, statistics.Options.from_config(config))
    for name, path in outputs.items():
        write_csv(path, tables[name])
        logger.info("%s: %d rows", name, len(tables[name]))


if "snakemake" in globals():
    with logged(snakemake):
        compute_statistics(
            Path(snakemake.input.models),
            {name: Path(path) for name, path in snakemake.output.items()},
            snakemake.params.options,
        )
