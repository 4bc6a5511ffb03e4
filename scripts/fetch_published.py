"""Download one set of published results or labels."""

from pathlib import Path

from atlas import published
from atlas.download import Network
from atlas.io import write_json
from atlas.job import logged


def fetch_published(name: str, network: Network, out: Path) -> None:
    """Download the set into the folder beside ``out``, and write there what was downloaded.

    Raises KnownFailure where a file cannot be had: without it the study would be another one.
    """
    write_json(out, published.fetch(name, out.with_suffix(""), network))


if "snakemake" in globals():
    with logged(snakemake):
        fetch_published(
            snakemake.wildcards.set,
            Network.from_config(snakemake.config["network"]),
            Path(snakemake.output[0]),
        )
