"""2-D metrics on volumes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import NeedsReference, UnknownName, UsageError
from isocenter.metrics import SliceScores, by_slices
from isocenter.metrics.haarpsi import haarpsi
from isocenter.metrics.psnr import psnr
from isocenter.metrics.vif import vif


def volumes(n: int = 2) -> tuple[Tensor, Tensor]:
    """Noisy and clean, (n, 1, 18, 20, 22); the first two slices of axis 2 are air."""
    rng = generator(n)
    clean = torch.rand(n, 1, 18, 20, 22, generator=rng)
    image = clean + 0.1 * torch.randn(clean.shape, generator=rng)
    clean[..., :2] = 0
    return image, clean


def contrast(image: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """A measure without a reference."""
    return image.flatten(1).std(1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_scores_as_it_does_alone(axis: int) -> None:
    image, clean = volumes()
    scores = by_slices(haarpsi, image, clean, axis=axis, data_range=1.0)
    for n in range(2):
        for at in range(image.shape[2 + axis]):
            pair = (each[n : n + 1].select(2 + axis, at) for each in (image, clean))
            alone = haarpsi(*pair, data_range=1.0)
            empty = axis == 2 and at < 2
            assert math.isnan(scores.slices[n, at]) if empty else True
            assert empty or torch.allclose(scores.slices[n, at], alone[0], rtol=1e-5)
    assert scores.n_dropped.tolist() == ([2, 2] if axis == 2 else [0, 0])


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [("mean", Tensor.mean), ("min", Tensor.min), ("max", Tensor.max), ("median", Tensor.quantile)],
)
def test_slices_that_count_are_pooled(pooling: str, pool: Callable[..., Tensor]) -> None:
    image, clean = volumes()
    scores = by_slices("haarpsi", image, clean, axis=2, pooling=pooling, data_range=1.0)
    rest = (0.5,) if pooling == "median" else ()
    expected = [pool(scores.slices[n, 2:], *rest) for n in range(2)]
    assert torch.allclose(scores.values, torch.stack(expected))


def test_slices_outside_the_mask_are_dropped() -> None:
    image, clean = volumes()
    mask = torch.zeros(18, 20, 22, dtype=torch.bool)
    mask[4:9] = True
    scores = by_slices(haarpsi, image, clean, axis=0, mask=mask, data_range=1.0)
    assert scores.n_dropped.tolist() == [13, 13]
    assert scores.kept[0].nonzero().flatten().tolist() == [4, 5, 6, 7, 8]


def test_an_infinite_slice_is_no_trouble_for_the_median() -> None:
    image, clean = volumes(1)
    image[..., 2:14] = clean[..., 2:14]
    scores = by_slices(psnr, image, clean, axis=2, pooling="median", data_range=1.0)
    assert scores.values.tolist() == [math.inf]


def test_nothing_but_air_has_no_value() -> None:
    image, clean = volumes()
    clean[1] = 0
    scores = by_slices(haarpsi, image, clean, axis=2, data_range=1.0)
    assert scores.n_dropped.tolist() == [2, 22]
    assert scores.values.isnan().tolist() == [False, True]
    nothing = by_slices(haarpsi, image[1:], clean[1:], axis=2, data_range=1.0)
    assert bool(nothing.values.isnan().all())


def test_a_measure_without_a_reference_works_too() -> None:
    image, _ = volumes()
    image[..., 5] = 1.0
    scores = by_slices(contrast, image, axis=2)
    assert isinstance(scores, SliceScores)
    assert scores.n_dropped.tolist() == [1, 1]
    assert torch.allclose(scores.slices[1, 3], image[1, 0, :, :, 3].std())
    with pytest.raises(UsageError, match="no reference"):
        by_slices(contrast, image, image, axis=2)


def test_gradients_reach_every_slice_that_counts() -> None:
    image, clean = volumes(1)
    image.requires_grad_()
    scores = by_slices(haarpsi, image, clean, axis=2, data_range=1.0)
    (slope,) = torch.autograd.grad(scores.values.sum(), image)
    assert bool(slope.isfinite().all())
    reached = slope.abs().amax((0, 1, 2, 3)) > 0
    assert reached.tolist() == [False] * 2 + [True] * 20


def test_wrong_calls_are_refused() -> None:
    image, clean = volumes()
    with pytest.raises(NeedsReference, match="haarpsi"):
        by_slices(haarpsi, image, axis=2, data_range=1.0)
    with pytest.raises(UsageError, match="volumes"):
        by_slices(haarpsi, image[0], clean[0], axis=2, data_range=1.0)
    with pytest.raises(UsageError, match="axis"):
        by_slices(haarpsi, image, clean, axis=3, data_range=1.0)
    with pytest.raises(UsageError, match="shape"):
        by_slices(haarpsi, image, clean[:, :, 1:], axis=2, data_range=1.0)
    with pytest.raises(UnknownName, match="pooling"):
        by_slices(haarpsi, image, clean, axis=2, pooling="mode", data_range=1.0)
    with pytest.raises(UnknownName, match="haarpsi"):
        by_slices("harpsi", image, clean, axis=2, data_range=1.0)
    mask = torch.ones(18, 20, 22)
    with pytest.raises(UsageError, match="mask"):
        by_slices(vif, image, clean, axis=2, mask=mask, data_range=1.0)
