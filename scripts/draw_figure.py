"""Draw one figure from its tables, as SVG and PNG."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from atlas.figures.data import Ask
from atlas.figures.style import Look, save, style
from atlas.job import logged
from atlas.tables.read import read_table


def draw_figure(
    figure: str,
    module: str,
    tables: Mapping[str, Path],
    look: Mapping[str, Any],
    ask: Mapping[str, Any],
    svg: Path,
    png: Path,
) -> None:
    """Write the figure of this name, which a module of ``atlas.figures`` draws from its tables."""
    found = Look(**look)
    draw = getattr(import_module(f"atlas.figures.{module.rpartition('.')[2]}"), figure)
    with style():
        drawn = draw(found, Ask(**ask), **{name: read_table(path) for name, path in tables.items()})
    save(drawn, svg, png, found.dpi)


if "snakemake" in globals():
    with logged(snakemake):
        draw_figure(
            snakemake.wildcards.figure,
            snakemake.params.module,
            {name: Path(path) for name, path in snakemake.input.items()},
            snakemake.params.look,
            snakemake.params.ask,
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
        )
