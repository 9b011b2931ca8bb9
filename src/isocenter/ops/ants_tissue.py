"""Tissues by ANTs, where it is installed: N4 takes the shading out, Atropos tells tissues apart.

Avants et al., Neuroinformatics 9(4), 2011, doi:10.1007/s12021-011-9109-y; Tustison et al., IEEE
TMI 29(6), 2010, doi:10.1109/TMI.2010.2046908.
"""

from importlib import import_module
from types import ModuleType

import numpy as np
import torch

from isocenter.data.shapes import Image3, Mask3
from isocenter.errors import BadVolume, MissingExtra, UsageError
from isocenter.ops.tissue import DARK_TO_BRIGHT, TISSUES, TissueMaps

__all__ = ["ants_tissue_maps"]

START, FIELD, ROUNDS = "kmeans[3]", "[0.2,1x1x1]", "[5,0]"
"""First classes, Markov field (weight, radius in voxels) and rounds of Atropos."""


def ants_tissue_maps(
    data: Image3, brain: Mask3, *, spacing: tuple[float, float, float], contrast: str | None
) -> TissueMaps:
    """Cerebrospinal fluid, grey and white matter, and the shading, of a brain.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
        brain: Where the brain is.
        spacing: Voxel size along x, y, z in mm.
        contrast: ``"T1w"``, ``"T2w"``, ``"PDw"`` or ``"FLAIR"``: the tissues' order from dark
            to bright.

    Raises:
        MissingExtra: antspyx is not installed.
        UsageError: No contrast.
        BadVolume: ANTs finds no three tissues.
    """
    if contrast not in DARK_TO_BRIGHT:
        raise UsageError(
            f"contrast {contrast}: ANTs sorts tissues by brightness; give T1w, T2w, PDw or FLAIR"
        )
    ants = _ants()

    def image_of(values: torch.Tensor) -> object:
        return ants.from_numpy(values.cpu().numpy().astype(np.float32), spacing=spacing)

    image, mask = image_of(data.clamp_min(0)), image_of(brain)
    field = ants.n4_bias_field_correction(image, mask=mask, return_bias_field=True)
    shading = torch.from_numpy(field.numpy()).to(data).clamp_min(1e-6)
    shading = shading / shading[brain].log().mean().exp()
    even = data.clamp_min(0) / shading
    try:
        said = ants.atropos(a=image_of(even), x=mask, i=START, m=FIELD, c=ROUNDS)
        shares = [torch.from_numpy(one.numpy()).to(data) for one in said["probabilityimages"]]
    except (RuntimeError, ValueError, OSError) as error:
        raise BadVolume(f"ANTs told no tissues apart: {error}") from error
    if len(shares) != len(TISSUES):
        raise BadVolume(f"ANTs found {len(shares)} tissues instead of three: give another mask")
    means = [float((one * even).sum() / one.sum().clamp_min(1e-6)) for one in shares]
    ordered = [shares[i] * brain for i in np.argsort(means)]
    order = DARK_TO_BRIGHT[contrast]
    csf, gm, wm = (ordered[order.index(name)] for name in TISSUES)
    return TissueMaps(csf, gm, wm, shading)


def _ants() -> ModuleType:
    try:
        return import_module("ants")
    except ImportError:
        raise MissingExtra(
            "tissue maps of ANTs need the package antspyx: pip install 'isocenter[ants]'"
        ) from None
