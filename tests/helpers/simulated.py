"""Tables of models drawn with known correlations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from helpers.options import options_with

FAST = options_with(metrics=("alpha",), permutations=299, bootstrap=199)


def table_of(alpha: object, quality: object, **labels: object) -> pd.DataFrame:
    """A table of models; labels are broadcast to the shape of alpha."""
    alpha = np.asarray(alpha, float)
    defaults = {"collection": "c", "family": "f", "variant": "", "recipe": "baseline", "seed": ""}
    defaults |= {"dataset": "d", "quality_metric": "accuracy", "weightwatcher_version": "0.7.7"}
    columns = {"alpha": alpha, "quality": quality, "parameters": 1e6} | defaults | labels
    table = pd.DataFrame({k: np.broadcast_to(v, alpha.shape).ravel() for k, v in columns.items()})
    return table if "model" in table else table.assign(model=[f"m{i:03d}" for i in table.index])


def numbered(letter: str, count: int, axis: int, of: int = 2) -> np.ndarray:
    """Names along one of several axes, to be broadcast."""
    shape = [count if i == axis else 1 for i in range(of)]
    return np.array([f"{letter}{i:02d}" for i in range(count)], object).reshape(shape)


def families_of(x: np.ndarray, y: np.ndarray, **labels: object) -> pd.DataFrame:
    """Families (rows of x and y) of models."""
    return table_of(x, y, **({"family": numbered("f", len(x), 0)} | labels))


def normal(rng: np.random.Generator, shape: object, r: float) -> np.ndarray:
    """Two normal variables with correlation r: (2, *shape). Their Kendall's tau is `tau(r)`."""
    x, e = rng.normal(size=(2, *np.atleast_1d(shape)))
    return np.array([x, r * x + math.sqrt(1 - r * r) * e])


def tau(r: float) -> float:
    return 2 / math.pi * math.asin(r)


def nominal(p: list[float], level: float = 0.05) -> bool:
    """Whether p values are at most `level` no oftener than that, within 3 standard errors."""
    assert np.isfinite(p).all()
    return np.mean(np.array(p) <= level) <= level + 3 * math.sqrt(level * (1 - level) / len(p))


def paradox(
    rng: np.random.Generator, inside: float, between: float, families: int = 12
) -> pd.DataFrame:
    """Families of 8; pairs of models of two families have correlation `between`."""
    shift = math.sqrt(3) * normal(rng, (families, 1), (4 * between - inside) / 3)
    return families_of(*(normal(rng, (families, 8), inside) + shift))
