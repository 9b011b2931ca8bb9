"""MIQANet: quality of an image from a transformer beside a convolutional network.

Ma et al., IEEE TCSVT 2026, doi:10.1109/TCSVT.2026.3656671; without its convolutional branch it
is MANIQA, Yang et al., arXiv:2204.08958.

``reference`` holds all weights of the published code, those that take no part in the score
included: the last blocks and the classifier of the transformer, and a convolution in either Swin
stage.  They are not run.  ``improved`` does without them.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.drop import Drop, seed_drops
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.resnet import ResNet, kaiming
from isocenter.nets._blocks.swin import SwinStage
from isocenter.nets._blocks.tab import TransposedAttention
from isocenter.nets._blocks.vit import VisionTransformer

__all__ = ["Config", "MIQANet", "build"]

PATCH = 8
"""Side of a patch: the grid of tokens is that of the residual network's third stage."""
N_CLASSES = 1000
"""Of the transformer's idle classifier."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the published ones."""

    mode: Literal["reference", "improved"] = "reference"
    side: int = 224
    """Height and width of the image, a multiple of 8 times ``window``."""
    n_inputs: int = 3
    width: int = 768
    """Length of a token of the transformer; the fused map has half as many channels."""
    depth: int = 12
    """Blocks of the transformer; ``improved`` stops after the last of ``taps``."""
    n_heads: int = 12
    taps: tuple[int, ...] = (6, 7, 8, 9)
    """Blocks whose tokens are read."""
    n_tabs: int = 2
    """Transposed attentions before each Swin stage but the last."""
    swin_depths: tuple[int, ...] = (2, 2)
    swin_heads: int = 4
    swin_hidden: int = 768
    window: int = 4
    drop: float = 0.1
    drop_path: float = 0.1
    scale: float = 0.13
    """Weight of a Swin layer beside its input; MANIQA has 0.8."""
    scramble: bool = True
    """Keep the published code's mistake in the order of what the transposed attention says."""
    cnn: bool = True
    """Without the convolutional branch the network is MANIQA."""
    cnn_width: int = 64
    alpha: Literal["learned", "fixed"] = "learned"
    """The transformer's share of the fused map."""
    first_alpha: float = 0.8
    """That share at first."""
    fusion: Literal["tile", "bilinear", "layer3"] | None = None
    """How the last convolutional map gets the grid of the tokens: four copies side by side,
    enlarged, or the third map instead.  ``None``: ``tile`` in ``reference``, else ``bilinear``."""
    heads: Literal["weighted", "mean"] = "weighted"
    """Whether a token's score has a weight of its own."""
    last: Literal["relu", "softplus"] = "relu"
    """Behind every token's score; a rectifier can die, and the score is 0 for ever."""


def build(config: Config, *, seed: int = 0) -> "MIQANet":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: Sizes that do not go together.
    """
    net = drawn(partial(MIQANet, config), seed=seed, name="miqanet")
    rng = child(generator(seed), "miqanet", "trunks")
    net.vit.reset(rng)
    for stage in (net.swin1, net.swin2):
        stage.reset(rng)
    if net.cnn is not None:
        kaiming(net.cnn, rng)
    seed_drops(net, rng)
    return net


class MIQANet(nn.Module):
    """Two branches, their fused map, and a weighed score of every token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        _check(config)
        self.config = config
        idle = config.mode == "reference"
        n_tokens, narrow = (config.side // PATCH) ** 2, config.width // 2
        self.vit = VisionTransformer(
            side=config.side,
            patch=PATCH,
            n_inputs=config.n_inputs,
            width=config.width,
            depth=config.depth if idle else config.taps[-1] + 1,
            n_heads=config.n_heads,
            n_classes=N_CLASSES if idle else 0,
        )
        self.tab1 = _tabs(config, n_tokens)
        self.conv1 = nn.Conv2d(len(config.taps) * config.width, config.width, 1)
        self.swin1 = _swin(config, config.width)
        self.tab2 = _tabs(config, n_tokens)
        self.conv2 = nn.Conv2d(config.width, narrow, 1)
        self.cnn = _cnn(config) if config.cnn else None
        if self.cnn is not None:
            n_maps = self.cnn.n_features[2 if config.fusion == "layer3" else 3]
            self.cnn_conv = nn.Conv2d(n_maps, narrow, 1, bias=False)
            self.cnn_norm = nn.BatchNorm2d(narrow)
            self.alpha = nn.Parameter(
                torch.tensor(_logit(config.first_alpha)),
                requires_grad=config.alpha == "learned",
            )
        self.swin2 = _swin(config, narrow)
        self.score = _head(narrow, config.drop)
        self.weight = _head(narrow, config.drop) if config.heads == "weighted" else None

    def forward(self, image: Tensor) -> Tensor:
        """Quality (B, 1), higher is better, at least 0; images (B, n_inputs, side, side)."""
        tokens = torch.cat(self.vit(image, self.config.taps), dim=2)
        values = self.tab1(tokens.transpose(1, 2))
        values = self.swin1(self.conv1(self._on_grid(values)))
        values = self.conv2(self._on_grid(self.tab2(values.flatten(2))))
        if self.cnn is not None:
            share = self.alpha.sigmoid()
            values = share * values + (1 - share) * self._convolved(self.cnn(image))
        quality: Tensor = self._judge(self.swin2(values).flatten(2).transpose(1, 2))
        return quality

    def _on_grid(self, channels: Tensor) -> Tensor:
        side = self.config.side // PATCH
        image: Tensor = channels.unflatten(2, (side, side))
        return image

    def _convolved(self, maps: list[Tensor]) -> Tensor:
        """The convolutional branch on the grid of the tokens."""
        if self.config.fusion == "layer3":
            found: Tensor = self.cnn_norm(self.cnn_conv(maps[2]))
            return found
        coarse: Tensor = self.cnn_norm(self.cnn_conv(maps[3]))
        if _fusion(self.config) == "tile":
            return coarse.repeat(1, 1, 2, 2)
        return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=True)

    def _judge(self, tokens: Tensor) -> Tensor:
        """(B, tokens, channels) to (B, 1)."""
        raw: Tensor = self.score(tokens)[..., 0]
        score = F.softplus(raw) if self.config.last == "softplus" else raw.relu()
        if self.weight is None:
            return score.mean(1, keepdim=True)
        weight: Tensor = self.weight(tokens)[..., 0].sigmoid()
        return (score * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)


def _fusion(config: Config) -> str:
    return config.fusion or ("tile" if config.mode == "reference" else "bilinear")


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _check(config: Config) -> None:
    """Refuse sizes that do not go together."""
    unit = PATCH * config.window
    if config.side % unit:
        raise UsageError(f"side is {config.side}: take a multiple of {unit} (8 times the window)")
    if not 0 < config.first_alpha < 1:
        raise UsageError(f"first_alpha is {config.first_alpha}: give a share between 0 and 1")
    for name, size, heads in (
        ("width", config.width, config.n_heads),
        ("half of width", config.width // 2, config.swin_heads),
    ):
        if size % heads:
            raise UsageError(f"{name} is {size}: it must be a multiple of its {heads} heads")
    rising = list(config.taps) == sorted(set(config.taps) & set(range(config.depth)))
    if not config.taps or not rising:
        raise UsageError(f"taps are {config.taps}: give rising numbers below {config.depth}")


def _tabs(config: Config, n_tokens: int) -> nn.Sequential:
    blocks = (
        TransposedAttention(n_tokens, drop=config.drop, scramble=config.scramble)
        for _ in range(config.n_tabs)
    )
    return nn.Sequential(*blocks)


def _swin(config: Config, width: int) -> SwinStage:
    return SwinStage(
        width,
        config.side // PATCH,
        depths=config.swin_depths,
        n_heads=config.swin_heads,
        window=config.window,
        hidden=config.swin_hidden,
        scale=config.scale,
        drop=config.drop,
        drop_path=config.drop_path,
        idle=config.mode == "reference",
    )


def _cnn(config: Config) -> ResNet:
    net = ResNet(18, n_dims=2, n_inputs=config.n_inputs, width=config.cnn_width, pool=False)
    if config.fusion == "layer3":
        net.layer4 = nn.Identity()
    return net


def _head(width: int, drop: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), Drop(drop), nn.Linear(width, 1))
