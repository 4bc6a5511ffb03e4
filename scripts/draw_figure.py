"""Draw one figure from its tables, as SVG and PNG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas import figures
from atlas.job import logged
from atlas.tables_read import read_table


def draw_figure(
    figure: str,
    tables: Mapping[str, Path],
    look: Mapping[str, Any],
    ask: Mapping[str, Any],
    svg: Path,
    png: Path,
) -> None:
    """Write the figure of this name; ``look`` and ``ask`` are as in ``atlas.figures``."""
    found = figures.Look(**look)
    read = {name: read_table(path) for name, path in tables.items()}
    figures.save(figures.draw(figure, read, found, ask), svg, png, found.dpi)


if "snakemake" in globals():
    with logged(snakemake):
        draw_figure(
            snakemake.wildcards.figure,
            {name: Path(path) for name, path in snakemake.input.items() if name != "code"},
            snakemake.params.look,
            snakemake.params.ask,
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
        )
