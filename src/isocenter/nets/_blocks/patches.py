"""Images as batches of small squares, for networks that judge squares one by one."""

from torch import Tensor

from isocenter.errors import UsageError
from isocenter.ops.natural_scene import patches

__all__ = ["squares"]


def squares(images: Tensor, side: int) -> Tensor:
    """Squares side by side; what does not fit at the lower and right border is left out.

    Args:
        images: (B, C, H, W).
        side: Of a square, in pixels.

    Returns:
        (B, P, C, side, side).

    Raises:
        UsageError: The images are smaller than one square.
    """
    if min(images.shape[-2:]) < side:
        given = " x ".join(map(str, images.shape[-2:]))
        raise UsageError(f"images of {given} pixels hold no patch of {side} x {side}; pad them")
    return patches(images, side)
