"""The architectures of the zoo."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn import functional as F

from atlas.study.zoo import check_size
from atlas.zoo.data import CLASSES, LENGTH, signal

# 40 samples and one zero at each end make 7 patches of 6. Both numbers are below weightwatcher's 8.
PATCH = 6
TOKENS = 7
HEADS = 4


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A 1-d convolution that weightwatcher understands; the batch norm after it has the bias."""
    padding = (0, kernel // 2)
    return nn.Conv2d(inputs, outputs, (1, kernel), (1, stride), padding, bias=False)


def _depthwise(width: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    padding = (0, kernel // 2)
    return nn.Conv2d(width, width, (1, kernel), (1, stride), padding, groups=width, bias=False)


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
        return self.classifier(self.features(signal(x)).mean((2, 3)))


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
    """Lengths 10 and 5 in the two stages: like ImageNet's stem, this one reduces by 4."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        layers = [
            _convolution(1, width, 7, stride=2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d((1, 3), (1, 2), (0, 1)),
        ]
        inputs = width
        for stage in range(2):
            for block in range(depth):
                stride = 2 if stage and not block else 1
                layers.append(BasicBlock(inputs, width << stage, stride))
                inputs = width << stage
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(inputs, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(signal(x)).mean((2, 3)))


class SeparableBlock(nn.Sequential):
    def __init__(self, width: int, stride: int) -> None:
        super().__init__(
            _depthwise(width, 5, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _convolution(width, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )


class Separable(nn.Module):
    """Lengths 20, 10, 5, 5, ...: as the convolutional network, each convolution split in two."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        layers = [_convolution(1, width, 5, stride=2), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [SeparableBlock(width, stride=2 if index < 2 else 1) for index in range(depth)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(signal(x)).mean((2, 3)))


class DenseLayer(nn.Sequential):
    """Its input, and after it the channels that it adds."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__(nn.BatchNorm2d(inputs), nn.ReLU(), _convolution(inputs, growth, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, super().forward(x)], 1)


class DenseNet(nn.Module):
    """Lengths 10 and 5 in two dense blocks, and a transition between them that halves channels."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        channels = 2 * width
        layers = [
            _convolution(1, channels, 7, stride=2),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d((1, 3), (1, 2), (0, 1)),
        ]
        for block in range(2):
            if block:
                layers += [nn.BatchNorm2d(channels), nn.ReLU()]
                layers += [_convolution(channels, channels // 2, 1), nn.AvgPool2d((1, 2))]
                channels //= 2
            for _ in range(depth):
                layers.append(DenseLayer(channels, width))
                channels += width
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(signal(x)).mean((2, 3)))


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


class RecurrentLayer(nn.Module):
    """Gated recurrent units; (batch, tokens, width) to the states after each token."""

    # Not nn.GRU: weightwatcher leaves it out. The two layers are its weight_ih and weight_hh.
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(width, 3 * width)
        self.state = nn.Linear(width, 3 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, width = x.shape
        state = x.new_zeros(batch, width)
        states = []
        parts = [2 * width, width]  # reset and update gate; the candidate
        gates, candidates = self.inputs(x).transpose(0, 1).contiguous().split(parts, 2)
        for gate, candidate in zip(gates.unbind(0), candidates.unbind(0), strict=True):
            to_gate, to_candidate = self.state(state).split(parts, 1)
            reset, keep = (gate + to_gate).sigmoid().chunk(2, 1)
            new = (candidate + reset * to_candidate).tanh()
            state = new + keep * (state - new)
            states.append(state)
        return torch.stack(states, 1)


class ConvNextBlock(nn.Module):
    """As Liu et al., with ReLU for GELU and twice the channels inside, as in the other blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = _depthwise(width, 7)
        self.before_channels = nn.LayerNorm(width)
        self.channels = FeedForward(width, 2 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = self.depthwise(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        return x + self.channels(self.before_channels(mixed))


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


def _recurrent(width: int, depth: int) -> nn.Module:
    return PatchNetwork(width, [RecurrentLayer(width) for _ in range(depth)], positions=False)


def _convnext(width: int, depth: int) -> nn.Module:
    return PatchNetwork(width, [ConvNextBlock(width) for _ in range(depth)], positions=False)


_ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "convnet": ConvNet,
    "resnet": ResNet,
    "separable": Separable,
    "densenet": DenseNet,
    "transformer": _transformer,
    "mixer": _mixer,
    "recurrent": _recurrent,
    "convnext": _convnext,
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
