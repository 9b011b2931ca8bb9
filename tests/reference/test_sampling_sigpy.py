"""Simulated coils and Poisson discs beside those of SigPy."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from isocenter.data.random import generator
from isocenter.ops.sampling import sampling_mask
from isocenter.ops.simulated_coils import birdcage_maps

mri = pytest.importorskip("sigpy.mri", reason="SigPy is not installed")


@pytest.mark.parametrize(("n_coils", "shape"), [(4, (32, 32)), (8, (30, 40))])
def test_a_birdcage_is_as_sensitive(n_coils: int, shape: tuple[int, int]) -> None:
    ours = birdcage_maps(n_coils, shape)[0, 0].numpy()
    theirs = mri.birdcage_maps((n_coils, *shape), r=1.5, nzz=n_coils)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-4)


def profile(mask: np.ndarray) -> np.ndarray:
    """Share of measured places in rings of equal width around the centre, outside of the ACS."""
    n = len(mask)
    y, x = np.mgrid[:n, :n] - n // 2
    ring = (np.hypot(y, x) / (n / 2) * 6).astype(int)
    return np.array([mask[ring == r].mean() for r in range(1, 6)])


def regularity(mask: np.ndarray) -> float:
    """Distance of the nearest neighbour near a side, over what it is where chance alone acts."""
    strip = mask[: len(mask) // 6]
    nearest = cKDTree(np.argwhere(mask)).query(np.argwhere(strip), k=2)[0][:, 1]
    return float(nearest.mean() / (0.5 * np.sqrt(strip.size / strip.sum())))


@pytest.mark.parametrize("acceleration", [4, 8])
def test_poisson_discs_are_spread_as_sigpys(acceleration: int) -> None:
    theirs = mri.poisson((128, 128), acceleration, calib=(16, 16), crop_corner=False, seed=1)
    ours = sampling_mask(
        "poisson", (128, 128), acceleration=acceleration, acs=16, rng=generator(1)
    ).numpy()
    theirs = np.abs(theirs) > 0
    found, expected = profile(ours), profile(theirs)
    assert np.corrcoef(found, expected)[0, 1] > 0.9
    assert (np.diff(found) < 0.02).all()
    assert regularity(ours) > 0.9 * regularity(theirs) > 1.1
    assert abs(1 / ours.mean() - acceleration) <= abs(1 / theirs.mean() - acceleration) + 1e-9
