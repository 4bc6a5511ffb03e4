"""Bring published results into the form in which our own fits are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atlas.errors import KnownFailure
from atlas.fits import published as fits_published
from atlas.fits.reference import COLUMNS
from atlas.io import read_json, write_json, write_rows
from atlas.job import logged, note_excluded
from atlas.weights import published


def import_published(
    models: Sequence[Mapping[str, Any]], sets: Mapping[str, Path], folder: Path
) -> None:
    """Write ``details.csv``, ``summary.json`` and ``run.json`` of each model below ``folder``.

    A model has the keys ``model``, ``location`` and ``parameters``; ``sets`` names the folder of
    each set.
    """
    missing = {name: read_json(path.with_suffix(".json"))["missing"] for name, path in sets.items()}
    for row in models:
        model, location = row["model"], row["location"]
        name, _ = published.locate(location)
        details: list[dict[str, Any]] = []
        run: dict[str, Any] = {
            "model": model,
            "identity": {"source": "published", "location": location},
            "versions": {"weightwatcher": published.SETS[name].weightwatcher},
            "weightwatcher": {"engine": f"published: {name}"},
        }
        try:
            details, summary, about = fits_published.read(
                sets[name], location, row["parameters"], missing[name]
            )
            run |= {"published": about, "status": "ok"}
            summary["status"] = "ok"
        except KnownFailure as failure:
            stage = failure.stage or "published"
            note_excluded(model, stage, failure)
            summary = {"status": failure.status, "reason": failure.reason, "stage": stage}
            run |= summary
        out = folder / model
        write_rows(out / "details.csv", COLUMNS, details)
        write_json(out / "summary.json", {"model": model, **summary})
        write_json(out / "run.json", run)


if "snakemake" in globals():
    with logged(snakemake):
        import_published(
            snakemake.params.models,
            {Path(path).stem: Path(path).with_suffix("") for path in snakemake.input},
            Path(snakemake.output[0]).parents[1],
        )
