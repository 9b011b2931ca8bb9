"""``restore``: names, options, history, maps; and what single methods refuse."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from isocenter.data.kspace import KSpace, Mask
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.errors import BadKSpace, UnknownName, UsageError
from isocenter.ops.fourier import fft
from isocenter.restorers import acquire, restore
from isocenter.restorers._calibrated import calibrated

SCAN = head_phantom((32, 40, 6))


@pytest.fixture(scope="module")
def kspace() -> KSpace:
    return acquire(
        SCAN, acceleration=2.0, acs=16, n_coils=4, noise=0.002, plane="axial", rng=generator(1)
    )


def single_coil() -> KSpace:
    image = SCAN.data[:, :, 3].T.to(torch.complex64)
    places = torch.ones(1, 40, 32, dtype=torch.bool)
    places[..., ::3] = False
    places[..., 12:20] = True
    data = fft(image, (-2, -1)) * places
    return KSpace(data[None], Mask(places), np.eye(4))


def test_a_scan_comes_back_where_it_was(kspace: KSpace) -> None:
    told: list[tuple[int, int]] = []
    scan = restore(
        kspace, "sense", rng=generator(2), progress=lambda *done: told.append(done), device="cpu"
    )
    assert scan.shape == SCAN.shape
    np.testing.assert_allclose(scan.affine, SCAN.affine)
    assert float((scan.data - SCAN.data).norm() / SCAN.data.norm()) < 0.15
    assert told[-1] == (6, 6)


def test_the_history_says_what_was_done(kspace: KSpace) -> None:
    scan = restore(kspace, "l1_wavelet", rng=generator(2), n_iterations=5, wavelet="haar")
    assert scan.history[:-1] == kspace.history
    step = scan.history[-1]
    assert (step.name, step.seed) == ("l1_wavelet", 2)
    assert step.params["n_iterations"] == 5
    assert step.params["wavelet"] == "haar"
    facts = json.loads(json.dumps(step.params, allow_nan=False))["slices"]
    assert len(facts) == 6
    assert all(one["weight"] > 0 and 0 <= one["data_residual"] < 1 for one in facts)


def test_an_unknown_restorer_is_refused(kspace: KSpace) -> None:
    with pytest.raises(UnknownName, match="no restorer 'sens'; did you mean 'sense'"):
        restore(kspace, "sens", rng=generator(0))


def test_an_unknown_option_is_refused(kspace: KSpace) -> None:
    with pytest.raises(UsageError, match="no option 'weights'; did you mean 'weight'"):
        restore(kspace, "tv", rng=generator(0), weights=1.0)
    with pytest.raises(UsageError, match="known: n_iterations, weight"):
        restore(kspace, "tv", rng=generator(0), beta=1.0)
    with pytest.raises(UsageError, match="known: none"):
        restore(kspace, "rss", rng=generator(0), beta=1.0)


def test_an_option_of_another_type_is_refused(kspace: KSpace) -> None:
    with pytest.raises(UsageError, match="'n_iterations' of tv is 'many': give a int"):
        restore(kspace, "tv", rng=generator(0), n_iterations="many")


def test_a_scan_is_no_kspace() -> None:
    with pytest.raises(UsageError, match="'sense' and a Volume"):
        restore(SCAN, "sense", rng=generator(0))


def test_an_unknown_device_is_refused(kspace: KSpace) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        restore(kspace, "rss", rng=generator(0), device="abacus")


def test_even_kernels_are_refused(kspace: KSpace) -> None:
    with pytest.raises(UsageError, match="n_rows is 4: give an odd number"):
        restore(kspace, "grappa", rng=generator(0), n_rows=4)
    with pytest.raises(UsageError, match="side is 0"):
        restore(kspace, "spirit", rng=generator(0), side=0)


@pytest.mark.parametrize("name", ["grappa", "spirit"])
def test_what_learns_from_coils_refuses_a_single_one(name: str) -> None:
    with pytest.raises(BadKSpace, match=f"{name} fills .* one coil: use sense"):
        restore(single_coil(), name, rng=generator(0))


@pytest.mark.parametrize("name", ["grappa", "spirit"])
def test_what_learns_from_the_centre_needs_one(name: str, kspace: KSpace) -> None:
    places = kspace.mask.places.clone()
    places[..., 15:18] = False
    without = dataclasses.replace(kspace, data=kspace.data * places[:, None], mask=Mask(places))
    with pytest.raises(BadKSpace, match="fully measured centre"):
        restore(without, name, rng=generator(0))


def test_a_single_coil_needs_no_maps() -> None:
    kspace = single_coil()
    maps = calibrated(kspace).maps
    assert maps is not None
    assert bool((maps == 1).all())
    assert sorted(restore(kspace, "l1_wavelet", rng=generator(0)).shape) == [1, 32, 40]


def test_given_maps_are_kept(kspace: KSpace) -> None:
    maps = torch.full((6, 1, 4, *kspace.grid), 0.5, dtype=torch.complex64)
    given = dataclasses.replace(kspace, maps=maps)
    assert calibrated(given) is given


def test_maps_without_a_centre_are_not_found(kspace: KSpace) -> None:
    places = kspace.mask.places.clone()
    places[..., 15:18] = False
    without = dataclasses.replace(kspace, data=kspace.data * places[:, None], mask=Mask(places))
    with pytest.raises(BadKSpace, match="give maps, or measure a centre"):
        calibrated(without)


def test_kspace_is_no_scan(kspace: KSpace) -> None:
    with pytest.raises(UsageError, match="'cubic' and a KSpace do not go together: give a scan"):
        restore(kspace, "cubic", rng=generator(0))


def test_an_unknown_option_of_a_scan_restorer_is_refused() -> None:
    with pytest.raises(UsageError, match="siqt has no option 'member'; did you mean 'members'"):
        restore(SCAN, "siqt", rng=generator(0), member=2)
