"""Compare every layer of the audited models with weightwatcher itself; fail beyond the tolerance."""

from collections.abc import Sequence
from pathlib import Path

from atlas.fits import audit, spectra
from atlas.io import write_csv
from atlas.job import logged
from atlas.tables.read import read_table


class AuditFailed(Exception):
    """Our numbers and weightwatcher's differ by more than the tolerance."""


def audit_fits(
    models: Sequence[str],
    details: Sequence[Path],
    references: Sequence[Path],
    spectra_files: Sequence[Path],
    tolerance: float,
    layers: str,
    out: Path,
) -> None:
    """Write the audit report; raises AuditFailed naming model, layer and quantity."""
    compared = {
        model: audit.compare(
            read_table(ours),
            read_table(theirs),
            layers,
            tolerance,
            {row["longname"]: row for row in spectra.read(found)[0] if not row["reason"]},
        )
        for model, ours, theirs, found in zip(
            models, details, references, spectra_files, strict=True
        )
    }
    report = audit.report(compared)
    wrong = report[report["agree"] < report["layers"]]
    if len(wrong):
        worst = wrong.loc[wrong["largest_difference"].idxmax()]
        raise AuditFailed(
            f"{len(wrong)} of {len(report)} audited models differ from weightwatcher beyond "
            f"{tolerance:g}; most: {worst['model']}, layer {worst['layer']}, {worst['quantity']}, "
            f"by {worst['largest_difference']:.3g}"
        )
    write_csv(out, report)


if "snakemake" in globals():
    with logged(snakemake):
        audit_fits(
            list(snakemake.params.models),
            [Path(path) for path in snakemake.input.details],
            [Path(path) for path in snakemake.input.references],
            [Path(path) for path in snakemake.input.spectra],
            snakemake.params.tolerance,
            snakemake.params.layers,
            Path(snakemake.output[0]),
        )
