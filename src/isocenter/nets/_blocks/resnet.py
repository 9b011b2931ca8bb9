"""Residual networks on images or volumes, with the names of torchvision's weights.

He et al., arXiv:1512.03385; on volumes as Hara et al., arXiv:1711.09577, with a projection
wherever the grid or the number of channels changes (shortcut type B).
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

__all__ = ["DEPTHS", "BasicBlock", "BottleneckBlock", "ResNet", "kaiming"]

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Blocks of the four stages; 50 layers are made of bottleneck blocks."""
CONVOLUTIONS: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS: dict[int, Any] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class ResNet(nn.Module):
    """Stem and four stages; there is no classifier.

    Args:
        depth: 18, 34 or 50 layers, classifier counted.
        n_dims: 2 for images, 3 for volumes.
        n_inputs: Channels of the input.
        width: Channels of the stem; the stages have 1, 2, 4 and 8 times as many (50: 4 times that).
        pool: Whether the stem ends in a max-pool that halves the grid again.
        first_stride: Stride of the stem along the first axis; the others have 2.
    """

    def __init__(
        self,
        depth: int,
        *,
        n_dims: Literal[2, 3],
        n_inputs: int,
        width: int = 64,
        pool: bool = True,
        first_stride: int = 2,
    ) -> None:
        super().__init__()
        stride = (first_stride, *(2,) * (n_dims - 1))
        convolution = CONVOLUTIONS[n_dims]
        self.conv1 = convolution(n_inputs, width, 7, stride, padding=3, bias=False)
        self.bn1 = NORMS[n_dims](width)
        self.relu = nn.ReLU()
        self.maxpool = POOLS[n_dims](3, 2, padding=1) if pool else nn.Identity()
        block = BottleneckBlock if depth == 50 else BasicBlock
        self.n_features = tuple(width * 2**i * block.expansion for i in range(4))
        """Channels of the four maps."""
        n_before = width
        for i, n_blocks in enumerate(DEPTHS[depth]):
            parts = []
            for j in range(n_blocks):
                stride_here = 2 if i > 0 and j == 0 else 1
                parts.append(block(n_before, width * 2**i, stride_here, n_dims))
                n_before = self.n_features[i]
            setattr(self, f"layer{i + 1}", nn.Sequential(*parts))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps of the four stages, fine to coarse, of (B, n_inputs, *spatial)."""
        values = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        maps = []
        for stage in self.stages():
            values = stage(values)
            maps.append(values)
        return maps

    def stages(self) -> Iterator[nn.Module]:
        """The four stages in order."""
        return (getattr(self, f"layer{i}") for i in range(1, 5))


class BasicBlock(nn.Module):
    """Two convolutions of width 3 beside the input."""

    expansion = 1

    def __init__(self, n_inputs: int, width: int, stride: int, n_dims: int) -> None:
        super().__init__()
        convolution, norm = CONVOLUTIONS[n_dims], NORMS[n_dims]
        self.conv1 = convolution(n_inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = convolution(width, width, 3, padding=1, bias=False)
        self.bn2 = norm(width)
        self.relu = nn.ReLU()
        self.downsample = _projection(n_inputs, width, stride, n_dims)

    def forward(self, values: Tensor) -> Tensor:
        near = self.relu(self.bn1(self.conv1(values)))
        whole: Tensor = self.relu(self.bn2(self.conv2(near)) + self.downsample(values))
        return whole


class BottleneckBlock(nn.Module):
    """Convolutions of width 1, 3 and 1 beside the input; the middle one takes the stride."""

    expansion = 4

    def __init__(self, n_inputs: int, width: int, stride: int, n_dims: int) -> None:
        super().__init__()
        convolution, norm = CONVOLUTIONS[n_dims], NORMS[n_dims]
        n_outputs = width * self.expansion
        self.conv1 = convolution(n_inputs, width, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = convolution(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = norm(width)
        self.conv3 = convolution(width, n_outputs, 1, bias=False)
        self.bn3 = norm(n_outputs)
        self.relu = nn.ReLU()
        self.downsample = _projection(n_inputs, n_outputs, stride, n_dims)

    def forward(self, values: Tensor) -> Tensor:
        near = self.relu(self.bn1(self.conv1(values)))
        near = self.relu(self.bn2(self.conv2(near)))
        whole: Tensor = self.relu(self.bn3(self.conv3(near)) + self.downsample(values))
        return whole


def kaiming(net: nn.Module, rng: torch.Generator) -> None:
    """Draw all convolutions of ``net`` Kaiming-normal (fan-out), as residual networks start.

    Norms start as the identity; a bias of a convolution starts at 0.
    """
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu", generator=rng)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _projection(n_inputs: int, n_outputs: int, stride: int, n_dims: int) -> nn.Module:
    """The input on the block's grid and channels."""
    if stride == 1 and n_inputs == n_outputs:
        return nn.Identity()
    convolution = CONVOLUTIONS[n_dims](n_inputs, n_outputs, 1, stride, bias=False)
    return nn.Sequential(convolution, NORMS[n_dims](n_outputs))
