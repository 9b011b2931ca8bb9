"""Tissues of a scan that is to be simulated or measured: found here, by ANTs, or from files."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from isocenter.data.grids import on_grid
from isocenter.data.io import read
from isocenter.data.shapes import Image3, Mask3
from isocenter.data.tissue_labels import TISSUE_OF_LABELS
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, IsocenterError, UnknownName, UsageError
from isocenter.ops.ants_tissue import ants_tissue_maps
from isocenter.ops.brain import brain_mask, why_implausible
from isocenter.ops.register import bring
from isocenter.ops.tissue import (
    DARK_TO_BRIGHT,
    TissueMaps,
    given_maps,
    tissue_maps,
    why_untrustworthy,
)

__all__ = ["Backend", "segment_tissue", "tissue_maps_from_files"]

Backend = Literal["em", "ants"] | Sequence[Path | str]
"""The package's own classifier, that of ANTs, or files of another program."""
NAMED = {
    tissue: re.compile(rf"r?{spm}\D|(?:.*[^A-Z0-9])?(?:{words})(?![A-Z0-9])", re.IGNORECASE)
    for tissue, spm, words in (
        ("gm", "c1", "pve_1|gm|gray|grey"),
        ("wm", "c2", "pve_2|wm|white"),
        ("csf", "c3", "pve_0|csf"),
    )
}
"""How names of maps begin: as of SPM, of FAST (of a T1-weighted scan), of BIDS."""
CURE = (
    "give c1, c2 and c3 of SPM, pve_0, pve_1 and pve_2 of FAST, or one label map of SynthSeg or "
    "FreeSurfer"
)


def segment_tissue(
    scan: Volume,
    contrast: str | None = None,
    *,
    brain: Mask3 | None = None,
    backend: Backend = "em",
) -> TissueMaps:
    """Cerebrospinal fluid, grey and white matter of a scan, good enough to build on.

    Args:
        scan: Of a head or a brain.
        contrast: ``"T1w"``, ``"T2w"``, ``"PDw"`` or ``"FLAIR"``; that of the scan if not given.
        brain: Where the brain is; found if not given, and not needed with files.
        backend: ``"em"``, ``"ants"`` (the extra ``ants``), or files as of
            :func:`tissue_maps_from_files`.

    Raises:
        BadVolume: No brain is found, or its tissues cannot be trusted: grey and white matter are
            less than 1.5 standard deviations apart, or a tissue's share is implausible.
        MissingExtra: ANTs is not installed.
        UnknownName: No such backend or contrast.
    """
    contrast = contrast or scan.contrast
    if not isinstance(backend, str):
        maps = tissue_maps_from_files(backend, scan)
    elif backend in FINDERS:
        mask = _brain(scan, contrast) if brain is None else brain
        known = contrast if contrast in DARK_TO_BRIGHT else None
        maps = FINDERS[backend](scan.data.cpu(), mask, spacing=scan.spacing, contrast=known)
    else:
        raise UnknownName("backend", backend, FINDERS)
    why = why_untrustworthy(maps, scan.data.cpu())
    if why is not None:
        raise BadVolume(
            f"the tissues of the scan cannot be trusted: {why}; give a mask of the brain, or maps "
            "of another program"
        )
    return maps


FINDERS: Mapping[str, Callable[..., TissueMaps]] = {"em": tissue_maps, "ants": ants_tissue_maps}


def tissue_maps_from_files(
    paths: Sequence[Path | str], like: Volume, *, whole: bool = True
) -> TissueMaps:
    """Maps that another program made of a scan.

    Three files of probabilities on the scan's grid, in any order: SPM (``c1``, ``c2``, ``c3``),
    FSL FAST (``_pve_0``, ``_pve_1``, ``_pve_2`` of a T1-weighted scan) or names that hold ``GM``,
    ``WM`` and ``CSF``, as in BIDS.  Or one file with the labels of FreeSurfer, as SynthSeg writes
    it; it is brought to the scan's grid, since SynthSeg has a grid of its own.

    Args:
        paths: Three files, or one.
        like: The scan.
        whole: Divide the three by their sum; see :func:`~isocenter.ops.tissue.given_maps`.

    Raises:
        UsageError: The names do not say which tissue is which.
        BadVolume: A file cannot be read, lies on another grid, or holds no probabilities or
            labels.
    """
    if len(paths) == 1:
        return given_maps(*_of_labels(Path(paths[0]), like), whole=whole)
    by_tissue = _told_apart([Path(path) for path in paths])
    maps = {
        tissue: on_grid(path, like, f"the tissue map {path.name}", constant=True).data
        for tissue, path in by_tissue.items()
    }
    return given_maps(maps["csf"], maps["gm"], maps["wm"], whole=whole)


def _told_apart(paths: Sequence[Path]) -> dict[str, Path]:
    """By tissue, as names say."""
    found: dict[str, Path] = {}
    for path in paths:
        told = [tissue for tissue, names in NAMED.items() if names.match(path.name)]
        if len(told) != 1:
            raise UsageError(f"{path.name} does not say which tissue it is a map of: {CURE}")
        found[told[0]] = path
    if len(found) != 3 or len(paths) != 3:
        names = ", ".join(path.name for path in paths)
        raise UsageError(f"tissue maps {names}: {CURE}")
    return found


def _of_labels(path: Path, like: Volume) -> tuple[Image3, Image3, Image3]:
    """Shares of fluid, grey and white matter by labels, on the scan's grid."""
    try:
        labels = read(path)
    except IsocenterError as error:
        raise BadVolume(f"the label map {path.name} cannot be used: {error}") from error
    codes = labels.data.round()
    if not torch.equal(codes, labels.data):
        raise BadVolume(f"{path.name} holds no whole numbers, so that it is no label map: {CURE}")
    csf, gm, wm = (
        bring(
            torch.isin(codes, torch.tensor(TISSUE_OF_LABELS[tissue]).float()).float(),
            np.eye(4),
            image_affine=labels.affine,
            shape=like.shape,
            affine=like.affine,
        )
        for tissue in ("csf", "gm", "wm")
    )
    if not bool((gm + wm).any()):
        raise BadVolume(
            f"{path.name} holds no label of FreeSurfer's brain where the scan is: {CURE}"
        )
    return csf, gm, wm


def _brain(scan: Volume, contrast: str | None) -> Mask3:
    mask = brain_mask(scan.data.cpu(), spacing=scan.spacing, contrast=contrast)
    why = why_implausible(mask, scan.spacing)
    if why is not None:
        raise BadVolume(f"no brain was found: {why}; give a mask of the brain")
    return mask
