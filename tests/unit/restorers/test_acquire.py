"""``acquire`` and ``reference``: energy, place, noise, coils and chance."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.data.io import read
from isocenter.data.kspace import KSpace
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName, UsageError
from isocenter.ops.fourier import ifft
from isocenter.ops.regions import head_scale
from isocenter.ops.sampling import MASK_KINDS
from isocenter.ops.sense import Sense
from isocenter.restorers import acquire, reference, undersample
from isocenter.restorers._acquire import apply

SCAN = head_phantom((30, 37, 12), 4.0)
SHORT = {"acs": 6, "n_coils": 4}


def acquired(scan: Volume = SCAN, seed: int = 1, **chosen: object) -> KSpace:
    return acquire(scan, rng=generator(seed), **(SHORT | chosen))


def combined(kspace: KSpace) -> torch.Tensor:
    """Coil images weighed with the true maps: (slice, y, x)."""
    sense = Sense(kspace.maps, kspace.mask.places.expand(kspace.n_slices, -1, -1))
    return sense.adjoint(kspace.data)[:, 0]


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("grid", [None, (41, 44)])
def test_everything_without_noise_gives_the_scan_back(
    plane: str, grid: tuple[int, int] | None
) -> None:
    kspace = acquired(mask="full", noise=0.0, plane=plane, grid=grid, keep_maps=True)
    image = reference(SCAN, kspace)
    assert image.shape == (kspace.n_slices, *kspace.grid)
    torch.testing.assert_close(combined(kspace).abs(), image, rtol=1e-4, atol=1e-2)
    # Orthonormal transform, squared sensitivities of sum 1: the energy is that of the scan.
    energy = float(kspace.data.abs().double().square().sum())
    assert energy == pytest.approx(float(SCAN.data.double().square().sum()), rel=1e-5)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("grid", [None, (40, 45)])
def test_the_affine_leads_back_to_the_same_place(plane: str, grid: tuple[int, int] | None) -> None:
    affine = np.array([[0.0, -2, 0.1, 9], [1.5, 0, 0, -4], [0.2, 0, 3, 70], [0, 0, 0, 1]])
    scan = Volume(SCAN.data, affine)
    kspace = acquired(scan, mask="full", plane=plane, grid=grid, slices=(3, 8))
    image = reference(scan, kspace)
    for place in torch.nonzero(image > 500)[::101].tolist():
        world = kspace.affine @ [*place, 1]
        voxel = np.linalg.solve(affine, world)[:3]
        near = np.rint(voxel).astype(int)
        np.testing.assert_allclose(voxel, near, atol=1e-9)
        assert float(image[tuple(place)]) == float(scan.data[tuple(near)])


def test_the_noise_is_as_strong_as_asked_in_every_coil_and_part() -> None:
    quiet, noisy = (acquired(mask="full", noise=noise) for noise in (0.0, 0.03))
    difference = torch.view_as_real(noisy.data - quiet.data).double()
    sigma = 0.03 * head_scale(SCAN.data)
    for part in (difference[..., 0], difference[..., 1]):
        for coil in range(4):
            assert float(part[:, coil].std()) == pytest.approx(sigma, rel=0.03)
    # Combined with the true maps the noise is neither more nor less.
    maps = acquired(mask="full", keep_maps=True).maps
    image = (maps[:, 0].conj() * ifft(noisy.data - quiet.data, (-2, -1))).sum(1)
    assert float(image.real.double().std()) == pytest.approx(sigma, rel=0.03)


def test_what_was_not_measured_is_exactly_zero() -> None:
    kspace = acquired(mask="uniform", acceleration=3.0)
    assert kspace.mask.true_acceleration == pytest.approx(3.0)
    places = kspace.mask.places.expand(kspace.n_slices, -1, -1)[:, None].expand_as(kspace.data)
    assert bool((kspace.data[~places] == 0).all())
    assert bool((kspace.data[places] != 0).all())


@pytest.mark.parametrize("kind", MASK_KINDS)
@pytest.mark.parametrize("shape", [(24, 31, 2), (31, 24, 2)])
def test_every_mask_is_acquired_on_odd_and_even_sizes(
    kind: str, shape: tuple[int, int, int]
) -> None:
    scan = head_phantom(shape)
    kspace = acquired(scan, mask=kind, acceleration=3.0, plane="axial", noise=0.0)
    whole = acquired(scan, mask="full", plane="axial", noise=0.0)
    assert torch.equal(kspace.data, whole.data * kspace.mask.places[:, None])
    assert bool(kspace.mask.places[:, kspace.grid[0] // 2, kspace.grid[1] // 2].all())


def test_the_true_maps_are_kept_back_unless_asked_for() -> None:
    assert acquired().maps is None
    maps = acquired(keep_maps=True).maps
    assert maps is not None
    torch.testing.assert_close(maps.abs().square().sum(2), torch.ones(12, 1, 37, 30))


def test_without_phase_the_image_is_real_and_with_it_is_not() -> None:
    for phase in (False, True):
        kspace = acquired(mask="full", noise=0.0, keep_maps=True, phase=phase)
        image = combined(kspace)
        inside = image.abs() > 500
        turned = image[inside].angle().abs()
        assert (float(turned.max()) < 1e-3) == (not phase)


@pytest.mark.parametrize("n_coils", [1, 16])
def test_any_number_of_coils(n_coils: int) -> None:
    kspace = acquired(n_coils=n_coils, mask="full", noise=0.0, slices=(5, 6))
    assert kspace.n_coils == n_coils
    images = ifft(kspace.data, (-2, -1))
    total = images.abs().square().sum(1).sqrt()
    torch.testing.assert_close(total, reference(SCAN, kspace), rtol=1e-4, atol=1e-2)


def test_the_history_is_enough_to_do_it_again_to_the_bit() -> None:
    for chosen in ({"mask": "poisson", "keep_maps": True}, {"phase": False, "grid": (48, 40)}):
        kspace = acquired(**chosen)
        (step,) = kspace.history
        assert (step.name, step.seed) == ("acquire", 1)
        params = json.loads(json.dumps(dict(step.params), allow_nan=False))
        again = apply(SCAN, params)
        assert torch.equal(again.data, kspace.data)
        assert torch.equal(again.mask.places, kspace.mask.places)
        assert np.array_equal(again.affine, kspace.affine)
        assert (again.maps is None) == (kspace.maps is None)
        assert again.maps is None or torch.equal(again.maps, kspace.maps)


def test_the_seed_decides() -> None:
    first, again, other = (acquired(mask="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.data, again.data)
    assert not torch.equal(first.data, other.data)
    assert not torch.equal(first.mask.places, other.mask.places)


def test_a_generator_goes_on_and_its_children_know_no_order() -> None:
    rng = generator(4)
    first, second = (acquire(SCAN, rng=rng, **SHORT) for _ in range(2))
    assert not torch.equal(first.data, second.data)
    root = generator(4)
    named = {name: acquire(SCAN, rng=child(root, name), **SHORT).data for name in "ab"}
    turned = {name: acquire(SCAN, rng=child(root, name), **SHORT).data for name in "ba"}
    assert all(torch.equal(named[name], turned[name]) for name in "ab")


def test_a_slice_does_not_depend_on_the_others() -> None:
    whole, some = acquired(keep_maps=True), acquired(keep_maps=True, slices=(4, 7))
    part = whole.slices(slice(4, 7))
    assert torch.equal(some.data, part.data)
    torch.testing.assert_close(some.maps, part.maps)
    np.testing.assert_allclose(some.affine, part.affine)
    torch.testing.assert_close(reference(SCAN, some), reference(SCAN, part))


@pytest.mark.parametrize(
    ("shape", "spacing", "slices"),
    [
        ((10, 11, 12), (1, 1, 1), 12),
        ((10, 11, 12), (1, 1, 3), 12),
        ((10, 11, 12), (1, 3, 1), 11),
        ((10, 11, 12), (3, 1, 1), 10),
        ((10, 11, 12), (1, 1, 0.5), 10),
        ((10, 1, 12), (1, 1, 3), 1),
    ],
)
def test_slices_are_thick_where_no_plane_is_given(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], slices: int
) -> None:
    scan = Volume(head_phantom(shape).data + 1, np.diag([*map(float, spacing), 1.0]))
    assert acquired(scan, mask="full").n_slices == slices


def test_the_scan_is_left_as_it_is_and_its_history_goes_on() -> None:
    before = SCAN.data.clone()
    named = SCAN.after(SCAN.data, acquired().history[0])
    assert [step.name for step in acquired(named).history] == ["acquire", "acquire"]
    assert torch.equal(SCAN.data, before)
    assert acquired().contrast == "T1w"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"noise": -0.1}, "0 or more; got -0.1"),
        ({"noise": float("nan")}, "0 or more; got nan"),
        ({"n_coils": 0}, "at least 1 coil"),
        ({"grid": (10, 60)}, "a grid of 10 x 60 does not hold slices of 37 x 30"),
        ({"slices": (4, 4)}, "slices 4 to 4 are not among the 12"),
        ({"slices": (0, 13)}, "slices 0 to 13 are not among the 12"),
        ({"acceleration": 0.9}, "at least 1; got 0.9"),
        ({"acs": 24}, "give a lower acceleration or a narrower ACS"),
    ],
)
def test_what_does_not_fit_is_said(chosen: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        acquired(**chosen)


@pytest.mark.parametrize(
    ("chosen", "near"), [({"plane": "axail"}, "axial"), ({"mask": "uniformm"}, "uniform")]
)
def test_a_name_that_is_none_is_named(chosen: dict, near: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{near}'"):
        acquired(**chosen)


def test_another_scan_is_no_reference() -> None:
    moved = SCAN.affine.copy()
    moved[0, 3] += 0.7
    with pytest.raises(UsageError, match="give the scan that it came from"):
        reference(Volume(SCAN.data, moved), acquired())


@pytest.mark.data
def test_a_real_brain_is_acquired_and_found_again(data_root: Path) -> None:
    scan = read(data_root / "brains" / "sub-01_T1w.nii.gz")
    columns, rows = scan.shape[:2]
    full = acquire(
        scan,
        mask="full",
        grid=(rows + 40, columns + 50),
        slices=(90, 92),
        keep_maps=True,
        rng=generator(1),
    )
    fewer = undersample(full, "uniform", rng=generator(2))
    assert fewer.mask.true_acceleration == pytest.approx(4, rel=0.02)
    assert fewer.mask.acs[1] >= 24
    image, scale = reference(scan, full), head_scale(scan.data)
    clean, aliased = (
        float((combined(kspace).abs() - image).square().mean().sqrt()) / scale
        for kspace in (full, fewer)
    )
    # Noise of one part in tissue, of both parts in air; folding is another thing.
    assert 0.0095 < clean < 0.0142
    assert aliased > 2 * clean
    voxel = np.linalg.solve(scan.affine, full.affine @ [0, 20, 25, 1])[:3]
    np.testing.assert_allclose(voxel, [0, 0, 90], atol=1e-6)
