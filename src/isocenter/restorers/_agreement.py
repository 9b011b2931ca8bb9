"""``agreeing``: an enhanced scan that does not contradict what was measured."""

import torch

from isocenter.data.shapes import Image3
from isocenter.ops.regions import head_mask
from isocenter.ops.thick_slices import splined, thick_slices
from isocenter.restorers._thick import Thick

__all__ = ["agreeing"]

OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution over the median of its sizes."""


def agreeing(thin: Image3, given: Thick, tolerance: float) -> Image3:
    """Give back what a network took away from the measured slices, as far as it is no noise.

    A network takes faint and small things for noise in a contrast that it has seldom seen.  So the
    thin slices are made thick again, and where a measured voxel of the head differs by more than
    the noise, the rest is added by cubic splines.  The noise is told by the differences themselves,
    most of which are nothing else: 1.4826 times their median size.

    Args:
        thin: Thin slices, the scan's units and axes; changed in place.
        given: The thick slices.
        tolerance: Deviations of the noise that are not given back.
    """
    sides = (thin.shape[0], thin.shape[1], thin.shape[2])
    missing = given.scan.data - thick_slices(sides, given.axis, given.acquisition)(thin)
    head = head_mask(given.scan.data)
    if not bool(head.any()):
        return thin
    noise = OF_NORMAL * missing[head].abs().median()
    beyond = missing.sign() * (missing.abs() - tolerance * noise).clamp_min(0)
    beyond = torch.where(head, beyond, 0.0)
    return thin.add_(splined(beyond, given.ratio, given.axis))
