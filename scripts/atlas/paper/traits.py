"""The tables of families' traits."""

from __future__ import annotations

from atlas.findings.results import Results, value
from atlas.paper.markdown import MISSING, escape, integer, number, percent, pipe_table
from atlas.terms import traits
from atlas.terms.words import candidate_of

TRAITS = {
    table: [name for name, trait in traits.TRAITS.items() if trait.table == table]
    for table in ("shapes", "layers", "fits")
}
"""The traits in each of the three tables of families."""


def traits_table(study: Results, part: str) -> str:
    """One of the three tables of families with their candidates; the first has the correlations."""
    first = part == "shapes"
    rows = []
    for partition, row in study.named("traits"):
        cells = [_trait(name, value(row, name)) for name in TRAITS[part]]
        taus = [number(value(row, f"kendall_{comparison}")) for comparison in ("b", "c")]
        cells = [*taus * first, *cells]
        if any(cell != MISSING for cell in cells):
            rows.append([escape(study.name(partition)), escape(row["family"]), *cells])
    heads = [("$\\tau$ (b)", "r"), ("$\\tau$ (c)", "r")] * first
    heads += [(candidate_of(name).label, "r") for name in TRAITS[part]]
    return pipe_table([("Collection", "l"), ("Family", "l"), *heads], rows)


def _trait(name: str, found: float | None) -> str:
    return {"share": percent, "whole": integer}.get(traits.TRAITS[name].kind, number)(found)
