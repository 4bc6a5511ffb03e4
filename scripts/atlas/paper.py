"""What the paper says about one study: its variables and its sentences, and all generated files.

`compose` takes a study and gives the text of every generated file of the paper's source folder. It
computes no statistics; it selects, formats and words what is there.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from atlas import paper_tables, paper_why, wording
from atlas.markdown import (
    MISSING,
    bullets,
    count,
    equation,
    escape,
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
from atlas.paper_study import (
    BCA_FROM,
    FISHER_FROM,
    LARGE,
    RANGE,
    Partition,
    Row,
    Study,
    layer_counts,
    number_of,
    share,
    value,
)
from atlas.recipes import as_list
from atlas.wording import Answer, Beyond, Outcome, Text, judge

PUBLISHED = {"mlp": 68, "convnet": 94}
"""Test accuracies in percent that Greydanus and Kobak (2024, arXiv:2011.14439) report for MNIST-1D."""


def compose(study: Study, parts: Mapping[str, str]) -> dict[str, str]:
    """The generated files of the paper's source folder: path and text.

    ``parts`` are sections that only some studies have: name and text, empty where this one has not.
    """
    tables = {
        "collections": paper_tables.collections_table(study),
        "zoo": paper_tables.zoo_table(study),
        "recipes": paper_tables.recipes_table(study),
        "answers": paper_tables.answers_table(study),
        "a": paper_tables.comparison_table(study, "a"),
        "b": paper_tables.families_table(study),
        "c": paper_tables.comparison_table(study, "c"),
        "meta": paper_tables.meta_table(study),
        "metrics": paper_tables.metrics_table(study),
        "family_metrics": paper_tables.family_metrics_table(study),
        "qualities": paper_tables.qualities_table(study),
        "controls": paper_tables.controls_table(study),
        "layers": paper_tables.layers_table(study),
        "models": paper_tables.models_table(study),
        "sources": paper_tables.sources_list(study),
        "variants": paper_tables.variants_table(study),
        "audit": paper_tables.audit_table(study),
        "provenance": paper_tables.provenance_table(study),
        "versions": paper_tables.versions_table(study),
        **paper_why.tables(study),
    }
    texts = {
        "data": data_text(study),
        "results_a": results_text(study, "a"),
        "results_b": results_text(study, "b"),
        "results_c": results_text(study, "c"),
        "control_results": controls_text(study),
        "excluded": excluded_text(study),
        **paper_why.texts(study),
    }
    files = {f"tables/{name}.md": text for name, text in tables.items()}
    files |= {f"text/{name}.md": text for name, text in (parts | texts).items()}
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
    "verdict_why",
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

    said: dict[str, Text | str] = {
        "verdict_a": wording.verdict("a", answers, study.confidence),
        "verdict_b": wording.verdict("b", answers, study.confidence),
        "verdict_c": wording.verdict("c", answers, study.confidence),
        "verdict_size": wording.verdict_size(answers),
        "verdict_families": wording.verdict_families(answers, wording.level_of(study.confidence)),
        "verdict_treatment": wording.verdict_treatment(answers),
        "verdict_controls": wording.verdict_controls(findings, study.metric),
        "verdict_overall": wording.verdict_overall(answers),
        "verdict_use": wording.verdict_use(answers, findings),
        "counted": counted(study),
        **paper_why.why_variables(study),
    }
    result = {name: text if isinstance(text, str) else text.en for name, text in said.items()}
    result |= {
        f"{name}_de": text.de
        for name, text in said.items()
        if name in ABSTRACT and not isinstance(text, str)
    }
    result |= {
        "title": escape_title(config["title"]),
        "subtitle": f"Study {escape(config['study'])}"
        + (f", {escape(config['date'])}" if config.get("date") else ""),
        "study": escape(config["study"]),
        "metric": metric.en,
        "metric_de": metric.de,
        "expectation": expectation(metric),
        "models": count(models, "model"),
        "trained": count(len(study.trained), "trained model"),
        "controls": count(controls, "untrained control"),
        "families": count(families, "family", "families"),
        "excluded": excluded_words(len(study.excluded)),
        "listed": count(models + len(study.excluded), "model"),
        "failed_layers": failed_layers(layers["failed"], layers["all"]),
        "small_share": share(layers["small"], layers["sized"]),
        "short_share": share(layers["short"], layers["tailed"]),
        "outside_share": share(layers["outside"], layers["fitted"]),
        "large": integer(LARGE),
        "coverage_median": percent(statistics.median(coverage)) if coverage else MISSING,
        "coverage_lowest": percent(coverage[0]) if coverage else MISSING,
        "range_low": integer(RANGE[0]),
        "range_high": integer(RANGE[1]),
        "min_evals": integer(config["weightwatcher"]["min_evals"]),
        "max_evals": integer(config["spectra"]["max_evals"]),
        "layers_taken": layers_text(config["spectra"]["layers"]),
        "engine": engine_text(config["weightwatcher"]["engine"]),
        "weightwatcher_version": weightwatcher_versions(study, published=False),
        "published": count(sum(row["source"] == "published" for row in study.each), "model"),
        "published_versions": weightwatcher_versions(study, published=True),
        "permutations": integer(permutations),
        "smallest_p": p_value(1 / (permutations + 1))
        if permutations > 998
        else number(1 / (permutations + 1), 3),
        "bootstrap": integer(options["bootstrap"]),
        "confidence": percent(study.confidence),
        "level": number(1 - study.confidence),
        "power": percent(wording.POWER),
        "seed": str(options["seed"]),
        "reference_recipe": reference_text(options["reference_recipe"]),
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


def weightwatcher_versions(study: Study, published: bool) -> str:
    """The versions of weightwatcher behind our own fits, or behind published results."""
    rows = [row for row in study.each if (row["source"] == "published") == published]
    return listing(sorted({escape(row["weightwatcher_version"]) for row in rows})) or MISSING


def expectation(metric: wording.Metric) -> str:
    """What the theory expects of the primary metric."""
    if metric.theory:
        return (
            f"For the primary metric of this study, {metric.en}, one therefore expects smaller values "
            "in better models, that is, a negative correlation with quality."
        )
    return f"For the primary metric of this study, {metric.en}, the theory expects no direction."


def excluded_words(amount: int) -> str:
    """How many models were excluded."""
    if not amount:
        return "None was excluded"
    return f"{count(amount, 'model')} {'was' if amount == 1 else 'were'} excluded"


def failed_layers(failed: int, layers: int) -> str:
    """How many fits failed, as a sentence."""
    if not failed:
        return f"No fit failed among {count(layers, 'layer')}."
    return f"Of {count(layers, 'fit')}, {integer(failed)} failed ({share(failed, layers)})."


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


def engine_text(engine: str) -> str:
    """How the fits were made."""
    if engine == "weightwatcher":
        return "weightwatcher itself made every fit"
    return "an exact reimplementation on the kept eigenvalues made the fits"


def layers_text(layers: str) -> str:
    """Which layers are taken."""
    if layers == "complete":
        return (
            "Beyond those that WeightWatcher takes, this study also analyses layers that it leaves out "
            "or misreads, such as attention projections, recurrent layers, transposed and "
            "three-dimensional convolutions, and for it the limits hold for a single matrix."
        )
    return "Layers that WeightWatcher does not know are left out too."


def reference_text(recipes: str | Sequence[str]) -> str:
    """The recipes that (a) and (b) compare, in the order of preference."""
    return escape(", else ".join(as_list(recipes)))


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


# --- data: sentences --------------------------------------------------------------------------


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
    "huggingface": (
        "from repositories on the Hugging Face hub, with the quality that the model list gives",
        "huggingface",
    ),
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
            if p <= wording.level_of(study.confidence)
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
                if q_p <= wording.level_of(study.confidence)
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
    return [f"{text}, and the conclusion another: {paper_tables.CELLS[stored.outcome]}."]


class ControlQuality(NamedTuple):
    """The quality that a control is compared with, as an object and behind "a better"."""

    name: str
    better: str


CONTROL_QUALITIES = {
    "untrained": ControlQuality(
        "the quality that the same variants reach after training",
        "quality of the same variants after training",
    ),
    "own": ControlQuality("their own quality", "quality of their own"),
}


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
        for relation, what in CONTROL_QUALITIES.items():
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


def _control_sentence(study: Study, row: Row, what: ControlQuality, where: str) -> str:
    finding = judge(row, study.confidence)
    name = wording.metric_of(study.metric).en
    if finding.outcome is Outcome.NONE:
        return (
            f"Whether {name} of the untrained networks says anything about {what.name} {where} cannot be "
            f"computed: {wording.reason(finding.note)}."
        )
    values = f"{wording.numbers(finding, study.confidence)}; {count(finding.n, 'variant')}"
    if finding.outcome is Outcome.FEW:
        return (
            f"{wording.first(where)}, {name} of the untrained networks and {what.name} are too few "
            f"values for a conclusion ({values})."
        )
    if finding.outcome is Outcome.OPEN:
        return (
            f"{wording.first(where)}, no clear relation between {name} of the untrained networks and "
            f"{what.name} is found ({values})."
        )
    way = "smaller" if finding.outcome is Outcome.NEGATIVE else "larger"
    return (
        f"{wording.first(where)}, {way} {name} of the untrained networks goes with a better {what.better} "
        f"({values})."
    )


# --- appendices -------------------------------------------------------------------------------


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
