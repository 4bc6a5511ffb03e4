"""Train one network of the zoo; its weights, and the qualities measured on its test data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure
from atlas.io import write_json
from atlas.job import logged, logger, note_excluded
from atlas.weights.layers import tensors_of_module
from atlas.weights.store import save, save_failure
from atlas.zoo import data, networks, training


def train_network(spec: Mapping[str, Any], dataset: Path, weights: Path, qualities: Path) -> None:
    """Train the network that ``spec`` describes and write weights and qualities (in percent).

    A training that diverges, or misses the criterion of ``spec``, is a result: a file without
    tensors, and no qualities.
    """
    module = networks.build(spec["architecture"], spec["size"], spec["seed"])
    measured: dict[str, float] = {}
    try:
        reached = training.train(
            module, data.load_dataset(dataset), spec["recipe"], spec["seed"], progress=logger.info
        )
        training.check_criterion(reached, spec.get("criterion", {}))
        measured = reached
        save(weights, module.state_dict(), tensors_of_module(module))
    except training.NotTrained as error:
        failure = KnownFailure("failed", str(error), "obtain")
        note_excluded(qualities.stem, "obtain", failure)
        save_failure(weights, failure)
    write_json(qualities, measured)


if "snakemake" in globals():
    with logged(snakemake):
        train_network(
            snakemake.params.zoo,
            Path(snakemake.input.dataset),
            Path(snakemake.output.weights),
            Path(snakemake.output.qualities),
        )
