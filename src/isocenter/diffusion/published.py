"""The sampler of HFS-SDE as it was published, with its faults by name.

IEEE Trans. Med. Imaging 43(5):1853-1865, 2024, arXiv:2208.05481:
one Langevin step and one Euler-Maruyama step at every time, each drawn to the data by a
gradient whose length is matched to the score's.
"""

from dataclasses import dataclass, field

from jaxtyping import Complex
from torch import Tensor

from isocenter.diffusion.corrector import langevin
from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.guidance import Data, norm_matched
from isocenter.diffusion.noise import Noise
from isocenter.diffusion.predictor import euler_maruyama
from isocenter.diffusion.process import Process, VariancePreserving, beta
from isocenter.diffusion.projector import Projector
from isocenter.diffusion.schedule import times

__all__ = ["Faults", "Published"]

Images = Complex[Tensor, "b y x"]
TRAINED_STEPS = 1000


@dataclass(frozen=True)
class Faults:
    """What the published program does and its article does not say. All on replicates it."""

    unprojected_score: bool = True
    """The predictor's score also moves the low frequencies, which training never taught."""
    norms_of_batch: bool = True
    """Step lengths come from the whole batch: an image depends on its neighbours."""
    unguarded_norms: bool = True
    """A residual of exactly zero gives NaN."""
    stale_table: bool = True
    """With fewer than 1000 steps the corrector reads the wrong end of its table."""

    @classmethod
    def none(cls) -> "Faults":
        """The article's method."""
        return cls(False, False, False, False)


@dataclass(frozen=True)
class Published:
    """The sampler; its defaults are the published settings for HFS-SDE."""

    n_steps: int = TRAINED_STEPS
    """Times; every one takes two evaluations. 100 is what the authors call accelerated."""
    predictor_weight: float = 2.5
    corrector_weight: float = 0.1
    snr: float = 0.16
    """Of the Langevin step; 0.32 was published for 100 steps."""
    slowest: float = 0.1
    fastest: float = 20.0
    last_time: float = 1e-3
    faults: Faults = field(default_factory=Faults)

    def __call__(
        self, denoiser: Denoiser, projector: Projector, data: Data, low: Images, noise: Noise
    ) -> Images:
        """Sample.

        Args:
            denoiser: Of the prior.
            projector: Its range is diffused.
            data: What was measured, in the prior's units.
            low: Coil-combined image of the kept low frequencies.
            noise: One stream for every item.
        """
        process = VariancePreserving(projector, self.slowest, self.fastest)
        x = mean = low + projector(noise.like(low))
        for t in times(self.n_steps, last=self.last_time):
            x = self._correct(process, denoiser, data, x, t, noise)
            score = self._score(process, denoiser, x, t, not self.faults.unprojected_score)
            guided = score - self._pull(data, x, score, self.predictor_weight)
            # Whatever lies between the times, a published step is 1 / N long.
            after = t - 1 / self.n_steps
            x, mean = euler_maruyama(process, x, guided, t, after, noise.like(x))
        return mean

    def _correct(
        self,
        process: Process,
        denoiser: Denoiser,
        data: Data,
        x: Images,
        t: float,
        noise: Noise,
    ) -> Images:
        score = self._score(process, denoiser, x, t, projected=True)
        pull = self._pull(data, x, score, self.corrector_weight)
        return langevin(
            process.projector,
            x,
            score,
            score - pull,
            noise.like(x),
            snr=self.snr,
            alpha=self._kept_variance(t),
            of_batch=self.faults.norms_of_batch,
        ).image

    def _score(
        self, process: Process, denoiser: Denoiser, x: Images, t: float, projected: bool
    ) -> Images:
        if projected:
            return process.score(x, process.clean(denoiser, x, t), t)
        noisy = process.unscaled(x, t)
        clean = denoiser(noisy, noisy.real.new_full((len(x),), process.sigma(t)))
        return (process.mean(clean, t) - x) / process.deviation(t) ** 2

    def _pull(self, data: Data, x: Images, score: Images, weight: float) -> Images:
        return norm_matched(
            data.gradient(x),
            score,
            weight,
            of_batch=self.faults.norms_of_batch,
            guarded=not self.faults.unguarded_norms,
        )

    def _kept_variance(self, t: float) -> float:
        n_entries = self.n_steps if self.faults.stale_table else TRAINED_STEPS
        entry = int(t * (n_entries - 1)) / (TRAINED_STEPS - 1)
        return 1 - beta(entry, self.slowest, self.fastest) / TRAINED_STEPS
