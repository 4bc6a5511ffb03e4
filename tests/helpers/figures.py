"""Figures of small studies, and what is printed in them."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from atlas.figures import data, registry, style
from atlas.statistics import controls, correlations
from helpers.options import options_with
from helpers.stages import draw

METRICS = ["alpha", "failed_share", "log_parameters"]
CONTROLS = {"zoo-untrained": "zoo"}
OPTIONS = options_with(
    metrics=tuple(METRICS), permutations=9, bootstrap=9, controls=CONTROLS, seed=1
)
FAMILIES = ("convnet", "mixer", "mlp", "resnet", "transformer")
RECIPES = ("baseline", "label-noise", "quarter-data")


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
ASK = {
    "metrics": METRICS,
    "primary_metrics": ("alpha",),
    "primary_quality": "accuracy",
    "reference_recipe": "baseline",
    "controls": CONTROLS,
    "confidence": 0.95,
}
MADE = {"models", "layers", "spectra", "details", "correlations", "controls"}
"""The tables that `tables` makes."""

TABLES = {
    name: drawing.tables
    for name, drawing in registry.FIGURES.items()
    if MADE.issuperset(drawing.tables)
}
"""What each figure takes that is drawn from these alone; the others have helpers of their own."""


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


def tau_of(table: pd.DataFrame, **labels: str) -> str:
    """How Kendall's tau of one row of a table is to be written."""
    chosen = table[(table["treatment"] == "dropped") & (table["metric"] == "alpha")]
    for name, value in labels.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return f"τ = {chosen.iloc[0]['kendall']:.2f}".replace("-", "\N{MINUS SIGN}")


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
        scopes = [("a", "families", ""), ("b", "within", ""), ("c", "within", "")]
        scopes += [("b", "family", family) for family in own["family"].unique()]
        for comparison, scope, family in scopes:
            tau = rng.uniform(-0.8, 0.2)
            row = labels | {"collection": collection, "comparison": comparison, "scope": scope}
            row |= {"family": family, "n": len(own) // (10 if family else 1), "kendall": tau}
            low = tau - 0.2 if len(rows) % 3 or not family else np.nan
            rows.append(row | {"kendall_low": low, "kendall_high": low + 0.4})
    for metric, relation, scope in itertools.product(
        extra, ("trained", "untrained"), ("families", "within")
    ):
        row = labels | {"collection": "none", "reference": "zoo", "metric": metric, "scope": scope}
        row |= {"relation": relation, "n": 180, "kendall": -0.2}
        checked.append(row | {"kendall_low": -0.4, "kendall_high": 0.1})
    models = models.assign(run=models["model"].str[:-2], step=rng.integers(0, 9, len(models)))
    found = {"models": models, "layers": layers_of(models)}
    return found | {"correlations": pd.DataFrame(rows), "controls": pd.DataFrame(checked)}
