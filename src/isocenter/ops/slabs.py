"""From a scan to the inputs of HSFNet, published and improved."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.preprocess import PublishedStack, Slabs
from isocenter.data.shapes import Image3, Mask3
from isocenter.errors import BadVolume
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.shading import N_SHADING_SIZES, shading_facts

__all__ = [
    "N_FACTS",
    "N_LINE_FACTS",
    "N_SIMPLE",
    "SHARE",
    "Head",
    "SlabBatch",
    "compressed",
    "find_head",
    "line_facts",
    "published_inputs",
    "simple_numbers",
    "spectra",
    "take_slabs",
    "usable_axes",
]

COMB_PERIODS = tuple(range(2, 9))
"""Periods, in k-space lines, at which a periodic change of the signal is looked for."""
N_LINE_FACTS = len(COMB_PERIODS) + 2
"""Facts about the k-space lines along one axis; see :func:`line_facts`."""
N_EXTREMES = 4
"""Strongest comb, largest and smallest spread and largest peak over all axes."""
N_FACTS = 4 + 3 * N_LINE_FACTS + N_SHADING_SIZES + N_EXTREMES
"""Log pixel size along both window axes, log slice distance (mm), share of window in the head,
then the line facts along both window axes and the slice axis, then the sizes of the shading, then
the extremes of the line facts over all axes."""
SHARE = 3
"""Where the share of the window in the head stands among the facts."""
MIN_LINES = 32
"""Fewer k-space lines show no comb."""
USUAL_LINES = (*[0.65] * len(COMB_PERIODS), -3.6, 1.6)
"""Line facts of a scan without artifacts, for images too small to tell."""
N_SIMPLE = N_EXTREMES + N_SHADING_SIZES + 4 + len(COMB_PERIODS) + 5
FAINT = 0.01
"""Brightness, in units of the head's, from which the second image is logarithmic."""


@dataclass(frozen=True)
class Head:
    """Where the head is and how bright; found once for all slabs of a scan."""

    mask: Mask3
    scale: float
    first: tuple[int, int, int]
    """First voxel of the bounding box."""
    last: tuple[int, int, int]
    """Last voxel of the bounding box, included."""
    lines: tuple[tuple[float, ...], ...]
    """Along x, y, z: :func:`line_facts`."""
    shading: tuple[float, ...]
    """:func:`isocenter.ops.shading.shading_facts`."""


@dataclass(frozen=True)
class SlabBatch:
    """Slabs of one scan, ready for the network."""

    slabs: Tensor
    """(S, n_slices, side, side), 1 = the head's 99th percentile."""
    inside: Tensor
    """(S, side, side), True in the head on the middle slice."""
    facts: Tensor
    """(S, N_FACTS)."""
    where: tuple[tuple[int, int], ...]
    """(axis, index of the middle slice) of each slab, RAS+."""


def find_head(data: Image3) -> Head:
    """The head of a scan; the whole image when nothing stands out.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
    """
    mask = head_mask(data)
    if not mask.any():
        mask = torch.ones_like(mask)
    first, last = zip(*(_extent(mask, axis) for axis in range(3)), strict=True)
    scale = head_scale(data, mask)
    return Head(mask, scale, first, last, _lines_of_axes(data), shading_facts(data, mask))


def _lines_of_axes(data: Image3) -> tuple[tuple[float, ...], ...]:
    """Line facts of every axis; an axis of few lines is taken to be like the others."""
    known = {axis: line_facts(data, axis) for axis in range(3) if data.shape[axis] >= MIN_LINES}
    if not known:
        return (USUAL_LINES,) * 3
    mean = tuple(sum(facts) / len(known) for facts in zip(*known.values(), strict=True))
    return tuple(known.get(axis, mean) for axis in range(3))


def line_facts(data: Image3, axis: int) -> tuple[float, ...]:
    """How the power changes from k-space line to line along an axis.

    The logarithm of the power of a scan's lines is smooth.  A ghost of period n adds a comb to
    it, motion and spikes add steps and peaks.

    Args:
        data: Magnitude image (x, y, z) on the grid that it was acquired on.
        axis: Axis whose lines are compared, ``MIN_LINES`` or more.

    Returns:
        For each of ``COMB_PERIODS`` log(1 + the comb's amplitude over what other periods
        have), about 0.7 where there is none; then the logarithms of the spread of the changes
        and of the largest change over that spread.
    """
    change = _line_changes(data, axis)
    at = torch.arange(len(change), dtype=torch.float64, device=data.device)
    periods = torch.arange(2.0, 8.51, 0.25, dtype=torch.float64, device=data.device)
    waves = torch.exp(-2j * math.pi * at / periods[:, None])
    # A second difference weakens slow combs: divide by its response.
    response = 1 - torch.cos(2 * math.pi / periods)
    amplitude = (waves @ change.to(waves.dtype)).abs() / response
    usual = float(amplitude.median()) + 1e-12
    combs = [float(amplitude[round((n - 2) / 0.25)]) / usual for n in COMB_PERIODS]
    spread = float(change.abs().median()) + 1e-6
    peak = float(change.abs().max()) / spread
    return (*map(math.log1p, combs), math.log(spread), math.log1p(peak))


def _line_changes(data: Image3, axis: int) -> Tensor:
    """Second differences of the log power of the lines from 4 to 80 % of the Nyquist frequency."""
    thin = data
    for other in range(3):
        if other != axis and data.shape[other] > MIN_LINES:
            thin = thin.movedim(other, 0)[:: max(1, data.shape[other] // 48)].movedim(0, other)
    lines = thin.movedim(axis, -1).flatten(0, 1)
    power = torch.fft.rfft(lines - lines.mean(-1, keepdim=True)).abs().square().mean(0)
    power = power[max(2, len(power) // 25) : int(0.8 * len(power))]
    log_power: Tensor = (power + 1e-12 * power.max() + 1e-30).log().double()
    change: Tensor = log_power[1:-1] - (log_power[:-2] + log_power[2:]) / 2
    return change - change.mean()


def compressed(slabs: Tensor) -> Tensor:
    """The network's images of slabs: the middle slice, its faint parts, and its neighbours.

    Args:
        slabs: (..., n_slices, side, side), 1 = the head's 99th percentile.

    Returns:
        (..., 3, side, side): the middle slice; the same on a logarithmic scale, where a ghost
        in the air is as plain as tissue; the mean of the outer slices less the middle one.
    """
    middle = slabs[..., slabs.shape[-3] // 2, :, :]
    around = (slabs[..., 0, :, :] + slabs[..., -1, :, :]) / 2
    faint = torch.asinh(middle / FAINT) / 5
    return torch.stack([middle, faint, around - middle], -3)


def usable_axes(
    spacing: Sequence[float], shape: Sequence[int], preprocess: Slabs
) -> tuple[int, ...]:
    """Slice axes whose planes have fine enough pixels; at least one.

    Thick slices are looked at in their own plane only: across them pixels would be blocks.
    """
    coarsest = [max(spacing[a] for a in range(3) if a != axis) for axis in range(3)]
    limit = preprocess.anisotropy * min(spacing)
    wide = [min(shape[a] for a in range(3) if a != axis) >= 8 for axis in range(3)]
    axes = tuple(a for a in range(3) if coarsest[a] <= limit and wide[a])
    return axes or (min(range(3), key=lambda a: (not wide[a], coarsest[a])),)


def take_slabs(
    data: Image3,
    spacing: Sequence[float],
    head: Head,
    where: Sequence[tuple[int, int]],
    preprocess: Slabs,
    shift: tuple[int, int] = (0, 0),
) -> SlabBatch:
    """Cut slabs out of a scan.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
        spacing: Voxel size, mm.
        head: From :func:`find_head` on the same image.
        where: (axis, index) of each slab's middle slice.
        preprocess: The numbers.
        shift: Voxels by which the windows leave the head's centre, for training.
    """
    slabs, insides, facts = [], [], []
    of_all = (*head.shading[:N_SHADING_SIZES], *_extremes(head.lines))
    for axis, index in where:
        others = [other for other in range(3) if other != axis]
        scaled = _slices(data, axis, index, preprocess.n_slices).float() / head.scale
        inside = head.mask.select(axis, index)[None].float()
        stack, pixel = _coarsen(
            torch.cat([scaled, inside]), [spacing[a] for a in others], preprocess.smallest_pixel
        )
        ratio = [spacing[a] / p for a, p in zip(others, pixel, strict=True)]
        centre = [
            round(((head.first[a] + head.last[a] + 1) / 2 + s) * r)
            for a, s, r in zip(others, shift, ratio, strict=True)
        ]
        window = _window(stack, centre, preprocess.side)
        slabs.append(window[:-1].clamp(-preprocess.clip, preprocess.clip))
        insides.append(window[-1] > 0.5)
        share = float(insides[-1].float().mean())
        lines = [fact for a in (*others, axis) for fact in head.lines[a]]
        size = map(math.log, (*pixel, spacing[axis]))
        facts.append([*size, share, *lines, *of_all])
    return SlabBatch(
        torch.stack(slabs),
        torch.stack(insides),
        torch.tensor(facts, dtype=torch.float32, device=data.device),
        tuple(where),
    )


def spectra(slabs: Tensor, preprocess: Slabs) -> Tensor:
    """Compressed half spectra of the middle slices.

    Args:
        slabs: (..., n_slices, side, side).
        preprocess: The numbers.

    Returns:
        (..., 3, side, side // 2): log amplitude, signed log of real and imaginary part; zero
        frequency in the middle row of the first column.
    """
    side = slabs.shape[-1]
    middle = slabs[..., slabs.shape[-3] // 2, :, :]
    fade = _tukey(side, preprocess.taper, slabs.device)
    spectrum = torch.fft.rfft2(middle * fade[:, None] * fade, norm="ortho")
    spectrum = torch.fft.fftshift(spectrum, dim=-2)[..., : side // 2]
    floor = preprocess.spectrum_floor
    parts = [spectrum.abs(), spectrum.real, spectrum.imag]
    return torch.stack([part.sign() * (part.abs() / floor).log1p() / 5 for part in parts], -3)


def simple_numbers(batch: SlabBatch) -> Tensor:
    """Numbers that anyone would look at first, averaged over the slabs of a scan.

    Simple methods, calibration and the domain check use them.  The network's facts without
    the order of axes (strongest comb, largest and smallest spread and largest peak of line
    changes; sizes of the shading; voxel size and share of the head; combs by period), then the
    logarithms of sharpness, gradient, brightness of the air, spread, and slow variation in the
    head.

    Returns:
        (N_SIMPLE,).
    """
    middle = batch.slabs[:, batch.slabs.shape[1] // 2]
    inside = batch.inside
    laplacian = (4 * middle - sum(middle.roll(s, d) for s in (1, -1) for d in (1, 2))).abs()
    gradient = torch.hypot(middle - middle.roll(1, 1), middle - middle.roll(1, 2))
    slow = F.avg_pool2d(middle * inside, 16) / F.avg_pool2d(inside.float(), 16).clamp_min(0.1)
    numbers = [
        _mean_where(laplacian, inside),
        _mean_where(gradient, inside),
        _mean_where(middle.abs(), ~inside),
        _mean_where(middle.square(), inside).sqrt(),
        slow.flatten(1).std(1).mean(),
    ]
    groups = [4, 3 * N_LINE_FACTS, N_SHADING_SIZES, N_EXTREMES]
    size, lines, shading, extremes = batch.facts.split(groups, 1)
    combs = lines[0].view(3, N_LINE_FACTS)[:, : len(COMB_PERIODS)]
    return torch.cat(
        [
            extremes[0],
            shading[0],
            size.mean(0),
            combs.amax(0),
            torch.stack(numbers).clamp_min(1e-6).log(),
        ]
    )


def _extremes(lines: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """What :data:`N_EXTREMES` counts, from the line facts of every axis."""
    combs, spreads, peaks = zip(*((max(f[:-2]), f[-2], f[-1]) for f in lines), strict=True)
    return max(combs), max(spreads), min(spreads), max(peaks)


def published_inputs(data: Image3, preprocess: PublishedStack) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of the published network: slices, real and imaginary part of their spectrum.

    Args:
        data: The scan in stored axis order, the scanner's units.
        preprocess: The numbers.

    Returns:
        Three tensors (n_slices, side, side), float32.

    Raises:
        BadVolume: The scan is smaller than the crop; the published code skips it silently.
    """
    if any(side < crop for side, crop in zip(data.shape, preprocess.crop, strict=True)):
        raise BadVolume(
            f"the published input needs at least {preprocess.crop} voxels; "
            f"this scan has {tuple(data.shape)}: use the improved network"
        )
    starts = [s // 2 - c // 2 for s, c in zip(data.shape, preprocess.crop, strict=True)]
    for axis, (start, size) in enumerate(zip(starts, preprocess.crop, strict=True)):
        data = data.narrow(axis, start, size)
    stack = data.permute(preprocess.axes)
    first = max(0, int(stack.shape[0] / 2 - preprocess.n_slices / 2))
    stack = stack[first : first + preprocess.n_slices].float()
    # scipy.ndimage.zoom with order 1 puts the corner voxels' centres on each other.
    square = (preprocess.side, preprocess.side)
    zoomed = F.interpolate(stack[None], size=square, mode="bilinear", align_corners=True)[0]
    spectrum = torch.fft.fftn(zoomed)
    return zoomed, spectrum.real, spectrum.imag


def _extent(mask: Mask3, axis: int) -> tuple[int, int]:
    """First and last index along ``axis`` that holds a True voxel, to within one voxel.

    Every second voxel along the other axes is looked at: the head is one thick piece.
    """
    others = [other for other in range(3) if other != axis]
    thin = mask
    for other in others:
        if mask.shape[other] > 64:
            thin = thin.movedim(other, 0)[::2].movedim(0, other)
    filled = thin.sum(others).nonzero()
    return (int(filled[0]), int(filled[-1])) if len(filled) else (0, mask.shape[axis] - 1)


def _slices(data: Image3, axis: int, index: int, n_slices: int) -> Tensor:
    """Neighbouring slices (n_slices, H, W); beyond the edge the last slice is repeated."""
    half = n_slices // 2
    wanted = range(index - half, index - half + n_slices)
    return torch.stack([data.select(axis, min(max(i, 0), data.shape[axis] - 1)) for i in wanted])


def _coarsen(stack: Tensor, pixel: list[float], smallest: float) -> tuple[Tensor, list[float]]:
    """Average pixels finer than ``smallest`` up to it; coarser ones stay as they are."""
    height, width = stack.shape[-2:]
    size = [
        max(1, round(n * p / smallest)) if p < smallest else n
        for n, p in zip((height, width), pixel, strict=True)
    ]
    if size == [height, width]:
        return stack, pixel
    small = F.interpolate(stack[None], size=size, mode="bilinear", antialias=True)[0]
    return small, [p * n / m for p, n, m in zip(pixel, (height, width), size, strict=True)]


def _window(stack: Tensor, centre: list[int], side: int) -> Tensor:
    """Square window (C, side, side) around ``centre``, zero outside the image."""
    padding, cut = [], []
    for n, c in zip(stack.shape[-2:], centre, strict=True):
        start = c - side // 2
        padding.append((max(0, -start), max(0, start + side - n)))
        cut.append(slice(max(0, start), min(n, start + side)))
    (top, bottom), (left, right) = padding
    return F.pad(stack[:, cut[0], cut[1]], (left, right, top, bottom))


def _tukey(side: int, taper: float, device: torch.device) -> Tensor:
    """Window that is 1 in the middle and falls to 0 along a cosine at both ends."""
    at = (torch.arange(side, device=device) + 0.5) / side
    edge = torch.minimum(at, 1 - at) / max(taper, 1e-6)
    return 0.5 - 0.5 * torch.cos(math.pi * edge.clamp(max=1.0))


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)
