"""A vision transformer with the names of timm's weights.

Dosovitskiy et al., arXiv:2010.11929.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["VisionTransformer"]

SPREAD = 0.02
"""Standard deviation of first weights."""
EPSILON = 1e-6
"""Of all norms, as in timm."""


class VisionTransformer(nn.Module):
    """Patches, a class token, and blocks; what single blocks say is read.

    Args:
        side: Height and width of the image, pixels.
        patch: Height and width of a patch; divides ``side``.
        n_inputs: Channels of the image.
        width: Length of a token.
        depth: Number of blocks.
        n_heads: Heads of every block; divides ``width``.
        n_classes: Outputs of a classifier behind a last norm; 0 leaves both away.
    """

    def __init__(
        self,
        *,
        side: int = 224,
        patch: int = 8,
        n_inputs: int = 3,
        width: int = 768,
        depth: int = 12,
        n_heads: int = 12,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.patch_embed = Patches(n_inputs, width, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList(Block(width, n_heads) for _ in range(depth))
        if n_classes:
            self.norm = nn.LayerNorm(width, EPSILON)
            self.head = nn.Linear(width, n_classes)

    def reset(self, rng: torch.Generator) -> None:
        """Draw as timm does: truncated normal, offsets 0."""
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=SPREAD, generator=rng)
                nn.init.zeros_(part.bias)
        for table in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(table, std=SPREAD, generator=rng)

    def forward(self, image: Tensor, taps: Sequence[int]) -> list[Tensor]:
        """Tokens (B, patches, width) after the blocks ``taps``, the class token left out.

        Blocks behind the last of ``taps`` are not run.

        Args:
            image: (B, n_inputs, side, side).
            taps: Numbers of blocks from 0, rising.
        """
        patches = self.patch_embed(image)
        tokens = torch.cat([self.cls_token.expand(len(image), -1, -1), patches], dim=1)
        tokens, read = tokens + self.pos_embed, []
        for i, block in enumerate(self.blocks[: taps[-1] + 1]):
            tokens = block(tokens)
            if i in taps:
                read.append(tokens[:, 1:])
        return read


class Patches(nn.Module):
    """Image (B, n_inputs, H, W) to tokens (B, patches, width), row by row."""

    def __init__(self, n_inputs: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(n_inputs, width, patch, patch)

    def forward(self, image: Tensor) -> Tensor:
        tokens: Tensor = self.proj(image).flatten(2).transpose(1, 2)
        return tokens


class Block(nn.Module):
    """Attention, then two layers on every token, each beside its input."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.attn = Attention(width, n_heads)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.mlp = TwoLayers(width, 4 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        whole: Tensor = tokens + self.mlp(self.norm2(tokens))
        return whole


class Attention(nn.Module):
    """Self-attention of several heads; tokens (B, n, width)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> Tensor:
        """``bias`` is added to the attention before its softmax: (B or 1, heads, n, n)."""
        parts = self.qkv(tokens).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return mixed


class TwoLayers(nn.Module):
    """Linear, GELU, linear, on every token."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        mixed: Tensor = self.fc2(F.gelu(self.fc1(tokens)))
        return mixed
