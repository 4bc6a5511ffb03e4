"""The study as the paper sees it: its tables, and which row answers which question.

Tables of the statistics stay text here (as read from CSV), so nothing is lost or invented on the
way: a missing value is an empty cell. The study records what is read of it, so that the paper can say
where each number comes from.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import pandas as pd

from atlas.findings.outcome import Beyond, Finding, judge, judge_beyond
from atlas.tables.parts import Partition, partition_of, primary_quality
from atlas.tables.read import TEXT
from atlas.terms.keys import SCOPES
from atlas.terms.notes import Note

T = TypeVar("T")


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
    q_p: float = math.nan  # of the test that all families have the same correlation
    failed: int = 0  # layers whose fit failed

    def finding(self, comparison: str) -> Finding:
        return getattr(self, comparison)


Cells = Mapping[str, str]
Rows = Sequence[Cells]

FILES = {
    "models": "tables/models.csv",
    "layers": "tables/layers.parquet",
    "excluded": "tables/excluded.csv",
    "audit": "audit.csv",
    "runs": "weightwatcher/*/run.json",
    "config": "config",
}
"""The parts of a study that are read as a whole, and their files in the study's results."""

Read = tuple[str, str]
"""A file, and the key of a row in it; "" for the file as a whole."""


def file_of(table: str) -> str:
    """The file of a table, in the study's results."""
    return FILES.get(table, f"statistics/{table}.csv")


def key_of(row: Cells) -> str:
    """What tells a row from all others of its table: its names, without its remarks."""
    names = (name for name in row if name in TEXT and name not in ("interval", "note"))
    return " ".join(f"{name}={row[name]}" for name in names if row[name])


def kept(make: Callable[[Results], T]) -> Callable[[Results], T]:
    """A function of a study that works once; whoever asks again has read the same as the first."""

    @wraps(make)
    def remembered(study: Results) -> T:
        if make not in study._kept:
            with study.reading() as used:
                found = make(study)
            study._kept[make] = found, used
        found, used = study._kept[make]
        study._note(used)
        return found

    return remembered


@dataclass(frozen=True)
class Results:
    """Everything that the paper is made of.

    `models`, `excluded`, `audit` and `tables` (the statistics by name) are the rows of the CSV files
    as text; `layers` is the table of layers; `runs` are the run.json files. `config` is the validated
    config without what only concerns figures, `versions` the packages of the last stages,
    `renderer` its name and version. Rows of `tables` are handed out by the methods, which note them.
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
    _kept: dict[Callable[..., Any], tuple[Any, set[Read]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _readers: list[set[Read]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __getattribute__(self, name: str) -> Any:
        if name in FILES:
            self._note([(FILES[name], "")])
        return super().__getattribute__(name)

    @contextmanager
    def reading(self) -> Iterator[set[Read]]:
        """What is read of the study inside this context."""
        self._readers.append(set())
        try:
            yield self._readers[-1]
        finally:
            self._readers.pop()

    def _note(self, used: Iterable[Read]) -> None:
        if self._readers:
            self._readers[-1].update(used)

    def _out(self, table: str, rows: Sequence[Cells | None]) -> None:
        """Note rows of a table of the statistics that are handed out; None is a row that is not there."""
        if self._readers:
            keys = ["", *(key_of(row) for row in rows if row is not None)]
            self._note((file_of(table), key) for key in keys)

    def rows(self, table: str, chosen: Callable[[Cells], bool] = lambda row: True) -> list[Cells]:
        """The chosen rows of a statistics table."""
        found = [row for row in self.tables[table] if chosen(row)]
        self._out(table, found)
        return found

    @property
    def options(self) -> Mapping[str, Any]:
        return self.config["statistics"]

    @property
    def confidence(self) -> float:
        return self.options["confidence"]

    @property
    def metric(self) -> str:
        """The first of the primary metrics."""
        return self.options["primary_metrics"][0]

    @property
    @kept
    def by_model(self) -> dict[str, list[Cells]]:
        """The rows of each analysed model: one for each quality metric."""
        models: dict[str, list[Cells]] = defaultdict(list)
        for row in self.models:
            models[row["model"]].append(row)
        return dict(models)

    @property
    @kept
    def each(self) -> list[Cells]:
        """One row for each analysed model; its quality is any of them."""
        return [rows[0] for rows in self.by_model.values()]

    def is_control(self, row: Cells) -> bool:
        return row["collection"] in self.options["controls"]

    @property
    @kept
    def trained(self) -> list[Cells]:
        return [row for row in self.each if not self.is_control(row)]

    @property
    @kept
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

    @property
    @kept
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
        if comparison != "a" and not (found and found.get("kendall")):
            groups = self.groups(partition, comparison)
            if len(groups) == 1:
                key = (table, *partition, comparison, "family", *groups[0], *last)
                found = self._index.get(key)
        self._out(table, [found])
        return found

    @property
    @kept
    def _groups(self) -> dict[tuple[str, ...], set[tuple[str, str]]]:
        groups: dict[tuple[str, ...], set[tuple[str, str]]] = defaultdict(set)
        for row in self.tables["correlations"]:
            if row["scope"] == "family":
                key = (*partition_of(row), row["comparison"], row["quality_metric"])
                groups[key].add((row["family"], row["variant"]))
        return groups

    def groups(self, partition: Partition, comparison: str) -> list[tuple[str, str]]:
        """The (family, variant) of the groups that a comparison looks into."""
        return sorted(self._groups.get((*partition, comparison, self.quality(partition)), ()))

    @property
    @kept
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
        found = self._families.get((*key, self.quality(partition), "dropped"), [])
        self._out("correlations", found)
        return found

    def one(self, table: str, partition: Partition, **labels: str) -> Cells | None:
        """The first row of a statistics table with these labels, the primary metric and quality."""
        wanted = {"metric": self.metric, "quality_metric": self.quality(partition), **labels}
        wanted.setdefault("treatment", "dropped")
        found = (
            row
            for row in self.tables[table]
            if partition_of(row) == partition and all(row[k] == v for k, v in wanted.items())
        )
        first = next(found, None)
        self._out(table, [first])
        return first

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
        chosen = [(partition, row) for partition, rows in found.items() for row in rows]
        self._out(table, [row for _, row in chosen])
        return chosen

    @property
    def metrics(self) -> Sequence[str]:
        """The primary metrics."""
        return self.options["primary_metrics"]

    @property
    def answers(self) -> dict[Partition, Answer]:
        """What the study finds for the first primary metric, for each partition."""
        return self.answers_to(self.metric)

    def answers_to(self, metric: str) -> dict[Partition, Answer]:
        """What the study finds for one metric, for each partition."""
        return {partition: StudyAnswer(self, partition, metric) for partition in self.partitions}

    @property
    def all_answers(self) -> list[Answer]:
        """What the study finds for every primary metric, metric by metric."""
        return [answer for metric in self.metrics for answer in self.answers_to(metric).values()]

    @property
    @kept
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
        return self.rows(
            "controls",
            lambda row: (
                row["metric"] == self.metric
                and row["treatment"] == "dropped"
                and row["quality_metric"]
                == qualities.get((row["reference"], row["dataset"], row["weightwatcher_version"]))
            ),
        )


class StudyAnswer(Answer):
    """The answer of a study; each part is read when it is asked for, and noted for whoever asks."""

    def __init__(self, study: Results, partition: Partition, metric: str) -> None:
        found = {"name": study.name(partition), "metric": metric}
        found |= {"quality": study.quality(partition)}
        self.__dict__.update(found, _study=study, _partition=partition)

    def _find(self, comparison: str, treatment: str = "dropped") -> Finding:
        row = self._study.row("correlations", self._partition, comparison, self.metric, treatment)
        found = judge(row, self._study.confidence)
        if row is None and comparison == "c":
            found = dataclasses.replace(found, notes=(Note.ONE_MODEL_PER_VARIANT,))
        return found

    def _beyond(self, comparison: str) -> Beyond:
        return judge_beyond(
            self._study.row("baselines", self._partition, comparison, self.metric),
            self._study.confidence,
        )

    a = property(lambda self: self._find("a"))
    b = property(lambda self: self._find("b"))
    c = property(lambda self: self._find("c"))
    stored = property(lambda self: Asked(lambda comparison: self._find(comparison, "stored")))
    beyond = property(lambda self: Asked(self._beyond))

    @property
    def q_p(self) -> float:
        return number_of(
            self._study.one("meta", self._partition, comparison="b", metric=self.metric), "q_p"
        )

    @property
    def failed(self) -> int:
        return sum(
            int(row["layers_failed"] or 0) for row in self._study.partitions[self._partition]
        )


class Asked(Mapping[str, T]):
    """Something of each comparison, made when it is asked for."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make

    def __getitem__(self, comparison: str) -> T:
        return self._make(comparison)

    def __iter__(self) -> Iterator[str]:
        return iter(SCOPES)

    def __len__(self) -> int:
        return len(SCOPES)


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
