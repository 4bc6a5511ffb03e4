"""Prediction: what somebody gains who chooses models by the metric in a family never seen before.

Models of the reference recipe, seeds averaged to units (`seeds_are_replicates`), qualities turned
so that larger is better, failed fits dropped. One family is left out, a predictor is fitted to all
others, and predicts the models of the one left out. Nothing of the left-out family enters its own
prediction: standardisation and the choice of a forest's settings happen inside the fit.

**Predictors.** `size`: least squares on log10(parameters). Each primary metric: least squares on it;
`<metric> + size`: on both. `forest`: a random forest (Breiman 2001, Machine Learning 45) on all
metrics of the options, and `forest + size`. An inner cross-validation by family chooses the
forest's settings. The predictors of a block see the same complete observations, but those of a
further primary metric only the ones that have it.

**No fit.** `<metric> (sign)` says of two models that the one with the smaller metric is better, as
the theory does. A line on one variable orders a family either so or the other way round, by its
slope in the other families; where that slope has the wrong sign, the line is wrong just as often as
the sign is right.

**Between families.** Left-out predictions of different families come from different fits, and must
not be compared with each other: the mean of the others is low just where the left-out family is
good, so a predictor that knows nothing gets its pairs wrong more often than right (Parker, Günter
and Bedo 2007, BMC Bioinformatics 8:326). Simulated with 5 to 30 families and a metric that says
nothing, such pairs had a concordance of 0.22 to 0.45 in place of 0.5. So both families of a pair
are left out together and both predictions come from one fit (leave-pair-out: Airola et al. 2011,
Computational Statistics and Data Analysis 55), which gives 0.5.

**Forests** are expensive. Up to 10 families, each is left out alone and there is no value between
families. Above, families are left out in at most 10 groups of two or more, and the pairs between
families are those of one group. Groups depend on the families' names and sizes only.

**Chance.** A bootstrap over families that keeps the predictions covers too little: 69 to 91 % in
place of 95 % in simulations of 6 and 12 families, as the families that the predictors were fitted to
vary as well (Bates, Hastie and Tibshirani 2024, Journal of the American Statistical Association
119). So there are no intervals, but a p value of least squares and of the sign: qualities are
exchanged inside families, and everything is fitted and predicted again (Ojala and Garriga 2010,
Journal of Machine Learning Research 11).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from atlas.statistics.extremes import within_reach
from atlas.statistics.models import (
    metric_values,
    partitions,
    prepare,
    reference_models,
    repeated_partitions,
)
from atlas.statistics.options import Array, Options
from atlas.statistics.sample import codes_of, without_noise
from atlas.terms.keys import PARTITION, SIZE
from atlas.terms.notes import Note, join

PREDICTION = [
    *PARTITION,
    *["quality_metric", "predictor", "n", "families"],
    *["pairs_within", "concordance_within", "concordance_within_p", "smallest_p"],
    *["pairs_between", "concordance_between", "r2", "rmse", "note"],
]

LINEAR_UNITS, LINEAR_FAMILIES = 8, 3
FOREST_UNITS, FOREST_FAMILIES = 15, 5
MISSING_LIMIT = 0.2  # a metric that more units lack is no feature of the forest
FOREST_GROUPS = 10
TREES, TUNING_TREES, TUNING_FOLDS = 200, 20, 3
LINE_REACH = 10.0  # typical deviations from the median beyond which a feature is moved
PERMUTATIONS = 999  # at most: each one fits a line for every family

SETTINGS = [
    {"min_samples_leaf": leaf, "max_features": share} for leaf in (1, 5) for share in (1.0, 1 / 3)
]

# From which observations (m, n) are left out to predictions (m, n), a fit per row.
Predictor = Callable[[Array], Array]


def sign_of(metric: str) -> str:
    """The name of the predictor that takes the smaller of two values for the better one."""
    return f"{metric} (sign)"


def prediction(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Leave-one-family-out predictions, a row per partition, quality metric and predictor.

    Columns `PREDICTION`; `n` counts units. `concordance_within`: share of the pairs of units of
    one family that its prediction orders as the quality does; `concordance_between`: of the pairs
    of units of two families, both left out. Equal predictions count half, pairs of equal quality
    do not count (`pairs_...` are those that do); 0.5 is a coin. A family weighs by its pairs.
    `concordance_within_p`, of all but forests: two-sided, from permutations of the qualities inside
    families; its null holds what differs between families. `smallest_p` is what it could be at
    best: small families have few orders. `r2`: 1 less
    the ratio of the squared errors of the prediction to those of the training families' mean, so
    negative where the prediction is worse than that; `rmse` in units of the quality. Both are
    missing for a sign, which predicts an order alone.

    Control collections are skipped. Data sets that label the same models once more have no
    forests. Where too little is known, estimates are missing and `note` says why.
    """
    rows: list[dict[str, Any]] = []
    table = prepare(models)
    repeated = repeated_partitions(table)
    for partition, quality, part in partitions(table):
        if partition[0] in options.controls:
            continue
        labels = dict(zip([*PARTITION, "quality_metric"], [*partition, quality], strict=True))
        reference, note = reference_models(part, options)
        for row in _block(reference, options, partition not in repeated, tuple(labels.values())):
            rows.append(labels | row | {"note": join(row["note"], note)})
    return pd.DataFrame(rows, columns=PREDICTION)


def _block(
    models: pd.DataFrame, options: Options, forests: bool, key: Sequence[object]
) -> Iterator[dict[str, Any]]:
    """The rows of one partition and quality metric, without labels."""
    first = options.primary_metric
    candidates = [m for m in options.metrics if m != SIZE and m in models] if forests else []
    asked = dict.fromkeys([*options.primary_metrics, SIZE, *candidates])
    units = _units(models, list(asked), options)
    features, sparse = _features(units, candidates)
    complete = units.dropna(subset=features)
    obstacle = "" if features else Note.NO_METRIC
    obstacle = obstacle or _obstacle(complete, FOREST_UNITS, FOREST_FAMILIES)
    if forests and not obstacle:
        units = complete
    seed = options.seed_of("prediction", *key)

    def row(name: str, columns: Sequence[str], make: Callable[..., dict[str, Any]]) -> dict:
        known = units.dropna(subset=list(columns))
        few = _obstacle(known, LINEAR_UNITS, LINEAR_FAMILIES)
        return {"predictor": name} | make(known, columns, options, seed, few)

    yield row("size", [SIZE, first], lambda known, _, *rest: _row(known, [SIZE], *rest))
    for metric in options.primary_metrics:
        yield row(metric, [metric], _row)
        yield row(f"{metric} + size", [metric, SIZE], _row)
        yield row(sign_of(metric), [metric], _sign_row)
    if not forests:
        return
    note = Note.METRICS_LEFT_OUT.of(*sparse) if sparse else ""
    for name, columns in {"forest": features, "forest + size": [*features, SIZE]}.items():
        found = _row(units, columns, options, seed, obstacle, forest=True)
        yield {"predictor": name} | found | {"note": join(found["note"], note)}


def _units(models: pd.DataFrame, metrics: Sequence[str], options: Options) -> pd.DataFrame:
    """Units with `family`, `quality` (larger is better) and metrics: means over their models.

    Models without quality, size or primary metric are left out before. Metrics far off all others
    are moved to a limit (`within_reach`), which depends on no quality.
    """
    values = {m: metric_values(models, m, "dropped") for m in metrics}
    by = ["family", "unit" if options.seeds_are_replicates else "model"]
    frame = models[by].assign(quality=models["oriented"], **values)
    frame = frame.dropna(subset=["quality", SIZE, options.primary_metric])
    return frame.groupby(by, sort=True).mean().reset_index()


def _features(units: pd.DataFrame, candidates: Sequence[str]) -> tuple[list[str], list[str]]:
    """The candidates that enough units have, and the others."""
    share = units[list(candidates)].isna().mean()
    missing = [metric for metric in candidates if len(units) and share[metric] > MISSING_LIMIT]
    return [metric for metric in candidates if metric not in missing], missing


def _obstacle(units: pd.DataFrame, least_units: int, least_families: int) -> str:
    """Why nothing can be predicted, or ""."""
    if units.empty:
        return Note.NO_VALUES
    if units["family"].nunique() < least_families:
        return Note.TOO_FEW_FAMILIES.of(least_families)
    if len(units) < least_units:
        return Note.TOO_FEW_UNITS_TO_PREDICT.of(least_units)
    quality = units["quality"].to_numpy()
    return Note.QUALITY_CONSTANT if np.ptp(without_noise(quality, quality)) == 0 else ""


def _scaled(values: Array) -> Array:
    """Features (n, p) of a fit: none far enough off to decide a line alone, the largest plus or
    minus 1.

    Neither least squares on standardised features nor trees depend on the unit of a feature.
    """
    values = within_reach(values, LINE_REACH)
    largest = np.abs(values).max(axis=0)
    return values / np.where(largest > 0, largest, 1.0)


def _groups(family: Array, count: int) -> Array:
    """Families (codes (n,)) in `count` groups (n,), alike in families and in observations.

    The largest family first, each to the group that has the fewest families, and among these the
    fewest observations; equal ones in the order of their codes.
    """
    sizes = np.bincount(family)
    group = np.zeros(len(sizes), dtype=int)
    filled = [(0, 0, number) for number in range(count)]
    for code in np.lexsort((np.arange(len(sizes)), -sizes)):
        families, observations, number = min(filled)
        group[code] = number
        filled[number] = (families + 1, observations + int(sizes[code]), number)
    return group[family]


def least_squares(x: Array, y: Array, left_out: Array) -> Array:
    """Predictions (m, n) of m least squares fits to the observations not left out.

    `x` (n, p), `y` (n,), `left_out` (m, n) of bool, at least one False per row. Features are
    standardised over the observations of the fit; one that is constant there has no slope, and
    collinear ones share theirs (pseudoinverse). The values of y that are left out meet the weight
    0 everywhere. Several y at once, (n, q), have predictions (m, n, q).
    """
    targets = y.reshape(len(y), -1)
    weight = (~left_out).astype(float)
    count = weight.sum(axis=1)
    mean = (weight @ targets / count[:, None])[:, None, :]
    z = x - (weight @ x / count[:, None])[:, None, :]
    spread = np.sqrt(np.einsum("mn,mnp->mp", weight, z**2) / count[:, None])
    largest = (weight[:, :, None] * np.abs(x)).max(axis=1)
    constant = spread <= 1e-12 * largest
    z = np.where(constant[:, None, :], 0.0, z / np.where(constant, 1.0, spread)[:, None, :])
    weighted = np.swapaxes(weight[:, :, None] * z, 1, 2)
    correlation = weighted @ z / count[:, None, None]
    moment = weighted @ (targets - mean) / count[:, None, None]
    slope = np.linalg.pinv(correlation, rcond=1e-10, hermitian=True) @ moment
    return (mean + z @ slope).reshape(*left_out.shape, *y.shape[1:])


def random_forest(x: Array, y: Array, family: Array, left_out: Array, seed: int) -> Array:
    """Predictions (m, n) of m forests grown on the observations not left out.

    `x` (n, p), `y` (n,), `family` (n,) as codes, `left_out` (m, n) of bool with two families or
    more not left out per row. Only what is left out is predicted, the rest is missing.
    """
    result = np.full(left_out.shape, np.nan)
    for row, outside in enumerate(left_out):
        known = ~outside
        setting = _setting(x[known], y[known], codes_of(family[known]), seed)
        forest = _grow(x[known], y[known], setting, TREES, seed)
        result[row, outside] = forest.predict(x[outside])
    return result


def _setting(x: Array, y: Array, family: Array, seed: int) -> Mapping[str, Any]:
    """The settings with the smallest squared error in families left out of these."""
    group = _groups(family, min(TUNING_FOLDS, len(np.unique(family))))
    errors = np.zeros(len(SETTINGS))
    for number in np.unique(group):
        outside = group == number
        for place, setting in enumerate(SETTINGS):
            forest = _grow(x[~outside], y[~outside], setting, TUNING_TREES, seed)
            errors[place] += ((forest.predict(x[outside]) - y[outside]) ** 2).sum()
    return SETTINGS[int(errors.argmin())]


def _grow(x: Array, y: Array, setting: Mapping[str, Any], trees: int, seed: int) -> Any:
    """A fitted forest."""
    from sklearn.ensemble import RandomForestRegressor  # a second or two to import

    forest = RandomForestRegressor(trees, random_state=seed % 2**32, n_jobs=1, **setting)
    return forest.fit(x, y)


def _empty_row(units: pd.DataFrame, note: str) -> dict[str, Any]:
    """A row without estimates, and why."""
    row: dict[str, Any] = dict.fromkeys(PREDICTION[PREDICTION.index("n") :], math.nan)
    row |= {"n": len(units), "families": units["family"].nunique(), "note": note}
    return row | {"pairs_within": 0, "pairs_between": 0}


def _row(
    units: pd.DataFrame,
    columns: Sequence[str],
    options: Options,
    seed: int,
    obstacle: str,
    forest: bool = False,
) -> dict[str, Any]:
    """The estimates of one predictor, which sees these columns, and a note."""
    row = _empty_row(units, obstacle)
    if obstacle:
        return row
    x, y = _scaled(units[list(columns)].to_numpy(float)), units["quality"].to_numpy(float)
    if (np.ptp(x, axis=0) < 1e-12).all():
        return row | {"note": Note.PREDICTOR_CONSTANT}

    family = codes_of(units["family"].to_numpy(object))
    group, note = family, Note.FAMILIES_LEFT_OUT_ALONE if forest else ""
    if forest and row["families"] > FOREST_GROUPS:
        group = _groups(family, min(FOREST_GROUPS, row["families"] // 2))
        note = Note.FAMILIES_LEFT_OUT_IN_GROUPS.of(group.max() + 1)

    def predict(left_out: Array) -> Array:
        if forest:
            return random_forest(x, y, family, left_out, seed)
        return least_squares(x, y, left_out)

    def refit(qualities: Array, outside: Array) -> Array:
        return without_noise(least_squares(x, qualities, outside[None])[0], y)

    own, mean = left_out_predictions(predict, y, group)
    alike, counted = agreement(without_noise(own, y), y, family, group)
    if not forest:
        pairs = pair_agreement(predict, y, family)
        alike, counted = alike + pairs[0], counted + pairs[1]
        row |= within_p(refit, y, family, options, seed)
    found = _concordances(alike, counted)
    error, spread = np.sum((own - y) ** 2), np.sum((mean - y) ** 2)
    row |= found | {"r2": 1 - error / spread, "rmse": math.sqrt(error / len(y))}
    return row | {"note": join(note, found["note"])}


def _sign_row(
    units: pd.DataFrame, columns: Sequence[str], options: Options, seed: int, obstacle: str
) -> dict[str, Any]:
    """The concordances of the rule that the smaller value of one column is the better, and a note."""
    row = _empty_row(units, obstacle)
    if obstacle:
        return row
    x, y = units[columns[0]].to_numpy(float), units["quality"].to_numpy(float)
    order = -codes_of(without_noise(x, x)).astype(float)
    if np.ptp(order) == 0:
        return row | {"note": Note.PREDICTOR_CONSTANT}
    family = codes_of(units["family"].to_numpy(object))
    row |= _concordances(*agreement(order, y, family, np.zeros_like(family)))
    return row | within_p(lambda *_: order[:, None], y, family, options, seed)


def left_out_predictions(predict: Predictor, y: Array, group: Array) -> tuple[Array, Array]:
    """Each observation's prediction (n,) with its group left out, and the mean (n,) of that fit's
    observations: what one would say without a predictor."""
    left_out = np.arange(group.max() + 1)[:, None] == group
    mean = (~left_out).astype(float) @ y / (~left_out).sum(axis=1)
    return predict(left_out)[group, np.arange(len(y))], mean[group]


def _alike(a: Array, y_a: Array, b: Array, y_b: Array) -> tuple[Array, Array]:
    """Pairs ordered alike by predictions a (p,), b (q,) and qualities y_a, y_b, and those that
    count: two (p, q). Equal predictions are half alike, pairs of equal quality do not count."""
    truth = np.sign(y_a[:, None] - y_b)
    return np.abs(truth) * (1 + np.sign(a[:, None] - b) * truth) / 2, np.abs(truth)


def agreement(predicted: Array, y: Array, family: Array, group: Array) -> tuple[Array, Array]:
    """Pairs ordered alike, and pairs that count, by the families of both: two (k, k), symmetric.

    `predicted` (n,) without rounding noise, `y` (n,), `family` and `group` (n,) as codes. Pairs of
    one group only: the predictions of others come from other fits.
    """
    y = without_noise(y, y)
    member = np.eye(family.max() + 1)[family]
    pair = np.triu(group[:, None] == group, 1)
    tables = [member.T @ (matrix * pair) @ member for matrix in _alike(predicted, y, predicted, y)]
    alike, counted = (table + table.T - np.diag(np.diag(table)) for table in tables)
    return alike, counted


def within_p(
    predict: Callable[[Array, Array], Array], y: Array, family: Array, options: Options, seed: int
) -> dict[str, float]:
    """`concordance_within_p`, two-sided, of a predictor that leaves each family out, and
    `smallest_p`, that of the most extreme of the permutations.

    `predict` takes qualities (n, q) and which observations (n,) are left out, and gives predictions
    (n, q or 1) without rounding noise; `y` (n,), `family` (n,) as codes. Null: inside a family, any
    unit could have any of its qualities. Missing where no family has two qualities.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(family == code) for code in range(family.max() + 1)]
    if all(np.ptp(without_noise(y, y)[chosen]) == 0 for chosen in members):
        return {}
    shuffled = np.repeat(y[:, None], 1 + min(options.permutations, PERMUTATIONS), axis=1)
    for chosen in members:  # the first column stays
        order = rng.random((len(chosen), shuffled.shape[1] - 1)).argsort(axis=0)
        shuffled[chosen, 1:] = y[chosen][order]
    alike = np.zeros(shuffled.shape[1])
    for chosen in members:
        outside = np.isin(np.arange(len(y)), chosen)
        predicted, truth = predict(shuffled, outside)[chosen], without_noise(shuffled[chosen], y)
        for i in range(len(chosen) - 1):
            signs = np.sign(predicted[i + 1 :] - predicted[i]) * np.sign(truth[i + 1 :] - truth[i])
            alike += signs.sum(axis=0)
    observed, null = alike[0], alike[1:]
    tail = min(np.count_nonzero(null >= observed), np.count_nonzero(null <= observed))
    end = min(np.count_nonzero(null == null.max()), np.count_nonzero(null == null.min()))
    number = len(null) + 1
    return {
        "concordance_within_p": min(1.0, 2 * (tail + 1) / number),
        "smallest_p": min(1.0, 2 * end / number),
    }


def pair_agreement(predict: Predictor, y: Array, family: Array) -> tuple[Array, Array]:
    """Like `agreement`, for pairs of families that are left out together; diagonals are 0."""
    number = family.max() + 1
    alike, counted = np.zeros((2, number, number))
    members = [np.flatnonzero(family == code) for code in range(number)]
    tidy = without_noise(y, y)
    for first in range(number - 1):
        others = range(first + 1, number)
        left_out = (family == first) | (np.array(others)[:, None] == family)
        predicted = without_noise(predict(left_out), y)
        f = members[first]
        for row, second in zip(predicted, others, strict=True):
            g = members[second]
            sums = [matrix.sum() for matrix in _alike(row[f], tidy[f], row[g], tidy[g])]
            alike[first, second], counted[first, second] = sums
    return alike + alike.T, counted + counted.T


def _concordances(alike: Array, counted: Array) -> dict[str, Any]:
    """Both concordances from pairs by family (k, k), how many pairs they have, and a note."""
    result: dict[str, Any] = {}
    notes = []
    for name, total in (("within", np.trace), ("between", lambda table: np.triu(table, 1).sum())):
        pairs = total(counted)
        result[f"pairs_{name}"] = int(pairs)
        if pairs:
            result[f"concordance_{name}"] = total(alike) / pairs
        else:
            notes.append(Note.NO_PAIRS.of(name))
    return result | {"note": join(*notes)}
