"""Groups put together: random effects and mean correlation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from atlas.statistics.models import Scope, metric_values, partitions, prepare, scopes_of
from atlas.statistics.options import Array, Options
from atlas.statistics.permutation import p_value, rearrangements
from atlas.statistics.sample import codes_of, make_sample, same_values, sorted_table
from atlas.terms.keys import MEASURE, PARTITION, TREATMENTS
from atlas.terms.notes import Note, join

META = [
    *PARTITION,
    "comparison",
    *MEASURE,
    *["k", "k_left_out", "n", "units"],
    *["pearson", "pearson_low", "pearson_high", "pearson_p"],
    *["z", "z_se", "tau2", "i2", "q", "q_p"],
    *["mean_r", "mean_r_groups", "mean_r_p", "permutations", "exact", "note"],
]


def meta(models: pd.DataFrame, correlations: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Groups put together: random effects of Fisher's z of Pearson's r, columns `META`.

    The groups are the rows of scope `family` in `correlations`: families for (b), variants for
    (c). A group's z has variance 1/(units - 3), so groups of 3 units or fewer are
    left out, as is |r| = 1 (z is infinite). Between-group variance tau2 by Paule and Mandel
    (1982); interval by Hartung and Knapp (2001) and Sidik and Jonkman (2002), never narrower
    than without their scale (Knapp and Hartung 2003), t with k - 1 degrees of freedom; I2 by
    Higgins and Thompson (2002), in percent. The analysis takes groups as independent. In (c)
    variants share their recipes, so there it is left out wherever a recipe recurs.

    `mean_r` is the plain mean of the groups' r, over all groups where r exists, with a p value
    from rearrangements as in `correlations`: it also speaks where every group is small.
    """
    rows: list[dict[str, Any]] = []
    keys = [*PARTITION, "quality_metric"]
    groups = correlations[correlations["scope"] == "family"]
    prepared = prepare(models)
    parts = {(*partition, quality): part for partition, quality, part in partitions(prepared)}
    for key, chosen in groups.groupby([*keys, "comparison"], sort=True):
        part, comparison = parts[key[:4]], key[4]
        scope = next(
            scope
            for scope in scopes_of(part, options, key[0] not in options.controls)
            if (scope.comparison, scope.scope, scope.family) == (comparison, "within", "")
        )
        shared = comparison == "c" and _recipes_recur(scope)
        for metric in options.all_metrics:
            labels = dict(zip([*keys, "comparison"], key, strict=True)) | {"metric": metric}
            here = chosen[chosen["metric"] == metric]
            before: Array | None = None
            for treatment in TREATMENTS:
                values = metric_values(scope.models, metric, treatment)
                if before is None or not same_values(values, before):
                    row = random_effects(here[here["treatment"] == treatment], options.confidence)
                    if shared:
                        counted = ("k", "k_left_out", "n", "units")
                        row = {name: row[name] for name in counted}
                        row["note"] = Note.GROUPS_SHARE_RECIPES
                    row |= _mean_correlation(scope, values, options, key)
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
    return row | {"note": note}


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


def _recipes_recur(scope: Scope) -> bool:
    """Whether a recipe has models of several groups."""
    named = scope.models.assign(group=scope.groups).query("recipe != ''")
    return bool((named.groupby("recipe")["group"].nunique() > 1).any())


def _mean_correlation(
    scope: Scope, values: Array, options: Options, key: Sequence[object]
) -> dict[str, Any]:
    """Mean of the groups' Pearson correlations and its p.

    With metric and quality standardised inside each group, the mean r is one sum over all units,
    which are rearranged as those of the scope.
    """
    sample = make_sample(scope, [values, scope.models["oriented"].to_numpy()], options)
    centred, kept = sample.centre(), np.zeros(sample.n, dtype=bool)
    for code in np.unique(sample.stratum):
        members = sample.stratum == code
        spread = centred[:, members].std(axis=1, keepdims=True)
        if members.sum() >= 3 and (np.ptp(centred[:, members], axis=1) > 0).all():
            kept |= members
            centred[:, members] /= spread * math.sqrt(members.sum())
    groups = len(np.unique(sample.stratum[kept]))
    row: dict[str, Any] = {"mean_r_groups": groups, "permutations": 0, "exact": False}
    if not groups:
        return row
    together = dataclasses.replace(
        sample,
        values=centred[:, kept],
        stratum=codes_of(sample.stratum[kept]),
        mover=codes_of(sample.mover[kept]),
    )
    x, y = together.values
    seed = options.seed_of("mean_r", *key)
    indices, exact = rearrangements(together, options.permutations, seed)
    mean = float(x @ y) / groups
    return row | {
        "mean_r": mean,
        "mean_r_p": p_value(y[indices] @ x / groups, mean, exact),
        "permutations": len(indices),
        "exact": exact,
    }
