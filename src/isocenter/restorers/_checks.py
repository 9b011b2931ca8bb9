"""``check``: what may be believed of an enhanced scan."""

from torch import Generator

from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.restorers._enhanced import Checked, Enhanced

__all__ = ["check"]


def check(
    enhanced: Enhanced, scan: Volume, *, brain: Mask3 | None = None, rng: Generator
) -> Checked:
    """Compare an enhanced scan with the thick slices that it was made of."""
    why = "not measured yet"
    missing = dict.fromkeys(("mean_square", "sigma", "null_share", "prior_distance"), why)
    return Checked(None, None, None, None, (), None, None, None, None, None, (), missing)
