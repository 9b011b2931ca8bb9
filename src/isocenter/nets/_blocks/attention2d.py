"""Attention among all pixels of a map, one head."""

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PixelAttention"]


class PixelAttention(nn.Module):
    """Every pixel gathers from all others; added to the map.

    Args:
        n_channels: Of the map.
        norm: Applied first.
        gain: What the sum of map and result is multiplied by.
    """

    def __init__(self, n_channels: int, norm: nn.Module, gain: float = 1.0) -> None:
        super().__init__()
        self.norm, self.gain = norm, gain
        self.query, self.key, self.value, self.out = (
            nn.Conv2d(n_channels, n_channels, 1) for _ in range(4)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, y, x) to the same."""
        normed = self.norm(maps)
        query, key, value = (
            part(normed).flatten(2).transpose(1, 2)[:, None]
            for part in (self.query, self.key, self.value)
        )
        gathered = F.scaled_dot_product_attention(query, key, value)[:, 0]
        placed = gathered.transpose(1, 2).reshape(maps.shape)
        result: Tensor = (maps + self.out(placed)) * self.gain
        return result
