"""The figures: what they say is in the tables, they are legible, and nothing missing breaks them."""

from __future__ import annotations

import dataclasses
import functools
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
import yaml
from helpers.stages import draw
from PIL import Image

import draw_overview
from atlas.figures import alpha_depth, data, registry, spectral_density, style
from atlas.figures import marks as figures_marks
from atlas.statistics import controls, correlations
from atlas.statistics import options as statistics_options
from atlas.tables.read import read_table
from atlas.terms import keys

METRICS = ["alpha", "failed_share", "log_parameters"]
CONTROLS = {"zoo-untrained": "zoo"}
OPTIONS = statistics_options.Options(
    metrics=tuple(METRICS), permutations=9, bootstrap=9, controls=CONTROLS, seed=1
)
BASIC = [
    name
    for name in registry.FIGURES
    if name not in ("alternatives", "explanations", "shape", "traits")  # they have their own tests
]
FAMILIES = ("convnet", "mixer", "mlp", "resnet", "transformer")
RECIPES = ("baseline", "label-noise", "quarter-data")


# --- tables as the pipeline makes them --------------------------------------------------------


def zoo(
    families: tuple[str, ...] = FAMILIES,
    recipes: tuple[str, ...] = RECIPES,
    seeds: tuple[int, ...] = (0, 1),
    collection: str = "zoo",
    untrained: bool = False,
) -> pd.DataFrame:
    """Models of a zoo with two qualities each: alpha falls with accuracy within variants."""
    rng = np.random.default_rng(len(families) + 7 * untrained)
    rows = []
    for (f, family), (s, size), (r, recipe), seed in itertools.product(
        enumerate(families), enumerate("sml"), enumerate(recipes), seeds
    ):
        accuracy = min(96.0, 48 + 7 * (f % 6) + 5 * s - 9 * r + rng.normal(0, 2))
        alpha = 7.5 - accuracy / 18 + 0.5 * (f % 4) + rng.normal(0, 0.3)
        if untrained:
            accuracy, alpha = 10 + rng.normal(0, 0.5), 6 + rng.normal(0, 0.8)
        row = {
            "model": f"{collection}-{family}-{size}-{recipe}-{seed}",
            "source": "zoo",
            "collection": collection,
            "family": family,
            "variant": f"{family}-{size}",
            "recipe": recipe,
            "seed": str(seed),
            "dataset": "mnist-1d",
            "parameters": int(4000 * 4**s * (1 + f)),
            "layers": 8,
            "layers_failed": int(rng.integers(0, 3)),
            "engine": "exact",
            "weightwatcher_version": "0.7.7",
            "alpha": alpha,
            "alpha_stored": alpha - rng.uniform(0, 0.8),
            "failed_share": rng.integers(0, 3) / 8,
        }
        gap = max(0.0, 20 - accuracy / 6 + rng.normal(0, 2))
        rows.append(row | {"quality_metric": "accuracy", "quality": accuracy})
        rows.append(row | {"quality_metric": "generalization_gap", "quality": gap})
    return pd.DataFrame(rows)


def lite() -> pd.DataFrame:
    """Three models of one family, without recipes and seeds."""
    return pd.DataFrame(
        {
            "model": [f"efficientnet-lite{i}" for i in range(3)],
            "collection": "efficientnet-lite",
            "family": "efficientnet-lite",
            "variant": ["lite0", "lite1", "lite2"],
            "recipe": None,
            "seed": None,
            "dataset": "imagenet-1k",
            "weightwatcher_version": "0.7.7",
            "quality_metric": "accuracy",
            "quality": [75.1, 76.7, 77.6],
            "parameters": [4_652_008, 5_416_680, 6_092_072],
            "alpha": [3.61, 3.52, 3.55],
            "alpha_stored": [3.61, 3.52, 3.55],
            "failed_share": 0.0,
        }
    )


def study() -> pd.DataFrame:
    """The default study in small."""
    untrained = zoo(recipes=("untrained",), collection="zoo-untrained", untrained=True)
    return pd.concat([zoo(), lite(), untrained], ignore_index=True)


def layers_of(models: pd.DataFrame) -> pd.DataFrame:
    """Layers of these models: every ninth fit failed, alpha falls with depth."""
    rng = np.random.default_rng(3)
    rows = []
    for index, model in enumerate(models["model"].unique()):
        count = 3 + index % 5
        for layer in range(count):
            failed = (index + layer) % 9 == 0
            alpha = -1.0 if failed else 2 + 4 * rng.random() ** 2 + 2 * layer / count
            status = "failed" if failed else "success"
            rows.append([model, layer / (count - 1), alpha, status, f"l.{layer}", "dense"])
    return pd.DataFrame(
        rows, columns=["model", "depth", "alpha", "status", "longname", "layer_type"]
    )


def spectrum() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spectra and details of a model with three layers; the fit of the largest failed."""
    rng = np.random.default_rng(5)
    spectra, details = [], []
    for number, count in enumerate((60, 400, 900)):
        tail = 0.8 * rng.random(count // 3) ** (-1 / 2.1)
        evals = np.sort(np.concatenate([rng.uniform(0.001, 0.8, count - len(tail)), tail]))
        name = f"blocks.{number}.conv"
        good = number < 2
        spectra.append({"longname": name, "N": 2 * count, "M": count, "evals": evals})
        details.append(
            {
                "layer_id": number,
                "name": "conv",
                "longname": name,
                "N": 2 * count,
                "M": count,
                "num_evals": count,
                "status": "success" if good else "failed",
                "alpha": 3.1 + number if good else -1.0,
                "xmin": 0.8 if good else -1.0,
                "D": 0.041,
            }
        )
    spectra.append({"longname": "bias", "N": None, "M": None, "evals": None})
    return pd.DataFrame(spectra), pd.DataFrame(details)


@functools.cache
def answers(kind: str) -> dict[str, pd.DataFrame]:
    """The statistics of a study, through the pipeline's own code."""
    models = STUDIES[kind]()
    return {
        "correlations": correlations.correlations(models, OPTIONS),
        "controls": controls.controls(models, OPTIONS),
    }


def _without_metric() -> pd.DataFrame:
    return zoo(FAMILIES[:2]).assign(alpha=np.nan, alpha_stored=np.nan)


def _without_quality() -> pd.DataFrame:
    return zoo(FAMILIES[:2]).assign(quality=np.nan)


STUDIES: dict[str, Any] = {
    "default": study,
    "small": lambda: pd.concat(
        [
            zoo(("mlp", "resnet"), RECIPES[:2], (0,)),
            lite(),
            zoo(("mlp", "resnet"), ("untrained",), (0,), "zoo-untrained", True),
        ],
        ignore_index=True,
    ),
    "empty": lambda: study().iloc[:0],
    "one model": lambda: lite().iloc[:1],
    "no zoo": lite,
    "one family": lambda: zoo(families=("mlp",)),
    "one recipe, one seed": lambda: zoo(recipes=("baseline",), seeds=(0,)),
    "no alpha": _without_metric,
    "no quality": _without_quality,
    "many families": lambda: zoo(
        families=tuple(f"family{i:02d}" for i in range(14)), recipes=("baseline",), seeds=(0,)
    ),
}
DEGENERATE = [kind for kind in STUDIES if kind not in ("default", "small")]

ASK = {
    "metrics": METRICS,
    "primary_metric": "alpha",
    "primary_quality": "accuracy",
    "reference_recipe": "baseline",
    "controls": CONTROLS,
    "confidence": 0.95,
}
TABLES = {
    "overview": ("models", "correlations"),
    "quality_metrics": ("models", "correlations"),
    "generalization_gap": ("models", "correlations"),
    "within_families": ("models", "correlations"),
    "forest": ("correlations",),
    "alpha_depth": ("models", "layers"),
    "spectral_density": ("spectra", "details"),
    "controls": ("models", "controls"),
    "training": ("models", "layers"),
}


def tables(name: str, kind: str = "default") -> dict[str, pd.DataFrame]:
    """The tables that a figure takes, in a study of this kind."""
    found = {}
    for table in TABLES[name]:
        if table == "models":
            found[table] = STUDIES[kind]()
            if name == "training":  # seeds stand for steps
                models = found[table]
                step = pd.to_numeric(models["seed"], errors="coerce")
                run = models["variant"] + models["recipe"].map(str)
                found[table] = models.assign(run=run, step=step)
        elif table == "layers":
            models = STUDIES[kind]()
            found[table] = layers_of(models) if len(models) else pd.DataFrame({"model": []})
        elif table in ("spectra", "details"):
            pair = spectrum()
            found[table] = pair[table == "details"].iloc[: 0 if kind == "empty" else None]
        else:
            found[table] = answers(kind)[table]
    return found


def drawn(name: str, kind: str = "default", look: Any = None, **ask: Any) -> Any:
    """A figure of a study of this kind; not to be changed."""
    key = (name, kind, look, tuple(ask.items()))
    if key not in DRAWN:
        DRAWN[key] = fresh(name, kind, look, **ask)
        if kind in ("default", "small"):  # of the others, only the words are read
            with style.style():
                DRAWN[key].draw_without_rendering()
    return DRAWN[key]


DRAWN: dict[Any, Any] = {}


def fresh(name: str, kind: str = "default", look: Any = None, **ask: Any) -> Any:
    """A figure that no other test has."""
    extra = {"model": "net"} if name == "spectral_density" else {}
    look = look or style.Look(dpi=60)
    return draw(name, tables(name, kind), look, ASK | extra | ask)


def texts(figure: Any) -> list[Any]:
    """Every text that is printed: legends, ticks, labels, words."""
    found = figure.findobj(matplotlib.text.Text)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def words(figure: Any) -> str:
    """All texts as one, single spaces between words."""
    return " ".join(" ".join(text.get_text().split()) for text in texts(figure))


def printed(name: str, figure: Any) -> float:
    """How tall a figure is in the PDF, in mm: its share of the width is in the paper's text."""
    paper = Path(__file__).parents[2] / "paper"
    text = "".join(
        path.read_text("utf-8") for path in [*paper.glob("parts/*"), *paper.glob("*.qmd")]
    )
    (share,) = re.findall(rf"\(figures/{name}\.svg\){{#\S+ width=(\d+)%", text)
    width, height = figure.get_size_inches()
    return 158 * int(share) / 100 * height / width


def tau_of(table: pd.DataFrame, **labels: str) -> str:
    """How Kendall's tau of one row of a table is to be written."""
    chosen = table[(table["treatment"] == "dropped") & (table["metric"] == "alpha")]
    for name, value in labels.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return f"τ = {chosen.iloc[0]['kendall']:.2f}".replace("-", "\N{MINUS SIGN}")


# --- all figures ----------------------------------------------------------------------------------


def test_every_figure_takes_the_tables_and_options_that_the_registry_names():
    """An option that is missing there would not redraw the figure."""
    for name, drawing in registry.FIGURES.items():
        module = import_module(registry.module_of(name))
        assert tuple(inspect.signature(getattr(module, name)).parameters)[2:] == drawing.tables
        assert set(drawing.options) <= {field.name for field in dataclasses.fields(data.Ask)}


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


LONG = "a-name-as-long-as-some-are-of-family-"


@functools.cache
def large() -> dict[str, pd.DataFrame]:
    """Sixty families with long names in thirty collections, and thirty metrics besides."""
    few = [zoo(tuple(f"{LONG}{i}-{j}" for j in range(2)), ("baseline",), (0,)) for i in range(29)]
    many = zoo(tuple(f"{LONG}{j:02d}" for j in range(60)), RECIPES, (0,))
    parts = [part.assign(collection=f"collection-{LONG}{i}") for i, part in enumerate(few)]
    untrained = many[many["recipe"] == "baseline"].assign(recipe="untrained", collection="none")
    untrained["model"] = "untrained-" + untrained["model"]
    models = pd.concat([many, *parts, untrained], ignore_index=True)
    models = models[models["quality_metric"] == "accuracy"]
    extra = [f"metric_{i:02d}" for i in range(60)]
    models = models.assign(**{name: models["alpha"] * (i + 1) for i, name in enumerate(extra)})
    rows, checked = [], []
    labels = dict.fromkeys(data.ESTIMATE_TEXT, "") | {"treatment": "dropped"}
    labels |= {"metric": "alpha", "quality_metric": "accuracy", "dataset": "mnist-1d"}
    labels |= {"weightwatcher_version": "0.7.7"}
    rng = np.random.default_rng(2)
    for collection, own in models[models["collection"] != "none"].groupby("collection"):
        scopes = [("a", "pooled", ""), ("b", "within", ""), ("c", "within", "")]
        scopes += [("b", "family", family) for family in own["family"].unique()]
        for comparison, scope, family in scopes:
            tau = rng.uniform(-0.8, 0.2)
            row = labels | {"collection": collection, "comparison": comparison, "scope": scope}
            row |= {"family": family, "n": len(own) // (10 if family else 1), "kendall": tau}
            low = tau - 0.2 if len(rows) % 3 or not family else np.nan
            rows.append(row | {"kendall_low": low, "kendall_high": low + 0.4})
    for metric, relation, scope in itertools.product(
        extra, ("trained", "untrained"), ("pooled", "within")
    ):
        row = labels | {"collection": "none", "reference": "zoo", "metric": metric, "scope": scope}
        row |= {"relation": relation, "n": 180, "kendall": -0.2}
        checked.append(row | {"kendall_low": -0.4, "kendall_high": 0.1})
    models = models.assign(run=models["model"].str[:-2], step=rng.integers(0, 9, len(models)))
    found = {"models": models, "layers": layers_of(models)}
    return found | {"correlations": pd.DataFrame(rows), "controls": pd.DataFrame(checked)}


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


def test_the_forest_keeps_what_the_text_is_about_then_rows_with_an_interval():
    figure = draw("forest", {"correlations": large()["correlations"]}, style.Look(), ASK)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {"all models", "within families", "within variants"} <= set(names)
    assert "hollow" not in words(figure) and "too few for an interval" not in words(figure)
    shown = re.search(
        r"(\d+) rows without an interval or with fewer models not shown", words(figure)
    )
    assert int(shown[1]) == len(large()["correlations"]) - len(names)


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


@pytest.mark.parametrize("name", [n for n in BASIC if n != "forest"])
def test_axes_say_what_they_are_in_which_unit(name):
    unit = {"spectral_density": "(1/λ)", "alpha_depth": "depth (0 first, 1 last layer)"}
    expected = unit.get(name, "gap (% points)" if "gap" in name else "accuracy (%)")
    assert expected in words(drawn(name))


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


# --- what each says -------------------------------------------------------------------------------


def test_annotated_correlations_are_the_tables():
    table = answers("default")["correlations"]
    table = table[table["quality_metric"] == "accuracy"]
    zoo_rows = table[table["collection"] == "zoo"]
    pooled = tau_of(zoo_rows, comparison="a", scope="pooled")
    lite_tau = tau_of(table[table["collection"] == "efficientnet-lite"], scope="family")
    assert {pooled, lite_tau} <= set(re.findall(r"τ = \S+", words(drawn("quality_metrics"))))

    within = words(drawn("within_families"))
    for family in FAMILIES:
        b = tau_of(zoo_rows, comparison="b", scope="family", family=family)
        c = tau_of(zoo_rows, comparison="c", scope="within", family=family)
        assert re.search(rf"\(b\) variants: {b} \(n = 6\) \(c\) recipes: {c} \(n = 18\)", within)

    seen = words(drawn("overview"))
    for comparison, scope in (("a", "pooled"), ("b", "within"), ("c", "within")):
        row = zoo_rows[
            (zoo_rows["comparison"] == comparison)
            & (zoo_rows["scope"] == scope)
            & (zoo_rows["family"] == "")
            & (zoo_rows["metric"] == "alpha")
            & (zoo_rows["treatment"] == "dropped")
        ].iloc[0]
        low, high = (figures_marks.number(row[f"kendall_{end}"]) for end in ("low", "high"))
        assert (
            f"τ = {figures_marks.number(row['kendall'])} [{low}, {high}] (n = {row['n']})" in seen
        )


def test_annotations_change_with_the_table():
    given = tables("overview")
    given["correlations"] = given["correlations"].assign(
        kendall=-0.123, kendall_low=-0.456, kendall_high=0.789
    )
    seen = words(draw("overview", given, style.Look(), ASK))
    assert seen.count("τ = −0.12 [−0.46, 0.79]") == 3


def forest_rows(figure: Any) -> dict[str, float]:
    """The names on the left with their heights."""
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    return dict(zip(labels, ax.get_yticks(), strict=True))


def test_forest_shows_the_values_and_hollow_marks_have_no_interval():
    table = answers("default")["correlations"]
    figure = drawn("forest")
    (ax,) = figure.axes
    heights = forest_rows(figure)
    rows = table[
        (table["metric"] == "alpha")
        & (table["quality_metric"] == "accuracy")
        & (table["treatment"] == "dropped")
        & (table["collection"] == "zoo")
    ]
    families = rows[(rows["comparison"] == "b") & (rows["scope"] == "family")]
    assert len(families) == 5
    for row in families.to_dict("records"):
        near = [
            line
            for line in ax.lines
            if len(line.get_xdata()) == 1
            and line.get_marker() == "o"
            and abs(line.get_ydata()[0] - heights[row["family"]]) < 0.3
        ]
        assert [line.get_xdata()[0] for line in near] == [pytest.approx(row["kendall"])]
        hollow = near[0].get_markerfacecolor() == "white"
        assert hollow == np.isnan(row["kendall_low"])
    ends = sorted(tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2)
    pooled = rows[rows["comparison"] == "a"].iloc[0]
    assert any(np.allclose(e, (pooled["kendall_low"], pooled["kendall_high"])) for e in ends)
    seen = words(figure)
    assert "theory expects < 0" in seen and "failed fits averaged in" in seen
    assert "size only (baseline)" in seen


def test_forest_shows_the_other_treatment_only_where_it_differs():
    table = answers("default")["correlations"]
    same = table.copy()
    dropped = table[table["treatment"] == "dropped"]
    copy = dropped.assign(treatment="stored")
    same = pd.concat([dropped, copy], ignore_index=True)
    figure = draw("forest", {"correlations": same}, style.Look(), ASK)
    assert "failed fits averaged in" not in words(figure)


def test_better_is_up_so_that_the_sign_of_tau_is_what_one_sees():
    assert data.LOWER_IS_BETTER == keys.LOWER_IS_BETTER
    for name, up in (("quality_metrics", True), ("generalization_gap", False)):
        for ax in drawn(name, "small").findobj(matplotlib.axes.Axes):
            low, high = ax.get_ylim()
            assert (low < high) == up
    assert "low on top" in words(drawn("generalization_gap", "small"))


def test_untrained_networks_are_in_the_controls_only():
    for name in ("overview", "quality_metrics", "within_families", "forest", "alpha_depth"):
        assert "untrained" not in words(drawn(name)), name
    assert "zoo and zoo-untrained" in words(drawn("controls"))


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


def test_families_keep_colour_and_marker_and_many_differ():
    look = style.family_look(f"f{i:03d}" for i in range(70))
    assert len(set(look.values())) == 70
    assert style.family_look("ba") == style.family_look("ab")
    assert len({colour for colour, _ in list(look.values())[:7]}) == 7


def test_many_families_are_labelled_without_overlap():
    figure = drawn("quality_metrics", "many families")
    first = figure.findobj(matplotlib.axes.Axes)[0]
    labels = [text for text in first.texts if text.get_text().startswith("family")]
    assert len(labels) >= 8
    boxes = [text.get_window_extent() for text in labels]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert not figure.findobj(matplotlib.legend.Legend)


def test_depth_counts_failed_fits_and_never_draws_them():
    given = tables("alpha_depth")
    figure = draw("alpha_depth", given, style.Look(), ASK)
    own = given["layers"][given["layers"]["model"].str.startswith("zoo-mlp-")]
    failed = int((own["status"] == "failed").sum())
    assert failed > 0
    assert f"18 models; {failed} of {len(own)} fits failed" in words(figure)
    for ax in figure.axes:
        for line in ax.lines:
            values = np.asarray(line.get_ydata(), float)
            assert np.nanmin(values) > 0
        band = ax.patches[0].get_path().get_extents(ax.patches[0].get_patch_transform())
        assert (band.y0, band.y1) == (2, 6)


def test_median_line_is_the_median_of_the_models():
    layers = pd.DataFrame(
        {
            "model": list("aabbcc"),
            "depth": [0, 1] * 3,
            "alpha": [2.0, 8.0, 4.0, 4.0, 8.0, 2.0],
        }
    )
    depth, middle = alpha_depth._median_line(layers, 3)
    assert depth.tolist() == [0, 0.5, 1]
    assert middle == pytest.approx([4, 4, 4])


def test_density_shows_the_layer_that_is_asked_for():
    spectra, details = spectrum()
    assert spectral_density.pick_layer(details, None)["longname"] == "blocks.1.conv"  # 2 failed
    assert spectral_density.pick_layer(details, "blocks.0.conv")["layer_id"] == 0
    assert spectral_density.pick_layer(details, 2)["longname"] == "blocks.2.conv"
    assert spectral_density.pick_layer(details, "nowhere") is None
    evals = spectra.iloc[1]["evals"]
    seen = words(drawn("spectral_density"))
    assert "xmin = 0.8 alpha = 4.10 D = 0.041" in seen
    assert f"{int((evals >= 0.8).sum())} in the tail" in seen
    assert "800 × 400: 400 eigenvalues" in seen and "net, blocks.1.conv" in seen
    assert "the fit of its tail failed" in words(drawn("spectral_density", layer=2))
    assert "net has no layer nowhere" in words(drawn("spectral_density", layer="nowhere"))


def test_density_and_its_fit_are_densities():
    spectra = spectrum()[0]
    figure = drawn("spectral_density")
    (ax,) = figure.axes
    (steps,) = [p for p in ax.patches if hasattr(p, "get_data")]
    values, edges, base = steps.get_data()
    inside = np.where(values > base * 1.0001, values, 0) * np.diff(edges)
    assert inside.sum() == pytest.approx(1, rel=0.01)
    fit = max(ax.lines, key=lambda line: len(line.get_xdata()))
    x, y = fit.get_xdata(), fit.get_ydata()
    tail = (spectra.iloc[1]["evals"] >= 0.8).mean()
    assert np.trapezoid(y, x) == pytest.approx(tail * (1 - (x[-1] / 0.8) ** -3.1), rel=0.02)


def test_controls_pair_the_same_variants():
    given = tables("controls")
    figure = draw("controls", given, style.Look(), ASK)
    trained, untrained = figure.findobj(matplotlib.axes.Axes)[:2]
    heights = [
        sorted(y for marks in ax.collections for y in marks.get_offsets()[:, 1])
        for ax in (trained, untrained)
    ]
    assert heights[0] == heights[1] and len(heights[0]) == 15
    table = given["controls"]
    table = table[table["quality_metric"] == "accuracy"]
    seen = words(figure)
    for relation in ("trained", "untrained"):
        for scope in ("pooled", "within"):
            value = tau_of(table, relation=relation, scope=scope)
            assert f"{scope} {value}" in seen


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


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.414, "−0.41"), (0.0, "0.00"), (-0.001, "0.00"), (1.0, "1.00"), (float("nan"), "–")],
)
def test_numbers(value, text):
    assert figures_marks.number(value) == text


def test_unknown_figures_and_options_are_errors():
    with pytest.raises(KeyError):
        draw("pie", {}, style.Look(), {})
    with pytest.raises(TypeError):
        draw("forest", tables("forest"), style.Look(), {"colour": "red"})


# --- the picture in the README --------------------------------------------------------------------


def test_the_overview_in_the_readme_is_the_default_study_as_it_is():
    root = Path(__file__).parents[2]
    found = draw_overview.drawn_from(root / "docs" / "overview.png")
    assert found == draw_overview.inputs(root), "make overview draws it anew"


def test_the_overview_is_drawn_from_the_study_and_notices_another_list_or_option(tmp_path):
    config = {"study": "s", "models": ["m.csv"], "statistics": {"seed": 1}, "title": "one"}
    (tmp_path / "m.csv").write_text("model\na\n")
    for folder in ("docs", "results/s/figures"):
        (tmp_path / folder).mkdir(parents=True)
    style.save(
        fresh("overview", "small"),
        tmp_path / "a.svg",
        tmp_path / "results/s/figures/overview.png",
        60,
    )
    picture = tmp_path / "docs" / "overview.png"

    def stale(**change: Any) -> bool:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | change))
        return draw_overview.drawn_from(picture) != draw_overview.inputs(tmp_path)

    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    draw_overview.draw_overview(tmp_path)
    with Image.open(picture) as image:
        assert image.width == draw_overview.WIDTH
        assert image.convert("L").getextrema()[0] < 80  # something is drawn
    assert not stale() and not stale(title="another")
    assert stale(statistics={"seed": 2}) and stale(zoo={"seeds": [0]})
    (tmp_path / "m.csv").write_text("model\nb\n")
    assert stale()
