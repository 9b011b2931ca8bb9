"""``check``: what may be believed of an enhanced scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log

import torch
import torch.nn.functional as F
from torch import Generator

from isocenter.artifacts import SnrPrior
from isocenter.data.shapes import Image3, Mask3
from isocenter.data.step import JSON
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.ops.brightness_map import BrightnessMap, fit_brightness_map
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.null_space import detail_energies
from isocenter.ops.regions import head_mask
from isocenter.ops.thick_slices import Acquisition, ThickSlices, thick_slices
from isocenter.restorers._enhanced import Checked, Enhanced, Region
from isocenter.restorers._regions import regions
from isocenter.restorers._snr import Noise, scan_noise

__all__ = ["check"]

FAR = 3.0
"""Of z: white noise exceeds it in 3 of 1000 voxels, and hardly ever in ten that touch."""
FEWEST = 10
"""Thick voxels of a cluster or a changed region, at least."""
NO_HEAD = "there is no head: the image is constant"
NO_DEVIATION = "this method says no deviation of its error"


def check(
    enhanced: Enhanced, scan: Volume, *, brain: Mask3 | None = None, rng: Generator
) -> Checked:
    """Compare an enhanced scan with the thick slices that it was made of.

    1. Consistency: ``z = (A T(y) - x) / sigma``, where A makes thick slices of the enhanced image
       y under an assumed slice profile, and T is the rising curve of brightness that fits best.
       It cannot see an error that leaves the thick slices as they are.
    2. Null space: the part of the detail across slices that the thick slices cannot have
       measured, so that the network has it from other people's scans.
    3. Prior: whether the scan's signal over noise is one that the network has learned from.
    4. Change: where the enhanced image leaves the interpolated one by more than the interval, the
       noise and half of what neighbouring slices differ allow: detail without a cause in sight.

    Args:
        enhanced: What :func:`isocenter.restorers.enhance` returned.
        scan: What it was given.
        brain: On the scan's grid; what lies outside is not judged.  The head if not given.
        rng: Not used: nothing is drawn.

    Raises:
        UsageError: Not the scan that was enhanced, or a mask on another grid.
    """
    pair = _pair(enhanced, scan, brain)
    if not bool(pair.inside.any()):
        names = ("mean_square", "sigma", "null_share", "snr", "prior_distance", "in_prior")
        return Checked(
            None, None, None, None, (), None, None, None, None, None, (),
            dict.fromkeys(names, NO_HEAD),
        )  # fmt: skip
    missing: dict[str, str] = {}
    noise = pair.noise
    if noise.sigma is None:
        missing |= dict.fromkeys(("sigma", "mean_square", "consistency"), noise.source)
    if noise.snr is None:
        missing["snr"] = noise.why_no_snr or ""
    z = _consistency(pair)
    null_map, share = _null_space(pair, enhanced.image)
    distance, in_prior, told = _prior(pair)
    if distance is None:
        missing |= dict.fromkeys(("prior_distance", "in_prior"), told)
    if enhanced.deviation is None:
        missing["changed"] = NO_DEVIATION
    return Checked(
        consistency=z,
        null_space=null_map,
        mean_square=None if z is None else float(z.data[pair.inside].double().square().mean()),
        sigma=noise.sigma,
        clusters=() if z is None else _clusters(pair, z),
        null_share=share,
        null_share_of_interpolated=_null_space(pair, enhanced.interpolated)[1],
        snr=noise.snr,
        prior_distance=distance,
        in_prior=in_prior,
        changed=_changed(pair),
        missing=missing,
        facts={**_facts(pair), "prior": told},
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """An enhanced scan and the thick slices, and what lies between."""

    enhanced: Enhanced
    scan: Volume
    axis: int
    ratio: int
    brain: Mask3 | None

    @cached_property
    def inside(self) -> Mask3:
        """Thick voxels that are judged."""
        return head_mask(self.scan.data) if self.brain is None else self.brain

    @cached_property
    def inside_thin(self) -> Mask3:
        """The same of thin ones."""
        return self.inside.repeat_interleave(self.ratio, self.axis)

    @property
    def acquisition(self) -> Acquisition:
        """How the thick slices are assumed to have been measured."""
        return Acquisition(self.ratio)

    @cached_property
    def linear(self) -> ThickSlices:
        """From thin slices to thick ones."""
        return thick_slices(self.enhanced.image.shape, self.axis, self.acquisition)

    @cached_property
    def curve(self) -> BrightnessMap:
        """From the enhanced image's brightness to the scan's."""
        image = self.enhanced.image.data
        return fit_brightness_map(self.linear, image, self.scan.data, self.inside)

    @cached_property
    def noise(self) -> Noise:
        """Of the scan."""
        return scan_noise(self.scan, brain=self.brain, axis=self.axis)


def _pair(enhanced: Enhanced, scan: Volume, brain: Mask3 | None) -> _Pair:
    axis, ratio = (int(str(enhanced.facts[name])) for name in ("axis", "ratio"))
    expected = tuple(n * ratio if i == axis else n for i, n in enumerate(scan.shape))
    if enhanced.image.shape != expected:
        raise UsageError(
            f"the enhanced image is {enhanced.image.shape} and this scan would give {expected}: "
            "give the scan that was enhanced"
        )
    if brain is not None and brain.shape != scan.data.shape:
        raise UsageError(
            f"the brain's mask is {tuple(brain.shape)} and the scan {scan.shape}: give a mask on "
            "the scan's grid"
        )
    return _Pair(enhanced, scan, axis, ratio, brain)


def _consistency(pair: _Pair) -> Volume | None:
    """z of every thick voxel that is judged."""
    if pair.noise.sigma is None:
        return None
    shown = pair.linear(pair.curve(pair.enhanced.image.data))
    z = (shown - pair.scan.data) / pair.noise.sigma
    return Volume(z * pair.inside, pair.scan.affine, pair.scan.contrast)


def _clusters(pair: _Pair, z: Volume) -> tuple[Region, ...]:
    return regions(z, z.data.abs() > FAR, axis=pair.axis, least=FEWEST)


def _null_space(pair: _Pair, image: Volume) -> tuple[Volume, float]:
    """The share of unmeasured detail around every thin voxel, and in all that is judged."""
    seen, unseen = detail_energies(image.data, pair.linear, axis=pair.axis, width=float(pair.ratio))
    inside = pair.inside_thin
    total = (seen + unseen)[inside].double().sum()
    share = float(unseen[inside].double().sum() / total) if total > 0 else 0.0
    widths = [pair.ratio / 2] * 3
    around, all_around = (gaussian_blur(one * inside, widths) for one in (unseen, seen + unseen))
    local = torch.where(all_around > 0, around / all_around, 0.0) * inside
    return Volume(local.clamp(0, 1), image.affine, image.contrast), share


def _changed(pair: _Pair) -> tuple[Region, ...]:
    """Where the enhanced image leaves the interpolated one without a cause in sight.

    Interpolation is wrong by up to half of what a thick voxel and its neighbours across slices
    differ; the rest is noise and the interval.  All in the scan's brightness, where the deviation
    is stretched by the curve's slope.
    """
    deviation = pair.enhanced.deviation
    if deviation is None:
        return ()
    image = pair.enhanced.image.data
    factor = float(str(pair.enhanced.facts.get("interval_factor", FAR)))
    stretched = deviation.data * pair.curve.slope(image)
    allowed = factor * torch.hypot(stretched, torch.tensor(pair.noise.sigma or 0.0))
    allowed += 0.5 * _range_across(pair)
    change = pair.curve(image) - pair.enhanced.interpolated.data
    over = torch.where(allowed > 0, change / allowed, 0.0) * pair.inside_thin
    return regions(
        Volume(over, deviation.affine),
        over.abs() > 1,
        axis=pair.axis,
        least=FEWEST * pair.ratio,
    )


def _range_across(pair: _Pair) -> Image3:
    """Brightest less darkest of a thick voxel and its two neighbours across slices."""
    lines = pair.scan.data.movedim(pair.axis, -1)
    highest, lowest = (
        sign * F.max_pool1d(sign * lines, 3, stride=1, padding=1) for sign in (1, -1)
    )
    return (highest - lowest).movedim(-1, pair.axis).repeat_interleave(pair.ratio, pair.axis)


def _prior(pair: _Pair) -> tuple[float | None, bool | None, str]:
    """Distance from what was learned, whether that is near enough, and by which prior; or why
    there is none."""
    told = pair.enhanced.facts.get("snr_prior")
    if isinstance(told, Mapping):
        told = told.get(str(pair.scan.contrast), told if "mean" in told else None)
    if isinstance(told, Mapping) and pair.noise.snr is not None:
        prior = SnrPrior.from_values(told)
        distance = prior.distance(*pair.noise.snr)
        bound = prior.max_mahalanobis
        return distance, bound is None or distance <= bound, prior.provenance
    return _noise_prior(pair)


def _noise_prior(pair: _Pair) -> tuple[float | None, bool | None, str]:
    """By the noise over the head's brightness alone, whose logarithm was uniform in training."""
    learned, sigma = pair.enhanced.facts.get("learned_noise"), pair.noise.sigma
    scale = pair.enhanced.facts.get("scale")
    if not isinstance(learned, list) or not isinstance(scale, float):
        return None, None, "this method has learned from no scans"
    if sigma is None:
        return None, None, pair.noise.source
    low, high = (log(float(str(value))) for value in learned)
    middle, deviation = (low + high) / 2, (high - low) / 12**0.5
    distance = abs(log(sigma / scale) - middle) / deviation
    how = f"noise of {learned[0]:g} to {learned[1]:g} of the head's brightness, as in training"
    return distance, low <= log(sigma / scale) <= high, how


def _facts(pair: _Pair) -> dict[str, JSON]:
    return {
        "profile": pair.acquisition.profile,
        "thickness": pair.acquisition.width / pair.ratio,
        "noise_from": pair.noise.source,
        "judged_in": "head" if pair.brain is None else "brain",
        "n_judged": int(pair.inside.count_nonzero()),
        "brightness_map": {
            "enhanced": pair.curve.knots.tolist(),
            "thick": pair.curve.values.tolist(),
        },
    }
