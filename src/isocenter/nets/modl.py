"""MoDL: a learned denoiser and the data's own equations in turns, with one set of weights.

Aggarwal et al., IEEE Trans. Med. Imaging 38(2), 2019, doi:10.1109/TMI.2018.2865356,
arXiv:1712.02862.  The weight of the denoiser is learned as a logarithm, so that it stays above 0.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from jaxtyping import Bool, Complex
from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets._blocks.initial import drawn
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient

__all__ = ["Config", "MoDL", "build"]

TOLERANCE = 1e-6
"""Of the conjugate gradients: behind it rounding alone would be differentiated."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the published ones."""

    n_turns: int = 10
    """How often it denoises and agrees with the data."""
    n_layers: int = 5
    """Convolutions of the denoiser, at least 2."""
    width: int = 64
    """Channels between them."""
    first_weight: float = 0.05
    """Of the denoiser beside the data, before it is learned; images are about 1."""
    solver_iterations: int = 10
    """At most, of the conjugate gradients of a turn."""

    def __post_init__(self) -> None:
        least = {"n_turns": 1, "n_layers": 2, "width": 1, "solver_iterations": 1}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise UsageError(f"{name} is {getattr(self, name)}: give {lowest} or more")
        if not self.first_weight > 0:
            raise UsageError(f"first_weight is {self.first_weight:g}: give a number above 0")


def build(config: Config, *, seed: int = 0) -> "MoDL":
    """The network of ``config`` with weights drawn from ``seed``; it begins without a denoiser.

    The last norm starts at 0, so that what is learned starts from least squares.
    """
    net = drawn(partial(MoDL, config), seed=seed, name="modl")
    nn.init.zeros_(net.noise[-1].get_parameter("weight"))
    return net


class MoDL(nn.Module):
    """Turns of ``z = D(x)`` and ``x = (A^H A + weight)^-1 (A^H y + weight z)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise = nn.Sequential(*_layers(config))
        self.log_weight = nn.Parameter(torch.tensor(math.log(config.first_weight)))

    def forward(
        self,
        kspace: Complex[Tensor, "b coil y x"],
        mask: Bool[Tensor, "b y x"],
        maps: Complex[Tensor, "b coil y x"],
    ) -> Complex[Tensor, "b y x"]:
        """The image, in the units of k-space, in which bright tissue must be about 1.

        Args:
            kspace: 0 where not measured.
            mask: What was measured.
            maps: Coil sensitivities whose squared magnitudes sum to at most 1.
        """
        operator = Sense(maps[:, None], mask)
        return self.unrolled(operator, operator.adjoint(kspace))[:, 0]

    def unrolled(
        self, operator: Sense, zero_filled: Complex[Tensor, "b set y x"]
    ) -> Complex[Tensor, "b set y x"]:
        """As :meth:`forward`; differentiable through all conjugate gradients.

        Args:
            operator: A, of one set of maps.
            zero_filled: ``A^H y``.
        """
        weight, image = self.log_weight.exp(), zero_filled
        for _ in range(self.config.n_turns):
            denoised = self.denoised(image)
            image = conjugate_gradient(
                lambda x: operator.normal(x) + weight * x,
                zero_filled + weight * denoised,
                denoised,
                n_iterations=self.config.solver_iterations,
                tolerance=TOLERANCE,
            )
        return image

    def denoised(self, image: Complex[Tensor, "b one y x"]) -> Complex[Tensor, "b one y x"]:
        """The image less the noise that the network sees in it."""
        parts = torch.view_as_real(image[:, 0]).movedim(-1, 1)
        clean = parts - self.noise(parts).to(parts.dtype)
        return torch.view_as_complex(clean.movedim(1, -1).contiguous())[:, None]


def _layers(config: Config) -> Iterator[nn.Module]:
    widths = [2, *[config.width] * (config.n_layers - 1), 2]
    for number, (n_inputs, n_outputs) in enumerate(pairwise(widths), 1):
        yield nn.Conv2d(n_inputs, n_outputs, 3, padding=1, bias=False)
        yield nn.BatchNorm2d(n_outputs)
        if number < config.n_layers:
            yield nn.ReLU()
