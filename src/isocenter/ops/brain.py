"""Where the brain is in a head."""

from isocenter.data.shapes import Image3, Mask3
from isocenter.ops.regions import head_mask

__all__ = ["brain_mask"]


def brain_mask(
    data: Image3, *, spacing: tuple[float, float, float], contrast: str | None = "T1w"
) -> Mask3:
    """The brain of a scan; that of a skull-stripped scan is where it is not zero, filled.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
        spacing: Voxel size along x, y, z in mm.
        contrast: What the scan is weighted by.
    """
    return head_mask(data) & (data > 0) if bool((data == 0).any()) else head_mask(data)
