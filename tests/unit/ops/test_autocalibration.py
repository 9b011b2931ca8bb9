"""Kernels from the centre of k-space: against plain least squares and plain convolution."""

from __future__ import annotations

import torch

from isocenter.data.random import generator
from isocenter.ops.autocalibration import calibration_block, noise_to_signal
from isocenter.ops.fourier import fft
from isocenter.ops.grappa import fill_columns, fill_places
from isocenter.ops.simulated_coils import birdcage_maps
from isocenter.ops.spirit import consistency

COILS, SIDE = 3, 24


def coils(seed: int = 0, noise: float = 0.01) -> torch.Tensor:
    """K-space of a disc with texture."""
    axis = torch.linspace(-1, 1, SIDE)
    disc = (axis[:, None].square() + axis.square() < 0.7).float()
    texture = 1 + 0.3 * torch.rand(SIDE, SIDE, generator=generator(seed))
    kspace = fft(birdcage_maps(COILS, (SIDE, SIDE))[0, 0] * (disc * texture), (-2, -1))
    white = torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator(seed + 1))
    return kspace + noise * white


def centre(kspace: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    mask = torch.ones(SIDE, SIDE, dtype=torch.bool)
    return calibration_block(kspace, mask, (rows, columns))


def least_squares(
    block: torch.Tensor, sources: list[tuple[int, int]], reach: tuple[int, int], weight: float
) -> torch.Tensor:
    """Kernel of one pattern, its equations written out window by window."""
    up, side = reach
    left, right = [], []
    for row in range(up, block.shape[1] - up):
        for column in range(side, block.shape[2] - side):
            left.append(torch.cat([block[:, row + y, column + x] for y, x in sources]))
            right.append(block[:, row, column])
    a, b = (torch.stack(rows).to(torch.complex128) for rows in (left, right))
    ridge = weight * float(a.abs().square().sum()) / a.shape[1]
    return torch.linalg.solve(a.mH @ a + ridge * torch.eye(a.shape[1]), a.mH @ b)


def test_single_places_are_filled_by_their_own_least_squares() -> None:
    full = coils()
    mask = torch.rand(SIDE, SIDE, generator=generator(3)) < 0.4
    mask[6:18, 6:18] = True
    block = calibration_block(full, mask, (12, 12))
    filled, unfilled = fill_places(full * mask, mask, block, window=5, n_places=6, weight=1e-3)
    assert unfilled == 0
    near = sorted(
        ((y, x) for y in range(-2, 3) for x in range(-2, 3)), key=lambda p: p[0] ** 2 + p[1] ** 2
    )
    for y, x in [(0, 0), (3, 9), (20, 4), (23, 23), (12, 2)]:
        if mask[y, x]:
            continue
        inside = [p for p in near if 0 <= y + p[0] < SIDE and 0 <= x + p[1] < SIDE]
        sources = [p for p in inside if mask[y + p[0], x + p[1]]][:6]
        kernel = least_squares(block, sources, (2, 2), 1e-3)
        values = torch.cat([full[:, y + p[0], x + p[1]] for p in sources])
        expected = values.to(torch.complex128) @ kernel
        assert torch.allclose(filled[:, y, x], expected.to(filled.dtype), rtol=1e-3, atol=1e-4)


def test_columns_are_filled_from_both_sides() -> None:
    full = coils()
    measured = torch.arange(SIDE) % 2 == 0
    measured[7:17] = True
    block = centre(full, SIDE, 9)
    filled, unfilled = fill_columns(
        full * measured, measured, block, n_rows=3, n_columns=2, weight=1e-3
    )
    assert unfilled == 0
    sources = [(y, x) for y in (-1, 0, 1) for x in (-1, 1)]
    kernel = least_squares(block, sources, (1, 1), 1e-3)
    for row, column in [(5, 3), (12, 19), (20, 21)]:
        values = torch.cat([full[:, row + y, column + x] for y, x in sources])
        expected = (values.to(torch.complex128) @ kernel).to(filled.dtype)
        assert torch.allclose(filled[:, row, column], expected, rtol=1e-3, atol=1e-4)
    kept = (full * measured)[:, :, measured]
    assert torch.equal(filled[:, :, measured], kept)


def test_columns_out_of_reach_stay_zero_and_are_counted() -> None:
    full = coils()
    measured = torch.zeros(SIDE, dtype=torch.bool)
    measured[9:15] = True
    filled, unfilled = fill_columns(
        full * measured, measured, centre(full, SIDE, 6), n_rows=3, n_columns=2, weight=1e-3
    )
    far = [column for column in range(SIDE) if column < 4 or column > 19]
    assert unfilled == len(far)
    assert bool((filled[:, :, far] == 0).all())


def test_consistency_is_a_convolution_of_kspace() -> None:
    """Predicted at one place by hand, all coils, from kernels found by plain least squares."""
    full = coils()
    block = centre(full, 14, 14)
    agreement = consistency(block, (SIDE, SIDE), side=3, weight=1e-3)
    images = torch.fft.fftshift(
        torch.fft.ifft2(torch.fft.ifftshift(full, dim=(-2, -1)), norm="ortho"), dim=(-2, -1)
    )
    predicted = fft((agreement.predictor * images).sum(1), (-2, -1))
    offsets = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    a, b = [], []
    for row in range(1, 13):
        for column in range(1, 13):
            seen = torch.stack([block[:, row + y, column + x] for y, x in offsets], 1)
            values = seen.flatten()
            a.append(torch.cat([values[:4], values[5:]]))
            b.append(block[0, row, column])
    rows, target = torch.stack(a).to(torch.complex128), torch.stack(b).to(torch.complex128)
    ridge = 1e-3 * float(rows.abs().square().sum()) / rows.shape[1]
    kernel = torch.linalg.solve(rows.mH @ rows + ridge * torch.eye(rows.shape[1]), rows.mH @ target)
    here = torch.stack([full[:, 5 + y, 17 + x] for y, x in offsets], 1).flatten()
    expected = torch.cat([here[:4], here[5:]]).to(torch.complex128) @ kernel
    assert torch.allclose(predicted[0, 5, 17], expected.to(full.dtype), rtol=1e-3, atol=1e-4)


def test_disagreement_is_positive_and_its_own_adjoint() -> None:
    full = coils()
    agreement = consistency(centre(full, 14, 14), (SIDE, SIDE), side=3, weight=1e-3)
    mask = torch.rand(SIDE, SIDE, generator=generator(5)) < 0.5
    x, y = (coils(seed, 1.0) * ~mask for seed in (7, 9))
    left = torch.vdot(agreement.missing(x, mask).flatten(), y.flatten())
    assert torch.allclose(
        left, torch.vdot(x.flatten(), agreement.missing(y, mask).flatten()), rtol=1e-4
    )
    assert float(torch.vdot(x.flatten(), agreement.missing(x, mask).flatten()).real) > 0


def test_a_block_holds_measured_places_alone() -> None:
    kspace, mask = coils(), torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[:, 11:19] = True
    assert calibration_block(kspace, mask, (SIDE, 8)).shape == (COILS, SIDE, 5)
    mask[:, 8:16] = True
    mask[:, 16:] = False
    block = calibration_block(kspace, mask, (SIDE, 8))
    assert torch.equal(block, kspace[:, :, 8:16])


def test_noise_over_signal_is_that_of_the_outer_places() -> None:
    mask = torch.ones(64, 64, dtype=torch.bool)
    shape = (8, 64, 64)
    white = torch.randn(shape, dtype=torch.complex64, generator=generator(0))
    assert noise_to_signal(0 * white, mask, (8, 8)) == 0
    assert noise_to_signal(white, mask, (64, 64)) == 0
    assert noise_to_signal(white, mask, (8, 8)) > 10
    # Signal of energy 9 in the inner half, noise of energy 1 throughout.
    signal = torch.zeros(shape, dtype=torch.complex64)
    signal[:, 16:48, 16:48] = 3.0
    n_outer, n_signal = 64**2 - 8**2, 32**2 - 8**2
    expected = 1 / (9 * n_signal / n_outer)
    assert abs(noise_to_signal(signal + white, mask, (8, 8)) / expected - 1) < 0.1
