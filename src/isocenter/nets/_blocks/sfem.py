"""SFEM: the feature extractor of HSFNet, local convolutions beside a global scan."""

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.ss2d import SS2D

__all__ = ["SFEM", "LocalGlobalBlock", "PatchMerge", "initialise"]


class LocalGlobalBlock(nn.Module):
    """Half of the channels sees its neighbourhood, the other half the whole image.

    The halves are interleaved (channel shuffle with two groups) and added to the input.
    Tokens are channel-last: (B, H, W, C).
    """

    def __init__(self, n_channels: int, n_states: int, drop_path: float) -> None:
        super().__init__()
        half = n_channels // 2
        self.local = nn.Sequential(
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 3, padding=1),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 1),
            nn.ReLU(),
        )
        self.norm = nn.LayerNorm(half)
        self.scan = SS2D(half, n_states)
        self.drop_path = drop_path
        self.rng = generator(0)

    def forward(self, tokens: Tensor) -> Tensor:
        left, right = tokens.chunk(2, dim=-1)
        near = self.local(left.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        far = self._drop(self.scan(self.norm(right)))
        shuffled = torch.stack([near, far], dim=-1).flatten(-2)
        return shuffled + tokens

    def _drop(self, x: Tensor) -> Tensor:
        """Stochastic depth: in training a sample loses the whole path now and then."""
        if not self.training or self.drop_path == 0:
            return x
        keep = 1 - self.drop_path
        kept = torch.empty((x.shape[0], 1, 1, 1)).bernoulli_(keep, generator=self.rng)
        return x * kept.to(x) / keep


class PatchMerge(nn.Module):
    """Halve the grid, double the channels: (B, H, W, C) -> (B, H // 2, W // 2, 2 C)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * n_channels)
        self.reduction = nn.Linear(4 * n_channels, 2 * n_channels, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        height, width = tokens.shape[1] // 2 * 2, tokens.shape[2] // 2 * 2
        cut = tokens[:, :height, :width]
        corners = [cut[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        merged: Tensor = self.reduction(self.norm(torch.cat(corners, dim=-1)))
        return merged


class SFEM(nn.Module):
    """Patches, four (or fewer) stages of local-global blocks, average, linear.

    Args:
        embed: Module that turns (B, C_in, H, W) into (B, dims[0], h, w).
        dims: Channels of each stage; each is twice the one before.
        depths: Blocks of each stage.
        n_states: States per channel of the scans.
        n_features: Length of the output.
        drop_path: Rate of stochastic depth at the last block, rising linearly from 0.
    """

    def __init__(
        self,
        embed: nn.Module,
        dims: tuple[int, ...],
        depths: tuple[int, ...],
        n_states: int,
        n_features: int,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.norm = nn.LayerNorm(dims[0])
        rates = iter(torch.linspace(0, drop_path, sum(depths)).tolist())
        stages: list[nn.Module] = []
        for dim, depth in zip(dims, depths, strict=True):
            blocks = [LocalGlobalBlock(dim, n_states, next(rates)) for _ in range(depth)]
            merge = [PatchMerge(dim)] if dim != dims[-1] else []
            stages.append(nn.Sequential(*blocks, *merge))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(dims[-1], n_features)

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, n_features) of images (B, C_in, H, W)."""
        tokens = self.norm(self.embed(image).permute(0, 2, 3, 1))
        features: Tensor = self.head(self.stages(tokens).mean((1, 2)))
        return features


def initialise(module: nn.Module, rng: torch.Generator) -> None:
    """Draw all weights below ``module`` as the published network draws them.

    Linear: truncated normal, std 0.02, bias 0.  Convolutions: Kaiming normal, fan-out.
    torch counts the fan-out of a depthwise convolution E times too large; kept as published.
    """
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02, generator=rng)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu", generator=rng)
            if part.bias is not None:
                bound = (part.weight[0].numel()) ** -0.5
                nn.init.uniform_(part.bias, -bound, bound, generator=rng)
        elif isinstance(part, SS2D):
            part.reset(rng)
        elif isinstance(part, LocalGlobalBlock):
            part.rng = child(rng, "drop_path", name)
