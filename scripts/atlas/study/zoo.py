"""The zoo's part of the config: its recipes, its sizes, and the rows it adds to the model list.

Nothing here trains anything. Snakemake expands the block each time it parses the workflow, so this
module imports the standard library only; the networks and their training are in `atlas.zoo`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, NamedTuple

# What a size consists of, per architecture. `atlas.zoo.networks.build` says what each number means.
SIZE_KEYS: dict[str, tuple[str, ...]] = {
    "mlp": ("width", "depth"),
    "convnet": ("width", "depth"),
    "resnet": ("width", "depth"),
    "separable": ("width", "depth"),
    "densenet": ("width", "depth"),
    "transformer": ("width", "depth"),
    "mixer": ("width", "depth"),
    "recurrent": ("width", "depth"),
    "convnext": ("width", "depth"),
}

# What a grid can vary, and how a recipe's name abbreviates it.
FACTORS: dict[str, str] = {
    "batch_size": "b",
    "learning_rate": "lr",
    "weight_decay": "wd",
    "train_fraction": "data",
    "label_noise": "noise",
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


class _Setting(NamedTuple):
    """A recipe of a variant, the seeds that it is trained with, and its level of each factor."""

    name: str
    recipe: Recipe
    seeds: Sequence[int]
    factors: Mapping[str, float] = {}


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

    It may have the keys `factors` ({levels, variants, seeds}: see `_grid`) and `criterion`
    ({train_accuracy: percent}), which training has to reach and `untrained` networks need not.

    Returns one dict per model, in the config's order, with the keys `model` (such as
    "zoo-mlp-s-baseline-0"), `source` ("zoo"), `collection` ("zoo", or "zoo-untrained" where the
    recipe has no steps), `family` (the architecture), `variant` ("mlp-s"), `recipe`, `seed`,
    `dataset` and `zoo`: what the training job needs, {architecture, size, recipe, seed, data_seed}
    and, if there is one, criterion, with the recipe complete. Networks of the grid also have
    `factors`, their level of each factor.

    Pure: the same block gives equal rows, and the block is not changed. Raises ValueError or
    TypeError if a key is missing, an architecture, size, recipe or factor is not valid, or two rows
    would get the same id.
    """
    for key in ("data_seed", "seeds", "training", "architectures", "recipes"):
        if key not in zoo_config:
            raise ValueError(f"zoo: missing key: {key}")
    data_seed = _seed(zoo_config["data_seed"])
    seeds = [_seed(seed) for seed in zoo_config["seeds"]]
    criterion = dict(zoo_config.get("criterion") or {})
    factors = zoo_config.get("factors") or {"levels": {}, "variants": []}
    grid_seeds = [_seed(seed) for seed in factors.get("seeds", seeds)]
    rows = []
    variants = list(_variants(zoo_config))
    missing = sorted(set(factors["variants"]) - {variant for variant, *_ in variants})
    if missing:
        raise ValueError(f"zoo: factors: there is no variant {', '.join(missing)}")
    for variant, architecture, size, training in variants:
        settings = [
            _Setting(name, Recipe.from_mapping({**training, **(overrides or {})}), seeds)
            for name, overrides in zoo_config["recipes"].items()
        ]
        if variant in factors["variants"]:
            grid = _grid(training, factors["levels"], grid_seeds)
            settings = _with_grid(variant, settings, list(grid))
        for name, recipe, its_seeds, levels in settings:
            for seed in its_seeds:
                model = f"zoo-{variant}-{name}-{seed}"
                if not _MODEL_ID.fullmatch(model):
                    raise ValueError(f"zoo: {model!r} is not a model id: {_MODEL_ID.pattern}")
                spec = {
                    "architecture": architecture,
                    "size": dict(size),
                    "recipe": _as_dict(recipe),
                    "seed": seed,
                    "data_seed": data_seed,
                }
                if criterion and recipe.steps:
                    spec["criterion"] = dict(criterion)
                row = {
                    "model": model,
                    "source": "zoo",
                    "collection": "zoo" if recipe.steps else "zoo-untrained",
                    "family": architecture,
                    "variant": variant,
                    "recipe": name,
                    "seed": seed,
                    "dataset": DATASET,
                    "zoo": spec,
                }
                rows.append(row | ({"factors": dict(levels)} if levels else {}))
    repeated = sorted(model for model, n in Counter(row["model"] for row in rows).items() if n > 1)
    if repeated:
        raise ValueError(f"zoo: these models are declared twice: {', '.join(repeated)}")
    return rows


def _variants(
    zoo_config: Mapping[str, Any],
) -> Iterator[tuple[str, str, dict[str, int], dict[str, Any]]]:
    """Each variant's name, architecture, size, and training before any recipe."""
    for architecture, sizes in zoo_config["architectures"].items():
        defaults = {**zoo_config["training"], **sizes.get("training", {})}
        for name, entry in sizes.items():
            if name == "training":
                continue
            size = {key: value for key, value in entry.items() if key != "training"}
            check_size(architecture, size)
            yield (
                f"{architecture}-{name}",
                architecture,
                size,
                {**defaults, **entry.get("training", {})},
            )


def _grid(
    training: Mapping[str, Any], levels: Mapping[str, Sequence[float]], seeds: Sequence[int]
) -> Iterator[_Setting]:
    """Every combination of the factors' levels.

    A level of the learning rate is a multiple of the training's own, the others are values. The
    number of steps follows from the batch size, so that all networks of a variant see as many
    examples as its training does; what is no factor is as in the training. The name tells the levels
    in the order of FACTORS ("b32-lr0.5-wd0-data0.25-noise0.2").
    """
    unknown = sorted(set(levels) - set(FACTORS))
    if unknown:
        raise ValueError(f"zoo: factors: unknown levels: {', '.join(unknown)}")
    constant = [factor for factor in levels if len(levels[factor]) < 2]
    if constant:
        raise ValueError(
            f"zoo: factors: {constant[0]} has one level; name another, or leave it to the training"
        )
    base = Recipe.from_mapping(training)
    examples = base.steps * base.batch_size
    factors = [factor for factor in FACTORS if factor in levels]
    for combination in product(*(levels[factor] for factor in factors)):
        chosen = dict(zip(factors, combination, strict=True))
        values = {**chosen, "learning_rate": base.learning_rate * chosen.get("learning_rate", 1)}
        recipe = replace(base, **values)
        if examples % recipe.batch_size:
            raise ValueError(
                f"zoo: factors: batches of {recipe.batch_size} do not make {examples} examples, "
                f"which {base.steps} steps of {base.batch_size} see"
            )
        name = "-".join(f"{FACTORS[factor]}{level:g}" for factor, level in chosen.items())
        yield _Setting(name, replace(recipe, steps=examples // recipe.batch_size), seeds, chosen)


def _with_grid(variant: str, named: Sequence[_Setting], grid: Sequence[_Setting]) -> list[_Setting]:
    """The named recipes, and after them the grid's settings that none of them is.

    A recipe that is a setting of the grid is trained once, under its own name, with the levels and
    the seeds of both. One must be: it is what comparisons between variants, of which others have
    the named recipes only, and comparisons inside the grid share.
    """
    in_grid = {setting.recipe: setting for setting in grid}
    if not any(setting.recipe in in_grid for setting in named):
        raise ValueError(
            f"zoo: factors: no recipe of {variant} is a setting of the grid, which needs a "
            "reference; add the values of its training, and learning rate 1, to the levels"
        )
    settings = []
    for setting in named:
        same = in_grid.pop(setting.recipe, None)
        if same:
            seeds = list(dict.fromkeys([*setting.seeds, *same.seeds]))
            setting = setting._replace(seeds=seeds, factors=same.factors)
        settings.append(setting)
    return settings + list(in_grid.values())


def _as_dict(recipe: Recipe) -> dict[str, Any]:
    return {field.name: getattr(recipe, field.name) for field in fields(recipe)}


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"zoo: a seed is an integer from 0 to 2^32 - 1, not {value!r}")
    return value
