"""Generate MNIST-1D from its seed, once, for all networks that are trained on it."""

from pathlib import Path

from atlas.job import logged
from atlas.zoo import data


def make_dataset(seed: int, out: Path) -> None:
    """Write the data set of this seed as a NumPy archive."""
    data.save_dataset(data.dataset(seed), out)


if "snakemake" in globals():
    with logged(snakemake):
        make_dataset(int(snakemake.wildcards.seed), Path(snakemake.output[0]))
