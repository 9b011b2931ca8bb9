"""The real k-space of the collection: right shapes, honest masks, heads in the middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.data.io import read_kspace, to_scan
from isocenter.errors import BadKSpace
from isocenter.ops.fourier import ifft

pytestmark = pytest.mark.data


def energy_in_the_middle(path: Path) -> tuple[float, float]:
    """Shares of the image's energy and of its area within the middle half of both axes."""
    kspace = read_kspace(path)
    images = ifft(kspace.data, (-2, -1)).abs().square().sum(1)
    rows, columns = kspace.grid
    top, left = rows // 4, columns // 4
    middle = images[:, top : rows - top, left : columns - left]
    return float(middle.sum() / images.sum()), middle.numel() / images.numel()


def test_eight_coils_of_a_poisson_disc(data_root: Path) -> None:
    path = data_root / "kspace" / "brain_8coil_poisson.npy"
    kspace = read_kspace(path)
    stored = np.load(path)
    assert kspace.data.shape == (1, 8, 230, 180)
    assert np.array_equal(kspace.data[0].numpy(), stored)
    assert np.array_equal(kspace.mask.places[0].numpy(), (stored != 0).any(0))
    assert kspace.mask.true_acceleration == pytest.approx(8.04, abs=0.01)
    assert min(kspace.mask.acs) >= 19
    share, area = energy_in_the_middle(path)
    assert share > 1.5 * area


@pytest.mark.parametrize(
    ("name", "grid", "contrast"),
    [("FLAIR", (128, 126), "FLAIR"), ("FSE", (128, 126), None), ("GRE", (128, 196), None)],
)
@pytest.mark.parametrize("person", ["6A", "7A", "7B", "S6A"])
def test_low_field_slices_hold_a_head(
    data_root: Path, person: str, name: str, grid: tuple[int, int], contrast: str | None
) -> None:
    path = data_root / "lowfield" / person / f"0.055T_{name}_kspace_postEMI.mat"
    kspace = read_kspace(path)
    assert (kspace.n_slices, kspace.n_coils, kspace.grid) == (4, 1, grid)
    assert kspace.mask.true_acceleration == 1
    assert kspace.contrast == contrast
    said = str(kspace.history[0].params["warnings"])
    assert "orientation unknown" in said
    assert "voxel size missing" in said
    share, area = energy_in_the_middle(path)
    assert share > 2 * area


def test_two_averages_have_less_noise_than_one(data_root: Path) -> None:
    path = data_root / "lowfield" / "S3A" / "0.055T_FLAIR_RF_cage_installed_2D_kspace.mat"
    mean = read_kspace(path)
    single = read_kspace(path, axes="yxsc", slices=slice(0, 4)).data[:, :1]
    edge = np.s_[:, :, :8]
    assert mean.data[edge].abs().square().mean() < 0.7 * single[edge].abs().square().mean()


def test_a_low_field_scan_has_the_voxel_size_that_was_given(data_root: Path) -> None:
    path = data_root / "lowfield" / "6A" / "0.055T_FLAIR_kspace_postEMI.mat"
    kspace = read_kspace(path, voxel_size=(10, 2, 2), slices=slice(1, 3))
    scan = to_scan(ifft(kspace.data, (-2, -1))[:, 0], kspace)
    assert (scan.shape, scan.spacing) == ((126, 128, 2), (2, 2, 10))


def test_a_high_field_image_is_no_kspace(data_root: Path) -> None:
    with pytest.raises(BadKSpace, match="no kspace; variables found: image"):
        read_kspace(data_root / "lowfield" / "6A" / "3T_T1w.mat")
