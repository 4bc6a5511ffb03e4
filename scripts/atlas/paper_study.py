"""The study as the paper sees it: its tables, and which row answers which question.

Tables of the statistics stay text here (as read from CSV), so nothing is lost or invented on the
way: a missing value is an empty cell.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from atlas import metrics
from atlas.markdown import (
    MISSING,
    escape,
    percent,
)
from atlas.parts import Partition, partition_of, primary_quality
from atlas.wording import Answer, Finding, judge, judge_beyond

Row = Mapping[str, str]
Rows = Sequence[Row]

TREATMENTS = ("dropped", "stored")
STATISTICS = (
    "correlations",
    "baselines",
    "between_families",
    "meta",
    "controls",
    "simpson",
    "pairs",
    "mixed",
    "prediction",
    "alternatives",
    "shape",
    "traits",
    "explanations",
)
SCOPES = {"a": "pooled", "b": "within", "c": "within"}
COMPARISONS = {"a": "(a)", "b": "(b)", "c": "(c)"}

LARGE = 50
"""Eigenvalues from which the theory's authors trust a fit: weightwatcher's README."""


RANGE = (2, 6)
"""Where alpha is to lie: below, weightwatcher calls a layer over-trained, above, under-trained."""

BCA_FROM, FISHER_FROM = 8, 5
"""Independent models from which the statistics give an interval, by either method."""


@dataclass(frozen=True)
class Study:
    """Everything that the paper is made of.

    `models`, `excluded`, `audit` and `tables` (the statistics by name) are the rows of the CSV files
    as text; `layers` is the table of layers; `runs` are the run.json files. `config` is the validated
    config without what only concerns figures, `versions` the packages of the last stages,
    `renderer` its name and version.
    """

    models: Rows
    layers: pd.DataFrame
    excluded: Rows
    audit: Rows
    tables: Mapping[str, Rows]
    runs: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    renderer: tuple[str, str]

    @property
    def options(self) -> Mapping[str, Any]:
        return self.config["statistics"]

    @property
    def confidence(self) -> float:
        return self.options["confidence"]

    @property
    def metric(self) -> str:
        return self.options["primary_metric"]

    @cached_property
    def by_model(self) -> dict[str, list[Row]]:
        """The rows of each analysed model: one for each quality metric."""
        models: dict[str, list[Row]] = defaultdict(list)
        for row in self.models:
            models[row["model"]].append(row)
        return dict(models)

    @cached_property
    def each(self) -> list[Row]:
        """One row for each analysed model; its quality is any of them."""
        return [rows[0] for rows in self.by_model.values()]

    def is_control(self, row: Row) -> bool:
        return row["collection"] in self.options["controls"]

    @cached_property
    def trained(self) -> list[Row]:
        return [row for row in self.each if not self.is_control(row)]

    @cached_property
    def partitions(self) -> dict[Partition, list[Row]]:
        """The models that may be compared with each other, without the controls; the most models first.

        Models without any quality are no part, unless there are no others.
        """
        parts: dict[Partition, list[Row]] = defaultdict(list)
        for rows in self.by_model.values():
            # One model may have labels on several data sets, but counts once in each of them.
            for row in {partition_of(row): row for row in reversed(rows)}.values():
                if not self.is_control(row):
                    parts[partition_of(row)].append(row)
        labelled = {partition_of(row) for row in self.models if row["quality_metric"]}
        parts = {key: rows for key, rows in parts.items() if key in labelled} or dict(parts)
        return dict(sorted(parts.items(), key=lambda item: (-len(item[1]), item[0])))

    def name(self, partition: Partition) -> str:
        """A partition's name: its collection, and what tells it from others of that collection."""
        collection, dataset, version = partition
        same = [p for p in self.partitions if p[0] == collection]
        more = []
        if len({p[1] for p in same}) > 1:
            more.append(dataset or "no data set")
        if len({p[2] for p in same}) > 1:
            more.append(f"weightwatcher {version}")
        return escape(f"{collection} ({', '.join(more)})" if more else collection)

    def quality(self, partition: Partition) -> str:
        """The quality that claims about a partition are about; "" where no model has any."""
        present = (
            row["quality_metric"]
            for model in self.partitions[partition]
            for row in self.by_model[model["model"]]
            if partition_of(row) == partition
        )
        return primary_quality(present, self.options["primary_quality"])

    @cached_property
    def _index(self) -> dict[tuple[str, ...], Row]:
        keys = ("comparison", "scope", "family", "variant", "metric", "quality_metric", "treatment")
        return {
            (name, *partition_of(row), *(row[key] for key in keys)): row
            for name in ("correlations", "baselines")
            for row in self.tables[name]
        }

    def row(
        self,
        table: str,
        partition: Partition,
        comparison: str,
        metric: str | None = None,
        treatment: str = "dropped",
        quality: str | None = None,
    ) -> Row | None:
        """The row that answers a comparison: over all groups, or of the only group there is."""
        metric = self.metric if metric is None else metric
        quality = self.quality(partition) if quality is None else quality
        last = (metric, quality, treatment)
        found = self._index.get((table, *partition, comparison, SCOPES[comparison], "", "", *last))
        if comparison == "a" or (found and found.get("kendall")):
            return found
        groups = self.groups(partition, comparison)
        if len(groups) == 1:
            return self._index.get((table, *partition, comparison, "family", *groups[0], *last))
        return found

    def groups(self, partition: Partition, comparison: str) -> list[tuple[str, str]]:
        """The (family, variant) of the groups that a comparison looks into."""
        quality = self.quality(partition)
        return sorted(
            {
                (row["family"], row["variant"])
                for row in self.tables["correlations"]
                if row["scope"] == "family"
                and row["comparison"] == comparison
                and row["quality_metric"] == quality
                and partition_of(row) == partition
            }
        )

    @cached_property
    def _families(self) -> dict[tuple[str, ...], list[Row]]:
        rows: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in self.tables["correlations"]:
            key = (*partition_of(row), row["comparison"], row["scope"], row["metric"])
            rows[(*key, row["quality_metric"], row["treatment"])].append(row)
        return rows

    def group_rows(
        self, partition: Partition, comparison: str, scope: str = "family", metric: str = ""
    ) -> list[Row]:
        """The rows of all groups of a comparison, for the primary quality, failed fits left out."""
        key = (*partition, comparison, scope, metric or self.metric)
        return self._families[(*key, self.quality(partition), "dropped")]

    def one(self, table: str, partition: Partition, **labels: str) -> Row | None:
        """The first row of a statistics table with these labels, the primary metric and quality."""
        wanted = {"metric": self.metric, "quality_metric": self.quality(partition), **labels}
        wanted.setdefault("treatment", "dropped")
        for row in self.tables[table]:
            if partition_of(row) == partition and all(row[k] == v for k, v in wanted.items()):
                return row
        return None

    def named(self, table: str, **labels: str) -> list[tuple[Partition, Row]]:
        """The rows of a statistics table with these labels, in the order of the partitions.

        Unless the labels say otherwise, those of each partition's primary quality, and with failed
        fits left out.
        """
        found: dict[Partition, list[Row]] = {partition: [] for partition in self.partitions}
        qualities = {partition: self.quality(partition) for partition in found}
        for row in self.tables[table]:
            partition = partition_of(row)
            if partition not in found:
                continue
            usual = {"quality_metric": qualities[partition], "treatment": "dropped"}
            wanted = {key: text for key, text in usual.items() if key in row} | labels
            if all(row[key] == text for key, text in wanted.items()):
                found[partition].append(row)
        return [(partition, row) for partition, rows in found.items() for row in rows]

    @cached_property
    def answers(self) -> dict[Partition, Answer]:
        """What the study finds, for each partition."""
        return {partition: self._answer(partition) for partition in self.partitions}

    def _answer(self, partition: Partition) -> Answer:
        def find(comparison: str, treatment: str = "dropped") -> Finding:
            row = self.row("correlations", partition, comparison, treatment=treatment)
            found = judge(row, self.confidence)
            if row is None and comparison == "c":
                found = dataclasses.replace(found, note="no variant has several models")
            return found

        meta = self.one("meta", partition, comparison="b")
        families = [r for r in self.group_rows(partition, "b") if value(r, "kendall") is not None]
        return Answer(
            name=self.name(partition),
            metric=self.metric,
            quality=self.quality(partition),
            a=find("a"),
            b=find("b"),
            c=find("c"),
            stored={key: find(key, "stored") for key in SCOPES},
            beyond={key: judge_beyond(self.row("baselines", partition, key)) for key in SCOPES},
            families=len(families),
            q_p=number_of(meta, "q_p"),
            failed=sum(int(row["layers_failed"] or 0) for row in self.partitions[partition]),
        )

    @cached_property
    def control_findings(self) -> list[Finding]:
        """The tests of the controls for the primary metric and quality: own and trained quality."""
        return [
            judge(row, self.confidence)
            for row in self.control_rows()
            if row["relation"] != "trained"
        ]

    def control_rows(self) -> list[Row]:
        """The rows of the controls for the primary metric and each reference's primary quality."""
        qualities = {p: self.quality(p) for p in self.partitions}
        return [
            row
            for row in self.tables["controls"]
            if row["metric"] == self.metric
            and row["treatment"] == "dropped"
            and row["quality_metric"]
            == qualities.get((row["reference"], row["dataset"], row["weightwatcher_version"]))
        ]


def value(row: Row | None, column: str) -> float | None:
    """A number of a row; None where it is missing."""
    found = number_of(row, column)
    return found if math.isfinite(found) else None


def number_of(row: Row | None, column: str) -> float:
    """A number of a row; NaN where it is missing."""
    try:
        return float((row or {}).get(column, ""))
    except ValueError:
        return math.nan


def share(part: int, whole: int) -> str:
    """A part in percent; an en dash of nothing."""
    return percent(part / whole) if whole else MISSING


def layer_counts(layers: pd.DataFrame) -> dict[str, int]:
    """How many layers were analysed, failed, are small, have a short tail or an odd alpha.

    ``sized`` and ``tailed`` are those whose number of eigenvalues, and in the tail, is known: some
    published tables have none.
    """
    if "alpha" not in layers or layers.empty:
        names = ("all", "failed", "fitted", "sized", "small", "tailed", "short", "outside")
        return dict.fromkeys(names, 0)
    failed = metrics.failed(layers)
    good = layers[~failed]
    return {
        "all": len(layers),
        "failed": int(failed.sum()),
        "fitted": len(good),
        "sized": int(layers["num_evals"].notna().sum()),
        "small": int((layers["num_evals"] < LARGE).sum()),
        "tailed": int(good["num_pl_spikes"].notna().sum()),
        "short": int((good["num_pl_spikes"] < LARGE).sum()),
        "outside": int((~good["alpha"].between(*RANGE)).sum()),
    }
