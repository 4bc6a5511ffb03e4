"""Run weightwatcher itself on one model: the reference that the audit holds our fits against."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure
from atlas.fits import reference
from atlas.io import write_rows
from atlas.job import logged, logger


def run_weightwatcher(
    identity: Mapping[str, Any], weights: Path, options: Mapping[str, Any], out: Path
) -> None:
    """Write weightwatcher's own details of one model; a table without rows where it has none."""
    try:
        with network(identity, weights) as model:
            rows = reference.details(model, **options)
    except KnownFailure as failure:
        logger.warning("%s", failure.reason)
        rows = []
    write_rows(out, reference.COLUMNS, rows)


@contextmanager
def network(identity: Mapping[str, Any], weights: Path) -> Iterator[Any]:
    """The network as weightwatcher is given it: a module, a Keras or ONNX model, a state dict."""
    if identity["source"] != "zoo":
        from atlas.weights.sources import readable

        with readable(identity, weights) as model:
            yield model
        return
    from safetensors.torch import load_file

    from atlas.weights.store import open_weights
    from atlas.zoo import networks

    open_weights(weights)
    spec = identity["zoo"]
    module = networks.build(spec["architecture"], spec["size"], spec["seed"])
    module.load_state_dict(load_file(weights), strict=False)
    yield module.eval()


if "snakemake" in globals():
    with logged(snakemake):
        run_weightwatcher(
            snakemake.params.identity,
            Path(snakemake.input.weights),
            snakemake.params.options,
            Path(snakemake.output[0]),
        )
