"""Groups put together: random effects and mean correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from atlas.statistics.describe import obstacle_to
from atlas.statistics.models import Scope, metric_values, partitions, prepare, scopes_of
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import p_value, rearrangements
from atlas.statistics.sample import Sample, make_sample, same_values, sorted_table
from atlas.terms.keys import MEASURE, PARTITION, TREATMENTS
from atlas.terms.notes import Note, join

META = [
    *PARTITION,
    "comparison",
    *MEASURE,
    *["k", "k_left_out", "n", "units"],
    *["pearson", "pearson_low", "pearson_high", "pearson_p"],
    *["prediction_low", "prediction_high", "z", "z_se", "tau2", "i2", "q", "q_p"],
    *["mean_r", "mean_r_groups", "mean_r_p", "permutations", "exact", "note"],
]


def meta(models: pd.DataFrame, correlations: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Groups put together: random effects of Fisher's z of Pearson's r, columns `META`.

    The groups are the rows of scope `family` in `correlations`: families for (b), variants for
    (c). A group's z has variance 1/(units - 3), so groups of 3 units or fewer are
    left out, as is |r| = 1 (z is infinite). Between-group variance tau2 by Paule and Mandel
    (1982); interval by Hartung and Knapp (2001) and Sidik and Jonkman (2002), never narrower
    than without their scale (Knapp and Hartung 2003), t with k - 1 degrees of freedom; I2 by
    Higgins and Thompson (2002), in percent; prediction interval by Higgins, Thompson and
    Spiegelhalter (2009, equation 12), t with k - 2, from k = 3.

    `mean_r` is the plain mean of the groups' r, over all groups where r exists, with a p value
    from permutations inside the groups: it also speaks where every group is small.

    Groups count as independent. In (c) variants share their recipes, so the interval speaks about
    further variants under these recipes.
    """
    rows: list[dict[str, Any]] = []
    keys = [*PARTITION, "quality_metric"]
    groups = correlations[correlations["scope"] == "family"]
    prepared = prepare(models)
    parts = {(*partition, quality): part for partition, quality, part in partitions(prepared)}
    for key, chosen in groups.groupby([*keys, "comparison"], sort=True):
        part, comparison = parts[key[:4]], key[4]
        scopes = [
            scope
            for scope in scopes_of(part, options, key[0] not in options.controls)
            if (scope.comparison, scope.scope) == (comparison, "family")
        ]
        for metric in options.all_metrics:
            labels = dict(zip([*keys, "comparison"], key, strict=True)) | {"metric": metric}
            here = chosen[chosen["metric"] == metric]
            before: list[Array] = []
            for treatment in TREATMENTS:
                values = [metric_values(scope.models, metric, treatment) for scope in scopes]
                if not before or not all(map(same_values, values, before)):
                    row = random_effects(here[here["treatment"] == treatment], options.confidence)
                    row |= _mean_correlation(scopes, values, options, key)
                rows.append(row | labels | {"treatment": treatment})
                before = values
    return sorted_table(rows, META)


def random_effects(groups: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """Meta-analysis of groups, rows with `pearson`, `n` and `units`: see `meta`."""
    large = groups[groups["pearson"].notna() & (groups["units"] > 3)]
    usable = large[large["pearson"].abs() < 1 - 1e-12]
    row: dict[str, Any] = {"k": len(usable), "k_left_out": len(groups) - len(usable)}
    row |= {"n": int(usable["n"].sum()), "units": int(usable["units"].sum())}
    certain = len(large) - len(usable)
    note = Note.PERFECT_GROUPS_LEFT_OUT.of(certain) if certain else ""
    if usable.empty:
        return row | {"note": join(Note.NO_LARGE_GROUP, note)}
    z = np.arctanh(usable["pearson"].to_numpy(float))
    variance = 1 / (usable["units"].to_numpy(float) - 3)
    if len(usable) == 1:
        row |= {"z": z[0], "pearson": math.tanh(z[0])}
        return row | {"note": join(Note.ONE_GROUP, note)}
    k = len(usable)
    _, _, q = _weighted_mean(z, 1 / variance)
    tau2 = _between_groups(z, variance)
    mean, total, spread = _weighted_mean(z, 1 / (variance + tau2))
    error = math.sqrt(max(spread / (k - 1), 1.0) / total)
    level = (1 + confidence) / 2
    half = stats.t.ppf(level, k - 1) * error
    row |= {
        "z": mean,
        "z_se": error,
        "pearson": math.tanh(mean),
        "pearson_low": math.tanh(mean - half),
        "pearson_high": math.tanh(mean + half),
        "pearson_p": 2 * stats.t.sf(abs(mean) / error, k - 1),
        "tau2": tau2,
        "i2": 100 * max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
        "q": q,
        "q_p": stats.chi2.sf(q, k - 1),
    }
    if k > 2:
        half = stats.t.ppf(level, k - 2) * math.sqrt(tau2 + error**2)
        row |= {
            "prediction_low": math.tanh(mean - half),
            "prediction_high": math.tanh(mean + half),
        }
    return row | {"note": join("" if k > 2 else Note.TWO_GROUPS, note)}


def _weighted_mean(z: Array, weights: Array) -> tuple[float, float, float]:
    """The mean of effects (k,), the sum of their weights (k,), and the weighted squares around it."""
    total = float(weights.sum())
    mean = float(weights @ z) / total
    return mean, total, float(weights @ (z - mean) ** 2)


def _between_groups(z: Array, variance: Array) -> float:
    """The variance tau2 between groups at which their weighted squares are k - 1, or 0.

    Paule and Mandel (1982). The squares fall as tau2 grows, so the root is bracketed: Newton's steps
    as statsmodels takes them end at 0 where the last one lands below it.
    """

    def excess(tau2: float) -> float:
        return _weighted_mean(z, 1 / (variance + tau2))[2] - (len(z) - 1)

    if excess(0.0) <= 0:
        return 0.0
    # At this tau2 the weights are at most its inverse, and so is each square beside the sum.
    highest = float(((z - z.mean()) ** 2).sum()) / (len(z) - 1)
    return float(optimize.brentq(excess, 0.0, highest, xtol=1e-14))


def _mean_correlation(
    scopes: Sequence[Scope], values: Sequence[Array], options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """Mean of the groups' Pearson correlations and its p by permutation inside the groups.

    With metric and quality standardised inside each group, the mean r is one sum over all
    models, so the groups' samples are laid side by side and rearranged together.
    """
    samples = [
        make_sample(scope, [v, scope.models["oriented"].to_numpy()], options)
        for scope, v in zip(scopes, values, strict=True)
    ]
    samples = [s for s in samples if not obstacle_to(s, s.centre())]
    row: dict[str, Any] = {"mean_r_groups": len(samples), "permutations": 0, "exact": False}
    if not samples:
        return row
    offsets = np.cumsum([0, *(s.units for s in samples)])
    together = Sample(
        values=np.hstack([stats.zscore(s.centre(), axis=1) / math.sqrt(s.n) for s in samples]),
        stratum=np.repeat(np.arange(len(samples)), [s.n for s in samples]),
        unit=np.concatenate([s.unit + o for s, o in zip(samples, offsets, strict=False)]),
        recipe=np.concatenate([s.recipe for s in samples]),
        centred=True,
        missing=0,
    )
    x, y = together.values
    seed = options.seed_of("mean_r", *key)
    indices, exact = rearrangements(together, options.permutations, seed)
    mean = float(x @ y) / len(samples)
    return row | {
        "mean_r": mean,
        "mean_r_p": p_value(y[indices] @ x / len(samples), mean, exact),
        "permutations": len(indices),
        "exact": exact,
    }
