"""LPIPS and DISTS with random weights: the file, the way in, and a second form."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.metrics.dists import dists
from isocenter.metrics.lpips import lpips
from isocenter.nets.perceptual import CHANNELS, Config, build
from tests.tool_modules import tool_module

ALEXNET = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
"""Place of every convolution in torchvision's AlexNet: outputs, inputs, side."""
MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)[:, None, None]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tool_module("convert_perceptual")


def alexnet() -> dict[str, Tensor]:
    """Random weights under torchvision's names, and a layer of the classifier."""
    rng = generator(1)
    weights = {"classifier.1.weight": torch.zeros(4, 4)}
    for place, (n_outputs, n_inputs, side) in ALEXNET.items():
        spread = (2 / (n_inputs * side**2)) ** 0.5
        shape = (n_outputs, n_inputs, side, side)
        weights[f"features.{place}.weight"] = spread * torch.randn(shape, generator=rng)
        weights[f"features.{place}.bias"] = 0.1 * torch.randn(n_outputs, generator=rng)
    return weights


def head() -> dict[str, Tensor]:
    rng = generator(2)
    return {
        f"lin{stage}.model.1.weight": torch.rand(1, n, 1, 1, generator=rng)
        for stage, n in enumerate(CHANNELS["alexnet"])
    }


@pytest.fixture(scope="module")
def weights(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = Config("lpips", "alexnet")
    path = tmp_path_factory.mktemp("weights") / "lpips.safetensors"
    written: Path = tool.save(config, tool.convert(config, alexnet(), head()), path, {})
    return written


def pair(side: int = 67) -> tuple[Tensor, Tensor]:
    rng = generator(side)
    clean = torch.rand(2, 1, side, side + 3, generator=rng, dtype=torch.float64)
    return clean + 0.1 * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


def slow_features(image: Tensor) -> list[Tensor]:
    given, convolve = alexnet(), torch.nn.functional.conv2d
    values, found = ((image - MEAN) / DEVIATION)[None], []
    for place in range(12):
        if place in ALEXNET:
            weight = given[f"features.{place}.weight"].double()
            bias = given[f"features.{place}.bias"].double()
            stride, padding = (4, 2) if place == 0 else (1, weight.shape[-1] // 2)
            values = convolve(values, weight, bias, stride=stride, padding=padding)
        elif place in (2, 5):
            values = torch.nn.functional.max_pool2d(values, kernel_size=3, stride=2)
        else:
            values = values.clamp_min(0)
            found.append(values[0])
    return found


def slow_lpips(image: Tensor, clean: Tensor) -> float:
    total = 0.0
    both = (slow_features(each.expand(3, -1, -1)) for each in (image, clean))
    for (own, true), weight in zip(zip(*both, strict=True), head().values(), strict=True):
        for row in range(own.shape[1]):
            for column in range(own.shape[2]):
                a, b = own[:, row, column], true[:, row, column]
                apart = a / (a.norm() + 1e-10) - b / (b.norm() + 1e-10)
                share = float((weight.flatten() * apart**2).sum())
                total += share / (own.shape[1] * own.shape[2])
    return total


def test_lpips_on_alexnet_equals_the_slow_form(weights: Path) -> None:
    image, clean = pair()
    found = lpips(200 * image, 200 * clean, data_range=200.0, weights=weights)
    for n in range(2):
        assert float(found[n]) == pytest.approx(slow_lpips(image[n], clean[n]), rel=1e-9)


def test_lpips_keeps_the_laws_of_a_distance(weights: Path) -> None:
    image, clean = pair()
    assert lpips(clean, clean, data_range=1.0, weights=weights).tolist() == [0.0, 0.0]
    forth = lpips(image, clean, data_range=1.0, weights=weights)
    back = lpips(clean, image, data_range=1.0, weights=str(weights))
    assert torch.allclose(forth, back)
    values = [
        lpips(clean + share * (image - clean), clean, data_range=1.0, weights=weights)
        for share in (0.2, 0.6, 2.0)
    ]
    assert bool((torch.stack(values).diff(dim=0) > 0).all())
    single = lpips(image.float(), clean.float(), data_range=1.0, weights=weights)
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), forth, rtol=1e-4)


def test_lpips_has_a_gradient_in_the_air_too(weights: Path) -> None:
    image, clean = pair()
    clean[..., :30] = 0
    image = torch.where(clean == 0, 0, image).requires_grad_()
    value = lpips(image, clean, data_range=1.0, weights=weights)
    (slope,) = torch.autograd.grad(value.sum(), image)
    assert bool(slope.isfinite().all())
    assert float(slope.abs().sum()) > 0


@pytest.mark.parametrize("metric", [lpips, dists])
def test_without_weights_the_cure_is_told(metric: object) -> None:
    image, clean = pair()
    assert callable(metric)
    with pytest.raises(BadCheckpoint, match="convert_perceptual"):
        metric(image, clean, data_range=1.0)


def test_other_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    image, clean = pair()
    with pytest.raises(BadCheckpoint, match="'lpips'"):
        dists(image, clean, data_range=1.0, weights=weights)
    with pytest.raises(BadCheckpoint, match="no weights"):
        lpips(image, clean, data_range=1.0, weights=tmp_path / "none.safetensors")
    other = Checkpoint("hsfnet", {}, {}, {}, {}, {}, {"a": torch.ones(1)})
    with pytest.raises(BadCheckpoint, match="'hsfnet'"):
        lpips(image, clean, data_range=1.0, weights=other.save(tmp_path / "other.safetensors"))


def test_a_changed_file_is_read_again(weights: Path, tool: ModuleType, tmp_path: Path) -> None:
    image, clean = pair()
    path, config = tmp_path / "lpips.safetensors", Config("lpips", "alexnet")
    doubled = {name: 2 * value for name, value in head().items()}
    values = []
    for given in (head(), doubled):
        tool.save(config, tool.convert(config, alexnet(), given), path, {})
        values.append(lpips(image, clean, data_range=1.0, weights=path))
    assert torch.allclose(2 * values[0], values[1])


def test_small_coloured_and_masked_images_are_refused(weights: Path) -> None:
    image, clean = pair()
    with pytest.raises(UsageError, match="32 pixels"):
        lpips(image[..., :31], clean[..., :31], data_range=1.0, weights=weights)
    coloured = clean.expand(-1, 3, -1, -1)
    with pytest.raises(UsageError, match="grey"):
        lpips(coloured, coloured, data_range=1.0, weights=weights)
    with pytest.raises(UsageError, match="mask"):
        lpips(image, clean, data_range=1.0, weights=weights, mask=torch.ones(67, 70))


def test_the_smallest_image_has_a_place_in_every_stage(weights: Path) -> None:
    image, clean = pair(32)
    assert bool((lpips(image, clean, data_range=1.0, weights=weights) > 0).all())


def test_files_that_do_not_fit_are_refused(tool: ModuleType) -> None:
    with pytest.raises(BadCheckpoint, match="shape"):
        tool.convert(Config("lpips", "vgg16"), alexnet(), head())
    with pytest.raises(BadCheckpoint, match="nothing"):
        tool.convert(Config("lpips", "alexnet"), alexnet(), {})
    with pytest.raises(UsageError, match="vgg16"):
        build(Config("dists", "alexnet"))


@pytest.mark.parametrize(("trunk", "expected"), [("alexnet", 2_469_696), ("vgg16", 14_714_688)])
def test_published_parameter_counts(trunk: str, expected: int) -> None:
    net = build(Config("lpips", trunk))
    assert sum(p.numel() for p in net.trunk.parameters()) == expected
