"""The eigenvalues of every layer matrix of one model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure, Unreachable
from atlas.fits import experiments, spectra
from atlas.io import sha256
from atlas.job import logged, note_excluded


def compute_spectra(
    model: str,
    weights: Path,
    options: Mapping[str, Any],
    tried: Mapping[str, Any],
    provenance: Mapping[str, Any],
    out: Path,
    experiments_out: Path | None,
) -> None:
    """Write the model's spectra with their provenance; an empty table where it has none.

    ``options`` are the config's ``spectra`` keys, ``tried`` its ``experiments``; their spectra go to
    ``experiments_out``, if any is on. ``provenance`` is written as it is.
    """
    about = {
        "model": model,
        "spectra": dict(options),
        "weights_sha256": sha256(weights),
        **provenance,
    }
    more: list[dict[str, Any]] = []
    try:
        rows, manifest = spectra.spectra(weights, **options)
        about |= {"status": "ok", **manifest["origin"]}
        if experiments_out:
            more = experiments.experiments(weights, tried, **options)
    except KnownFailure as failure:
        stage = failure.stage or "spectra"
        note_excluded(model, stage, failure)
        rows = []
        if isinstance(failure, Unreachable):
            about["unreachable"] = True
        about |= {"status": failure.status, "reason": failure.reason, "stage": stage}
    if experiments_out:
        tries = {"model": model, "experiments": dict(tried), "spectra": dict(options)}
        spectra.write(experiments_out, more, tries, experiments.SCHEMA)
    spectra.write(out, rows, about)


if "snakemake" in globals():
    with logged(snakemake):
        compute_spectra(
            snakemake.wildcards.model,
            Path(snakemake.input.weights),
            snakemake.params.options,
            snakemake.params.experiments,
            {"identity": snakemake.params.identity, "versions": snakemake.params.versions},
            Path(snakemake.output.spectra),
            Path(snakemake.output.experiments)
            if "experiments" in snakemake.output.keys()
            else None,
        )
