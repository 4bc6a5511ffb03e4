"""The data section: which models, from where, and how many."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from atlas.findings.results import Cells, Results, number_of, value
from atlas.paper import clauses
from atlas.paper.markdown import (
    MISSING,
    bullets,
    count,
    escape,
    integer,
    listing,
    number,
    percent,
    pipe_table,
)
from atlas.tables.parts import Partition, partition_of
from atlas.tables.recipes import as_list
from atlas.terms import words
from atlas.terms.keys import FACTOR
from atlas.terms.words import Text

PUBLISHED = {"mlp": 68, "convnet": 94}
"""Test accuracies in percent that Greydanus and Kobak (2024, arXiv:2011.14439) report for MNIST-1D."""


def counted(study: Results) -> Text:
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


def data_text(study: Results) -> str:
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
        f"decoupled weight decay [@loshchilov2019].{_grid_text(zoo)}{_criterion_text(zoo)}\n"
    )


def _grid_text(zoo: Mapping[str, Any]) -> str:
    """What the factorial grid of the zoo varies, and for whom; nothing without one."""
    factors = zoo.get("factors")
    if not factors:
        return ""
    levels = factors["levels"]
    settings = math.prod(len(values) for values in levels.values())
    seeds = len(factors.get("seeds", zoo["seeds"]))
    return (
        f" A factorial grid of {integer(settings)} settings, with {count(seeds, 'seed')} each, "
        f"trains {listing([escape(name) for name in factors['variants']])}: every combination of "
        f"{listing([f'{len(values)} levels of {_words(name)}' for name, values in levels.items()])}."
        " All networks of one variant see equally many examples in training, repeats included."
    )


def _criterion_text(zoo: Mapping[str, Any]) -> str:
    least = zoo.get("criterion", {}).get("train_accuracy")
    if least is None:
        return ""
    return (
        f" By a rule declared beforehand, a trained network counts only if it knows the true label "
        f"of at least {percent(least / 100)} of its training examples; others are excluded."
    )


def _words(key: str) -> str:
    return escape(key.replace("_", " "))


ARCHITECTURES = {
    "mlp": "multilayer perceptrons",
    "convnet": "convolutional networks",
    "resnet": "residual networks [@he2016]",
    "transformer": "transformer encoders [@vaswani2017]",
    "mixer": "MLP-Mixers [@tolstikhin2021]",
    "separable": "depthwise-separable convolutional networks [@howard2017]",
    "densenet": "densely connected networks [@huang2017]",
    "recurrent": "gated recurrent networks [@cho2014]",
    "convnext": "ConvNeXt-like networks [@liu2022]",
}

ARTICLES = {"mlp": "a multilayer perceptron", "convnet": "a convolutional network"}


def collections_table(study: Results) -> str:
    """One row for each collection, data set and version: what it holds, and its part."""
    parts: dict[Partition, list[Cells]] = defaultdict(list)
    for row in study.each:
        parts[partition_of(row)].append(row)
    rows = []
    for (collection, dataset, _), models in sorted(parts.items()):
        qualities = sorted(
            {
                words.quality_of(row["quality_metric"])
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


def zoo_table(study: Results) -> str:
    """The variants that the pipeline trains: size, quality and alpha under the reference recipe."""
    groups: dict[tuple[str, str], list[Cells]] = defaultdict(list)
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
            (clauses.first(words.metric_of(study.metric).label), "r"),
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


def quality_value(study: Results, model: str, metric: str) -> float:
    """A model's quality by one metric; NaN where it has none."""
    for row in study.by_model[model]:
        if row["quality_metric"] == metric:
            return number_of(row, "quality")
    return math.nan


def recipes_table(study: Results) -> str:
    """The recipes of the trained zoo, what they change, and what that does to the accuracy.

    After them each level of each factor of its grid, over all levels of the others.
    """
    zoo = study.config["zoo"]
    if not zoo:
        return pipe_table([("Recipe", "l"), ("What it changes", "l"), ("Accuracy in %", "r")], [])
    trained = [row for row in study.each if row["source"] == "zoo"]

    def line(name: str, said: str, models: list[Cells]) -> list[str]:
        ids = sorted({row["model"] for row in models})
        accuracies = [quality_value(study, model, "accuracy") for model in ids]
        return [name, said, integer(len(ids)), spread(accuracies)]

    rows = []
    for name, changes in zoo["recipes"].items():
        said = [f"{_words(key)} {setting:g}" for key, setting in (changes or {}).items()]
        models = [row for row in trained if row["recipe"] == name]
        rows.append(line(escape(name), "; ".join(said) or "nothing", models))
    for factor, levels in zoo.get("factors", {}).get("levels", {}).items():
        times = "times " if factor == "learning_rate" else ""
        for level in levels:
            models = [row for row in trained if row.get(f"{FACTOR}{factor}") == str(level)]
            rows.append(line("grid", f"{_words(factor)} {times}{level:g}", models))
    return pipe_table(
        [("Recipe", "l"), ("What it changes", "l"), ("Models", "r"), ("Accuracy in %", "r")], rows
    )
