"""Stages of small convolutions and rectifiers; Simonyan and Zisserman, arXiv:1409.1556."""

from collections.abc import Sequence

from torch import nn

__all__ = ["VGG16_DEPTHS", "VGG16_WIDTHS", "vgg_stages"]

VGG16_WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the stages of VGG-16."""
VGG16_DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions of these stages."""


def vgg_stages(
    n_inputs: int,
    widths: Sequence[int] = VGG16_WIDTHS,
    depths: Sequence[int] = VGG16_DEPTHS,
) -> list[nn.Sequential]:
    """Stages that keep the grid; what lies between them is the caller's.

    Args:
        n_inputs: Channels of the image.
        widths: Channels of every stage.
        depths: Convolutions of every stage, each 3 wide, followed by a rectifier.
    """
    stages = []
    for width, depth in zip(widths, depths, strict=True):
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(n_inputs, width, 3, padding=1), nn.ReLU()]
            n_inputs = width
        stages.append(nn.Sequential(*layers))
    return stages
