"""The study as the paper sees it: its tables, and which row answers which question.

Tables of the statistics stay text here (as read from CSV), so nothing is lost or invented on the
way: a missing value is an empty cell.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from atlas.findings.outcome import Beyond, Finding, judge, judge_beyond
from atlas.tables.parts import Partition, partition_of, primary_quality
from atlas.terms.keys import SCOPES
from atlas.terms.notes import Note


@dataclass(frozen=True)
class Answer:
    """The findings of one population (a collection, say): its name, ready for a sentence."""

    name: str
    metric: str
    quality: str
    a: Finding
    b: Finding
    c: Finding
    stored: Mapping[str, Finding] = field(default_factory=dict)  # by comparison
    beyond: Mapping[str, Beyond] = field(default_factory=dict)
    families: int = 0  # with a correlation of their own
    q_p: float = math.nan  # of the test that all families have the same correlation
    failed: int = 0  # layers whose fit failed

    def finding(self, comparison: str) -> Finding:
        return {"a": self.a, "b": self.b, "c": self.c}[comparison]


Cells = Mapping[str, str]
Rows = Sequence[Cells]


@dataclass(frozen=True)
class Results:
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
    def by_model(self) -> dict[str, list[Cells]]:
        """The rows of each analysed model: one for each quality metric."""
        models: dict[str, list[Cells]] = defaultdict(list)
        for row in self.models:
            models[row["model"]].append(row)
        return dict(models)

    @cached_property
    def each(self) -> list[Cells]:
        """One row for each analysed model; its quality is any of them."""
        return [rows[0] for rows in self.by_model.values()]

    def is_control(self, row: Cells) -> bool:
        return row["collection"] in self.options["controls"]

    @cached_property
    def trained(self) -> list[Cells]:
        return [row for row in self.each if not self.is_control(row)]

    @cached_property
    def partitions(self) -> dict[Partition, list[Cells]]:
        """The models that may be compared with each other, without the controls; the most models first.

        Models without any quality are no part, unless there are no others.
        """
        parts: dict[Partition, list[Cells]] = defaultdict(list)
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
        return f"{collection} ({', '.join(more)})" if more else collection

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
    def _index(self) -> dict[tuple[str, ...], Cells]:
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
    ) -> Cells | None:
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
    def _families(self) -> dict[tuple[str, ...], list[Cells]]:
        rows: dict[tuple[str, ...], list[Cells]] = defaultdict(list)
        for row in self.tables["correlations"]:
            key = (*partition_of(row), row["comparison"], row["scope"], row["metric"])
            rows[(*key, row["quality_metric"], row["treatment"])].append(row)
        return rows

    def group_rows(
        self, partition: Partition, comparison: str, scope: str = "family", metric: str = ""
    ) -> list[Cells]:
        """The rows of all groups of a comparison, for the primary quality, failed fits left out."""
        key = (*partition, comparison, scope, metric or self.metric)
        return self._families[(*key, self.quality(partition), "dropped")]

    def one(self, table: str, partition: Partition, **labels: str) -> Cells | None:
        """The first row of a statistics table with these labels, the primary metric and quality."""
        wanted = {"metric": self.metric, "quality_metric": self.quality(partition), **labels}
        wanted.setdefault("treatment", "dropped")
        for row in self.tables[table]:
            if partition_of(row) == partition and all(row[k] == v for k, v in wanted.items()):
                return row
        return None

    def named(self, table: str, **labels: str) -> list[tuple[Partition, Cells]]:
        """The rows of a statistics table with these labels, in the order of the partitions.

        Unless the labels say otherwise, those of each partition's primary quality, and with failed
        fits left out.
        """
        found: dict[Partition, list[Cells]] = {partition: [] for partition in self.partitions}
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
                found = dataclasses.replace(found, notes=(Note.ONE_MODEL_PER_VARIANT,))
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

    def control_rows(self) -> list[Cells]:
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


def value(row: Cells | None, column: str) -> float | None:
    """A number of a row; None where it is missing."""
    found = number_of(row, column)
    return found if math.isfinite(found) else None


def number_of(row: Cells | None, column: str) -> float:
    """A number of a row; NaN where it is missing."""
    try:
        return float((row or {}).get(column, ""))
    except ValueError:
        return math.nan
