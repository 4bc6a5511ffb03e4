"""Obtain the weights of one model that was trained elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure
from atlas.job import logged, note_excluded
from atlas.weights import sources
from atlas.weights.network import Network
from atlas.weights.store import save_failure


def obtain_weights(model: str, identity: Mapping[str, Any], network: Network, out: Path) -> None:
    """Write the model's weights; where they cannot be used, a file that says why."""
    try:
        sources.obtain(identity, out, network)
    except KnownFailure as failure:
        note_excluded(model, "obtain", failure)
        save_failure(out, failure)


if "snakemake" in globals():
    with logged(snakemake):
        obtain_weights(
            snakemake.wildcards.model,
            snakemake.params.identity,
            Network.from_config(snakemake.config["network"]),
            Path(snakemake.output[0]),
        )
