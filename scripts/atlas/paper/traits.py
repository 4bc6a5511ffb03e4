"""The tables of families' traits."""

from __future__ import annotations

from atlas.findings.results import Results, value
from atlas.paper.markdown import MISSING, escape, integer, number, percent, pipe_table
from atlas.terms.words import candidate_of

TRAITS = {
    "shapes": ("log_parameters", "layers", "N_median", "M_median", "aspect_median", "evals_median"),
    "layers": (
        *("evals_50", "depthwise_share", "pointwise_share", "conv_share", "dense_share"),
        *("rank_loss_share", "tail_share", "coverage"),
    ),
    "fits": (
        *("D", "outside_share", "failed_share", "alpha_sd", "metric_sd", "quality_sd"),
        *("alpha_shuffled", "alpha_gaussian"),
    ),
}
"""The candidates in each of the three tables of traits."""

WHOLE = ("layers", "N_median", "M_median", "evals_median")
SHARES = ("evals_50", "outside_share", "coverage")


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
    if name in SHARES or name.endswith("_share"):
        return percent(found)
    return integer(found) if name in WHOLE else number(found)
