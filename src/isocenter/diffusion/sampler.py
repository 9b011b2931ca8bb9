"""Samplers: from noise to an image, composed of the parts beside this file.

Each is one loop.  All but :func:`predictor_corrector` work on images whose diffused part has
full scale, ``x = x0 + sigma P z``, with their own falling noise levels for every item.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion.corrector import langevin
from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.guidance import Data, norm_matched
from isocenter.diffusion.noise import Noise
from isocenter.diffusion.predictor import Predictor, ddim, euler_maruyama, extrapolated, heun
from isocenter.diffusion.process import Process
from isocenter.diffusion.projector import Projector, Whole

__all__ = ["Model", "heun_sampler", "multistep_sampler", "predictor_corrector", "renoised_sampler"]

Images = Complex[Tensor, "b y x"]
Level = Float[Tensor, " b"]
Levels = Float[Tensor, "step b"]


@dataclass(frozen=True, eq=False)
class Model:
    """What is known of the image: a denoiser for the diffused part, and data."""

    denoiser: Denoiser
    projector: Projector = field(default_factory=Whole)
    agree: Callable[[Images, Level], Images] | None = None
    """Brings a clean estimate into agreement with data, such as :class:`Consistency`."""

    def clean(self, x: Images, sigma: Level) -> Images:
        """Expected clean image without the data; the kept part is that of ``x``."""
        return x + self.projector(self.denoiser(x, sigma) - x)

    def agreed(self, clean: Images, sigma: Level) -> Images:
        return clean if self.agree is None else self.agree(clean, sigma)


def renoised_sampler(
    model: Model, start: Images, levels: Iterable[Level], noise: Noise, *, eta: float = 1.0
) -> Images:
    """Denoise, agree with the data, noise again; ends with an agreed estimate.

    DDIM with data consistency (DDS, arXiv:2303.05754); ``eta`` 1 forgets the noise it found.
    ``levels`` are asked for one by one, so that they can still change on the way.
    """
    coming = iter(levels)
    here = next(coming)
    x = start + here[:, None, None] * model.projector(noise.like(start))
    for after in coming:
        clean = model.clean(x, here)
        agreed = model.agreed(clean, here)
        fresh = noise.like(x) if eta > 0 else None
        x = ddim(model.projector, x, clean, agreed, (here, after), fresh, eta)
        here = after
    return model.agreed(model.clean(x, here), here)


def multistep_sampler(model: Model, start: Images, levels: Levels, noise: Noise) -> Images:
    """DPM-Solver++ 2M (arXiv:2211.01095) in the diffused part: one evaluation a step."""
    x = start + levels[0][:, None, None] * model.projector(noise.like(start))
    logs, before = levels.log(), None
    for n, (here, after) in enumerate(pairwise(levels)):
        agreed = model.agreed(model.clean(x, here), here)
        ahead = agreed
        if before is not None:
            ahead = extrapolated(agreed, before, (logs[n] - logs[n - 1], logs[n + 1] - logs[n]))
        x, before = ddim(model.projector, x, ahead, ahead, (here, after)), agreed
    return model.agreed(model.clean(x, levels[-1]), levels[-1])


def heun_sampler(model: Model, start: Images, levels: Levels, noise: Noise) -> Images:
    """Heun's method (Karras et al., arXiv:2206.00364): two evaluations a step."""
    x = start + levels[0][:, None, None] * model.projector(noise.like(start))
    for here, after in pairwise(levels):
        clean = model.agreed(model.clean(x, here), here)
        tried = ddim(model.projector, x, clean, clean, (here, after))
        there = model.agreed(model.clean(tried, after), after)
        x = heun(model.projector, x, clean, there, (here, after))
    return model.agreed(model.clean(x, levels[-1]), levels[-1])


def predictor_corrector(
    process: Process,
    denoiser: Denoiser,
    x: Images,
    times: list[float],
    noise: Noise,
    *,
    predictor: Predictor = euler_maruyama,
    snr: float | None = None,
    data: Data | None = None,
    weight: float = 1.0,
) -> Images:
    """Steps of the reverse SDE, each after a Langevin step: arXiv:2011.13456, algorithm 1.

    Args:
        process: What is turned round.
        denoiser: Two evaluations a time with a corrector, one without.
        x: Sample at ``times[0]``.
        times: Falling; the last one is the end.
        noise: One stream for every item.
        predictor: How a step is made.
        snr: Of the Langevin corrector; ``None`` leaves it out.
        data: Draws the sampler by its gradient, projected and matched to the score's length.
        weight: Of that gradient.

    Returns:
        The last mean, without the noise that was added last.
    """

    def scores(at: Images, t: float) -> tuple[Images, Images]:
        score = process.score(at, process.clean(denoiser, at, t), t)
        if data is None:
            return score, score
        pull = norm_matched(process.projector(data.gradient(at)), score, weight)
        return score, score - pull

    mean = x
    for t, after in pairwise(times):
        if snr is not None:
            x, _ = langevin(process.projector, x, *scores(x, t), noise.like(x), snr=snr)
        x, mean = predictor(process, x, scores(x, t)[1], t, after, noise.like(x))
    return mean
