"""Laws that every artifact keeps, whatever is drawn."""

import json
from itertools import pairwise

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

import isocenter as iso
from isocenter import registry
from isocenter.artifacts import artifact, preset_names, replay, versions
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume

ADDED = ("coloured_noise", "edge_ghosting", "white_noise")
PAIRS = [(preset, name) for preset in preset_names() for name, _ in versions(preset)]
PAIRS = sorted({*PAIRS, *(("physical", name) for name in ADDED)})
seeds = st.integers(0, 2**62)
levels = st.integers(1, 4)
shapes = st.tuples(*[st.integers(12, 18)] * 3)


def damage(volume: Volume, preset: str, name: str, level: int, seed: int) -> Volume:
    return artifact(name, level, preset=preset)(volume, rng=generator(seed))


def distance(volume: Volume, other: Volume) -> float:
    """Root mean square error over the clean scan's root mean square."""
    return float((volume.data - other.data).norm() / volume.data.norm())


@pytest.mark.parametrize(("preset", "name"), PAIRS)
@settings(max_examples=6)
@given(seed=seeds, level=levels, shape=shapes)
def test_result_is_finite_in_place_and_leaves_the_input(
    preset: str, name: str, seed: int, level: int, shape: tuple[int, int, int]
) -> None:
    volume = head_phantom(shape, 2.0)
    before = volume.data.clone()
    worse = damage(volume, preset, name, level, seed)
    assert torch.isfinite(worse.data).all()
    assert worse.data.dtype == torch.float32
    assert worse.data.shape == volume.data.shape
    assert torch.equal(volume.data, before)
    assert (worse.affine == volume.affine).all()
    assert distance(volume, worse) > 0
    if preset == "physical":
        assert float(worse.data.min()) >= -1e-3 * float(before.max())


@pytest.mark.parametrize(("preset", "name"), PAIRS)
@settings(max_examples=6)
@given(seed=seeds, shape=shapes)
def test_level_zero_is_identity(
    preset: str, name: str, seed: int, shape: tuple[int, int, int]
) -> None:
    volume = head_phantom(shape)
    assert torch.equal(damage(volume, preset, name, 0, seed).data, volume.data)


@pytest.mark.parametrize(("preset", "name"), PAIRS)
@settings(max_examples=6)
@given(seed=seeds, level=levels, shape=shapes)
def test_replay_is_bitwise_also_from_json(
    preset: str, name: str, seed: int, level: int, shape: tuple[int, int, int]
) -> None:
    volume = head_phantom(shape)
    worse = damage(damage(volume, preset, name, level, seed), preset, name, 1, seed + 1)
    assert torch.equal(replay(volume, worse.history).data, worse.data)
    module = registry.artifacts.get(name)
    stored = json.loads(json.dumps(dict(worse.history[0].params), allow_nan=False))
    first = damage(volume, preset, name, level, seed)
    assert torch.equal(module.apply(volume, stored), first.data)


@pytest.mark.parametrize(("preset", "name"), PAIRS)
@settings(max_examples=6)
@given(seed=seeds, level=levels)
def test_same_stream_same_result_in_any_order(
    preset: str, name: str, seed: int, level: int
) -> None:
    volumes = [head_phantom((12, 14, 13)), head_phantom((13, 12, 16))]
    parent = generator(seed)

    def one(i: int) -> Volume:
        return artifact(name, level, preset=preset)(volumes[i], rng=child(parent, i, name))

    forward, backward = [one(0), one(1)], [one(1), one(0)][::-1]
    for left, right in zip(forward, backward, strict=True):
        assert left.history[-1] == right.history[-1]
        assert torch.equal(left.data, right.data)


@pytest.mark.parametrize(("preset", "name"), PAIRS)
def test_threads_change_nothing_but_rounding(preset: str, name: str) -> None:
    volume = head_phantom((40, 44, 42))
    n_threads = torch.get_num_threads()
    try:
        results = []
        for n in (1, 2):
            torch.set_num_threads(n)
            results.append(damage(volume, preset, name, 3, 5).data)
    finally:
        torch.set_num_threads(n_threads)
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5 * 1000)


@pytest.mark.parametrize("name", sorted({name for preset, name in PAIRS if preset == "physical"}))
def test_severity_rises_with_the_level(name: str) -> None:
    volume = head_phantom((32, 36, 30), 3.0)
    means = [
        sum(distance(volume, damage(volume, "physical", name, level, seed)) for seed in range(8))
        for level in range(5)
    ]
    assert means[0] == 0
    assert all(left < right for left, right in pairwise(means)), means


@pytest.mark.parametrize(("preset", "name"), PAIRS)
@pytest.mark.parametrize("shape", [(1, 16, 14), (16, 1, 14), (15, 16, 1), (1, 2, 9), (2, 2, 2)])
def test_thin_volumes_work_and_flat_axes_are_not_drawn(
    preset: str, name: str, shape: tuple[int, int, int]
) -> None:
    volume = head_phantom(shape)
    for seed in range(4):
        worse = damage(volume, preset, name, 4, seed)
        assert torch.isfinite(worse.data).all()
        axis = worse.history[-1].params.get("axis")
        assert axis is None or shape[int(axis)] > 1  # type: ignore[call-overload]


@pytest.mark.parametrize(("preset", "name"), PAIRS)
def test_a_constant_image_is_no_obstacle(preset: str, name: str) -> None:
    for value in (0.0, 7.0):
        flat = Volume(torch.full((10, 11, 12), value), head_phantom((4, 4, 4)).affine)
        assert torch.isfinite(damage(flat, preset, name, 4, 3).data).all()


@pytest.mark.gpu
@pytest.mark.parametrize(("preset", "name"), PAIRS)
@pytest.mark.parametrize("level", [1, 4])
def test_cuda_agrees_with_the_cpu(preset: str, name: str, level: int) -> None:
    volume = head_phantom((33, 30, 28))
    step = damage(volume, preset, name, level, 11).history[-1]
    truth = registry.artifacts.get(name).apply(volume, step.params)
    there = registry.artifacts.get(name).apply(volume.to("cuda"), step.params)
    assert there.is_cuda
    error = (there.cpu() - truth).abs().max() / truth.abs().max()
    assert float(error) < 1e-4


def test_facade_line_of_the_readme() -> None:
    scan = head_phantom((16, 16, 16))
    worse = iso.artifact("motion", level=3)(scan, rng=iso.generator(seed=7))
    assert worse.history[-1].name == "motion"
    assert worse.history[-1].seed == 7
