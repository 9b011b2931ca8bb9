"""The network that ships paints no anatomy of its own: swapped, blank and random slices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.artifacts._low_field_scan import coarse_affine
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.ops.thick_slices import Acquisition, thick_slices
from isocenter.restorers import Enhanced, enhance
from isocenter.restorers.siqt import Options

SIDE = 48
TRUTH = head_phantom((SIDE,) * 3)
INSIDE = TRUTH.data > 150
LINEAR = thick_slices((SIDE,) * 3, 2, Acquisition(4))


def slices(seed: int, sigma: float = 20.0) -> Tensor:
    clean = LINEAR(TRUTH.data)
    return clean + sigma * torch.randn(clean.shape, generator=generator(seed))


def run(data: Tensor) -> Enhanced:
    scan = Volume(data, coarse_affine(TRUTH.affine, 2, Acquisition(4)), "T1w")
    return enhance(scan, "siqt", Options(device="cpu"), rng=generator(0))


def doubt(made: Enhanced, where: Tensor = INSIDE) -> float:
    assert made.deviation is not None
    return float(made.deviation.data[where].mean())


@pytest.fixture(scope="module")
def plain() -> Enhanced:
    return run(slices(1))


def test_it_is_nearer_the_truth_than_splines(plain: Enhanced) -> None:
    errors = [(one.data - TRUTH.data)[INSIDE].norm() for one in (plain.image, plain.interpolated)]
    assert float(errors[0]) < 0.85 * float(errors[1])


def test_shuffled_slices_raise_the_doubt(plain: Enhanced) -> None:
    order = torch.randperm(SIDE // 4, generator=generator(5))
    assert doubt(run(slices(1)[:, :, order])) > 1.25 * doubt(plain)


def test_noise_alone_becomes_less_and_not_a_head(plain: Enhanced) -> None:
    noise = 500 + 300 * torch.randn(SIDE, SIDE, SIDE // 4, generator=generator(6))
    made = run(noise)
    assert float(made.image.data.std()) < float(made.interpolated.data.std())
    assert doubt(made) > 2 * doubt(plain)
    head = TRUTH.data - TRUTH.data.mean()
    likeness = (made.image.data - made.image.data.mean()).mul(head).mean()
    assert abs(float(likeness / made.image.data.std() / head.std())) < 0.05


def test_half_a_head_is_not_completed(plain: Enhanced) -> None:
    half = slices(1)
    half[:, :, 6:] = 0
    made = run(half)
    assert not bool(made.image.data[:, :, 28:].any())
    edge = torch.zeros_like(INSIDE)
    edge[:, :, 20:24] = INSIDE[:, :, 20:24]
    assert doubt(made, edge) > 1.5 * doubt(plain, edge)


def test_noise_that_is_drawn_anew_moves_less_than_the_deviation(plain: Enhanced) -> None:
    """The deviation holds what the noise does, and what was never measured."""
    drawn = torch.stack([run(slices(seed)).image.data for seed in range(4)])
    between = float(drawn.std(0)[INSIDE].mean())
    assert 1.0 < between < doubt(plain)
