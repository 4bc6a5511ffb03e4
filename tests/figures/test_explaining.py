"""What holds for the figures of what explains the correlations."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import matplotlib
import pandas as pd
import pytest
from helpers.explaining import (
    ASK,
    NAMES,
    TABLES,
    drawn,
    fresh,
    of_alternatives,
    of_explanations,
    of_models,
    of_shape,
    of_traits,
    tables,
    words,
)
from helpers.stages import draw

from atlas.figures import style
from atlas.tables.read import read_table

KINDS = ("default", "many families", "many collections", "one family", "none", "no values")
SHOWN = KINDS[:3]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "kind"), list(itertools.product(NAMES, KINDS)))
def test_every_table_gives_a_figure(name, kind, tmp_path):
    figure = draw(name, tables(name, kind), style.Look(), ASK)
    svg, png = tmp_path / "f.svg", tmp_path / "f.png"
    style.save(figure, svg, png, 60)
    assert png.read_bytes()[:4] == b"\x89PNG"
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip()]
    assert texts  # at least the words that say why there is nothing
    assert all(text.get_fontsize() >= 5.9 for text in texts)


def test_no_figure_without_its_table():
    with pytest.raises(TypeError):
        draw("alternatives", {}, style.Look(), ASK)


def texts(figure: Any) -> list[Any]:
    """The texts that are seen: without labels of ticks that are out of view."""
    out_of_view = set()
    for ax in figure.findobj(matplotlib.axes.Axes):
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
            out_of_view |= {tick.label1 for tick in ticks}
    found = set(figure.findobj(matplotlib.text.Text)) - out_of_view
    return [text for text in found if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize("name", NAMES)
def test_equal_tables_give_equal_bytes_in_any_order_of_rows(name, tmp_path):
    written = []
    for seed in (1, 2):
        matplotlib.rcParams["font.size"] = 20 + seed  # a user's own settings count for nothing
        mixed = {t: rows.sample(frac=1, random_state=seed) for t, rows in tables(name).items()}
        figure = draw(name, mixed, style.Look(), ASK)
        svg, png = tmp_path / f"{seed}.svg", tmp_path / f"{seed}.png"
        style.save(figure, svg, png, 60)
        written.append((svg.read_bytes(), png.read_bytes()))
    matplotlib.rcdefaults()
    assert written[0] == written[1]


@pytest.mark.parametrize("name", NAMES)
def test_tables_that_were_written_and_read_give_the_same_figure(name, tmp_path):
    read = {}
    for table, rows in tables(name).items():
        rows.to_csv(tmp_path / f"{table}.csv", index=False)
        read[table] = read_table(tmp_path / f"{table}.csv")
    assert words(draw(name, read, style.Look(), ASK)) == words(fresh(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SHOWN)
def test_text_is_legible_and_inside_the_figure(name, kind):
    figure = drawn(name, kind)
    width, height = figure.get_size_inches() * 25.4
    assert width == pytest.approx(175) and height < 240
    sizes = {text.get_fontsize() for text in texts(figure)}
    assert min(sizes) >= 6 and max(sizes) <= 8
    page = figure.bbox.padded(1)
    for text in texts(figure):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()


LONG = "a-name-as-long-as-some-are-of-"
LARGE = tuple(f"{LONG}collection-{i:02d}" for i in range(30))
SIXTY = tuple(f"{LONG}family-{i:02d}" for i in range(60))


@functools.cache
def large() -> dict[str, pd.DataFrame]:
    """Thirty collections and sixty families with long names."""
    models = [of_models(LARGE[:1], SIXTY), of_models(LARGE[1:], SIXTY[:2])]
    return {
        "alternatives": of_alternatives(LARGE, 600),
        "explanations": of_explanations((*((name, 9) for name in LARGE), ("all", 60))),
        "models": pd.concat(models, ignore_index=True),
        "shape": of_shape(LARGE),
        "traits": of_traits(LARGE, SIXTY[:2]),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("only", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_of_a_large_study_fits_the_page(name, only):
    """Also where there is one comparison, level or null only, and the figure is not as wide."""
    given = {table: large()[table] for table in TABLES[name]}
    if only:
        given = {
            t: rows[rows["comparison"] == "b"] if "comparison" in rows else rows
            for t, rows in given.items()
        }
        if name == "shape":
            given["models"] = given["models"].drop(columns="alpha_shuffled")
    figure = draw(name, given, style.Look(dpi=60), ASK)
    with style.style():
        figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    assert 158 * height / width <= 210.1  # all of them are as wide as the text
    page = figure.bbox.padded(1)
    for text in texts(figure):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    if name != "traits":  # which shows all collections
        assert "not shown" in words(figure)


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_page_has_the_same_words(name):
    look = style.Look(70, 70, 60)
    figure = drawn(name, "default", look)
    assert figure.get_figwidth() * 25.4 == pytest.approx(70)
    assert {text.get_fontsize() for text in texts(figure)} <= {6, 6.5, 7, 8}
    assert "theory expects" in words(figure) or name in ("explanations", "shape")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SHOWN)
def test_no_label_covers_another(name, kind):
    """Titles, axis labels, annotations and the tick labels that are in view."""
    figure = drawn(name, kind)
    boxes = []
    for ax in figure.findobj(matplotlib.axes.Axes):
        own = [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            own += [tick.label1 for tick in ticks if tick.label1.get_visible()]
        for text in own:
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent()
                boxes.append((text.get_text(), box.x0, box.y0, box.x1, box.y1))
    (title,) = [figure._suptitle]
    box = title.get_window_extent()
    boxes.append((title.get_text(), box.x0, box.y0, box.x1, box.y1))
    for (a, *p), (b, *q) in itertools.combinations(boxes, 2):
        across = min(p[2], q[2]) - max(p[0], q[0])
        down = min(p[3], q[3]) - max(p[1], q[1])
        assert across < 1.5 or down < 1.5, f"{a!r} covers {b!r}"


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_the_palette(name):
    figure = drawn(name, "many collections")
    allowed = {colour.lower() for colour in style.PALETTE}
    seen = {
        matplotlib.colors.to_hex(x.get_color()) for x in figure.findobj(matplotlib.lines.Line2D)
    }
    for marks in figure.findobj(matplotlib.collections.PathCollection):
        seen |= {matplotlib.colors.to_hex(c) for c in marks.get_facecolor()}
    coloured = {c for c in seen if len({c[1:3], c[3:5], c[5:7]}) > 1}  # the rest is grey
    assert coloured and coloured <= allowed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_missing_breaks_a_figure(name, kind):
    seen = words(drawn(name, kind))
    assert len(seen) > 20 and "nan" not in seen.lower().split()


@pytest.mark.parametrize("name", NAMES)
def test_tables_without_columns_are_tables_without_values(name):
    given = {table: pd.DataFrame() for table in TABLES[name]}
    assert len(words(draw(name, given, style.Look(), {}))) > 20


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("alternatives", "none", "could be set against quality: there are no values"),
        ("alternatives", "no values", "could be set against quality: fewer than 3 models"),
        ("alternatives", "one family", "hollow: too few for an interval"),
        (
            "alternatives",
            "many collections",
            "2 more with fewer models not shown: keras (mnist-1d), timm (mnist-1d)",
        ),
        ("explanations", "none", "correlations of the families: there are too few"),
        ("explanations", "one family", "correlations of the families: too few families"),
        ("explanations", "many collections", "3 more data sets with fewer families not shown"),
        ("shape", "none", "No model has both an alpha and that of noise"),
        ("shape", "many collections", "1 more data set with fewer variants not shown"),
        ("traits", "one family", "Fewer than two families have a correlation of their own"),
        ("traits", "many families", "100 families of zoo (mnist-1d)"),
    ],
)
def test_what_is_missing_is_said(name, kind, said):
    assert said in words(drawn(name, kind))


@pytest.mark.parametrize("name", NAMES)
def test_controls_are_no_part_of_the_answer(name):
    control = {
        table: rows.assign(collection="zoo-untrained") for table, rows in tables(name).items()
    }
    figure = draw(name, control, style.Look(), ASK)
    assert figure.get_figheight() * 25.4 < 20  # says that there is nothing
