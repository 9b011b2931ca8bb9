"""Metrics without a reference against piq and pypiqe, where these are installed."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.metrics.brisque import scene_features
from isocenter.metrics.piqe import piqe
from isocenter.ops.bicubic import resize
from isocenter.ops.windows import gaussian, slide


@pytest.fixture(scope="module")
def pypiqe() -> ModuleType:
    return pytest.importorskip("pypiqe", reason="pypiqe is not installed")


def scene(shape: tuple[int, int], *, noise: float = 0.0) -> Tensor:
    """Soft patterns of two sizes, from 0 to 255, each image reaching both."""
    rng = generator(sum(shape))
    drawn = torch.rand(3, 1, *shape, generator=rng, dtype=torch.float64)
    soft = slide(drawn, gaussian(15, 2.5), edges="mirror")
    image = 0.8 * soft + 0.2 * slide(drawn, gaussian(5, 0.8), edges="mirror")
    image = image + noise * torch.randn(image.shape, generator=rng, dtype=torch.float64)
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    return 255 * (image - low) / (high - low)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("shape", [(96, 128), (176, 150)])
def test_the_features_of_brisque_are_those_of_piq(
    piq: Any, shape: tuple[int, int], noise: float
) -> None:
    theirs = importlib.import_module("piq.brisque")._natural_scene_statistics
    image = scene(shape, noise=noise)
    half = resize(image, 0.5)
    expected = torch.cat([theirs(image), theirs(half)], -1)
    assert torch.allclose(scene_features(image), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(96, 128), (64, 42)])
def test_half_size_is_that_of_piq(piq: Any, shape: tuple[int, int]) -> None:
    imresize = importlib.import_module("piq.functional").imresize
    image = scene(shape)
    theirs = imresize(image, sizes=(shape[0] // 2, shape[1] // 2))
    assert torch.allclose(resize(image, 0.5), theirs, atol=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.005, 0.02, 0.2])
@pytest.mark.parametrize("shape", [(96, 128), (150, 181)])
def test_piqe_is_that_of_pypiqe(
    pypiqe: ModuleType, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], noise: float
) -> None:
    """pypiqe rounds to 8 bits, which these images are."""
    monkeypatch.setattr(importlib.import_module("pypiqe.piqe"), "centerSurDev", middle_over_rest)
    image = scene(shape, noise=noise).round()
    theirs = [pypiqe.piqe(plane.numpy())[0] for plane in image[:, 0]]
    assert piqe(image, data_range=255.0).tolist() == pytest.approx(theirs, abs=1e-9)


def middle_over_rest(block: Any, last: int) -> Any:
    """pypiqe leaves the column beside the second middle one out of the rest, and keeps that one;
    the paper knows no such thing."""
    middle = [last // 2, last // 2 + 1]
    rest = np.delete(block, middle, axis=1)
    return np.nan_to_num(np.std(block[:, middle], ddof=1) / np.std(rest, ddof=1))
