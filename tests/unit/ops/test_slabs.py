"""Inputs of HSFNet: slabs, spectra, and the published stack."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import PublishedStack, Slabs, preprocess_from_json
from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint, BadVolume
from isocenter.ops.slabs import find_head, published_inputs, spectra, take_slabs, usable_axes

SMALL = Slabs(side=32)


def test_published_stack_equals_the_published_steps() -> None:
    """Centre crop, axes moved, scipy's linear zoom, thirty slices, numpy's plain FFT."""
    numbers = PublishedStack(crop=(40, 44, 36), axes=(2, 0, 1))
    data = torch.randn(47, 45, 36, generator=generator(0))
    zoomed, real, imaginary = published_inputs(data, numbers)
    crop = data.numpy()[3:43, 0:44, :].transpose(2, 0, 1)
    truth = scipy.ndimage.zoom(crop, (1, 128 / 40, 128 / 44), order=1)[3:33]
    spectrum = np.fft.fftn(truth.astype(np.float64))
    assert zoomed.shape == (30, 128, 128)
    assert np.abs(zoomed.numpy() - truth).max() < 1e-4
    assert np.abs(real.numpy() - spectrum.real).max() < 1e-4 * np.abs(spectrum).max()
    assert np.abs(imaginary.numpy() - spectrum.imag).max() < 1e-4 * np.abs(spectrum).max()


def test_published_stack_refuses_what_is_too_small() -> None:
    with pytest.raises(BadVolume, match="at least"):
        published_inputs(torch.zeros(20, 200, 200), PublishedStack())


def test_slabs_are_the_slices_around_the_place() -> None:
    scan = head_phantom((48, 40, 36))
    head = find_head(scan.data)
    taken = take_slabs(scan.data, scan.spacing, head, [(2, 18), (0, 24)], SMALL)
    assert taken.slabs.shape == (2, 3, 32, 32)
    centre = [(head.first[a] + head.last[a] + 1) // 2 for a in range(3)]
    window = scan.data[centre[0] - 16 : centre[0] + 16, centre[1] - 16 : centre[1] + 16]
    for k in range(3):
        expected = (window[:, :, 17 + k] / head.scale).clamp(-4, 4)
        assert torch.allclose(taken.slabs[0, k], expected)


def test_slabs_do_not_see_the_unit_of_brightness() -> None:
    scan = head_phantom((40, 40, 40))
    both = [
        take_slabs(data, scan.spacing, find_head(data), [(1, 20)], SMALL).slabs
        for data in (scan.data, 7.5 * scan.data)
    ]
    assert torch.allclose(*both, atol=1e-5)


def test_fine_pixels_are_averaged_and_said() -> None:
    scan = head_phantom((64, 64, 64))
    taken = take_slabs(scan.data, (0.35, 0.35, 0.35), find_head(scan.data), [(2, 32)], SMALL)
    assert taken.facts[0, :3].exp().tolist() == pytest.approx([0.7, 0.7, 0.35], rel=1e-5)


def test_window_beyond_the_image_is_zero() -> None:
    data = torch.ones(10, 12, 14)
    taken = take_slabs(data, (1, 1, 1), find_head(data), [(0, 0)], SMALL)
    assert taken.slabs[0, 0].count_nonzero() == 12 * 14


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ((1, 1, 1), (0, 1, 2)),
        ((0.87, 0.87, 1.0), (0, 1, 2)),
        ((2, 2, 2), (0, 1, 2)),
        ((0.4, 0.4, 7), (2,)),
        ((5, 0.9, 0.9), (0,)),
    ],
)
def test_thick_slices_are_seen_in_their_own_plane(
    spacing: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    assert usable_axes(spacing, (200, 200, 200), Slabs()) == expected


def test_single_slice_has_one_axis() -> None:
    assert usable_axes((1, 1, 5), (200, 180, 1), Slabs()) == (2,)


def test_spectrum_shows_a_wave_where_it_is() -> None:
    at = torch.arange(160.0)
    wave = torch.cos(2 * math.pi * 30 * at / 160)
    slab = wave.expand(160, 160).expand(3, 160, 160)
    spectrum = spectra(slab[None], Slabs())[0]
    assert spectrum.shape == (3, 160, 80)
    row, column = divmod(int(spectrum[0].argmax()), 80)
    assert (row, column) == (80, 30)


def test_spectrum_is_bounded_and_odd_in_sign() -> None:
    slab = torch.rand(1, 3, 32, 32, generator=generator(1))
    up, down = spectra(slab, SMALL), spectra(-slab, SMALL)
    assert torch.allclose(up[:, 0], down[:, 0])
    assert torch.allclose(up[:, 1:], -down[:, 1:], atol=1e-6)
    assert up.abs().max() < 3


def test_numbers_survive_json() -> None:
    for numbers in (Slabs(side=96), PublishedStack(axes=(1, 0, 2))):
        assert preprocess_from_json({**numbers.to_json()}) == numbers


@pytest.mark.parametrize("values", [{}, {"kind": "wavelets"}, {"kind": "slabs", "side": 3}])
def test_unknown_numbers_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(BadCheckpoint):
        preprocess_from_json(values)
