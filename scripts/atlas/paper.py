"""What the paper says about one study: its variables, its tables and its sentences, as files.

`compose` takes the tables of the study and gives the text of every generated file of the paper's
source folder. It computes no statistics; it selects, formats and words what is there. Tables of the
statistics stay text here (as read from CSV), so nothing is lost or invented on the way: a missing
value is an empty cell.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from atlas import wording
from atlas.markdown import (
    MISSING,
    bullets,
    count,
    equation,
    escape,
    estimate,
    integer,
    interval,
    listing,
    number,
    p_equation,
    p_value,
    percent,
    pipe_table,
    prose,
    scientific,
)
from atlas.wording import Answer, Beyond, Finding, Outcome, Text, judge, judge_beyond

Row = Mapping[str, str]
Rows = Sequence[Row]
Partition = tuple[str, str, str]  # collection, data set, weightwatcher's version

TREATMENTS = ("dropped", "stored")
STATISTICS = ("correlations", "baselines", "between_families", "meta", "controls", "simpson")
SCOPES = {"a": "pooled", "b": "within", "c": "within"}
COMPARISONS = {"a": "(a)", "b": "(b)", "c": "(c)"}

PUBLISHED = {"mlp": 68, "convnet": 94}
"""Test accuracies in percent that Greydanus and Kobak (2024, arXiv:2011.14439) report for MNIST-1D."""

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
        """The models that may be compared with each other, without the controls; the most models first."""
        parts: dict[Partition, list[Row]] = defaultdict(list)
        for row in self.trained:
            parts[partition_of(row)].append(row)
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
        metrics = {
            row["quality_metric"]
            for model in self.partitions[partition]
            for row in self.by_model[model["model"]]
            if row["quality_metric"]
        }
        for name in (self.options["primary_quality"], "error", *sorted(metrics)):
            if name in metrics:
                return name
        return ""

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


def partition_of(row: Row) -> Partition:
    """What is never pooled: collection, data set and weightwatcher's version of a row."""
    return row["collection"], row["dataset"], row["weightwatcher_version"]


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


def compose(study: Study) -> dict[str, str]:
    """The generated files of the paper's source folder: path and text."""
    tables = {
        "collections": collections_table(study),
        "zoo": zoo_table(study),
        "recipes": recipes_table(study),
        "answers": answers_table(study),
        "a": comparison_table(study, "a"),
        "b": families_table(study),
        "c": comparison_table(study, "c"),
        "meta": meta_table(study),
        "metrics": metrics_table(study),
        "qualities": qualities_table(study),
        "controls": controls_table(study),
        "layers": layers_table(study),
        "models": models_table(study),
        "sources": sources_list(study),
        "variants": variants_table(study),
        "audit": audit_table(study),
        "provenance": provenance_table(study),
        "versions": versions_table(study),
    }
    texts = {
        "data": data_text(study),
        "results_a": results_text(study, "a"),
        "results_b": results_text(study, "b"),
        "results_c": results_text(study, "c"),
        "controls": controls_text(study),
        "excluded": excluded_text(study),
    }
    files = {f"tables/{name}.md": text for name, text in tables.items()}
    files |= {f"text/{name}.md": text for name, text in texts.items()}
    return {"_variables.yml": variables_yaml(variables(study)), **files}


def variables_yaml(values: Mapping[str, str]) -> str:
    """`_variables.yml`: every value a quoted text, so that no renderer reads it as a number."""
    assert all(isinstance(text, str) and text for text in values.values())
    return "".join(
        f"{name}: {json.dumps(text, ensure_ascii=False)}\n" for name, text in sorted(values.items())
    )


ABSTRACT = (
    "counted",
    "verdict_a",
    "verdict_b",
    "verdict_c",
    "verdict_size",
    "verdict_controls",
    "verdict_overall",
    "verdict_use",
)
"""The sentences of the abstract, which is also in German."""


# --- variables --------------------------------------------------------------------------------


def variables(study: Study) -> dict[str, str]:
    """Every number and every chosen sentence of the paper's own text, by name."""
    config, options = study.config, study.options
    models, controls = len(study.each), len(study.each) - len(study.trained)
    families = len({(row["collection"], row["family"]) for row in study.trained})
    answers = list(study.answers.values())
    findings = study.control_findings
    metric = wording.metric_of(study.metric)
    coverage = sorted(c for row in study.each if (c := value(row, "coverage")) is not None)
    layers = layer_counts(study.layers)
    audited = [number_of(row, "largest_difference") for row in study.audit]
    permutations = options["permutations"]

    said: dict[str, Text] = {
        "verdict_a": wording.verdict("a", answers, study.confidence),
        "verdict_b": wording.verdict("b", answers, study.confidence),
        "verdict_c": wording.verdict("c", answers, study.confidence),
        "verdict_size": wording.verdict_size(answers),
        "verdict_families": wording.verdict_families(answers, 1 - study.confidence),
        "verdict_treatment": wording.verdict_treatment(answers),
        "verdict_controls": wording.verdict_controls(findings, study.metric),
        "verdict_overall": wording.verdict_overall(answers),
        "verdict_use": wording.verdict_use(answers, findings),
        "counted": counted(study),
    }
    result = {
        f"{name}{suffix}": getattr(text, lang)
        for name, text in said.items()
        for lang, suffix in (("en", ""), ("de", "_de"))
        if lang == "en" or name in ABSTRACT
    }
    result |= {
        "title": escape_title(config["title"]),
        "subtitle": f"Study {escape(config['study'])}"
        + (f", {escape(config['date'])}" if config.get("date") else ""),
        "study": escape(config["study"]),
        "metric": metric.en,
        "metric_de": metric.de,
        "expectation": "smaller values in better models"
        if metric.theory
        else "no particular direction",
        "models": count(models, "model"),
        "trained": count(len(study.trained), "trained model"),
        "controls": count(controls, "untrained control"),
        "families": count(families, "family", "families"),
        "excluded": excluded_words(len(study.excluded)),
        "listed": count(models + len(study.excluded), "model"),
        "layers": count(layers["all"], "layer"),
        "layers_failed": count(layers["failed"], "layer"),
        "failed_share": share(layers["failed"], layers["all"]),
        "small_share": share(layers["small"], layers["all"]),
        "short_share": share(layers["short"], layers["fitted"]),
        "outside_share": share(layers["outside"], layers["fitted"]),
        "large": integer(LARGE),
        "coverage_median": percent(statistics.median(coverage)) if coverage else MISSING,
        "coverage_lowest": percent(coverage[0]) if coverage else MISSING,
        "range_low": integer(RANGE[0]),
        "range_high": integer(RANGE[1]),
        "min_evals": integer(config["weightwatcher"]["min_evals"]),
        "max_evals": integer(config["spectra"]["max_evals"]),
        "engine": engine_text(config["weightwatcher"]["engine"]),
        "weightwatcher_version": listing(
            sorted({escape(row["weightwatcher_version"]) for row in study.each})
        )
        or MISSING,
        "permutations": integer(permutations),
        "smallest_p": p_value(1 / (permutations + 1))
        if permutations > 998
        else number(1 / (permutations + 1), 3),
        "bootstrap": integer(options["bootstrap"]),
        "confidence": percent(study.confidence),
        "level": number(1 - study.confidence),
        "power": percent(wording.POWER),
        "seed": str(options["seed"]),
        "reference_recipe": escape(options["reference_recipe"]),
        "replicates": replicates_text(options["seeds_are_replicates"]),
        "audited": count(len(study.audit), "model"),
        "audited_layers": count(sum(int(row["layers"]) for row in study.audit), "layer"),
        "audited_agree": integer(sum(int(row["agree"]) for row in study.audit)),
        "audited_worst": scientific(max(audited, default=math.nan)),
        "tolerance": scientific(config["audit"]["tolerance"]),
        "bca_from": integer(BCA_FROM),
        "fisher_from": integer(FISHER_FROM),
        "small_groups": small_groups_text(study),
        "renderer": renderer_text(*study.renderer),
        "config_hash": config_hash(config)[:16],
    }
    return result


def excluded_words(amount: int) -> str:
    """How many models were excluded."""
    if not amount:
        return "None was excluded"
    return f"{count(amount, 'model')} {'was' if amount == 1 else 'were'} excluded"


def escape_title(title: str) -> str:
    """The title as literal text, but with typographic quotes and apostrophes."""
    return escape(title).replace("\\'", "'").replace('\\"', '"')


def counted(study: Study) -> Text:
    """How many models were analysed, in one sentence."""
    trained, controls = len(study.trained), len(study.each) - len(study.trained)
    families = len({(row["collection"], row["family"]) for row in study.trained})
    excluded = len(study.excluded)
    english = (
        f"We analysed {count(trained, 'trained model')} of {count(families, 'family', 'families')}"
    )
    german = (
        f"Wir haben {count(trained, 'trainiertes Modell', 'trainierte Modelle', 'de')} aus "
        f"{count(families, 'Familie', 'Familien', 'de')} untersucht"
    )
    if controls:
        english += f", and {count(controls, 'untrained network')} as controls"
        german += (
            ", dazu "
            + count(controls, "untrainiertes Netz", "untrainierte Netze", "de")
            + " als Kontrollen"
        )
    if excluded:
        english += f"; {count(excluded, 'model')} could not be analysed"
        german += (
            f"; {count(excluded, 'Modell', 'Modelle', 'de')} "
            f"{'ließ' if excluded == 1 else 'ließen'} sich nicht untersuchen"
        )
    return Text(f"{english}.", f"{german}.")


def share(part: int, whole: int) -> str:
    """A part in percent; an en dash of nothing."""
    return percent(part / whole) if whole else MISSING


def layer_counts(layers: pd.DataFrame) -> dict[str, int]:
    """How many layers were analysed, failed, are small, have a short tail or an odd alpha."""
    if "alpha" not in layers or layers.empty:
        return dict.fromkeys(("all", "failed", "fitted", "small", "short", "outside"), 0)
    failed = (layers["status"] != "success") | ~(layers["alpha"] > 1)
    good = layers[~failed]
    return {
        "all": len(layers),
        "failed": int(failed.sum()),
        "fitted": len(good),
        "small": int((layers["num_evals"] < LARGE).sum()),
        "short": int((good["num_pl_spikes"] < LARGE).sum()),
        "outside": int((~good["alpha"].between(*RANGE)).sum()),
    }


def engine_text(engine: str) -> str:
    """How the fits were made."""
    if engine == "weightwatcher":
        return "weightwatcher itself made every fit"
    return "an exact reimplementation on the kept eigenvalues made the fits"


def replicates_text(replicates: bool) -> str:
    """How seeds are counted."""
    if replicates:
        return "Models that differ in the seed alone are replicates and count as one"
    return "Every model counts as an independent observation, also where only the seed differs"


def small_groups_text(study: Study) -> str:
    """How many families are too small for an interval of their own."""
    rows = [row for p in study.partitions for row in study.group_rows(p, "b")]
    small = sum(judge(row, study.confidence).outcome in (Outcome.FEW, Outcome.NONE) for row in rows)
    if not rows:
        return "No family has a correlation of its own"
    if not small:
        return "Every family is large enough for an interval of its own"
    return (
        f"Of {count(len(rows), 'family', 'families')}, {integer(small)} "
        f"{'is' if small == 1 else 'are'} too small for an interval of "
        f"{'its' if small == 1 else 'their'} own and can only speak together with others"
    )


def renderer_text(name: str, version: str) -> str:
    """Who rendered the paper."""
    if name == "quarto":
        return f"Quarto {escape(version)}"
    return f"the built-in renderer ({escape(version)})"


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of what decides the results, as canonical JSON: the config without its words."""
    decisive = {key: part for key, part in config.items() if key not in ("title", "date")}
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


# --- data -------------------------------------------------------------------------------------


def collections_table(study: Study) -> str:
    """One row for each collection, data set and version: what it holds, and its part."""
    parts: dict[Partition, list[Row]] = defaultdict(list)
    for row in study.each:
        parts[partition_of(row)].append(row)
    rows = []
    for (collection, dataset, _), models in sorted(parts.items()):
        qualities = sorted(
            {
                wording.quality_of(row["quality_metric"])
                for model in models
                for row in study.by_model[model["model"]]
                if row["quality_metric"]
            }
        )
        control = study.options["controls"].get(collection)
        rows.append(
            [
                escape(collection),
                f"control of {escape(control)}" if control else "compared",
                escape(dataset) if dataset else MISSING,
                integer(len({row["family"] for row in models})),
                integer(len({(row["family"], row["variant"]) for row in models})),
                integer(len({row["recipe"] for row in models if row["recipe"]}) or None),
                integer(len(models)),
                listing(qualities) or MISSING,
            ]
        )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Role", "l"),
            ("Data", "l"),
            ("Families", "r"),
            ("Variants", "r"),
            ("Recipes", "r"),
            ("Models", "r"),
            ("Quality", "l"),
        ],
        rows,
    )


SOURCES = {
    "package": (
        "from Python packages that ship trained weights. Their quality is the published label",
        "package",
    ),
    "zoo": ("trained by this pipeline, with measured quality", "zoo"),
    "file": (
        "from files of the study's author, with the quality that the model list gives",
        "file",
    ),
    "timm": ("from the library timm, with its published results", "timm"),
    "keras": ("from Keras Applications, with its published results", "keras"),
    "published": ("whose WeightWatcher results others have published", "published"),
}


def data_text(study: Study) -> str:
    """Where the models come from: one item for each source that the study uses."""
    items = []
    by_source = Counter(row["source"] for row in study.each)
    for source, amount in sorted(by_source.items()):
        what, _ = SOURCES.get(source, (f"from the source {escape(source)}", source))
        names = sorted({row["collection"] for row in study.each if row["source"] == source})
        where = listing([escape(name) for name in names])
        items.append(f"{count(amount, 'model')} {what} ({where}).")
    text = bullets(items) if items else "No model could be analysed.\n"
    if not study.config["zoo"]:
        return f"{text}\nThis study trains no networks itself.\n"
    zoo = study.config["zoo"]
    families = listing([ARCHITECTURES.get(name, escape(name)) for name in zoo["architectures"]])
    seeds = count(len(zoo["seeds"]), "seed")
    sizes = sum(len(set(sizes) - {"training"}) for sizes in zoo["architectures"].values())
    published = listing(
        [
            f"{percent(accuracy / 100)} for {ARTICLES[name]}"
            for name, accuracy in PUBLISHED.items()
            if name in zoo["architectures"]
        ]
    )
    compared = f" For comparison, its authors report an accuracy of {published}." * bool(published)
    return (
        f"{text}\nThe networks that the pipeline trains learn MNIST-1D [@greydanus2024], a small "
        "data set of one-dimensional signals that separates architectures within seconds of "
        f"training.{compared} "
        f"The families are {families}. They come in {count(sizes, 'variant')} (@tbl-zoo), each "
        f"trained by {count(len(zoo['recipes']), 'recipe')} (@tbl-recipes) with {seeds}, with "
        "decoupled weight decay [@loshchilov2019].\n"
    )


ARCHITECTURES = {
    "mlp": "multilayer perceptrons",
    "convnet": "convolutional networks",
    "resnet": "residual networks [@he2016]",
    "transformer": "transformer encoders [@vaswani2017]",
    "mixer": "MLP-Mixers [@tolstikhin2021]",
}
ARTICLES = {"mlp": "a multilayer perceptron", "convnet": "a convolutional network"}


def zoo_table(study: Study) -> str:
    """The variants that the pipeline trains: size, quality and alpha under the reference recipe."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in study.trained:
        if row["source"] == "zoo" and row["recipe"] == study.options["reference_recipe"]:
            groups[row["family"], row["variant"]].append(row)
    rows = []
    for (family, variant), models in sorted(groups.items()):
        ids = [row["model"] for row in models]
        rows.append(
            [
                escape(family),
                escape(variant),
                integer(value(models[0], "parameters")),
                spread([quality_value(study, model, "accuracy") for model in ids]),
                spread([number_of(row, study.metric) for row in models], 2),
            ]
        )
    return pipe_table(
        [
            ("Family", "l"),
            ("Variant", "l"),
            ("Parameters", "r"),
            ("Accuracy in %", "r"),
            (_first(wording.metric_of(study.metric).label), "r"),
        ],
        rows,
    )


def spread(values: Iterable[float], digits: int = 1) -> str:
    """The mean of some seeds and, where there are several, their range."""
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return MISSING
    mean = number(statistics.fmean(known), digits)
    if len(known) == 1:
        return mean
    return f"{mean} ({number(min(known), digits)} to {number(max(known), digits)})"


def quality_value(study: Study, model: str, metric: str) -> float:
    """A model's quality by one metric; NaN where it has none."""
    for row in study.by_model[model]:
        if row["quality_metric"] == metric:
            return number_of(row, "quality")
    return math.nan


def recipes_table(study: Study) -> str:
    """The recipes of the trained zoo, what they change, and what that does to the accuracy."""
    zoo = study.config["zoo"]
    if not zoo:
        return pipe_table([("Recipe", "l"), ("What it changes", "l"), ("Accuracy in %", "r")], [])
    rows = []
    for name, changes in zoo["recipes"].items():
        models = {r["model"] for r in study.each if r["source"] == "zoo" and r["recipe"] == name}
        said = [
            f"{escape(key.replace('_', ' '))} {setting:g}"
            for key, setting in (changes or {}).items()
        ]
        accuracies = [quality_value(study, model, "accuracy") for model in sorted(models)]
        rows.append(
            [
                escape(name),
                "; ".join(said) or "nothing",
                integer(len(models)),
                spread(accuracies),
            ]
        )
    return pipe_table(
        [("Recipe", "l"), ("What it changes", "l"), ("Models", "r"), ("Accuracy in %", "r")], rows
    )


def layers_table(study: Study) -> str:
    """What the fits are worth, for each family: sizes, failures, range and coverage."""
    layers = study.layers
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in study.each:
        groups[row["collection"], row["family"]].append(row)
    rows = []
    for (collection, family), models in sorted(groups.items()):
        ids = {row["model"] for row in models}
        counts = layer_counts(layers[layers["model"].isin(ids)])
        coverage = [c for row in models if (c := value(row, "coverage")) is not None]
        rows.append(
            [
                escape(collection),
                escape(family),
                integer(len(models)),
                integer(counts["all"]),
                share(counts["failed"], counts["all"]),
                share(counts["small"], counts["all"]),
                share(counts["short"], counts["fitted"]),
                share(counts["outside"], counts["fitted"]),
                percent(statistics.fmean(coverage)) if coverage else MISSING,
            ]
        )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Family", "l"),
            ("Models", "r"),
            ("Layers", "r"),
            ("Failed", "r"),
            ("Small", "r"),
            ("Short tail", "r"),
            ("Out of range", "r"),
            ("Coverage", "r"),
        ],
        rows,
    )


# --- results: tables --------------------------------------------------------------------------

CELLS = {
    Outcome.NEGATIVE: "smaller is better",
    Outcome.POSITIVE: "larger is better",
    Outcome.OPEN: "open",
    Outcome.FEW: "too few models",
    Outcome.NONE: "no answer",
}


def answers_table(study: Study) -> str:
    """The answers at a glance: a row for each population, a column for each comparison."""
    rows = [
        [
            answer.name,
            wording.quality_of(answer.quality) if answer.quality else MISSING,
            *(_answer_cell(answer.finding(key)) for key in SCOPES),
        ]
        for answer in study.answers.values()
    ]
    return pipe_table(
        [
            ("Collection", "l"),
            ("Quality", "l"),
            ("(a) between architectures", "l"),
            ("(b) between variants", "l"),
            ("(c) between trainings", "l"),
        ],
        rows,
    )


def _answer_cell(finding: Finding) -> str:
    words = CELLS[finding.outcome]
    return words if finding.outcome is Outcome.NONE else f"{words} ({equation('τ', finding.tau)})"


STATISTIC_COLUMNS = [
    ("$n$", "r"),
    ("$\\tau$", "r"),
    ("$p$", "r"),
    ("$p$, corrected", "r"),
]
BASELINE_COLUMNS = [("$\\tau$ of size", "r"), ("Partial $\\tau$", "r")]


def _statistic_cells(row: Row | None) -> list[str]:
    """n, tau with its interval, p and corrected p."""
    corrected = value(row, "kendall_p_holm")
    corrected = value(row, "kendall_p_bh") if corrected is None else corrected
    return [
        _n_cell(row),
        estimate(value(row, "kendall"), value(row, "kendall_low"), value(row, "kendall_high")),
        p_value(value(row, "kendall_p")),
        p_value(corrected),
    ]


def _n_cell(row: Row | None) -> str:
    """The number of models and, where it differs, that of independent units."""
    n, units = value(row, "n"), value(row, "units")
    if n is None:
        return MISSING
    return integer(n) if units in (n, None) else f"{integer(n)} ({integer(units)})"


def _baseline_cells(row: Row | None) -> list[str]:
    return [
        number(value(row, "kendall_size")),
        estimate(
            value(row, "partial_kendall"),
            value(row, "partial_kendall_low"),
            value(row, "partial_kendall_high"),
        ),
    ]


def comparison_table(study: Study, comparison: str) -> str:
    """One comparison: all populations, both treatments; for (c) also each family."""
    rows = []
    for partition in study.partitions:
        scopes: list[tuple[str, Row | None, Row | None]] = []
        for treatment in TREATMENTS:
            row = study.row("correlations", partition, comparison, treatment=treatment)
            base = study.row("baselines", partition, comparison, treatment=treatment)
            scopes.append((f"all, {WORDS[treatment]}", row, base))
        if comparison == "c":
            family_rows = study.group_rows(partition, "c", "within")
            scopes += [(escape(row["family"]), row, None) for row in family_rows if row["family"]]
        for label, row, base in scopes:
            cells = _statistic_cells(row)
            cells += [p_value(value(row, "kendall_p_recipes"))] * (comparison == "c")
            cells += _baseline_cells(base) * (comparison != "c")
            rows.append([study.name(partition), label, *cells])
    last = [("$p$, recipes", "r")] if comparison == "c" else BASELINE_COLUMNS
    return pipe_table(
        [("Collection", "l"), ("Models", "l"), *STATISTIC_COLUMNS, *last],
        rows,
    )


WORDS = {"dropped": "failed fits left out", "stored": "failed fits averaged in"}


def families_table(study: Study) -> str:
    """Comparison (b): each family, then all families together under both treatments."""
    rows = []
    for partition in study.partitions:
        quality = study.quality(partition)
        for row in study.group_rows(partition, "b"):
            key = ("baselines", *partition, "b", "family", row["family"], row["variant"])
            base = study._index.get((*key, study.metric, quality, "dropped"))
            rows.append([study.name(partition), escape(row["family"]), row, base])
        if len(study.groups(partition, "b")) != 1:
            for treatment in TREATMENTS:
                row = study.row("correlations", partition, "b", treatment=treatment)
                base = study.row("baselines", partition, "b", treatment=treatment)
                rows.append([study.name(partition), f"all, {WORDS[treatment]}", row, base])
    cells = [
        [name, family, *_statistic_cells(row), *_baseline_cells(base)]
        for name, family, row, base in rows
    ]
    return pipe_table(
        [("Collection", "l"), ("Family", "l"), *STATISTIC_COLUMNS, *BASELINE_COLUMNS], cells
    )


def variants_table(study: Study) -> str:
    """Comparison (c) in each variant."""
    rows = []
    for partition in study.partitions:
        for row in study.group_rows(partition, "c"):
            rows.append([study.name(partition), escape(row["variant"]), *_statistic_cells(row)])
    return pipe_table([("Collection", "l"), ("Variant", "l"), *STATISTIC_COLUMNS], rows)


def meta_table(study: Study) -> str:
    """Families (b) and variants (c) put together."""
    rows = []
    for partition in study.partitions:
        for comparison in ("b", "c"):
            row = study.one("meta", partition, comparison=comparison)
            if row is None:
                continue
            rows.append(
                [
                    study.name(partition),
                    COMPARISONS[comparison],
                    f"{integer(value(row, 'k'))} of "
                    f"{integer(number_of(row, 'k') + number_of(row, 'k_left_out'))}",
                    estimate(
                        value(row, "pearson"), value(row, "pearson_low"), value(row, "pearson_high")
                    ),
                    interval(value(row, "prediction_low"), value(row, "prediction_high")),
                    number(value(row, "i2"), 0),
                    p_value(value(row, "q_p")),
                    number(value(row, "mean_r")),
                    p_value(value(row, "mean_r_p")),
                ]
            )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Of", "l"),
            ("Groups", "r"),
            ("$r$", "r"),
            ("Prediction", "r"),
            ("$I^2$ in %", "r"),
            ("$p$ of $Q$", "r"),
            ("Mean $r$", "r"),
            ("$p$ of mean", "r"),
        ],
        [[cell or MISSING for cell in row] for row in rows],
    )


def metrics_table(study: Study) -> str:
    """Every metric in every comparison, for the primary quality."""
    rows = []
    metrics = [m for m in study.options["metrics"] if m != "log_parameters"] + ["log_parameters"]
    for partition in study.partitions:
        for metric in metrics:
            cells = [
                _marked(study.row("correlations", partition, comparison, metric), study.confidence)
                for comparison in SCOPES
            ]
            rows.append([study.name(partition), wording.metric_of(metric).label, *cells])
    return pipe_table(
        [("Collection", "l"), ("Metric", "l"), ("(a)", "r"), ("(b)", "r"), ("(c)", "r")], rows
    )


def _marked(row: Row | None, confidence: float) -> str:
    """Tau with its interval, bold where the comparison is decided."""
    text = estimate(value(row, "kendall"), value(row, "kendall_low"), value(row, "kendall_high"))
    return f"**{text}**" if judge(row, confidence).outcome.decided else text


def qualities_table(study: Study) -> str:
    """The primary metric against every quality metric that the models have."""
    rows = []
    for partition, models in study.partitions.items():
        qualities = sorted(
            {
                row["quality_metric"]
                for model in models
                for row in study.by_model[model["model"]]
                if row["quality_metric"]
            }
        )
        for quality in qualities:
            cells = [
                _marked(
                    study.row("correlations", partition, comparison, quality=quality),
                    study.confidence,
                )
                for comparison in SCOPES
            ]
            rows.append([study.name(partition), wording.quality_of(quality), *cells])
    return pipe_table(
        [("Collection", "l"), ("Quality", "l"), ("(a)", "r"), ("(b)", "r"), ("(c)", "r")], rows
    )


RELATIONS = {
    "own": "untrained metric, untrained quality",
    "untrained": "untrained metric, trained quality",
    "trained": "trained metric, trained quality",
}


def controls_table(study: Study) -> str:
    """The controls: what the metric of untrained networks says."""
    rows = [
        [
            escape(row["collection"]),
            RELATIONS.get(row["relation"], escape(row["relation"])),
            {"pooled": "all", "within": "within families"}[row["scope"]],
            integer(value(row, "n")),
            estimate(value(row, "kendall"), value(row, "kendall_low"), value(row, "kendall_high")),
            p_value(value(row, "kendall_p")),
        ]
        for row in study.control_rows()
    ]
    return pipe_table(
        [
            ("Control", "l"),
            ("Relation", "l"),
            ("Scope", "l"),
            ("Variants", "r"),
            ("$\\tau$", "r"),
            ("$p$", "r"),
        ],
        rows,
    )


# --- results: sentences -----------------------------------------------------------------------


def results_text(study: Study, comparison: str) -> str:
    """The results of one comparison: a paragraph for each population."""
    if not study.partitions:
        return "No model could be analysed, so there is no answer.\n"
    items = []
    for partition, answer in study.answers.items():
        sentences = _sentences(study, partition, answer, comparison)
        head = f"**{answer.name}.** " if len(study.partitions) > 1 else ""
        items.append(head + " ".join(sentences))
    return "\n\n".join(items) + "\n"


def _sentences(study: Study, partition: Partition, answer: Answer, comparison: str) -> list[str]:
    finding = answer.finding(comparison)
    row = study.row("correlations", partition, comparison)
    who = {
        "a": "across architectures",
        "b": "between the variants of a family",
        "c": "between the trainings of a variant",
    }[comparison]
    said = [wording.result(finding, who, study.metric, answer.quality, study.confidence)]
    if finding.outcome is Outcome.NONE:
        return said
    if comparison == "a":
        said += _between_families(study, partition, answer)
        said += _simpson(study, partition, answer)
    else:
        said += _groups(study, partition, comparison)
        said += _together(study, partition, comparison)
    if comparison == "c" and _constant_size(answer.beyond["c"]):
        said.append(
            "Models of one variant have the same size, which therefore explains none of this."
        )
    else:
        said.append(
            wording.beyond_size(
                answer.beyond[comparison], study.metric, answer.quality, study.confidence
            )
        )
    said += _treatment(study, answer, comparison, row)
    return said


def _constant_size(beyond: Beyond) -> bool:
    return beyond.note.startswith("size is constant")


def _between_families(study: Study, partition: Partition, answer: Answer) -> list[str]:
    row = study.one("between_families", partition)
    finding = judge(row, study.confidence)
    if finding.outcome is Outcome.NONE:
        return []
    values = wording.numbers(finding, study.confidence)
    text = f"Over the means of the {count(finding.n, 'family', 'families')}, {values}"
    return [text + (": too few for a conclusion." if finding.outcome is Outcome.FEW else ".")]


def _simpson(study: Study, partition: Partition, answer: Answer) -> list[str]:
    """Whether pooling and looking inside families give different answers."""
    row = study.one("simpson", partition)
    pooled, within = value(row, "kendall_pooled"), value(row, "kendall_within")
    if row is None or pooled is None or within is None:
        return []
    text = (
        f"Pooled over families, {equation('τ', pooled)}; inside families it is {number(within)} on "
        "average"
    )
    low, high = value(row, "difference_low"), value(row, "difference_high")
    if low is None or high is None:
        return [f"{text}, with too few families to test the difference."]
    bounds = f"{percent(study.confidence)} CI of the difference {interval(low, high)}"
    if row["reversed"] == "True":
        return [f"{text}: the sign reverses, which is Simpson's paradox ({bounds})."]
    if row["claimed"] == "True":
        return [f"{text}: the two differ by more than chance ({bounds})."]
    return [f"{text}; the difference is not clear ({bounds})."]


def _groups(study: Study, partition: Partition, comparison: str) -> list[str]:
    """How many families or variants show what on their own."""
    nouns = {"b": ("family", "families"), "c": ("variant", "variants")}[comparison]
    findings = [judge(row, study.confidence) for row in study.group_rows(partition, comparison)]
    known = [finding for finding in findings if finding.outcome is not Outcome.NONE]
    if len(findings) < 2 or not known:
        return []
    negative = sum(finding.tau < 0 for finding in known)
    positive = sum(finding.tau > 0 for finding in known)
    text = (
        f"The correlation is negative in {integer(negative)} and positive in {integer(positive)} of "
        f"{count(len(known), *nouns)}"
    )
    outcomes = Counter(finding.outcome for finding in known)
    decided = outcomes[Outcome.NEGATIVE] + outcomes[Outcome.POSITIVE]
    if decided:
        return [
            f"{text}; on its own, after correction, it is clearly negative in "
            f"{integer(outcomes[Outcome.NEGATIVE])} and clearly positive in "
            f"{integer(outcomes[Outcome.POSITIVE])}."
        ]
    return [f"{text}; none of them decides the question on its own."]


def _together(study: Study, partition: Partition, comparison: str) -> list[str]:
    """The meta-analysis, or the mean correlation where every group is small."""
    noun = {"b": "families", "c": "variants"}[comparison]
    row = study.one("meta", partition, comparison=comparison)
    said = []
    mean, p = value(row, "mean_r"), value(row, "mean_r_p")
    if mean is not None and p is not None and (value(row, "mean_r_groups") or 0) > 1:
        said.append(
            f"The mean of their Pearson correlations, {number(mean)}, is further from zero than "
            f"chance explains ({p_equation('p', p)})."
            if p <= 1 - study.confidence
            else f"The mean of their Pearson correlations, {number(mean)}, is compatible with chance "
            f"({p_equation('p', p)})."
        )
    low, high = value(row, "pearson_low"), value(row, "pearson_high")
    if row is not None and low is not None and high is not None:
        bounds = f"{percent(study.confidence)} CI {interval(low, high)}"
        said.append(
            f"Put together by the random-effects model, {integer(value(row, 'k'))} {noun} with more "
            f"than three independent models give {equation('r', value(row, 'pearson'))} ({bounds})."
        )
        q_p, i2 = value(row, "q_p"), value(row, "i2")
        if q_p is not None:
            differ = (
                f"The {noun} differ by more than chance"
                if q_p <= 1 - study.confidence
                else f"A difference between the {noun} beyond chance is not found"
            )
            said.append(f"{differ} (I² = {number(i2, 0)}%, {p_equation('p', q_p)}).")
    return said


def _treatment(study: Study, answer: Answer, comparison: str, row: Row | None) -> list[str]:
    """What averaging failed fits in would change."""
    if not answer.failed:
        return []
    dropped, stored = answer.finding(comparison), answer.stored[comparison]
    if stored.outcome is Outcome.NONE:
        return []
    if stored.tau == dropped.tau:
        return ["Averaging failed fits in changes nothing here."]
    text = f"With failed fits averaged in, τ would be {number(stored.tau)}"
    if stored.outcome is dropped.outcome:
        return [f"{text}, and the conclusion the same."]
    return [f"{text}, and the conclusion another: {CELLS[stored.outcome]}."]


def controls_text(study: Study) -> str:
    """What the untrained networks say, in sentences."""
    rows = study.control_rows()
    if not rows:
        return (
            "This study declares no controls, or none of them could be analysed. Whether the metric "
            "would also predict something in untrained networks stays unknown.\n"
        )
    items = []
    for control in sorted({row["collection"] for row in rows}):
        said = []
        for relation, what in (
            ("untrained", "the quality that the same variants reach after training"),
            ("own", "their own quality"),
        ):
            for scope, where in (("pooled", "over all variants"), ("within", "within families")):
                for row in rows:
                    if (row["collection"], row["relation"], row["scope"]) == (
                        control,
                        relation,
                        scope,
                    ):
                        said.append(_control_sentence(study, row, what, where))
        items.append(f"**{escape(control)}.** " + " ".join(said))
    return "\n\n".join(items) + "\n"


def _control_sentence(study: Study, row: Row, what: str, where: str) -> str:
    finding = judge(row, study.confidence)
    name = wording.metric_of(study.metric).en
    if finding.outcome is Outcome.NONE:
        return (
            f"Whether {name} of the untrained networks says anything about {what} {where} cannot be "
            f"computed: {wording.reason(finding.note)}."
        )
    values = f"{wording.numbers(finding, study.confidence)}; {count(finding.n, 'variant')}"
    if finding.outcome is Outcome.FEW:
        return (
            f"{_first(where)}, {name} of the untrained networks and {what} are too few values for a "
            f"conclusion ({values})."
        )
    if finding.outcome is Outcome.OPEN:
        return (
            f"{_first(where)}, no clear relation between {name} of the untrained networks and {what} "
            f"is found ({values})."
        )
    way = "smaller" if finding.outcome is Outcome.NEGATIVE else "larger"
    return (
        f"{_first(where)}, {way} {name} of the untrained networks does go with better {what.split(' ', 1)[1]}"
        f" ({values})."
    )


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- appendices -------------------------------------------------------------------------------


def label_sources(study: Study) -> dict[str, str]:
    """A short key for every source of labels, in the order of their texts."""
    texts = sorted({row["quality_source"] for row in study.models if row["quality_source"]})
    return {text: f"S{index}" for index, text in enumerate(texts, 1)}


def sources_list(study: Study) -> str:
    """What the keys of the table of models stand for."""
    keys = label_sources(study)
    if not keys:
        return "No model has a source of its quality.\n"
    return "".join(f"- {key}: {prose(text)}\n" for text, key in keys.items())


def models_table(study: Study) -> str:
    """Every model with its quality, the source of it, its size and its alpha."""
    keys = label_sources(study)
    rows = []
    for model, entries in study.by_model.items():
        first = entries[0]
        qualities = [
            f"{SHORT.get(row['quality_metric'], escape(row['quality_metric']))} "
            f"{number(value(row, 'quality'))}"
            for row in entries
            if row["quality_metric"] and value(row, "quality") is not None
        ]
        found = sorted({keys[row["quality_source"]] for row in entries if row["quality_source"]})
        rows.append(
            [
                escape(model),
                escape(first["family"]),
                integer(value(first, "parameters")),
                f"{integer(value(first, 'layers'))} ({integer(value(first, 'layers_failed'))})",
                number(value(first, study.metric)),
                ", ".join(qualities) or MISSING,
                ", ".join(found) or MISSING,
            ]
        )
    return pipe_table(
        [
            ("Model", "l"),
            ("Family", "l"),
            ("Parameters", "r"),
            ("Layers (failed)", "r"),
            (_first(wording.metric_of(study.metric).label), "r"),
            ("Quality in %", "l"),
            ("Source", "l"),
        ],
        rows,
    )


SHORT = {"accuracy": "acc.", "error": "err.", "generalization_gap": "gap"}


def excluded_text(study: Study) -> str:
    """The models that could not be analysed, with reasons; or that there was none."""
    if not study.excluded:
        return "Every listed model could be analysed; none was excluded.\n"
    rows = [
        [escape(row["model"]), escape(row["stage"]), escape(row["status"]), prose(row["reason"])]
        for row in study.excluded
    ]
    table = pipe_table([("Model", "l"), ("Stage", "l"), ("Status", "l"), ("Reason", "l")], rows)
    return (
        f"{count(len(rows), 'model')} could not be analysed. Unsupported means that nothing in the "
        f"model can be analysed, failed that something went wrong.\n\n{table}"
    )


def audit_table(study: Study) -> str:
    """Each audited model: layers, agreement, the largest relative difference and where it is."""
    rows = [
        [
            escape(row["model"]),
            integer(value(row, "layers")),
            integer(value(row, "agree")),
            scientific(value(row, "largest_difference")),
            escape(row["quantity"]) if row["quantity"] else MISSING,
        ]
        for row in study.audit
    ]
    return pipe_table(
        [
            ("Model", "l"),
            ("Layers", "r"),
            ("Agree", "r"),
            ("Largest difference", "r"),
            ("In", "l"),
        ],
        rows,
    )


def provenance_table(study: Study) -> str:
    """Where each model's weights came from, and their checksums, shortened."""
    rows = []
    for run in sorted(study.runs, key=lambda run: run["model"]):
        identity = run.get("identity") or {}
        rows.append(
            [
                escape(run["model"]),
                _origin(identity),
                _short(run.get("source_sha256")),
                _short(run.get("weights_sha256")),
            ]
        )
    return pipe_table(
        [("Model", "l"), ("Origin", "l"), ("SHA-256 of origin", "l"), ("SHA-256 of weights", "l")],
        rows,
    )


def _origin(identity: Mapping[str, Any]) -> str:
    source, location = identity.get("source") or "", identity.get("location")
    if source == "zoo":
        seed = (identity.get("zoo") or {}).get("seed")
        return "trained here" if seed is None else f"trained here, seed {seed}"
    if not location:
        return escape(source) or MISSING
    # Of a file only its name: where it lies is nobody else's business, and differs by machine.
    if source == "file":
        location = str(location).replace("\\", "/").rsplit("/", 1)[-1]
    return f"{escape(source)}: {escape(location)}"


def _short(digest: object) -> str:
    return f"`{str(digest)[:12]}`" if digest else MISSING


def versions_table(study: Study) -> str:
    """Every package that decided a result, with its version or versions, and for what."""
    found: dict[str, set[str]] = defaultdict(set)
    used: dict[str, set[str]] = defaultdict(set)
    for run in study.runs:
        for package, version in (run.get("versions") or {}).items():
            found[package].add(version)
            used[package].add("models")
    for package, version in study.versions.items():
        found[package].add(version)
        used[package].add("statistics and paper")
    rows = [
        [
            escape(package),
            listing(sorted(map(escape, found[package]))),
            listing(sorted(used[package])),
        ]
        for package in sorted(found)
    ]
    return pipe_table([("Package", "l"), ("Version", "l"), ("Used for", "l")], rows)
