"""Guidance: against dense solutions, and where there is nothing to correct."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.diffusion.guidance import (
    Consistency,
    Data,
    noise_aware,
    noise_free,
    norm_matched,
    proximal,
)
from isocenter.diffusion.noise import Noise

SIGMA = torch.tensor([0.1, 0.4])


@pytest.fixture
def matrices() -> torch.Tensor:
    """One well-conditioned ``A^H A`` for both items, on 3 x 4 pixels."""
    a = torch.randn(20, 12, dtype=torch.complex128, generator=generator(0))
    return a.mH @ a / 20


def images(seed: int) -> torch.Tensor:
    zeros = torch.zeros(2, 3, 4, dtype=torch.complex128)
    return Noise([generator(seed), generator(seed + 1)]).like(zeros)


def data_of(matrix: torch.Tensor, right: torch.Tensor) -> Data:
    return Data(lambda x: (x.flatten(1) @ matrix.T).reshape(x.shape), right)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (noise_aware(torch.tensor([0.02, 0.2])), [0.25 * 0.04, 0.25 * 0.25]),
        (proximal(10.0), [0.1, 0.1]),
        (noise_free(), [0.0, 0.0]),
    ],
)
def test_consistency_solves_the_regularised_equations(weight, expected, matrices) -> None:  # type: ignore[no-untyped-def]
    right, clean = images(3), images(5)
    found = Consistency(data_of(matrices, right), weight, n_iterations=40)(clean, SIGMA)
    for n, factor in enumerate(expected):
        left = matrices + factor * torch.eye(12)
        solution = torch.linalg.solve(left, (right[n] + factor * clean[n]).flatten())
        assert torch.allclose(found[n].flatten(), solution, atol=1e-6)


def test_consistency_leaves_what_agrees_alone(matrices: torch.Tensor) -> None:
    clean = images(1)
    right = data_of(matrices, clean).normal(clean)
    for weight in (noise_free(), noise_aware(torch.tensor([0.0, 0.1]))):
        found = Consistency(data_of(matrices, right), weight)(clean, SIGMA)
        assert torch.allclose(found, clean, atol=1e-10)


def test_a_matched_gradient_is_as_long_as_asked_in_every_item(matrices: torch.Tensor) -> None:
    data, score = data_of(matrices, images(2)), images(7)
    pull = norm_matched(data.gradient(images(4)), score, 2.5)
    lengths = torch.linalg.vector_norm(pull, dim=(1, 2))
    assert torch.allclose(lengths, 2.5 * torch.linalg.vector_norm(score, dim=(1, 2)))


def test_no_residual_gives_no_pull_and_as_published_nan() -> None:
    gradient, score = torch.zeros(2, 3, 4, dtype=torch.complex64), images(1).to(torch.complex64)
    assert not norm_matched(gradient, score, 2.5).any()
    assert norm_matched(gradient, score, 2.5, of_batch=True, guarded=False).isnan().all()


def test_norms_of_a_batch_mix_its_items(matrices: torch.Tensor) -> None:
    gradient, score = images(2), images(4)
    together = norm_matched(gradient, score, 1.0, of_batch=True)
    alone = norm_matched(gradient[:1], score[:1], 1.0, of_batch=True)
    assert not torch.allclose(together[:1], alone)
    assert torch.allclose(
        norm_matched(gradient, score, 1.0)[:1], norm_matched(gradient[:1], score[:1], 1.0)
    )
