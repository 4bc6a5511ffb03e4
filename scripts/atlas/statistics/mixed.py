"""A mixed model of quality: what a metric says inside groups, and what it says between them.

quality_ij = between * mean_i + within * (metric_ij - mean_i) + u_i + v_i (metric_ij - mean_i) + e_ij
with random intercept u and random slope v for each group i (Mundlak 1978, Econometrica 46; Bell and
Jones 2015, Political Science Research and Methods 3). Groups are families. Not in (c): recipes recur
in all variants, and a model that takes variants as independent finds an effect in a third of studies
without any.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.models import (
    metric_values,
    partitions,
    prepare,
    repeated_partitions,
    scopes_of,
)
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import codes_of, same_values
from atlas.terms.keys import MEASURE, PARTITION, SIZE, TREATMENTS
from atlas.terms.notes import Note, join

LEAST_GROUPS, LEAST_UNITS = 5, 10
EFFECTS = ("within", "between", "difference")

MIXED = [
    *PARTITION,
    "comparison",
    *MEASURE,
    "adjusted",
    *["n", "units", "groups"],
    *[f"{effect}{part}" for effect in EFFECTS for part in ("", "_low", "_high", "_p")],
    *["slope_sd", "intercept_sd", "residual_sd", "random_slopes", "note"],
]


def mixed(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """The effects of each metric within and between groups, columns `MIXED`.

    Comparison b: models of the reference recipe, groups are families. Seeds are averaged first where
    they are replicates. `adjusted`: log10 of the parameters and of the number of layers are held
    fixed, as far as they vary and are not collinear with the rest. Effects are in standard
    deviations of quality per standard deviation of the metric.
    `difference` is between less within, Mundlak's contextual effect.

    REML with random slopes; without them where their variance is zero or the fit does not converge;
    and without random effects, with errors clustered by group, where nothing else can be fitted.
    Intervals and p are of t, with degrees of freedom by the level at which a term varies (Pinheiro
    and Bates 2000, section 2.4.2): groups less terms between groups less 1 for `between`; for
    `within` groups less 1 with random slopes, else units less groups less terms within groups.
    """
    table = prepare(models)
    repeated = repeated_partitions(table)
    rows: list[dict[str, Any]] = []
    for partition, quality, part in partitions(table):
        labels = dict(zip(PARTITION, partition, strict=True)) | {"quality_metric": quality}
        scopes = scopes_of(part, options, partition[0] not in options.controls)
        for scope in scopes:
            if (scope.comparison, scope.scope) != ("b", "within"):
                continue
            for metric in options.all_metrics:
                if metric == SIZE or (
                    partition in repeated and metric not in options.primary_metrics
                ):
                    continue
                made: list[tuple[Array, dict[bool, dict[str, Any]]]] = []
                for treatment in TREATMENTS:
                    values = metric_values(scope.models, metric, treatment)
                    if made and same_values(values, made[0][0]):
                        found = made[0][1]
                    else:
                        units = _units(scope.models, values, scope.groups, options)
                        found = {a: _fitted(units, a, options.confidence) for a in (False, True)}
                    made.append((values, found))
                    for adjusted, row in found.items():
                        here = {"comparison": scope.comparison, "metric": metric}
                        here |= {"treatment": treatment, "adjusted": adjusted}
                        note = join(row["note"], scope.note)
                        rows.append(labels | here | row | {"note": note})
    frame = pd.DataFrame(rows, columns=MIXED)
    keys = MIXED[: MIXED.index("n")]
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def _units(models: pd.DataFrame, values: Array, groups: Array, options: Options) -> pd.DataFrame:
    """Independent units with a metric and a quality: x, y, size, depth and group; n in `attrs`."""
    layers = models["layers"] if "layers" in models else pd.Series(np.nan, index=models.index)
    frame = pd.DataFrame(
        {
            "x": values,
            "y": models["oriented"],
            "size": models[SIZE],
            "depth": np.log10(layers.where(layers > 0)),
            "group": groups,
            "unit": models["unit"] if options.seeds_are_replicates else models["model"],
        }
    ).dropna(subset=["x", "y"])
    n = len(frame)
    frame = frame.groupby(["group", "unit"], sort=True).mean().reset_index()
    sizes = frame.groupby("group")["x"].transform("size")
    frame = frame[sizes > 1].reset_index(drop=True)
    frame.attrs["n"] = n
    return frame


def _fitted(units: pd.DataFrame, adjusted: bool, confidence: float) -> dict[str, Any]:
    """One row: estimates of a frame of units (see `_units`)."""
    group = codes_of(units["group"].to_numpy(object))
    number = len(np.unique(group))
    row: dict[str, Any] = dict.fromkeys(MIXED[MIXED.index("within") :], math.nan)
    row |= {"n": units.attrs["n"], "units": len(units), "groups": number, "random_slopes": False}
    if number < LEAST_GROUPS or len(units) < LEAST_UNITS:
        return row | {"note": Note.TOO_FEW_FOR_MIXED_MODEL}
    x, y = (units[name].to_numpy(float) for name in ("x", "y"))
    if np.ptp(y) == 0:
        return row | {"note": Note.QUALITY_CONSTANT}
    if np.ptp(x) == 0:
        return row | {"note": Note.METRIC_CONSTANT}
    x, y = stats.zscore(x, ddof=1), stats.zscore(y, ddof=1)
    mean = (np.bincount(group, x) / np.bincount(group))[group]
    design = np.column_stack([np.ones(len(x)), x - mean, mean])
    names = ["intercept", "within", "between"]
    if np.linalg.matrix_rank(design, tol=1e-8) < 3:
        return row | {"note": Note.NOT_WITHIN_AND_BETWEEN}
    left_out = []
    for name in ("size", "depth") if adjusted else ():
        values = units[name].to_numpy(float)
        known = np.isfinite(values).all() and np.ptp(values) > 1e-9
        column = stats.zscore(values, ddof=1) if known else values
        wider = np.column_stack([design, column])
        if known and len(names) < number - 1 and np.linalg.cond(wider) < 1e6:
            design, names = wider, [*names, name]
        else:
            left_out.append(name)
    note = Note.NOT_HELD_FIXED.of(*left_out) if left_out else ""
    estimate = _mixed_model(y, design, group)
    if estimate is None:
        estimate = _clustered(y, design, group)
        note = join(Note.NO_RANDOM_EFFECTS, note)
    return row | _effects(estimate, names, len(units), number, confidence) | {"note": note}


def _mixed_model(y: Array, design: Array, group: Array) -> dict[str, Any] | None:
    """REML of statsmodels, with random slopes where they can be had; None where nothing converges."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    for slopes in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = MixedLM(y, design, groups=group, exog_re=design[:, : 1 + slopes])
                fit = model.fit(reml=True, method=["lbfgs", "bfgs", "powell"])
                covariance = np.asarray(fit.cov_params())[: design.shape[1], : design.shape[1]]
            except (np.linalg.LinAlgError, ValueError):
                continue
        spread = np.diag(np.asarray(fit.cov_re)) * 1.0
        good = fit.converged and np.isfinite(covariance).all() and (np.diag(covariance) > 0).all()
        if not good or (slopes and spread[1] < 1e-6):
            continue
        return {
            "effects": np.asarray(fit.fe_params),
            "covariance": covariance,
            "intercept_sd": math.sqrt(max(spread[0], 0)),
            "slope_sd": math.sqrt(spread[1]) if slopes else 0.0,
            "residual_sd": math.sqrt(fit.scale),
            "random_slopes": slopes,
        }
    return None


def _clustered(y: Array, design: Array, group: Array) -> dict[str, Any]:
    """OLS with errors clustered by group (Liang and Zeger 1986, Biometrika 73)."""
    from statsmodels.regression.linear_model import OLS

    fit = OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": group})
    return {
        "effects": np.asarray(fit.params),
        "covariance": np.asarray(fit.cov_params()),
        "residual_sd": math.sqrt(fit.scale),
        "random_slopes": False,
    }


def _effects(
    estimate: Mapping[str, Any], names: Sequence[str], units: int, groups: int, confidence: float
) -> dict[str, Any]:
    """within, between and their difference with intervals and p, and the spreads."""
    covariance, effects = estimate["covariance"], estimate["effects"]
    between_df = max(1, groups - len(names) + 1)
    clustered = "intercept_sd" not in estimate
    slopes = estimate["random_slopes"] or clustered
    within_df = groups - 1 if slopes else max(1, units - groups - 1)
    row: dict[str, Any] = {}
    for name, weights, df in (
        ("within", {"within": 1}, within_df),
        ("between", {"between": 1}, between_df),
        ("difference", {"between": 1, "within": -1}, min(between_df, within_df)),
    ):
        contrast = np.array([weights.get(term, 0) for term in names], dtype=float)
        value = float(contrast @ effects)
        row[name] = value
        variance = float(contrast @ covariance @ contrast)
        if variance > 1e-12:  # errors clustered by few groups can be singular
            error = math.sqrt(variance)
            half = stats.t.ppf((1 + confidence) / 2, df) * error
            row |= {f"{name}_low": value - half, f"{name}_high": value + half}
            row[f"{name}_p"] = 2 * stats.t.sf(abs(value) / error, df)
    kept = ("intercept_sd", "slope_sd", "residual_sd", "random_slopes")
    return row | {name: estimate[name] for name in kept if name in estimate}
