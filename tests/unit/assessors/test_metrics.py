"""Metrics of a scan: where they look, in which range, over which slices."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from isocenter.assessors import metrics, metrics_that_compare
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, NeedsReference, UsageError
from isocenter.metrics.haarpsi import haarpsi
from isocenter.metrics.psnr import psnr
from isocenter.metrics.vif import vif


def head(noise: float = 0.0, shape: tuple[int, int, int] = (72, 70, 68)) -> Volume:
    """A structured ellipsoid on black."""
    axes = [torch.linspace(-1, 1, side) if side > 1 else torch.zeros(1) for side in shape]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    inside = (x / 0.8) ** 2 + (y / 0.9) ** 2 + (z / 0.85) ** 2 < 1
    image = inside * (500 + 200 * torch.cos(9 * x) * torch.cos(7 * y) * torch.cos(8 * z))
    rng = torch.Generator().manual_seed(3)
    return Volume((image + noise * torch.randn(shape, generator=rng)).abs(), np.eye(4), "T1w")


CLEAN, NOISY = head(), head(20.0)


def value(name: str, **options: object) -> float | None:
    [found] = metrics(NOISY, [name], reference=CLEAN, **options).scores  # type: ignore[arg-type]
    return found.value


def test_a_volume_metric_sees_the_volume_inside_the_head() -> None:
    found = metrics(NOISY, ["psnr"], reference=CLEAN)
    mask = CLEAN.data > 0
    direct = psnr(
        NOISY.data[None, None], CLEAN.data[None, None], data_range=found.data_range, mask=mask
    )
    assert found.data_range == float(CLEAN.data.max())
    assert found.where == "inside the reference's head"
    assert found.found[0].how == "volume"
    assert found.scores[0].value == pytest.approx(float(direct), abs=0.1)
    assert found.scores[0].compared


def test_a_slice_metric_is_the_mean_of_its_slices() -> None:
    limit = float(CLEAN.data.max())
    for plane, axis in (("sagittal", 0), ("axial", 2)):
        slices = [
            float(haarpsi(a[None, None], b[None, None], data_range=limit))
            for a, b in zip(NOISY.data.unbind(axis), CLEAN.data.unbind(axis), strict=True)
            if float(b.max()) > float(b.min())
        ]
        found = metrics(NOISY, ["haarpsi"], reference=CLEAN, mask="everywhere", plane=plane)  # type: ignore[arg-type]
        assert found.scores[0].value == pytest.approx(np.mean(slices), abs=1e-5)
        assert found.found[0].how == f"mean of {len(slices)} {plane} slices"


def test_a_metric_that_takes_no_mask_sees_the_box_around_it() -> None:
    mask = torch.zeros(CLEAN.shape, dtype=torch.bool)
    mask[2:70, 1:69, 30:33] = True
    found = metrics(NOISY, ["vif"], reference=CLEAN, mask=mask)
    box = (slice(2, 70), slice(1, 69), slice(30, 33))
    pair = (volume.data[box].movedim(2, 0)[:, None] for volume in (NOISY, CLEAN))
    direct = vif(*pair, data_range=found.data_range)
    assert found.found[0].how == "mean of 3 axial slices, cropped"
    assert found.scores[0].value == pytest.approx(float(direct.mean()), abs=1e-5)
    assert found.n_voxels == int(mask.sum())


def test_slices_can_be_asked_of_volume_metrics() -> None:
    found = metrics(NOISY, ["gmsd"], reference=CLEAN, sliced=True)
    assert found.scores[0].value != value("gmsd")
    assert "axial slices" in found.found[0].how


def test_a_scan_of_one_slice_is_looked_at_along_its_axis() -> None:
    clean, noisy = (head(noise, (96, 1, 90)) for noise in (0.0, 20.0))
    found = metrics(noisy, ["ssim", "haarpsi", "psnr"], reference=clean, mask="everywhere")
    assert [one.how for one in found.found] == ["one slice"] * 3
    assert all(score.value is not None for score in found.scores)


def test_equal_scans_have_no_psnr_and_a_reason() -> None:
    found = metrics(CLEAN, ["psnr", "ssim", "mse"], reference=CLEAN)
    ratio, similarity, error = found.scores
    assert (ratio.value, ratio.why_missing) == (None, "identical to the reference")
    assert similarity.value == pytest.approx(1.0)
    assert error.value == 0


def test_what_is_too_small_has_a_reason() -> None:
    [score] = metrics(NOISY, ["ms_ssim"], reference=CLEAN).scores
    assert (score.value, score.why_missing) == (None, "fewer than 161 voxels along an axis")


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_what_needs_weights_has_a_reason(name: str) -> None:
    [score] = metrics(NOISY, [name], reference=CLEAN).scores
    assert score.value is None
    assert "weights" in (score.why_missing or "")


def test_every_metric_that_compares_gives_a_finite_value_or_a_reason() -> None:
    clean, noisy = (head(noise, (72, 70, 8)) for noise in (0.0, 20.0))
    found = metrics(noisy, metrics_that_compare(), reference=clean)
    for score in found.scores:
        assert (score.value is None) == bool(score.why_missing)
        assert score.value is None or math.isfinite(score.value)
    assert sum(score.value is not None for score in found.scores) >= 18


def test_a_metric_without_a_reference_skips_what_is_too_small() -> None:
    found = metrics(NOISY, ["piqe"])
    assert found.where == "inside the scan's head"
    assert found.scores[0].value is not None
    assert not found.scores[0].compared


def moved(volume: Volume) -> Volume:
    affine = volume.affine.copy()
    affine[0, 3] += 2
    return dataclasses.replace(volume, affine=affine)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"reference": head(0.0, (70, 70, 68))}, BadVolume, "resample it first"),
        ({"reference": moved(CLEAN)}, BadVolume, "differ by 2 mm"),
        ({"reference": CLEAN, "data_range": -1.0}, UsageError, "positive"),
        ({"reference": CLEAN, "data_range": math.nan}, UsageError, "positive"),
        ({"reference": CLEAN, "mask": dataclasses.replace(CLEAN, data=CLEAN.data * 0)}, BadVolume,
         "the mask is empty"),
        ({"reference": CLEAN, "mask": "no_such.nii.gz"}, BadVolume, "the mask cannot be used"),
        ({"reference": dataclasses.replace(CLEAN, data=CLEAN.data * 0)}, BadVolume, "no head"),
        ({}, NeedsReference, "--reference"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    options: dict[str, object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        metrics(NOISY, ["psnr"], **options)  # type: ignore[arg-type]


def test_a_metric_of_one_scan_refuses_a_reference() -> None:
    with pytest.raises(UsageError, match="knows no reference"):
        metrics(NOISY, ["piqe"], reference=CLEAN)
