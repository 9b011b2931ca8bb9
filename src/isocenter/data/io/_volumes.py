"""``Volume`` from a file and back: reorientation, history, NIfTI writing."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isocenter.data.io import load
from isocenter.data.io._geometry import in_ras
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.data.io._writing import write
from isocenter.data.scores import ScanFacts
from isocenter.data.step import JSON, Step
from isocenter.data.volume import Volume

__all__ = ["read", "to_volume", "write"]


def read(
    path: str | os.PathLike[str],
    *,
    volume: int | None = None,
    series: str | None = None,
    max_voxels: int = Selection.max_voxels,
    voxel_size: tuple[float, float, float] | None = None,
    contrast: str | None = None,
    constant: bool = False,
) -> Volume:
    """Read a scan: NIfTI, Analyze, MGH, MINC, DICOM.

    Args:
        path: A file, or a folder of DICOM files.
        volume: Index along the fourth axis, where there is one.
        series: DICOM series, as listed or by its UID.
        max_voxels: Larger images are refused.
        voxel_size: mm along the stored axes, for files that do not say it.
        contrast: ``"T1w"``, ``"T2w"``, ``"FLAIR"``, ``"PDw"``; else what the file says.
        constant: Whether voxels may be all the same, as those of a mask may.

    Returns:
        float32 (x, y, z), RAS+, arbitrary units; ``history[0]`` holds the file's facts.

    Raises:
        BadVolume: It cannot be used; one sentence says why.
        NeedsChoice: Several volumes or series and none chosen.
        NothingFound: No such file.
    """
    selection = Selection(volume, series, max_voxels, voxel_size, constant)
    return to_volume(load(Path(path), selection), contrast=contrast)


def to_volume(loaded: Loaded, *, contrast: str | None = None) -> Volume:
    """The loaded image on its closest right-front-up axes.

    Args:
        loaded: From :func:`isocenter.data.io.load`.
        contrast: Overrides what the file says.
    """
    moved, affine = in_ras(loaded.data, loaded.affine)
    step = Step("read", plain_facts(loaded.facts))
    said = contrast or loaded.facts.contrast
    # One copy for transposition and flips; torch would need two.
    data = torch.from_numpy(np.ascontiguousarray(moved))
    return Volume(data, affine, said, (step,))


def plain_facts(facts: ScanFacts) -> dict[str, JSON]:
    """The facts as JSON values: tuples become lists."""
    plain: dict[str, Any] = asdict(facts)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}
