"""The zoo: small networks trained by the pipeline on MNIST-1D.

MNIST-1D (Greydanus 2020, arXiv:2011.14439) is 4,000 training and 1,000 test signals of 40 numbers,
in 10 classes. It is generated from a seed, without a network, and separates architectures within
seconds of training on one core: its paper reports 32 % for logistic regression, 68 % for an MLP and
94 % for a convolutional network.

Five architectures, of which `build` gives the networks. `width` and `depth` are their size:

    mlp          `depth` hidden layers of `width` units, ReLU
    convnet      a strided stem and `depth` 1 x 3 convolutions, batch norm, ReLU; no pooling inside
    resnet       three stages of `depth` basic blocks (He et al. 2016, arXiv:1512.03385) with
                 `width`, 2 `width` and 4 `width` channels
    transformer  `depth` pre-norm encoder blocks of `width` features on 7 patches (Vaswani et al.
                 2017, arXiv:1706.03762; Dosovitskiy et al. 2021, arXiv:2010.11929), 4 heads
    mixer        `depth` mixer blocks of `width` channels on 7 patches (Tolstikhin et al. 2021,
                 arXiv:2105.01601)

What weightwatcher sees in them:

- It takes a layer whose matrix has at least 8 eigenvalues, and misreads the shape of torch's
  Conv1d. So the convolutions here are Conv2d with 1 x k kernels, on signals of shape
  (batch, channels, 1, length).
- A fit with few eigenvalues says little. The widths in the config give most of the layers that it
  takes at least 50; the classifier (10) and the MLP's first layer (40) cannot have more.
- The stem of the convolutional networks, the patch embedding and the mixer's token mixing have
  fewer than 8 eigenvalues: they stay outside alpha.
- It guesses a layer's type from the name of its class: no class here may have linear, conv1d,
  conv2d, embedding or norm in its name.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from atlas.io import write_bytes
from atlas.zoo_config import Recipe, check_size

LENGTH = 40
CLASSES = 10
TRAIN_EXAMPLES = 4000
TEST_EXAMPLES = 1000

# 40 samples and one zero at each end make 7 patches of 6. Both numbers are below weightwatcher's 8.
PATCH = 6
TOKENS = 7
HEADS = 4

# Share of the steps in which the learning rate rises.
WARM_UP = 0.1


class TrainingDiverged(ValueError):
    """The loss became infinite or NaN."""


# --- the data -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """MNIST-1D: signals as float32 of shape (n, 40), labels as int64 of shape (n,).

    n is 4,000 for training and 1,000 for testing. Raises ValueError for other shapes or types.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def __post_init__(self) -> None:
        for name, count in (("train", TRAIN_EXAMPLES), ("test", TEST_EXAMPLES)):
            x, y = getattr(self, f"x_{name}"), getattr(self, f"y_{name}")
            if x.shape != (count, LENGTH) or x.dtype != np.float32:
                raise ValueError(
                    f"mnist-1d: x_{name} is {x.dtype} {x.shape}, not float32 {(count, LENGTH)}"
                )
            if y.shape != (count,) or y.dtype != np.int64:
                raise ValueError(f"mnist-1d: y_{name} is {y.dtype} {y.shape}, not int64 {(count,)}")


def dataset(seed: int) -> Dataset:
    """Generate MNIST-1D from `seed` with the settings of its paper.

    Takes seconds (it transforms 5,000 signals one by one), and the import of the package as many
    again: make it once and keep it with `save_dataset`.
    """
    # mnist1d imports matplotlib. Its `get_dataset` would download a pickle: never call that.
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.seed = seed
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        raw = make_dataset(arguments)  # seeds both global generators
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    return Dataset(
        x_train=np.ascontiguousarray(raw["x"], dtype=np.float32),
        y_train=np.ascontiguousarray(raw["y"], dtype=np.int64),
        x_test=np.ascontiguousarray(raw["x_test"], dtype=np.float32),
        y_test=np.ascontiguousarray(raw["y_test"], dtype=np.int64),
    )


def save_dataset(data: Dataset, path: str | Path) -> None:
    """Write `data` as .npz: equal data gives equal bytes. The file appears whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, **vars(data))  # numpy writes no time stamp into the archive
    write_bytes(path, buffer.getvalue())


def load_dataset(path: str | Path) -> Dataset:
    """Read what `save_dataset` wrote. Raises ValueError if it is not MNIST-1D."""
    with np.load(path, allow_pickle=False) as archive:
        names = ("x_train", "y_train", "x_test", "y_test")
        missing = [name for name in names if name not in archive]
        if missing:
            raise ValueError(f"{path}: no array {', '.join(missing)}")
        return Dataset(**{name: archive[name] for name in names})


# --- the architectures ----------------------------------------------------------------------------
# Every network maps signals of shape (batch, 40) to logits of shape (batch, 10).


def _signal(x: torch.Tensor) -> torch.Tensor:
    """(batch, 40) to (batch, 1, 1, 40), channels last: batch norm is several times faster so."""
    return x[:, None, None, :].to(memory_format=torch.channels_last)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A 1-d convolution that weightwatcher understands; the batch norm after it has the bias."""
    padding = (0, kernel // 2)
    return nn.Conv2d(inputs, outputs, (1, kernel), (1, stride), padding, bias=False)


class MLP(nn.Sequential):
    def __init__(self, width: int, depth: int) -> None:
        layers: list[nn.Module] = []
        for inputs in [LENGTH] + [width] * (depth - 1):
            layers += [nn.Linear(inputs, width), nn.ReLU()]
        super().__init__(*layers, nn.Linear(width, CLASSES))


class ConvNet(nn.Module):
    """Lengths 20, 10, 5, 5, ...: two strided convolutions after the stem, then plain ones."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        layers = [_convolution(1, width, 5, stride=2), nn.BatchNorm2d(width), nn.ReLU()]
        for index in range(depth):
            convolution = _convolution(width, width, 3, stride=2 if index < 2 else 1)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(_signal(x)).mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(inputs, outputs, 3, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            _convolution(outputs, outputs, 3),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = nn.Sequential(
                _convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Lengths 10, 5 and 3 in the three stages: like ImageNet's stem, this one reduces by 4."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        layers = [
            _convolution(1, width, 7, stride=2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d((1, 3), (1, 2), (0, 1)),
        ]
        inputs = width
        for stage in range(3):
            for block in range(depth):
                stride = 2 if stage and not block else 1
                layers.append(BasicBlock(inputs, width << stage, stride))
                inputs = width << stage
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(inputs, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(_signal(x)).mean((2, 3)))


class Patches(nn.Module):
    """(batch, 40) to (batch, 7, width): a learned map of each patch of 6 samples."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(PATCH, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(F.pad(x, (1, 1)).unflatten(1, (TOKENS, PATCH)))


class FeedForward(nn.Sequential):
    # ReLU as in Vaswani et al.; the GELU of later papers is several times slower on a CPU.
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


class Attention(nn.Module):
    # Not nn.MultiheadAttention: it keeps its matrices outside of any layer that weightwatcher sees.
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        split = self.query_key_value(x).view(batch, tokens, 3, HEADS, width // HEADS)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.output(mixed.transpose(1, 2).reshape(batch, tokens, width))


class EncoderBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width)
        self.before_feed_forward = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, 2 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.before_attention(x))
        return x + self.feed_forward(self.before_feed_forward(x))


class MixerBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_tokens = nn.LayerNorm(width)
        self.tokens = FeedForward(TOKENS, 2 * TOKENS)
        self.before_channels = nn.LayerNorm(width)
        self.channels = FeedForward(width, 2 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.tokens(self.before_tokens(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.before_channels(x))


class PatchNetwork(nn.Module):
    """Patches, blocks, a layer norm, the mean over the patches, a classifier."""

    def __init__(self, width: int, blocks: list[nn.Module], positions: bool) -> None:
        super().__init__()
        self.patches = Patches(width)
        # Only attention needs to be told where a patch was: a mixer's token mixing knows.
        self.positions = nn.Parameter(0.02 * torch.randn(TOKENS, width)) if positions else None
        self.blocks = nn.Sequential(*blocks)
        self.after = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x)
        if self.positions is not None:
            x = x + self.positions
        return self.classifier(self.after(self.blocks(x)).mean(1))


def _transformer(width: int, depth: int) -> nn.Module:
    if width % HEADS:
        raise ValueError(f"zoo: a transformer's width is a multiple of {HEADS}, not {width}")
    return PatchNetwork(width, [EncoderBlock(width) for _ in range(depth)], positions=True)


def _mixer(width: int, depth: int) -> nn.Module:
    return PatchNetwork(width, [MixerBlock(width) for _ in range(depth)], positions=False)


_ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "convnet": ConvNet,
    "resnet": ResNet,
    "transformer": _transformer,
    "mixer": _mixer,
}


def build(architecture: str, size: Mapping[str, int], seed: int) -> nn.Module:
    """The network, on the CPU and in float32, with weights that depend on `seed` only.

    It maps signals (batch, 40) to logits (batch, 10). Weight matrices are drawn as He et al. 2015
    (arXiv:1502.01852) propose, biases are zero. torch's global generator is left as it was.
    Raises ValueError for an unknown architecture or a size that does not fit it.
    """
    check_size(architecture, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _ARCHITECTURES[architecture](**size)
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        # The last layer feeds no ReLU, and large first logits only have to be unlearned.
        last = module[-1] if isinstance(module, MLP) else module.classifier
        nn.init.normal_(last.weight, std=0.02)
    return module


# --- the training ---------------------------------------------------------------------------------


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
