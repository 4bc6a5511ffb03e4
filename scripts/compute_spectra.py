"""The eigenvalues of every layer matrix of one model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas import spectra
from atlas.errors import KnownFailure, Unreachable
from atlas.io import sha256
from atlas.job import logged, note_excluded


def compute_spectra(
    model: str,
    weights: Path,
    options: Mapping[str, Any],
    provenance: Mapping[str, Any],
    out: Path,
) -> None:
    """Write the model's spectra with their provenance; an empty table where it has none.

    ``options`` are the config's ``spectra`` keys; ``provenance`` is written as it is.
    """
    about = {
        "model": model,
        "spectra": dict(options),
        "weights_sha256": sha256(weights),
        **provenance,
    }
    try:
        rows, manifest = spectra.spectra(weights, **options)
        about |= {"status": "ok", **manifest["origin"]}
    except KnownFailure as failure:
        stage = failure.stage or "spectra"
        note_excluded(model, stage, failure)
        rows = []
        if isinstance(failure, Unreachable):
            about["unreachable"] = True
        about |= {"status": failure.status, "reason": failure.reason, "stage": stage}
    spectra.write(out, rows, about)


if "snakemake" in globals():
    with logged(snakemake):
        compute_spectra(
            snakemake.wildcards.model,
            Path(snakemake.input.weights),
            snakemake.params.options,
            {"identity": snakemake.params.identity, "versions": snakemake.params.versions},
            Path(snakemake.output[0]),
        )
