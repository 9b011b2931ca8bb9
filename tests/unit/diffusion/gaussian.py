"""A world where the best is known: stationary Gaussian images, measured by four coils.

The expected clean image given a noisy one is a Wiener filter, and the expected image given the
data solves a linear system, so that nothing but a sampler can be at fault.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.guidance import Data
from isocenter.diffusion.projector import Projector
from isocenter.ops.fourier import fft, ifft
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient

PLANE = (-2, -1)


@dataclass(frozen=True, eq=False)
class GaussianWorld:
    """``n`` images of one power spectrum, and 16 of 64 lines of each, 8 in the centre."""

    n: int = 2
    side: int = 64
    sigma: float = 0.02

    @cached_property
    def _made(self) -> tuple[Tensor, Tensor, Tensor]:
        """Power spectrum, images and k-space, scaled as the published program scales."""
        rng = generator(0)
        steps = torch.arange(self.side) - self.side // 2
        power = (1 + (steps[:, None] ** 2 + steps**2) / 4) ** -1.2
        images = ifft(power.sqrt() * self._white((self.n, self.side, self.side), rng), PLANE)
        kspace = fft(self.maps * images[:, None], PLANE)
        scale = 1 / (1.5 * kspace.abs().square().mean().sqrt())
        noise = self.sigma * self._white(kspace.shape, rng)
        return power * scale**2, images * scale, (kspace * scale + noise) * self.mask

    @staticmethod
    def _white(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
        return torch.view_as_complex(torch.randn(*shape, 2, generator=rng))

    @property
    def images(self) -> Tensor:
        return self._made[1]

    @property
    def kspace(self) -> Tensor:
        return self._made[2]

    @cached_property
    def mask(self) -> Tensor:
        lines = torch.zeros(self.side, dtype=torch.bool)
        lines[28:36] = True
        outer = (~lines).nonzero().flatten()
        lines[outer[torch.randperm(len(outer), generator=generator(3))[:8]]] = True
        return lines.expand(self.side, self.side)

    @cached_property
    def maps(self) -> Tensor:
        axis = torch.linspace(-1, 1, self.side)
        y, x = axis[:, None], axis[None, :]
        coils = []
        for angle in (math.pi / 2 * coil for coil in range(4)):
            distance = (y - 1.2 * math.sin(angle)) ** 2 + (x - 1.2 * math.cos(angle)) ** 2
            phase = angle + x * math.cos(angle + 0.7) + y * math.sin(angle + 0.7)
            coils.append(torch.polar(torch.exp(-distance / 2), phase))
        stacked = torch.stack(coils)
        return stacked / stacked.abs().square().sum(0).sqrt()

    @cached_property
    def operator(self) -> Sense:
        return Sense(self.maps[None, None], self.mask[None])

    def normal(self, x: Tensor) -> Tensor:
        return self.operator.normal(x[:, None])[:, 0]

    def data(self, n_samples: int = 1) -> Data:
        """Of ``n_samples`` times all images."""
        back = self.operator.adjoint(self.kspace)[:, 0]
        return Data(self.normal, back.repeat(n_samples, 1, 1))

    def low(self, projector: Projector) -> Tensor:
        return self.operator.adjoint(self.kspace * projector.kept)[:, 0]  # type: ignore[attr-defined]

    @cached_property
    def sense(self) -> Tensor:
        back = self.data().back_projected
        return conjugate_gradient(lambda x: self.normal(x) + 1e-3 * x, back, n_iterations=30)

    @cached_property
    def best(self) -> Tensor:
        """Posterior mean: ``(A^H A + sigma^2 C^-1) x = A^H y`` with ``x = C^1/2 u``."""
        root = self._made[0].sqrt()

        def coloured(u: Tensor) -> Tensor:
            return ifft(root * fft(u, PLANE), PLANE)

        return coloured(
            conjugate_gradient(
                lambda u: coloured(self.normal(coloured(u))) + self.sigma**2 * u,
                coloured(self.data().back_projected),
                n_iterations=300,
                tolerance=1e-6,
            )
        )

    def denoiser(self, projector: Projector) -> Denoiser:
        """Wiener filter of the diffused part; the kept part has no noise to lose."""
        power = self._made[0]

        def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
            gain = power / (power + sigma[:, None, None] ** 2)
            return noisy + projector(ifft(gain * fft(noisy, PLANE), PLANE) - noisy)

        return denoise

    def psnr(self, images: Tensor) -> float:
        """Mean over images, of magnitudes, in dB of the brightest pixel."""
        truth = self.images.abs()
        error = (images.abs() - truth).square().mean((1, 2))
        return float((10 * torch.log10(truth.amax((1, 2)) ** 2 / error)).mean())
