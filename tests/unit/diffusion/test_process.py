"""Processes: closed form against simulation, and against each other."""

from __future__ import annotations

import math

import pytest
import torch

from isocenter.data.random import generator
from isocenter.diffusion.noise import Noise
from isocenter.diffusion.process import (
    Process,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from isocenter.diffusion.projector import low_columns

P = low_columns((16, 16), 6)
PROCESSES = [
    VarianceExploding(P, 0.01, 5.0),
    VarianceExploding(smallest=0.01, largest=5.0),
    VariancePreserving(P),
    VariancePreserving(),
    SubVariancePreserving(P),
    SubVariancePreserving(),
]
every_process = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)


@every_process
def test_the_marginals_are_those_of_the_simulated_equation(process: Process) -> None:
    noise = Noise([generator(seed) for seed in range(24)])
    clean = 2 * Noise([generator(99)]).like(torch.zeros(1, 16, 16, dtype=torch.complex64))
    x = clean.expand(24, 16, 16)
    x = process.noised(x, 0.0, noise.like(x))
    n_steps = 200
    for n in range(n_steps):
        t = (n + 0.5) / n_steps
        kick = process.diffusion(t) / math.sqrt(n_steps) * process.projector(noise.like(x))
        x = x + process.drift(x, t) / n_steps + kick
        if n in {n_steps // 4 - 1, n_steps - 1}:
            check_moments(process, x, clean, (n + 1) / n_steps)


def check_moments(process: Process, x: torch.Tensor, clean: torch.Tensor, t: float) -> None:
    """Of the simulated images around the mean that the process says."""
    white = Noise([generator(seed) for seed in range(100, 124)]).like(x)
    expected = process.deviation(t) * rms(process.projector(white))
    away = x - process.mean(clean, t)
    assert rms(away) == pytest.approx(expected, rel=0.03)
    assert rms(away.mean(0)) == pytest.approx(expected / math.sqrt(24), rel=0.15)


def rms(images: torch.Tensor) -> float:
    return float(torch.view_as_real(images).square().mean().sqrt())


@every_process
def test_a_transition_composes_with_the_marginal(process: Process) -> None:
    factor, added = process.transition(0.2, 0.7)
    assert factor * process.scale(0.2) == pytest.approx(process.scale(0.7))
    variance = (factor * process.deviation(0.2)) ** 2 + added**2
    assert variance == pytest.approx(process.deviation(0.7) ** 2)


def test_the_published_numbers_of_hfs_sde() -> None:
    process = VariancePreserving(P)
    published = {1e-5: 1.0e-3, 1e-3: 0.0105, 0.01: 0.0446, 0.1: 0.322, 0.5: 0.960, 1.0: 0.99998}
    for t, deviation in published.items():
        assert process.deviation(t) == pytest.approx(deviation, rel=6e-3)
    assert process.scale(1.0) == pytest.approx(0.0066, rel=6e-3)


@every_process
def test_the_score_of_a_perfect_estimate_points_at_it(process: Process) -> None:
    noise = Noise([generator(1)]).like(torch.zeros(1, 16, 16, dtype=torch.complex64))
    clean = Noise([generator(2)]).like(noise)
    x = process.noised(clean, 0.4, noise)
    expected = -process.projector(noise) / process.deviation(0.4)
    assert torch.allclose(process.score(x, clean, 0.4), expected, atol=1e-4)
    found = process.clean(lambda noisy, sigma: clean, x, 0.4)
    assert torch.allclose(found, clean, atol=1e-4)


def test_a_denoiser_is_told_the_level_over_the_scale() -> None:
    process = VariancePreserving()
    asked: list[float] = []

    def denoiser(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        asked.extend(sigma.tolist())
        return noisy

    process.clean(denoiser, torch.zeros(2, 16, 16, dtype=torch.complex64), 0.5)
    assert asked == pytest.approx([process.deviation(0.5) / process.scale(0.5)] * 2)
