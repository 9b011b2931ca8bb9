"""Stochastic image quality transfer: what a high-field scanner would have shown, and how surely.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807; arXiv
2304.13385.  The network is another one, trained anew, and the interval of a voxel is calibrated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Generator

from isocenter.data.device import usable_device
from isocenter.data.shapes import Image3, Mask3
from isocenter.data.step import JSON
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.ops.regions import head_scale
from isocenter.restorers._agreement import agreeing
from isocenter.restorers._enhanced import Enhanced
from isocenter.restorers._restored import Progress
from isocenter.restorers._thick import Thick, interpolated, thick
from isocenter.restorers._thick_net import ThickNet, load_thick_net
from isocenter.restorers._tiled import Tiled, tiled

__all__ = ["LEVEL", "Options", "enhance"]

LEVEL = 0.9
"""Of the interval."""
NORMAL = 1.6449
"""Half width of a normal distribution's central interval of that level, in deviations."""


@dataclass(frozen=True)
class Options:
    """How many thin slices, which network, and what it may use."""

    ratio: int = 0
    """Thin slices for a thick one, 2 to 8; 0: the slices' distance over the pixels' width."""
    axis: int | None = None
    """Across slices, 0 to 2 in RAS+; that of the largest voxel side if not given."""
    members: int = 4
    """Networks in one that are asked; more say more of what is not known."""
    max_memory: float = 2.0
    """Gigabytes; decides the size of the tiles."""
    weights: str = ""
    """A checkpoint; empty: the one that ships."""
    device: str = "auto"
    """``"auto"`` (CUDA if there is any, else the CPU), or a torch device."""
    tolerance: float | None = None
    """Deviations of the noise by which thin slices, made thick again, may differ from the measured
    ones; what goes beyond is given back to them.  ``None``: as the weights' card says for the
    scan's contrast, more for one that the network knows well; where it says nothing, nothing is."""

    def __post_init__(self) -> None:
        if self.members < 1 or not self.max_memory > 0:
            raise UsageError(
                f"members is {self.members} and max_memory {self.max_memory:g}: give a member or "
                "more, and memory in GB"
            )
        if self.tolerance is not None and not self.tolerance >= 0:
            raise UsageError(
                f"tolerance is {self.tolerance:g}: give deviations of the noise, 0 or more"
            )


def enhance(
    scan: Volume, options: Options, *, rng: Generator, progress: Progress | None = None
) -> Enhanced:
    """Thin slices of the same contrast, with the deviation of their error and an interval.

    Every voxel's variance is the mean of the members' variances (what the slices do not say) plus
    the variance of their means (what the network has not learned), as in Kendall and Gal,
    arXiv:1703.04977.  The deviation and the interval are stretched by factors that were fitted on
    people the network never saw; they hold for scans like those.  The measured slices are given
    back what the network took for noise without cause (see ``tolerance``).  Where nothing was
    measured (a thick voxel and all its neighbours are 0) the image and its deviation are 0.

    Args:
        scan: Thick slices, any slice axis.
        options: See :class:`Options`.
        rng: Not used: nothing is drawn.
        progress: Told how many tiles are done, of how many.

    Raises:
        BadVolume: Isotropic voxels, or a single slice.
        UsageError: A ratio that does not go with the voxels or the network, too many members, or
            no such device.
        BadCheckpoint: No weights, or others.
        ResourceError: Out of memory even with the smallest tiles.
    """
    given = thick(scan, ratio=options.ratio, axis=options.axis)
    net = load_thick_net(options.weights or None, given.ratio, usable_device(options.device))
    members = _members(net, options.members)
    cubic = interpolated(given, order=3)
    scale = head_scale(scan.data)
    source = (cubic if net.takes_thin else scan).data / scale
    made = tiled(
        net,
        source.movedim(given.axis, -1),
        members=members,
        max_memory=options.max_memory,
        progress=progress,
    )
    there = _measured(given)
    stretch = _by_ratio(net, "deviation_scale", 1.0)
    mean, deviation = _in_units(made, given.axis, there, scale, stretch)
    tolerance = _tolerance(net, scan, options)
    if tolerance is not None:
        mean = agreeing(mean, given, tolerance).mul_(there)
    factor = _interval_factor(net)
    facts = {
        **_facts(given, net, made, options),
        "members": members,
        "agreed_within": tolerance,
        "scale": scale,
        "level": LEVEL,
        "interval_factor": factor,
    }
    if deviation is None:
        return Enhanced(given.volume(mean), None, None, None, cubic, facts)
    return Enhanced(
        given.volume(mean),
        given.volume(deviation),
        given.volume(mean - factor * deviation),
        given.volume(mean + factor * deviation),
        cubic,
        facts,
    )


def _members(net: ThickNet, asked: int) -> int:
    """A network that is no ensemble has one member, however many are asked for."""
    if net.n_members > 1 and asked > net.n_members:
        raise UsageError(f"members is {asked}: the network has {net.n_members}")
    return min(asked, net.n_members)


def _tolerance(net: ThickNet, scan: Volume, options: Options) -> float | None:
    """Deviations of the noise that are not given back; ``None``: nothing is."""
    if options.tolerance is not None:
        return options.tolerance
    told: Any = net.calibration.get("tolerance", {})
    chosen: float | None = told.get(scan.contrast, told.get("other"))
    return chosen


def _in_units(
    made: Tiled, axis: int, there: Mask3, scale: float, stretch: float
) -> tuple[Image3, Image3 | None]:
    """Mean and deviation in the scan's units, axes as they were; 0 but where something is."""
    parts = [part.movedim(-1, axis) for part in made.values]
    mean = parts[0].mul_(scale).mul_(there)
    if len(parts) == 1:
        return mean, None
    return mean, parts[1].sqrt_().mul_(scale * stretch).mul_(there)


def _measured(given: Thick) -> Mask3:
    """Where a thick voxel or one of its neighbours is not 0."""
    seen = (given.scan.data != 0).float()[None, None]
    around = F.max_pool3d(seen, 3, stride=1, padding=1)[0, 0] > 0
    return around.repeat_interleave(given.ratio, given.axis)


def _facts(given: Thick, net: ThickNet, made: Tiled, options: Options) -> dict[str, JSON]:
    return {
        **net.facts,
        "ratio": given.ratio,
        "axis": given.axis,
        "n_members": net.n_members,
        "tile": list(made.tiles.sides),
        "n_tiles": made.tiles.n_tiles,
        "n_blank_tiles": made.n_blank,
        "halo": list(net.halo),
        "max_memory": options.max_memory,
        "device": str(net.device),
        "deviation_scale": _by_ratio(net, "deviation_scale", 1.0),
        "learned_noise": [net.seen.least, net.seen.most],
        "notes": list(made.notes),
    }


def _by_ratio(net: ThickNet, name: str, otherwise: float) -> float:
    """A number of the calibration, of this ratio where there are several."""
    told = net.calibration.get(name, otherwise)
    return float(told.get(str(net.ratio), otherwise) if isinstance(told, Mapping) else told)


def _interval_factor(net: ThickNet) -> float:
    """Half width of the interval in deviations; a normal distribution's without calibration."""
    told: Any = net.calibration.get("interval", {})
    told = told.get(str(net.ratio), told)
    return float(told.get(str(LEVEL), NORMAL))
