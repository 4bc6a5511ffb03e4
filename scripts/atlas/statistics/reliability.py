"""The noise ceiling: how much of what metric and quality tell of models would another seed tell again?

**Reliability** of a metric (and of a quality) is the share of the variance of what is correlated
that is not due to the seeds: the intraclass correlation of means of k seeds, from one-way
components of variance (Shrout and Fleiss 1979, Psychological Bulletin 86, ICC(1, k)): 1 - E / T. In

- (a) what is correlated are means of families, T is their variance;
- (b) variants' differences from their family's mean, T being the sum of squares over its degrees of
  freedom;
- (c) settings' (recipes') differences from their variant's mean, alike.

E is the part of T that the pooled variance of seeds of one unit is expected to make, with as many
seeds as each unit has: MSW / MSB of an analysis of variance where all have k. It can exceed T;
the reliability is then negative, and there is nothing to correct.

**Corrected correlation.** Spearman (1904, American Journal of Psychology 15, 72-101) divides a
correlation by the root of the two reliabilities, the `ceiling`. He took errors to be unrelated. Here
both are measured on the same networks, so the covariance of seeds is taken out as well:
(T_xy - E_xy) / sqrt((T_xx - E_xx) (T_yy - E_yy)), which is his where seeds have none. It may exceed 1.

**Intervals** are Student's t with a jackknife's variance, of log(E / T) and of Fisher's z of the
corrected correlation; there is none where the latter exceeds 1, here or with a part left out. Left
out are families in (a) and (b), and in (c) settings in all variants, and variants, whose variances
are added and that of single units taken off (Cameron, Gelbach and Miller 2011), as both recur. They
need 5 families, or settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.models import metric_values, partitions, prepare, reference_models
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import codes_of, sorted_table
from atlas.statistics.settings import claimed_qualities, with_settings
from atlas.terms.keys import PARTITION
from atlas.terms.notes import Note, join

RELIABILITY = [
    *PARTITION,
    *["comparison", "metric", "quality_metric"],
    *["units", "groups", "replicated", "seeds"],
    *["metric_reliability", "metric_reliability_low", "metric_reliability_high"],
    *["quality_reliability", "quality_reliability_low", "quality_reliability_high"],
    *["ceiling", "pearson"],
    *["pearson_corrected", "pearson_corrected_low", "pearson_corrected_high", "note"],
]

CLUSTERS_FROM = 5  # from which an interval is given
BLOCK = 2**20  # weights held at a time


def reliability(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """One row per partition, question, primary metric and quality, columns `RELIABILITY`.

    Qualities are the primary one and the generalization gap; failed fits are left out. `units` are
    families (a), variants (b) and settings of variants (c), `groups` the families (b) and variants
    (c) on which they are centred, `replicated` the models that were trained with several seeds and
    `seeds` their mean number of all models. Questions that the partition cannot ask have no row.
    """
    rows = []
    prepared = prepare(models)
    asked = claimed_qualities(prepared, options)
    for partition, quality, part in partitions(prepared):
        if quality not in asked[partition] or partition[0] in options.controls:
            continue
        labels = dict(zip(PARTITION, partition, strict=True)) | {"quality_metric": quality}
        for metric in options.primary_metrics:
            for comparison, units, note in _questions(part, metric, options):
                row = labels | {"comparison": comparison, "metric": metric}
                rows.append(row | estimate(units, comparison, options.confidence, note))
    return sorted_table(rows, RELIABILITY, "units")


@dataclass(frozen=True)
class Units:
    """What is correlated: `values` (2, n) are means of metric and quality, `group` (n,) codes.

    Seeds are expected to add `error` (n,) times their variance to a unit's own. They have sums of
    squares and products `squares` (3, n): xx, yy and xy, with `freedom` (n,). `clusters` are codes
    (n,) of what is left out together. `replicated` models have several seeds; `seeds` in the mean.
    """

    values: Array
    group: Array
    error: Array
    squares: Array
    freedom: Array
    clusters: tuple[Array, ...]
    replicated: int
    seeds: float


def _questions(
    part: pd.DataFrame, metric: str, options: Options
) -> Iterator[tuple[str, Units, str]]:
    """The questions that a part can be asked, with their units and a note."""
    part = part.assign(x=metric_values(part, metric, "dropped"), y=part["oriented"])
    part = _with_units(part[np.isfinite(part[["x", "y"]]).all(axis=1)], options)
    reference, note = reference_models(part.reset_index(drop=True), options)
    variants = _averaged(reference)
    if variants["family"].nunique() > 1:
        yield "a", _units_of(_averaged_families(variants)), note
    varied = variants[variants.groupby("family")["unit"].transform("size") > 1]
    if len(varied):
        yield "b", _units_of(varied, "family"), note
    settings = _averaged(part[part["variant"] != ""])
    settings["within"] = settings["family"] + "\x1f" + settings["variant"]
    settings = settings[settings.groupby("within")["unit"].transform("size") > 1]
    if len(settings):
        yield "c", _units_of(settings, "within", "setting"), ""


def _with_units(part: pd.DataFrame, options: Options) -> pd.DataFrame:
    """The models with their `setting`, and a `unit` that tells settings apart."""
    factorial, _ = with_settings(part)
    levels = dict(zip(factorial["model"], factorial["setting"], strict=True))
    known = [(part["recipe"][i], levels.get(part["model"][i], "")) for i in part.index]
    unit = part["unit"] if options.seeds_are_replicates else part["model"]
    unit = ["\x1f".join((name, *labels)) for name, labels in zip(unit, known, strict=True)]
    setting = [
        "\x1f".join(labels) if any(labels) else own for labels, own in zip(known, unit, strict=True)
    ]
    return part.assign(unit=unit, setting=setting)


def _averaged(models: pd.DataFrame) -> pd.DataFrame:
    """A row for each unit: labels, means x and y, and what its seeds say of themselves."""
    groups = models.groupby(["family", "variant", "setting", "unit"], sort=True)
    means = groups[["x", "y"]].transform("mean")
    x, y = (models[name] - means[name] for name in ("x", "y"))
    parts = models.assign(xx=x * x, yy=y * y, xy=x * y, number=1.0)
    sums = parts.groupby(["family", "variant", "setting", "unit"], sort=True).agg(
        {"x": "mean", "y": "mean", "xx": "sum", "yy": "sum", "xy": "sum", "number": "sum"}
    )
    sums = sums.assign(error=1 / sums["number"], freedom=sums["number"] - 1, units=1.0)
    return sums.assign(replicated=(sums["number"] > 1).astype(float)).reset_index()


def _averaged_families(variants: pd.DataFrame) -> pd.DataFrame:
    """Means of the families' variants. Of independent errors the mean's is their mean, over n."""
    summed = ("xx", "yy", "xy", "freedom", "units", "number", "replicated")
    how = dict.fromkeys(("x", "y", "error"), "mean") | dict.fromkeys(summed, "sum")
    means = variants.groupby("family", sort=True).agg(how).reset_index()
    return means.assign(error=means["error"] / means["units"])


def _units_of(table: pd.DataFrame, group: str = "", crossed: str = "") -> Units:
    """The units of rows of `_averaged`, centred on groups, which may be crossed with something."""
    every = np.arange(len(table))
    groups = codes_of(table[group]) if group else np.zeros(len(table), int)
    return Units(
        values=table[["x", "y"]].to_numpy().T,
        group=groups,
        error=table["error"].to_numpy(),
        squares=table[["xx", "yy", "xy"]].to_numpy().T,
        freedom=table["freedom"].to_numpy(),
        clusters=(codes_of(table[crossed]), groups, every)
        if crossed
        else (codes_of(table["family"]),),
        replicated=int(table["replicated"].sum()),
        seeds=float(table["number"].sum() / table["units"].sum()),
    )


def estimate(units: Units, comparison: str, confidence: float, note: str = "") -> dict[str, Any]:
    """Columns of `reliability` after the labels."""
    groups = len(np.unique(units.group))
    row: dict[str, Any] = {
        "units": len(units.group),
        "groups": groups if comparison != "a" else 0,
        "replicated": units.replicated,
        "seeds": units.seeds,
    }
    if not units.freedom.any():
        return row | {"note": join(Note.NO_REPLICATES, note)}
    if len(units.group) - groups < 2:
        return row | {"note": join(Note.TOO_FEW_UNITS, note)}
    everything = np.ones((1, len(units.group)))
    total, error = (each[:, 0] for each in components(units, everything))
    least = 1e-20 * np.maximum((units.values**2).max(axis=1), 1e-300)  # rounding is no variance
    if (total[:2] <= least).any():
        names = (Note.METRIC_CONSTANT, Note.QUALITY_CONSTANT)
        constant = [name for name, t, e in zip(names, total, least, strict=False) if t <= e]
        return row | {"note": join(*constant, note)}

    own = 1 - error / total
    row |= {"metric_reliability": own[0], "quality_reliability": own[1]}
    row |= {"pearson": total[2] / math.sqrt(total[0] * total[1])}
    asked = ["metric_reliability", "quality_reliability"]
    if min(own[:2]) > 0:
        row["ceiling"] = math.sqrt(own[0] * own[1])
        left = total - error
        row["pearson_corrected"] = left[2] / math.sqrt(left[0] * left[1])
        asked.append("pearson_corrected")
    else:
        note = join(Note.NO_SPREAD_BEYOND_SEEDS, note)

    freedom = freedom_of(units)
    seen, spread = _statistics(units, everything)[:, 0], np.full(3, math.nan)
    if freedom:
        spread = stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variance(units))
    for name, value, width in zip(asked, seen, spread, strict=False):
        low, high = value - width, value + width
        if name == "pearson_corrected":
            low, high = math.tanh(low), math.tanh(high)
        else:
            low, high = 1 - math.exp(high), 1 - math.exp(low)
        row |= {f"{name}_low": low, f"{name}_high": high}
    bare = [name for name in asked if not math.isfinite(row[f"{name}_low"])]
    row |= {f"{name}_{end}": math.nan for name in bare for end in ("low", "high")}
    if bare:
        note = join(Note.TOO_FEW_RESAMPLES if freedom else Note.NO_INTERVAL_SMALL_N, note)
    return row | {"note": note}


def components(units: Units, weights: Array) -> tuple[Array, Array]:
    """Variances of metric and quality and their covariance, (3, m) of units and (3, m) of seeds'
    part of it, under weights (m, n) that are 0 or 1."""
    member = np.eye(units.group.max() + 1)[units.group]
    sizes = weights @ member
    freedom = np.maximum(sizes - 1, 0).sum(axis=1)
    x, y = (values - values.mean() for values in units.values)
    mean = [(weights * v) @ member / np.maximum(sizes, 1) for v in (x, y)]
    total = [
        weights @ (a * b) - (sizes * mean[i] * mean[j]).sum(axis=1)
        for a, b, i, j in ((x, x, 0, 0), (y, y, 1, 1), (x, y, 0, 1))
    ]
    # A unit's error counts but for its part in its group's mean.
    share = 1 - 1 / np.maximum(sizes, 1)
    expected = (((weights * units.error) @ member) * share).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        seeds = units.squares @ weights.T / (weights @ units.freedom)
        return np.array(total) / freedom, seeds * expected / freedom


def _statistics(units: Units, weights: Array) -> Array:
    """log(E / T) of metric and quality, and z of the corrected correlation: (3, m)."""
    total, error = components(units, weights)
    left = total - error
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(error[:2] / total[:2])
        z = np.arctanh(left[2] / np.sqrt(left[0] * left[1]))
        return np.vstack([ratio, np.where(np.isfinite(z), z, np.nan)])


def freedom_of(units: Units) -> int:
    """Degrees of freedom of the jackknife; 0 where there are too few clusters."""
    main, *others = (len(np.unique(codes)) for codes in units.clusters)
    recurring = [number for number in others[:1] if number > 1]
    return min([main, *recurring]) - 1 if main >= CLUSTERS_FROM else 0


def variance(units: Units) -> Array:
    """The jackknife's variance (3,) of `_statistics`."""
    by_main, *others = (
        _jackknife(units, codes) for codes in units.clusters if len(np.unique(codes)) > 1
    )
    if len(others) < 2:  # families, or settings of a single variant
        return by_main
    by_variant, single = others
    return np.maximum(by_main + by_variant - single, np.maximum(by_main, by_variant))


def _jackknife(units: Units, clusters: Array) -> Array:
    """Variance (3,) of `_statistics` when clusters (n,) are left out."""
    codes = np.unique(clusters)
    step = max(1, BLOCK // len(clusters))
    parts = [
        _statistics(units, (codes[start : start + step, None] != clusters).astype(float))
        for start in range(0, len(codes), step)
    ]
    left = np.concatenate(parts, axis=1)
    deviation = left - left.mean(axis=1, keepdims=True)
    return (len(codes) - 1) / len(codes) * (deviation**2).sum(axis=1)
