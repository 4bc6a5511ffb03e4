"""A model of the study, and the study as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from atlas.terms.keys import FACTOR

Cell = str | int | float | None


@dataclass(frozen=True)
class Row:
    """One model of the study."""

    model: str
    source: str
    collection: str
    family: str
    variant: str
    location: str | None = None
    architecture: str | None = None
    revision: str | None = None
    include_top: bool | None = None
    sha256: str | None = None
    recipe: str | None = None
    seed: int | None = None
    dataset: str | None = None
    resolution: int | None = None
    quality_metric: str | None = None
    quality: float | None = None
    quality_source: str | None = None
    parameters: int | None = None
    run: str | None = None  # the training run of a checkpoint, and its place in it
    step: int | None = None
    zoo: Mapping[str, Any] | None = field(default=None, hash=False)
    # What was varied in training, by name: {"batch_size": 32}.
    factors: Mapping[str, Cell] = field(default_factory=dict, hash=False)
    list_file: str = ""
    line: int = 0  # where the row begins in list_file; 0 for a model of the zoo

    def identity(self) -> dict[str, Any]:
        """What decides the weights. A job that depends on this alone survives a changed label."""
        return {
            "source": self.source,
            "location": self.location,
            "architecture": self.architecture,
            "revision": self.revision,
            "include_top": self.include_top,
            "sha256": self.sha256,
            "zoo": _sorted(self.zoo),
        }

    def labels(self) -> dict[str, Cell]:
        """What is said about the model, and not where: moving a row changes no label."""
        return {
            "model": self.model,
            "source": self.source,
            "location": self.location,
            "collection": self.collection,
            "family": self.family,
            "variant": self.variant,
            "recipe": self.recipe,
            "seed": self.seed,
            "dataset": self.dataset,
            "resolution": self.resolution,
            "quality_metric": self.quality_metric,
            "quality": self.quality,
            "quality_source": self.quality_source,
            "parameters": self.parameters,
            "run": self.run,
            "step": self.step,
            **{f"{FACTOR}{name}": str(level) for name, level in self.factors.items()},
        }


@dataclass(frozen=True)
class Study:
    """A validated study: the models in the order of the lists, then the zoo's."""

    name: str
    rows: tuple[Row, ...]
    by_id: dict[str, Row] = field(hash=False)
    config: dict[str, Any] = field(hash=False)  # plain, complete with the schema's defaults

    @cached_property
    def published(self) -> list[Row]:
        """The models whose results others published: they come without weights."""
        return [row for row in self.rows if row.source == "published"]

    @cached_property
    def weighed(self) -> list[str]:
        """The ids of the models with weights."""
        return [row.model for row in self.rows if row.source != "published"]

    @cached_property
    def zoo(self) -> list[str]:
        """The ids of the networks that are trained here."""
        return [row.model for row in self.rows if row.source == "zoo"]

    @cached_property
    def audited(self) -> list[str]:
        """The ids of the models that weightwatcher itself repeats, in the study's order.

        They are the config's audit.models and the first audit.per_family of each family with weights.
        """
        wanted = set(self.config["audit"]["models"])
        left: dict[tuple[str, str], int] = {}
        for model in self.weighed:
            family = (self.by_id[model].collection, self.by_id[model].family)
            left[family] = left.get(family, self.config["audit"]["per_family"]) - 1
            if left[family] >= 0:
                wanted.add(model)
        return [row.model for row in self.rows if row.model in wanted]

    @property
    def has_nulls(self) -> bool:
        """Whether alpha is set against matrices of noise."""
        asked = self.config["experiments"]
        return bool(self.weighed and (asked["shuffled"] or asked["gaussian"]))

    @property
    def has_experiments(self) -> bool:
        """Whether there are spectra beside the layers' own."""
        asked = self.config["experiments"]
        others = asked["windows"]["size"] or asked["other_layers"]
        return self.has_nulls or bool(self.weighed and others)

    @property
    def compares_trainings(self) -> bool:
        """Whether a variant has several models."""
        variants = [(row.collection, row.family, row.variant) for row in self.rows if row.variant]
        return len(variants) > len(set(variants))

    @property
    def varies_factors(self) -> bool:
        """Whether models say what was varied in their training."""
        return any(row.factors for row in self.rows)

    @property
    def density_of(self) -> str | None:
        """The model whose spectral density is shown."""
        return self.config["figures"]["layer"]["model"] or next(iter(self.weighed), None)


def _sorted(value: Any) -> Any:
    """A plain copy with sorted keys: a job's params are compared as text."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, (list, tuple)) else value
