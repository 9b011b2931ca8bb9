"""The four artifacts of the RAD-IQMRI study: equal energy, the object alone, known spectra."""

from functools import cache

import numpy as np
import pytest
import torch

from isocenter import registry
from isocenter.artifacts import PRESETS, artifact
from isocenter.artifacts._energy import ENERGY, object_mask
from isocenter.assessors._outputs import PUBLISHED_CLASSES, TYPES
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.ops.regions import head_scale

STUDY = PRESETS["rad-iqmri"]
every_study_artifact = pytest.mark.parametrize("name", STUDY)


@cache
def one_slice() -> Volume:
    """A head with texture and no dark tissue, so that the magnitude folds little."""
    head = head_phantom((128, 128, 3), 1.5)
    texture = 40 * torch.randn(head.shape, generator=generator(1))
    data = torch.where(head.data > 0, 600 + 0.4 * head.data + texture, 0)
    return Volume(data[:, :, 1:2].contiguous(), head.affine)


def added_energy(scan: Volume, worse: Volume) -> float:
    """Mean square of the change inside the object over its squared brightness."""
    inside = object_mask(scan.data)
    change = (worse.data - scan.data)[inside].double()
    return float(change.square().mean()) / head_scale(scan.data, inside) ** 2


@every_study_artifact
@pytest.mark.parametrize("level", ENERGY)
def test_a_level_is_one_energy_whatever_the_artifact(name: str, level: int) -> None:
    scan = one_slice()
    for seed in range(3):
        worse = artifact(name, level, preset="rad-iqmri")(scan, rng=generator(seed))
        # The magnitude folds what would be negative, on the object's dark rim.
        lost = 0.15 if level == 4 else 0.05
        assert added_energy(scan, worse) == pytest.approx(ENERGY[level], rel=lost)


@every_study_artifact
def test_the_energy_is_that_of_the_object_in_3_d_too(name: str) -> None:
    scan = head_phantom((40, 44, 36), 4.0)
    bright = Volume(torch.where(scan.data > 0, scan.data + 500, 0), scan.affine)
    worse = artifact(name, 2, preset="rad-iqmri")(bright, rng=generator(3))
    assert added_energy(bright, worse) == pytest.approx(ENERGY[2], rel=0.05)


@every_study_artifact
def test_the_study_leaves_the_air_alone(name: str) -> None:
    scan = one_slice()
    worse = artifact(name, 4, preset="rad-iqmri")(scan, rng=generator(4))
    corner = (slice(0, 3), slice(0, 3))
    assert torch.equal(worse.data[corner], scan.data[corner])
    if name not in ("ghosting", "edge_ghosting"):
        everywhere = artifact(name, 4)(scan, rng=generator(4))
        assert not torch.equal(everywhere.data[corner], scan.data[corner])


def test_a_ghost_is_the_image_displaced() -> None:
    scan = one_slice()
    params = registry.artifacts.get("ghosting").draw(scan, 3, preset="rad-iqmri", rng=generator(5))
    worse = registry.artifacts.get("ghosting").apply(scan, params)
    replica = np.roll(scan.data.numpy(), params["shift"], params["axis"])
    middle = (slice(50, 78), slice(50, 78))
    change = (worse - scan.data).numpy()[middle]
    factor = change.sum() / replica[middle].sum()
    np.testing.assert_allclose(change, factor * replica[middle], atol=1e-2)
    length = np.ptp(np.flatnonzero(scan.data.sum(1 - params["axis"]) > 0)) + 1
    assert 0.1 < abs(params["shift"]) / length < 0.45


def slope(name: str) -> float:
    """Exponent of the radial power spectrum of what is added everywhere."""
    scan = Volume(torch.full((256, 256, 1), 1000.0), np.eye(4))
    change = (artifact(name, 1)(scan, rng=generator(6)).data - scan.data)[:, :, 0].numpy()
    power = np.abs(np.fft.fft2(change)) ** 2
    place = np.fft.fftfreq(256)
    radius = np.hypot(place[:, None], place)
    band = (radius > 0.08) & (radius < 0.45)
    return float(np.polyfit(np.log(radius[band]), np.log(power[band]), 1)[0])


def test_white_noise_is_white_and_coloured_noise_falls_with_the_square_of_frequency() -> None:
    assert slope("white_noise") == pytest.approx(0, abs=0.1)
    assert slope("coloured_noise") == pytest.approx(-2, abs=0.15)


def test_coloured_noise_has_the_same_grain_in_mm_on_a_finer_grid() -> None:
    def grain(spacing: float) -> float:
        affine = np.diag([spacing, spacing, 4.0, 1.0])
        side = round(256 / spacing)
        scan = Volume(torch.full((side, side, 1), 1000.0), affine)
        change = (artifact("coloured_noise", 1)(scan, rng=generator(7)).data - scan.data)[:, :, 0]
        step = round(8 / spacing)
        return float((change[step:] * change[:-step]).mean() / change.square().mean())

    assert grain(1.0) == pytest.approx(grain(2.0), abs=0.1)


def test_edge_ghosts_hold_no_flat_tissue() -> None:
    flat = Volume(torch.full((64, 60, 1), 500.0), np.eye(4))
    worse = artifact("edge_ghosting", 4)(flat, rng=generator(8))
    torch.testing.assert_close(worse.data, flat.data, rtol=1e-4, atol=0)


def test_dark_tissue_belongs_to_the_object_and_a_single_slice_has_one() -> None:
    x = torch.linspace(-1.2, 1.2, 120)
    radius = torch.hypot(x[:, None], x)
    image = torch.where(radius < 0.7, 80.0, torch.where(radius < 1, 1000.0, 4.0))
    noise = 4 * torch.rand(image.shape, generator=generator(9))
    mask = object_mask((image + noise)[:, None, :])[:, 0]
    assert bool(mask[radius < 0.95].all())
    assert not bool(mask[radius > 1.1].any())


def test_the_shipped_assessor_knows_the_same_classes_as_before() -> None:
    assert TYPES == ("bias", "blur", "ghosting", "motion", "noise", "spike")
    assert len(PUBLISHED_CLASSES) == 21


def test_a_preset_without_the_artifact_names_those_with_it() -> None:
    with pytest.raises(UsageError, match="another preset: physical, rad-iqmri"):
        artifact("edge_ghosting", 1, preset="hsfnet-2025")
    with pytest.raises(UsageError, match="another preset: hsfnet-2025, physical"):
        artifact("motion", 1, preset="rad-iqmri")
