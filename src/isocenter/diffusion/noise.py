"""``Noise``: a stream of chance for every item of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Complex
from torch import Tensor

__all__ = ["Noise"]


@dataclass(frozen=True, eq=False)
class Noise:
    """Complex white noise; item ``n`` of a batch draws from its own generator alone.

    So what one item becomes depends neither on the others nor on their order.
    """

    streams: Sequence[torch.Generator]
    """One per item."""
    signs: Sequence[float] = field(default=())
    """-1 for an item that takes the negative of its stream (its antithetic partner has the
    same generator seed and +1); empty is +1 for all."""

    def like(self, images: Complex[Tensor, "b y x"]) -> Complex[Tensor, "b y x"]:
        """Real and imaginary parts each of standard deviation 1, of the images' shape.

        Args:
            images: As many as there are streams.
        """
        real = torch.empty(0, dtype=images.dtype).real.dtype
        parts = [
            torch.randn(*images.shape[1:], 2, generator=stream, dtype=real)
            for stream in self.streams
        ]
        drawn = torch.view_as_complex(torch.stack(parts))
        if self.signs:
            drawn = drawn * torch.tensor(self.signs, dtype=real)[:, None, None]
        return drawn.to(images.device)
