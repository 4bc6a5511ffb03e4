"""The figures about reasons: what they say is in the tables, they are legible, nothing breaks them."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers.stages import draw

from atlas.figures import data, forests, style
from atlas.figures import marks as figures_marks
from atlas.findings import outcome
from atlas.tables.read import read_table
from atlas.terms import words as terms_words
from atlas.terms.notes import Note

NAMES = ("alternatives", "explanations", "shape", "traits")
CONTROLS = {"zoo-untrained": "zoo"}
FAMILIES = ("convnet", "mixer", "mlp", "resnet", "transformer")
METRICS = [name for names in terms_words.ALTERNATIVES.values() for name in names]
CATEGORIES = ("recipe", "dataset", "weightwatcher_version")
CANDIDATES = [name for names in terms_words.TRAITS.values() for name in names]
NUMBERS = [name for name in CANDIDATES if name not in CATEGORIES]
PART = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
ASK = {"controls": CONTROLS}
"""Everything else as by default."""


# --- tables as the statistics make them -----------------------------------------------------------


def of_alternatives(collections: tuple[str, ...] = ("zoo",), effective: int = 40) -> pd.DataFrame:
    """Every alternative in every comparison; depthwise layers are missing, pointwise ones few.

    Some are decided, alpha_other_layers equals alpha; the intervals of collections with fewer than
    8 models are missing.
    """
    rng = np.random.default_rng(len(collections))
    rows = []
    for place, collection in enumerate(collections):
        for comparison, metric in itertools.product("abc", METRICS):
            n = effective // (1 + place) + 12 * "abc".index(comparison)
            own = {"a": -0.12, "b": -0.35, "c": -0.55}[comparison]
            value = float(np.clip(own + rng.normal(0, 0.2), -0.95, 0.95))
            if metric in ("alpha_shuffled", "alpha_gaussian"):
                value = 0.2 + rng.normal(0, 0.1)
            wide = 1.6 / np.sqrt(n)
            row = PART | {"collection": collection, "comparison": comparison, "metric": metric}
            row |= {"quality_metric": "accuracy", "n": n, "units": n, "groups": 5}
            row |= {"kendall": value, "kendall_alpha": own, "equal": n // 4, "note": ""}
            row |= {"kendall_low": max(value - wide, -1), "kendall_high": min(value + wide, 1)}
            row["kendall_p_holm"] = 0.001 if abs(value) > wide + 0.05 else 0.4
            row |= {"difference": value - own, "interval": "bca"}
            row["difference_low"] = value - own - wide / 1.5
            row["difference_high"] = value - own + wide / 1.5
            if metric == "alpha_pointwise":
                row |= {"n": n // 2, "kendall_alpha": own + 0.15}
            if n < 8:
                row |= dict.fromkeys(["kendall_low", "kendall_high"], np.nan)
                row |= {"kendall_p_holm": 1.0, "note": Note.NO_DIFFERENCE_INTERVAL}
            if metric == "alpha_other_layers":
                row |= {"kendall": own, "equal": n, "difference": 0.0}
                row |= {"difference_low": 0.0, "difference_high": 0.0}
            if metric == "alpha_depthwise" or (metric == "hill" and comparison == "c"):
                lost = [name for name in row if "kendall" in name or "difference" in name]
                row |= dict.fromkeys(lost, np.nan)
                row |= {"n": 0, "equal": 0, "note": Note.NO_VALUES}
            rows.append(row)
    return pd.DataFrame(rows)


def of_explanations(counts: tuple[tuple[str, int], ...] = (("zoo", 5),)) -> pd.DataFrame:
    """Every candidate for (collection, families); with 5 families or fewer there is no interval."""
    rng = np.random.default_rng(7)
    rows = []
    panels = [("family", "b", 1), ("family", "c", 1), ("variant", "c", 3)]
    for (collection, families), (level, comparison, times) in itertools.product(counts, panels):
        for candidate in CANDIDATES:
            n = families * times
            together = {"dataset": "", "weightwatcher_version": ""} if collection == "all" else {}
            row = PART | {"collection": collection} | together
            row |= {"quality_metric": "accuracy", "level": level, "comparison": comparison}
            row |= {"candidate": candidate, "n": n, "note": "", "interval": "bca"}
            if candidate in CATEGORIES:
                p = {"recipe": 0.031, "dataset": 0.0002, "weightwatcher_version": np.nan}[candidate]
                row |= {"kind": "category", "eta2": rng.uniform(0, 0.6), "kendall_p": p}
                row["kendall_p_bh"] = 0.01 if p < 0.001 else 0.2
                if p != p:
                    row |= {"eta2": np.nan, "note": Note.CANDIDATE_CONSTANT}
                rows.append(row)
                continue
            strong = {"evals_median": 0.62, "depthwise_share": -0.55, "D": 0.3}
            value = float(np.clip(strong.get(candidate, 0) + rng.normal(0, 0.15), -0.95, 0.95))
            wide = 1.5 / np.sqrt(n)
            row |= {"kind": "number", "kendall": value, "kendall_p": 0.5, "kendall_p_bh": 0.7}
            if abs(value) > wide:
                row["kendall_p_bh"] = 0.004
            if n > 5:
                row |= {"kendall_low": max(value - wide, -1), "kendall_high": min(value + wide, 1)}
            away = 0.5 / np.sqrt(n)
            row |= {"left_out_low": max(value - away, -1), "left_out_high": min(value + away, 1)}
            if candidate == "rank_loss_share":
                row |= {"n": n - 2}
            if candidate in ("alpha_shuffled", "coverage"):
                lost = [name for name in row if "kendall" in name or "left_out" in name]
                row |= dict.fromkeys(lost, np.nan) | {"note": Note.CANDIDATE_CONSTANT}
            rows.append(row)
    return pd.DataFrame(rows)


def of_models(
    collections: tuple[str, ...] = ("zoo",), families: tuple[str, ...] = FAMILIES, size: float = 1
) -> pd.DataFrame:
    """Models on two recipes with two qualities; alpha goes half with that of noise.

    The collection zoo-untrained is without quality and lies near the noise.
    """
    rng = np.random.default_rng(11)
    rows = []
    for collection, (f, family), (s, letter), recipe in itertools.product(
        collections, enumerate(families), enumerate("sml"), ("baseline", "label-noise")
    ):
        noise = size * (5 + 3.1 * (f % 7) * (1 + 0.3 * s) + rng.uniform(0, 2))
        untrained = collection.endswith("untrained")
        if untrained and recipe != "baseline":
            continue
        alpha = noise * rng.uniform(0.9, 1.05) if untrained else 2.2 + 0.13 * noise
        alpha += 0 if untrained else rng.normal(0, 0.35)
        row = PART | {"collection": collection, "family": family, "variant": f"{family}-{letter}"}
        row |= {"model": f"{collection}-{family}-{letter}-{recipe}", "parameters": 1000 * 4**s}
        row |= {"recipe": "untrained" if untrained else recipe, "seed": "0", "alpha": alpha}
        row |= {"alpha_gaussian": noise, "alpha_shuffled": noise * rng.uniform(0.55, 1)}
        for quality in ("accuracy", "generalization_gap"):
            rows.append(row | {"quality_metric": quality, "quality": rng.uniform(50, 90)})
    return pd.DataFrame(rows)


def of_shape(collections: tuple[str, ...] = ("zoo",)) -> pd.DataFrame:
    """Made-up agreement with both nulls at three levels."""
    rows = []
    for collection, (null, lift), (level, n) in itertools.product(
        collections,
        (("gaussian", 0.0), ("shuffled", 0.1)),
        (("variants", 15), ("families", 5), ("within", 15)),
    ):
        row = PART | {"collection": collection, "null": null, "level": level}
        r2 = {"variants": 0.41, "families": 0.62, "within": 0.07}[level] + lift
        row |= {"n": n, "alpha": 4.1, "null_alpha": 13.0, "slope": 0.13, "r2": r2, "note": ""}
        rows.append(row)
    return pd.DataFrame(rows)


def of_traits(
    collections: tuple[str, ...] = ("zoo",), families: tuple[str, ...] = FAMILIES
) -> pd.DataFrame:
    """One row per family: fewer eigenvalues, a tau nearer to 0."""
    rng = np.random.default_rng(13)
    rows = []
    for collection, family in itertools.product(collections, families):
        evals = 10 ** rng.uniform(1, 3)
        tau = float(np.clip(0.9 - 0.6 * np.log10(evals) + rng.normal(0, 0.25), -1, 1))
        row = PART | {"collection": collection, "quality_metric": "accuracy", "family": family}
        row |= {"n": 9, "units": int(rng.integers(3, 25)), "kendall_b": tau, "kendall_c": tau / 2}
        row |= {name: rng.uniform(0, 1) for name in NUMBERS}
        row |= {"evals_median": evals, "aspect_median": rng.uniform(1, 9), "layers": 20}
        row |= {"log_parameters": rng.uniform(4, 6), "depthwise_share": 0.0}
        rows.append(row | {"recipes": "baseline", "datasets": "mnist-1d"})
    return pd.DataFrame(rows)


MANY = tuple(f"family{i:03d}" for i in range(100))
SEVERAL = ("zoo", "osmr", "keras", "timm")
"""More collections than there is room for."""


def _nothing_known(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows without any number; the notes say why."""
    numbers = [name for name in table if table[name].dtype.kind in "fi"]
    table = table.assign(**dict.fromkeys(numbers, np.nan))
    return table.assign(note=Note.TOO_FEW_MODELS) if "note" in table else table


@functools.cache
def study(kind: str) -> dict[str, pd.DataFrame]:
    """The tables of a study."""
    if kind == "default":
        collections, families, counts = ("zoo",), FAMILIES, (("zoo", 5),)
    elif kind == "many families":
        collections, families, counts = ("zoo",), MANY, (("zoo", 100), ("all", 100))
    elif kind == "many collections":
        collections, families = SEVERAL, (*FAMILIES, "vgg", "densenet")
        counts = (*((name, 7 + len(name)) for name in SEVERAL), ("all", 40))
    elif kind == "one family":
        collections, families, counts = ("lite",), ("lite",), (("lite", 1),)
    else:
        tables = study("default")
        change = {"none": lambda table: table.iloc[:0], "no values": _nothing_known}[kind]
        return {name: change(table) for name, table in tables.items()}
    control = tuple(name for name in CONTROLS if CONTROLS[name] in collections)
    tables = {
        "alternatives": of_alternatives(collections, 6 if kind == "one family" else 40),
        "explanations": of_explanations(counts),
        "models": of_models((*collections, *control), families),
        "shape": of_shape(collections),
        "traits": of_traits(collections, families),
    }
    if kind == "one family":
        lost = ["kendall", "kendall_low", "kendall_high", "left_out_low", "left_out_high", "eta2"]
        nothing = dict.fromkeys(lost, np.nan) | {"note": Note.TOO_FEW_FAMILIES}
        tables["explanations"] = tables["explanations"].assign(**nothing)
    return tables


KINDS = ("default", "many families", "many collections", "one family", "none", "no values")
SHOWN = KINDS[:3]
TABLES = {name: (name,) for name in NAMES} | {"shape": ("models", "shape")}


def tables(name: str, kind: str = "default") -> dict[str, pd.DataFrame]:
    return {table: study(kind)[table] for table in TABLES[name]}


# --- what holds for every figure ------------------------------------------------------------------


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


def fresh(name: str, kind: str = "default", look: Any = None, **ask: Any) -> Any:
    """A figure that no other test has."""
    look = look or style.Look(dpi=60)
    return draw(name, tables(name, kind), look, ASK | ask)


@functools.cache
def drawn(name: str, kind: str = "default", look: Any = None) -> Any:
    """A figure of a study of this kind, laid out; not to be changed."""
    figure = fresh(name, kind, look)
    with style.style():
        figure.draw_without_rendering()
    return figure


def changed(name: str, **change: pd.DataFrame) -> Any:
    """The figure with other tables in the place of the default ones, laid out."""
    figure = draw(name, tables(name) | change, style.Look(dpi=60), ASK)
    with style.style():
        figure.draw_without_rendering()
    return figure


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


def words(figure: Any) -> str:
    """All texts as one, in order, single spaces between words."""
    found = figure.findobj(matplotlib.text.Text)
    seen = [text.get_text() for text in found if text.get_visible()]
    return " ".join(" ".join(seen).split())


def rows_of(ax: Any, names: list[str]) -> dict[str, float]:
    """The heights of the rows by the names at the left of the figure."""
    return dict(zip(names, ax.get_yticks(), strict=True))


def row_names(figure: Any) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def marks_at(ax: Any, y: float) -> list[Any]:
    """Estimates in a row: discs and diamonds."""
    lines = [line for line in ax.lines if line.get_marker() in ("o", "D")]
    return [line for line in lines if line.get_ydata()[0] == y]


def bars_at(ax: Any, y: float) -> list[tuple[float, float]]:
    """Lines along a row that belong to the data: not the guides, which span the panel."""
    lines = [line for line in ax.lines if line.get_transform() == ax.transData]
    return [
        tuple(line.get_xdata())
        for line in lines
        if len(line.get_xdata()) == 2 and tuple(line.get_ydata()) == (y, y)
    ]


# --- all figures ----------------------------------------------------------------------------------


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
        ("alternatives", "many collections", "1 more with fewer models not shown: timm"),
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


# --- other ways to compute alpha ------------------------------------------------------------------


def test_alternatives_shows_the_values_of_the_table():
    figure = drawn("alternatives")
    table = study("default")["alternatives"]
    names = {k: v for group in terms_words.ALTERNATIVES.values() for k, v in group.items()}
    shown = 0
    for ax, comparison in zip(figure.axes, "abc", strict=True):
        heights = rows_of(ax, row_names(figure))
        own = table[(table["comparison"] == comparison) & table["kendall"].notna()]
        for row in own[own["equal"] < own["n"]].to_dict("records"):
            y = heights[names[row["metric"]]]
            (mark,) = marks_at(ax, y)
            assert mark.get_xdata()[0] == row["kendall"]
            assert bars_at(ax, y) == [(row["kendall_low"], row["kendall_high"])]
            clear = row["kendall_low"] > 0 or row["kendall_high"] < 0
            decided = clear and row["kendall_p_holm"] <= 0.05
            assert (mark.get_marker(), mark.get_alpha()) == (("D", 1) if decided else ("o", 0.5))
            shown += 1
    assert shown == 3 * 14 - 1  # of 16: no depthwise, one equal; no Hill in (c)


@pytest.mark.parametrize("change", [{"kendall_p_holm": 0.9}, {"kendall_high": 0.1}])
def test_decided_takes_both_the_interval_and_the_corrected_p(change):
    table = of_alternatives().assign(kendall=-0.5, kendall_low=-0.8, kendall_high=-0.2, equal=0)
    table = table.assign(kendall_p_holm=0.01)
    assert "decided: not 0" in words(changed("alternatives", alternatives=table))
    seen = words(changed("alternatives", alternatives=table.assign(**change)))
    assert "decided: not 0" not in seen and "not decided" in seen
    wide = draw("alternatives", {"alternatives": table}, style.Look(), {"confidence": 0.999})
    assert "decided: not 0" not in words(wide)


def test_alpha_is_the_line_through_all_rows_and_equal_rows_say_so():
    figure = drawn("alternatives")
    for ax, alpha in zip(figure.axes, (-0.12, -0.35, -0.55), strict=True):
        through = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert [line.get_xdata()[0] for line in through] == [alpha]
        heights = rows_of(ax, row_names(figure))
        (equal,) = [text for text in ax.texts if text.get_text() == "= alpha"]
        assert equal.get_position()[1] == heights["the other rule for layers"]
        assert not marks_at(ax, heights["the other rule for layers"])
        reduced = [  # alpha on the models that have pointwise layers
            line.get_xdata()[0]
            for line in ax.lines
            if line.get_marker() == "|"
            and line.get_ydata()[0] == heights["1 × 1 convolutions only"]
        ]
        assert reduced == [pytest.approx(alpha + 0.15)]


def test_alternatives_are_hollow_without_an_interval():
    figure = drawn("alternatives", "one family")
    first, second = figure.axes[:2]
    assert {m.get_markerfacecolor() for y in range(20) for m in marks_at(first, y)} == {"white"}
    assert {m.get_markerfacecolor() for y in range(20) for m in marks_at(second, y)} != {"white"}


def test_a_star_marks_an_interval_of_the_difference_without_zero():
    table = of_alternatives().assign(difference_low=-0.1, difference_high=0.1)
    assert "*" not in words(changed("alternatives", alternatives=table))
    one = (table["metric"] == "alpha_median") & (table["comparison"] == "a")
    table.loc[one, "difference_low"] = 0.01
    seen = words(changed("alternatives", alternatives=table))
    assert seen.count("40 *") == 1 and "* differs from alpha" in seen


def test_alternatives_without_a_value_are_named_and_rows_without_one_give_the_note():
    seen = words(drawn("alternatives"))
    assert "without a value: depthwise convolutions only" in seen
    assert "depthwise convolutions only" not in row_names(drawn("alternatives"))
    assert seen.count("no model has all values") == 1  # Hill, in (c)


def test_error_is_shown_where_there_is_no_accuracy_and_named():
    table = of_alternatives().assign(quality_metric="error")
    assert "zoo (mnist-1d): top-1 error" in words(changed("alternatives", alternatives=table))
    gap = of_alternatives().assign(quality_metric="generalization_gap", kendall=0.99)
    both = pd.concat([gap, of_alternatives()])
    assert words(changed("alternatives", alternatives=both)) == words(drawn("alternatives"))


@pytest.mark.parametrize("p", ["kendall_p_holm", "kendall_p_bh"])
def test_figures_and_sentences_call_the_same_rows_decided(p):
    ends = [(-0.8, -0.2), (-0.8, 0.1), (0.2, 0.8), (np.nan, np.nan)]
    rows = [
        {"kendall": tau, "kendall_low": low, "kendall_high": high, "interval": how, p: value}
        for (low, high), how, value in itertools.product(ends, ("bca", ""), (0.001, 0.05, 0.2))
        for tau in ((0.5, 1.0) if low != low else ((low + high) / 2,))
    ]
    table = pd.DataFrame(rows)
    found = forests.decided_rows(table, p, data.Ask())
    text = [outcome.judge(row, 0.95).outcome.decided for row in rows]
    assert found.tolist() == text and 0 < sum(text) < len(text)


# --- what goes with it ----------------------------------------------------------------------------


def test_explanations_shows_the_values_of_the_table():
    figure = drawn("explanations")
    table = study("default")["explanations"]
    names = {k: v for group in terms_words.TRAITS.values() for k, v in group.items()}
    panels = (("family", "b"), ("family", "c"), ("variant", "c"))
    hollow = set()
    for ax, (level, comparison) in zip(figure.axes, panels, strict=True):
        heights = rows_of(ax, row_names(figure))
        own = table[(table["level"] == level) & (table["comparison"] == comparison)]
        own = own[own["kendall"].notna()]
        assert len(own) == len(NUMBERS) - 2
        for row in own.to_dict("records"):
            y = heights[names[row["candidate"]]]
            (mark,) = marks_at(ax, y)
            assert mark.get_xdata()[0] == row["kendall"]
            clear = row["kendall_low"] > 0 or row["kendall_high"] < 0
            assert (mark.get_marker() == "D") == (clear and row["kendall_p_bh"] <= 0.05)
            certain = np.isfinite(row["kendall_low"])
            ends = [(row["kendall_low"], row["kendall_high"])] if certain else []
            assert bars_at(ax, y) == ends
            assert bars_at(ax, y + 0.33) == [(row["left_out_low"], row["left_out_high"])]
            hollow.add((level, mark.get_markerfacecolor() == "white"))
    assert hollow == {("family", True), ("variant", False)}


def test_explanations_says_how_many_and_shows_categories_in_words():
    figure = drawn("explanations")
    seen = words(figure)
    assert "(b) between variants n = 5 families" in seen
    assert "(c) between trainings n = 15 variants" in seen
    table = study("default")["explanations"]
    for row in table[table["eta2"].notna()].to_dict("records"):
        p = "p < 0.001" if row["candidate"] == "dataset" else "p = 0.031"
        text = f"η² = {figures_marks.number(row['eta2'])}, {p}"
        (found,) = [t for ax in figure.axes for t in ax.texts if t.get_text() == text]
        assert (found.get_weight() == "bold") == (row["kendall_p_bh"] <= 0.05)
    assert "without a value: alpha of shuffled entries, parameters analysed (share)" in seen
    right = [t.get_text() for ax in figure.axes for t in ax.texts if t.get_text().isdigit()]
    assert right == ["3", "3", "13"]  # rank loss is missing in two


def test_explanations_shows_the_largest_collection_and_all_together():
    figure = drawn("explanations", "many collections")
    seen = words(figure)
    assert "keras (mnist-1d)" in seen and "all collections together" in seen
    assert "n = 12 families" in seen and "n = 40 families" in seen
    assert len(figure.axes) == 6
    # Where one collection is all there is, it is not shown twice.
    assert "all collections together" not in words(drawn("explanations", "many families"))


def test_levels_without_an_estimate_have_no_panel():
    table = of_explanations()
    one = changed("explanations", explanations=table[table["level"] == "variant"])
    assert len(one.axes) == 1 and "n = 15 variants" in words(one)
    lost = table["level"] == "variant"
    table.loc[lost, ["kendall", "eta2"]] = np.nan
    assert len(changed("explanations", explanations=table).axes) == 2


# --- shape alone ----------------------------------------------------------------------------------


def offsets(ax: Any) -> np.ndarray:
    """All points of a panel (k, 2)."""
    return np.vstack([np.asarray(marks.get_offsets()) for marks in ax.collections])


def test_shape_shows_variant_means_on_the_reference_recipe_and_the_untrained_hollow():
    figure = drawn("shape")
    models = study("default")["models"]
    models = models.drop_duplicates("model")
    for ax, null in zip(figure.axes, ("alpha_gaussian", "alpha_shuffled"), strict=True):
        points = {tuple(point) for point in offsets(ax).round(9)}
        for collection, recipe in (("zoo", "baseline"), ("zoo-untrained", "untrained")):
            own = models[(models["collection"] == collection) & (models["recipe"] == recipe)]
            expected = own[[null, "alpha"]].to_numpy().round(9)
            assert len(expected) == 15 and {tuple(pair) for pair in expected} <= points
        assert len(points) == 15 + 15 + 5  # and the means of the families
        hollow = [marks for marks in ax.collections if not len(marks.get_facecolor())]
        assert sum(len(marks.get_offsets()) for marks in hollow) == 15
        assert {text.get_text() for text in ax.texts} >= set(FAMILIES)
        low, high = ax.get_xlim()
        assert ax.get_ylim() == (low, high)
        assert (points and min(min(p) for p in points) > low) and max(map(max, points)) < high


def test_shape_says_the_shares_of_the_table():
    seen = words(drawn("shape"))
    assert "r² = 0.41 (n = 15) between all variants" in seen
    assert "r² = 0.62 (n = 5) between families, 0.07 (n = 15) within families" in seen
    assert "r² = 0.51 (n = 15) between all variants" in seen  # shuffled
    table = of_shape().assign(r2=np.nan, slope=np.nan, note=Note.TOO_FEW_MODELS)
    seen = words(changed("shape", shape=table))
    assert seen.count("no r²: fewer than 3 models") == 2 and "least squares" not in seen


def test_the_line_in_shape_is_the_regression_of_the_table():
    figure = drawn("shape")
    for ax in figure.axes:
        fit = max(ax.lines, key=lambda line: len(line.get_xdata()))
        assert np.allclose(fit.get_ydata(), 4.1 + 0.13 * (fit.get_xdata() - 13))
        (identity,) = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert np.array_equal(identity.get_xdata(), identity.get_ydata())


def test_shape_shows_the_null_that_there_is():
    models = of_models()
    one = changed("shape", models=models.drop(columns="alpha_gaussian"))
    assert one.get_figwidth() * 25.4 == pytest.approx(85)
    assert "entries shuffled" in words(one) and "Gaussian" not in words(one)
    both = changed("shape", models=models.assign(alpha_gaussian=np.nan))
    assert words(both) == words(one)


def test_alphas_of_different_versions_are_not_in_one_panel():
    other = of_models().assign(weightwatcher_version="0.2.7")
    both = pd.concat([of_shape(), of_shape().assign(weightwatcher_version="0.2.7")])
    seen = words(changed("shape", models=pd.concat([of_models(), other]), shape=both))
    assert "weightwatcher 0.2.7:" in seen and "weightwatcher 0.7.7:" in seen


# --- the raw relations ----------------------------------------------------------------------------


def test_traits_shows_each_family_at_its_values():
    figure = drawn("traits")
    table = study("default")["traits"]
    for ax, name in zip(figure.axes, forests.RAW, strict=False):
        expected = table[[name, "kendall_c"]].to_numpy().round(9)
        assert {tuple(p) for p in offsets(ax).round(9)} == {tuple(pair) for pair in expected}
        assert {text.get_text() for text in ax.texts} == set(FAMILIES)
    assert "(c) between trainings" in words(figure)


def test_traits_takes_the_comparison_that_more_families_have():
    table = of_traits()
    table.loc[1:, "kendall_c"] = np.nan
    figure = changed("traits", traits=table)
    assert "(b) between variants" in words(figure)
    assert sorted(offsets(figure.axes[0])[:, 1]) == sorted(table["kendall_b"])


def test_traits_that_do_not_differ_give_way_to_the_next():
    table = of_traits().assign(D=0.05)
    seen = words(changed("traits", traits=table))
    assert "KS distance" not in seen and "1 × 1 convolutions (share)" in seen


def test_many_families_are_coloured_by_collection_and_not_named():
    seen = words(drawn("traits", "many collections"))
    assert all(name in seen for name in SEVERAL) and "resnet" not in seen
    few = of_traits(("a", "b"), FAMILIES[:3])
    seen = words(changed("traits", traits=few))
    assert all(name in seen for name in (*FAMILIES[:3], "a", "b"))


def test_one_data_set_of_each_collection_is_in_traits():
    small = of_traits(families=FAMILIES[:3]).assign(dataset="cifar-10", kendall_c=0.99)
    figure = changed("traits", traits=pd.concat([small, of_traits()]))
    assert len(offsets(figure.axes[0])) == 5 and 0.99 not in offsets(figure.axes[0])
    assert "the data set with most families" in words(figure)
