"""The config's `statistics` mapping."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from atlas.terms.keys import SIZE

Array = NDArray[Any]


@dataclass(frozen=True)
class Options:
    """The config's `statistics` mapping.

    `permutations` and `bootstrap` are numbers of resamples, `confidence` the coverage of every
    interval. `controls` maps a control collection to the collection it belongs to. The size-only
    baseline `log_parameters` is always among the metrics.
    """

    metrics: tuple[str, ...]
    primary_metrics: tuple[str, ...]
    primary_quality: str
    reference_recipe: str | Sequence[str]
    permutations: int
    bootstrap: int
    confidence: float
    seed: int
    seeds_are_replicates: bool
    controls: Mapping[str, str]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Options from the validated config, which is complete: defaults stand in its schema alone.

        Raises:
            TypeError: a key that is no option, or one that is missing.
        """
        several = {name: tuple(config[name]) for name in ("metrics", "primary_metrics")}
        return cls(**config | several)

    @property
    def primary_metric(self) -> str:
        """The first of the primary metrics: what describes one metric alone is about it."""
        return self.primary_metrics[0]

    @property
    def all_metrics(self) -> tuple[str, ...]:
        return (*(m for m in self.metrics if m != SIZE), SIZE)

    @property
    def confirmatory_level(self) -> float:
        """The largest p that is small for Holm's first step over a partition's confirmatory tests:
        the questions (a), (b) and (c) for each of the primary metrics."""
        return (1 - self.confidence) / (3 * len(self.primary_metrics))

    def seed_of(self, *key: object) -> int:
        """A seed that depends on the key alone, not on what was computed before it."""
        digest = hashlib.sha256("\x1f".join(map(str, (self.seed, *key))).encode()).digest()
        return int.from_bytes(digest[:16], "big")
