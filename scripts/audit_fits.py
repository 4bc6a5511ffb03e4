"""Compare every layer of the audited models with weightwatcher itself; fail beyond the tolerance."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from atlas import audit
from atlas.io import write_csv
from atlas.job import logged


class AuditFailed(Exception):
    """Our numbers and weightwatcher's differ by more than the tolerance."""


def audit_fits(
    models: Sequence[str],
    details: Sequence[Path],
    references: Sequence[Path],
    tolerance: float,
    layers: str,
    out: Path,
) -> None:
    """Write the audit report; raises AuditFailed naming model, layer and quantity."""
    compared = {
        model: audit.compare(_read(ours), _read(theirs), layers)
        for model, ours, theirs in zip(models, details, references, strict=True)
    }
    report = audit.report(compared, tolerance)
    wrong = report[report["agree"] < report["layers"]]
    if len(wrong):
        worst = wrong.loc[wrong["largest_difference"].idxmax()]
        raise AuditFailed(
            f"{len(wrong)} of {len(report)} audited models differ from weightwatcher beyond "
            f"{tolerance:g}; most: {worst['model']}, layer {worst['layer']}, {worst['quantity']}, "
            f"by {worst['largest_difference']:.3g}"
        )
    write_csv(out, report)


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


if "snakemake" in globals():
    with logged(snakemake):
        audit_fits(
            list(snakemake.params.models),
            [Path(path) for path in snakemake.input.details],
            [Path(path) for path in snakemake.input.references],
            snakemake.params.tolerance,
            snakemake.params.layers,
            Path(snakemake.output[0]),
        )
