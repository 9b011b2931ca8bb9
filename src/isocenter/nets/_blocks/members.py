"""Residual blocks whose hidden channels are shared out among the members of an ensemble."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.nets._blocks.conditioned import ChannelNorm

__all__ = ["MaskedBlock", "member_masks"]


def member_masks(n_members: int, n_keeping: int, n_channels: int, like: Tensor) -> Tensor:
    """Which channels each member keeps, (n_members, n_channels, 1, 1), 0 or 1.

    As in Masksembles (Durasov et al., arXiv:2012.08334) masks are fixed, overlap, and together
    use every channel.  Here channel c is kept by the members c, c + 1, ... modulo their number:
    every channel is kept by ``n_keeping`` members, all members are of one size, and any two of
    them overlap alike but for rounding.  Channels are exchangeable before training, so that no
    chance is needed.
    """
    members = torch.arange(n_members, device=like.device)[:, None]
    channels = torch.arange(n_channels, device=like.device)
    return ((members - channels) % n_members < n_keeping).to(like)[:, :, None, None]


class MaskedBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity; scale and shift in between say the condition."""

    def __init__(self, width: int, n_condition: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.condition = nn.Linear(n_condition, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor, condition: Tensor, masks: Tensor | None = None) -> Tensor:
        """Maps (N, C, y, x) to the same.

        Args:
            maps: Any values.
            condition: (1, n_condition).
            masks: (N, C, 1, 1) of hidden channels; all are kept without.
        """
        scale, shift = self.condition(condition)[:, :, None, None].chunk(2, 1)
        hidden = F.silu(torch.addcmul(shift, self.first(self.norm(maps)), 1 + scale))
        inner: Tensor = self.second(hidden if masks is None else hidden * masks)
        return maps + inner
