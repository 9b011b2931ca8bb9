"""``Anatomy``: the parts of a scan that the measures look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from isocenter.data.shapes import Affine44, Image3, Mask3
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UsageError
from isocenter.measures._scores import Unmeasurable
from isocenter.ops.air import (
    above_face,
    background_mask,
    far_part,
    frame_mask,
    noise_mask,
    structure_mask,
)
from isocenter.ops.brain import brain_mask, why_implausible
from isocenter.ops.morphology import erode18
from isocenter.ops.regions import head_mask
from isocenter.ops.register import bring, register_tissues
from isocenter.ops.tissue import DARK_TO_BRIGHT, TissueMaps, tissue_maps, why_untrustworthy

__all__ = ["FEWEST_AIR", "Anatomy", "Template", "find_anatomy"]

FEWEST_AIR = 1000
"""Voxels of air with a value, below which nothing is said about the air."""
LEAST_AIR = 0.5
"""Part of the air, outside blank parts, that has a value; of less a scanner cut the noise off."""
STRIPPED = 0.7
"""A brain that is this part of the head is all that is there of the head."""
WHITE_MATTER = 1000.0
"""Median brightness of white matter in the harmonized image."""

OnGrid = tuple[Image3, Image3, Image3]
Template = OnGrid | tuple[Volume, Volume, Volume]
"""Probabilities of CSF, grey and white matter of a template: as images that are on the scan's
grid, or as volumes, which are brought there by an affine registration."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One scan and its parts, on one grid, in RAS+.

    A part that could not be found is ``None``, and ``missing`` says why.
    """

    image: Image3
    """As read, arbitrary units."""
    spacing: tuple[float, float, float]
    """Voxel size along x, y, z in mm."""
    affine: Affine44
    head: Mask3 | None
    frame: Mask3
    """Blank voxels: rotation, padding, defacing."""
    background: Mask3 | None
    """Neither head nor frame."""
    hat: Mask3 | None
    """The background above the plane through glabella and inion."""
    structured: Mask3 | None
    """What is too structured to be noise, in the hat, apart from the head."""
    air: Mask3 | None
    """The hat apart from the head and from what is structured."""
    brain: Mask3 | None
    tissue: TissueMaps | None
    harmonized: Image3 | None
    """The image without its shading, median of white matter 1000, nothing below 0."""
    template: OnGrid | None
    missing: Mapping[str, str]
    """By the name of a part that is not there: why."""
    _remembered: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def need(self, part: T | None, name: str) -> T:
        """The part.

        Raises:
            Unmeasurable: It is not there.
        """
        return _need(part, name, self.missing)

    def once(self, key: tuple[str, ...], find: Callable[[], T]) -> T:
        """What ``find`` gives, found at the first call for ``key`` and remembered."""
        if key not in self._remembered:
            self._remembered[key] = find()
        known: T = self._remembered[key]
        return known


def find_anatomy(
    volume: Volume,
    *,
    head: Mask3 | None = None,
    brain: Mask3 | None = None,
    tissue: TissueMaps | None = None,
    template: Template | None = None,
) -> Anatomy:
    """Find all parts of a scan that are not given.

    Args:
        volume: An anatomical scan of a head.
        head: Where the head is.
        brain: Where the brain is; where ``tissue`` sums to one half when only that is given.
        tissue: Probabilities of tissues, and the shading.
        template: Tissues of a template, on the scan's grid or as volumes on their own.

    Raises:
        UsageError: A given part is on another grid.
    """
    image, spacing = volume.data.cpu(), volume.spacing
    _check_grids(image, head=head, brain=brain, tissue=tissue, template=template)
    contrast = volume.contrast if volume.contrast in DARK_TO_BRIGHT else None
    frame = frame_mask(image)
    search = _Search()
    need, part = search.need, search.part

    skull = part("head", lambda: _head(image) if head is None else head)
    inner = part(
        "brain", lambda: _brain(image, need("head", skull), brain, tissue, spacing, contrast)
    )
    maps = part("tissue", lambda: _tissue(image, need("brain", inner), tissue, spacing, contrast))
    even = part("harmonized", lambda: _harmonized(image, need("tissue", maps)))
    around = part(
        "background", lambda: _background(image, need("head", skull), inner, frame, spacing)
    )
    hat = part("hat", lambda: _hat(image, need("background", around), need("head", skull), spacing))
    far = part("far", lambda: far_part(need("hat", hat), need("head", skull)))
    odd = part("structured", lambda: structure_mask(image, need("far", far)))
    air = part(
        "air",
        lambda: _noise(
            image,
            noise_mask(need("far", far), need("structured", odd), spacing=spacing),
            where=" apart from the head",
        ),
    )
    tpm = part("template", lambda: _template(template, volume, lambda: need("tissue", maps)))
    return Anatomy(
        image, spacing, volume.affine, skull, frame, around, hat, odd, air, inner, maps, even,
        tpm, search.missing,
    )  # fmt: skip


class _Search:
    """Reasons for the parts that were not found, by name."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def part(self, name: str, find: Callable[[], T]) -> T | None:
        """What ``find`` gives, or ``None`` and its reason kept."""
        try:
            return find()
        except (BadVolume, Unmeasurable) as reason:
            self.missing[name] = str(reason)
            return None

    def need(self, name: str, part: T | None) -> T:
        return _need(part, name, self.missing)


def _need(part: T | None, name: str, missing: Mapping[str, str]) -> T:
    if part is None:
        raise Unmeasurable(missing[name])
    return part


def _check_grids(image: Tensor, **given: Tensor | tuple[Tensor | Volume, ...] | None) -> None:
    for name, part in given.items():
        maps = part if isinstance(part, tuple) else (part,)
        for one in maps:
            if isinstance(one, Tensor) and one.shape != image.shape:
                raise UsageError(
                    f"{name} has shape {tuple(one.shape)} and the scan {tuple(image.shape)}: "
                    f"give it on the scan's grid"
                )


def _head(image: Image3) -> Mask3:
    mask = head_mask(image)
    if not bool(mask.any()):
        raise Unmeasurable("there is no head: the image is constant")
    return mask


def _brain(
    image: Image3,
    head: Mask3,
    given: Mask3 | None,
    tissue: TissueMaps | None,
    spacing: tuple[float, float, float],
    contrast: str | None,
) -> Mask3:
    if given is not None:
        return given
    if tissue is not None:
        return (tissue.csf + tissue.gm + tissue.wm) >= 0.5
    mask = brain_mask(image, spacing=spacing, contrast=contrast)
    why = why_implausible(mask, spacing)
    if why is not None:
        raise Unmeasurable(f"no brain was found: {why}")
    return mask & head


def _tissue(
    image: Image3,
    brain: Mask3,
    given: TissueMaps | None,
    spacing: tuple[float, float, float],
    contrast: str | None,
) -> TissueMaps:
    if given is not None:
        return given
    maps = tissue_maps(image, brain, spacing=spacing, contrast=contrast)
    why = why_untrustworthy(maps, image)
    if why is not None:
        raise Unmeasurable(f"the tissues could not be told apart: {why}")
    return maps


def _harmonized(image: Image3, tissue: TissueMaps) -> Image3:
    even = image.clamp_min(0) / tissue.field
    surely = tissue.wm > 0.9
    inner = erode18(surely)
    white = even.numpy()[(inner if bool(inner.any()) else surely).numpy()]
    level = float(np.median(white)) if white.size else 0.0
    if level <= 0:
        raise Unmeasurable("no white matter has a brightness: its median is zero")
    return even * (WHITE_MATTER / level)


def _background(
    image: Image3,
    head: Mask3,
    brain: Mask3 | None,
    frame: Mask3,
    spacing: tuple[float, float, float],
) -> Mask3:
    n_brain = 0 if brain is None else int(brain.count_nonzero())
    if n_brain >= STRIPPED * int(head.count_nonzero()):
        raise Unmeasurable("the scan is skull-stripped: what surrounds a brain is not air")
    return _noise(image, background_mask(head, frame, spacing=spacing))


def _hat(
    image: Image3, background: Mask3, head: Mask3, spacing: tuple[float, float, float]
) -> Mask3:
    return _noise(image, background & above_face(head, spacing=spacing), where=" above the face")


def _noise(image: Image3, air: Mask3, *, where: str = "") -> Mask3:
    """``air``, if its values can be noise."""
    values = image.numpy()[air.numpy()]
    positive = values[values > 0]
    n_values, n_voxels = positive.size, values.size
    if n_values < FEWEST_AIR:
        raise Unmeasurable(
            f"{n_values} voxels of air{where} have a value, {FEWEST_AIR} are needed: the "
            f"background is blank (stripped, defaced or padded) or cut close to the head"
        )
    if n_values < LEAST_AIR * n_voxels:
        raise Unmeasurable(
            f"{1 - n_values / n_voxels:.0%} of the air{where} is exactly zero: its noise was "
            f"cut off"
        )
    if float(positive.min()) == float(positive.max()):
        raise Unmeasurable(f"the air{where} is constant: it holds no noise")
    return air


def _template(given: Template | None, volume: Volume, tissue: Callable[[], TissueMaps]) -> OnGrid:
    if given is None:
        raise Unmeasurable("no template was given: give the tissue maps of one")
    csf, gm, wm = given
    if isinstance(csf, Tensor):
        return csf, gm, wm  # type: ignore[return-value]
    return _brought(given, volume, tissue())  # type: ignore[arg-type]


def _brought(template: tuple[Volume, Volume, Volume], volume: Volume, tissue: TissueMaps) -> OnGrid:
    """The template's tissues where this brain has its own."""
    affine = template[0].affine
    for part in template:
        if part.shape != template[0].shape or not np.allclose(part.affine, affine, atol=1e-3):
            raise UsageError(
                f"the template's maps are on different grids, {template[0].shape} and "
                f"{part.shape}: give three of one grid"
            )
    moving = torch.stack([part.data.float() for part in template])
    fixed = torch.stack([tissue.csf, tissue.gm, tissue.wm])
    world = register_tissues(moving, fixed, moving_affine=affine, fixed_affine=volume.affine)
    csf, gm, wm = (
        bring(maps, world, image_affine=affine, shape=volume.shape, affine=volume.affine)
        for maps in moving
    )
    return csf, gm, wm
