"""PSNR, SSIM and NMSE of reconstructions, against scikit-image and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from isocenter.data.random import generator
from isocenter.restorers._fidelity import fidelity, uniform_ssim


def stacks() -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(4)
    truth = torch.rand((3, 40, 36), generator=rng).cumsum(1) / 20
    return truth + 0.05 * torch.rand((3, 40, 36), generator=rng), truth


def values() -> dict[str, float | None]:
    return {score.name: score.value for score in fidelity(*stacks())}


def test_fastmri_definitions_are_those_of_scikit_image() -> None:
    image, truth = (one.double().numpy() for one in stacks())
    found = values()
    peak = truth.max()
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=peak))
    by_slice = [
        structural_similarity(a, b, data_range=peak) for a, b in zip(truth, image, strict=True)
    ]
    assert found["ssim"] == pytest.approx(np.mean(by_slice), rel=1e-9)
    assert found["nmse"] == pytest.approx(np.sum((image - truth) ** 2) / np.sum(truth**2))


def test_published_definitions_are_those_of_torchmetrics_slice_by_slice() -> None:
    image, truth = (one.double() for one in stacks())
    found = values()
    psnr, ssim, nmse = [], [], []
    for a, b in zip(image, truth, strict=True):
        psnr.append(float(10 * torch.log10(b.max() ** 2 / (a - b).square().mean())))
        widest = float(max(a.max() - a.min(), b.max() - b.min()))
        ssim.append(
            float(
                structural_similarity_index_measure(a[None, None], b[None, None], data_range=widest)
            )
        )
        x, y = a / a.max(), b / b.max()
        nmse.append(float((x - y).square().sum() / y.square().sum()))
    assert found["psnr_published"] == pytest.approx(np.mean(psnr))
    assert found["ssim_published"] == pytest.approx(np.mean(ssim), rel=1e-6)
    assert found["nmse_published"] == pytest.approx(np.mean(nmse))


def test_equal_images_have_no_finite_psnr_and_say_so() -> None:
    _, truth = stacks()
    scores = {score.name: score for score in fidelity(truth, truth)}
    assert scores["psnr"].value is None
    assert scores["psnr"].why_missing == "equal to the reference"
    assert scores["ssim"].value == pytest.approx(1)
    assert scores["nmse"].value == 0


def test_scale_is_seen_by_one_definition_of_nmse_alone() -> None:
    _, truth = stacks()
    scores = {score.name: score.value for score in fidelity(2 * truth, truth)}
    assert scores["nmse"] == pytest.approx(1)
    assert scores["nmse_published"] == pytest.approx(0, abs=1e-12)


def test_the_uniform_window_needs_seven_pixels() -> None:
    image = torch.ones(1, 7, 7, dtype=torch.float64)
    assert float(uniform_ssim(image, image, data_range=1.0)) == pytest.approx(1)
