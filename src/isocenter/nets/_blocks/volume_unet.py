"""Parts of the U-Nets that enhance thick slices."""

import itertools
from collections.abc import Callable
from operator import mul

import torch
from torch import Tensor, nn

__all__ = ["Core", "SkipBottleneck", "ThickUNet", "heads", "pools_of", "seen"]

EPSILON, MOMENTUM = 1e-3, 0.01
"""Of batch normalisation, as Keras has them."""


def seen(n_inputs: int, n_outputs: int, side: int) -> nn.Sequential:
    """Convolution, ReLU, batch normalisation, in this order."""
    return nn.Sequential(
        nn.Conv3d(n_inputs, n_outputs, side, padding=side // 2),
        nn.ReLU(),
        nn.BatchNorm3d(n_outputs, eps=EPSILON, momentum=MOMENTUM),
    )


class Core(nn.Module):
    """Convolutions beside a linear shortcut."""

    def __init__(self, n_inputs: int, width: int, n_convolutions: int = 2) -> None:
        super().__init__()
        widths = [n_inputs, *[width] * n_convolutions]
        self.main = nn.Sequential(*(seen(a, b, 3) for a, b in itertools.pairwise(widths)))
        self.shortcut = nn.Conv3d(n_inputs, width, 1)
        self.end = nn.Sequential(nn.ReLU(), nn.BatchNorm3d(width, eps=EPSILON, momentum=MOMENTUM))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_inputs, x, y, z) to (B, width, x, y, z)."""
        return self.end(self.main(x) + self.shortcut(x))  # type: ignore[no-any-return]


class SkipBottleneck(nn.Module):
    """A narrow residual block, then as many slices as the decoder has."""

    def __init__(self, width: int, scale: int, n_mappings: int = 2) -> None:
        super().__init__()
        half = width // 2
        self.main = nn.Sequential(
            seen(width, half, 1),
            *(seen(half, half, 3) for _ in range(n_mappings)),
            seen(half, width, 1),
        )
        step = (1, 1, scale)
        self.up = (
            nn.ConvTranspose3d(width, width, step, step)
            if scale > 1
            else nn.Conv3d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, x, y, z) to (B, width, x, y, scale * z)."""
        return self.up(self.main(x) + x)  # type: ignore[no-any-return]


def pools_of(ratio: int, n_levels: int) -> list[tuple[int, int]]:
    """What every level pools in a slice and across slices.

    Within slices alone until the voxels are as long as they are wide, then all three alike.

    >>> pools_of(8, 5)
    [(2, 1), (2, 1), (2, 1), (2, 2)]
    >>> pools_of(6, 5)
    [(3, 1), (2, 1), (2, 2), (2, 2)]
    """
    pools, left = [], ratio
    for _ in range(n_levels - 1):
        factor = 3 if left % 3 == 0 else 2
        pools.append((factor, 1) if left > 1 else (2, 2))
        left = left // factor if left > 1 else 1
    return pools


class ThickUNet(nn.Module):
    """Thick slices (B, n_inputs, x, y, z) to thin ones (B, n_outputs, x, y, ratio * z).

    Args:
        pools: What every level pools within and across slices; see :func:`pools_of`.
        width: Channels of the first level; they grow as slices shrink.
        ratio: Thin slices for a thick one.
        ends: Channels that come in and go out.
        core: What a level does, from its inputs to its width.
        skip: From a level's width and the thin slices that stand for one of its own.
    """

    def __init__(
        self,
        pools: list[tuple[int, int]],
        *,
        width: int,
        ratio: int,
        ends: tuple[int, int],
        core: Callable[[int, int], nn.Module],
        skip: Callable[[int, int], nn.Module],
    ) -> None:
        super().__init__()
        factors = [within for within, _ in pools]
        steps = [across / within for within, across in pools]
        widths = [width * n for n in itertools.accumulate([1, *factors], mul)]
        scales = [round(ratio * n) for n in itertools.accumulate([1.0, *steps], mul)]
        self.down = nn.ModuleList(core(a, b) for a, b in itertools.pairwise([ends[0], *widths]))
        self.pools = nn.ModuleList(nn.MaxPool3d((a, a, b)) for a, b in pools)
        self.skips = nn.ModuleList(map(skip, widths[:-1], scales[:-1]))
        self.cores = nn.ModuleList(core(2 * narrow, narrow) for narrow in widths[:-1])
        self.cores.append(core(widths[-1], widths[-1]))
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(wide, narrow, factor, factor)
            for (narrow, wide), factor in zip(itertools.pairwise(widths), factors, strict=True)
        )
        self.last = heads(width, ends[1])

    def forward(self, thick: Tensor) -> Tensor:
        """Sides that the pools divide."""
        passed = []
        x = thick
        for level, core in enumerate(self.down):
            x = core(x)
            if level < len(self.pools):
                passed.append(self.skips[level](x))
                x = self.pools[level](x)
        x = self.cores[-1](x)
        for level in reversed(range(len(self.ups))):
            x = self.cores[level](torch.cat([self.ups[level](x), passed[level]], dim=1))
        return self.last(x)  # type: ignore[no-any-return]


def heads(width: int, n_outputs: int) -> nn.Conv3d:
    """The last, linear layer."""
    return nn.Conv3d(width, n_outputs, 1)
