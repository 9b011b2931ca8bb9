"""The same places in a scan, in its enhanced form and in the maps of what to believe."""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from isocenter.data.enhancement import ColourScale, Picture, PictureRow
from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.ops.pictures import Mark, coloured, picture, strip
from isocenter.ops.regions import head_mask, head_scale
from isocenter.restorers import Checked, Enhanced
from isocenter.restorers._enhanced import Region

__all__ = ["picture_rows"]

PLANES = ("sagittal", "coronal", "axial")
LARGEST_Z = 5.0
"""Standard deviations that are shown in full colour."""
MOST_SLICES, MOST_REGIONS = 3, 6
"""Slices with flagged regions that get a row of pictures, and rings in one."""
RING_MM = (6.0, 25.0)
"""Radius of the ring around a region, at least and at most."""


class _Place(NamedTuple):
    """A slice in the scan and in the enhanced one, and what is marked there."""

    title: str
    axis: int
    thick: int
    thin: int
    marks: tuple[Mark, ...] = ()


def picture_rows(
    made: Enhanced, checked: Checked, scan: Volume, method: str
) -> tuple[PictureRow, ...]:
    """Three planes through the middle of the head, then the flagged regions.

    Every row shows the scan as it was acquired, by cubic splines, enhanced, and the maps of
    doubt, of agreement and of what was not measured.
    """
    white = head_scale(scan.data)
    deepest = _high(made.deviation, white)
    show = partial(_row, made, checked, scan, method, white, deepest)
    return tuple(show(place) for place in _places(made, checked, scan))


def _places(made: Enhanced, checked: Checked, scan: Volume) -> Iterator[_Place]:
    across, ratio = int(str(made.facts["axis"])), int(str(made.facts["ratio"]))
    head = head_mask(scan.data)
    for axis in sorted(range(3), key=lambda one: one == across):
        index = _middle(head, axis)
        thin = index * ratio + ratio // 2 if axis == across else index
        told = f"slice {thin}" + (f" (of the scan: {index})" if axis == across else "")
        yield _Place(f"{PLANES[axis]}, {told}", axis, index, thin)
    for number, regions in _by_slice(checked.changed):
        title = f"{PLANES[across]}, slice {number}: changed more than the uncertainty allows"
        marks = tuple(_mark(one, made.image) for one in regions)
        yield _Place(title, across, number // ratio, number, marks)
    for number, regions in _by_slice(checked.clusters):
        title = f"{PLANES[across]}, slice {number} of the scan: disagrees with it"
        marks = tuple(_mark(one, scan) for one in regions)
        yield _Place(title, across, number, number * ratio + ratio // 2, marks)


def _by_slice(regions: tuple[Region, ...]) -> list[tuple[int, list[Region]]]:
    """The slices with the largest regions, and the largest regions of each."""
    found: dict[int, list[Region]] = {}
    for one in regions:
        found.setdefault(one.slice, []).append(one)
    return [(number, inside[:MOST_REGIONS]) for number, inside in found.items()][:MOST_SLICES]


def _row(
    made: Enhanced,
    checked: Checked,
    scan: Volume,
    method: str,
    white: float,
    deepest: float,
    place: _Place,
) -> PictureRow:
    _, axis, thick, thin, marks = place
    grey = partial(picture, scale=white, axis=axis, marks=marks)
    return PictureRow(
        place.title,
        (
            Picture("scan, as acquired", grey(scan, index=thick, smooth=False)),
            Picture("cubic splines", grey(made.interpolated, index=thin)),
            Picture(f"enhanced ({method})", grey(made.image, index=thin)),
            _map(
                "standard deviation",
                made.deviation,
                "heat",
                (0.0, deepest),
                place,
                labels=("0", f"{deepest / white:.0%} of the head's brightness"),
                why=f"{method} does not know how far off it may be",
            ),
            _map(
                "disagreement (z)",
                checked.consistency,
                "balance",
                (-LARGEST_Z, LARGEST_Z),
                place,
                labels=(f"-{LARGEST_Z:g}", f"{LARGEST_Z:g}"),
                why=checked.missing.get("consistency", "not measured"),
            ),
            _map(
                "share not measured",
                checked.null_space,
                "heat",
                (0.0, 1.0),
                place,
                labels=("0", "100 %"),
                why=checked.missing.get("null_space", "not measured"),
            ),
        ),
    )


def _map(
    title: str,
    shown: Volume | None,
    ramp: str,
    ends: tuple[float, float],
    place: _Place,
    *,
    labels: tuple[str, str],
    why: str,
) -> Picture:
    if shown is None:
        return Picture(title, None, why)
    is_thick = ramp == "balance"
    index = place.thick if is_thick else place.thin
    png = coloured(shown, ramp, *ends, place.axis, index, smooth=not is_thick, marks=place.marks)
    return Picture(title, png, scale=ColourScale(strip(ramp), *labels))


def _middle(head: Mask3, axis: int) -> int:
    """The slice through the middle of the head."""
    areas = head.sum([other for other in range(3) if other != axis]).double()
    if float(areas.sum()) == 0:
        return head.shape[axis] // 2
    total = areas.cumsum(0)
    return int((total < total[-1] / 2).sum())


def _high(deviation: Volume | None, white: float) -> float:
    """The standard deviation that is shown brightest: nearly the largest of the head."""
    if deviation is None:
        return white
    sample = deviation.data[::2, ::2, ::2].flatten()
    shown = sample[sample > 0.1 * float(sample.mean())]
    rank = max(1, round(0.995 * shown.numel()))
    return float(shown.kthvalue(rank).values) if shown.numel() else white


def _mark(region: Region, grid: Volume) -> Mark:
    volume = region.n_voxels * math.prod(grid.spacing)
    radius = (3 * volume / (4 * math.pi)) ** (1 / 3) + RING_MM[0] / 2
    return Mark(region.centre, min(max(radius, RING_MM[0]), RING_MM[1]))
