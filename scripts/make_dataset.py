"""Generate MNIST-1D from its seed, once, for all networks that are trained on it."""

from pathlib import Path

from atlas import zoo
from atlas.job import logged


def make_dataset(seed: int, out: Path) -> None:
    """Write the data set of this seed as a NumPy archive."""
    zoo.save_dataset(zoo.dataset(seed), out)


if "snakemake" in globals():
    with logged(snakemake):
        make_dataset(int(snakemake.wildcards.seed), Path(snakemake.output[0]))
