"""DB-CNN: one branch for synthetic distortions, one for authentic ones, pooled bilinearly.

Zhang et al., IEEE TCSVT 30(1), 2020, doi:10.1109/TCSVT.2018.2886771, arXiv:1907.02665: S-CNN, nine
convolutions of which four halve the grid; VGG-16 up to the last rectifier of its fifth stage; the
mean outer product of their features, its signed square root, brought to length 1, and one linear
layer.  Where the grids differ, that of S-CNN is interpolated.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.resnet import kaiming
from isocenter.nets._blocks.vgg import VGG16_DEPTHS, VGG16_WIDTHS, vgg_stages

__all__ = ["DBCNN", "Config", "bilinear_pool", "build"]

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 2)
"""Of the convolutions of S-CNN."""
ROOT_FLOOR = 1e-8
"""The slope of a root is infinite at zero."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default."""

    n_inputs: int = 3
    n_outputs: int = 1
    synthetic: tuple[int, ...] = (48, 48, 64, 64, 64, 64, 128, 128, 128)
    """Channels of the nine convolutions of S-CNN."""
    authentic: tuple[int, ...] = VGG16_WIDTHS
    """Channels of the five stages of VGG-16."""
    depths: tuple[int, ...] = VGG16_DEPTHS
    """Convolutions of these stages."""


def build(config: Config, *, seed: int = 0) -> "DBCNN":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(DBCNN, config), seed=seed, name="dbcnn")
    kaiming(net, child(generator(seed), "dbcnn", "convolutions"))
    return net


class DBCNN(nn.Module):
    """Two trunks, bilinear pooling, one linear layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.synthetic = _synthetic(config)
        self.authentic = nn.ModuleList(vgg_stages(config.n_inputs, config.authentic, config.depths))
        n_products = config.synthetic[-1] * config.authentic[-1]
        self.fc = nn.Linear(n_products, config.n_outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, n_outputs) of images (B, n_inputs, H, W), sides of 16 pixels or more."""
        authentic = images
        for i, stage in enumerate(self.authentic):
            authentic = stage(F.max_pool2d(authentic, 2) if i > 0 else authentic)
        synthetic = self.synthetic(images)
        if synthetic.shape[2:] != authentic.shape[2:]:
            synthetic = F.interpolate(synthetic, authentic.shape[2:], mode="bilinear")
        scores: Tensor = self.fc(bilinear_pool(authentic, synthetic))
        return scores


def bilinear_pool(first: Tensor, second: Tensor) -> Tensor:
    """Mean outer product of two feature maps, signed square root, length 1.

    Args:
        first: (B, C, H, W).
        second: (B, D, H, W).

    Returns:
        (B, C * D), the channels of ``second`` varying fastest.
    """
    n_places = first.shape[2] * first.shape[3]
    products = torch.bmm(first.flatten(2), second.flatten(2).mT).flatten(1) / n_places
    root = products.sign() * (products.abs() + ROOT_FLOOR).sqrt()
    return F.normalize(root, dim=1)


def _synthetic(config: Config) -> nn.Sequential:
    layers: list[nn.Module] = []
    n_before = config.n_inputs
    for width, stride in zip(config.synthetic, STRIDES, strict=True):
        layers += [
            nn.Conv2d(n_before, width, 3, stride, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        n_before = width
    return nn.Sequential(*layers)
