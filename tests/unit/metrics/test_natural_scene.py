"""BRISQUE, NIQE and IL-NIQE: their formulas by plain loops, their models, real slices."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import torch
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import read
from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.metrics import il_niqe as il_niqe_module
from isocenter.metrics import niqe as niqe_module
from isocenter.metrics._natural_scene import Pristine, mean_and_covariance
from isocenter.metrics.brisque import brisque, scene_features
from isocenter.metrics.il_niqe import il_niqe
from isocenter.metrics.niqe import niqe
from isocenter.metrics.piqe import piqe
from isocenter.ops.bicubic import resize
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.windows import gaussian, slide

WEIGHTS = Path(niqe_module.__file__).parents[1] / "weights"
SHIPPED = ("brisque", "il_niqe", "niqe")


def texture(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.rand(1, 1, *shape, generator=generator(seed), dtype=torch.float64)
    soft = slide(drawn, gaussian(11, 2.0), edges="mirror")
    return 255 * (0.7 * (3 * (soft - 0.5) + 0.5) + 0.3 * drawn).clamp(0, 1)


# Slow forms.


def slow_asymmetric(values: np.ndarray) -> tuple[float, float, float, float]:
    """Shape, mean and both scale parameters, the shape by trying all."""
    left = math.sqrt(np.mean(values[values < 0] ** 2))
    right = math.sqrt(np.mean(values[values > 0] ** 2))
    skew = left / right
    ratio = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    tried = np.arange(0.2, 10.0005, 0.001)
    g = scipy.special.gamma
    shape = tried[np.argmin((g(2 / tried) ** 2 / (g(1 / tried) * g(3 / tried)) - ratio) ** 2)]
    scale = math.sqrt(g(1 / shape) / g(3 / shape))
    mean = (right - left) * scale * g(2 / shape) / g(1 / shape)
    return shape, mean, left * scale, right * scale


def slow_niqe_features(image: np.ndarray, patch: int) -> np.ndarray:
    at = np.arange(7) - 3
    window = np.exp(-(at[:, None] ** 2 + at**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    rows, columns = (side // patch for side in image.shape)
    image = image[: rows * patch, : columns * patch]
    features = []
    for side in (patch, patch // 2):
        mean = scipy.ndimage.correlate(image, window, mode="nearest")
        power = scipy.ndimage.correlate(image**2, window, mode="nearest")
        normal = (image - mean) / (np.sqrt(np.abs(power - mean**2)) + 1)
        found = []
        for row in range(rows):
            for column in range(columns):
                block = normal[row * side : (row + 1) * side, column * side : (column + 1) * side]
                shape, _, left, right = slow_asymmetric(block.ravel())
                numbers = [shape, (left + right) / 2]
                for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    product = block * np.roll(block, shift, (0, 1))
                    numbers += slow_asymmetric(product.ravel())
                found.append(numbers)
        features.append(found)
        image = resize(torch.from_numpy(image)[None, None], 0.5)[0, 0].numpy()
    return np.concatenate(features, axis=1)


def test_the_features_of_niqe_are_those_of_a_plain_loop() -> None:
    image = texture(70, 101)
    found, sharpness = niqe_module.patch_features(image, 32)
    expected = slow_niqe_features(image[0, 0].numpy(), 32)
    assert np.allclose(found[0], expected, rtol=2e-3, atol=1e-3)
    assert sharpness.shape == (1, 6)


def test_the_distance_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(5)
    learned, seen = rng.normal(size=(90, 7)), rng.normal(1, 2, size=(2, 12, 7))
    pristine = Pristine.of(torch.from_numpy(learned))
    mean, covariance = mean_and_covariance(torch.from_numpy(seen))
    found = pristine.distances(mean[:, None], covariance)[:, 0]
    for one, value in zip(seen, found, strict=True):
        apart = learned.mean(0) - one.mean(0)
        shared = (np.cov(learned.T) + np.cov(one.T)) / 2
        assert float(value) == pytest.approx(math.sqrt(apart @ np.linalg.pinv(shared) @ apart))


def test_patches_without_a_fit_are_left_out() -> None:
    features = torch.randn(1, 5, 3, generator=generator(1), dtype=torch.float64)
    spoiled = torch.cat([features, torch.full((1, 1, 3), torch.nan).double()], 1)
    for here, there in zip(
        mean_and_covariance(features), mean_and_covariance(spoiled), strict=True
    ):
        assert torch.allclose(here, there)


def test_the_features_of_brisque_are_36_in_the_order_of_the_authors() -> None:
    image = texture(48, 50)
    found = scene_features(image)
    assert found.shape == (1, 36)
    assert torch.allclose(found[:, 18:], scene_features(resize(image, 0.5))[:, :18])
    flipped = scene_features(image.flip(-1))[0, :18]
    # A mirror exchanges the diagonals and leaves the rest.
    order = [*range(10), *range(14, 18), *range(10, 14)]
    assert torch.allclose(found[0, order], flipped, rtol=0.02, atol=2e-3)


def test_brisque_is_its_regression(tmp_path: Path) -> None:
    rng = generator(7)
    parts = {
        "mean": torch.rand(36, generator=rng),
        "scale": 1 + torch.rand(36, generator=rng),
        "support": torch.randn(5, 36, generator=rng),
        "weight": torch.randn(5, generator=rng),
        "offset": torch.tensor(0.3),
        "gamma": torch.tensor(0.02),
    }
    tensors = {f"fitted.{name}": part for name, part in parts.items()}
    path = Checkpoint("brisque", {}, {}, {}, {}, {}, tensors).save(tmp_path / "own.safetensors")
    image = texture(40, 44)
    inputs = (scene_features(image)[0] - parts["mean"]) / parts["scale"]
    logit = 0.3 + sum(
        float(w) * math.exp(-0.02 * float((inputs - s).square().sum()))
        for w, s in zip(parts["weight"], parts["support"], strict=True)
    )
    expected = 100 / (1 + math.exp(-logit))
    assert float(brisque(image, data_range=255.0, model=path)) == pytest.approx(expected, rel=1e-6)


# IL-NIQE.


def test_slopes_of_waves_are_those_of_a_periodic_window() -> None:
    image = texture(32, 30)
    image = image - image.mean()
    smooth, slope = (taps.numpy() for taps in il_niqe_module._derivative(1))
    bank = il_niqe_module._bank(32, 30, 1, image.device)
    waves = torch.fft.ifft2(torch.fft.fft2(image)[0] * bank[6]).numpy()
    for index, taps in ((1, (slope, smooth)), (2, (smooth, slope))):
        for part in (np.real, np.imag):
            window = np.outer(*taps)
            expected = scipy.ndimage.convolve(part(waves[0]), window, mode="wrap")
            assert np.allclose(part(waves[index]), expected, atol=1e-3)


def test_the_features_of_il_niqe_are_216_at_two_scales() -> None:
    found, sharpness = il_niqe_module.patch_features(texture(70, 101), 32)
    assert found.shape == (1, 6, 432)
    assert sharpness.shape == (1, 6)
    assert bool(found.isfinite().all())


def test_gradients_of_a_ramp_are_known() -> None:
    down, across = il_niqe_module._slopes(
        3 * torch.arange(40).double().expand(1, 1, 40, 40), scale=1
    )
    smooth, slope = il_niqe_module._derivative(1)
    at = torch.arange(len(slope)).double() - len(slope) // 2
    middle = (0, 0, 20, 20)
    assert float(down[middle]) == pytest.approx(0, abs=1e-9)
    assert float(across[middle]) == pytest.approx(3 * float((at * slope).sum() * smooth.sum()))


# Models.


def test_a_model_of_ones_own_finds_its_own_images_best(tmp_path: Path) -> None:
    images = [texture(224, 224, seed=seed) for seed in range(14)]
    path = niqe_module.fit(images[:10], data_range=255.0, patch=32, card={"name": "texture"}).save(
        tmp_path / "own.safetensors"
    )
    assert Checkpoint.load(path).card["name"] == "texture"
    known = torch.cat(images[10:])
    noisy = (known + 25 * torch.randn(known.shape, generator=generator(1))).clamp(0, 255)
    soft = slide(known, gaussian(9, 1.2), edges="mirror")
    best, *others = (
        float(niqe(x, data_range=255.0, model=path).mean()) for x in (known, noisy, soft)
    )
    assert best < 0.7 * min(others)


def test_a_model_of_il_niqe_of_ones_own_finds_its_own_images_best(tmp_path: Path) -> None:
    images = [texture(224, 224, seed=seed) for seed in range(16)]
    model = il_niqe_module.fit(images[:14], data_range=255.0, patch=32, kept=0.3)
    path = model.save(tmp_path / "own.safetensors")
    known = torch.cat(images[14:])
    noisy = (known + 25 * torch.randn(known.shape, generator=generator(1))).clamp(0, 255)
    soft = slide(known, gaussian(9, 1.2), edges="mirror")
    best, *others = (
        float(il_niqe(x, data_range=255.0, model=path).mean()) for x in (known, noisy, soft)
    )
    assert best < 0.8 * min(others)


def test_too_few_patches_make_no_model() -> None:
    with pytest.raises(UsageError, match="give more images"):
        niqe_module.fit([texture(96, 96)], data_range=255.0)
    with pytest.raises(UsageError, match="give more images"):
        il_niqe_module.fit([texture(96, 96)], data_range=255.0)


@pytest.mark.parametrize("metric", [brisque, niqe, il_niqe], ids=lambda m: m.__name__)
def test_a_model_of_another_metric_is_refused(metric, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"hsfnet.*give a model"):
        metric(texture(64, 64), data_range=255.0, model=WEIGHTS / "hsfnet.safetensors")
    with pytest.raises(BadCheckpoint, match="no weights"):
        metric(texture(64, 64), data_range=255.0, model=tmp_path / "none.safetensors")


def test_a_model_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path, image = tmp_path / "own.safetensors", texture(96, 96, seed=99)
    model = Checkpoint.load(WEIGHTS / "niqe.safetensors")
    model.save(path)
    before = niqe(image, data_range=255.0, model=path)
    moved = {**model.tensors, "fitted.mean": model.tensors["fitted.mean"] + 1}
    path.unlink()
    replace(model, tensors=moved).save(path)
    assert not torch.equal(before, niqe(image, data_range=255.0, model=path))


def test_the_patch_of_the_model_decides_the_smallest_image(tmp_path: Path) -> None:
    images = [texture(224, 224, seed=seed) for seed in range(3)]
    path = niqe_module.fit(images, data_range=255.0, patch=32).save(tmp_path / "own.safetensors")
    assert bool(niqe(texture(32, 40), data_range=255.0, model=path).isfinite())
    with pytest.raises(UsageError, match="48 pixels"):
        niqe(texture(32, 40), data_range=255.0)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_says_what_it_was_made_from(name: str) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    model = Checkpoint.load(path)
    card = model.card
    assert path.stat().st_size < 1_200_000
    assert model.net == card["name"] == name
    assert card["licence"] == "Apache-2.0"
    assert all("CC" in origin or "Apache" in origin for origin in card["data"])
    sides = [set(people) for people in card["split"].values()]
    assert len(set.union(*sides)) == sum(map(len, sides))
    assert {"all", "noise", "blur"} <= set(card["scores"][name])


# Masks.


def test_a_box_that_is_too_small_has_no_value() -> None:
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 10:20, 10:90] = 1
    for metric in (brisque, niqe, il_niqe, piqe):
        assert bool(metric(texture(96, 96), data_range=255.0, mask=mask).isnan())


# Real slices.


@pytest.fixture(scope="module")
def slices(data_root: Path) -> Tensor:
    """Three planes through the brain of a person whom no model has seen, 1 at the 99th percentile,
    cut to a square inside the brain, so that noise and blur have the same ground everywhere."""
    scan = read(data_root / "brains" / "sub-67_T1w.nii.gz")
    mask = head_mask(scan.data)
    middle = [int(index) for index in mask.nonzero().float().mean(0)]
    planes = [scan.data.select(axis, middle[axis]) for axis in range(3)]
    kept = []
    for axis, plane in enumerate(planes):
        centre = [at for other, at in enumerate(middle) if other != axis]
        rows, columns = (slice(at - 48, at + 48) for at in centre)
        kept.append(plane[rows, columns])
    return torch.stack(kept)[:, None] / head_scale(scan.data, mask)


METRICS = {"brisque": brisque, "niqe": niqe, "il_niqe": il_niqe, "piqe": piqe}


@pytest.mark.data
@pytest.mark.parametrize("name", SHIPPED)
def test_noise_makes_real_slices_worse(slices: Tensor, name: str) -> None:
    noise = torch.randn(slices.shape, generator=generator(2))
    values = [
        float(METRICS[name]((slices + s * noise).clamp_min(0), data_range=1.0).mean())
        for s in (0.0, 0.05, 0.1, 0.2)
    ]
    assert values == sorted(values), values


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(METRICS))
def test_blur_makes_real_slices_worse(slices: Tensor, name: str) -> None:
    values = [float(METRICS[name](slices, data_range=1.0).mean())]
    for sigma in (0.8, 1.2, 2.0):
        soft = slide(slices, gaussian(2 * int(4 * sigma) + 1, sigma), edges="mirror")
        values.append(float(METRICS[name](soft, data_range=1.0).mean()))
    assert values == sorted(values), values
