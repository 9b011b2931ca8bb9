"""HFS-SDE: diffusion in the part of k-space that was not measured, drawn to what was.

IEEE Trans. Med. Imaging 43(5):1853-1865, 2024, arXiv:2208.05481.  The default is not its
published sampler but one of few evaluations: denoise, agree with the data by conjugate
gradients (DDS, arXiv:2303.05754), noise again, from a SENSE image on, and the mean of several.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

from isocenter.data.kspace import KSpace
from isocenter.data.random import child
from isocenter.data.step import JSON
from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.projector import Projector
from isocenter.errors import UsageError
from isocenter.restorers._deviation import UNCALIBRATED, Calibration
from isocenter.restorers._posterior import Counted, Posterior, published
from isocenter.restorers._prior_units import Measured, Units, diffused_part
from isocenter.restorers._restored import Progress, Restored
from isocenter.restorers._samples import Samples, drawn_until, in_batches, planned

__all__ = ["NEEDS_MAPS", "Options", "reconstruct", "restore"]

NEEDS_MAPS = True
AT_ONCE = {"cpu": 2, "cuda": 16}
"""Samples in one batch."""
AFTERWARDS = 2
"""Steps that what is left to do behind the last sample takes as long as."""


@dataclass(frozen=True)
class Options:
    """How many samples of how many steps, and of what."""

    samples: int = 2
    """Averaged; with one there is no standard deviation. An even number makes pairs, and two
    are nearly as good as many: more smooth the standard deviation."""
    steps: int = 40
    """Evaluations of the network for a sample: up to 100 are of use."""
    time_budget: float | None = None
    """Seconds for all slices; steps are then as many as fit, up to 100, and then samples."""
    prior: str | None = None
    """Checkpoint of the network; ``None`` is the one that ships with the package."""
    legacy: bool = False
    """The published sampler with its known faults: two evaluations for each of its steps."""
    legacy_steps: int = 1000
    """Of the published sampler."""
    consistency_iterations: int = 5
    """Conjugate gradient iterations after every evaluation."""
    denoise: bool = True
    """Take the noise of the measured data out of the mean, by one more evaluation."""

    def __post_init__(self) -> None:
        counts = ("samples", "steps", "legacy_steps", "consistency_iterations")
        wrong = [name for name in counts if getattr(self, name) < 1]
        if wrong:
            raise UsageError(f"{wrong[0]} is {getattr(self, wrong[0])}: give 1 or more")
        if self.time_budget is not None and not self.time_budget > 0:
            raise UsageError(f"time_budget is {self.time_budget:g}: give seconds above 0")


class Prior(Protocol):
    """What this file asks of a trained prior."""

    @property
    def units(self) -> Units:
        """How bright images must be."""

    @property
    def knows_whole(self) -> bool:
        """Whether it takes noise out of all of k-space, not of the high frequencies alone."""

    @property
    def largest_noise(self) -> float:
        """That it has learned to take out of images of that brightness."""

    @property
    def calibration(self) -> Calibration | None:
        """From the variance of samples to the deviation of their mean; ``None``: unknown."""

    @property
    def facts(self) -> Mapping[str, JSON]:
        """Name and hash."""

    def denoiser(self, acs_width: int | None) -> Denoiser:
        """For a kept centre of so many lines, ``None`` where nothing is kept."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: Generator, progress: Progress | None
) -> Restored:
    """Mean over samples of every slice, and how far off its magnitude may be.

    The diffusion is that of arXiv:2208.05481, the sampler that of DDS, arXiv:2303.05754, from a
    SENSE image on.  A slice without any signal stays 0.

    Raises:
        BadCheckpoint: The prior cannot be read.
        BadKSpace: No coil maps, or several sets of them.
    """
    from isocenter.restorers._prior import load_prior

    prior = load_prior(options.prior, kspace.data.device)
    return restore(kspace, options, prior, rng=rng, progress=progress)


def restore(
    kspace: KSpace,
    options: Options,
    prior: Prior,
    *,
    rng: Generator,
    progress: Progress | None = None,
) -> Restored:
    """As :func:`reconstruct`, with any prior."""
    began, found = time.monotonic(), []
    for index in range(kspace.n_slices):
        deadline = _deadline(options, began, slices_left=kspace.n_slices - index)
        single = kspace.slices(slice(index, index + 1))
        with torch.inference_mode():
            found.append(
                _restored_slice(single, options, prior, child(rng, "slice", index), deadline)
            )
        if progress is not None:
            progress(index + 1, kspace.n_slices)
    return _stacked(found, prior)


@dataclass(frozen=True, eq=False)
class _Slice:
    """What became of one slice."""

    image: Complex[Tensor, "one y x"]
    deviation: Float[Tensor, "one y x"] | None
    counts: Mapping[str, int]
    numbers: Mapping[str, float]


def _restored_slice(
    kspace: KSpace, options: Options, prior: Prior, rng: Generator, deadline: float | None
) -> _Slice:
    began = time.monotonic()
    if not bool(kspace.data.any()):
        return _nothing(kspace, options)
    measured = Measured.of(kspace, prior.units)
    projector, width = diffused_part(kspace)
    denoiser = Counted(prior.denoiser(width))
    batches = _drawn(measured, denoiser, projector, prior, options, rng, deadline)
    before = denoiser.evaluations
    images = torch.cat(list(batches))
    per_sample = (denoiser.evaluations - before) // len(images)
    samples = Samples(images)
    image = samples.mean()
    deviation = _deviation(samples, measured, kspace.mask.true_acceleration, prior.calibration)
    if options.denoise and not options.legacy and prior.knows_whole:
        whole = Counted(prior.denoiser(None))
        image = whole(image, image.real.new_full((1,), measured.sigma)) * measured.support
        denoiser.evaluations += whole.evaluations
    return _Slice(
        image * measured.scale,
        None if deviation is None else deviation * measured.scale,
        {
            "evaluations": denoiser.evaluations,
            "samples": len(images),
            "steps": per_sample // 2 if options.legacy else per_sample,
        },
        {
            "scale": measured.scale,
            "sigma_y": measured.sigma,
            "data_residual": measured.residual(image),
            "seconds": time.monotonic() - began,
        },
    )


def _drawn(
    measured: Measured,
    denoiser: Counted,
    projector: Projector,
    prior: Prior,
    options: Options,
    rng: Generator,
    deadline: float | None,
) -> Iterator[Complex[Tensor, "b y x"]]:
    """Batches of samples."""
    at_once = AT_ONCE.get(measured.kspace.device.type, 1)
    if options.legacy:
        n_steps, most = options.legacy_steps, prior.largest_noise
        draw = published(measured, denoiser, projector, rng, n_steps=n_steps, largest_noise=most)
        return in_batches(draw, options.samples, at_once)
    n_iterations = options.consistency_iterations
    posterior = Posterior(measured, denoiser, projector, rng, consistency_iterations=n_iterations)
    if deadline is None:
        return in_batches(posterior.of_steps(options.steps), options.samples, at_once)
    clock = time.monotonic
    each = posterior.seconds_per_step(min(at_once, options.samples), clock)
    end = deadline - AFTERWARDS * each
    plan = planned(options.samples, each, end - clock())
    return drawn_until(posterior.paced(each, clock), plan.samples, at_once, end, clock)


def _deviation(
    samples: Samples, measured: Measured, acceleration: float, calibration: Calibration | None
) -> Float[Tensor, "one y x"] | None:
    """Of the error of their mean, as far as it is known; ``None`` of a single sample."""
    variance = samples.variance()
    if variance is None or calibration is None:
        return None if variance is None else variance.sqrt()
    return calibration(variance, measured.sigma, acceleration, measured.support)


def _nothing(kspace: KSpace, options: Options) -> _Slice:
    """A slice in which nothing was measured: 0, and no network is asked."""
    image = torch.zeros_like(kspace.data[:, 0])
    return _Slice(
        image,
        image.abs() if options.samples > 1 else None,
        {"evaluations": 0, "samples": options.samples, "steps": 0},
        {"scale": 1.0, "sigma_y": 0.0, "data_residual": 0.0, "seconds": 0.0},
    )


def _deadline(options: Options, began: float, slices_left: int) -> float | None:
    """When the next slice is to be done, if all that are left share the time that is left."""
    if options.time_budget is None:
        return None
    now = time.monotonic()
    return now + max(began + options.time_budget - now, 0.0) / slices_left


def _stacked(found: list[_Slice], prior: Prior) -> Restored:
    """All slices together; counts are the most of any slice, numbers those of every one."""
    facts: dict[str, JSON] = dict(prior.facts)
    facts |= {name: max(one.counts[name] for one in found) for name in found[0].counts}
    facts |= {name: [one.numbers[name] for one in found] for name in found[0].numbers}
    image = torch.cat([one.image for one in found])
    deviations = [one.deviation for one in found if one.deviation is not None]
    if len(deviations) < len(found):
        facts["why_no_deviation"] = "one sample has no standard deviation: ask for two or more"
        return Restored(image, None, facts)
    known = prior.calibration
    facts["deviation_note"] = UNCALIBRATED if known is None else known.said()
    if known is not None:
        facts["deviations_within"] = dict(known.intervals)
    return Restored(image, torch.cat(deviations), facts)
