"""Synthetic lesions: where, how large, how strong."""

from __future__ import annotations

import math

import pytest
import scipy.ndimage
import torch

from isocenter.artifacts._lesions import insert_lesions
from isocenter.data.random import generator

SHAPE = (48, 48, 40)


def brain() -> torch.Tensor:
    inside = torch.zeros(SHAPE, dtype=torch.bool)
    inside[4:-4, 4:-4, 4:-4] = True
    return inside


def test_lesions_are_apart_in_the_brain_and_change_nothing_else() -> None:
    data = 100 * brain().float() + 5
    changed, mask = insert_lesions(data, brain(), n=6, rng=generator(1))
    _, n_found = scipy.ndimage.label(mask.numpy())
    assert n_found == 6
    assert not bool((mask & ~brain()).any())
    far = torch.from_numpy(scipy.ndimage.binary_dilation(mask.numpy(), iterations=2))
    assert torch.equal(changed[~far], data[~far])
    assert torch.equal(changed[~brain()], data[~brain()])


def test_contrast_is_relative_and_within_its_range() -> None:
    data = 100 * brain().float()
    ratios = []
    for seed in range(30):
        changed, mask = insert_lesions(data, brain(), n=1, diameters=(8, 10), rng=generator(seed))
        inner = torch.from_numpy(scipy.ndimage.binary_erosion(mask.numpy(), iterations=2))
        ratios.append(float(changed[inner].mean()) / 100 - 1)
    sizes = [abs(ratio) for ratio in ratios]
    assert 0.2 <= min(sizes) < 0.3
    assert 0.5 < max(sizes) <= 0.6
    assert 0.2 < sum(ratio > 0 for ratio in ratios) / 30 < 0.8


def test_volume_is_that_of_the_mean_diameter_in_millimetres() -> None:
    spacing = (0.8, 0.8, 1.5)
    volumes = []
    for seed in range(20):
        _, mask = insert_lesions(
            brain().float(), brain(), n=1, spacing=spacing, diameters=(8, 8), rng=generator(seed)
        )
        volumes.append(int(mask.sum()) * math.prod(spacing))
    inside = [volume for volume in volumes if volume > 150]  # others are cut by the border
    assert len(inside) > 10
    assert max(volumes) == pytest.approx(math.pi / 6 * 8**3, rel=0.12)


def test_chance_is_the_seed_and_no_brain_has_no_lesions() -> None:
    data = brain().float()
    first, again = (insert_lesions(data, brain(), n=3, rng=generator(4))[0] for _ in range(2))
    assert torch.equal(first, again)
    none = torch.zeros_like(brain())
    same, mask = insert_lesions(data, none, n=3, rng=generator(4))
    assert torch.equal(same, data)
    assert not bool(mask.any())
