"""Training of the zoo's networks: equal inputs give equal weights on one machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from atlas.study.zoo import Recipe
from atlas.zoo.data import CLASSES, Dataset

# Share of the steps in which the learning rate rises.
WARM_UP = 0.1


class NotTrained(ValueError):
    """The network is no result of training that could be compared with others."""


class TrainingDiverged(NotTrained):
    """The loss became infinite or NaN."""


class CriterionMissed(NotTrained):
    """A quality is below what the study demands of every trained network."""


def check_criterion(qualities: Mapping[str, float], criterion: Mapping[str, float]) -> None:
    """Raise CriterionMissed if one of the `qualities` (of `train`) is below its least value."""
    for name, least in criterion.items():
        if qualities[name] < least:
            words = name.replace("_", " ")
            raise CriterionMissed(
                f"its {words} is {qualities[name]:.4g} %, and the criterion is {least:g} %"
            )


def train(
    module: nn.Module,
    data: Dataset,
    recipe: Recipe | Mapping[str, Any],
    seed: int,
    progress: Callable[[str], object] | None = None,
) -> dict[str, float]:
    """Train `module` in place and return its quality.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) on the cross-entropy; the learning rate
    rises over the first tenth of the steps and falls to zero along a cosine. A recipe counts
    steps, not passes through the data: fewer examples are seen more often, a smaller batch shows
    fewer. `seed` decides which examples are used, which labels are replaced, and the order of the
    batches. With `steps: 0` nothing is trained, and the network is only evaluated.

    `progress` gets a line of text after every hundredth step and the last.

    Returns
        accuracy             of the 1,000 test examples, in percent
        train_accuracy       of the training examples that were used, in percent
        generalization_gap   train_accuracy - accuracy, in percentage points
        test_loss, train_loss  mean cross-entropy of both, in nats

    The training figures are taken with the **true** labels, also where the recipe replaced some.
    So the gap compares seen with unseen examples of one distribution, and it is zero for a network
    that treats both alike; with the replaced labels it would be about 20 points lower for such a
    network at 20 % noise, and say more about the recipe than about the network.

    The module is left in evaluation mode. Runs on one thread with deterministic kernels: same
    module, data, recipe, seed, versions and machine give the same bytes. torch's settings and
    generators are as before afterwards. Raises TrainingDiverged if the loss is not finite, and
    ValueError or TypeError if the recipe is not valid.
    """
    if not isinstance(recipe, Recipe):
        recipe = Recipe.from_mapping(recipe)
    generator = np.random.default_rng(seed)
    # Drawn also if they are not needed: then a seed's subset and order are the same in all recipes.
    order = generator.permutation(len(data.y_train))
    replaced, shifts = generator.permutation(len(order)), generator.integers(1, CLASSES, len(order))

    used = np.sort(order[: max(1, round(recipe.train_fraction * len(order)))])
    x = torch.from_numpy(data.x_train[used])
    true_labels = torch.from_numpy(data.y_train[used])
    labels = data.y_train[used].copy()
    noisy = np.argsort(replaced[used])[: round(recipe.label_noise * len(used))]
    labels[noisy] = (labels[noisy] + shifts[used][noisy]) % CLASSES

    with _deterministic():
        if recipe.steps:
            _optimise(module, x, torch.from_numpy(labels), recipe, generator, progress)
        train_loss, train_accuracy = _evaluate(module, x, true_labels)
        test_loss, accuracy = _evaluate(
            module, torch.from_numpy(data.x_test), torch.from_numpy(data.y_test)
        )
    if not (math.isfinite(train_loss) and math.isfinite(test_loss)):
        raise TrainingDiverged("the trained network's loss is not finite")
    return {
        "accuracy": accuracy,
        "train_accuracy": train_accuracy,
        "generalization_gap": train_accuracy - accuracy,
        "test_loss": test_loss,
        "train_loss": train_loss,
    }


def _optimise(
    module: nn.Module,
    x: torch.Tensor,
    labels: torch.Tensor,
    recipe: Recipe,
    generator: np.random.Generator,
    progress: Callable[[str], object] | None,
) -> None:
    optimizer = _AdamW(module, recipe)
    module.train()
    for step, batch in enumerate(_batches(len(x), recipe, generator)):
        loss = F.cross_entropy(module(x[batch]), labels[batch])
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDiverged(f"the loss is {value} at step {step + 1} of {recipe.steps}")
        loss.backward()
        optimizer.step(recipe.learning_rate * _schedule(step, recipe.steps))
        if progress and ((step + 1) % 100 == 0 or step + 1 == recipe.steps):
            progress(f"step {step + 1} of {recipe.steps}: loss {value:.4f}")
    optimizer.detach()


class _AdamW:
    """AdamW on one vector that holds all parameters, which are views of it until `detach`.

    torch's own optimisers import its compiler on first use: seconds per process, as long as a
    network here is trained. A vector also takes fewer calls than a list of tensors.
    """

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        # Matrices first: only they decay.
        self.parameters = sorted(module.parameters(), key=lambda p: p.ndim < 2)
        self.decaying = sum(p.numel() for p in self.parameters if p.ndim > 1)
        self.weight_decay = recipe.weight_decay
        self.values = torch.cat([_flat(p.detach()) for p in self.parameters])
        self.gradient = torch.zeros_like(self.values)
        self.first = torch.zeros_like(self.values)
        self.second = torch.zeros_like(self.values)
        self.steps = 0
        start = 0
        for p in self.parameters:
            end = start + p.numel()
            p.data = _shaped(self.values[start:end], p.shape)
            p.grad = _shaped(self.gradient[start:end], p.shape)
            start = end

    def step(self, learning_rate: float) -> None:
        self.steps += 1
        self.values[: self.decaying].mul_(1 - learning_rate * self.weight_decay)
        self.first.lerp_(self.gradient, 1 - self.BETA_1)
        self.second.mul_(self.BETA_2).addcmul_(self.gradient, self.gradient, value=1 - self.BETA_2)
        scale = (self.second / (1 - self.BETA_2**self.steps)).sqrt_().add_(self.EPSILON)
        step_size = learning_rate / (1 - self.BETA_1**self.steps)
        self.values.addcdiv_(self.first, scale, value=-step_size)
        self.gradient.zero_()  # the next backward pass adds to it

    def detach(self) -> None:
        for p in self.parameters:
            p.data = p.data.clone(memory_format=torch.contiguous_format)
            p.grad = None


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """The numbers in the order in which the kernels want them: channels last for convolutions."""
    return (tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor).reshape(-1)


def _shaped(vector: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The inverse of `_flat`, as a view."""
    if len(shape) != 4:
        return vector.view(shape)
    outputs, inputs, height, width = shape
    return vector.view(outputs, height, width, inputs).permute(0, 3, 1, 2)


def _batches(
    examples: int, recipe: Recipe, generator: np.random.Generator
) -> Iterator[torch.Tensor]:
    """Indices of `steps` batches: whole passes through the examples, each in its own order."""
    size = min(recipe.batch_size, examples)
    per_pass = examples // size  # the rest of a pass is left out, so that no batch is tiny
    for start in range(0, recipe.steps, per_pass):
        order = torch.from_numpy(generator.permutation(examples))
        yield from order[: per_pass * size].split(size)[: recipe.steps - start]


def _schedule(step: int, steps: int) -> float:
    """The learning rate of a step (from 0), as a share of its peak."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step + 1 - warm_up) / (steps + 1 - warm_up)))


def _evaluate(module: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Mean cross-entropy in nats, and accuracy in percent."""
    module.eval()
    with torch.inference_mode():
        logits = torch.cat([module(part) for part in x.split(500)])  # what fits into the cache
        loss = F.cross_entropy(logits.double(), labels).item()
        accuracy = (logits.argmax(1) == labels).double().mean().item()
    return loss, round(100 * accuracy, 6)


@contextmanager
def _deterministic() -> Iterator[None]:
    """One thread and deterministic kernels, and the settings of before afterwards.

    More threads would change the order of sums, and the networks are too small to gain from them.
    """
    threads = torch.get_num_threads()
    mode = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.set_num_threads(1)
    torch.utils.deterministic.fill_uninitialized_memory = False  # slow; nothing here reads any
    # The same switch as use_deterministic_algorithms, which imports torch's compiler (seconds).
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fill
        torch.set_num_threads(threads)
