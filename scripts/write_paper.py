"""Write the generated part of the paper's source: variables, tables and chosen sentences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atlas.figures import registry as figures
from atlas.findings.results import Results
from atlas.io import read_cells, read_json, write_text
from atlas.job import logged, logger
from atlas.paper import source, variables
from atlas.tables.read import read_table


def write_paper(
    models: Path,
    layers: Path,
    excluded: Path,
    audit: Path,
    tables: Mapping[str, Path],
    runs: Sequence[Path],
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    renderer: tuple[str, str],
    parts: Mapping[str, Path | None],
    drawings: Sequence[str],
    folder: Path,
) -> None:
    """Write ``_variables.yml``, ``sources.json``, ``tables/*.md`` and ``text/*.md`` into ``folder``.

    ``tables`` are the statistics by name, ``config`` the parts of the config that the paper prints,
    ``renderer`` the name and version of who will render it, ``parts`` the text of each section that
    only some studies have, or None where this one has not, ``drawings`` the study's figures.
    """
    study = Results(
        models=read_cells(models),
        layers=read_table(layers),
        excluded=read_cells(excluded),
        audit=read_cells(audit),
        tables={name: read_cells(path) for name, path in tables.items()},
        runs=[read_json(path) for path in runs],
        config=config,
        versions=versions,
        renderer=renderer,
    )
    texts = {name: path.read_text("utf-8") if path else "" for name, path in parts.items()}
    drawn = {name: (figures.module_of(name), figures.FIGURES[name].tables) for name in drawings}
    for name, text in source.compose(study, texts, drawn).items():
        write_text(folder / name, text)
    for name, text in variables.values(study).items():
        if name.startswith("verdict_") and not name.endswith("_de"):
            logger.info("%s: %s", name, text)


if "snakemake" in globals():
    with logged(snakemake):
        write_paper(
            Path(snakemake.input.models),
            Path(snakemake.input.layers),
            Path(snakemake.input.excluded),
            Path(snakemake.input.audit),
            {name: Path(snakemake.input[name]) for name in snakemake.params.statistics},
            [Path(path) for path in snakemake.input.runs],
            snakemake.params.config,
            snakemake.params.versions,
            tuple(snakemake.params.renderer),
            dict.fromkeys(snakemake.params.parts)
            | {Path(path).stem: Path(path) for path in snakemake.input.parts},
            snakemake.params.figures,
            Path(snakemake.output.variables).parent,
        )
