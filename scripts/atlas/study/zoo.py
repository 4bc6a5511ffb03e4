"""The zoo's part of the config: its recipes, its sizes, and the rows it adds to the model list.

Nothing here trains anything. Snakemake expands the block each time it parses the workflow, so this
module imports the standard library only; the networks and their training are in `atlas.zoo`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

# What a size consists of, per architecture. `atlas.zoo.networks.build` says what each number means.
SIZE_KEYS: dict[str, tuple[str, ...]] = {
    "mlp": ("width", "depth"),
    "convnet": ("width", "depth"),
    "resnet": ("width", "depth"),
    "transformer": ("width", "depth"),
    "mixer": ("width", "depth"),
}

DATASET = "mnist-1d"

# The pattern of every model id of the project: ids become file names.
_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    steps: optimiser steps (>= 0). 0 leaves the network as it was initialised: the control.
    batch_size: examples per step (>= 1).
    learning_rate: the peak of the schedule (> 0): linear warm-up, then a cosine to zero.
    weight_decay: AdamW's decoupled weight decay (>= 0), of the weight matrices only.
    label_noise: share of the training labels (0 to 1) replaced by another class at random.
    train_fraction: share of the training examples (above 0, up to 1) that are used at all.

    Raises ValueError if a number is outside its range, TypeError if one is not a number.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_noise: float = 0.0
    train_fraction: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.name in ("steps", "batch_size")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                kind = "a whole number" if whole else "a number"
                raise TypeError(f"recipe: {field.name} must be {kind}, not {value!r}")
        checks = {
            "steps": (self.steps >= 0, "at least 0"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < float("inf"), "positive"),
            "weight_decay": (0 <= self.weight_decay < float("inf"), "at least 0"),
            "label_noise": (0 <= self.label_noise <= 1, "from 0 to 1"),
            "train_fraction": (0 < self.train_fraction <= 1, "above 0 and at most 1"),
        }
        for name, (valid, expected) in checks.items():
            if not valid:
                raise ValueError(f"recipe: {name} must be {expected}, not {getattr(self, name)!r}")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Recipe:
        """The recipe with these keys. Raises ValueError if one is unknown or missing."""
        known = {field.name for field in fields(cls)}
        optional = {"label_noise", "train_fraction"}
        unknown = sorted(set(mapping) - known)
        missing = sorted(known - optional - set(mapping))
        if unknown:
            raise ValueError(f"recipe: unknown keys: {', '.join(unknown)}")
        if missing:
            raise ValueError(f"recipe: missing keys: {', '.join(missing)}")
        return cls(**mapping)


def check_size(architecture: str, size: Mapping[str, int]) -> None:
    """Raise ValueError unless `architecture` is known and `size` has exactly its keys, all >= 1."""
    if architecture not in SIZE_KEYS:
        raise ValueError(
            f"zoo: unknown architecture {architecture!r}; known are {', '.join(SIZE_KEYS)}"
        )
    expected = SIZE_KEYS[architecture]
    if set(size) != set(expected):
        raise ValueError(
            f"zoo: a size of {architecture} has the keys {', '.join(expected)}, "
            f"not {', '.join(map(str, size)) or 'none'}"
        )
    for key, value in size.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"zoo: {architecture}: {key} must be a whole number, not {value!r}")


def zoo_rows(zoo_config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the model list for every architecture, size, recipe and seed of the zoo block.

    zoo_config has the keys `data_seed` (int), `seeds` (ints), `training` (a recipe's defaults),
    `architectures` ({architecture: {size name: size}}) and `recipes` ({name: overrides}). A key
    `training` beside the size names of an architecture, or beside the numbers of a size, overrides
    the defaults for these networks. The recipe has the last word:

        training  <  architecture's training  <  size's training  <  recipe

    Returns one dict per model, in the config's order, with the keys `model` (such as
    "zoo-mlp-s-baseline-0"), `source` ("zoo"), `collection` ("zoo", or "zoo-untrained" where the
    recipe has no steps), `family` (the architecture), `variant` ("mlp-s"), `recipe`, `seed`,
    `dataset` and `zoo`: what the training job needs, {architecture, size, recipe, seed, data_seed},
    with the recipe complete.

    Pure: the same block gives equal rows, and the block is not changed. Raises ValueError or
    TypeError if a key is missing, an architecture, size or recipe is not valid, or two rows would
    get the same id.
    """
    for key in ("data_seed", "seeds", "training", "architectures", "recipes"):
        if key not in zoo_config:
            raise ValueError(f"zoo: missing key: {key}")
    data_seed = _seed(zoo_config["data_seed"])
    seeds = [_seed(seed) for seed in zoo_config["seeds"]]
    rows = []
    for architecture, sizes in zoo_config["architectures"].items():
        defaults = {**zoo_config["training"], **sizes.get("training", {})}
        for size_name, entry in sizes.items():
            if size_name == "training":
                continue
            size = {key: value for key, value in entry.items() if key != "training"}
            check_size(architecture, size)
            training = {**defaults, **entry.get("training", {})}
            variant = f"{architecture}-{size_name}"
            for recipe_name, overrides in zoo_config["recipes"].items():
                recipe = Recipe.from_mapping({**training, **(overrides or {})})
                for seed in seeds:
                    model = f"zoo-{variant}-{recipe_name}-{seed}"
                    if not _MODEL_ID.fullmatch(model):
                        raise ValueError(f"zoo: {model!r} is not a model id: {_MODEL_ID.pattern}")
                    rows.append(
                        {
                            "model": model,
                            "source": "zoo",
                            "collection": "zoo" if recipe.steps else "zoo-untrained",
                            "family": architecture,
                            "variant": variant,
                            "recipe": recipe_name,
                            "seed": seed,
                            "dataset": DATASET,
                            "zoo": {
                                "architecture": architecture,
                                "size": dict(size),
                                "recipe": _as_dict(recipe),
                                "seed": seed,
                                "data_seed": data_seed,
                            },
                        }
                    )
    repeated = sorted(model for model, n in Counter(row["model"] for row in rows).items() if n > 1)
    if repeated:
        raise ValueError(f"zoo: these models are declared twice: {', '.join(repeated)}")
    return rows


def _as_dict(recipe: Recipe) -> dict[str, Any]:
    return {field.name: getattr(recipe, field.name) for field in fields(recipe)}


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"zoo: a seed is an integer from 0 to 2^32 - 1, not {value!r}")
    return value
