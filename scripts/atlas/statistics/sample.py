"""Complete observations, their groups and their independent units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from atlas.statistics.models import Scope
from atlas.statistics.options import Array, Options

DIGITS = 12  # differences beyond the 12th digit are rounding noise, and count as ties


def without_noise(values: Array, scale: Array) -> Array:
    """Values (n,) without the digits that are rounding noise at this scale."""
    largest = np.max(np.abs(scale), initial=0.0)
    if largest == 0:
        return values
    return np.round(values, DIGITS - 1 - math.floor(math.log10(largest)))


def codes_of(labels: Array | Sequence[object]) -> Array:
    return pd.factorize(np.asarray(labels, dtype=object), sort=True)[0]


def exchange_classes(stratum: Array, mover: Array) -> list[Array]:
    """Exchangeable movers: arrays (k, s) of indices, k movers with s units each in equal strata.

    `stratum` (n,) and `mover` (n,) are codes of the units.
    """
    classes: dict[tuple[int, ...], list[Array]] = {}
    for code in np.unique(mover):
        members = np.flatnonzero(mover == code)
        members = members[np.argsort(stratum[members], kind="stable")]
        classes.setdefault(tuple(stratum[members]), []).append(members)
    return [np.array(classes[key]) for key in sorted(classes)]


@dataclass(frozen=True)
class Sample:
    """Complete observations, one per independent unit, and how they may be rearranged.

    `values` (v, n) holds the metric, the quality and further variables, means over the models of
    each unit; `stratum` (n,) is the group to centre on (all 0 without one), `mover` (n,) what is
    exchanged as one: the unit itself, or in (c) its recipe, which acts alike in all variants. Both
    are codes. `models` counts the models of all units, `missing` those without a value.
    """

    values: Array
    stratum: Array
    mover: Array
    centred: bool
    models: int
    missing: int = 0

    @property
    def n(self) -> int:
        return self.values.shape[1]

    @property
    def strata(self) -> int:
        return len(np.unique(self.stratum))

    @cached_property
    def classes(self) -> list[Array]:
        """The exchangeable movers: see `exchange_classes`."""
        return exchange_classes(self.stratum, self.mover)

    @property
    def effective(self) -> int:
        """Movers less the degrees of freedom that centring takes: n of a plain sample."""
        return sum(len(members) - 1 for members in self.classes) + 1 if self.n else 0

    def centre(self) -> Array:
        """The values (v, n), centred on their group's mean where the scope asks for it."""
        if not self.centred:
            return np.array([without_noise(v, v) for v in self.values])
        sizes = np.bincount(self.stratum)
        means = [np.bincount(self.stratum, v) / sizes for v in self.values]
        return np.array(
            [without_noise(v - m[self.stratum], v) for v, m in zip(self.values, means, strict=True)]
        )


def make_sample(scope: Scope, values: Sequence[Array], options: Options) -> Sample:
    """The units of a scope: means over their models that have all values (each (n,)).

    A unit is a family in the scope `families`; else the models that differ in their seed alone,
    or in a group of (c) that holds no other models each of them. Groups of one unit are left out.
    """
    data = np.array(values, dtype=float).reshape(len(values), len(scope.models))
    complete = np.isfinite(data).all(axis=0)
    models = scope.models
    model = models["model"].to_numpy(object)
    unit = models["unit"].to_numpy(object).copy() if options.seeds_are_replicates else model.copy()
    if scope.scope == "families":
        unit = models["family"].to_numpy(object)
    group = np.zeros(len(models), int) if scope.groups is None else codes_of(scope.groups)

    kept = complete.copy()
    for code in np.unique(group[complete]):
        members = complete & (group == code)
        if len(set(unit[members])) == 1:
            if scope.comparison == "c" and members.sum() > 1:
                unit[members] = model[members]
            elif scope.groups is not None:
                kept &= ~members
    # Groups have no unit in common: models of two variants differ in more than their seed.
    place = codes_of([f"{g}\x1f{u}" for g, u in zip(group[kept], unit[kept], strict=True)])
    first = np.unique(place, return_index=True)[1]
    mover = np.arange(len(first))
    if scope.comparison == "c" and scope.groups is not None:
        mover = _recipes(group[kept][first], models["recipe"].to_numpy(object)[kept][first])
    sizes = np.bincount(place, minlength=len(first))
    return Sample(
        values=np.array([np.bincount(place, v, len(first)) / sizes for v in data[:, kept]]),
        stratum=codes_of(group[kept][first]),
        mover=mover,
        centred=scope.groups is not None,
        models=int(kept.sum()),
        missing=int((~complete).sum()),
    )


def _recipes(group: Array, recipe: Array) -> Array:
    """What moves as one in (c): codes (n,) of the units' recipes.

    A recipe without a name is its own, and so is each of several units of a group's only recipe.
    """
    alone = recipe == ""
    for code in np.unique(group):
        members = group == code
        alone[members] |= len(set(recipe[members])) == 1
    return codes_of([f"\x1f{i}" if own else recipe[i] for i, own in enumerate(alone)])


def same_values(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=True)


def group_means(models: pd.DataFrame, by: list[str], values: Mapping[str, Any]) -> pd.DataFrame:
    """Means of complete values over the models of each group: `by` and the values' names."""
    frame = models[by].assign(**{name: np.asarray(v, float) for name, v in values.items()})
    return frame.dropna(subset=list(values)).groupby(by, sort=True).mean().reset_index()


def plain_sample(frame: pd.DataFrame, centre_on: str | None = None) -> Sample:
    """A sample of the columns x and y whose rows are independent units."""
    stratum = np.zeros(len(frame), int)
    if centre_on is not None:
        frame = frame[frame.groupby(centre_on)["x"].transform("size") > 1]
        stratum = codes_of(frame[centre_on].to_numpy(object))
    return Sample(
        values=frame[["x", "y"]].to_numpy(float).T,
        stratum=stratum,
        mover=np.arange(len(frame)),
        centred=centre_on is not None,
        models=len(frame),
    )


def sorted_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], until: str = ""
) -> pd.DataFrame:
    """Rows with these columns, sorted by the columns before ``until``, or to the treatment."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    end = columns.index(until) if until else columns.index("treatment") + 1
    return table.sort_values(list(columns[:end]), kind="stable", ignore_index=True)


def significant(table: pd.DataFrame, digits: int = DIGITS) -> pd.DataFrame:
    """The table with its floats rounded: the last bits of a double vary from machine to machine.

    To significant digits, and what is below 1e-12 (a correlation or residual that is zero but for
    rounding) to 0.
    """

    def rounded(value: object) -> object:
        if not isinstance(value, float):
            return value
        return 0.0 if abs(value) < 10.0**-digits else float(f"{value:.{digits}g}")

    return table.map(rounded)
