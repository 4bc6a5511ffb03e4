"""Explanations: what brings alpha's correlation with quality back, and what goes with its absence.

Pure functions like those of `atlas.statistics`, whose comparisons, units, treatments, orientation
and rules for intervals hold here too. `alternatives` sets other readings of the spectra against
alpha, on the same models. `shape` asks how much of alpha's differences a matrix of noise has.
`traits` lists what could explain, family by family, and `explanations` relates each candidate
to the families' (variants') own rank correlations tau of the primary metric with quality.

These relations are observed, not caused, and between few families. Candidates go together
(size, aspect ratio, layer types), so several may follow from one. What could refute them is in
`alternatives`. A tau of 3 variants is coarse, and counts as much as one of 30.

Controls have no trained quality to explain and are in `shape` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from atlas.statistics.intervals import fisher_intervals
from atlas.statistics.models import reference_models, repeated_partitions, scopes_of
from atlas.statistics.options import Options
from atlas.statistics.permutation import PAIR_LIMIT, rearrangements
from atlas.statistics.reach import alone, kendall_tests, tested
from atlas.statistics.sample import DIGITS, Sample, codes_of, sorted_table, without_noise
from atlas.statistics.taus import (
    KENDALL,
    Array,
    correct,
    labelled,
    resampled_taus,
)
from atlas.statistics.traits import averages_of, family_taus, spreads_of, with_candidates
from atlas.statistics.weighted import dense_ranks, ratio
from atlas.tables.parts import primary_quality
from atlas.terms.keys import INTERVAL_FROM, PARTITION
from atlas.terms.notes import Note, join
from atlas.terms.traits import CATEGORIES, NUMBERS, TRAITS

PERCENT = ("accuracy", "error")  # qualities on one scale: the spread of a perplexity is another's

EXPLANATION = [
    *PARTITION,
    *["quality_metric", "level", "comparison", "candidate", "kind", "n"],
    *KENDALL,
    *["kendall_p_bh", "smallest_p", "left_out_low", "left_out_high", "eta2", "interval", "note"],
]

TOO_FEW = {"family": Note.TOO_FEW_FAMILIES, "variant": Note.TOO_FEW_VARIANTS}
TRAININGS = ("c", "within", "", "")  # the scope of all variants with several models
LEFT_OUT_FROM = 4  # three families are left when one is out


def _attributed(models: pd.DataFrame) -> pd.Series:
    """tau_i of each variant, by (family, named): Kendall's sum as the variant's own part of it.

    Mean of sign(x_i - x_j) sign(y_i - y_j) over all pairs of a unit of the variant with a unit of
    another one of its family, averaged over the variant's units; x is the primary metric and y the
    quality, both means of the unit's models. With one unit per variant the mean of tau_i is tau-a.
    Missing in families of fewer than 3 units, as the family's own tau is.
    """
    by = ["family", "named"]
    units = _units(models, by)
    units["tau"] = np.nan
    for _, members in units.groupby("family", sort=True):
        if len(members) > 2:
            codes = codes_of(members["named"].to_numpy(object))
            units.loc[members.index, "tau"] = _parts(members, codes)
    return units.groupby(by, sort=True)["tau"].mean()


def _attributed_to_families(models: pd.DataFrame) -> pd.Series:
    """tau_i of each family: the same of the families' means over their units, between families."""
    means = _units(models, ["family"]).groupby("family", sort=True)[["metric", "oriented"]].mean()
    return pd.Series(_parts(means, np.arange(len(means))), means.index, dtype=float)


def _units(models: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Metric and quality of each unit of the groups `by`: means over its models that have both."""
    compared = models[models["complete"]]
    return compared.groupby([*by, "unit"], sort=True)[["metric", "oriented"]].mean().reset_index()


def _parts(rows: pd.DataFrame, codes: Array) -> Array:
    """Mean (n,) of sign times sign over a row's pairs with all rows of other codes (n,)."""
    product = np.ones((len(rows), len(rows)))
    for column in ("metric", "oriented"):
        v = without_noise(rows[column].to_numpy(), rows[column].to_numpy())
        product *= np.sign(v[:, None] - v[None, :])
    other = codes[:, None] != codes[None, :]
    return ratio((product * other).sum(axis=1), other.sum(axis=1))


def explanations(
    models: pd.DataFrame, correlations: pd.DataFrame, options: Options
) -> pd.DataFrame:
    """Each candidate against the rank correlations tau that it could explain: `EXPLANATION`.

    Per partition and quality metric, of the primary metric (treatment `dropped`):

    - level `family`: tau of each family, (b) between its models of the reference recipe, (c)
      within its variants; both from `correlations` (the table). (a) each family's own part of the
      sum that is Kendall's tau between the means of families.
    - level `variant`: (b) each variant's own part of this sum over those of its family
      (`_attributed`); (c) the tau of its models, from `correlations`.

    Collection "all": families of all partitions together, whatever their data set and version,
    where at least two have a tau; further data sets of the same models are left out. Each partition
    enters with one quality (the primary one, else error, else the first by name);
    `quality_sd` counts where that is in percent.

    Candidates are means over the models of the reference recipe in (a) and (b), over all compared
    recipes in (c). `metric_sd` and `quality_sd` are those of the models that the tau compares: of
    the family, or the variant in (c); in (c) around the means of the variants.

    `kendall` is positive where alpha works less the larger the candidate is (the theory expects
    tau < 0). A category has `eta2` instead: the share of the variance of tau that lies between
    categories, given where one of them has two members.

    Independent are families, not variants of one family, and not one family in several
    collections (of the same name). Where each family occurs once, p comes from permutations of
    tau (all of them up to 8). Else from permutations of the families' mean tau between families
    and of the rest inside each family (permutation at the level of the nested factor's units,
    Anderson and ter Braak 2003, Journal of Statistical Computation and Simulation 73): they keep
    the resemblance. Sums of concordant less discordant pairs are compared; recombined taus have
    fewer ties, which can only widen their null distribution. Intervals are
    those of `correlations` for as many units as there are families, which the jackknife leaves out
    as a whole. `left_out_low` and `left_out_high` are the extremes of `kendall` when one family is left
    out, where a candidate that is then constant counts as 0. `kendall_p_bh`: Benjamini and
    Hochberg over the candidates of one partition, quality, level and comparison. `smallest_p` is
    the smallest value that it could have for this candidate alone: the p value of the most extreme
    rearrangement times the number of candidates tested. Above the level of a decision, there are
    too few families to tell.
    """
    taus = family_taus(correlations, options)
    table = with_candidates(models, options)
    repeated = repeated_partitions(table)
    parts = list(labelled(table, options))
    first = _first_quality([(partition, quality) for partition, quality, _ in parts], options)
    rows: list[dict[str, Any]] = []
    together: dict[str, list[pd.DataFrame]] = {"b": [], "c": []}
    for partition, quality, part in parts:
        for level, comparison, units, note in _tau_tables(partition, quality, part, taus, options):
            units = units.assign(dataset=partition[1], weightwatcher_version=partition[2])
            rows += _explain(units, (*partition, quality, level, comparison), options, note)
            apart = comparison not in together or partition in repeated
            if level == "family" and not apart and quality == first[partition]:
                in_percent = pd.Series(quality in PERCENT, index=units.index)
                units["quality_sd"] = units["quality_sd"].where(in_percent)
                together[comparison] += [units] if units["tau"].notna().any() else []
    for comparison, tables in together.items():
        if len(tables) > 1:
            units = pd.concat(tables, ignore_index=True)
            rows += _explain(units, ("all", "", "", "", "family", comparison), options, "")
    return sorted_table(rows, EXPLANATION, "kind")


def _first_quality(
    pairs: Sequence[tuple[tuple[str, ...], str]], options: Options
) -> dict[tuple[str, ...], str]:
    """The quality metric with which each partition enters "all"."""
    qualities: dict[tuple[str, ...], list[str]] = {}
    for partition, quality in pairs:
        qualities.setdefault(partition, []).append(quality)
    return {
        partition: primary_quality(names, options.primary_quality)
        for partition, names in qualities.items()
    }


def _tau_tables(
    partition: tuple[str, ...],
    quality: str,
    part: pd.DataFrame,
    taus: Mapping[tuple[str, ...], float],
    options: Options,
) -> Iterator[tuple[str, str, pd.DataFrame, str]]:
    """(level, comparison, table, note): a row per family or variant with tau and candidates."""
    reference, note = reference_models(part, options)
    family, variant = ["family"], ["family", "named"]

    def looked_up(comparison: str, scope: str, table: pd.DataFrame) -> pd.DataFrame:
        index = table.index.to_frame()
        names = index["named"] if "named" in index else pd.Series("", index=table.index)
        tau = [
            taus.get((*partition, comparison, scope, f, v, quality), math.nan)
            for f, v in zip(index["family"], names, strict=True)
        ]
        return table.assign(tau=np.array(tau, dtype=float)).reset_index()

    spreads = spreads_of(reference, family, family)
    yield (
        "family",
        "b",
        looked_up("b", "family", averages_of(reference, family).join(spreads)),
        note,
    )
    if len(spreads) > 1:  # of one family: no comparison between architectures
        means = averages_of(reference, family).assign(tau=_attributed_to_families(reference))
        # The means of all families are compared: one spread for all.
        yield "family", "a", means.assign(**dict.fromkeys(spreads, np.nan)).reset_index(), note
    own = averages_of(reference, variant).assign(tau=_attributed(reference)).reset_index()
    yield "variant", "b", own.join(spreads, on="family"), note
    trained = {scope.key: scope for scope in scopes_of(part, options)}.get(TRAININGS)
    if trained is not None:
        for level, by, scope in (("family", family, "within"), ("variant", variant, "family")):
            table = averages_of(trained.models, by).join(spreads_of(trained.models, by, variant))
            yield level, "c", looked_up("c", scope, table), ""


def _explain(
    units: pd.DataFrame, labels: tuple[str, ...], options: Options, note: str
) -> list[dict[str, Any]]:
    """The rows of `explanations` for one table of families or variants with `tau`.

    `labels`: partition, quality metric, level and comparison.
    """
    units = units[units["tau"].notna()].sort_values("family", kind="stable", ignore_index=True)
    keys = [*PARTITION, "quality_metric", "level", "comparison"]
    columns: dict[str, Array] = {}
    for name in TRAITS:
        values = units[name].to_numpy(object if name in CATEGORIES else float)
        if name in CATEGORIES and _comparable(values):
            codes, _ = pd.factorize(np.where(values == "", None, values), sort=True)
            columns[name] = np.where(codes < 0, np.nan, codes.astype(float))
        elif name in NUMBERS and np.isfinite(values).any():
            columns[name] = values
    alike: dict[bytes, list[str]] = {}
    for name, values in columns.items():
        alike.setdefault(np.isfinite(values).tobytes(), []).append(name)
    rows: list[dict[str, Any]] = []
    for names in alike.values():
        known = np.isfinite(columns[names[0]])
        # Rounded, so that equal values stay equal, also where a file has lost the last digits.
        tau = np.round(units["tau"].to_numpy(float)[known], DIGITS - 2)
        candidates = [without_noise(columns[name][known], columns[name][known]) for name in names]
        sample = Sample(
            values=np.array([*candidates, tau]),
            stratum=np.zeros(len(tau), int),
            mover=codes_of(units["family"].to_numpy(object)[known]),
            centred=False,
            models=len(tau),
            missing=len(units) - len(tau),
        )
        for name, row in zip(names, _related(sample, names, options, labels), strict=True):
            kind = "category" if name in CATEGORIES else "number"
            row |= {"candidate": name, "kind": kind, "note": join(row["note"], note)}
            rows.append(dict(zip(keys, labels, strict=True)) | row)
    correct(rows, "bh")
    alone(rows)
    return rows


def _comparable(values: Array) -> bool:
    """Whether known categories (n,) are at least two, and one of them has two members."""
    counts = pd.Series(values[[bool(isinstance(v, str) and v) for v in values]]).value_counts()
    return len(counts) > 1 and counts.iloc[0] > 1


def _related(
    sample: Sample, names: Sequence[str], options: Options, labels: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The estimates of a sample of candidates and tau: one row per candidate.

    Its units are the families. Nothing is estimated from fewer than 3 observations, and nothing
    but the relation itself from fewer than 3 families.
    """
    *xs, tau = sample.values
    level, families = labels[-2], len(np.unique(sample.mover))
    empty = dict.fromkeys(EXPLANATION[EXPLANATION.index("kendall") :], math.nan)
    rows = [empty | {"n": sample.n, "interval": "", "note": ""} for _ in names]
    numbers = []
    for index, (row, x) in enumerate(zip(rows, xs, strict=True)):
        constant = join(
            "" if np.ptp(x) else Note.CANDIDATE_CONSTANT,
            "" if np.ptp(tau) else Note.CORRELATION_CONSTANT,
        )
        if sample.n < 3:
            row["note"] = TOO_FEW[level]
        elif constant:
            row["note"] = constant
        elif names[index] in CATEGORIES:
            row["eta2"] = _eta2(x, tau[None, :])[0]
        else:
            row["kendall"] = stats.kendalltau(x, tau).statistic
            numbers.append(index)
    related = [index for index, row in enumerate(rows) if not row["note"]]
    if families < 3:
        for index in related:
            rows[index]["note"] = Note.TOO_FEW_FAMILIES_FOR_P
        return rows

    drawn, exact = _redrawn(sample, options, labels)
    for index in related:
        if names[index] in CATEGORIES:
            null = np.nan_to_num(_eta2(xs[index], drawn))
            rows[index] |= tested(null, rows[index]["eta2"], exact)
    if not numbers:
        return rows
    tests = kendall_tests([xs[index] for index in numbers], tau, dense_ranks(drawn), exact)
    for index, test in zip(numbers, tests, strict=True):
        rows[index] |= test
    smaller = replace(sample, values=sample.values[[*numbers, -1]])
    left_out = np.nan_to_num(resampled_taus(smaller, _without_each(smaller)))
    bounds = fisher_intervals(
        smaller,
        ["kendall"] * len(numbers),
        [rows[index]["kendall"] for index in numbers],
        lambda weights: resampled_taus(smaller, weights),
        options.confidence,
        effective=families,
    )
    for place, (index, (low, high)) in enumerate(zip(numbers, bounds, strict=True)):
        row = rows[index]
        row |= {"kendall_low": low, "kendall_high": high}
        if families >= LEFT_OUT_FROM:
            row["left_out_low"] = left_out[:, place].min()
            row["left_out_high"] = left_out[:, place].max()
        if families < INTERVAL_FROM:
            row["note"] = Note.NO_INTERVAL_SMALL_N
            continue
        row["interval"] = "fisher-z"
        if math.isnan(low):
            row["note"] = Note.PERFECT_CORRELATION
    return rows


def _without_each(sample: Sample) -> Array:
    """Weights (families, n) that leave out one family each."""
    return (np.unique(sample.mover)[:, None] != sample.mover[None, :]).astype(float)


def _eta2(codes: Array, taus: Array) -> Array:
    """Share (m,) of the variance of taus (m, n) that lies between the categories codes (n,)."""
    onehot = (np.unique(codes)[None, :] == codes[:, None]).astype(float)
    sizes = onehot.sum(axis=0)
    centred = taus - taus.mean(axis=1, keepdims=True)
    between = ((centred @ onehot) ** 2 / sizes).sum(axis=1)
    return ratio(between, (centred**2).sum(axis=1))


def _redrawn(sample: Sample, options: Options, key: Sequence[object]) -> tuple[Array, bool]:
    """tau (m, n) under the null hypothesis that no candidate has to do with it; whether all.

    The last variable of the sample, in the order of its units. Where a unit holds several
    observations, the units' means are permuted between units, and the observations' deviations
    from them inside each unit.
    """
    tau, unit = sample.values[-1], sample.mover
    families = len(np.unique(unit))
    seed = options.seed_of("explanations", *key)
    if families == sample.n:
        indices, exact = rearrangements(sample, options.permutations, seed)
        return tau[indices], exact
    rng = np.random.default_rng(seed)
    count = max(99, min(options.permutations, 2 * PAIR_LIMIT // sample.n**2))
    means = np.bincount(unit, tau) / np.bincount(unit)
    inside = tau - means[unit]
    order = rng.random((count, families)).argsort(axis=1)
    # Units stand one after the other, so sorting by unit and chance shuffles inside each.
    shuffled = (unit + rng.random((count, sample.n))).argsort(axis=1)
    return np.round(means[order[:, unit]] + inside[shuffled], DIGITS - 2), False
