"""The default study, whole: built once (or found up to date), then looked at from outside."""

import csv
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study")]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "starter"

# Test accuracy in percent that Greydanus and Kobak publish for MNIST-1D (arXiv 2011.14439).
PUBLISHED = {"mlp": 68, "convnet": 94}


def snakemake(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def study():
    """The study is built, and a second run finds nothing to do."""
    snakemake("--cores", "2", "paper")
    assert "Nothing to be done" in snakemake("--cores", "8", "paper")


def rows(name):
    with (RESULTS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_it_has_a_grid_of_trainings_in_nine_families_and_leaves_none_out_but_by_the_criterion():
    models = {row["model"]: row for row in rows("tables/models.csv")}
    trained = [row for row in models.values() if row["collection"] == "zoo"]
    excluded = rows("tables/excluded.csv")
    assert len(trained) + len(excluded) == 227
    assert len({row["variant"] for row in trained}) == 36
    assert len({row["family"] for row in trained}) == 9
    factors = [name for name in trained[0] if name.startswith("factor_")]
    assert len(factors) == 5
    settings: dict[str, set[tuple[str, ...]]] = {}
    for row in trained:
        if row[factors[0]]:
            settings.setdefault(row["family"], set()).add(tuple(row[name] for name in factors))
    assert len(settings) == 5 and min(map(len, settings.values())) >= 30
    assert sum(row["collection"] == "efficientnet-lite" for row in models.values()) == 3
    assert all("the criterion is 30 %" in row["reason"] for row in excluded)
    assert len(excluded) < 0.02 * len(trained)


@pytest.mark.parametrize("family", PUBLISHED)
def test_the_baseline_accuracies_agree_with_the_published_ones(family):
    found = [
        float(row["quality"])
        for row in rows("tables/models.csv")
        if row["family"] == family
        and row["recipe"] == "baseline"
        and row["quality_metric"] == "accuracy"
    ]
    assert statistics.mean(found) == pytest.approx(PUBLISHED[family], abs=4)


def test_most_layers_of_the_zoo_have_fifty_eigenvalues():
    shares = [float(row["evals_50"]) for row in rows("tables/models.csv") if row["source"] == "zoo"]
    assert statistics.mean(shares) > 0.7 and min(shares) > 0.5


def test_the_audit_covers_every_architecture_and_every_layer_agrees():
    audit = rows("audit.csv")
    names = " ".join(row["model"] for row in audit)
    lite = {f"efficientnet-lite{size}" for size in (0, 1, 2)}
    for needed in lite | {row["family"] for row in rows("tables/models.csv")}:
        assert needed in names
    assert all(row["agree"] == row["layers"] for row in audit)
    assert max(float(row["largest_difference"]) for row in audit) < 1e-9


def test_untrained_networks_know_nothing():
    chance = [
        float(row["quality"])
        for row in rows("tables/models.csv")
        if row["collection"] == "zoo-untrained" and row["quality_metric"] == "accuracy"
    ]
    assert len(chance) >= 15 and 5 < statistics.mean(chance) < 15


def test_the_paper_is_one_file_of_html_and_a_pdf_that_name_every_model():
    from bs4 import BeautifulSoup
    from pypdf import PdfReader

    html = (RESULTS / "paper" / "paper.html").read_text(encoding="utf-8")
    page = BeautifulSoup(html, "html.parser")
    outside = [tag for tag in page.select("[src], link[href]") if tag.name != "a"]
    sources = [tag.get("src") or tag.get("href") for tag in outside]
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    pdf = "".join(page.extract_text() for page in PdfReader(RESULTS / "paper/paper.pdf").pages)
    tight = "".join(pdf.split())
    for row in rows("tables/models.csv"):
        assert row["model"] in html
        assert "".join(row["model"].split()) in tight
    for text in (html, pdf):
        assert "?var:" not in text and "?@" not in text
        assert "nan" not in text.split()


def test_every_figure_is_there_as_vector_and_picture():
    names = {path.stem for path in (RESULTS / "figures").glob("*.svg")}
    needed = {"quality_metrics", "within_families", "forest", "alpha_depth", "spectral_density"}
    assert needed <= names
    for name in names:
        assert (RESULTS / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
