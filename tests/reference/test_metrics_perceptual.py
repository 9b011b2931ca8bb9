"""LPIPS and DISTS on VGG-16 against piq, both with the same random weights.

piq is not needed to use or test Isocenter; without it these tests are skipped.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isocenter.data.random import generator
from isocenter.metrics.dists import dists
from isocenter.metrics.lpips import lpips
from isocenter.nets.perceptual import CHANNELS, Config
from tests.tool_modules import tool_module

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Convolutions of VGG-16; 0 is a pooling."""


class Features(nn.Module):
    """torchvision's VGG-16 without its classifier."""

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_inputs = 3
        for width in WIDTHS:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(n_inputs, width, 3, padding=1), nn.ReLU()]
            nn.init.normal_(layers[-2].weight, 0, (2 / (9 * n_inputs)) ** 0.5, generator=rng)
            nn.init.normal_(layers[-2].bias, 0, 0.1, generator=rng)
            n_inputs = width
        self.features = nn.Sequential(*layers)


@pytest.fixture(scope="module")
def vgg() -> Features:
    return Features(generator(11))


@pytest.fixture(scope="module")
def piq(vgg: Features) -> Iterator[Any]:
    """piq, with a stand-in for torchvision that hands out ``vgg``."""
    if importlib.util.find_spec("piq") is None:
        pytest.skip("piq is not installed")
    models = types.ModuleType("torchvision.models")
    for name in ("vgg16", "vgg19", "VGG16_Weights", "VGG19_Weights", "inception_v3"):
        setattr(models, name, None)
    models.__dict__["Inception3"] = type("Inception3", (), {})
    models.__dict__["inception"] = types.SimpleNamespace(
        **{f"Inception{letter}": type(letter, (), {}) for letter in ("A", "B", "C", "D", "E")}
    )
    torchvision = types.ModuleType("torchvision")
    torchvision.__dict__["models"] = models
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("torchvision") is None:
            patch.setitem(sys.modules, "torchvision", torchvision)
            patch.setitem(sys.modules, "torchvision.models", models)
        package = importlib.import_module("piq")
        fresh = Features(generator(11))
        patch.setattr("piq.perceptual.vgg16", lambda **_: fresh)
        yield package


@pytest.fixture(scope="module")
def tool() -> Any:
    return tool_module("convert_perceptual")


def heads(distance: str) -> dict[str, Tensor]:
    """The learned weights under the authors' names; those of DISTS add up to 1."""
    rng = generator(12)
    if distance == "lpips":
        return {
            f"lin{stage}.model.1.weight": torch.rand(1, n, 1, 1, generator=rng)
            for stage, n in enumerate(CHANNELS["vgg16"])
        }
    both = torch.rand(2, 1, 3 + sum(CHANNELS["vgg16"]), 1, 1, generator=rng)
    alpha, beta = both / both.sum()
    return {"alpha": alpha, "beta": beta}


def pair() -> tuple[Tensor, Tensor]:
    rng = generator(13)
    coarse = torch.rand(2, 1, 12, 14, generator=rng)
    clean = torch.nn.functional.interpolate(coarse, (40, 53), mode="bicubic").clamp(0, 1)
    noise = torch.tensor([0.03, 0.1])[:, None, None, None]
    image = (clean + noise * torch.randn(clean.shape, generator=rng)).clamp(0, 1)
    return image, clean


@pytest.mark.parametrize(("metric", "name"), [(lpips, "LPIPS"), (dists, "DISTS")])
def test_they_are_those_of_piq(
    piq: Any,
    tool: Any,
    vgg: Features,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    metric: Callable[..., Tensor],
    name: str,
) -> None:
    given = heads(name.lower())
    handed = list(given.values()) if name == "LPIPS" else given
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: handed)
    image, clean = pair()
    theirs = getattr(piq, name)(reduction="none")(
        *(each.expand(-1, 3, -1, -1) for each in (image, clean))
    )
    config = Config(name.lower(), "vgg16")
    tensors = tool.convert(config, vgg.state_dict(), given)
    path = tool.save(config, tensors, tmp_path / "weights.safetensors", {})
    ours = metric(100 * image, 100 * clean, data_range=100.0, weights=path)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)
    assert float(ours.min()) > 1e-3


def test_dists_of_equal_images_is_nothing(tool: Any, vgg: Features, tmp_path: Path) -> None:
    config = Config("dists", "vgg16")
    tensors = tool.convert(config, vgg.state_dict(), heads("dists"))
    path = tool.save(config, tensors, tmp_path / "weights.safetensors", {})
    _, clean = pair()
    value = dists(clean.double(), clean.double(), data_range=1.0, weights=path)
    assert torch.allclose(value, torch.zeros(2, dtype=torch.float64), atol=1e-9)
