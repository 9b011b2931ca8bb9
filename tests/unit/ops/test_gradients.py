"""Gradients of images against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.random import generator
from isocenter.ops.gradients import PREWITT, SCHARR, gradients, squared_gradient


@pytest.mark.parametrize("smoothing", [SCHARR, PREWITT])
def test_gradients_equal_scipy(smoothing: tuple[float, ...]) -> None:
    images = torch.rand(2, 1, 9, 12, generator=generator(1), dtype=torch.float64)
    found = gradients(images, smoothing)
    for n in range(2):
        for axis, component in ((1, 0), (0, 1)):
            once = scipy.ndimage.correlate1d(images[n, 0], [-1, 0, 1], axis, mode="constant")
            both = scipy.ndimage.correlate1d(once, smoothing, 1 - axis, mode="constant")
            assert np.allclose(found[n, component], both)


def test_a_ramp_has_twice_its_slope() -> None:
    ramp = 3.0 * torch.arange(8.0).expand(1, 1, 8, 8)
    inside = squared_gradient(ramp, SCHARR)[..., 1:-1, 1:-1]
    assert torch.allclose(inside, torch.tensor(36.0))
