"""``calibrated``: k-space with its coil maps."""

from dataclasses import replace

import torch

from isocenter.data.kspace import KSpace
from isocenter.errors import BadKSpace

__all__ = ["calibrated"]


def calibrated(kspace: KSpace, *, n_sets: int = 1) -> KSpace:
    """``kspace`` with maps: its own, else those of ESPIRiT; of a single coil, ones.

    Uecker et al., Magn. Reson. Med. 71(3), 2014, doi:10.1002/mrm.24751.

    Args:
        kspace: Any.
        n_sets: Sets of maps where they must be found.

    Raises:
        BadKSpace: Several coils, no maps, and no fully measured block in the centre.
    """
    if kspace.maps is not None:
        return kspace
    if kspace.n_coils == 1:
        return replace(kspace, maps=torch.ones_like(kspace.data).unsqueeze(1))
    rows, columns = kspace.mask.acs
    if min(rows, columns) < 2:
        raise BadKSpace(
            "coil maps come from the fully measured centre of k-space and there is none: "
            "give maps, or measure a centre"
        )
    from isocenter.ops.coils import espirit

    return replace(kspace, maps=espirit(kspace.data, kspace.mask.acs, n_sets=n_sets))
