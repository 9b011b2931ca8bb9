"""Every artifact against TorchIO 1.x with the same parameters.

What the published benchmark draws is what TorchIO draws, so ranges and rules are compared
with TorchIO's own random transforms as well.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import torchio as tio

from isocenter import registry
from isocenter.artifacts import versions
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume

LIMIT = 1e-4
"""Largest error over the largest value of the reference."""
SHAPES = [(33, 28, 25), (24, 31, 40), (17, 17, 18)]
SPACINGS = [(1.0, 1.0, 1.0), (0.8, 1.0, 2.5)]


def scan(shape: tuple[int, int, int], spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Volume:
    """A head with texture, so that no symmetry hides an error."""
    head = head_phantom(shape).data
    texture = torch.rand(shape, generator=generator(5))
    return Volume(head * (0.8 + 0.4 * texture) + 10 * texture, np.diag([*spacing, 1.0]), "T1w")


def theirs(transform: tio.Transform, volume: Volume) -> torch.Tensor:
    image = tio.ScalarImage(tensor=volume.data[None].clone(), affine=volume.affine)
    result: torch.Tensor = transform(image).data[0]
    return result


def ours(name: str, volume: Volume, params: Mapping[str, Any]) -> torch.Tensor:
    result: torch.Tensor = registry.artifacts.get(name).apply(volume, params)
    return result


def assert_same(given: torch.Tensor, wanted: torch.Tensor) -> None:
    error = float((given - wanted).abs().max() / wanted.abs().max())
    assert error < LIMIT, f"relative error {error:.2e}"


def drawn(name: str, level: int, volume: Volume, seed: int) -> dict[str, Any]:
    module = registry.artifacts.get(name)
    params: dict[str, Any] = module.draw(volume, level, preset="hsfnet-2025", rng=generator(seed))
    return params


@pytest.mark.parametrize("level", [1, 2, 3, 4])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_motion(shape: tuple[int, int, int], spacing: tuple[float, ...], level: int) -> None:
    volume = scan(shape, spacing)
    params = drawn("motion", level, volume, level) | {"spacing": list(spacing)}
    reference = tio.Motion(
        degrees=np.array(params["degrees"]),
        translation=np.array(params["translation"]),
        times=np.array(params["times"]),
        image_interpolation="linear",
    )
    assert_same(ours("motion", volume, params), theirs(reference, volume))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_ghosting(shape: tuple[int, int, int], axis: int, level: int) -> None:
    volume = scan(shape)
    params = drawn("ghosting", level, volume, level) | {"axis": axis}
    reference = tio.Ghosting(
        num_ghosts=params["every"], axis=axis, intensity=params["share"], restore=None
    )
    assert_same(ours("ghosting", volume, params), theirs(reference, volume))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
@pytest.mark.parametrize("lowest", ["air is positive", "air is negative"])
def test_spike(shape: tuple[int, int, int], level: int, lowest: str) -> None:
    volume = scan(shape)
    if lowest == "air is negative":
        volume = Volume(volume.data - 300, volume.affine)
    params = drawn("spike", level, volume, level)
    reference = tio.Spike(
        spikes_positions=_positions(params["places"], shape), intensity=params["height"]
    )
    assert_same(ours("spike", volume, params), theirs(reference, volume))


def test_spikes_on_one_point_and_on_the_centre_compound_too() -> None:
    volume = scan((18, 15, 16))
    params = drawn("spike", 1, volume, 0)
    places = [[3, -2, 1], [3, -2, 1], [0, 0, 0], [3, -2, 1]]
    params |= {"places": places, "phases": [0.0] * 4, "height": 1.3}
    reference = tio.Spike(spikes_positions=_positions(places, volume.shape), intensity=1.3)
    assert_same(ours("spike", volume, params), theirs(reference, volume))


def _positions(places: list[list[int]], shape: tuple[int, int, int]) -> np.ndarray:
    """Centres of the cells that TorchIO's floor brings back to ``places``."""
    return np.array(
        [[(p + n // 2 + 0.5) / n for p, n in zip(place, shape, strict=True)] for place in places]
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_blur_in_voxels(shape: tuple[int, int, int], level: int) -> None:
    volume = scan(shape, (0.8, 1.0, 2.5))
    params = drawn("blur", level, volume, level)
    bare = Volume(volume.data, np.eye(4))  # the published code drops the affine
    reference = tio.Blur(std=tuple(params["width"]))
    assert_same(ours("blur", volume, params), theirs(reference, bare))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(
    "width", [(0.5, 0.0, 0.0), (0.0, 3.5, 0.0), (0.9, 0.9, 0.9), (9.0, 8.0, 7.0)]
)
def test_blur_in_mm(
    shape: tuple[int, int, int], spacing: tuple[float, ...], width: tuple[float, ...]
) -> None:
    volume = scan(shape, spacing)
    params = {"preset": "physical", "level": 2, "width": list(width), "unit": "mm"}
    assert_same(ours("blur", volume, params), theirs(tio.Blur(std=width), volume))


@pytest.mark.parametrize("order", [0, 2, 3, 4])
@pytest.mark.parametrize("shape", [(32, 28, 24), (16, 16, 20)])
def test_bias(shape: tuple[int, int, int], order: int) -> None:
    # Even sides: TorchIO makes one coordinate too few along an odd one.
    volume = scan(shape)
    n_terms = math.comb(order + 3, 3)
    coefficients = (torch.rand(n_terms, generator=generator(order)) - 0.5).tolist()
    params = {
        "preset": "physical",
        "level": 3,
        "kind": "polynomial",
        "order": order,
        "coefficients": coefficients,
        "limits": None,
    }
    # TorchIO divides by the outermost voxel's centre, so that a side's corner is exactly 1.
    stretched = _stretched(coefficients, order, shape)
    reference = tio.BiasField(coefficients=stretched, order=order)
    assert_same(ours("bias", volume, params), theirs(reference, volume))


def _stretched(coefficients: list[float], order: int, shape: tuple[int, int, int]) -> list[float]:
    factor = [(side - 1) / side for side in shape]
    powers = [
        (x, y, z)
        for x in range(order + 1)
        for y in range(order + 1 - x)
        for z in range(order + 1 - x - y)
    ]
    return [
        c * math.prod(f**p for f, p in zip(factor, power, strict=True))
        for c, power in zip(coefficients, powers, strict=True)
    ]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_published_noise_by_distribution(level: int) -> None:
    volume = scan((40, 42, 44))
    params = drawn("noise", level, volume, level)
    added = (ours("noise", volume, params) - volume.data).flatten()
    theirs_added = (
        theirs(tio.Noise(mean=0, std=params["sigma"], seed=1), volume) - volume.data
    ).flatten()
    assert scipy.stats.ks_2samp(added.numpy(), theirs_added.numpy()).pvalue > 1e-3
    assert float(added.std()) == pytest.approx(params["sigma"], rel=0.01)
    assert abs(float(added.mean())) < 5 * params["sigma"] / math.sqrt(added.numel())


def test_physical_noise_is_rician() -> None:
    volume = Volume(torch.full((48, 48, 48), 30.0), np.eye(4))
    params = {"preset": "physical", "level": 4, "sigma": 20.0, "g_factor": None, "stream": 3}
    noisy = ours("noise", volume, params).flatten().numpy()
    rice = scipy.stats.rice(30.0 / 20.0, scale=20.0)
    assert scipy.stats.kstest(noisy, rice.cdf).pvalue > 1e-3


def test_published_times_and_counts_follow_the_published_ranges() -> None:
    volume = scan((17, 17, 18))
    shifts = {1: (0, 1), 2: (4, 5), 3: (9, 10), 4: (19, 20)}
    moves = {1: 1, 2: 3, 3: 5, 4: 10}
    for level, n_moves in moves.items():
        many = [drawn("motion", level, volume, seed) for seed in range(60)]
        degrees, translation, times = (
            np.array([params[key] for params in many])
            for key in ("degrees", "translation", "times")
        )
        assert degrees.shape == translation.shape == (60, n_moves, 3)
        assert _fills(degrees, (-10, 10))
        assert _fills(translation, shifts[level])
        step = 1 / (n_moves + 1)
        assert _fills(times / step - np.arange(1, n_moves + 1), (-0.3, 0.3))
        assert {params["axis"] for params in many} == {2}


@pytest.mark.parametrize(
    ("name", "key", "ranges"),
    [
        ("ghosting", "share", [(0.8, 1.0), (1.5, 1.7), (2.5, 2.7), (5.0, 5.2)]),
        ("spike", "height", [(0.8, 1.0), (1.0, 1.2), (1.2, 1.4), (2.0, 2.2)]),
        ("blur", "width", [(0.8, 0.9), (1.2, 1.3), (2.5, 2.6), (5.0, 5.1)]),
        ("noise", "sigma", [(s, s + 0.1) for s in (100, 400, 800, 3000)]),
    ],
)
def test_published_strengths(name: str, key: str, ranges: list[tuple[float, float]]) -> None:
    volume = scan((17, 17, 18))
    for level, limits in enumerate(ranges, start=1):
        assert _fills(np.array([drawn(name, level, volume, s)[key] for s in range(120)]), limits)


@pytest.mark.parametrize(
    ("name", "key", "counts"),
    [
        ("ghosting", "every", [(3, 5), (5, 7), (10, 12), (20, 22)]),
        ("spike", "places", [(1, 3), (3, 5), (6, 8), (6, 8)]),
    ],
)
def test_published_counts_include_both_ends(
    name: str, key: str, counts: list[tuple[int, int]]
) -> None:
    volume = scan((17, 17, 18))
    for level, (low, high) in enumerate(counts, start=1):
        values = [drawn(name, level, volume, seed)[key] for seed in range(60)]
        found = {value if isinstance(value, int) else len(value) for value in values}
        assert found == set(range(low, high + 1))


def test_published_set_has_twenty_versions() -> None:
    assert len(versions("hsfnet-2025")) == 20


def _fills(values: np.ndarray, limits: tuple[float, float]) -> bool:
    """Inside the limits, and near both of them."""
    low, high = limits
    room = (high - low) * 0.1
    return bool(
        values.min() >= low
        and values.max() <= high
        and values.min() < low + room
        and values.max() > high - room
    )
