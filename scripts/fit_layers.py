"""Fit the tail of each layer's spectrum and compute weightwatcher's metrics of one model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure
from atlas.fits import experiment_fits, metrics, reference, spectra
from atlas.io import write_json, write_rows
from atlas.job import logged, note_excluded
from atlas.tables.read import read_rows


def fit_layers(
    model: str,
    spectra_file: Path,
    experiments_file: Path | None,
    reference_file: Path | None,
    options: Mapping[str, Any],
    versions: Mapping[str, str],
    out: Path,
) -> None:
    """Write ``details.csv``, ``summary.json`` and ``run.json`` of one model into the folder ``out``.

    With an ``experiments_file`` their fits go to ``experiments.csv``, and their means over layers into
    the summary.

    With a ``reference_file`` the details are weightwatcher's own (engine ``weightwatcher``),
    otherwise they come from the spectra. A model that cannot be judged gets a table without rows
    and a summary that says why.
    """
    rows, about = spectra.read(spectra_file)
    details: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    summary = {key: about[key] for key in ("status", "reason", "stage") if key in about}
    if about["status"] == "ok":
        try:
            if reference_file is None:
                details = metrics.details(rows, options["min_evals"])
            elif not (details := read_rows(reference_file)):
                raise KnownFailure("failed", "weightwatcher analyses none of its layers")
            summary |= metrics.summarise(details, rows, options["min_evals"])
            if experiments_file:
                tried, tries = spectra.read(experiments_file)
                fits = experiment_fits.fit(rows, tried, options["min_evals"])
                summary |= experiment_fits.averages(details, fits, tries["experiments"])
        except KnownFailure as failure:
            note_excluded(model, "weightwatcher", failure)
            summary = {"status": failure.status, "reason": failure.reason, "stage": "weightwatcher"}
    write_rows(out / "details.csv", reference.COLUMNS, details)
    if experiments_file:
        write_rows(out / "experiments.csv", experiment_fits.FITS, fits)
    write_json(out / "summary.json", {"model": model, **summary})
    run = about | {"weightwatcher": dict(options)}
    run["versions"] = {**about["versions"], **versions}
    write_json(
        out / "run.json",
        run | {key: summary[key] for key in ("status", "reason", "stage") if key in summary},
    )


if "snakemake" in globals():
    with logged(snakemake):
        fit_layers(
            snakemake.wildcards.model,
            Path(snakemake.input.spectra),
            Path(snakemake.input.experiments) if snakemake.input.get("experiments") else None,
            Path(snakemake.input.reference) if snakemake.input.get("reference") else None,
            snakemake.params.options,
            snakemake.params.versions,
            Path(snakemake.output.details).parent,
        )
