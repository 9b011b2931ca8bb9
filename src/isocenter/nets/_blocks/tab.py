"""TAB: attention between channels, each of them described by its values at all tokens.

Yang et al. (MANIQA), arXiv:2204.08958, section 3.3.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.nets._blocks.drop import Drop

__all__ = ["TransposedAttention"]


class TransposedAttention(nn.Module):
    """Channels look at channels; added to the input.

    Args:
        n_tokens: Tokens of every channel: the grid is fixed.
        drop: Share of the result that is lost in training.
        scramble: The published code exchanges the two axes of the result in memory without
            exchanging them back, which deals the values of a token out to other places.
    """

    def __init__(self, n_tokens: int, *, drop: float, scramble: bool) -> None:
        super().__init__()
        self.scramble = scramble
        self.query = nn.Linear(n_tokens, n_tokens)
        self.key = nn.Linear(n_tokens, n_tokens)
        self.value = nn.Linear(n_tokens, n_tokens)
        self.drop = Drop(drop)

    def forward(self, channels: Tensor) -> Tensor:
        """(B, C, n_tokens), same shape out."""
        seen = F.scaled_dot_product_attention(
            self.query(channels), self.key(channels), self.value(channels)
        )
        if self.scramble:
            seen = seen.transpose(1, 2).reshape(seen.shape)
        whole: Tensor = channels + self.drop(seen)
        return whole
