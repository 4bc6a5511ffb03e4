"""Whether a metric predicts anything in untrained networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from atlas.statistics.describe import ESTIMATES, describe
from atlas.statistics.models import metric_values, partitions, prepare, reference_models
from atlas.statistics.options import Options
from atlas.statistics.sample import group_means, plain_sample, sorted_table
from atlas.terms.keys import MEASURE, TREATMENTS
from atlas.terms.notes import join

CONTROLS = [
    *["collection", "reference", "dataset", "weightwatcher_version", "scope", "relation"],
    *MEASURE,
    *ESTIMATES,
    "note",
]


def controls(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Whether a metric predicts anything in untrained networks, columns `CONTROLS`.

    One row per relation, on variants (means over models): `own`, the
    untrained network's metric with its own quality; `untrained`, the same metric with the
    quality of the trained variant (reference recipe, the collection that the control belongs
    to); `trained`, the trained variant's metric with that quality, on exactly the variants of
    `untrained`. Scopes: means of families, and within families; `n` counts these
    means or variants.
    """
    table = prepare(models)
    rows: list[dict[str, Any]] = []
    for control, reference in sorted(options.controls.items()):
        untrained = table[table["collection"] == control]
        for partition, quality, part in partitions(table[table["collection"] == reference]):
            trained, note = reference_models(part, options)
            _, dataset, version = partition
            own = untrained[
                (untrained["weightwatcher_version"] == version) & (untrained["dataset"] == dataset)
            ].reset_index(drop=True)
            labels = {
                "collection": control,
                "reference": reference,
                "dataset": dataset,
                "weightwatcher_version": version,
                "quality_metric": quality,
            }
            for metric in options.all_metrics:
                rows += _control_rows(own, trained, metric, labels, options, note)
    return sorted_table(rows, CONTROLS)


def _control_rows(
    untrained: pd.DataFrame,
    trained: pd.DataFrame,
    metric: str,
    labels: Mapping[str, str],
    options: Options,
    note: str,
) -> Iterator[dict[str, Any]]:
    """The rows of one metric and quality metric: three relations, two scopes, two treatments."""
    by = ["family", "variant"]
    same_quality = untrained[untrained["quality_metric"] == labels["quality_metric"]]
    once = untrained.drop_duplicates("model")  # a row per quality metric otherwise
    for treatment in TREATMENTS:

        def means(models: pd.DataFrame, treatment: str = treatment) -> pd.DataFrame:
            values = {"x": metric_values(models, metric, treatment), "y": models["oriented"]}
            return group_means(models, by, values)

        before = group_means(once, by, {"before": metric_values(once, metric, treatment)})
        both = means(trained).merge(before, on=by)
        frames = {
            "own": means(same_quality),
            "untrained": both.assign(x=both["before"]),
            "trained": both,
        }
        for relation, frame in frames.items():
            families = frame.groupby("family", sort=True)[["x", "y"]].mean().reset_index()
            samples = {"families": plain_sample(families), "within": plain_sample(frame, "family")}
            for scope, sample in samples.items():
                key = ("controls", *labels.values(), scope)
                estimates = describe(sample, options, key)
                row = {**labels, "relation": relation, "scope": scope}
                row |= {"metric": metric, "treatment": treatment}
                yield row | estimates | {"note": join(estimates["note"], note)}
