"""Two-stream network: patches of the image, and of the size of its gradient.

Yan, Gong and Zhang, IEEE TIP 28(5), 2019, doi:10.1109/TIP.2018.2883741.  Published: an image
stream and a gradient stream, a region-based convolution at the end of each, fully connected layers
on both, and the mean over patches as the image's score.  Chosen here, after a public
re-implementation (github.com/lllllllllllll-llll/TwoStreamIQA): patches of 32 x 32 pixels, filters
of 7, 5, 3 and 3 pixels, each followed by a rectifier and a max-pool, 9 x 24 region maps, two
layers of 512 with rectifiers.  Chosen by us: Scharr's gradient of the mean channel.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.patches import squares
from isocenter.nets._blocks.resnet import kaiming
from isocenter.ops.gradients import SCHARR, squared_gradient

__all__ = ["Config", "TwoStream", "build", "gradient_size"]

FILTER_SIDES = (7, 5, 3, 3)
"""Of the four convolutions of a stream, in pixels."""
PATCH = 32
"""Five max-pools leave one place of it."""
POWER_FLOOR = 1e-12
"""The slope of a root is infinite at zero."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network."""

    n_inputs: int = 3
    n_outputs: int = 1
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    """Channels of the convolutions of either stream."""
    n_region: int = 216
    """Channels of the region-based convolution: 24 for each of 3 x 3 regions."""
    n_hidden: int = 512


def build(config: Config, *, seed: int = 0) -> "TwoStream":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(TwoStream, config), seed=seed, name="two_stream")
    kaiming(net, child(generator(seed), "two_stream", "convolutions"))
    return net


class TwoStream(nn.Module):
    """Score of an image as the mean score of its patches, each seen in two ways."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.image = _stream(config, config.n_inputs)
        self.gradient = _stream(config, 1)
        self.regression = nn.Sequential(
            nn.Linear(2 * config.n_region, config.n_hidden),
            nn.ReLU(),
            nn.Linear(config.n_hidden, config.n_hidden),
            nn.ReLU(),
            nn.Linear(config.n_hidden, config.n_outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, n_outputs) of images (B, n_inputs, H, W), brightness about 1.

        Raises:
            UsageError: The images are smaller than one patch.
        """
        seen = squares(images, PATCH), squares(gradient_size(images), PATCH)
        streams = zip((self.image, self.gradient), seen, strict=True)
        features = torch.cat([net(cut.flatten(0, 1)).flatten(1) for net, cut in streams], dim=1)
        scores: Tensor = self.regression(features).unflatten(0, seen[0].shape[:2]).mean(1)
        return scores


def gradient_size(images: Tensor) -> Tensor:
    """Magnitude of the gradient of the mean channel, (B, C, H, W) -> (B, 1, H, W)."""
    return (squared_gradient(images.mean(1, keepdim=True), SCHARR) + POWER_FLOOR).sqrt()


def _stream(config: Config, n_inputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    sides = (*FILTER_SIDES, 1)
    for width, side in zip((*config.widths, config.n_region), sides, strict=True):
        layers += [
            nn.Conv2d(n_inputs, width, side, padding=side // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        n_inputs = width
    return nn.Sequential(*layers)
