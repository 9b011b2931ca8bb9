"""Distances of two images in the features of networks trained on photographs: LPIPS and DISTS.

Only the convolutions are here; the weights come from a file.  Trunks: AlexNet as in Krizhevsky,
arXiv:1404.5997, and VGG-16, arXiv:1409.1556.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional
from jaxtyping import Float
from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets._blocks.vgg import VGG16_WIDTHS, vgg_stages

__all__ = ["DISTS", "LPIPS", "Config", "Trunk", "build"]

CHANNELS = {"alexnet": (64, 192, 384, 256, 256), "vgg16": VGG16_WIDTHS}
"""Of the features that are compared, after the last convolution of every stage."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the red, green and blue of the photographs, from 0 to 1."""
LENGTH_FLOOR = 1e-10
SIMILARITY_FLOOR = 1e-6
POOL_FLOOR = 1e-12

Pool = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Config:
    """Which distance, on which trunk."""

    distance: Literal["lpips", "dists"] = "lpips"
    trunk: Literal["alexnet", "vgg16"] = "alexnet"
    """DISTS knows ``vgg16`` alone."""


def build(config: Config) -> "LPIPS | DISTS":
    """The network of ``config``, its weights still unset.

    Raises:
        UsageError: DISTS on another trunk than VGG-16.
    """
    if config.distance == "dists" and config.trunk != "vgg16":
        raise UsageError(f"DISTS stands on vgg16 alone; got {config.trunk}")
    with torch.device("meta"):
        net = LPIPS(config.trunk) if config.distance == "lpips" else DISTS()
    return net.to_empty(device="cpu").requires_grad_(False).eval()


class Trunk(nn.Module):
    """Stages of convolutions and rectifiers; features are taken at the end of each."""

    def __init__(self, stages: list[nn.Sequential], pools: list[Pool]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.pools = pools

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Features of every stage, fine to coarse; images from 0 to 1."""
        values = (images - _column(MEAN, images)) / _column(DEVIATION, images)
        features = []
        for pool, stage in zip(self.pools, self.stages, strict=True):
            values = stage(pool(values))
            features.append(values)
        return features


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity: weighted squared differences of unit features."""

    def __init__(self, trunk: str) -> None:
        super().__init__()
        self.trunk = _alexnet() if trunk == "alexnet" else _vgg16(_halve)
        self.weights = nn.ParameterList([torch.empty(n) for n in CHANNELS[trunk]])

    def forward(
        self, image: Float[Tensor, "n 3 h w"], reference: Float[Tensor, "n 3 h w"]
    ) -> Float[Tensor, " n"]:
        """Distances, >= 0 where the weights are; images from 0 to 1."""
        pairs = zip(self.trunk(image), self.trunk(reference), self.weights, strict=True)
        distance = image.new_zeros(len(image))
        for own, true, weight in pairs:
            apart = (_unit(own) - _unit(true)).square().mean((2, 3))
            distance = distance + apart @ weight
        return distance


class DISTS(nn.Module):
    """Deep image structure and texture similarity: of means and covariances of features."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _vgg16(_soften)
        n_features = 3 + sum(CHANNELS["vgg16"])
        self.alpha = nn.Parameter(torch.empty(n_features))
        """Weights of the texture: of the means of features."""
        self.beta = nn.Parameter(torch.empty(n_features))
        """Weights of the structure: of their covariances."""

    def forward(
        self, image: Float[Tensor, "n 3 h w"], reference: Float[Tensor, "n 3 h w"]
    ) -> Float[Tensor, " n"]:
        """Distances, 0 for equal images; images from 0 to 1, which are features themselves."""
        own, true = ([each, *self.trunk(each)] for each in (image, reference))
        alike = [_similarities(x, y) for x, y in zip(own, true, strict=True)]
        texture, structure = (torch.cat(parts, dim=1) for parts in zip(*alike, strict=True))
        weighted = texture @ self.alpha + structure @ self.beta
        distance: Tensor = 1 - weighted / (self.alpha.sum() + self.beta.sum())
        return distance


def _alexnet() -> Trunk:
    widths = CHANNELS["alexnet"]
    stages = [nn.Sequential(nn.Conv2d(3, widths[0], 11, stride=4, padding=2), nn.ReLU())]
    for (n_inputs, n_outputs), reach in zip(pairwise(widths), (2, 1, 1, 1), strict=True):
        convolution = nn.Conv2d(n_inputs, n_outputs, 2 * reach + 1, padding=reach)
        stages.append(nn.Sequential(convolution, nn.ReLU()))
    return Trunk(stages, [_as_is, _overlap, _overlap, _as_is, _as_is])


def _vgg16(pool: Pool) -> Trunk:
    stages = vgg_stages(3)
    return Trunk(stages, [_as_is, *[pool] * (len(stages) - 1)])


def _as_is(values: Tensor) -> Tensor:
    return values


def _halve(values: Tensor) -> Tensor:
    return torch.nn.functional.max_pool2d(values, 2)


def _overlap(values: Tensor) -> Tensor:
    return torch.nn.functional.max_pool2d(values, 3, stride=2)


def _soften(values: Tensor) -> Tensor:
    """Every second root of the mean square under a small bell, which lets no wave fold back."""
    bell = torch.tensor([0.25, 0.5, 0.25], dtype=values.dtype, device=values.device)
    n_channels = values.shape[1]
    kernel = torch.outer(bell, bell).expand(n_channels, 1, 3, 3)
    power = torch.nn.functional.conv2d(
        values.square(), kernel, stride=2, padding=1, groups=n_channels
    )
    return (power + POOL_FLOOR).sqrt()


def _unit(features: Tensor) -> Tensor:
    """Feature vectors of length 1."""
    power = features.square().sum(1, keepdim=True)
    positive = power > 0
    # The slope of a root is infinite at zero.
    length = torch.where(positive, torch.where(positive, power, 1).sqrt(), 0)
    return features / (length + LENGTH_FLOOR)


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Of means and of covariances over places, (n, c) each."""
    mean_x, mean_y = (each.mean((2, 3), keepdim=True) for each in (x, y))
    x, y = x - mean_x, y - mean_y
    variance_x, variance_y, common = (each.mean((2, 3)) for each in (x.square(), y.square(), x * y))
    mean_x, mean_y = mean_x[..., 0, 0], mean_y[..., 0, 0]
    texture = (2 * mean_x * mean_y + SIMILARITY_FLOOR) / (
        mean_x.square() + mean_y.square() + SIMILARITY_FLOOR
    )
    structure = (2 * common + SIMILARITY_FLOOR) / (variance_x + variance_y + SIMILARITY_FLOOR)
    return texture, structure


def _column(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None]
