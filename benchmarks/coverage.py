"""How often do the intervals of the statistics hold the truth, and how often do the tests err?

Simulates studies whose answer is known, asks `atlas.statistics` and its neighbours, and counts.
Writes a Markdown table to stdout:

    python benchmarks/coverage.py --studies 400 --seed 0 [--only NAME] [--jobs 2] [--output FILE]

A row is one interval or one test under one design. For an interval: the share of studies whose
interval holds the true value; it should be the confidence, 95 %. For a test: the share of studies
with p of at most 5 % although there is no effect; it should be no more than 5 %. Both with their
Monte Carlo standard error, sqrt(share (1 - share) / studies). True values are those of the
population that the studies are drawn from: in closed form, else of a huge sample. For two normal
variables with correlation r, Kendall's tau is 2/pi asin(r) and Spearman's 6/pi asin(r/2) (Kendall
and Gibbons 1990, Rank Correlation Methods, chapter 10).

Every study draws from a seed of its own, so the table depends neither on ``--jobs`` nor on
``--only``.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from atlas.statistics import (
    alternatives,
    baselines,
    controls,
    correlations,
    explanations,
    factors,
    meta,
    mixed,
    pairs,
    prediction,
    reliability,
    simpson,
)
from atlas.statistics.describe import describe
from atlas.statistics.models import Scope, prepare
from atlas.statistics.options import Options
from atlas.statistics.sample import make_sample
from atlas.study.schema import defaults

Array = NDArray[Any]
Rng = np.random.Generator

OPTIONS = Options.from_config(
    defaults("statistics")
    | {"metrics": ("alpha",), "permutations": 499, "bootstrap": 499, "seed": 0}
)
ALPHA = 1 - OPTIONS.confidence


@dataclass(frozen=True)
class Interval:
    """An interval and what it should hold; missing ends where there is none."""

    truth: float
    low: float
    high: float

    @property
    def hit(self) -> float:
        if math.isnan(self.low) or math.isnan(self.high):
            return math.nan
        return float(self.low <= self.truth <= self.high)


@dataclass(frozen=True)
class Test:
    """The p value of a hypothesis that is true; missing where there is none."""

    p: float

    @property
    def hit(self) -> float:
        return math.nan if math.isnan(self.p) else float(self.p <= ALPHA + 1e-9)


Findings = Mapping[str, Interval | Test]


@dataclass(frozen=True)
class Case:
    """A design; `study` simulates one study of it and says what the statistics answer.

    `share` of the studies are enough: for what takes long.
    """

    name: str
    design: str
    study: Callable[[Rng, Options], Findings]
    share: float = 1.0


# --- what is simulated ----------------------------------------------------------------------


def kendall_of(r: float) -> float:
    """Kendall's tau of two normal variables with correlation r."""
    return 2 / math.pi * math.asin(r)


def spearman_of(r: float) -> float:
    """Spearman's correlation of two normal variables with correlation r."""
    return 6 / math.pi * math.asin(r / 2)


def normal(rng: Rng, shape: int | tuple[int, ...], r: float) -> Array:
    """Two standard normal variables with correlation r: (2, *shape)."""
    x, e = rng.normal(size=(2, *np.atleast_1d(shape)))
    return np.array([x, r * x + math.sqrt(1 - r * r) * e])


def models(alpha: Array, quality: Array, **labels: object) -> pd.DataFrame:
    """A table of models from alpha and quality, arrays of one shape; labels are broadcast."""
    shape = np.shape(alpha)
    defaults: dict[str, object] = {
        "collection": "c",
        "family": "f",
        "variant": "",
        "recipe": "baseline",
        "seed": "",
        "dataset": "d",
        "quality_metric": "accuracy",
        "weightwatcher_version": "0",
        "parameters": np.nan,
    }
    columns = {"alpha": alpha, "quality": quality} | defaults | labels
    table = pd.DataFrame({k: np.broadcast_to(v, shape).ravel() for k, v in columns.items()})
    return table.assign(model=[f"m{i:04d}" for i in range(len(table))])


def names(letter: str, number: int, axis: int, of: int) -> Array:
    """`number` names along one of `of` axes, to be broadcast."""
    return np.array([f"{letter}{i:03d}" for i in range(number)], dtype=object).reshape(
        [number if i == axis else 1 for i in range(of)]
    )


def grid(x: Array, y: Array, **labels: object) -> pd.DataFrame:
    """Models of families (first axis), variants (second) and, if there are three axes, seeds."""
    shape = np.shape(x)
    family = names("f", shape[0], 0, len(shape))
    variant = family + "-" + names("v", shape[1], 1, len(shape))
    seeds = {"seed": names("", shape[2], 2, 3)} if len(shape) == 3 else {}
    return models(x, y, **({"family": family, "variant": variant} | seeds | labels))


def estimates(table: pd.DataFrame, options: Options, groups: str = "") -> dict[str, Any]:
    """The estimates of one scope of all models, centred on the means of `groups` if given."""
    table = prepare(table)
    labels = table[groups].to_numpy() if groups else None
    scope = Scope("b", "within" if groups else "family", "", "", table, labels)
    values = [table["alpha"].to_numpy(), table["oriented"].to_numpy()]
    return describe(make_sample(scope, values, options), options, ("coverage",))


def row_of(table: pd.DataFrame, **labels: object) -> Mapping[str, Any]:
    """The only row with these labels, of metric alpha and treatment dropped."""
    for column, value in ({"metric": "alpha", "treatment": "dropped"} | labels).items():
        if column in table:
            table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return row


def interval(row: Mapping[str, Any], name: str, truth: float) -> Interval:
    low, high = (row.get(f"{name}_{end}", math.nan) for end in ("low", "high"))
    return Interval(truth, float(low), float(high))


def three(row: Mapping[str, Any], r: float, **truths: float) -> Findings:
    """Intervals of the three correlations, and their tests where nothing is correlated.

    `truths` replaces those of normal variables.
    """
    truths = {"kendall": kendall_of(r), "spearman": spearman_of(r), "pearson": r} | truths
    found: dict[str, Interval | Test] = {
        f"{kind} {row['interval']}": interval(row, kind, truth)
        for kind, truth in truths.items()
        if row["interval"]
    }
    if r == 0:
        found |= {f"{kind}_p": Test(row[f"{kind}_p"]) for kind in truths}
    return found


# --- correlations ---------------------------------------------------------------------------


def plain(n: int, r: float) -> Case:
    def study(rng: Rng, options: Options) -> Findings:
        return three(estimates(models(*normal(rng, n, r)), options), r)

    return Case("correlations", f"{n} models, r = {r:g}", study)


def skewed(n: int, r: float) -> Case:
    """Alpha is log-normal: Pearson's correlation becomes r / sqrt(e - 1), ranks stay."""

    def study(rng: Rng, options: Options) -> Findings:
        x, y = normal(rng, n, r)
        row = estimates(models(np.exp(x), y), options)
        return three(row, r, pearson=r / math.sqrt(math.e - 1))

    return Case("correlations", f"{n} models, r = {r:g}, alpha log-normal", study)


@functools.cache
def tied_truth(r: float) -> dict[str, float]:
    """Correlations of a huge sample of rounded normal variables."""
    x, y = np.round(normal(np.random.default_rng(0), 400_000, r))
    return {
        "kendall": stats.kendalltau(x, y).statistic,
        "spearman": stats.spearmanr(x, y).statistic,
        "pearson": stats.pearsonr(x, y).statistic,
    }


def tied(n: int, r: float) -> Case:
    def study(rng: Rng, options: Options) -> Findings:
        row = estimates(models(*np.round(normal(rng, n, r))), options)
        return three(row, r, **(tied_truth(r) if r else {}))

    return Case("correlations", f"{n} models, r = {r:g}, rounded to whole SDs (ties)", study)


def replicated(variants: int, seeds: int, r: float, families: int = 1, naive: bool = False) -> Case:
    """Variants whose seeds vary by a fifth of the variance, in alpha and quality independently.

    Several families: within them. What is correlated are means over seeds, unless each model counts.
    """
    share = 0.2
    truth = r * (1 - share) / (1 - share + share / (1 if naive else seeds))

    def study(rng: Rng, options: Options) -> Findings:
        units = math.sqrt(1 - share) * normal(rng, (families, variants, 1), r)
        x, y = units + math.sqrt(share) * rng.normal(size=(2, families, variants, seeds))
        options = replace(options, seeds_are_replicates=not naive)
        row = estimates(grid(x, y), options, groups="family" if families > 1 else "")
        return three(row, truth)

    where = f"within {families} families of {variants}" if families > 1 else f"{variants}"
    how = "each model a unit (wrong)" if naive else "replicates"
    return Case("seeds", f"{where} variants with {seeds} seeds, r = {r:g}, {how}", study)


def within(families: int, variants: int, r: float) -> Case:
    """Families shifted by five times the SD inside them: differences inside have correlation r."""

    def study(rng: Rng, options: Options) -> Findings:
        shift = 5 * rng.normal(size=(2, families, 1))
        x, y = normal(rng, (families, variants), r) + shift
        return three(estimates(grid(x, y), options, groups="family"), r)

    return Case("within", f"within {families} families of {variants}, r = {r:g}", study)


def resembling(families: int, variants: int) -> Case:
    """No correlation, but families share 0.67 of the variance of alpha, 0.85 of quality's."""
    share = np.array([0.67, 0.85])[:, None, None]

    def study(rng: Rng, options: Options) -> Findings:
        x, y = np.sqrt(share) * rng.normal(size=(2, families, 1)) + np.sqrt(1 - share) * rng.normal(
            size=(2, families, variants)
        )
        table = correlations.correlations(grid(x, y), options)
        return {
            f"{scope} {name}": found
            for scope in ("families", "pooled (wrong)")
            for name, found in three(
                row_of(table, comparison="a", scope=scope.split()[0]), 0.0
            ).items()
        }

    design = f"{families} families of {variants}, r = 0, families that resemble each other"
    return Case("families", design, study, share=0.5)


def common_recipes(variants: int, recipes: int) -> Case:
    """No correlation, but a recipe moves alpha (and quality) alike in all variants."""

    def study(rng: Rng, options: Options) -> Findings:
        x, y = rng.normal(size=(2, 1, recipes)) + 0.7 * rng.normal(size=(2, variants, recipes))
        labels = {"variant": names("v", variants, 0, 2), "recipe": names("r", recipes, 1, 2)}
        table = correlations.correlations(models(x, y, **labels), options)
        row = row_of(table, comparison="c", scope="within", family="")
        together = row_of(meta.meta(models(x, y, **labels), table, options), comparison="c")
        return {
            **three(row, 0.0),
            "mean_r_p": Test(float(together["mean_r_p"])),
        }

    design = f"(c) within {variants} variants, {recipes} recipes that act alike in all, r = 0"
    return Case("recipes", design, study, share=0.5)


# --- beside the correlations ----------------------------------------------------------------


def beyond_size(n: int, r: float) -> Case:
    """Size moves alpha and quality; what is left of them has correlation r."""

    def study(rng: Rng, options: Options) -> Findings:
        size = rng.normal(size=n)
        x, y = normal(rng, n, r) + size * np.array([[-1.0], [1.0]])
        table = models(x, y, parameters=10 ** (6 + size))
        row = row_of(baselines.baselines(table, options), scope="family")
        found: dict[str, Interval | Test] = {"partial": interval(row, "partial", r)}
        if r:
            return found
        found["partial_p"] = Test(row["partial_p"])
        # The partial Kendall's tau, which nothing rests on any more: its interval is no test.
        xy, xz, yz = (stats.kendalltau(a, b).statistic for a, b in ((x, y), (x, size), (y, size)))
        z = math.atanh((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)))
        half = stats.norm.ppf(1 - ALPHA / 2) * math.sqrt(0.437 / (n - 5))
        return found | {"partial tau excludes 0 (wrong)": Test(0.0 if abs(z) > half else 1.0)}

    design = f"{n} models, r = {r:g} given size, both follow size"
    return Case("baselines", design, study, share=0.5)


def together(k: int, mean: float, tau: float, sizes: tuple[int, int]) -> Case:
    """Groups whose true z is normal around `mean` with SD `tau`; sizes (least, most)."""

    def study(rng: Rng, _: Options) -> Findings:
        true = np.tanh(rng.normal(mean, tau, size=k))
        units = rng.integers(sizes[0], sizes[1] + 1, size=k)
        r = [np.corrcoef(normal(rng, n, rho))[0, 1] for n, rho in zip(units, true, strict=True)]
        groups = pd.DataFrame({"pearson": r, "n": units, "units": units})
        row = meta.random_effects(groups, OPTIONS.confidence)
        found: dict[str, Interval | Test] = {
            "pearson hksj": interval(row, "pearson", math.tanh(mean))
        }
        return found | ({} if mean else {"pearson_p": Test(row["pearson_p"])})

    low, high = sizes
    design = f"{k} groups of {low} to {high}, z = {mean:g}, SD between groups {tau:g}"
    return Case("meta", design, study)


def mean_of_small(k: int, n: int) -> Case:
    def study(rng: Rng, options: Options) -> Findings:
        table = grid(*normal(rng, (k, n), 0.0))
        group = table.iloc[[0]].assign(comparison="b", scope="family", metric="alpha")
        group = group.assign(treatment="dropped", pearson=math.nan, n=n, units=n)
        return {"mean_r_p": Test(row_of(meta.meta(table, group, options))["mean_r_p"])}

    return Case("meta", f"{k} groups of {n}, no correlation", study)


def paradox(families: int, variants: int, inside: float, between: float, spread: float) -> Case:
    """Families with tau `inside` on average, and of pairs from different families `between`.

    Half of the families have a correlation `spread` larger, half one that much smaller. Kendall's
    tau is a mean over pairs, so the pooled one has the expectation: the share of pairs of one
    family times tau inside, and the rest times `between`.
    """
    sides = inside + spread * np.array([1.0, -1.0])
    tau_inside = float(np.mean([kendall_of(r) for r in sides]))
    share = (variants - 1) / (families * variants - 1)
    truth = (1 - share) * (kendall_of(between) - tau_inside)

    def study(rng: Rng, options: Options) -> Findings:
        # Between families the variance is that inside, times 3: (inside + 3 b) / 4 = between.
        x, y = math.sqrt(3) * normal(rng, (families, 1), (4 * between - inside) / 3)
        own = np.array([normal(rng, variants, r) for r in rng.permuted(np.resize(sides, families))])
        row = row_of(simpson.simpson(grid(x + own[:, 0], y + own[:, 1]), options))
        found: dict[str, Interval | Test] = {"difference": interval(row, "difference", truth)}
        return found | ({} if truth else {"claimed": Test(1.0 - row["claimed"])})

    design = f"{families} families of {variants}, r = {inside:g}"
    design += f" ± {spread:g}" if spread else ""
    return Case("simpson", f"{design} inside and {between:g} between families", study)


def untrained(variants: int, r: float) -> Case:
    """Three families; the untrained alpha has correlation r with the trained quality."""

    def study(rng: Rng, options: Options) -> Findings:
        before, quality = normal(rng, (3, variants), r) + 3 * rng.normal(size=(2, 3, 1))
        trained = grid(rng.normal(size=(3, variants)), quality)
        control = grid(before, rng.normal(size=(3, variants)), collection="u")
        table = pd.concat([trained, control.assign(model="u-" + control["model"])])
        options = replace(options, controls={"u": "c"})
        row = row_of(controls.controls(table, options), relation="untrained", scope="within")
        return three(row, r)

    design = f"untrained alpha, trained quality: within 3 families of {variants}, r = {r:g}"
    return Case("controls", design, study, share=0.5)


# --- pairs, predictions, explanations --------------------------------------------------------


def crossed(variants: int, recipes: int, r: float) -> Case:
    """Pairs of recipes of one variant: half of the variance is a recipe's, alike in all variants.

    The difference of two models of a variant is normal with variance 2 in alpha and in quality, and
    with correlation r.
    """

    def study(rng: Rng, options: Options) -> Findings:
        x, y = math.sqrt(0.5) * (normal(rng, (1, recipes), r) + normal(rng, (variants, recipes), r))
        labels = {"variant": names("v", variants, 0, 2), "recipe": names("r", recipes, 1, 2)}
        row = row_of(pairs.pairs(models(x, y, **labels), options), family="")
        found: dict[str, Interval | Test] = {
            "concordance": interval(row, "concordance", (1 - kendall_of(r)) / 2),
            "gain": interval(row, "gain", -r / math.sqrt(math.pi)),
        }
        return found | ({} if r else {"concordance_p": Test(row["concordance_p"])})

    return Case("pairs", f"{variants} variants with the same {recipes} recipes, r = {r:g}", study)


def factorial(variants: int, levels: Sequence[int], r: float, share: float = 0.5) -> Case:
    """A grid of settings in all variants, with two seeds that take a fifth of the variance.

    Of the rest, `share` is a setting's, alike in all variants, and the other part its own in each
    variant. The difference of two settings of a variant is normal in alpha and in quality, with
    correlation r but for the seeds.
    """
    settings = list(itertools.product(*(range(number) for number in levels)))
    columns = {
        f"factor_{name}": np.array([f"level{s[place]}" for s in settings], object)[None, :, None]
        for place, name in zip(range(len(levels)), "abcdefgh", strict=False)
    }
    truth = kendall_of(r * 0.8 / 0.9)  # the mean of two seeds has half of their variance

    def study(rng: Rng, options: Options) -> Findings:
        shape = len(settings), 1
        common = math.sqrt(0.8 * share) * normal(rng, (1, *shape), r)
        own = math.sqrt(0.8 * (1 - share)) * normal(rng, (variants, *shape), r)
        seeds = math.sqrt(0.2) * rng.normal(size=(2, variants, len(settings), 2))
        labels = {"variant": names("v", variants, 0, 3), "seed": names("", 2, 2, 3)}
        table = models(*(common + own + seeds), **labels, **columns)
        table = factors.factors(table, replace(options, primary_metrics=("alpha",)))
        found: dict[str, Interval | Test] = {}
        for name, factor in (("all", ""), ("one", "a")):
            row = row_of(table, factor=factor)
            found |= {f"{name}: kendall": interval(row, "kendall", truth)}
            found |= {f"{name}: sign_error": interval(row, "sign_error", (1 + truth) / 2)}
            if not r:
                tests = ("kendall_p", "sign_error_p", *(() if factor else ("information_p",)))
                found |= {f"{name}: {test}": Test(row[test]) for test in tests}
        return found

    grid = " x ".join(map(str, levels))
    design = f"{variants} variants in a grid of {grid} settings, r = {r:g}, "
    design += f"{percent(share)} % of a setting alike in all variants"
    return Case("factors", design, study, share=0.5)


def moved(variants: int, number: int) -> Case:
    """Two levels a factor, each of which moves alpha and quality for reasons of its own.

    Whole settings are not exchangeable then: factors are what is independent.
    """
    settings = np.array(list(itertools.product((0, 1), repeat=number)))
    columns = {
        f"factor_{name}": settings[:, place].astype(str).astype(object)[None, :]
        for place, name in zip(range(number), "abcdefgh", strict=False)
    }

    def study(rng: Rng, options: Options) -> Findings:
        effects = rng.normal(size=(2, number)) @ settings.T
        x, y = effects[:, None, :] + rng.normal(size=(2, variants, len(settings)))
        table = models(x, y, variant=names("v", variants, 0, 2), **columns)
        table = factors.factors(table, replace(options, primary_metrics=("alpha",)))
        row = row_of(table, factor="")
        return {f"all: {test}": Test(row[test]) for test in ("kendall_p_factors", "sign_error_p")}

    design = f"{variants} variants, {number} factors that move alpha and quality independently"
    return Case("factors", design, study, share=0.5)


def twice(families: int, variants: int, seeds: int, r: float, noise: float, own: float) -> Case:
    """Families and variants with variance 1 and correlation r each, and seeds of variance `noise`
    with correlation `own`."""
    error = noise / seeds
    truths = {
        "a": 1 - error / variants / (1 + (1 + error) / variants),
        "b": 1 - error / (1 + error),
    }

    def study(rng: Rng, options: Options) -> Findings:
        x, y = (
            normal(rng, (families, 1, 1), r)
            + normal(rng, (families, variants, 1), r)
            + math.sqrt(noise) * normal(rng, (families, variants, seeds), own)
        )
        table = reliability.reliability(grid(x, y), replace(options, primary_metrics=("alpha",)))
        found: dict[str, Interval | Test] = {}
        for question, truth in truths.items():
            row = row_of(table, comparison=question)
            name = "metric_reliability"
            found[f"({question}) {name}"] = interval(row, name, truth)
            found[f"({question}) pearson_corrected"] = interval(row, "pearson_corrected", r)
        return found

    design = f"{families} families of {variants}, {seeds} seeds of variance {noise:g}, r = {r:g}, "
    return Case("reliability", f"{design}of seeds {own:g}", study)


def twice_crossed(
    variants: int, settings: int, r: float, noise: float, own: float, share: float
) -> Case:
    """Settings in all variants with two seeds of variance `noise` and correlation `own`.

    Settings have variance 1, of which `share` is alike in all variants.
    """

    def study(rng: Rng, options: Options) -> Findings:
        x, y = (
            math.sqrt(share) * normal(rng, (1, settings, 1), r)
            + math.sqrt(1 - share) * normal(rng, (variants, settings, 1), r)
            + math.sqrt(noise) * normal(rng, (variants, settings, 2), own)
        )
        labels = {"variant": names("v", variants, 0, 3), "seed": names("", 2, 2, 3)}
        table = models(x, y, recipe=names("r", settings, 1, 3), **labels)
        table = reliability.reliability(table, replace(options, primary_metrics=("alpha",)))
        row = row_of(table, comparison="c")
        return {
            "(c) metric_reliability": interval(row, "metric_reliability", 1 / (1 + noise / 2)),
            "(c) pearson_corrected": interval(row, "pearson_corrected", r),
        }

    design = f"{variants} variants with the same {settings} settings, two seeds of variance "
    design += f"{noise:g}, r = {r:g}, of seeds {own:g}, {percent(share)} % of a setting alike"
    return Case("reliability", design, study)


def nested(families: int, variants: int, within: float, between: float, slopes: float) -> Case:
    """Quality follows alpha by `within` inside families and by `between` between them.

    Alpha varies as much between families as inside. Families differ by an SD of 0.5 in quality and
    by `slopes` in the effect inside. A family's mean holds a part of what varies inside it, and so
    does the effect of the mean. Effects are in SDs of the population.
    """
    part = 1 / variants
    mean = (between + part * within) / (1 + part)
    scale = math.sqrt(2 / (between**2 + within**2 + slopes**2 + 0.25 + 0.5))
    truths = {"within": within * scale, "between": mean * scale}
    truths["difference"] = truths["between"] - truths["within"]

    def study(rng: Rng, options: Options) -> Findings:
        shift, own = rng.normal(size=(families, 1)), rng.normal(size=(families, variants))
        inside = within + slopes * rng.normal(size=(families, 1))
        noise = 0.5 * rng.normal(size=(families, 1))
        noise = noise + math.sqrt(0.5) * rng.normal(size=(families, variants))
        table = grid(shift + own, between * shift + inside * own + noise)
        row = row_of(mixed.mixed(table, options), comparison="b", adjusted=False)
        found: dict[str, Interval | Test] = {
            name: interval(row, name, truth) for name, truth in truths.items()
        }
        return found | {
            f"{name}_p": Test(row[f"{name}_p"]) for name, truth in truths.items() if not truth
        }

    design = f"{families} families of {variants}, effect {within:g} inside, {between:g} between"
    return Case("mixed", f"{design}, SD of slopes {slopes:g}", study, share=0.5)


def left_out(families: int, variants: int, between: float) -> Case:
    """Size and alpha say nothing about quality inside families; alpha does between them."""

    def study(rng: Rng, options: Options) -> Findings:
        x, y = normal(rng, (families, 1), between) + rng.normal(size=(2, families, variants))
        table = grid(x, y, parameters=10 ** rng.normal(6, 1, size=(families, variants)))
        # No metrics beside the primary one: without forests, which have no test.
        table = prediction.prediction(table, replace(options, metrics=()))
        return {
            f"{predictor}: concordance_within_p": Test(
                row_of(table, predictor=predictor)["concordance_within_p"]
            )
            for predictor in ("size", "alpha", "alpha + size", prediction.sign_of("alpha"))
        }

    design = f"{families} families of {variants}, alpha r = {between:g} between families, else 0"
    return Case("prediction", design, study)


def beside_alpha(families: int, variants: int, alpha: float, other: float) -> Case:
    """A metric has correlation 0.5 with alpha, and `other` with quality; alpha has `alpha`.

    Means of families have the correlations of models.
    """
    matrix = np.array([[1, 0.5, alpha], [0.5, 1, other], [alpha, other, 1]])

    def study(rng: Rng, options: Options) -> Findings:
        x, hill, y = np.einsum(
            "ij,jfv->ifv", np.linalg.cholesky(matrix), rng.normal(size=(3, families, variants))
        )
        table = alternatives.alternatives(grid(x, y, hill=hill), options)
        found: dict[str, Interval | Test] = {}
        for comparison in "ab":
            row = row_of(table, comparison=comparison, metric="hill")
            own, reference = kendall_of(other), kendall_of(alpha)
            found[f"({comparison}) difference"] = interval(row, "difference", own - reference)
            found[f"({comparison}) gain"] = interval(row, "gain", abs(own) - abs(reference))
            found[f"({comparison}) kendall"] = interval(row, "kendall", own)
            if not other:
                found[f"({comparison}) kendall_p"] = Test(row["kendall_p"])
        return found

    design = f"{families} families of {variants}, alpha r = {alpha:g}, other metric r = {other:g}"
    return Case("alternatives", design, study, share=0.5)


def explained(families: int, variants: int, r: float) -> Case:
    """A candidate (D) has correlation r with the families' taus, and none with their parts.

    Families share half of the variance of the candidate, of alpha and of quality. The taus are
    given: nothing but the relation is tested.
    """

    def study(rng: Rng, options: Options) -> Findings:
        x, y = rng.normal(size=(2, families, 1)) + rng.normal(size=(2, families, variants))
        candidate, taus = normal(rng, families, r)
        inside = rng.normal(size=(families, variants))
        inside -= inside.mean(axis=1, keepdims=True)
        table = grid(x, y, D=candidate[:, None] + inside)
        given = table.drop_duplicates("family").assign(
            comparison="b", scope="family", variant="", metric="alpha", treatment="dropped"
        )
        given = given.assign(kendall=0.2 * taus)
        table = explanations.explanations(table, given, options)
        table = table[table["candidate"] == "D"]
        row = row_of(table, level="family", comparison="b")
        found: dict[str, Interval | Test] = {
            f"family (b) {row['interval']}": interval(row, "kendall", kendall_of(r))
        }
        if not r:
            found["family (b) p"] = Test(row["kendall_p"])
            for level, comparison in (("family", "a"), ("variant", "b")):
                row = row_of(table, level=level, comparison=comparison)
                found[f"{level} ({comparison}) p"] = Test(row["kendall_p"])
        return found

    design = f"a candidate and tau of {families} families of {variants}, r = {r:g}"
    return Case("explanations", design, study, share=0.5)


def cases() -> Iterator[Case]:
    """Every design, in the order of the table."""
    for n in (4, 5, 6, 7, 8, 9, 12, 30):
        yield plain(n, 0.0)
    for n in (5, 7, 8, 12, 20, 50):
        yield plain(n, -0.6)
    yield plain(12, -0.9)
    yield skewed(20, -0.6)
    yield tied(8, 0.0)
    yield tied(20, -0.6)
    yield replicated(12, 3, 0.0)
    yield replicated(12, 3, 0.0, naive=True)
    yield replicated(12, 3, -0.6)
    for variants in (3, 4):  # as in the default study
        yield replicated(variants, 2, 0.0, families=5)
        yield replicated(variants, 2, -0.6, families=5)
    yield replicated(4, 3, -0.6, families=6)
    yield replicated(10, 3, -0.6, families=6)
    for families, variants in ((3, 3), (5, 3), (6, 5)):
        yield within(families, variants, 0.0)
        yield within(families, variants, -0.6)
    yield resembling(5, 4)
    yield resembling(12, 4)
    for variants, recipes in ((15, 5), (6, 6), (6, 12), (5, 32)):
        yield common_recipes(variants, recipes)
    for n in (12, 30, 100):
        yield beyond_size(n, 0.0)
        yield beyond_size(n, -0.5)
    for k, tau in ((3, 0.0), (3, 0.5), (6, 0.0), (6, 0.5), (12, 0.5)):
        yield together(k, -0.7, tau, (5, 12))
    yield together(6, 0.0, 0.5, (5, 12))
    yield mean_of_small(6, 3)
    yield paradox(8, 6, -0.6, -0.6, 0.0)
    yield paradox(8, 6, 0.6, -0.6, 0.0)
    yield paradox(8, 6, 0.0, -0.6, 0.6)
    yield untrained(5, 0.0)
    for recipes, r in ((6, 0.0), (6, -0.6), (12, 0.0), (12, -0.6)):
        yield crossed(6, recipes, r)
    for r in (0.0, -0.6):
        yield factorial(8, (2, 2, 2, 4), r)
        yield factorial(4, (2, 3, 3), r)
    yield factorial(8, (2, 2, 2, 4), 0.0, share=0.0)
    yield factorial(16, (2, 2, 2, 3), 0.0)
    yield moved(8, 6)
    yield twice(8, 4, 2, -0.6, 0.5, 0.0)
    yield twice(8, 4, 3, -0.6, 1.0, 0.6)
    yield twice(16, 4, 2, 0.0, 1.0, 0.6)
    yield twice_crossed(8, 8, 0.0, 1.0, 0.0, 0.5)
    yield twice_crossed(8, 24, 0.0, 1.0, 0.0, 0.5)
    yield twice_crossed(8, 24, -0.6, 1.0, 0.6, 0.5)
    yield twice_crossed(16, 24, 0.0, 0.5, 0.6, 0.0)
    yield nested(8, 5, 0.0, 0.0, 0.0)
    yield nested(8, 5, 0.0, 0.0, 0.4)
    yield nested(8, 5, -0.5, 0.5, 0.4)
    yield nested(20, 5, -0.5, 0.5, 0.4)
    yield left_out(6, 6, 0.0)
    yield left_out(6, 6, -0.9)
    yield left_out(12, 6, -0.9)
    yield beside_alpha(12, 5, 0.0, 0.0)
    yield beside_alpha(8, 5, -0.5, -0.5)
    yield beside_alpha(12, 5, -0.5, -0.5)
    yield beside_alpha(12, 5, -0.2, -0.6)
    yield beside_alpha(12, 5, -0.4, 0.4)
    yield explained(6, 5, 0.0)
    yield explained(12, 5, 0.0)
    yield explained(12, 5, -0.6)


# --- counting -------------------------------------------------------------------------------


def study_of(case: Case, index: int, seed: int) -> Findings:
    """The findings of one study, from random numbers of its own."""
    own = replace(OPTIONS, seed=seed).seed_of(case.name, case.design, index)
    return case.study(np.random.default_rng(own), replace(OPTIONS, seed=own))


def run_block(position: int, indices: range, seed: int) -> list[Findings]:
    """The findings of several studies of the case at a position in `cases`."""
    case = list(cases())[position]
    return [study_of(case, index, seed) for index in indices]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def lines_of(case: Case, findings: Sequence[Findings]) -> Iterator[str]:
    """The table's lines for one case."""
    for name in dict.fromkeys(name for found in findings for name in found):
        own = [found[name] for found in findings if name in found]
        hits = np.array([finding.hit for finding in own])
        known = hits[np.isfinite(hits)]
        is_test = isinstance(own[0], Test)
        nominal = ALPHA if is_test else 1 - ALPHA
        share = known.mean() if len(known) else math.nan
        error = math.sqrt(share * (1 - share) / max(len(known), 1))
        excess = share - nominal if is_test else nominal - share
        bold = "**" if excess > 2 * math.sqrt(ALPHA * (1 - ALPHA) / max(len(known), 1)) else ""
        width = "" if is_test else f"{np.nanmedian([f.high - f.low for f in own]):.2f}"
        truth = "no effect" if is_test else f"{np.mean([f.truth for f in own]):.2f}"
        cells = [case.name, name, case.design, truth, str(len(findings))]
        cells += [percent(1 - len(known) / len(findings)), width]
        cells += [("≤ " if is_test else "") + percent(nominal)]
        cells += [f"{bold}{percent(share)}{bold} ± {percent(error)}" if len(known) else ""]
        yield f"| {' | '.join(cells)} |"


def report(studies: int, seed: int, only: str, jobs: int) -> str:
    """The table, as Markdown."""
    header = "statistics|interval or test|design|true value|studies|none, %|width|nominal, %"
    header += "|found, %"
    columns = header.split("|")
    lines = [f"| {' | '.join(columns)} |", "|---|---|---|--:|--:|--:|--:|--:|--:|"]
    chosen = [(i, case) for i, case in enumerate(cases()) if only in case.name]
    with ProcessPoolExecutor(jobs) as pool:
        for place, (position, case) in enumerate(chosen, start=1):
            start = time.perf_counter()
            number = max(1, round(studies * case.share))
            blocks = [range(i, number, 4 * jobs) for i in range(min(4 * jobs, number))]
            arguments = zip(*((position, block, seed) for block in blocks), strict=True)
            parts = list(pool.map(run_block, *arguments))
            lines += lines_of(case, [found for part in parts for found in part])
            spent = time.perf_counter() - start
            progress = f"{place}/{len(chosen)} {case.name}: {case.design} ({spent:.0f} s)"
            print(progress, file=sys.stderr, flush=True)
    lines += [
        "",
        f"{studies} studies (half of them where a study takes long), {OPTIONS.bootstrap} bootstrap "
        f"resamples, {OPTIONS.permutations} permutations, seed {seed}.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = sorted({case.name for case in cases()})
    parser.add_argument("--studies", type=int, default=400, help="simulated studies per design")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--only", choices=known, default="", help="one of the statistics")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--output", type=Path, help="a file for the table, too")
    asked = parser.parse_args(arguments)
    table = report(asked.studies, asked.seed, asked.only, asked.jobs)
    if asked.output:
        asked.output.write_text(table, encoding="utf-8")
    print(table, end="")


if __name__ == "__main__":
    main()
