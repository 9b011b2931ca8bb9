"""SS2D: a selective scan over an image in four directions (VMamba, arXiv:2401.10166)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.ops.scan import selective_scan

__all__ = ["SS2D"]

N_DIRECTIONS = 4
"""Row by row, column by column, and both backwards."""
STEP_RANGE = (1e-3, 1e-1)
"""Range from which the initial step sizes are drawn, log-uniformly."""


class SS2D(nn.Module):
    """Global mixing of an image's tokens by four selective scans.

    Args:
        n_channels: Channels d of the tokens; the inner width is 2 d.
        n_states: States per inner channel.
    """

    def __init__(self, n_channels: int, n_states: int = 16) -> None:
        super().__init__()
        inner, self.rank, self.n_states = 2 * n_channels, math.ceil(n_channels / 16), n_states
        self.in_proj = nn.Linear(n_channels, 2 * inner, bias=False)
        self.conv2d = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.x_proj_weight = nn.Parameter(
            torch.empty(N_DIRECTIONS, self.rank + 2 * n_states, inner)
        )
        self.dt_projs_weight = nn.Parameter(torch.empty(N_DIRECTIONS, inner, self.rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(N_DIRECTIONS, inner))
        rates = torch.arange(1, n_states + 1, dtype=torch.float32).log()
        self.A_logs = nn.Parameter(rates.repeat(N_DIRECTIONS * inner, 1))
        self.Ds = nn.Parameter(torch.ones(N_DIRECTIONS * inner))
        self.out_norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, n_channels, bias=False)

    def reset(self, rng: torch.Generator) -> None:
        """Draw the projections of the scan; linear and convolution layers are drawn outside."""
        bound = self.x_proj_weight.shape[-1] ** -0.5
        nn.init.uniform_(self.x_proj_weight, -bound, bound, generator=rng)
        nn.init.uniform_(self.dt_projs_weight, -(self.rank**-0.5), self.rank**-0.5, generator=rng)
        low, high = map(math.log, STEP_RANGE)
        step = torch.rand(self.dt_projs_bias.shape, generator=rng) * (high - low) + low
        step = step.exp().clamp_min(1e-4)
        with torch.no_grad():
            # softplus(bias) = step
            self.dt_projs_bias.copy_(step + torch.log(-torch.expm1(-step)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens (B, H, W, d); the shape is kept."""
        x, gate = self.in_proj(tokens).chunk(2, dim=-1)
        x = F.silu(self.conv2d(x.permute(0, 3, 1, 2)))
        with torch.autocast(x.device.type, enabled=False):
            y = self._scan(x).permute(0, 2, 3, 1)
        mixed: Tensor = self.out_proj(self.out_norm(y) * F.silu(gate))
        return mixed

    def _scan(self, x: Tensor) -> Tensor:
        """Sum of the four scans of an image (B, E, H, W), in float32 whatever the input."""
        sequences = _four_ways(x.float())
        sizes = [self.rank, self.n_states, self.n_states]
        projected = torch.einsum("bkel,kre->bkrl", sequences, self.x_proj_weight.float())
        low_rank, b, c = projected.split(sizes, dim=2)
        delta = torch.einsum("bkrl,ker->bkel", low_rank, self.dt_projs_weight.float())
        delta = F.softplus(delta + self.dt_projs_bias.float()[None, :, :, None])
        a = -self.A_logs.float().exp().unflatten(0, (N_DIRECTIONS, -1))
        d = self.Ds.float().unflatten(0, (N_DIRECTIONS, -1))
        y = selective_scan(sequences, delta, a, b, c, d)
        return _one_way(y, x.shape[-2], x.shape[-1]).to(x.dtype)


def _four_ways(x: Tensor) -> Tensor:
    """(B, E, H, W) -> (B, 4, E, HW): rows, columns, rows backwards, columns backwards."""
    forward = torch.stack([x.flatten(2), x.transpose(2, 3).flatten(2)], dim=1)
    return torch.cat([forward, forward.flip(-1)], dim=1)


def _one_way(y: Tensor, height: int, width: int) -> Tensor:
    """Undo the order of :func:`_four_ways` and sum: (B, 4, E, HW) -> (B, E, H, W)."""
    forward = y[:, :2] + y[:, 2:].flip(-1)
    rows: Tensor = forward[:, 0].unflatten(-1, (height, width))
    columns: Tensor = forward[:, 1].unflatten(-1, (width, height)).transpose(2, 3)
    return rows + columns
