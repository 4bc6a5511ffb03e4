"""Ask again for the models that could not be obtained."""

from collections.abc import Mapping
from pathlib import Path

from atlas.fits import spectra
from atlas.io import read_json, write_json
from atlas.job import logged, logger


def retry(files: Mapping[str, Path], attempts: Path) -> list[str]:
    """Count one more attempt for each model or set that could not be obtained; return them.

    The number of attempts is a parameter of the jobs that depend on it, so they run again, and so
    does all that follows from them. ``files`` are the models' spectra and the sets' records by name.
    """
    again = [name for name, path in files.items() if path.is_file() and _is_lacking(path)]
    counted = read_json(attempts) if attempts.is_file() else {}
    write_json(attempts, counted | {name: counted.get(name, 0) + 1 for name in again})
    return again


def _is_lacking(path: Path) -> bool:
    """Whether a model's weights, or a file of a set, could not be had."""
    if path.suffix == ".json":
        return bool(read_json(path)["missing"])
    return spectra.about(path).get("stage") == "obtain"


if "snakemake" in globals():
    with logged(snakemake):
        names = retry(
            {
                Path(path).stem: Path(path)
                for path in [*snakemake.params.spectra, *snakemake.params.fetched]
            },
            Path(snakemake.params.attempts),
        )
        for name in names:
            logger.info("%s will be obtained again", name)
            print(f"{name} will be obtained again")
