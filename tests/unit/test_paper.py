"""The paper's words and tables: chosen by results, complete, escaped, the same each time."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.stages import compute

from atlas.errors import InputError
from atlas.figures import registry as figures
from atlas.findings import results
from atlas.findings.outcome import Beyond, Outcome, judge
from atlas.findings.results import Answer
from atlas.fits import metrics
from atlas.paper import (
    appendix,
    comparisons,
    contents,
    failed_fits,
    heterogeneity,
    markdown,
    source,
    variables,
    verdicts,
)
from atlas.paper import controls as paper_controls
from atlas.paper import size as paper_size
from atlas.statistics import correlations as statistics_correlations
from atlas.statistics import options as statistics_options
from atlas.statistics import registry
from atlas.terms import keys
from atlas.terms import words as terms_words
from atlas.workflow import code_of

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "paper"
PARTS = {path.stem: path.read_text("utf-8") for path in (SOURCE / "parts").glob("*.md")}
QMD = "\n\n".join([(SOURCE / "paper.qmd").read_text("utf-8"), *PARTS.values()])
MODULES = [*(ROOT / "scripts" / "atlas" / "paper").glob("*.py")]
DRAWN = {name: (figures.module_of(name), made.tables) for name, made in figures.FIGURES.items()}

OPTIONS = {
    "metrics": ["alpha", "log_parameters"],
    "primary_metric": "alpha",
    "primary_quality": "accuracy",
    "reference_recipe": "baseline",
    "seeds_are_replicates": True,
    "controls": {"zoo-untrained": "zoo"},
    "permutations": 299,
    "bootstrap": 40,
    "confidence": 0.95,
    "seed": 1,
}
ZOO = {
    "data_seed": 42,
    "seeds": [0],
    "training": {"steps": 10, "batch_size": 10, "learning_rate": 0.1, "weight_decay": 0.0},
    "architectures": {
        name: {size: {"width": 8, "depth": 1} for size in ("s", "m", "l")}
        for name in ("mlp", "convnet", "resnet", "mixer", "transformer")
    },
    "recipes": {
        "baseline": None,
        "noise": {"label_noise": 0.1},
        "small": {"train_fraction": 0.25},
        "free": {"weight_decay": 0.0},
        "tiny": {"batch_size": 4},
        "untrained": {"steps": 0},
    },
}
CONFIG = {
    "study": "test-study",
    "title": "Alpha's meaning: a *test* of {{< var x >}}",
    "date": None,
    "zoo": ZOO,
    "models": [],
    "spectra": {"layers": "weightwatcher", "max_evals": 15000, "max_N": 50000},
    "weightwatcher": {"engine": "exact", "min_evals": 8},
    "audit": {"models": [], "per_family": 1, "tolerance": 1e-9},
    "statistics": OPTIONS,
    "experiments": {
        "shuffled": 3,
        "gaussian": 1,
        "windows": {"size": 16, "most": 64},
        "other_layers": True,
        "seed": 20260115,
    },
}


RECIPES = ("baseline", "noise", "small", "free", "tiny")
# --- a study --------------------------------------------------------------------------------------


def models_frame(
    slope: float = -1.0,
    families: tuple[str, ...] = ("mlp", "convnet", "resnet", "mixer", "transformer"),
    recipes: tuple[str, ...] = RECIPES,
    sizes: int = 3,
    noise: float = 0.1,
    failed: int = 0,
    control: bool = True,
    package: bool = True,
    collection: str = "zoo",
) -> pd.DataFrame:
    """Models whose accuracy goes with alpha at this slope, whatever their size."""
    rng = np.random.default_rng(7)
    rows = []
    for f, family in enumerate(families):
        for size in range(sizes):
            for recipe in (*recipes, *["untrained"] * control):
                for seed in (0,):
                    # Sizes and qualities are unrelated, so that size is not the explanation.
                    alpha = 3 + ((5 * size + 3 * f) % 7) / 5
                    alpha += 0 if recipe == "untrained" else recipes.index(recipe) / 4
                    alpha += rng.normal(0, noise)
                    untrained = recipe == "untrained"
                    accuracy = 70 + 10 * slope * (alpha - 3) + rng.normal(0, 10 * noise)
                    if untrained:
                        alpha, accuracy = 5 + rng.normal(), 10 + rng.normal()
                    row = {
                        "model": f"{collection}-{family}-{size}-{recipe}-{seed}",
                        "source": "zoo",
                        "collection": f"{collection}-untrained" if untrained else collection,
                        "family": family,
                        "variant": f"{family}-{'sml'[size % 3]}{size // 3 or ''}",
                        "recipe": recipe,
                        "seed": str(seed),
                        "dataset": "mnist-1d",
                        "quality_source": "measured on the test data after training",
                        "parameters": 10_000 * (1 + size) ** 2 + 37 * f,
                        **layer_facts(alpha, failed, rng),
                    }
                    for quality, number in (
                        ("accuracy", accuracy),
                        ("generalization_gap", 3 - seed),
                    ):
                        rows.append({**row, "quality_metric": quality, "quality": number})
    for size in range(3 * package):
        rows.append(
            {
                "model": f"lite{size}",
                "source": "package",
                "collection": "efficientnet-lite",
                "family": "efficientnet-lite",
                "variant": f"lite{size}",
                "recipe": "",
                "seed": "",
                "dataset": "imagenet-1k",
                "quality_source": "README, https://example.org/lite_(a)|b, column FP32",
                "parameters": 4_000_000 + size,
                **layer_facts(4 - size / 3, 0, rng),
                "quality_metric": "accuracy",
                "quality": 75 + size,
            }
        )
    return pd.DataFrame(rows)


def layer_facts(alpha: float, failed: int, rng: np.random.Generator) -> dict[str, object]:
    """The columns of models.csv that come from the layers."""
    return {
        "layers": 10,
        "layers_failed": failed,
        "failed_share": failed / 10,
        "coverage": 0.9,
        "engine": "exact",
        "weightwatcher_version": "0.7.7",
        "alpha": alpha,
        "alpha_stored": alpha * (1 - failed / 10) - failed / 10,
        "log_norm": rng.normal(),
        "log_norm_stored": rng.normal(),
    }


def rows_of(table: pd.DataFrame) -> list[dict[str, str]]:
    """A table as it is read back from CSV."""
    return list(csv.DictReader(io.StringIO(table.to_csv(index=False))))


def layers_of(models: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "model": model,
            "depth": depth,
            "alpha": alpha,
            "status": "success" if alpha > 1 else "failed",
            "num_evals": 30 if depth else 60,
            "num_pl_spikes": 12,
        }
        for model in models["model"].unique()
        for depth, alpha in ((0.0, 3.0), (0.5, 7.0), (1.0, -1.0))
    ]
    return pd.DataFrame(
        rows, columns=["model", "depth", "alpha", "status", "num_evals", "num_pl_spikes"]
    )


FIRST = ("correlations", "baselines", "between_families", "meta", "controls", "simpson")


def computed(models: pd.DataFrame, options: statistics_options.Options) -> dict[str, pd.DataFrame]:
    """The correlations and what belongs to them; test_paper_why has the other tables."""
    correlations = statistics_correlations.correlations(models, options)
    return {name: compute(name, models, options, correlations) for name in FIRST}


def study(models: pd.DataFrame, **changes) -> results.Results:
    """A study with these models and the statistics of them."""
    config = CONFIG | changes.pop("config", {})
    options = config["statistics"]
    known = set(models["collection"]) if len(models) else set()
    controls = {a: b for a, b in options["controls"].items() if a in known}
    config = config | {"statistics": options | {"controls": controls}}
    made = dict.fromkeys(registry.TABLES, pd.DataFrame()) | computed(
        models, statistics_options.Options.from_config(config["statistics"])
    )
    runs = [
        {
            "model": model,
            "identity": {"source": "zoo", "location": None, "zoo": {"seed": 0}},
            "source_sha256": None,
            "weights_sha256": "ab" * 32,
            "versions": {"weightwatcher": "0.7.7", "numpy": "2.4.6"},
        }
        for model in (models["model"].unique() if len(models) else [])
    ]
    audit = pd.DataFrame(
        [
            {
                "model": "lite0",
                "layers": 50,
                "agree": 50,
                "largest_difference": 3.2e-13,
                "quantity": "alpha",
                "layer": "conv_stem",
            }
        ]
    )
    made = results.Results(
        models=rows_of(models),
        layers=layers_of(models) if len(models) else pd.DataFrame(columns=["model", "depth"]),
        excluded=[],
        audit=rows_of(audit),
        tables={name: rows_of(table) for name, table in made.items()},
        runs=runs,
        config=config,
        versions={"scipy": "1.17.0"},
        renderer=("builtin", "pandoc 3.9, typst 0.15.2"),
    )
    return dataclasses.replace(made, **changes)


EMPTY = models_frame().iloc[:0]


@pytest.fixture(scope="module")
def negative() -> results.Results:
    return study(models_frame(-1))


@pytest.fixture(scope="module")
def positive() -> results.Results:
    return study(models_frame(+1))


@pytest.fixture(scope="module")
def unclear() -> results.Results:
    return study(models_frame(0, noise=3))


def text_of(files: dict[str, str]) -> str:
    """All that is read in the paper."""
    return "\n".join(text for name, text in files.items() if name != "sources.json")


def used_variables(text: str) -> set[str]:
    return set(re.findall(r"\{\{<\s*var\s+([\w.]+)\s*>\}\}", text))


# --- words follow from numbers --------------------------------------------------------------------


def row(tau=-0.5, low=-0.7, high=-0.2, p=0.001, **more) -> dict[str, str]:
    """A row of the statistics as read from CSV."""
    values = {
        "n": 20,
        "units": 20,
        "groups": 1,
        "kendall": tau,
        "kendall_low": low,
        "kendall_high": high,
        "kendall_p": p,
        "interval": "bca",
        "note": "",
        **more,
    }
    return {key: "" if value is None else str(value) for key, value in values.items()}


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (row(), Outcome.NEGATIVE),
        (row(0.5, 0.2, 0.7), Outcome.POSITIVE),
        (row(-0.5, -0.9, 0.1), Outcome.OPEN),
        (row(p=0.2), Outcome.OPEN),
        (row(kendall_p_holm=0.2), Outcome.OPEN),
        (row(kendall_p_bh=0.2), Outcome.OPEN),
        (row(p=0.2, kendall_p_bh=0.01), Outcome.NEGATIVE),
        (row(kendall_p_recipes=0.5), Outcome.OPEN),
        (row(kendall_p_recipes=0.02), Outcome.NEGATIVE),
        (row(low=None, high=None, interval=""), Outcome.FEW),
        (row(low=None, high=None), Outcome.OPEN),
        (row(-1.0, None, None), Outcome.NEGATIVE),
        (row(1.0, None, None), Outcome.POSITIVE),
        (row(-1.0, None, None, p=0.1), Outcome.OPEN),
        (row(None, None, None, None, note="fewer than 3 models"), Outcome.NONE),
        (None, Outcome.NONE),
    ],
)
def test_outcome_follows_from_direction_interval_and_multiplicity(given, outcome):
    assert judge(given, 0.95).outcome is outcome


def test_sentences_of_one_comparison_differ_by_outcome():
    def said(given) -> str:
        return comparisons.result(judge(given, 0.95), "among them", "alpha", "accuracy", 0.95)

    assert "smaller alpha goes with higher accuracy" in said(row())
    assert "the theory expects" in said(row())
    assert "larger alpha goes with higher accuracy" in said(row(0.5, 0.2, 0.7))
    assert "opposite" in said(row(0.5, 0.2, 0.7))
    assert "the interval includes zero" in said(row(-0.5, -0.9, 0.1))
    assert "corrected p value is above 0.05" in said(row(kendall_p_bh=0.2))
    assert "recipes of all variants" in said(row(kendall_p_recipes=0.5))
    assert "0.60 or stronger" in said(row(p=0.2, detectable_pearson=0.6))
    assert "too few" in said(row(low=None, high=None, interval=""))
    assert "fewer than 3 models" in said(row(None, note="fewer than 3 models"))


def test_a_metric_without_an_expectation_is_not_measured_by_one():
    finding = judge(row(), 0.95)
    assert "theory" not in comparisons.result(finding, "here", "stable_rank", "accuracy", 0.95)
    answer = Answer("x", "stable_rank", "accuracy", finding, finding, finding)
    assert "theory" not in comparisons.verdict("a", [answer], 0.95).en


def test_flipping_the_data_flips_the_words(negative, positive, unclear):
    said = {
        name: variables.values(given)
        for name, given in (("-", negative), ("+", positive), ("0", unclear))
    }
    for key in "abc":
        words = {
            name: values[f"verdict_{key}"].split("efficientnet")[0] for name, values in said.items()
        }
        assert "smaller alpha goes with higher accuracy, as the theory expects" in words["-"]
        assert "larger alpha goes with higher accuracy, against the theory" in words["+"]
        assert "the direction stays open" in words["0"]
        words = {name: values[f"verdict_{key}_de"] for name, values in said.items()}
        assert "kleineres Alpha mit höherer Genauigkeit einher" in words["-"]
        assert "größeres Alpha mit höherer Genauigkeit einher, entgegen der Theorie" in words["+"]
        assert "bleibt die Richtung offen" in words["0"]
    assert "Smaller alpha goes with better models in each" in said["-"]["verdict_overall"]
    assert "opposite of what is expected" in said["+"]["verdict_overall"]
    assert "None of the 3 comparisons" in said["0"]["verdict_overall"]
    assert "can help to compare" in said["-"]["verdict_use"]
    assert "Nothing in this study" in said["+"]["verdict_use"]
    for text in ("results_a", "results_b", "results_c"):
        detail = {
            name: compose(given)[f"text/{text}.md"]
            for name, given in (("-", negative), ("+", positive))
        }
        assert "smaller alpha goes with higher accuracy" in detail["-"]
        assert "larger alpha goes with higher accuracy" in detail["+"]


def answer(a, b=None, c=None, **more) -> Answer:
    findings = [judge(given, 0.95) for given in (a, b, c)]
    return Answer("zoo", "alpha", "accuracy", *findings, **more)


MINUS, PLUS, OPEN = row(), row(0.5, 0.2, 0.7), row(-0.1, -0.5, 0.3, 0.6)


@pytest.mark.parametrize(
    ("answers", "english", "german"),
    [
        ([], "too few models", "zu wenige Modelle"),
        ([answer(MINUS, MINUS, MINUS)], "in each of the 3", "in jedem der 3"),
        ([answer(MINUS)], "in the one comparison", "im einzigen"),
        ([answer(PLUS, PLUS)], "opposite of what is expected", "anders als erwartet"),
        ([answer(OPEN, OPEN)], "None of the 2 comparisons", "In keinem von 2"),
        ([answer(OPEN)], "The one comparison", "Im einzigen"),
        ([answer(MINUS, OPEN)], "depends on what is compared", "darauf an"),
        ([answer(PLUS, OPEN)], "the others stay open", "übrigen bleiben offen"),
        ([answer(PLUS, MINUS)], "direction itself changes", "Richtung selbst wechselt"),
    ],
)
def test_overall_verdict(answers, english, german):
    text = verdicts.verdict_overall(answers)
    assert english in text.en
    assert german in text.de


def beyond(outcome: Outcome, note: str = "") -> Beyond:
    return Beyond(outcome, -0.5, 0.5, -0.3, -0.5, -0.1, note)


@pytest.mark.parametrize(
    ("given", "english", "german"),
    [
        ([], "could not be tested", "ließ sich nicht prüfen"),
        ([Outcome.FEW, Outcome.NONE], "could not be tested", "ließ sich nicht prüfen"),
        ([Outcome.NEGATIVE] * 2, "smaller alpha goes with better models in each", "kleineres"),
        ([Outcome.POSITIVE], "larger alpha goes with better models", "größeres"),
        ([Outcome.OPEN], "no clear relation", "keinen klaren"),
        ([Outcome.NEGATIVE, Outcome.OPEN], "in 1 of the 2 comparisons", "1-mal"),
    ],
)
def test_size_verdict(given, english, german):
    parts = {key: beyond(outcome) for key, outcome in zip("abc", given, strict=False)}
    text = paper_size.verdict_size([answer(MINUS, beyond=parts)])
    assert english in text.en
    assert german in text.de


@pytest.mark.parametrize(
    ("q", "english", "german"),
    [
        (0.001, "differ by more than chance", "stärker als durch Zufall"),
        (0.4, "no difference between families", "kein Unterschied"),
        (math.nan, "could not be tested", "ließ sich nicht prüfen"),
    ],
)
def test_families_verdict(q, english, german):
    text = heterogeneity.verdict_families([answer(MINUS, q_p=q)], 0.05)
    assert english in text.en
    assert german in text.de


@pytest.mark.parametrize(
    ("failed", "stored", "english", "german"),
    [
        (0, MINUS, "No tail fit", "Keine Anpassung"),
        (3, MINUS, "changes no conclusion", "ändert keine Aussage"),
        (3, OPEN, "would change the conclusion in 1 of 1 comparison", "in 1 von 1 Vergleich"),
        (3, None, "could not be tested", "ließ sich nicht prüfen"),
    ],
)
def test_treatment_verdict(failed, stored, english, german):
    given = answer(MINUS, failed=failed, stored={"a": judge(stored, 0.95)})
    text = failed_fits.verdict_treatment([given])
    assert english in text.en
    assert german in text.de


@pytest.mark.parametrize(
    ("rows", "english", "german"),
    [
        ([], "no untrained networks", "keine untrainierten"),
        ([None], "could not be tested", "ließ sich nicht prüfen"),
        ([OPEN, OPEN], "nothing that 2 tests", "nichts vorher"),
        ([OPEN, MINUS], "in 1 of 2 tests", "in 1 von 2 Tests"),
        ([PLUS], "not training", "nicht das Training"),
    ],
)
def test_controls_verdict(rows, english, german):
    text = paper_controls.verdict_controls([judge(given, 0.95) for given in rows], "alpha")
    assert english in text.en
    assert german in text.de


def test_advice_depends_on_size_and_controls():
    kept = {"a": beyond(Outcome.NEGATIVE)}
    alarm, quiet = [judge(MINUS, 0.95)], [judge(OPEN, 0.95)]
    same_size = {"c": Beyond(Outcome.NONE, note="size is constant: it explains nothing here")}

    def said(given, controls) -> terms_words.Text:
        return verdicts.verdict_use([given], controls)

    assert "Nothing" in said(answer(OPEN), quiet).en
    assert "not ruled out" in said(answer(MINUS, beyond={"a": beyond(Outcome.OPEN)}), quiet).en
    assert "can help" in said(answer(MINUS, beyond=kept), quiet).en
    assert "untrained controls" in said(answer(MINUS, beyond=kept), alarm).en
    trained = said(answer(None, None, MINUS, beyond=same_size), quiet)
    assert "differently trained models of one variant; there" in trained.en
    assert "verschieden trainierten Modellen einer Variante nicht; dort" in trained.de


def test_every_sentence_of_the_abstract_is_in_both_languages(negative, positive, unclear):
    for given in (negative, positive, unclear, study(EMPTY)):
        values = variables.values(given)
        for name in variables.ABSTRACT:
            assert values[name].endswith(".")
            assert values[f"{name}_de"].endswith(".")
            assert values[name] != values[f"{name}_de"]
            assert not re.search(r"\d\.\d\d", values[f"{name}_de"]), "a decimal point in German"
    assert used_variables(QMD.split("## Zusammenfassung")[1].split("## Introduction")[0]) >= {
        f"{name}_de" for name in variables.ABSTRACT
    }


def compose(given):
    """The generated files, with every optional section."""
    return source.compose(given, PARTS, DRAWN)


# --- the document ---------------------------------------------------------------------------------


def test_no_number_is_typed():
    text = re.sub(r"\{\{<.*?>\}\}", "", QMD)
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.DOTALL)
    text = re.sub(r"@[\w-]+", "", text)  # citations and references
    text = re.sub(r"(width=\d+%)", "", text)
    text = re.sub(r"SHA-256", "", text)
    found = re.findall(r".*\d.*", text)
    assert not found


def test_variables_are_all_defined_and_all_used(negative):
    defined = set(variables.values(negative))
    used = used_variables(QMD)
    assert used - defined == set()
    assert defined - used == set()


def test_included_files_are_those_that_are_written(negative):
    written = set(compose(negative)) - {"_variables.yml", "sources.json"}
    included = set(re.findall(r"\{\{<\s*include\s+(\S+)\s*>\}\}", QMD))
    assert included == written
    assert set(contents.PARTS) == set(PARTS)


def test_the_rule_of_the_paper_digests_what_makes_it():
    known = code_of(ROOT / "scripts", "write_paper", *contents.modules())
    assert "scripts/atlas/paper/prediction.py" in known
    with pytest.raises(InputError, match=r"loads atlas\.paper"):
        code_of(ROOT / "scripts", "write_paper")


def test_every_figure_is_made_and_referred_to():
    shown = dict(re.findall(r"\(figures/(\w+)\.svg\)\{#(fig-[\w-]+)", QMD))
    assert set(shown) == set(figures.FIGURES)
    assert "fig-alt" in QMD
    for label in shown.values():
        assert f"@{label}" in QMD, label


def test_every_table_and_section_label_resolves(negative):
    text = QMD + text_of(compose(negative))
    labels = set(re.findall(r"\{#((?:fig|tbl|sec|eq)-[\w-]+)", text))
    references = set(re.findall(r"@((?:fig|tbl|sec|eq)-[\w-]+)", text))
    assert references <= labels
    assert {label for label in labels if label.startswith("tbl")} <= references


def test_every_citation_has_an_entry_and_every_entry_is_cited():
    entries = set(
        re.findall(r"^@\w+\{([^,]+),", (SOURCE / "references.bib").read_text("utf-8"), re.M)
    )
    text = QMD + "".join(path.read_text("utf-8") for path in MODULES)
    cited = set(re.findall(r"(?<![\w\\])@([a-z]+\d{4}[a-z]*)", text))
    assert cited == entries


def test_the_header_and_settings_are_yaml():
    header = yaml.safe_load(QMD.split("---\n")[1])
    assert "{{< var title >}}" in header["title"]
    settings = yaml.safe_load((SOURCE / "_quarto.yml").read_text("utf-8"))
    assert settings["format"]["typst"]["citeproc"] is True


# --- what the paper knows about other stages ------------------------------------------------------


def test_constants_are_those_of_the_other_stages():
    assert (keys.BCA_FROM, keys.FISHER_FROM) == (
        results.BCA_FROM,
        results.FISHER_FROM,
    )
    assert keys.POWER == keys.POWER
    assert (metrics.OVER_TRAINED, metrics.UNDER_TRAINED) == metrics.RANGE


def test_layer_counts():
    layers = pd.DataFrame(
        {
            "model": "m",
            "alpha": [3.0, 7.0, -1.0, 1.5, 0.9],
            "status": ["success", "success", "failed", "success", "success"],
            "num_evals": [60, 40, 40, 60, 60],
            "num_pl_spikes": [55, 10, -1, 10, 10],
        }
    )
    counts = metrics.layer_counts(layers)
    expected = {"all": 5, "failed": 2, "fitted": 3, "small": 2, "short": 2, "outside": 2}
    assert counts == expected | {"sized": 5, "tailed": 3}
    unknown = layers.assign(num_evals=np.nan, num_pl_spikes=np.nan)  # as some published tables
    counts = metrics.layer_counts(unknown)
    assert (counts["sized"], counts["small"], counts["tailed"], counts["short"]) == (0, 0, 0, 0)
    assert counts["failed"] == metrics.failed(layers).sum()


# --- robustness -----------------------------------------------------------------------------------


def degenerate() -> dict[str, pd.DataFrame]:
    models = models_frame(families=("mlp", "convnet"), package=False)
    same = models.assign(quality=50.0)
    return {
        "no model": EMPTY,
        "one model": models.iloc[:1],
        "one family": models_frame(families=("mlp",), control=False, package=False),
        "equal qualities": same,
        "no quality": models.assign(quality=np.nan, quality_metric="", quality_source=""),
        "no metric": models.assign(alpha=np.nan, alpha_stored=np.nan),
        "only controls": models[models["collection"] == "zoo-untrained"],
        "failed fits": models_frame(families=("mlp", "convnet"), package=False, failed=4),
    }


@pytest.mark.parametrize("case", list(degenerate()))
def test_a_degenerate_study_gives_a_paper(case):
    models = degenerate()[case]
    config = {"zoo": {}} if case == "no model" else {}
    files = compose(study(models, config=config))
    text = text_of(files)
    assert "nan" not in re.findall(r"\bnan\b|\bNone\b(?= [a-z]*[,.)])|\binf\b", text)
    assert used_variables(QMD) == set(yaml.safe_load(files["_variables.yml"]))
    if case in ("no model", "only controls"):
        assert "no models with which" in text
    if case in ("equal qualities", "one model", "no metric", "no quality"):
        assert "cannot be made" in files["text/results_a.md"]
    if case == "equal qualities":
        assert "the quality is the same in all models" in files["text/results_a.md"]
    if case == "one family":
        assert "there is only one family" in files["text/results_a.md"]
        assert "no untrained networks as controls" in files["_variables.yml"]
    if case == "failed fits":
        assert "veraging failed fits in" in files["text/results_a.md"]


def test_excluded_models_are_listed_with_reasons(negative):
    excluded = [
        {
            "model": "odd",
            "stage": "obtain",
            "status": "failed",
            "reason": "NaN | in https://x.org/a",
        }
    ]
    files = compose(dataclasses.replace(negative, excluded=excluded))
    assert r"| odd | obtain | failed | NaN \| in <https://x.org/a> |" in files["text/excluded.md"]
    assert "1 model was excluded" in files["_variables.yml"]
    assert "1 model could not be analysed" in files["_variables.yml"]
    assert "none was excluded" in compose(negative)["text/excluded.md"]


NASTY = [
    "a|b",
    "*x*",
    "_y_",
    "[z](u)",
    "<b>",
    "$m$",
    "@fig-x",
    "{{< var x >}}",
    "#1",
    "a`b",
    "--",
    "~",
]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_escaped(name):
    import pypandoc

    plain = pypandoc.convert_text(markdown.escape(name), "plain", format="markdown").strip()
    assert plain == name
    cell = markdown.pipe_table([("A", "l"), ("B", "l")], [[markdown.escape(name), "x"]])
    html = pypandoc.convert_text(cell, "html", format="markdown")
    assert html.count("<td") == 2
    assert not re.search(r"<(em|strong|a|b|code|span)\b", html)


def test_names_stand_escaped_in_the_paper():
    models = models_frame(families=("mlp", "a|b*"), collection="zoo_[1]", control=False)
    text = text_of(compose(study(models)))
    assert r"a\|b\*" in text
    assert "a|b*" not in text
    assert r"zoo\_\[1\]" in text


def test_addresses_become_links():
    assert markdown.prose("see https://a.org/x_(y), or") == "see <https://a.org/x_(y)>, or"
    assert markdown.prose("(https://a.org/x).") == r"\(<https://a.org/x>\)."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (markdown.number(-0.001), "0.00"),
        (markdown.number(math.nan), "–"),
        (markdown.number(-0.314, lang="de"), "-0,31"),
        (markdown.integer(5416680), "5,416,680"),
        (markdown.integer(5416680, "de"), "5.416.680"),
        (markdown.percent(0.95), "95%"),
        (markdown.percent(0.0003), "0.03%"),
        (markdown.percent(0.9999), "99.99%"),
        (markdown.p_value(0.00005), "\\<\u00a00.001"),
        (markdown.scientific(3.2e-13), r"$3.2 \times 10^{-13}$"),
        (markdown.scientific(1e-9), "$10^{-9}$"),
        (markdown.scientific(0), "0"),
        (markdown.listing(["a", "b", "c"], "de"), "a, b und c"),
        (markdown.listing(["a", "b", "c", "d"], limit=3), "a, b and 2 more"),
        (markdown.count(1, "family", "families"), "1 family"),
    ],
)
def test_formats(given, expected):
    assert given == expected


def test_same_bytes(negative):
    assert compose(negative) == compose(dataclasses.replace(negative))


def test_a_files_place_is_not_told(negative):
    run = {
        "model": "mine",
        "identity": {"source": "file", "location": "/home/somebody/secret/net.pth"},
        "weights_sha256": "c" * 64,
    }
    text = appendix.provenance_table(dataclasses.replace(negative, runs=[run]))
    assert "file: net.pth" in text
    assert "somebody" not in text


def test_the_config_s_hash_depends_on_what_decides_results():
    first = appendix.config_hash(CONFIG)
    assert first == appendix.config_hash(CONFIG | {"title": "Another"})
    assert first != appendix.config_hash(CONFIG | {"weightwatcher": {"min_evals": 50}})


# --- rendered -------------------------------------------------------------------------------------


def write_source(folder: Path, given: results.Results) -> Path:
    for name, text in compose(given).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("paper.qmd", "_quarto.yml", "references.bib"):
        shutil.copy(SOURCE / name, folder)
    (folder / "figures").mkdir()
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
    for figure in re.findall(r"\(figures/(\w+)\.svg\)", QMD):
        (folder / "figures" / f"{figure}.svg").write_text(svg)
    return folder / "paper.qmd"


@pytest.mark.parametrize("case", ["usual", "no model"])
def test_it_renders_without_gaps(tmp_path, negative, case):
    given = negative if case == "usual" else study(EMPTY, config={"zoo": {}})
    source, out = write_source(tmp_path / "source", given), tmp_path / "paper.html"
    script = ROOT / "scripts" / "render_paper.py"
    command = [sys.executable, script, source, "--to", "html", "--output", out]
    done = subprocess.run([*command, "--renderer", "builtin"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    html = out.read_text("utf-8")
    assert not re.search(r"\?var:|\?@|\{\{<(?! var x )|<strong>\?", html)
    text = re.sub(r"<[^>]+>", "", html)
    assert "Zusammenfassung" in text
    if case == "usual":
        assert "smaller alpha goes with higher accuracy" in text
        assert "zoo-mlp-0-baseline-0" in text
