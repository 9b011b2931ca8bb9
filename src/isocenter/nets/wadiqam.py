"""WaDIQaM-NR (deepIQA): patches judged and weighed by one small VGG.

Bosse et al., IEEE TIP 27(1), 2018, doi:10.1109/TIP.2017.2760518, arXiv:1612.01697: patches of
32 x 32 pixels, five stages of two convolutions (32 to 512 channels), each ended by a max-pool, then
a head for the patch's quality and one for its weight, 512 hidden units each.  The image's score is
the weighted mean, equation 5 to 7.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.patches import squares
from isocenter.nets._blocks.resnet import kaiming
from isocenter.nets._blocks.vgg import vgg_stages

__all__ = ["Config", "WaDIQaM", "build", "weighted_mean"]

SMALLEST_WEIGHT = 1e-6
"""Of a patch, so that the weights of an image never sum to 0."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default."""

    n_inputs: int = 3
    n_outputs: int = 1
    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Channels of the stages; n of them shrink a patch of 2**n pixels to one."""
    n_hidden: int = 512
    dropout: float = 0.5
    """Before the last layer of both heads."""


def build(config: Config, *, seed: int = 0) -> "WaDIQaM":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(WaDIQaM, config), seed=seed, name="wadiqam")
    kaiming(net, child(generator(seed), "wadiqam", "convolutions"))
    return net


class WaDIQaM(nn.Module):
    """Score of an image as the weighted mean score of its patches."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.patch = 2 ** len(config.widths)
        stages = vgg_stages(config.n_inputs, config.widths, (2,) * len(config.widths))
        self.features = nn.Sequential(*(part for s in stages for part in (*s, nn.MaxPool2d(2))))
        self.quality = _head(config, config.n_outputs)
        self.weight = _head(config, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, n_outputs) of images (B, n_inputs, H, W), brightness about 1.

        Raises:
            UsageError: The images are smaller than one patch.
        """
        cut = squares(images, self.patch)
        features = self.features(cut.flatten(0, 1)).flatten(1).unflatten(0, cut.shape[:2])
        return weighted_mean(self.quality(features), self.weight(features))


def weighted_mean(scores: Tensor, weights: Tensor) -> Tensor:
    """Mean over patches, weighted by what is positive of ``weights`` and a little more.

    Args:
        scores: (B, P, n_outputs).
        weights: (B, P, 1), of any sign.

    Returns:
        (B, n_outputs).
    """
    positive = torch.relu(weights) + SMALLEST_WEIGHT
    return (positive * scores).sum(1) / positive.sum(1)


def _head(config: Config, n_outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(config.widths[-1], config.n_hidden),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.n_hidden, n_outputs),
    )
