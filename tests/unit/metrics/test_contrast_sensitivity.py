"""WSNR, NQM, VSNR and MAD against slow second forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.metrics.mad import mad
from isocenter.metrics.nqm import nqm
from isocenter.metrics.vsnr import vsnr
from isocenter.metrics.wsnr import wsnr
from isocenter.ops.wavelets import wavelet_bands
from isocenter.ops.windows import gaussian, slide

Array = np.ndarray


def pair(height: int, width: int, noise: float = 0.08) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft patches beside black air, and the same with noise; from 0 to 1."""
    rng = generator(height + width)
    rough = torch.rand(2, 1, height, width, generator=rng, dtype=torch.float64)
    soft = slide(rough, gaussian(9, 2.0), edges="mirror")
    clean = (0.5 + 4 * (soft - 0.5) + 0.1 * (rough - 0.5)).clamp(0, 1)
    clean[..., : width // 4] = 0
    return clean + noise * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


def csf(frequency: float) -> float:
    return 2.6 * (0.0192 + 0.114 * frequency) * math.exp(-((0.114 * frequency) ** 1.1))


def eye(height: int, width: int, pixels_per_degree: float) -> Array:
    """Low-pass sensitivity of every wave, zero frequency first."""
    gain = np.empty((height, width))
    for i, down in enumerate(np.fft.fftfreq(height)):
        for j, across in enumerate(np.fft.fftfreq(width)):
            reach = 0.15 * math.cos(4 * math.atan2(down, across)) + 0.85
            frequency = math.hypot(down, across) * pixels_per_degree / reach
            gain[i, j] = 0.9809 if frequency < 7.8909 else csf(frequency)
    return gain


def slow_wsnr(x: Array, y: Array) -> float:
    gain = eye(*x.shape, 120.0)
    signal, noise = (np.abs(np.fft.fft2(each) * gain) ** 2 for each in (y, x - y))
    return float(10 * np.log10(signal.sum() / noise.sum()))


def slow_nqm(x: Array, y: Array) -> float:
    height, width = x.shape
    down, across = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    cycles = np.hypot(down, across) * np.sqrt(height * width)

    def octave(place: float) -> Array:
        with np.errstate(divide="ignore"):
            inside = (cycles >= 2 ** (place - 1)) & (cycles <= 2 ** (place + 1))
            bell = 0.5 * (1 + np.cos(np.pi * np.log2(cycles) - np.pi * place))
        return np.where(inside, bell, 0.0)

    coarse = np.where(cycles <= 2, 0.5 * (1 + np.cos(np.pi * np.log2(cycles + 2) - np.pi)), 0.0)
    filters = [coarse, *(octave(place) for place in range(1, 6))]
    sums = []
    own, true = ([np.fft.ifft2(np.fft.fft2(e) * f).real for f in filters] for e in (x, y))
    for band in range(1, 6):
        threshold = 1 / (200 * csf(2**band / (180 / math.pi / 3.5)))
        contrasts = [
            np.clip(each[band] / np.maximum(sum(each[:band]), 1.0), -1, 1) for each in (own, true)
        ]
        result = np.zeros((2, height, width))
        for i in range(height):
            for j in range(width):
                c_own, c_true = contrasts[0][i, j], contrasts[1][i, j]
                limit = threshold * (0.86 * (abs(c_true) / threshold - 1) + 0.3)
                value = true[band][i, j] if abs(c_own - c_true) < limit else own[band][i, j]
                result[0, i, j] = value if abs(c_own) >= threshold else 0
                result[1, i, j] = true[band][i, j] if abs(c_true) >= threshold else 0
        sums.append(result)
    shown, seen = np.sum(sums, axis=0)
    return float(10 * np.log10((seen**2).sum() / ((seen - shown) ** 2).sum()))


def slow_vsnr(x: Array, y: Array) -> float:
    frequencies = [32 / 2**level for level in range(1, 6)]
    mean = y.mean()
    lum_y = (0.02874 * np.clip(y, 0, 255)) ** 2.2
    error = np.clip(x - y + mean, 0, 255)
    lum_error = (0.02874 * error) ** 2.2
    zeta = lum_y.mean() * (0.02874 * mean) ** (1 - 2.2) / (0.02874 * 2.2)

    def contrasts(image: Array) -> list[float]:
        scales = wavelet_bands(torch.from_numpy(image)[None, None], levels=5)
        return [
            math.sqrt(sum((float(band.numpy().std()) / (zeta * 2**level)) ** 2 for band in bands))
            for level, bands in enumerate(scales, start=1)
        ]

    def ratios(index: float) -> list[float]:
        b2 = (-1 + 0.1087) * index - 0.1087
        b1 = (1 + 0.1258) * index - 0.1258
        return [59.8 * (1 - index) * f ** (b2 * math.log(f) + b1) for f in frequencies]

    def total(index: float) -> float:
        return math.hypot(*(c / r for c, r in zip(signal, ratios(index), strict=True)))

    signal, noise = contrasts(y), contrasts(error)
    contrast = lum_error.std() / lum_y.mean()
    if contrast <= total(0.0):
        return math.inf
    low, high = 0.0, 1.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < contrast else (low, middle)
    best = [c / r for c, r in zip(signal, ratios(low), strict=True)]
    spread = math.dist(best, noise)
    seen = 0.04 * contrast + 0.96 * spread / math.sqrt(2)
    return float(20 * math.log10(lum_y.std() / lum_y.mean() / seen))


def blocks(image: Array, side: int = 16) -> list[Array]:
    rows, columns = (n - 15 for n in image.shape)
    return [
        image[i : i + side, j : j + side] for i in range(0, rows, 4) for j in range(0, columns, 4)
    ]


def slow_mad(x: Array, y: Array) -> float:
    gain = eye(*x.shape, 64.0)
    own, true = (
        np.fft.ifft2(np.fft.fft2((0.02874 * np.maximum(e, 0)) ** (2.2 / 3)) * gain).real
        for e in (x, y)
    )
    detected = []
    for light, rest, plain in zip(blocks(true), blocks(own - true), blocks(x - y), strict=True):
        quiet = min(light[a : a + 8, b : b + 8].std() for a in (0, 8) for b in (0, 8))
        excess = 0.0
        if light.mean() > 0.5:
            contrast, error = np.log(quiet / light.mean()), np.log(rest.std() / light.mean())
            excess = max(0.0, error - max(contrast, -5.0))
        detected.append(excess * (plain**2).mean())
    first = 200 * math.sqrt(np.mean(np.square(detected)))
    second = math.sqrt(np.mean(np.square(appearance(x, y))))
    share = 1 / (1 + math.exp(-2.55 / 3.35) * first ** (1 / (math.log(10) * 3.35)))
    return float(first**share * second ** (1 - share))


def appearance(x: Array, y: Array) -> Array:
    height, width = x.shape
    axes = [np.fft.fftfreq(n, 1 / n) / (n - n % 2) for n in (height, width)]
    down, across = np.meshgrid(*axes, indexing="ij")
    radius, angle = np.hypot(down, across), np.arctan2(-down, across)
    radius[0, 0] = 1.0
    change: Array = np.zeros(len(blocks(x)))
    for scale, weight in enumerate((0.5, 0.75, 1, 5, 6)):
        ring = np.exp(-(np.log(radius * 3 * 3**scale) ** 2) / (2 * math.log(0.55) ** 2))
        ring[0, 0] = 0.0
        for direction in range(4):
            turn = np.angle(np.exp(1j * (angle - direction * math.pi / 4)))
            fan = np.exp(-(turn**2) / (2 * (math.pi / 4 / 1.5) ** 2))
            own, true = (blocks(np.abs(np.fft.ifft2(np.fft.fft2(e) * ring * fan))) for e in (x, y))
            for place, each in enumerate(zip(own, true, strict=True)):
                (s1, k1, q1), (s2, k2, q2) = (shape(block) for block in each)
                change[place] += weight * (abs(s1 - s2) + 2 * abs(k1 - k2) + abs(q1 - q2)) / 13.25
    return change


def shape(block: Array) -> tuple[float, float, float]:
    rest = block - block.mean()
    floor = rest.var() + 0.1**2
    return (
        float(rest.std()),
        float((rest**3).mean() / floor**1.5),
        float((rest**4).mean() / floor**2),
    )


SLOW: dict[Callable[..., torch.Tensor], Callable[[Array, Array], float]] = {
    wsnr: slow_wsnr,
    nqm: slow_nqm,
    vsnr: slow_vsnr,
    mad: slow_mad,
}


@pytest.mark.parametrize("sides", [(40, 48), (35, 50)])
@pytest.mark.parametrize("metric", SLOW, ids=lambda metric: metric.__name__)
def test_they_equal_the_slow_form(
    metric: Callable[..., torch.Tensor], sides: tuple[int, int]
) -> None:
    image, clean = pair(*sides)
    found = metric(image, clean, data_range=1.0)
    for n in range(2):
        expected = SLOW[metric](255 * image[n, 0].numpy(), 255 * clean[n, 0].numpy())
        assert float(found[n]) == pytest.approx(expected, rel=1e-6)


def test_the_eye_forgives_fine_noise_before_coarse_noise() -> None:
    _, clean = pair(64, 64)
    rng = generator(5)
    fine = torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    coarse = slide(fine, gaussian(13, 2.0), edges="mirror")
    coarse = coarse * (fine.std() / coarse.std())
    for metric in (wsnr, vsnr):
        values = [metric(clean + 0.05 * each, clean, data_range=1.0) for each in (fine, coarse)]
        assert bool((values[0] > values[1]).all()), metric.__name__


def test_the_same_noise_is_worse_the_nearer_the_eye() -> None:
    image, clean = pair(64, 64)
    far, near = (wsnr(image, clean, data_range=1.0, pixels_per_degree=p) for p in (120.0, 30.0))
    assert bool((far > near).all())


def test_what_is_not_seen_does_not_count() -> None:
    image, clean = pair(64, 64, noise=0.0005)
    assert bool(vsnr(image, clean, data_range=1.0).isposinf().all())
    assert mad(image, clean, data_range=1.0).tolist() == [0.0, 0.0]


def test_a_change_of_brightness_is_measured_by_weber() -> None:
    clean = torch.full((1, 1, 32, 32), 0.5, dtype=torch.float64)
    clean[..., :16] = 0.6
    value = vsnr(clean + 0.02, clean, data_range=1.0)
    change = (0.57 / 0.55) ** 2.2 - 1
    assert float(value) == pytest.approx(20 / change - 20 * math.log10(1.5), rel=1e-9)


@pytest.mark.parametrize("metric", [wsnr, vsnr, mad])
def test_a_viewing_condition_must_be_positive(metric: Callable[..., torch.Tensor]) -> None:
    image, clean = pair(64, 64)
    with pytest.raises(UsageError, match="pixels_per_degree"):
        metric(image, clean, data_range=1.0, pixels_per_degree=0.0)


def test_an_image_must_fill_an_angle() -> None:
    image, clean = pair(64, 64)
    with pytest.raises(UsageError, match="viewing_angle"):
        nqm(image, clean, data_range=1.0, viewing_angle=-1.0)
