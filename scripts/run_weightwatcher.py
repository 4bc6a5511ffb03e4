"""Run weightwatcher itself on one model: the reference that the audit holds our fits against."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas import reference
from atlas.errors import KnownFailure
from atlas.io import write_rows
from atlas.job import logged, logger


def run_weightwatcher(
    identity: Mapping[str, Any], weights: Path, options: Mapping[str, Any], out: Path
) -> None:
    """Write weightwatcher's own details of one model; a table without rows where it has none."""
    try:
        rows = reference.details(network(identity, weights), **options)
    except KnownFailure as failure:
        logger.warning("%s", failure.reason)
        rows = []
    write_rows(out, reference.COLUMNS, rows)


def network(identity: Mapping[str, Any], weights: Path) -> Any:
    """The network as weightwatcher is given it: a PyTorch module, or a state dict for a file."""
    if identity["source"] != "zoo":
        from atlas.sources import module_of

        return module_of(identity, weights)
    from safetensors.torch import load_file

    from atlas import zoo
    from atlas.weights import open_weights

    open_weights(weights)
    spec = identity["zoo"]
    module = zoo.build(spec["architecture"], spec["size"], spec["seed"])
    module.load_state_dict(load_file(weights), strict=False)
    return module.eval()


if "snakemake" in globals():
    with logged(snakemake):
        run_weightwatcher(
            snakemake.params.identity,
            Path(snakemake.input.weights),
            snakemake.params.options,
            Path(snakemake.output[0]),
        )
