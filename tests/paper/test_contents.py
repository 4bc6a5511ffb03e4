"""The paper: its words follow from the numbers, and nothing in it is typed, missing or unused."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.papers import (
    CONFIG,
    EMPTY,
    PARTS,
    QMD,
    ROOT,
    SOURCE,
    compose,
    degenerate,
    models_frame,
    study,
    text_of,
    used_variables,
)

from atlas.errors import InputError
from atlas.figures import registry as figures
from atlas.findings import results
from atlas.paper import appendix, contents, variables
from atlas.workflow import code_of

MODULES = [*(ROOT / "scripts" / "atlas" / "paper").glob("*.py")]


@pytest.fixture(scope="module")
def positive() -> results.Results:
    return study(models_frame(+1))


@pytest.fixture(scope="module")
def unclear() -> results.Results:
    return study(models_frame(0, noise=3))


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
        assert "the direction of alpha stays open" in words["0"]
        words = {name: values[f"verdict_{key}_de"] for name, values in said.items()}
        assert "kleineres Alpha mit höherer Genauigkeit einher" in words["-"]
        assert "größeres Alpha mit höherer Genauigkeit einher, entgegen der Theorie" in words["+"]
        assert "bleibt die Richtung von Alpha offen" in words["0"]
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


def test_every_figure_of_the_paper_is_made_and_referred_to():
    shown = dict(re.findall(r"\(figures/(\w+)\.svg\)\{#(fig-[\w-]+)", QMD))
    assert set(shown) <= set(figures.FIGURES)
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


def test_names_stand_escaped_in_the_paper():
    models = models_frame(families=("mlp", "a|b*"), collection="zoo_[1]", control=False)
    text = text_of(compose(study(models)))
    assert r"a\|b\*" in text
    assert "a|b*" not in text
    assert r"zoo\_\[1\]" in text


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


def test_every_primary_metric_is_answered_and_the_strongest_relation_named():
    models = models_frame(families=("mlp", "convnet", "resnet", "mixer", "transformer", "rnn"))
    rng = np.random.default_rng(3)
    models["alpha_weighted"] = models["alpha_weighted_stored"] = rng.normal(size=len(models))
    # A third metric follows the quality most closely, and is not primary.
    models["log_norm"] = models["log_norm_stored"] = -models["quality"]
    options = CONFIG["statistics"] | {
        "metrics": ["alpha", "alpha_weighted", "log_norm", "log_parameters"],
        "primary_metrics": ["alpha", "alpha_weighted"],
    }
    found = variables.values(study(models, config={"statistics": options}))
    assert "alpha goes with" in found["verdict_b"]
    assert "direction of weighted alpha stays open" in found["verdict_b"]
    assert "log norm" in found["verdict_strongest"]
    assert found["metrics"] == "alpha and weighted alpha"
