"""U-Net of the variational network: instance norms, leaky rectifiers, no skip inside a block.

Ronneberger et al., arXiv:1505.04597, as Zbontar et al., arXiv:1811.08839, and Sriram et al.,
arXiv:2004.06688, use it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["UNet"]

SLOPE = 0.2
"""Of the rectifier below 0."""


class UNet(nn.Module):
    """Down by means of 2 x 2 pixels, up by transposed convolutions, joined at every level.

    Args:
        n_channels: Of input and output.
        width: Channels of the finest level; every coarser one has twice as many.
        n_levels: How often the grid is halved.
    """

    def __init__(self, n_channels: int, width: int, n_levels: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(n_levels + 1)]
        entering = [n_channels, *widths[:-2]]
        self.down = nn.ModuleList(
            _TwoConvolutions(n, m) for n, m in zip(entering, widths[:-1], strict=True)
        )
        self.middle = _TwoConvolutions(widths[-2], widths[-1])
        rising = list(reversed(widths[:-1]))
        self.enlarge = nn.ModuleList(_Enlarge(2 * n, n) for n in rising)
        self.up = nn.ModuleList(_TwoConvolutions(2 * n, n) for n in rising)
        self.last = nn.Conv2d(width, n_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, n_channels, y, x) to the same; sides are multiples of ``2 ** n_levels``."""
        kept = []
        for block in self.down:
            image = block(image)
            kept.append(image)
            image = F.avg_pool2d(image, 2)
        image = self.middle(image)
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            image = block(torch.cat([enlarge(image), kept.pop()], dim=1))
        said: Tensor = self.last(image)
        return said


class _TwoConvolutions(nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_inputs, n_outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_outputs, n_outputs, 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        return _normed(self.conv2(_normed(self.conv1(image))))


class _Enlarge(nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(n_inputs, n_outputs, 2, stride=2, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        return _normed(self.conv(image))


def _normed(image: Tensor) -> Tensor:
    return F.leaky_relu(F.instance_norm(image), SLOPE)
