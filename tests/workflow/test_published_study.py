"""The study of published results as a whole, and the numbers by which its way in is checked."""

import csv
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image
from pypdf import PdfReader

MIRROR = Path(__file__).resolve().parents[3] / "shared" / "published"
STUDY = ("--configfile", "studies/published.yaml")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("published"),
    pytest.mark.skipif(
        not MIRROR.is_dir(), reason="no mirror of the published data is beside the checkout"
    ),
]


@pytest.fixture(scope="module")
def published(blank, tmp_path_factory):
    project = blank.copy(tmp_path_factory.mktemp("published") / "atlas")
    path = project.path / "studies" / "published.yaml"
    config = yaml.safe_load(path.read_text()) | {"network": {"mirror": str(MIRROR)}}
    path.write_text(yaml.safe_dump(config))
    project.snakemake("--cores", "2", *STUDY, "--", "paper")
    return project


def rows(project, name):
    with (project.path / "results" / "published" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def cells(project, table):
    """The rows of one of the paper's tables, as lists of text."""
    path = project.path / "results" / "published" / "paper" / "source" / "tables" / f"{table}.md"
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_model_is_there(published):
    models = rows(published, "tables/models.csv")
    counts = dict.fromkeys(("seed-keras", "natcom-2021", "osmr"), 0)
    for row in models:
        counts[row["collection"]] += 1
    assert counts == {"seed-keras": 50, "natcom-2021": 40, "osmr": 311}
    assert rows(published, "tables/excluded.csv") == []
    versions = {(row["collection"], row["weightwatcher_version"]) for row in models}
    assert versions == {("seed-keras", "0.6.1"), ("natcom-2021", "0.2.7"), ("osmr", "0.2.7")}


def test_the_earlier_study_has_its_layers_and_failed_fits(published):
    (row,) = [row for row in cells(published, "collections") if row[0] == "seed-keras"]
    assert row[6:9] == ["50", "5,903", "546"]


@pytest.mark.parametrize(
    ("family", "n", "tau"),
    [("vgg", 8, -0.928571), ("densenet", 4, -1), ("resnet", 5, -1)],
)
def test_weighted_alpha_orders_the_authors_series_as_they_published(published, family, n, tau):
    (row,) = [
        row
        for row in rows(published, "statistics/correlations.csv")
        if (row["collection"], row["comparison"], row["scope"]) == ("natcom-2021", "b", "family")
        and (row["family"], row["metric"]) == (family, "alpha_weighted")
        and (row["quality_metric"], row["treatment"]) == ("accuracy", "dropped")
    ]
    assert int(row["n"]) == n
    assert float(row["kendall"]) == pytest.approx(tau, abs=1e-6)
    heads, *body = cells(published, "family_metrics")
    (shown,) = [r for r in body if r[0].startswith("natcom") and r[1] == family]
    assert shown[2] == str(n)
    assert shown[heads.index(r"$\hat\alpha$")] == f"{tau:.2f}"


def test_a_b_are_answered_on_more_than_350_models(published):
    found = {
        (row["collection"], row["dataset"], row["comparison"]): row
        for row in rows(published, "statistics/correlations.csv")
        if row["scope"] in ("pooled", "within")
        and (row["metric"], row["treatment"]) == ("alpha", "dropped")
        and row["family"] == ""
    }
    asked = [row for key, row in found.items() if key[2] == "a" and row["kendall"]]
    assert sum(int(row["n"]) for row in asked) > 350
    assert all(row["kendall_low"] for row in asked)
    assert (
        sum(int(row["n"]) for key, row in found.items() if key[2] == "b" and row["kendall"]) > 300
    )


def test_every_figure_fits_the_page(published):
    """The built-in renderer's text block is 158 mm wide and 243 mm high; captions are beneath."""
    source = published.path / "results" / "published" / "paper" / "source"
    parts = [*source.glob("*.qmd"), *source.rglob("*.md")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in parts)
    shown = dict(re.findall(r"\(figures/(\w+)\.svg\)\{#\S+ width=(\d+)%", text))
    assert {"forest", "quality_metrics", "within_families"} <= set(shown)
    for name, share in shown.items():
        svg = (source / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        width, height = map(
            float, re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
        )
        with Image.open(published.path / "results/published/figures" / f"{name}.png") as png:
            assert png.height / png.width == pytest.approx(height / width, rel=0.01)
        assert 158 * int(share) / 100 * height / width <= 210.1, name


def test_every_figure_in_the_pdf_lies_between_the_margins(published):
    """What a figure draws first is its white ground, the largest shape on its page."""
    grounds, path = [], []

    def note(operator, arguments, matrix, _text):
        a, b, c, d, e, f = matrix
        if operator == b"m":
            path.clear()
        if operator in (b"m", b"l"):
            x, y = map(float, arguments)
            path.append((a * x + c * y + e, b * x + d * y + f))
        elif operator in (b"f", b"f*", b"n") and path:
            xs, ys = ([value / 72 * 25.4 for value in some] for some in zip(*path, strict=True))
            if max(xs) - min(xs) > 50 and max(ys) - min(ys) > 50:
                grounds.append((min(xs), max(xs), min(ys), max(ys)))
            path.clear()

    for page in PdfReader(published.path / "results/published/paper/paper.pdf").pages:
        page.extract_text(visitor_operand_before=note)
    assert any(top - bottom > 200 for *_, bottom, top in grounds)  # the large figures are seen
    for left, right, bottom, top in grounds:
        assert left > 25.9 and right < 184.1 and bottom > 27.9 and top < 271.1


def test_a_second_run_does_nothing(published):
    text = published.snakemake("--cores", "2", "--dry-run", *STUDY, "--", "paper").stdout
    assert "Nothing to be done" in text
