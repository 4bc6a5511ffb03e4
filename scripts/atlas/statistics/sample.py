"""Complete observations, their groups and their independent units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Sample:
    """Complete observations and how they may be rearranged.

    `values` (v, n) holds the metric, the quality and further variables; `stratum` (n,) the group
    to centre on (all 0 without one) and `unit` (n,) the independent unit, both as codes.
    """

    values: Array
    stratum: Array
    unit: Array
    recipe: Array
    centred: bool
    missing: int

    @property
    def n(self) -> int:
        return self.values.shape[1]

    @property
    def units(self) -> int:
        return len(np.unique(self.unit))

    @property
    def strata(self) -> int:
        return len(np.unique(self.stratum))

    @property
    def effective(self) -> int:
        """Units less the degrees of freedom that centring takes: n of a plain sample."""
        return self.units - self.strata + 1 if self.n else 0

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
    """The models of a scope that have all values (each (n,)), with their units."""
    data = np.array(values, dtype=float).reshape(len(values), len(scope.models))
    complete = np.isfinite(data).all(axis=0)
    models = scope.models
    model = models["model"].to_numpy(object)
    unit = models["unit"].to_numpy(object).copy() if options.seeds_are_replicates else model.copy()
    group = np.zeros(len(models), int) if scope.groups is None else codes_of(scope.groups)

    kept = complete.copy()
    for code in np.unique(group[complete]):
        members = complete & (group == code)
        if len(set(unit[members])) == 1:
            if scope.comparison == "c" and members.sum() > 1:
                unit[members] = model[members]
            elif scope.groups is not None:
                kept &= ~members
    return Sample(
        values=data[:, kept],
        stratum=codes_of(group[kept]),
        unit=codes_of(unit[kept]),
        recipe=codes_of(models["recipe"].to_numpy(object)[kept]),
        centred=scope.groups is not None,
        missing=int((~complete).sum()),
    )


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
        unit=np.arange(len(frame)),
        recipe=np.zeros(len(frame), int),
        centred=centre_on is not None,
        missing=0,
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
