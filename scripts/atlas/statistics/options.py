"""The config's `statistics` mapping."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
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

    metrics: tuple[str, ...] = (
        "alpha",
        "alpha_weighted",
        "log_alpha_norm",
        "log_norm",
        "log_spectral_norm",
        "stable_rank",
        "failed_share",
    )
    primary_metric: str = "alpha"
    primary_quality: str = "accuracy"
    reference_recipe: str | Sequence[str] = "baseline"
    permutations: int = 9999
    bootstrap: int = 1999
    confidence: float = 0.95
    seed: int = 0
    seeds_are_replicates: bool = True
    controls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Options from a mapping.

        Raises:
            ValueError: a key that is no option.
        """
        unknown = sorted(set(config) - {option.name for option in fields(cls)})
        if unknown:
            raise ValueError(f"statistics: unknown option {', '.join(unknown)}")
        values = dict(config)
        if "metrics" in values:
            values["metrics"] = tuple(values["metrics"])
        return cls(**values)

    @property
    def all_metrics(self) -> tuple[str, ...]:
        return (*(m for m in self.metrics if m != SIZE), SIZE)

    def seed_of(self, *key: object) -> int:
        """A seed that depends on the key alone, not on what was computed before it."""
        digest = hashlib.sha256("\x1f".join(map(str, (self.seed, *key))).encode()).digest()
        return int.from_bytes(digest[:16], "big")
