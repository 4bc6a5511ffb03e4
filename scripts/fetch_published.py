"""Download one set of published results or labels."""

from pathlib import Path

from atlas.io import write_json
from atlas.job import logged, logger
from atlas.weights import published
from atlas.weights.network import Network


def fetch_published(name: str, network: Network, out: Path) -> None:
    """Download the set into the folder beside ``out``, and write there what was downloaded.

    Raises KnownFailure where nothing can be had.
    """
    about = published.fetch(name, out.with_suffix(""), network)
    for path, reason in about["missing"].items():
        logger.warning("%s: %s", path, reason)
    write_json(out, about)


if "snakemake" in globals():
    with logged(snakemake):
        fetch_published(
            snakemake.wildcards.set,
            Network.from_config(snakemake.config["network"]),
            Path(snakemake.output[0]),
        )
