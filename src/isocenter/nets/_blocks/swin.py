"""The Swin stage of MANIQA: attention in shifted windows, a convolution behind every layer.

Windows: Liu et al., arXiv:2103.14030.  The stage: Yang et al., arXiv:2204.08958.
"""

import torch
from torch import Tensor, nn

from isocenter.nets._blocks.drop import Drop
from isocenter.nets._blocks.vit import Attention, TwoLayers

__all__ = ["SwinStage"]

APART = -100.0
"""Added to the attention between neighbours in a shifted window that are none in the image."""


class SwinStage(nn.Module):
    """Layers of blocks, each layer added to its input with a small weight.

    Args:
        width: Channels of the map.
        side: Height and width of the map; a multiple of ``window``.
        depths: Blocks of each layer; every second one is shifted.
        n_heads: Heads of every block.
        window: Side of a window.
        hidden: Width of the hidden layer of every block.
        scale: Weight of a layer.
        drop: Share of the input that is lost in training.
        drop_path: Rate of stochastic depth at the last block, rising linearly from 0.
        idle: Hold the convolution ``downsample`` that the published code makes and never uses.
    """

    def __init__(
        self,
        width: int,
        side: int,
        *,
        depths: tuple[int, ...],
        n_heads: int,
        window: int,
        hidden: int,
        scale: float,
        drop: float,
        drop_path: float,
        idle: bool,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.drop = Drop(drop)
        last = max(1, sum(depths) - 1)
        rates = iter(drop_path * i / last for i in range(sum(depths)))
        self.layers = nn.ModuleList(
            Layer(
                [
                    Block(width, side, n_heads, window, window // 2 * (i % 2), hidden, next(rates))
                    for i in range(depth)
                ],
                width,
            )
            for depth in depths
        )
        if idle:
            self.downsample = nn.Conv2d(width, width, 3, padding=1)

    def reset(self, rng: torch.Generator) -> None:
        """Draw the tables of positions; linear layers and convolutions are drawn outside."""
        for part in self.modules():
            if isinstance(part, Block):
                nn.init.trunc_normal_(part.table, std=0.02, generator=rng)

    def forward(self, image: Tensor) -> Tensor:
        """(B, width, side, side), same shape out."""
        image = self.drop(image)
        for layer in self.layers:
            image = image + self.scale * layer(image)
        return image


class Layer(nn.Module):
    """Blocks, then a convolution with a rectifier."""

    def __init__(self, blocks: list[nn.Module], width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.blocks(image.permute(0, 2, 3, 1))
        return torch.relu(self.conv(tokens.permute(0, 3, 1, 2)))


class Block(nn.Module):
    """Attention inside windows, then two layers on every token; tokens are (B, H, W, C)."""

    def __init__(
        self,
        width: int,
        side: int,
        n_heads: int,
        window: int,
        shift: int,
        hidden: int,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.window = window
        # A map of one window has no neighbours to be shifted to.
        self.shift = shift if side > window else 0
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, n_heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = TwoLayers(width, hidden)
        self.drop_path = Drop(drop_path, samples=True)
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, n_heads))
        """What is added to the attention, by the way from one token of a window to another."""
        self.index: Tensor
        self.apart: Tensor
        self.register_buffer("index", _ways(window), persistent=False)
        self.register_buffer("apart", _apart(side, window, self.shift), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self._within_windows(self.norm1(tokens)))
        whole: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return whole

    def _within_windows(self, tokens: Tensor) -> Tensor:
        moved = tokens.roll((-self.shift, -self.shift), (1, 2))
        windows = _cut(moved, self.window)
        near = self.table[self.index].permute(2, 0, 1)
        bias = (self.apart[:, None] + near).repeat(len(tokens), 1, 1, 1).to(tokens.dtype)
        mixed = _join(self.attn(windows, bias), tokens.shape, self.window)
        return mixed.roll((self.shift, self.shift), (1, 2))


def _cut(tokens: Tensor, window: int) -> Tensor:
    """(B, H, W, C) -> (B windows, window ** 2, C), row by row."""
    parts: Tensor = tokens.unflatten(2, (-1, window)).unflatten(1, (-1, window)).transpose(2, 3)
    return parts.flatten(3, 4).flatten(0, 2)


def _join(windows: Tensor, shape: torch.Size, window: int) -> Tensor:
    """Inverse of :func:`_cut`."""
    n, height, width, n_channels = shape
    grid = windows.reshape(n, height // window, width // window, window, window, n_channels)
    return grid.transpose(2, 3).reshape(shape)


def _ways(window: int) -> Tensor:
    """Row of the table for every pair of tokens of a window: (window ** 2, window ** 2)."""
    at = torch.arange(window)
    places = torch.cartesian_prod(at, at)
    way = places[:, None] - places[None] + window - 1
    return way[..., 0] * (2 * window - 1) + way[..., 1]


def _apart(side: int, window: int, shift: int) -> Tensor:
    """0 where two tokens of a shifted window are neighbours in the image, else ``APART``.

    (windows, window ** 2, window ** 2).
    """
    at = torch.arange(side)
    # After the shift the last windows hold two or three strips from different ends of the image.
    strip = (at >= side - window).int() + (at >= side - shift).int() if shift else 0 * at
    area = 3 * strip[:, None] + strip
    areas = _cut(area[None, :, :, None], window)[..., 0]
    return torch.where(areas[:, :, None] == areas[:, None], 0.0, APART)
