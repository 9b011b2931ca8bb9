"""Tissues of a brain: known ones are found again, under shading, noise and every order."""

import jaxtyping
import numpy as np
import pytest
import torch

from isocenter.errors import BadVolume, UnknownName, UsageError
from isocenter.ops.tissue import (
    TissueMaps,
    given_maps,
    separability,
    tissue_maps,
    why_untrustworthy,
)

SIDE = 48
BRIGHTNESS = {"T1w": (25, 60, 90), "T2w": (100, 70, 45), "FLAIR": (20, 90, 60)}
"""Of fluid, grey and white matter."""


def brain_labels(shape: tuple[int, int, int] = (SIDE,) * 3) -> torch.Tensor:
    """0 outside, 1 fluid, 2 grey, 3 white: folded shells, ventricles, deep grey matter."""
    places = [(torch.arange(side) + 0.5) / side * 2 - 1 for side in shape]
    x, y, z = torch.meshgrid(*places, indexing="ij")
    radius = ((x / 0.8) ** 2 + (y / 0.9) ** 2 + (z / 0.8) ** 2).sqrt()
    folds = 0.06 * torch.sin(7 * torch.atan2(y, x)) * torch.cos(5 * torch.atan2(z, x.hypot(y)))
    labels = torch.zeros(shape, dtype=torch.long)
    for label, surface in ((1, 1.0), (2, 0.9 + folds / 2), (3, 0.72 + folds)):
        labels[radius < surface] = label
    labels[((x.abs() - 0.12) / 0.08) ** 2 + (y / 0.3) ** 2 + (z / 0.15) ** 2 < 1] = 1
    labels[((x.abs() - 0.35) / 0.13) ** 2 + (y / 0.2) ** 2 + (z / 0.15) ** 2 < 1] = 2
    return labels


def shading(labels: torch.Tensor, size: float) -> torch.Tensor:
    """A smooth field from about ``1 - size`` to ``1 + size``, geometric mean 1 in the brain."""
    places = [(torch.arange(side) + 0.5) / side * 2 - 1 for side in labels.shape]
    x, y, z = torch.meshgrid(*places, indexing="ij")
    field = 1 + size * torch.sin(1.3 * x + 0.9 * y - 0.7 * z + 0.4 * x * y)
    return field / field[labels > 0].log().mean().exp()


def scan(
    labels: torch.Tensor, contrast: str = "T1w", *, size: float = 0.2, noise: float = 4.0
) -> torch.Tensor:
    rng = torch.Generator().manual_seed(5)
    table = torch.tensor([0.0, *BRIGHTNESS[contrast]])
    image = table[labels] * shading(labels, size) + noise * torch.randn(labels.shape, generator=rng)
    return image.abs() * (labels > 0)


def dice(maps: TissueMaps, labels: torch.Tensor) -> list[float]:
    found = torch.stack(maps[:3]).argmax(0) + 1
    found[labels == 0] = 0
    pairs = [(found == label, labels == label) for label in (1, 2, 3)]
    return [float(2 * (a & b).sum() / (a.sum() + b.sum())) for a, b in pairs]


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes reach the functions as they do for a user: unchecked."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    return brain_labels()


@pytest.fixture(scope="module")
def maps(labels: torch.Tensor) -> TissueMaps:
    return tissue_maps(scan(labels), labels > 0, spacing=(1.0, 1.0, 1.0))


@pytest.mark.parametrize("contrast", list(BRIGHTNESS))
@pytest.mark.parametrize("told", [True, False])
def test_known_tissues_are_found_whatever_their_order(
    labels: torch.Tensor, contrast: str, told: bool
) -> None:
    image = scan(labels, contrast)
    found = tissue_maps(
        image, labels > 0, spacing=(1.0, 1.0, 1.0), contrast=contrast if told else None
    )
    assert min(dice(found, labels)) > 0.95


@pytest.mark.parametrize(("size", "noise"), [(0.4, 8.0), (0.2, 10.0)])
def test_strong_shading_and_noise_are_borne(
    labels: torch.Tensor, size: float, noise: float
) -> None:
    found = tissue_maps(scan(labels, size=size, noise=noise), labels > 0, spacing=(1.0, 1.0, 1.0))
    assert min(dice(found, labels)) > 0.95
    ratio = (found.field / shading(labels, size))[labels > 0]
    assert float(ratio.std() / ratio.mean()) < 0.04


def test_the_shading_is_found(labels: torch.Tensor, maps: TissueMaps) -> None:
    known, found = shading(labels, 0.2)[labels > 0], maps.field[labels > 0]
    assert float(torch.corrcoef(torch.stack([known, found]))[0, 1]) > 0.99
    assert float((found / known).std()) < 0.02
    assert float(found.log().mean()) == pytest.approx(0.0, abs=1e-4)


def test_outside_the_shading_stays_within_its_range(labels: torch.Tensor, maps: TissueMaps) -> None:
    inside = maps.field[labels > 0]
    assert float(maps.field.min()) >= float(inside.min()) * 0.999
    assert float(maps.field.max()) <= float(inside.max()) * 1.001


def test_probabilities_sum_to_one_inside_and_to_nothing_outside(
    labels: torch.Tensor, maps: TissueMaps
) -> None:
    total = maps.csf + maps.gm + maps.wm
    torch.testing.assert_close(total, (labels > 0).float(), atol=1e-5, rtol=0)
    assert all(float(one.min()) >= 0 and one.dtype == torch.float32 for one in maps)


def test_the_unit_does_not_matter(labels: torch.Tensor, maps: TissueMaps) -> None:
    found = tissue_maps(scan(labels) * 7, labels > 0, spacing=(1.0, 1.0, 1.0))
    for one, other in zip(found, maps, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_scan_has_flipped_tissues(
    labels: torch.Tensor, maps: TissueMaps, axis: int
) -> None:
    image = scan(labels).flip(axis)
    found = tissue_maps(image, (labels > 0).flip(axis), spacing=(1.0, 1.0, 1.0))
    changed = (found.gm.flip(axis) - maps.gm).abs()
    assert float(changed.mean()) < 2e-3


def test_the_same_scan_gives_the_same_bits(labels: torch.Tensor, maps: TissueMaps) -> None:
    again = tissue_maps(scan(labels), labels > 0, spacing=(1.0, 1.0, 1.0))
    assert all(torch.equal(one, other) for one, other in zip(again, maps, strict=True))


def test_thick_slices_are_told_apart() -> None:
    thick = brain_labels((64, 64, 14))
    found = tissue_maps(scan(thick), thick > 0, spacing=(1.0, 1.0, 5.0))
    assert min(dice(found, thick)) > 0.93


def test_neighbours_along_a_long_voxel_pull_less() -> None:
    thick = brain_labels((40, 40, 20))
    image = scan(thick, noise=14.0)
    even = tissue_maps(image, thick > 0, spacing=(1.0, 1.0, 1.0))
    long = tissue_maps(image, thick > 0, spacing=(1.0, 1.0, 8.0))

    def roughness(one: TissueMaps) -> float:
        return float((one.gm[:, :, 1:] - one.gm[:, :, :-1]).abs().mean())

    assert roughness(long) > roughness(even)


def test_zeros_inside_are_no_class_of_their_own(labels: torch.Tensor, maps: TissueMaps) -> None:
    image = scan(labels)
    rng = torch.Generator().manual_seed(9)
    lost = torch.rand(image.shape, generator=rng) < 0.05
    found = tissue_maps(torch.where(lost, 0.0, image), labels > 0, spacing=(1.0, 1.0, 1.0))
    kept = torch.where(lost, 0, labels)
    assert dice(found, kept)[2] > 0.95
    assert dice(found, kept)[1] > 0.93


def test_noise_is_smoothed_by_the_neighbours(labels: torch.Tensor) -> None:
    image = scan(labels, size=0.0, noise=12.0)
    found = tissue_maps(image, labels > 0, spacing=(1.0, 1.0, 1.0))
    nearest = (image[..., None] - torch.tensor(BRIGHTNESS["T1w"])).abs().argmin(-1)
    alone = TissueMaps(*((nearest == tissue).float() for tissue in range(3)), found.field)
    assert np.mean(dice(found, labels)) > np.mean(dice(alone, labels)) + 0.05


@pytest.mark.parametrize("shape", [(8, 9, 7), (30, 30, 1), (1, 30, 30), (12, 12, 3)])
def test_tiny_brains_get_maps(shape: tuple[int, int, int]) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 0.1
    found = tissue_maps(image, torch.ones(shape, dtype=torch.bool), spacing=(1.0, 1.0, 1.0))
    total = found.csf + found.gm + found.wm
    torch.testing.assert_close(total, torch.ones(shape), atol=1e-5, rtol=0)


def test_a_brain_of_one_brightness_is_refused() -> None:
    with pytest.raises(BadVolume, match="equally bright"):
        tissue_maps(
            torch.full((9, 9, 9), 3.0),
            torch.ones(9, 9, 9, dtype=torch.bool),
            spacing=(1.0, 1.0, 1.0),
        )


@pytest.mark.usefixtures("unchecked")
def test_wrong_calls_are_refused(labels: torch.Tensor) -> None:
    image = scan(labels)
    with pytest.raises(UsageError, match="shape|grid"):
        tissue_maps(image, (labels > 0)[1:], spacing=(1.0, 1.0, 1.0))
    with pytest.raises(UnknownName, match="T1w"):
        tissue_maps(image, labels > 0, spacing=(1.0, 1.0, 1.0), contrast="T1")
    with pytest.raises(BadVolume, match="voxels"):
        tissue_maps(image, labels > 9, spacing=(1.0, 1.0, 1.0))


def test_separability_is_the_gap_over_the_spread(labels: torch.Tensor) -> None:
    known = TissueMaps(
        *((labels == label).float() for label in (1, 2, 3)), torch.ones(labels.shape)
    )
    image = scan(labels, size=0.0, noise=6.0)
    assert separability(image, known) == pytest.approx(30 / 6, rel=0.05)


def test_good_maps_are_trusted_and_others_are_not(labels: torch.Tensor) -> None:
    csf, gm, wm = ((labels == label).float() for label in (1, 2, 3))
    known = TissueMaps(csf, gm, wm, torch.ones(labels.shape))
    image = scan(labels, size=0.0)
    assert why_untrustworthy(known, image) is None
    grey = known._replace(gm=gm + 0.3 * wm + 0.9 * csf, wm=0.7 * wm, csf=0.1 * csf)
    assert "grey matter is" in str(why_untrustworthy(grey, image))
    noisy = image + 60 * torch.randn(image.shape, generator=torch.Generator().manual_seed(2))
    assert "standard deviations apart" in str(why_untrustworthy(known, noisy))


def test_noise_alone_is_not_trusted(labels: torch.Tensor) -> None:
    noise = torch.rand(labels.shape, generator=torch.Generator().manual_seed(4)) + 0.5
    found = tissue_maps(noise, labels > 0, spacing=(1.0, 1.0, 1.0))
    assert why_untrustworthy(found, noise) is not None


@pytest.mark.usefixtures("unchecked")
def test_maps_of_another_program_are_checked(labels: torch.Tensor) -> None:
    csf, gm, wm = ((labels == label).float() for label in (1, 2, 3))
    taken = given_maps(0.8 * csf, 0.8 * gm, 0.8 * wm)
    torch.testing.assert_close(taken.gm, gm)
    assert torch.equal(taken.field, torch.ones(labels.shape))
    with pytest.raises(BadVolume, match="different shapes"):
        given_maps(csf[1:], gm, wm)
    with pytest.raises(BadVolume, match="0 to 1"):
        given_maps(csf, 255 * gm, wm)
    with pytest.raises(BadVolume, match="0 to 1"):
        given_maps(csf, gm * float("nan"), wm)
    with pytest.raises(BadVolume, match="sum"):
        given_maps(wm, gm, wm)
    with pytest.raises(BadVolume, match="no brain"):
        given_maps(0 * csf, 0 * gm, 0 * wm)
