"""Figures of what explains the correlations, from made-up tables, and what is printed in them."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from atlas.figures import style
from atlas.terms import words as terms_words
from atlas.terms.notes import Note
from helpers.stages import draw

NAMES = ("alternatives", "explanations", "shape", "traits")
CONTROLS = {"zoo-untrained": "zoo"}
FAMILIES = ("convnet", "mixer", "mlp", "resnet", "transformer")
METRICS = [name for names in terms_words.ALTERNATIVES.values() for name in names]
BASELINES = ("log_norm", "log_spectral_norm", "stable_rank", "untrained_alpha", "random")
CATEGORIES = ("recipe", "dataset", "weightwatcher_version")
CANDIDATES = [name for names in terms_words.TRAITS.values() for name in names]
NUMBERS = [name for name in CANDIDATES if name not in CATEGORIES]
PART = {"collection": "zoo", "dataset": "mnist-1d", "weightwatcher_version": "0.7.7"}
ASK = {"controls": CONTROLS}
"""Everything else as by default."""


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
            row["kind"] = "baseline" if metric in BASELINES else "alternative"
            row |= {"quality_metric": "accuracy", "n": n, "units": n // 2, "groups": 5}
            row |= {"kendall": value, "kendall_alpha": own, "equal": n // 4, "note": ""}
            row |= {"kendall_low": max(value - wide, -1), "kendall_high": min(value + wide, 1)}
            row["kendall_p_holm"] = 0.001 if abs(value) > wide + 0.05 else 0.4
            row |= {"difference": value - own, "interval": "fisher-z"}
            row |= {"gain_low": abs(value) - abs(own) - wide, "gain_high": 1.0, "smallest_p": 0.01}
            row["difference_low"] = value - own - wide / 1.5
            row["difference_high"] = value - own + wide / 1.5
            if metric == "alpha_pointwise":
                row |= {"n": n // 2, "kendall_alpha": own + 0.15}
            if n < 8:
                row |= dict.fromkeys(["kendall_low", "kendall_high"], np.nan)
                row |= {"kendall_p_holm": 1.0, "note": Note.NO_INTERVAL_SMALL_N}
            if metric == "alpha_other_layers":
                row |= {"kendall": own, "equal": n // 2, "difference": 0.0}
                row |= {"difference_low": 0.0, "difference_high": 0.0}
            if metric == "alpha_depthwise" or (metric == "hill" and comparison == "c"):
                lost = [name for name in row if "kendall" in name or "difference" in name]
                row |= dict.fromkeys(lost, np.nan)
                row |= {"n": 0, "units": 0, "equal": 0, "note": Note.NO_VALUES}
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
            row |= {"candidate": candidate, "n": n, "note": "", "interval": "fisher-z"}
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


TABLES = {name: (name,) for name in NAMES} | {"shape": ("models", "shape")}


def tables(name: str, kind: str = "default") -> dict[str, pd.DataFrame]:
    return {table: study(kind)[table] for table in TABLES[name]}


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


def offsets(ax: Any) -> np.ndarray:
    """All points of a panel (k, 2)."""
    return np.vstack([np.asarray(marks.get_offsets()) for marks in ax.collections])
