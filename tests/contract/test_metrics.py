"""Every metric of the registry, through one battery. A new file is found by itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor

from isocenter import registry
from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.ops.windows import gaussian, slide

NAMES = registry.metrics.names()
SOURCE = re.compile(r"doi:10\.\d+/|https?://", re.IGNORECASE)
RANGE = 100.0
ROUNDING = 1e-3
"""Of metrics without a reference: a distance in many whitened dimensions enlarges rounding."""
LARGEST = 64
"""Metrics that need more pixels along an axis are tried in 2-D alone."""

every_metric = pytest.mark.parametrize("name", NAMES)


def measure(name: str) -> Callable[..., Tensor]:
    """The function that bears the module's name, with ``data_range`` where it takes one."""
    module = registry.metrics.get(name)
    if getattr(module, "NEEDS_WEIGHTS", False):
        pytest.skip(f"{name} needs weights that are not part of Isocenter")
    function: Callable[..., Tensor] = getattr(module, name)
    if not takes(name, "data_range"):
        return function

    def with_range(*images: Tensor, data_range: float = RANGE, **others: Tensor) -> Tensor:
        return function(*images, data_range=data_range, **others)

    return with_range


def takes(name: str, parameter: str) -> bool:
    function = getattr(registry.metrics.get(name), name)
    return parameter in inspect.signature(function).parameters


def shapes(name: str) -> list[tuple[int, ...]]:
    """One shape for every number of axes; odd sides that differ."""
    module = registry.metrics.get(name)
    side = module.MINIMUM_SIDE
    plane, solid = max(side, 24), max(side, 16)
    found: list[tuple[int, ...]] = []
    if 2 in module.SPATIAL:
        found.append((2, 1, plane + 1, plane + 4))
    if 3 in module.SPATIAL and side <= LARGEST:
        found.append((2, 1, solid + 1, solid, solid + 3))
    return found


COMPARING = [name for name in NAMES if takes(name, "reference")]
ALONE = [name for name in NAMES if not takes(name, "reference")]
no_reference = pytest.mark.parametrize("name", ALONE)
each_shape_alone = pytest.mark.parametrize(
    ("name", "shape"),
    [pytest.param(name, shape, id=f"{name}-{shape}") for name in ALONE for shape in shapes(name)],
)
full_reference = pytest.mark.parametrize("name", COMPARING)
each_shape = pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param(name, shape, id=f"{name}-{shape}")
        for name in COMPARING
        for shape in shapes(name)
    ],
)
masked = pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param(name, shape, id=f"{name}-{shape}")
        for name in COMPARING
        if takes(name, "mask")
        for shape in shapes(name)
    ],
)


def sign(module: ModuleType) -> int:
    return 1 if module.BETTER == "higher" else -1


def shown(name: str) -> int:
    """How many times the usual damage must be to be seen by a metric with a threshold."""
    return 8 if getattr(registry.metrics.get(name), "HAS_THRESHOLD", False) else 1


def smooth(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Waves with a soft texture, from 0 to ``RANGE``."""
    grids = torch.meshgrid(
        *(torch.arange(side, dtype=torch.float32) / 8 for side in shape[2:]), indexing="ij"
    )
    wave = torch.stack([torch.sin((2 + axis) * grid) for axis, grid in enumerate(grids)]).mean(0)
    phase = torch.rand(shape[0], generator=generator(seed)).reshape(-1, *[1] * (len(shape) - 1))
    texture = torch.rand(shape, generator=generator(seed + 1))
    return RANGE * (0.4 + 0.2 * (wave + torch.cos(6 * phase)).expand(shape) + 0.15 * texture)


def noisy(image: Tensor, sigma: float, seed: int = 1) -> Tensor:
    return image + sigma * torch.randn(image.shape, generator=generator(seed))


def blurred(image: Tensor, sigma: float) -> Tensor:
    return slide(image, gaussian(2 * int(4 * sigma) + 3, sigma), edges="mirror")


def test_there_are_metrics_with_a_reference_and_without() -> None:
    assert COMPARING
    assert ALONE


@every_metric
def test_a_metric_says_what_it_is(name: str) -> None:
    module = registry.metrics.get(name)
    assert module.BETTER in ("higher", "lower")
    assert module.RANGE[0] < module.RANGE[1]
    assert module.UNIT is None or isinstance(module.UNIT, str)
    assert isinstance(module.MINIMUM_SIDE, int)
    assert isinstance(module.DIFFERENTIABLE, bool)
    assert set(module.SPATIAL) <= {1, 2, 3}
    assert module.VALIDATED
    assert {"BETTER", "RANGE", "UNIT", name} <= set(module.__all__)


@every_metric
def test_a_metric_names_its_source_twice(name: str) -> None:
    module = registry.metrics.get(name)
    text = " ".join((inspect.getdoc(getattr(module, name)) or "").split())
    assert SOURCE.match(module.SOURCE)
    assert module.SOURCE in text


@every_metric
def test_the_range_of_the_data_is_never_guessed(name: str) -> None:
    parameters = inspect.signature(getattr(registry.metrics.get(name), name)).parameters
    if "data_range" in parameters:
        range_ = parameters["data_range"]
        assert (range_.kind, range_.default) == (range_.KEYWORD_ONLY, range_.empty)


@each_shape
def test_an_equal_image_is_the_best_there_is(name: str, shape: tuple[int, ...]) -> None:
    module, image = registry.metrics.get(name), smooth(shape)
    best = getattr(module, "IDENTICAL", module.RANGE[1 if module.BETTER == "higher" else 0])
    result = measure(name)(image, image)
    if best is not None:
        assert torch.allclose(result, torch.full((shape[0],), best), atol=1e-6)
    worse = measure(name)(noisy(image, 4 * shown(name)), image)
    assert bool((sign(module) * (result - worse) > 0).all())


@each_shape
def test_more_noise_is_worse(name: str, shape: tuple[int, ...]) -> None:
    image, module, factor = smooth(shape), registry.metrics.get(name), shown(name)
    values = torch.stack(
        [sign(module) * measure(name)(noisy(image, factor * s), image) for s in (1, 4, 16)]
    )
    assert bool((values.diff(dim=0) < 0).all()), values


@each_shape
def test_more_blur_is_worse(name: str, shape: tuple[int, ...]) -> None:
    image, module, factor = smooth(shape), registry.metrics.get(name), shown(name)
    values = torch.stack(
        [sign(module) * measure(name)(blurred(image, factor * s), image) for s in (0.4, 0.6, 0.9)]
    )
    assert bool((values.diff(dim=0) < 0).all()), values


@each_shape
def test_the_value_lies_in_its_range(name: str, shape: tuple[int, ...]) -> None:
    low, high = registry.metrics.get(name).RANGE
    value = measure(name)(noisy(smooth(shape), 30), smooth(shape))
    assert bool(((low <= value) & (value <= high)).all()), value


@each_shape
def test_a_batch_is_its_images_one_by_one(name: str, shape: tuple[int, ...]) -> None:
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    batch = measure(name)(image, reference)
    single = [measure(name)(image[i : i + 1], reference[i : i + 1]) for i in range(shape[0])]
    assert batch.shape == (shape[0],)
    assert batch.dtype == image.dtype
    assert torch.allclose(batch, torch.cat(single), rtol=1e-5)


@each_shape
def test_single_precision_is_enough(name: str, shape: tuple[int, ...]) -> None:
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    single = measure(name)(image, reference)
    double = measure(name)(image.double(), reference.double())
    assert double.dtype == torch.float64
    assert torch.allclose(single.double(), double, rtol=1e-4)


@each_shape
def test_the_unit_of_the_values_does_not_matter(name: str, shape: tuple[int, ...]) -> None:
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    factor = {"a.u.": 8, "a.u.²": 64}.get(registry.metrics.get(name).UNIT, 1)
    plain = measure(name)(image, reference)
    range_ = {"data_range": RANGE * 8} if takes(name, "data_range") else {}
    scaled = getattr(registry.metrics.get(name), name)(image * 8, reference * 8, **range_)
    assert torch.allclose(plain * factor, scaled, rtol=1e-4)


@each_shape
def test_the_images_are_left_alone(name: str, shape: tuple[int, ...]) -> None:
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    before = image.clone(), reference.clone()
    measure(name)(image, reference)
    assert torch.equal(image, before[0])
    assert torch.equal(reference, before[1])


@each_shape
def test_equal_constant_images_are_the_best_or_not_measurable(
    name: str, shape: tuple[int, ...]
) -> None:
    module, image = registry.metrics.get(name), torch.full(shape, 0.3 * RANGE)
    best = getattr(module, "IDENTICAL", module.RANGE[1 if module.BETTER == "higher" else 0])
    value = measure(name)(image, image)
    if bool(value.isnan().any()):
        assert "NaN" in (inspect.getdoc(getattr(module, name)) or ""), "say when it is NaN"
    elif best is not None:
        assert torch.allclose(value, torch.full((shape[0],), best), atol=1e-6)


@each_shape
def test_gradients_are_finite_and_lead_to_better_images(name: str, shape: tuple[int, ...]) -> None:
    module = registry.metrics.get(name)
    if not module.DIFFERENTIABLE:
        pytest.skip(f"{name} has no gradient")
    reference = smooth(shape).double()
    reference[:, :, :6] = 0
    image = noisy(reference, 5).requires_grad_()
    value = measure(name)(image, reference)
    (slope,) = torch.autograd.grad(value.sum(), image)
    assert bool(slope.isfinite().all())
    assert bool((slope.flatten(1).norm(dim=1) > 0).all())
    step = 1e-3 * slope / slope.abs().amax()
    better = measure(name)(image.detach() + sign(module) * step, reference)
    assert bool((sign(module) * (better - value) > 0).all())


@each_shape
def test_gradients_are_finite_at_flat_and_equal_places(name: str, shape: tuple[int, ...]) -> None:
    module = registry.metrics.get(name)
    if not module.DIFFERENTIABLE:
        pytest.skip(f"{name} has no gradient")
    reference = smooth(shape).double()
    reference[:, :, : shape[2] // 2] = 0
    image = reference.clone()
    image[:, :, -9:] += 3
    image.requires_grad_()
    (slope,) = torch.autograd.grad(measure(name)(image, reference).sum(), image)
    assert bool(slope.isfinite().all())


def refuses_masks(name: str, shape: tuple[int, ...]) -> bool:
    """A metric without a place for a mask has to say so and not to forget it."""
    try:
        measure(name)(smooth(shape), smooth(shape), mask=torch.ones(shape[2:], dtype=torch.bool))
    except UsageError as error:
        return "mask" in str(error)
    return False


@masked
def test_only_what_the_mask_holds_counts(name: str, shape: tuple[int, ...]) -> None:
    if refuses_masks(name, shape):
        return
    if not getattr(registry.metrics.get(name), "LOCAL", True):
        pytest.skip(f"every value of {name} comes from the whole image")
    reference = smooth(shape)
    mask = torch.zeros(shape[2:], dtype=torch.bool)
    mask[:2] = True
    spoiled = reference.clone()
    spoiled[:, :, -1] = 0
    spoiled[:, :, :1] += 3
    elsewhere = spoiled.clone()
    elsewhere[:, :, -1] = RANGE
    results = [measure(name)(image, reference, mask=mask) for image in (spoiled, elsewhere)]
    assert torch.allclose(*results)
    assert not torch.allclose(results[0], measure(name)(spoiled, reference))


@masked
def test_a_mask_of_everything_changes_little(name: str, shape: tuple[int, ...]) -> None:
    if refuses_masks(name, shape):
        return
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    everywhere = measure(name)(image, reference, mask=torch.ones(shape[2:], dtype=torch.bool))
    assert torch.allclose(everywhere, measure(name)(image, reference), rtol=0.15)


@full_reference
@pytest.mark.parametrize("range_", [0.0, -1.0, float("nan")])
def test_a_range_that_is_none_is_refused(name: str, range_: float) -> None:
    if not takes(name, "data_range"):
        pytest.skip(f"{name} takes no range")
    image = smooth(shapes(name)[0])
    with pytest.raises(UsageError, match="data_range"):
        measure(name)(image, image, data_range=range_)


@full_reference
def test_images_of_other_shapes_are_refused(name: str) -> None:
    shape = shapes(name)[0]
    with pytest.raises(UsageError, match="shape"):
        measure(name)(smooth(shape), smooth((*shape[:-1], shape[-1] + 1)))


@full_reference
def test_small_images_are_refused(name: str) -> None:
    module = registry.metrics.get(name)
    if module.MINIMUM_SIDE == 1:
        pytest.skip(f"{name} takes a single pixel")
    shape = (1, 1, *[module.MINIMUM_SIDE - 1] * min(module.SPATIAL))
    with pytest.raises(UsageError, match=f"{module.MINIMUM_SIDE} pixels"):
        measure(name)(smooth(shape), smooth(shape))


@full_reference
def test_volumes_are_refused_where_there_is_no_formula_for_them(name: str) -> None:
    module = registry.metrics.get(name)
    if 3 in module.SPATIAL:
        pytest.skip(f"{name} takes volumes")
    shape = (1, 1, 8, 8, 8)
    with pytest.raises(UsageError, match=r"axes|2-D"):
        measure(name)(smooth(shape), smooth(shape))


# Without a reference there is no identity, and how an image must be damaged for a worse value
# depends on what the metric was fitted to: that is tested on real slices.


@each_shape_alone
def test_alone_the_value_lies_in_its_range(name: str, shape: tuple[int, ...]) -> None:
    low, high = registry.metrics.get(name).RANGE
    value = measure(name)(noisy(smooth(shape), 30))
    assert bool(((low <= value) & (value <= high)).all()), value


@each_shape_alone
def test_alone_a_batch_is_its_images_one_by_one(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(smooth(shape), 5)
    batch = measure(name)(image)
    single = torch.cat([measure(name)(image[i : i + 1]) for i in range(shape[0])])
    assert batch.shape == (shape[0],)
    assert batch.dtype == image.dtype
    assert torch.allclose(batch, single, rtol=1e-5)
    assert not torch.equal(batch[:1], batch[1:]), "two images, one value"


@each_shape_alone
def test_alone_single_precision_is_enough(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(smooth(shape).double(), 5)
    double = measure(name)(image)
    assert double.dtype == torch.float64
    assert torch.allclose(measure(name)(image.float()).double(), double, rtol=ROUNDING)


@each_shape_alone
def test_alone_the_unit_of_the_values_does_not_matter(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(smooth(shape), 5)
    scaled = measure(name)(image * 3, data_range=RANGE * 3)
    assert torch.allclose(measure(name)(image), scaled, rtol=ROUNDING)


@each_shape_alone
def test_alone_the_image_is_left_as_it_is(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(smooth(shape), 5).double()
    before = image.clone()
    measure(name)(image)
    assert torch.equal(image, before)


@each_shape_alone
def test_alone_a_constant_image_is_not_measurable(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(smooth(shape), 5)
    image[0] = 0.3 * RANGE
    value = measure(name)(image)
    assert value.isnan().tolist() == [True, False]
    assert "NaN" in (inspect.getdoc(getattr(registry.metrics.get(name), name)) or "")


@each_shape_alone
def test_alone_a_mask_crops_to_its_box(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 4:
        pytest.skip("planes alone have a box here")
    image = noisy(smooth((*shape[:2], shape[2] + 9, shape[3] + 9)), 5)
    mask = torch.zeros(image.shape, dtype=torch.bool)
    mask[0, :, 4, 3 : 3 + shape[3]] = True
    mask[0, :, 4 : 4 + shape[2], 5] = True
    cropped = image[:1, :, 4 : 4 + shape[2], 3 : 3 + shape[3]]
    value = measure(name)(image, mask=mask)
    assert torch.allclose(value[:1], measure(name)(cropped))
    assert bool(value[1].isnan()), "nothing of the second image counts"


@each_shape_alone
def test_alone_a_mask_of_everything_changes_nothing(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(smooth(shape), 5)
    everywhere = torch.ones(shape[2:], dtype=torch.bool)
    assert torch.allclose(measure(name)(image, mask=everywhere), measure(name)(image), rtol=1e-5)


@no_reference
def test_alone_no_images_have_no_values(name: str) -> None:
    assert measure(name)(torch.zeros(0, *shapes(name)[0][1:])).shape == (0,)


@no_reference
@pytest.mark.parametrize("range_", [0.0, -1.0, float("nan")])
def test_alone_a_range_that_is_none_is_refused(name: str, range_: float) -> None:
    with pytest.raises(UsageError, match="data_range"):
        measure(name)(smooth(shapes(name)[0]), data_range=range_)


@no_reference
def test_alone_what_it_cannot_judge_is_refused(name: str) -> None:
    module = registry.metrics.get(name)
    side = module.MINIMUM_SIDE
    with pytest.raises(UsageError, match=f"{side} pixels"):
        measure(name)(smooth((1, 1, side - 1, side - 1)))
    with pytest.raises(UsageError, match="channel"):
        measure(name)(smooth((1, 3, side, side)))
    with pytest.raises(UsageError, match="axes"):
        measure(name)(smooth((1, 1, side, side, side)))


@pytest.mark.gpu
@no_reference
def test_alone_cuda_gives_the_numbers_of_the_cpu(name: str) -> None:
    image = noisy(smooth(shapes(name)[-1]), 5)
    assert torch.allclose(measure(name)(image), measure(name)(image.cuda()).cpu(), rtol=1e-4)


@pytest.mark.gpu
@full_reference
def test_cuda_gives_the_numbers_of_the_cpu(name: str) -> None:
    shape = shapes(name)[-1]
    image, reference = noisy(smooth(shape), 5), smooth(shape)
    here = measure(name)(image, reference)
    there = measure(name)(image.cuda(), reference.cuda())
    assert torch.allclose(here, there.cpu(), rtol=1e-4)
