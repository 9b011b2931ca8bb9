"""Metrics of phase, saliency, gradients and wavelets against piq, run beside them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.metrics.dss import dss
from isocenter.metrics.fsim import fsim
from isocenter.metrics.haarpsi import CONSTANTS, haarpsi
from isocenter.metrics.mdsi import mdsi
from isocenter.metrics.sr_sim import sr_sim
from isocenter.metrics.vsi import vsi

SIDES = [(64, 64), (65, 90), (101, 78)]
every_size = pytest.mark.parametrize("sides", SIDES, ids=str)
NO_COLOUR = 1e12
"""For the constant of piq's colour similarity: makes that similarity 1."""


def pair(sides: tuple[int, int], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Soft patches with texture, and the same with noise; from 0 to 1."""
    rng = generator(sum(sides))
    coarse = torch.rand(3, 1, sides[0] // 8 + 2, sides[1] // 8 + 2, generator=rng)
    clean = torch.nn.functional.interpolate(coarse, sides, mode="bicubic", align_corners=False)
    clean = (clean + 0.15 * torch.rand(clean.shape, generator=rng)).clamp(0, 1)
    noise = torch.tensor([0.02, 0.06, 0.15])[:, None, None, None]
    image = (clean + noise * torch.randn(clean.shape, generator=rng)).clamp(0, 1)
    return image.to(dtype), clean.to(dtype)


def check(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], sides: tuple[int, int], limit: float
) -> None:
    for dtype, rounding in ((torch.float64, 0.0), (torch.float32, 2e-5)):
        image, clean = pair(sides, dtype)
        found, expected = ours(image, clean, data_range=1.0), theirs(image, clean)
        assert torch.allclose(found, expected.to(dtype), rtol=limit + rounding, atol=0)


LARGE = {
    fsim: lambda piq, x, y: piq.fsim(x, y, chromatic=False, reduction="none"),
    sr_sim: lambda piq, x, y: piq.srsim(x, y, reduction="none"),
    mdsi: lambda piq, x, y: piq.mdsi(x, y, reduction="none", c3=NO_COLOUR),
}


@pytest.mark.parametrize("ours", LARGE, ids=lambda metric: metric.__name__)
@pytest.mark.filterwarnings("ignore:The original MDSI")
def test_large_images_are_averaged_down_alike(piq: Any, ours: Callable[..., Tensor]) -> None:
    image, clean = (values[:1] for values in pair((386, 400)))
    expected = LARGE[ours](piq, image, clean)
    assert torch.allclose(ours(image, clean, data_range=1.0), expected, rtol=1e-5, atol=0)


@every_size
def test_fsim(piq: Any, sides: tuple[int, int]) -> None:
    def theirs(image: Tensor, clean: Tensor) -> Tensor:
        result: Tensor = piq.fsim(image, clean, chromatic=False, reduction="none")
        return result

    # On even sides piq turns its filters by a quarter, which the Nyquist frequency notices.
    odd = all(side % 2 for side in sides)
    check(fsim, theirs, sides, 1e-12 if odd else 2e-5)


@every_size
def test_sr_sim(piq: Any, sides: tuple[int, int]) -> None:
    def theirs(image: Tensor, clean: Tensor) -> Tensor:
        # piq scales the saliency maps of a batch to their common range.
        pairs = zip(image.split(1), clean.split(1), strict=True)
        return torch.cat([piq.srsim(x, y, reduction="none") for x, y in pairs])

    check(sr_sim, theirs, sides, 2e-6)


@every_size
@pytest.mark.parametrize("constants", CONSTANTS)
def test_haarpsi(piq: Any, sides: tuple[int, int], constants: str) -> None:
    c, alpha = CONSTANTS[constants]

    def ours(image: Tensor, clean: Tensor, data_range: float) -> Tensor:
        return haarpsi(image, clean, data_range=data_range, constants=constants)

    def theirs(image: Tensor, clean: Tensor) -> Tensor:
        result: Tensor = piq.haarpsi(image, clean, reduction="none", c=c, alpha=alpha)
        return result

    check(ours, theirs, sides, 1e-12)


@every_size
def test_dss(piq: Any, sides: tuple[int, int]) -> None:
    def theirs(image: Tensor, clean: Tensor) -> Tensor:
        result: Tensor = piq.dss(image, clean, reduction="none")
        return result

    check(dss, theirs, sides, 1e-6)


@every_size
@pytest.mark.filterwarnings("ignore:The original MDSI")
def test_mdsi(piq: Any, sides: tuple[int, int]) -> None:
    def theirs(image: Tensor, clean: Tensor, colour: float = NO_COLOUR) -> Tensor:
        result: Tensor = piq.mdsi(image, clean, reduction="none", c3=colour)
        return result

    check(mdsi, theirs, sides, 1e-10)
    image, clean = pair(sides)
    copied = theirs(image, clean, colour=550.0)
    assert torch.allclose(mdsi(image, clean, data_range=1.0), copied, rtol=5e-3)


@every_size
@pytest.mark.filterwarnings("ignore:The original VSI")
def test_vsi(piq: Any, sides: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image, clean = pair(sides)
    copied = piq.vsi(image, clean, reduction="none")
    assert torch.allclose(vsi(image, clean, data_range=1.0), copied, rtol=1e-2)

    module = importlib.import_module("piq.vsi")
    colours = importlib.import_module("piq.functional.colour_conversion")

    def lightness(values: Tensor, data_range: float) -> Tensor:
        """Lightness, and two colours of which one is always warm."""
        lab: Tensor = colours.rgb2lab(values, data_range)
        ramp = torch.linspace(0, 1e-6, lab[0, 0].numel(), dtype=lab.dtype).view_as(lab[0, 0])
        return torch.stack([lab[:, 0], ramp.expand_as(lab[:, 0]), (1e-6 - ramp) + 0 * lab[:, 0]], 1)

    def theirs(image: Tensor, clean: Tensor) -> Tensor:
        result: Tensor = piq.vsi(image, clean, reduction="none", c3=NO_COLOUR, sigma_c=1e-12)
        return result

    monkeypatch.setattr(module, "rgb2lab", lightness)
    check(vsi, theirs, sides, 1e-5)
