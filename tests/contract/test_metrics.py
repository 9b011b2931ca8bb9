"""Every metric of the registry, through one battery. A new file is found by itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from isocenter import registry
from isocenter.data.random import generator

NAMES = registry.metrics.names()
SOURCE = re.compile(r"doi|arxiv|https?://|log10", re.IGNORECASE)
SHAPES = [(2, 1, 24, 26), (2, 1, 16, 18, 20)]
RANGE = 100.0

every_metric = pytest.mark.parametrize("name", NAMES)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def measure(name: str) -> Callable[..., Tensor]:
    """The function that bears the module's name."""
    function: Callable[..., Tensor] = getattr(registry.metrics.get(name), name)
    return function


def compares(name: str) -> bool:
    return "reference" in inspect.signature(measure(name)).parameters


full_reference = pytest.mark.parametrize("name", [name for name in NAMES if compares(name)])


def smooth(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A soft pattern from 0 to ``RANGE``."""
    grids = torch.meshgrid(*(torch.linspace(0, 3, side) for side in shape[2:]), indexing="ij")
    wave = torch.stack([torch.sin((2 + axis) * grid) for axis, grid in enumerate(grids)]).mean(0)
    phase = torch.rand(shape[0], generator=generator(seed)).reshape(-1, *[1] * (len(shape) - 1))
    return RANGE * (0.5 + 0.25 * (wave + torch.cos(6 * phase)).expand(shape))


def noisy(image: Tensor, sigma: float, seed: int = 1) -> Tensor:
    return image + sigma * torch.randn(image.shape, generator=generator(seed))


def test_there_are_metrics_with_a_reference() -> None:
    assert any(compares(name) for name in NAMES)


@every_metric
def test_a_metric_says_source_direction_range_and_unit(name: str) -> None:
    module = registry.metrics.get(name)
    assert SOURCE.search(inspect.getdoc(measure(name)) or ""), "name a DOI or the formula"
    assert module.BETTER in ("higher", "lower")
    assert module.RANGE[0] < module.RANGE[1]
    assert module.UNIT is None or isinstance(module.UNIT, str)


@every_metric
def test_the_range_of_the_data_is_never_guessed(name: str) -> None:
    range_ = inspect.signature(measure(name)).parameters["data_range"]
    assert (range_.kind, range_.default) == (range_.KEYWORD_ONLY, range_.empty)


@every_shape
@full_reference
def test_an_equal_image_is_the_best_there_is(name: str, shape: tuple[int, ...]) -> None:
    module, image = registry.metrics.get(name), smooth(shape)
    best = module.RANGE[1] if module.BETTER == "higher" else module.RANGE[0]
    result = measure(name)(image, image, data_range=RANGE)
    assert torch.allclose(result, torch.full((shape[0],), best))


@every_shape
@full_reference
def test_more_noise_is_worse(name: str, shape: tuple[int, ...]) -> None:
    image = smooth(shape)
    sign = 1 if registry.metrics.get(name).BETTER == "higher" else -1
    values = torch.stack(
        [sign * measure(name)(noisy(image, s), image, data_range=RANGE) for s in (1, 4, 16, 64)]
    )
    assert bool((values.diff(dim=0) < 0).all())


@every_shape
@full_reference
def test_a_batch_is_its_images_one_by_one(name: str, shape: tuple[int, ...]) -> None:
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    batch = measure(name)(image, reference, data_range=RANGE)
    single = [
        measure(name)(image[i : i + 1], reference[i : i + 1], data_range=RANGE)
        for i in range(shape[0])
    ]
    assert batch.shape == (shape[0],)
    assert torch.allclose(batch, torch.cat(single), rtol=1e-5)


@every_shape
@full_reference
def test_the_unit_of_the_values_does_not_matter(name: str, shape: tuple[int, ...]) -> None:
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    plain = measure(name)(image, reference, data_range=RANGE)
    scaled = measure(name)(image * 8, reference * 8, data_range=RANGE * 8)
    assert torch.allclose(plain, scaled, rtol=1e-4)


@every_shape
@full_reference
def test_only_what_the_mask_holds_counts(name: str, shape: tuple[int, ...]) -> None:
    reference = smooth(shape)
    mask = torch.zeros(shape[2:], dtype=torch.bool)
    mask[:2] = True
    spoiled = reference.clone()
    spoiled[:, :, -1] = 0
    spoiled[:, :, :1] += 3
    elsewhere = spoiled.clone()
    elsewhere[:, :, -1] = RANGE
    results = [
        measure(name)(image, reference, data_range=RANGE, mask=mask)
        for image in (spoiled, elsewhere)
    ]
    assert torch.allclose(*results)
    assert not torch.allclose(results[0], measure(name)(spoiled, reference, data_range=RANGE))


@full_reference
def test_images_of_other_shapes_are_refused(name: str) -> None:
    with pytest.raises(Exception, match="shape"):
        measure(name)(smooth(SHAPES[0]), smooth((2, 1, 24, 24)), data_range=RANGE)


@pytest.mark.gpu
@full_reference
def test_cuda_gives_the_numbers_of_the_cpu(name: str) -> None:
    image, reference = noisy(smooth(SHAPES[1]), 5), smooth(SHAPES[1])
    here = measure(name)(image, reference, data_range=RANGE)
    there = measure(name)(image.cuda(), reference.cuda(), data_range=RANGE)
    assert torch.allclose(here, there.cpu(), rtol=1e-4)
