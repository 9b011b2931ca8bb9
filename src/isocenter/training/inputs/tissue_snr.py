"""Total SNR of a scan whose tissues are known: the label of HyS-Net.

The definition is MRIQC's ``snr_total`` in releases before 23.1 (``mriqc-0.15`` in
:mod:`isocenter.measures`): the mean over cerebrospinal fluid, grey and white matter of
``median / (sd sqrt(n / (n - 1)))``, of the image under no shading, where a tissue's probability
is above 0.85, eroded by 18 neighbours where all sides of a voxel are below 1.9 mm.

Three things differ from MRIQC's.  The masks and the shading are those of the scan *before* noise
was added to it, so that the label knows what a program that sees the noisy scan alone does not.
They come from :mod:`isocenter.ops.tissue`, or from the label map that a head was painted from,
and not from ANTs and FSL.  And a tissue is not eroded where fewer than 1000 voxels would be left.
It holds anatomy and contrast beside noise: it is no rating of quality.

Source: https://mriqc.readthedocs.io/en/latest/iqms/t1w.html
"""

import math
from statistics import fmean

import numpy as np
import torch

from isocenter.data.shapes import Image3
from isocenter.errors import BadVolume
from isocenter.measures._statistics import FEWEST_ERODED, FEWEST_TISSUE, FINE_MM, SURE, TISSUES
from isocenter.ops.morphology import erode18

__all__ = ["N_TISSUES", "sure_tissues", "total_snr"]

N_TISSUES = len(TISSUES)


def sure_tissues(
    csf: Image3, gm: Image3, wm: Image3, *, spacing: tuple[float, float, float]
) -> torch.Tensor:
    """Which tissue a voxel surely is: 1, 2, 3 for fluid, grey and white matter, else 0.

    Args:
        csf: Probability of cerebrospinal fluid.
        gm: Of grey matter.
        wm: Of white matter.
        spacing: Voxel size along x, y, z in mm.

    Returns:
        uint8 of the same shape.

    Raises:
        BadVolume: Fewer than 100 voxels are surely of one tissue.
    """
    sure = torch.zeros(csf.shape, dtype=torch.uint8)
    for number, (name, share) in enumerate(zip(TISSUES, (csf, gm, wm), strict=True), start=1):
        mask = share > SURE
        if max(spacing) < FINE_MM:
            inner = erode18(mask)
            mask = inner if int(inner.count_nonzero()) >= FEWEST_ERODED else mask
        if int(mask.count_nonzero()) < FEWEST_TISSUE:
            raise BadVolume(
                f"fewer than {FEWEST_TISSUE} voxels are surely {name}: leave this scan out"
            )
        sure[mask] = number
    return sure


def total_snr(data: Image3, tissue: torch.Tensor) -> float:
    """Mean over three tissues of median over standard deviation, without unit.

    Args:
        data: Image under no shading (x, y, z), arbitrary units.
        tissue: What :func:`sure_tissues` says of the same grid.
    """
    values, codes = data.numpy(), tissue.numpy()
    return fmean(_snr(values[codes == number]) for number in range(1, N_TISSUES + 1))


def _snr(values: np.ndarray) -> float:
    found = values.astype(np.float64)
    sigma = float(found.std()) * math.sqrt(found.size / (found.size - 1))
    return float(np.median(found)) / max(sigma, 1e-12)
