"""The brain of a head: an analytic one, a stripped one, and scans that have none."""

import pytest
import torch

from isocenter.data.phantom import head_phantom
from isocenter.errors import BadVolume
from isocenter.ops.brain import brain_mask, why_implausible

SIDE, SIZE = 64, 3.0
SPACING = (SIZE, SIZE, SIZE)


def ellipsoid(half_axes: tuple[float, float, float]) -> torch.Tensor:
    place = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y, z = (place / half for half in half_axes)
    return x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < 1


FLUID, GREY = ellipsoid((0.62, 0.78, 0.74)), ellipsoid((0.57, 0.73, 0.69))


def head(noise: float = 0.0, shading: float = 0.0) -> torch.Tensor:
    image = head_phantom((SIDE,) * 3, SIZE).data
    place = torch.linspace(-1, 1, SIDE)
    image = image * (1 + shading * (place[:, None, None] + place) / 2)
    rng = torch.Generator().manual_seed(3)
    return torch.hypot(image + noise * torch.randn(image.shape, generator=rng), torch.tensor(noise))


def dice(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize(("noise", "shading"), [(0.0, 0.0), (40.0, 0.0), (20.0, 0.3)])
def test_the_brain_of_a_head_is_found_and_its_scalp_is_not(noise: float, shading: float) -> None:
    mask = brain_mask(head(noise, shading), spacing=SPACING, contrast="T1w")
    assert dice(mask, GREY) > 0.93
    assert float((mask & ~FLUID).sum() / mask.sum()) < 0.02


def test_a_stripped_scan_gives_its_support_filled() -> None:
    image = head() * GREY + 1.0 * GREY
    image[SIDE // 2, SIDE // 2, SIDE // 2] = 0.0
    assert torch.equal(brain_mask(image, spacing=SPACING, contrast="T1w"), GREY)


def test_a_head_in_zeroed_air_is_still_stripped() -> None:
    image = torch.where(ellipsoid((0.75, 0.91, 0.87)), head(noise=10.0), 0.0)
    assert dice(brain_mask(image, spacing=SPACING, contrast="T1w"), GREY) > 0.93


def test_the_unit_does_not_matter() -> None:
    masks = [brain_mask(head(10.0) * unit, spacing=SPACING, contrast="T1w") for unit in (1, 1e-3)]
    assert dice(*masks) > 0.999


def test_a_defaced_and_padded_head_is_no_trouble() -> None:
    image = head(noise=10.0)
    image[:, SIDE * 4 // 5 :, : SIDE // 3] = 0.0
    image = torch.nn.functional.pad(image, (9, 0, 4, 12, 20, 3))
    mask = brain_mask(image, spacing=SPACING, contrast="T1w")
    inner = mask[20:-3, 4:-12, 9:]
    assert dice(inner, GREY) > 0.9
    assert inner.sum() == mask.sum()


@pytest.mark.parametrize("shape", [(1, 40, 40), (40, 40, 1), (5, 6, 7), (33, 21, 4)])
@pytest.mark.parametrize("contrast", ["T1w", "T2w", "FLAIR", None])
def test_any_shape_gets_a_mask_of_its_shape(shape: tuple[int, int, int], contrast: str) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 0.1
    assert brain_mask(image, spacing=(1.0, 1.0, 4.0), contrast=contrast).shape == shape


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_constant_image_is_refused(value: float) -> None:
    with pytest.raises(BadVolume, match="constant"):
        brain_mask(torch.full((20, 20, 20), value), spacing=SPACING, contrast="T1w")


def test_a_volume_no_brain_has_is_named() -> None:
    litre = torch.nn.functional.pad(torch.ones(100, 100, 100), (1, 0)).bool()
    assert why_implausible(litre, (1.0, 1.0, 1.0)) is None
    assert "125 ml" in str(why_implausible(litre, (0.5, 0.5, 0.5)))
    assert "8000 ml" in str(why_implausible(litre, (2.0, 2.0, 2.0)))


def test_a_mask_that_runs_out_of_the_image_below_is_named() -> None:
    mask = torch.ones(100, 100, 100, dtype=torch.bool)
    assert "below" in str(why_implausible(mask, (1.0, 1.0, 1.0)))
    mask[:70, :, 0] = mask[:, :70, 0] = False
    assert why_implausible(mask, (1.0, 1.0, 1.0)) is None


def test_a_skull_base_as_dark_as_air_does_not_cut_the_brain() -> None:
    place = torch.linspace(-1, 1, SIDE)
    away = place[:, None, None] ** 2 + place[:, None] ** 2 + (place + 0.6) ** 2
    image = head(noise=1.0) * (1 - 0.95 * torch.exp(-away / 0.6))
    assert dice(brain_mask(image, spacing=SPACING, contrast="T1w"), GREY) > 0.92
