"""What holds for every figure: it says what its tables say, fits the page, and repeats its bytes."""

from __future__ import annotations

import inspect
import itertools
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers.figures import (
    ASK,
    FAMILIES,
    OPTIONS,
    STUDIES,
    TABLES,
    answers,
    drawn,
    fresh,
    large,
    lite,
    tables,
    tau_of,
    texts,
    words,
    zoo,
)
from helpers.stages import draw

from atlas.figures import marks as figures_marks
from atlas.figures import registry, style
from atlas.statistics import correlations
from atlas.study.schema import defaults
from atlas.tables.read import read_table

BASIC = list(TABLES)  # a new figure of the same tables is among them
DEGENERATE = [kind for kind in STUDIES if kind not in ("default", "small")]


def printed(name: str, figure: Any) -> float:
    """How tall a figure is in the PDF, in mm: its share of the width is in the paper's text."""
    paper = Path(__file__).parents[2] / "paper"
    text = "".join(
        path.read_text("utf-8") for path in [*paper.glob("parts/*"), *paper.glob("*.qmd")]
    )
    shares = re.findall(rf"\(figures/{name}\.svg\){{#\S+ width=(\d+)%", text)
    (share,) = shares or (100,)  # a figure that the paper does not show
    width, height = figure.get_size_inches()
    return 158 * int(share) / 100 * height / width


def test_every_figure_takes_the_tables_and_options_that_the_registry_names():
    """An option that is missing there would not redraw the figure."""
    for name, drawing in registry.FIGURES.items():
        module = import_module(registry.module_of(name))
        assert tuple(inspect.signature(getattr(module, name)).parameters)[2:] == drawing.tables
        assert set(drawing.options) <= set(defaults("statistics"))


@pytest.mark.parametrize("name", BASIC)
def test_equal_tables_give_equal_bytes(name, tmp_path, monkeypatch):
    written = []
    for run, when in enumerate(("1000000000", "1700000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", when)
        matplotlib.rcParams["font.size"] = 20 + run  # a user's own settings count for nothing
        svg, png = tmp_path / f"{run}.svg", tmp_path / f"{run}.png"
        style.save(fresh(name, "small"), svg, png, 60)
        written.append((svg.read_bytes(), png.read_bytes()))
    assert matplotlib.rcParams["font.size"] == 21  # and are left as they were
    matplotlib.rcdefaults()
    assert written[0] == written[1]
    assert written[0][0].startswith(b"<?xml") and written[0][1].startswith(b"\x89PNG")
    assert b"dc:date" not in written[0][0] and b"Software" not in written[0][1]
    assert b"<text" not in written[0][0]  # outlines: no font is needed to read it


def test_the_order_of_rows_does_not_matter(tmp_path):
    written = []
    for seed in (1, 2):
        mixed = {
            name: table.sample(frac=1, random_state=seed)
            for name, table in tables("quality_metrics", "small").items()
        }
        figure = draw("quality_metrics", mixed, style.Look(), ASK)
        style.save(figure, tmp_path / "a.svg", tmp_path / "a.png", 50)
        written.append((tmp_path / "a.svg").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("name", BASIC)
@pytest.mark.parametrize("look", [style.Look(), style.Look(70, 70, 60)])
def test_text_is_legible_and_inside_the_figure(name, look):
    figure = drawn(name, "default" if look.wide_mm > 100 else "small", look)
    width, height = figure.get_size_inches() * 25.4
    assert width == pytest.approx(look.width_mm) or width == pytest.approx(look.wide_mm)
    assert printed(name, figure) <= 210.1 or look.wide_mm < 100
    assert height <= 210.1 or look.wide_mm > 100
    shown = texts(figure)
    sizes = {text.get_fontsize() for text in shown}
    assert min(sizes) >= 6 and max(sizes) <= 8
    page = figure.bbox.padded(1)
    for text in shown:
        box = text.get_window_extent()
        if text.get_text() in ("", " ") or text.get_clip_on() or look.wide_mm < 100:
            continue
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()


GROWING = ("quality_metrics", "within_families", "forest", "alpha_depth", "controls", "training")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "look"),
    [
        *((name, style.Look(dpi=60)) for name in GROWING),
        ("alpha_depth", style.Look(85, 130, 60)),
    ],
)
def test_a_figure_of_a_large_study_fits_the_page_and_says_what_is_left_out(name, look):
    given = {table: large()[table] for table in TABLES[name]}
    most = 60 if name == "controls" else 30
    metrics = ["alpha", *(f"metric_{i:02d}" for i in range(most))]
    ask = ASK | {"metrics": metrics, "controls": {"none": "zoo"}}
    figure = draw(name, given, look, ask)
    with style.style():
        figure.draw_without_rendering()
    assert printed(name, figure) <= 210.1
    page = figure.bbox.padded(1)
    for text in texts(figure):
        box = text.get_window_extent()
        if not text.get_clip_on():
            assert page.x0 <= box.x0 and box.x1 <= page.x1, text.get_text()
            assert page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    for ax in figure.findobj(matplotlib.axes.Axes):
        assert ax.get_window_extent().height / figure.dpi * 25.4 > 12  # something is to be seen
    assert "not shown" in words(figure).lower()


def test_a_collection_without_the_primary_quality_shows_its_own():
    language = lite().assign(collection="gpt", quality_metric="perplexity", dataset="wikitext")
    models = pd.concat([zoo(FAMILIES[:2]), language], ignore_index=True)
    given = {"models": models, "correlations": correlations.correlations(models, OPTIONS)}
    assert "perplexity, low on top" in words(draw("quality_metrics", given, style.Look(), ASK))
    assert "perplexity" in words(draw("within_families", given, style.Look(), ASK))
    assert "gpt (wikitext)" in words(
        draw("forest", {"correlations": given["correlations"]}, style.Look(), ASK)
    )
    gap = words(draw("generalization_gap", given, style.Look(), ASK))
    assert "gpt" not in gap and "zoo" in gap


@pytest.mark.parametrize("name", BASIC)
def test_no_label_covers_another(name):
    """Titles, axis labels, annotations and the tick labels that are in view."""
    figure = drawn(name)
    boxes = []
    for ax in figure.findobj(matplotlib.axes.Axes):
        own = [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = axis.get_major_ticks()
            own += [
                t.label1 for t in ticks if low <= t.get_loc() <= high and t.label1.get_visible()
            ]
        for text in own:
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent()
                boxes.append((text.get_text(), box.x0, box.y0, box.x1, box.y1))
    for (a, *p), (b, *q) in itertools.combinations(boxes, 2):
        across = min(p[2], q[2]) - max(p[0], q[0])
        down = min(p[3], q[3]) - max(p[1], q[1])
        assert across < 1.5 or down < 1.5, f"{a!r} covers {b!r}"


@pytest.mark.parametrize("name", BASIC)
def test_colours_are_the_palette(name):
    figure = drawn(name)
    allowed = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}  # Okabe, Ito
    seen = set()
    for line in figure.findobj(matplotlib.lines.Line2D):
        seen |= {matplotlib.colors.to_hex(line.get_color())}
    for marks in figure.findobj(matplotlib.collections.PathCollection):
        seen |= {matplotlib.colors.to_hex(c) for c in marks.get_facecolor()}
    coloured = {c for c in seen if len({c[1:3], c[3:5], c[5:7]}) > 1}  # the rest is grey
    assert coloured <= allowed
    assert coloured


QUALITY = "accuracy (%)"
AXES = {
    **dict.fromkeys(["overview", "quality_metrics", "within_families"], QUALITY),
    **dict.fromkeys(["controls", "training"], QUALITY),
    "generalization_gap": "gap (% points)",
    "spectral_density": "(1/λ)",
    "alpha_depth": "depth (0 first, 1 last layer)",
}


@pytest.mark.parametrize("name", AXES)
def test_axes_say_what_they_are_in_which_unit(name):
    assert AXES[name] in words(drawn(name))


@pytest.mark.parametrize("kind", DEGENERATE)
def test_nothing_missing_breaks_a_figure(kind):
    for name in BASIC:
        if name == "spectral_density" and kind != "empty":
            continue
        figure = drawn(name, kind)
        assert len(words(figure)) > 20, name
        assert "nan" not in words(figure).lower().split(), name


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("overview", "empty", "No analysed model has a quality"),
        ("overview", "one family", "one architecture: nothing to compare"),
        ("overview", "no zoo", "one model per variant: nothing to compare"),
        ("overview", "one recipe, one seed", "one model per variant: nothing to compare"),
        ("overview", "no alpha", "No analysed model has a quality and a mean alpha"),
        ("quality_metrics", "no quality", "No analysed model has a top-1 accuracy"),
        ("quality_metrics", "no alpha", "no values"),
        ("generalization_gap", "no zoo", "No analysed model has a generalisation gap"),
        ("within_families", "one model", "No family has two models"),
        ("within_families", "many families", "2 families with fewer models not shown"),
        ("forest", "empty", "No correlation of alpha with accuracy could be computed"),
        ("forest", "no alpha", "could be computed: no model has all values"),
        ("forest", "no zoo", "fewer than two groups"),
        ("alpha_depth", "empty", "No layer of a trained model has an alpha"),
        ("spectral_density", "empty", "net has no layer with a successful fit"),
        ("controls", "no zoo", "No variant was analysed both trained and untrained"),
    ],
)
def test_what_is_missing_is_said(name, kind, said):
    assert said in words(drawn(name, kind))


def test_annotated_correlations_are_the_tables():
    table = answers("default")["correlations"]
    table = table[table["quality_metric"] == "accuracy"]
    zoo_rows = table[table["collection"] == "zoo"]
    between = tau_of(zoo_rows, comparison="a", scope="families")
    lite_tau = tau_of(table[table["collection"] == "efficientnet-lite"], scope="family")
    assert {between, lite_tau} <= set(re.findall(r"τ = \S+", words(drawn("quality_metrics"))))

    within = words(drawn("within_families"))
    for family in FAMILIES:
        b = tau_of(zoo_rows, comparison="b", scope="family", family=family)
        c = tau_of(zoo_rows, comparison="c", scope="within", family=family)
        assert re.search(rf"\(b\) variants: {b} \(n = 6\) \(c\) recipes: {c} \(n = 18\)", within)

    seen = words(drawn("overview"))
    for comparison, scope in (("a", "families"), ("b", "within"), ("c", "within")):
        row = zoo_rows[
            (zoo_rows["comparison"] == comparison)
            & (zoo_rows["scope"] == scope)
            & (zoo_rows["family"] == "")
            & (zoo_rows["metric"] == "alpha")
            & (zoo_rows["treatment"] == "dropped")
        ].iloc[0]
        low, high = (figures_marks.number(row[f"kendall_{end}"]) for end in ("low", "high"))
        bounds = f" [{low}, {high}]" if row["interval"] else ""
        tau = figures_marks.number(row["kendall"])
        assert f"τ = {tau}{bounds} (n = {row['n']})" in seen


def test_annotations_change_with_the_table():
    given = tables("overview")
    given["correlations"] = given["correlations"].assign(
        kendall=-0.123, kendall_low=-0.456, kendall_high=0.789
    )
    seen = words(draw("overview", given, style.Look(), ASK))
    assert seen.count("τ = −0.12 [−0.46, 0.79]") == 3


def test_better_is_up_so_that_the_sign_of_tau_is_what_one_sees():
    for name, up in (("quality_metrics", True), ("generalization_gap", False)):
        for ax in drawn(name, "small").findobj(matplotlib.axes.Axes):
            low, high = ax.get_ylim()
            assert (low < high) == up
    assert "low on top" in words(drawn("generalization_gap", "small"))


def test_qualities_of_different_data_are_never_on_one_axis():
    figure = drawn("quality_metrics")
    for ax in figure.findobj(matplotlib.axes.Axes):
        low, high = ax.get_ylim()
        heights = [y for marks in ax.collections for y in marks.get_offsets()[:, 1]]
        imagenet = {75.1, 76.7, 77.6}
        assert not imagenet & set(heights) or set(heights) == imagenet
        assert all(low <= y <= high for y in heights)
    seen = words(figure)
    assert "zoo (mnist-1d): 90 models of 5 families" in seen
    assert "efficientnet-lite (imagenet-1k): 3 models" in seen


def test_more_collections_than_fit_are_named():
    models = pd.concat([zoo(collection=f"c{i}", families=("mlp",)) for i in range(5)])
    table = answers("default")["correlations"]
    given = {"models": models, "correlations": table}
    assert "Not shown, fewer models: c3, c4" in words(
        draw("quality_metrics", given, style.Look(), ASK)
    )


def test_tables_are_read_as_written(tmp_path):
    table = pd.DataFrame(
        {"model": ["a", "b"], "family": ["NA", "1e3"], "weightwatcher_version": ["0.10", "0.10"]}
    )
    path = tmp_path / "models.csv"
    table.assign(quality=[1.5, np.nan]).to_csv(path, index=False)
    read = read_table(path)
    assert read["family"].tolist() == ["NA", "1e3"]
    assert read["weightwatcher_version"].tolist() == ["0.10", "0.10"]
    assert read["quality"].isna().tolist() == [False, True]


def test_unknown_figures_and_options_are_errors():
    with pytest.raises(KeyError):
        draw("pie", {}, style.Look(), {})
