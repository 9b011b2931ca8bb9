"""CNNIQA: one convolution, its largest and smallest answers, and three linear layers.

Kang et al., CVPR 2014, doi:10.1109/CVPR.2014.224: grey patches of 32 x 32 pixels of the locally
normalised image, 50 filters of 7 x 7 without a rectifier, maximum and minimum over the patch, two
layers of 800; the image's score is the mean of its patches'.  Where the paper leaves a choice: the
window of the normalisation is the mean of 7 x 7 pixels, mirrored at the border, and its constant
is one grey level of 255.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.patches import squares
from isocenter.ops.windows import box, slide

__all__ = ["CNNIQA", "Config", "build", "locally_normalised"]

WINDOW = 7
"""Pixels over which brightness and contrast are taken out."""
FLOOR = 1 / 255
"""Added to the local deviation, in units of the image's brightness."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default."""

    n_inputs: int = 1
    n_outputs: int = 1
    n_filters: int = 50
    filter_side: int = 7
    n_hidden: int = 800
    patch: int = 32
    """Side of a patch in pixels."""
    dropout: float = 0.5
    """Behind the first hidden layer."""


def build(config: Config, *, seed: int = 0) -> "CNNIQA":
    """The network of ``config`` with weights drawn from ``seed``."""
    return drawn(partial(CNNIQA, config), seed=seed, name="cnniqa")


class CNNIQA(nn.Module):
    """Score of an image as the mean score of its patches."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.filters = nn.Conv2d(config.n_inputs, config.n_filters, config.filter_side)
        self.regression = nn.Sequential(
            nn.Linear(2 * config.n_filters, config.n_hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.n_hidden, config.n_hidden),
            nn.ReLU(),
            nn.Linear(config.n_hidden, config.n_outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, n_outputs) of images (B, n_inputs, H, W), brightness about 1.

        Raises:
            UsageError: The images are smaller than one patch.
        """
        cut = squares(locally_normalised(images), self.config.patch)
        found = self.filters(cut.flatten(0, 1))
        extremes = torch.cat([found.amax((2, 3)), found.amin((2, 3))], dim=1)
        scores: Tensor = self.regression(extremes).unflatten(0, cut.shape[:2]).mean(1)
        return scores


def locally_normalised(images: Tensor) -> Tensor:
    """Pixels less their local mean, over their local deviation plus a small constant.

    Args:
        images: (B, C, H, W), brightness about 1.

    Returns:
        Same shape; each channel by itself.
    """
    taps = box(WINDOW)
    mean, power = (slide(each, taps, edges="repeat") for each in (images, images.square()))
    deviation = (power - mean.square()).clamp_min(0).sqrt()
    return (images - mean) / (deviation + FLOOR)
