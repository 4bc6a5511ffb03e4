"""Render the study's paper, with the renderer that its text names."""

from pathlib import Path

from atlas.job import logged, logger
from atlas.paper.render import render
from atlas.paper.settings import RenderError

FORMATS = {"html": "html", "pdf": "typst"}


def typeset_paper(source: Path, output: Path, renderer: tuple[str, str]) -> None:
    """Render ``source`` to ``output``, whose suffix says how.

    ``renderer`` is the name and the version that the paper's appendix records. Raises RenderError if
    another one would run, or where rendering fails.
    """
    used = render(source, FORMATS[output.suffix[1:]], output, renderer[0])
    if (used.name, used.version) != tuple(renderer):
        output.unlink()
        raise RenderError(
            f"{source}: was rendered by {used.name} {used.version}, but its text names "
            f"{' '.join(renderer)}: run it again"
        )
    logger.info("%s by %s (%s)", output, used.name, used.version)


if "snakemake" in globals():
    with logged(snakemake):
        typeset_paper(
            Path(snakemake.params.source),
            Path(snakemake.output[0]),
            tuple(snakemake.params.renderer),
        )
