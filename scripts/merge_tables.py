"""Merge all models of a study into its tables; every listed model ends in exactly one of them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from atlas.errors import InputError
from atlas.fits.experiment_fits import by_layer
from atlas.io import read_json, write_csv, write_parquet
from atlas.job import logged, logger
from atlas.study.labels import label_rows, timm_labels
from atlas.tables import merge
from atlas.tables.read import read_rows, read_table


class ModelLost(Exception):
    """The tables would not hold every listed model exactly once."""


def merge_tables(
    rows: Sequence[Mapping[str, Any]],
    folders: Sequence[Path],
    qualities: Mapping[str, Path],
    labels: Path | None,
    experiments: Collection[str],
    models_file: Path,
    layers_file: Path,
    excluded_file: Path,
) -> None:
    """Write ``models.csv``, ``layers.parquet`` and ``excluded.csv``.

    ``folders[i]`` holds the results of ``rows[i]``; ``qualities`` names the file with the measured
    qualities of each network that was trained here, ``labels`` the folder with timm's tables of
    results, ``experiments`` the models that have some. Raises ModelLost where a model would be lost,
    exchanged or counted twice.
    """
    folder = {row["model"]: path for row, path in zip(rows, folders, strict=True)}
    summaries = {model: read_json(path / "summary.json") for model, path in folder.items()}
    for model, summary in summaries.items():
        if summary["model"] != model:
            raise ModelLost(f"{folder[model]}: holds the results of {summary['model']}")
    runs = {model: read_json(path / "run.json") for model, path in folder.items()}
    measured = {model: read_json(path) for model, path in qualities.items()}
    models = merge.models_table(rows, summaries, runs, measured, _looked_up(rows, labels))
    excluded = merge.excluded_table(summaries)
    analysed = set(models["model"])
    twice = models[models.duplicated(["model", "dataset", "quality_metric"])]
    if len(twice):
        raise ModelLost(f"{twice['model'].iloc[0]}: has two labels of one data set and metric")
    if sorted([*analysed, *excluded["model"]]) != sorted(row["model"] for row in rows):
        raise ModelLost(f"{len(rows)} models are listed, {len(analysed)} + {len(excluded)} found")
    details = {
        model: read_table(path / "details.csv")
        for model, path in folder.items()
        if model in analysed
    }
    fits = {
        model: by_layer(read_rows(path / "experiments.csv"))
        for model, path in folder.items()
        if model in analysed and model in experiments
    }
    layers = merge.layers_table(details, fits)
    rows_of = layers["model"].value_counts()
    for model in analysed:
        if rows_of.get(model, 0) != (summaries[model].get("layers") or 0):
            raise ModelLost(f"{folder[model]}: details.csv and summary.json differ in their layers")
    logger.info(
        "%d models analysed, %d excluded, %d layers", len(analysed), len(excluded), len(layers)
    )
    write_csv(models_file, models)
    write_parquet(layers_file, layers)
    write_csv(excluded_file, excluded)


def _looked_up(
    rows: Sequence[Mapping[str, Any]], folder: Path | None
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """timm's labels, by name and resolution, of the models whose list gives none."""
    if folder is None:
        return {}
    labels = timm_labels(folder)
    found = {}
    for row in rows:
        if row["source"] == "timm" and row["quality"] is None:
            try:
                key = row["location"], row["resolution"]
                found[key] = label_rows(*key, labels)
            except InputError as error:  # it is analysed, but takes no part in correlations
                logger.warning("%s has no label: %s", row["model"], error)
    return found


if "snakemake" in globals():
    with logged(snakemake):
        merge_tables(
            snakemake.params.rows,
            [Path(path).parent for path in snakemake.input.summaries],
            {Path(path).stem: Path(path) for path in snakemake.input.qualities},
            Path(snakemake.input.labels).with_suffix("") if snakemake.input.get("labels") else None,
            {Path(path).parent.name for path in snakemake.input.experiments},
            Path(snakemake.output.models),
            Path(snakemake.output.layers),
            Path(snakemake.output.excluded),
        )
