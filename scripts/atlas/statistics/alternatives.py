"""Each alternative of alpha beside alpha, and what a referee would set beside it, on the same models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.describe import obstacle_to, scope_obstacle
from atlas.statistics.intervals import fisher_intervals, plain_intervals
from atlas.statistics.models import (
    Scope,
    metric_values,
    prepare,
    repeated_partitions,
    scopes_of,
)
from atlas.statistics.options import Options
from atlas.statistics.permutation import rearrangements
from atlas.statistics.reach import alone, kendall_tests
from atlas.statistics.sample import Sample, make_sample, sorted_table
from atlas.statistics.taus import (
    ALPHA,
    KENDALL,
    WIDE,
    Array,
    correct,
    labelled,
    resampled_taus,
)
from atlas.statistics.weighted import dense_ranks
from atlas.terms.keys import INTERVAL_FROM, PARTITION
from atlas.terms.notes import Note, join

ALTERNATIVES = (
    *("alpha_weighted", "alpha_median", "alpha_by_size", "alpha_enough", "alpha_inner"),
    *("alpha_in_range", "alpha_depthwise", "alpha_pointwise", "alpha_conv", "alpha_dense"),
    *("alpha_other_layers", "alpha_windows", "hill", "hill_windows"),
    *("alpha_shuffled", "alpha_gaussian", "alpha_over_shuffled"),
)
UNTRAINED, RANDOM = "untrained_alpha", "random"
BASELINES = ("log_norm", "log_spectral_norm", "stable_rank", UNTRAINED, RANDOM)
"""Without a fit, without training, without a network."""

KINDS = {"alternative": ALTERNATIVES, "baseline": BASELINES}

ALTERNATIVE = [
    *PARTITION,
    *["comparison", "metric", "kind", "quality_metric", "n", "units", "groups"],
    *KENDALL,
    *["kendall_p_holm", "smallest_p", "kendall_alpha"],
    *["difference", "difference_low", "difference_high", "gain", "gain_low", "gain_high"],
    *["equal", "interval", "note"],
]


def alternatives(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Each alternative of alpha and each baseline beside alpha on the same models: `ALTERNATIVE`.

    One row per partition, quality metric, comparison (a: means of the families over their units of
    the reference recipe, b: within all families, c: within all variants) and metric that has a
    value; further data sets of the same models are left out. The reference is the column alpha,
    whatever the primary metric; values far off all others are moved to a limit (`within_reach`). A
    negative `difference` is a metric that does better, as the theory expects negative correlations.

    Baselines (`kind`): norms and stable rank, which need no fit; the mean alpha of the untrained
    networks of the same family and variant in the collection's controls; and random numbers from
    the models' names. They need not have the sign that the theory expects, so `gain` is what their
    abs(tau) has more than abs(tau of alpha). It is max(min(d, s), min(-d, -s)) of the difference d
    and the sum s of the two taus, and its interval follows from theirs in the same way: it excludes
    0 only where both do, and so errs no more often than one of them (Berger 1982, Technometrics 24).

    Intervals from 5 units: of `kendall` as in `correlations`, of difference and sum Student's with
    the jackknife's variance, paired: both correlations without the same units. `equal` counts
    units in which the alternative is alpha to 9 digits; where it is so in all, it is no hypothesis
    of its own and does not count in `kendall_p_holm`, which corrects over the metrics of one
    partition, quality, comparison and kind. `smallest_p`: the smallest value that this could have
    for one of them alone, given the number of rearrangements.
    """
    table = prepare(models)
    repeated = repeated_partitions(table)
    rows: list[dict[str, Any]] = []
    for partition, quality, part in labelled(table, options):
        if partition in repeated:
            continue
        part = part.assign(**_baselines(part, table, options))
        for scope in scopes_of(part, options):
            if scope.key not in WIDE:
                continue
            labels = dict(zip(PARTITION, partition, strict=True))
            labels |= {"comparison": scope.comparison, "quality_metric": quality}
            key = (*partition, *scope.key, quality)  # that of `correlations`: the same resamples
            for kind, asked in KINDS.items():
                names = [name for name in asked if name in part and part[name].notna().any()]
                found = _beside_alpha(scope, names, options, key)
                rows += _holm([labels | {"kind": kind} | row for row in found])
    return sorted_table(rows, ALTERNATIVE, "n")


def _baselines(
    part: pd.DataFrame, table: pd.DataFrame, options: Options
) -> dict[str, Array | pd.Series]:
    """The baselines (n,) that are no columns of the models of a part: alpha of the untrained
    networks of the same variant, averaged over these, and a random number from each model's name."""
    collection, dataset, version = part[PARTITION].iloc[0]
    controls = [name for name, own in options.controls.items() if own == collection]
    own = table[table["collection"].isin(controls) & (table["variant"] != "")]
    own = own[(own["dataset"] == dataset) & (own["weightwatcher_version"] == version)]
    own = own.drop_duplicates(["collection", "model"])  # a row per quality metric otherwise
    alpha = own.assign(alpha=metric_values(own, ALPHA, "dropped"))
    means = alpha.groupby(["family", "variant"])["alpha"].mean().rename(UNTRAINED)
    untrained = part[["family", "variant"]].join(means, on=["family", "variant"])[UNTRAINED]
    drawn = [
        np.random.default_rng(options.seed_of(RANDOM, model)).normal() for model in part["model"]
    ]
    return {UNTRAINED: untrained, RANDOM: np.array(drawn)}


def _holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `kendall_p_holm` and `smallest_p` over those that differ from alpha somewhere."""
    own = [row for row in rows if row["equal"] < row["units"]]
    correct(own, "holm")
    alone(own)
    return rows


def _beside_alpha(
    scope: Scope, names: Sequence[str], options: Options, key: Sequence[object]
) -> Iterator[dict[str, Any]]:
    """One row of `alternatives` per name; alternatives known for the same models share the work."""
    alpha = metric_values(scope.models, ALPHA, "dropped")
    quality = scope.models["oriented"].to_numpy()
    values = {name: metric_values(scope.models, name, "dropped") for name in names}
    alike: dict[bytes, list[str]] = {}
    for name in names:
        alike.setdefault(np.isfinite(values[name] + alpha).tobytes(), []).append(name)
    for together in alike.values():
        sample = make_sample(scope, [*(values[n] for n in together), alpha, quality], options)
        obstacle = scope_obstacle(scope, sample)
        rows = _differences(sample, options, key, obstacle if sample.n else "")
        for name, row in zip(together, rows, strict=True):
            yield row | {"metric": name, "note": join(row["note"], scope.note)}


def _differences(
    sample: Sample, options: Options, key: Sequence[object], obstacle: str
) -> list[dict[str, Any]]:
    """The estimates of a sample of metrics, alpha and quality: one row per metric."""
    *xs, alpha, quality = sample.centre()
    missing = dict.fromkeys(ALTERNATIVE[ALTERNATIVE.index("kendall") :], math.nan)
    missing |= {"n": sample.models, "units": sample.n, "groups": sample.strata, "interval": ""}
    equal = np.isclose(sample.values[:-2], sample.values[-2], rtol=1e-9, atol=0).sum(axis=1)
    rows = [missing | {"equal": int(e)} for e in equal]
    for row, x in zip(rows, xs, strict=True):
        row["note"] = obstacle or obstacle_to(sample, [x, quality])
    tested = [index for index, row in enumerate(rows) if not row["note"]]
    if not tested:
        return rows

    ranks = dense_ranks(quality[None, :])[0]
    indices, exact = rearrangements(sample, options.permutations, options.seed_of("p", *key))
    tests = kendall_tests([xs[index] for index in tested], quality, ranks[indices], exact)
    reference = math.nan if np.ptp(alpha) == 0 else stats.kendalltau(alpha, quality).statistic
    taus = [stats.kendalltau(xs[index], quality).statistic for index in tested]
    bounds = _paired_intervals(sample, tested, taus, reference, options)
    for index, tau, test, (own, less, more) in zip(tested, taus, tests, bounds, strict=True):
        row = rows[index]
        row |= test | {"kendall": tau, "kendall_alpha": reference}
        row |= {"difference": tau - reference, "gain": abs(tau) - abs(reference)}
        row["kendall_low"], row["kendall_high"] = own
        row["difference_low"], row["difference_high"] = less
        row["gain_low"], row["gain_high"] = _gain(less, more)
        row["interval"] = "fisher-z" if sample.effective >= INTERVAL_FROM else ""
        row["note"] = _difference_note(row, sample, bool(np.ptp(alpha)))
        if row["equal"] == row["units"]:
            ends = [f"{name}_{end}" for name in ("difference", "gain") for end in ("low", "high")]
            row |= dict.fromkeys(ends, math.nan) | {"difference": 0.0, "gain": 0.0}
    return rows


def _gain(less: tuple[float, float], more: tuple[float, float]) -> tuple[float, float]:
    """The interval of abs(a) - abs(b) from those of a - b and a + b."""
    if not np.isfinite([*less, *more]).all():
        return math.nan, math.nan
    low = max(min(less[0], more[0]), min(-less[1], -more[1]))
    return low, max(min(less[1], more[1]), min(-less[0], -more[0]))


def _difference_note(row: Mapping[str, Any], sample: Sample, varies: bool) -> str:
    """What a row of `alternatives` lacks, and why."""
    if row["equal"] == row["units"]:
        return Note.EQUAL_TO_ALPHA
    if not varies:
        return Note.ALPHA_CONSTANT
    if sample.effective < INTERVAL_FROM:
        return Note.NO_INTERVAL_SMALL_N
    return Note.PERFECT_CORRELATION.of("kendall") if math.isnan(row["kendall_low"]) else ""


def _paired_intervals(
    sample: Sample,
    tested: Sequence[int],
    taus: Sequence[float],
    reference: float,
    options: Options,
) -> list[tuple[tuple[float, float], ...]]:
    """Intervals of tau, of tau less alpha's and of their sum for each tested metric."""
    smaller = replace(sample, values=sample.values[[*tested, -2, -1]])
    confidence = options.confidence
    left_out: dict[bytes, Array] = {}  # the correlations, the differences and sums need the same

    def both(weights: Array) -> Array:
        key = weights.tobytes()
        if key not in left_out:
            left_out[key] = resampled_taus(smaller, weights)
        return left_out[key]

    def paired(weights: Array) -> Array:
        found = both(weights)
        own, alpha = found[:, :-1], found[:, -1:]
        return np.hstack([own - alpha, own + alpha])

    own = fisher_intervals(
        smaller, ["kendall"] * len(taus), taus, lambda w: both(w)[:, :-1], confidence
    )
    sums = [*(tau - reference for tau in taus), *(tau + reference for tau in taus)]
    more = plain_intervals(smaller, sums, paired, confidence)
    return list(zip(own, more[: len(taus)], more[len(taus) :], strict=True))
