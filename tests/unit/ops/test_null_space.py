"""What thick slices cannot have measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.null_space import detail_energies, smoothest
from isocenter.ops.thick_slices import Acquisition, interpolation, thick_slices


def matrix(n: int, ratio: int) -> torch.Tensor:
    found = thick_slices((1, 1, n), 2, Acquisition(ratio)).matrices[2]
    assert found is not None
    return found


@pytest.mark.parametrize(("n", "ratio"), [(24, 4), (27, 4), (48, 8), (12, 2)])
def test_it_is_a_projection_that_keeps_the_thick_slices(n: int, ratio: int) -> None:
    a = matrix(n, ratio)
    p = smoothest(a)
    assert torch.allclose(p @ p, p, atol=1e-8)
    assert torch.allclose(a @ p, a, atol=1e-8)
    assert int(torch.linalg.matrix_rank(p, rtol=1e-6)) == n // ratio


def test_no_image_with_the_same_slices_has_fewer_bends() -> None:
    a = matrix(24, 4)
    x = torch.randn(24, dtype=torch.float64, generator=generator(1))
    null = torch.eye(24, dtype=torch.float64) - torch.linalg.pinv(a) @ a

    def bends(line: torch.Tensor) -> float:
        return float(np.square(np.diff(line.numpy(), n=2)).sum())

    best = bends(smoothest(a) @ x)
    for seed in range(20):
        step = null @ torch.randn(24, dtype=torch.float64, generator=generator(seed))
        for size in (1e-2, 1.0):
            assert bends(smoothest(a) @ x + size * step) > best - 1e-9


def test_straight_lines_are_measured_whole() -> None:
    """But for the border, beyond which an acquisition shows the border's value."""
    line = torch.arange(48, dtype=torch.float64)
    rest = line - smoothest(matrix(48, 4)) @ line
    assert float(rest[12:-12].abs().max()) < 0.02
    even = torch.ones(48, dtype=torch.float64)
    assert torch.allclose(smoothest(matrix(48, 4)) @ even, even, atol=1e-5)


def test_a_spline_has_hardly_any_detail_of_its_own_and_noise_has() -> None:
    acquisition, rng = Acquisition(4), generator(2)
    linear = thick_slices((6, 6, 48), 2, acquisition)
    spline = interpolation(48, 12, acquisition, order=3).float()
    coarse = torch.randn(6, 6, 12, generator=rng)

    def share(image: torch.Tensor) -> float:
        seen, unseen = detail_energies(image, linear, axis=2, width=4.0)
        return float(unseen.sum() / (seen + unseen).sum())

    assert share(coarse @ spline.T) < 0.1
    assert share(torch.randn(6, 6, 48, generator=rng)) > 0.6


def test_detail_that_slices_do_not_show_is_all_there_is_of_it() -> None:
    linear = thick_slices((4, 5, 24), 2, Acquisition(4))
    a = linear.matrices[2]
    assert a is not None
    null = (torch.eye(24, dtype=torch.float64) - torch.linalg.pinv(a) @ a).float()
    image = torch.randn(4, 5, 24, generator=generator(3)) @ null
    seen, unseen = detail_energies(image, linear, axis=2, width=4.0)
    assert float(seen.sum()) < 1e-6 * float(unseen.sum())
