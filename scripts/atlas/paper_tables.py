"""The tables of the paper, as pipe tables: one function for each."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from atlas import wording
from atlas.markdown import (
    MISSING,
    equation,
    escape,
    estimate,
    integer,
    interval,
    listing,
    number,
    p_value,
    percent,
    pipe_table,
    prose,
    scientific,
)
from atlas.paper_study import (
    COMPARISONS,
    SCOPES,
    TREATMENTS,
    Partition,
    Row,
    Study,
    layer_counts,
    number_of,
    partition_of,
    share,
    value,
)
from atlas.recipes import as_list
from atlas.wording import Finding, Outcome, judge


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
                integer(sum(value(row, "layers") or 0 for row in models) or None),
                integer(sum(value(row, "layers_failed") or 0 for row in models))
                if any(row["layers_failed"] for row in models)
                else MISSING,
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
            ("Layers", "r"),
            ("Failed", "r"),
            ("Quality", "l"),
        ],
        rows,
    )


def zoo_table(study: Study) -> str:
    """The variants that the pipeline trains: size, quality and alpha under the reference recipe."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in study.trained:
        if row["source"] == "zoo" and row["recipe"] in as_list(study.options["reference_recipe"]):
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
            (wording.first(wording.metric_of(study.metric).label), "r"),
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
                share(counts["small"], counts["sized"]),
                share(counts["short"], counts["tailed"]),
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
FEW_MARK = "\u00a0†"
"""Behind the number of models of a group that is too small for an interval of its own."""

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
    """The number of models, that of independent units where it differs, and a mark on few."""
    n, units = value(row, "n"), value(row, "units")
    if row is None or n is None:
        return MISSING
    text = integer(n) if units in (n, None) else f"{integer(n)} ({integer(units)})"
    return text + FEW_MARK * ("feeds the meta-analysis only" in row["note"])


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
        [
            name,
            family,
            *_statistic_cells(row),
            number(value(row, "detectable_pearson")),
            *_baseline_cells(base),
        ]
        for name, family, row, base in rows
    ]
    detectable = ("Detectable $|r|$", "r")
    return pipe_table(
        [("Collection", "l"), ("Family", "l"), *STATISTIC_COLUMNS, detectable, *BASELINE_COLUMNS],
        cells,
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


def family_metrics_table(study: Study) -> str:
    """Kendall's tau of every metric within every family that has one, for the primary quality."""
    metrics = [m for m in study.options["metrics"] if m != "log_parameters"] + ["log_parameters"]
    rows = []
    for partition in study.partitions:
        found = {
            (metric, row["family"]): row
            for metric in metrics
            for row in study.group_rows(partition, "b", metric=metric)
        }
        for family in sorted({name for _, name in found}):
            own = [found.get((metric, family)) for metric in metrics]
            known = [row for row in own if value(row, "kendall") is not None]
            if known:
                cells = [number(value(row, "kendall")) for row in own]
                size = max(int(row["n"]) for row in known if row)
                rows.append([study.name(partition), escape(family), integer(size), *cells])
    heads = [(wording.metric_of(metric).label, "r") for metric in metrics]
    return pipe_table([("Collection", "l"), ("Family", "l"), ("n", "r"), *heads], rows)


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
        several = len({row["dataset"] for row in entries}) > 1
        qualities = [
            f"{escape(row['dataset']) + ' ' if several else ''}"
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
            (wording.first(wording.metric_of(study.metric).label), "r"),
            ("Quality", "l"),
            ("Source", "l"),
        ],
        rows,
    )


SHORT = {"accuracy": "acc.", "error": "err.", "generalization_gap": "gap", "perplexity": "ppl."}


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
                _origin(identity, run.get("revision")),
                _short(run.get("source_sha256")),
                _short(run.get("weights_sha256")),
            ]
        )
    return pipe_table(
        [("Model", "l"), ("Origin", "l"), ("SHA-256 of origin", "l"), ("SHA-256 of weights", "l")],
        rows,
    )


def _origin(identity: Mapping[str, Any], revision: str | None = None) -> str:
    source, location = identity.get("source") or "", identity.get("location")
    if source == "zoo":
        seed = (identity.get("zoo") or {}).get("seed")
        return "trained here" if seed is None else f"trained here, seed {seed}"
    if not location:
        return escape(source) or MISSING
    # Of a file only its name: where it lies is nobody else's business, and differs by machine.
    if source == "file":
        location = str(location).replace("\\", "/").rsplit("/", 1)[-1]
    more = " without its top layer" if identity.get("include_top") is False else ""
    more += f" at {revision[:12]}" if revision else ""
    return f"{escape(source)}: {escape(location)}{more}"


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
