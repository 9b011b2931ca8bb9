"""Metrics on sliding windows against scikit-image, MONAI, torchmetrics, piq and sewar."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.metrics import uqi as uqi_module
from isocenter.metrics.gmsd import gmsd
from isocenter.metrics.iw_psnr import iw_psnr
from isocenter.metrics.iw_ssim import iw_ssim
from isocenter.metrics.ms_gmsd import ms_gmsd
from isocenter.metrics.ms_ssim import ms_ssim
from isocenter.metrics.mse import mse
from isocenter.metrics.nmse import nmse
from isocenter.metrics.psnr import psnr
from isocenter.metrics.ssim import ssim
from isocenter.metrics.vifp import vifp
from isocenter.ops.windows import gaussian, slide

RANGE = 200.0
HALVING = (176, 192)
"""Sides that stay even over four scales, so that nobody has to invent a border."""
ODD = (163, 178)
PLANES = [HALVING, ODD]
SOLIDS = [(24, 20, 22), (17, 19, 23)]


def pair(shape: tuple[int, ...], n_channels: int = 1) -> tuple[Tensor, Tensor]:
    """A soft pattern with a fine texture and its noisy copy, from 0 to ``RANGE``."""
    rng = generator(sum(shape))
    clean = torch.rand(2, n_channels, *shape, generator=rng, dtype=torch.float64)
    clean = 0.7 * slide(clean, gaussian(9, 2.0), edges="mirror") + 0.3 * clean
    noise = torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    return RANGE * (clean + 0.04 * noise).clamp(0, 1), RANGE * clean


def close(ours: Tensor, theirs: Tensor, limit: float) -> bool:
    return bool(((ours - theirs).abs() <= limit * theirs.abs()).all())


def each(function: Callable[..., float], image: Tensor, clean: Tensor, **options: object) -> Tensor:
    """A function of two arrays, reference first, for every image of a batch."""
    values = [
        function(b[0].numpy(), a[0].numpy(), **options) for a, b in zip(image, clean, strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(scope="module")
def skimage() -> ModuleType:
    return import_module("skimage.metrics")


@pytest.fixture(scope="module")
def monai() -> ModuleType:
    return import_module("monai.metrics.regression")


@pytest.fixture(scope="module")
def torchmetrics() -> ModuleType:
    return import_module("torchmetrics.functional.image")


@pytest.fixture(scope="module")
def sewar() -> ModuleType:
    return import_module("sewar")


@pytest.mark.parametrize("shape", [(64, 71), *SOLIDS])
def test_ssim_is_that_of_scikit_image(skimage: ModuleType, shape: tuple[int, ...]) -> None:
    image, clean = pair(shape)
    theirs = each(
        skimage.structural_similarity,
        image,
        clean,
        data_range=RANGE,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert close(ssim(image, clean, data_range=RANGE), theirs, 1e-10)
    single = ssim(image.float(), clean.float(), data_range=RANGE)
    assert close(single.double(), theirs, 1e-5)


@pytest.mark.parametrize("shape", [(64, 71), *SOLIDS])
def test_ssim_is_that_of_monai(monai: ModuleType, shape: tuple[int, ...]) -> None:
    image, clean = pair(shape)
    theirs = monai.SSIMMetric(len(shape), data_range=RANGE)._compute_metric(image, clean)
    assert close(ssim(image, clean, data_range=RANGE), theirs.flatten(), 1e-5)


@pytest.mark.parametrize("shape", [(64, 71), *SOLIDS])
def test_ssim_and_psnr_are_those_of_torchmetrics(
    torchmetrics: ModuleType, shape: tuple[int, ...]
) -> None:
    """There the reflected borders count, as they do here under a mask of everything."""
    image, clean = pair(shape)
    options = {"data_range": RANGE, "reduction": "none"}
    similar = torchmetrics.structural_similarity_index_measure(image, clean, **options)
    axes = tuple(range(1, image.ndim))
    decibels = torchmetrics.peak_signal_noise_ratio(image, clean, dim=axes, **options)
    everywhere = torch.ones(shape, dtype=torch.bool)
    assert close(ssim(image, clean, data_range=RANGE, mask=everywhere), similar, 1e-8)
    assert close(psnr(image, clean, data_range=RANGE), decibels, 1e-6)


@pytest.mark.parametrize("shape", [(64, 71), *SOLIDS])
def test_psnr_mse_and_nmse_are_those_of_scikit_image(
    skimage: ModuleType, shape: tuple[int, ...]
) -> None:
    image, clean = pair(shape)
    ratio = each(skimage.peak_signal_noise_ratio, image, clean, data_range=RANGE)
    relative = each(skimage.normalized_root_mse, image, clean, normalization="euclidean")
    assert close(psnr(image, clean, data_range=RANGE), ratio, 1e-10)
    assert close(mse(image, clean), each(skimage.mean_squared_error, image, clean), 1e-10)
    assert close(nmse(image, clean), relative**2, 1e-10)


def test_ms_ssim_is_that_of_piq(piq: ModuleType) -> None:
    image, clean = pair(HALVING)
    theirs = piq.multi_scale_ssim(image, clean, data_range=RANGE, reduction="none")
    assert close(ms_ssim(image, clean, data_range=RANGE), theirs, 1e-10)


def test_ms_ssim_of_odd_sides_is_near_that_of_piq(piq: ModuleType) -> None:
    """There an odd side ends half in the dark."""
    image, clean = pair(ODD)
    theirs = piq.multi_scale_ssim(image, clean, data_range=RANGE, reduction="none")
    assert close(ms_ssim(image, clean, data_range=RANGE), theirs, 2e-3)


@pytest.mark.parametrize(("shape", "n_scales"), [((176, 192), 5), ((52, 48, 56), 2)])
def test_ms_ssim_is_that_of_monai(monai: ModuleType, shape: tuple[int, ...], n_scales: int) -> None:
    # It works in single precision, which needs a coarsest scale of many voxels.
    image, clean = pair(shape)
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)[:n_scales]
    theirs = monai.compute_ms_ssim(image, clean, len(shape), data_range=RANGE, weights=weights)
    ours = ms_ssim(image, clean, data_range=RANGE, weights=weights)
    assert close(ours, theirs.flatten(), 5e-5)


def test_ms_ssim_is_near_that_of_torchmetrics(torchmetrics: ModuleType) -> None:
    """There the borders are reflected and count."""
    image, clean = pair(HALVING)
    theirs = torchmetrics.multiscale_structural_similarity_index_measure(
        image, clean, data_range=RANGE, reduction="none"
    )
    assert close(ms_ssim(image, clean, data_range=RANGE), theirs, 1e-3)


def test_iw_ssim_is_that_of_piq(piq: ModuleType) -> None:
    image, clean = pair(HALVING)
    theirs = piq.information_weighted_ssim(image, clean, data_range=RANGE, reduction="none")
    assert close(iw_ssim(image, clean, data_range=RANGE), theirs, 1e-8)


def test_iw_psnr_is_squared_errors_under_the_weights_of_piq(
    piq: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def squared_errors(x: Tensor, y: Tensor, **_: object) -> tuple[Tensor, Tensor]:
        error = (x - y)[..., 5:-5, 5:-5] ** 2
        return error, error

    monkeypatch.setattr("piq.iw_ssim._ssim_per_channel", squared_errors)
    image, clean = pair(HALVING)
    power = piq.information_weighted_ssim(image, clean, data_range=RANGE, reduction="none")
    theirs = 10 * torch.log10(255**2 / power)
    assert close(iw_psnr(image, clean, data_range=RANGE), theirs, 1e-8)


def test_iw_ssim_of_odd_sides_is_near_that_of_piq(piq: ModuleType) -> None:
    """There the pyramid mirrors an odd side one pixel further out."""
    image, clean = pair(ODD)
    theirs = piq.information_weighted_ssim(image, clean, data_range=RANGE, reduction="none")
    assert close(iw_ssim(image, clean, data_range=RANGE), theirs, 1e-5)


@pytest.mark.parametrize("shape", [*PLANES, (64, 45)])
def test_gmsd_is_that_of_piq(piq: ModuleType, shape: tuple[int, ...]) -> None:
    image, clean = pair(shape)
    theirs = piq.gmsd(image, clean, data_range=RANGE, reduction="none")
    assert close(gmsd(image, clean, data_range=RANGE), theirs, 1e-10)
    single = gmsd(image.float(), clean.float(), data_range=RANGE)
    assert close(single.double(), theirs, 1e-5)


@pytest.mark.parametrize("shape", [*PLANES, (64, 45)])
def test_ms_gmsd_is_that_of_piq(piq: ModuleType, shape: tuple[int, ...]) -> None:
    image, clean = pair(shape)
    theirs = piq.multi_scale_gmsd(image, clean, data_range=RANGE, reduction="none")
    assert close(ms_gmsd(image, clean, data_range=RANGE), theirs, 1e-10)


@pytest.mark.parametrize("shape", [*PLANES, (64, 45)])
def test_vifp_is_that_of_piq(piq: ModuleType, shape: tuple[int, ...]) -> None:
    image, clean = pair(shape)
    theirs = piq.vif_p(image, clean, data_range=RANGE, reduction="none")
    assert close(vifp(image, clean, data_range=RANGE), theirs, 1e-8)


@pytest.mark.parametrize("shape", [*PLANES, (64, 45)])
def test_vifp_is_that_of_sewar_and_torchmetrics(
    sewar: ModuleType, torchmetrics: ModuleType, shape: tuple[int, ...]
) -> None:
    image, clean = pair(shape)
    ours = vifp(image, clean, data_range=255)
    assert close(ours, each(sewar.vifp, image, clean), 1e-8)
    theirs = torchmetrics.visual_information_fidelity(image, clean, reduction="none")
    assert close(ours, theirs, 1e-8)


def test_the_formula_of_uqi_is_that_of_torchmetrics(torchmetrics: ModuleType) -> None:
    """There the window is a Gaussian of 11 pixels; sewar's takes means for sums."""
    image, clean = pair((64, 71))
    ours = uqi_module._agreement(image, clean, gaussian(11, 1.5)).flatten(1).mean(1)
    theirs = torchmetrics.universal_image_quality_index(image, clean, reduction="none")
    assert close(ours, theirs.flatten(1).mean(1), 1e-10)
