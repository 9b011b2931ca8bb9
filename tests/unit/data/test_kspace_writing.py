"""What is written of k-space reads back as it was; its image lies where the header says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from isocenter.data.io import read, read_kspace, to_scan, write, write_cfl, write_kspace_hdf5
from isocenter.data.io.kspace.cfl import load_maps
from isocenter.data.kspace import KSpace, Mask
from isocenter.data.step import Step
from isocenter.errors import BadKSpace, ResourceError, UsageError
from isocenter.ops.fourier import ifft
from tests.unit.data.made_kspace import COILS, COLUMNS, ROWS, SLICES, coil_images, kspace_of


def made(places: torch.Tensor | None = None) -> KSpace:
    data = torch.from_numpy(kspace_of(coil_images()))
    full = torch.ones(1, ROWS, COLUMNS, dtype=torch.bool)
    mask = Mask(full if places is None else places)
    affine = np.array([[0, 0, -2.0, 7], [0, -1.5, 0, 8], [4.0, 0, 0, 9], [0, 0, 0, 1]])
    maps = torch.nn.functional.normalize(coil_images(), dim=1)[:, None]
    return KSpace(
        data * mask.places[:, None],
        mask,
        affine,
        maps,
        torch.arange(COILS * 5).to(torch.complex64).reshape(COILS, 5),
        (ROWS // 2, COLUMNS),
        "T1w",
        (Step("acquire", {"acceleration": 4}, 7),),
    )


def lines() -> torch.Tensor:
    return (torch.arange(COLUMNS) % 3 == 0).expand(1, ROWS, -1).clone()


def places() -> torch.Tensor:
    """Another pattern in every slice."""
    grid = torch.arange(SLICES * ROWS * COLUMNS).reshape(SLICES, ROWS, COLUMNS)
    return (grid * 7919) % 13 < 5


@pytest.mark.parametrize("pattern", [None, lines, places])
def test_hdf5_reads_back_as_it_was(tmp_path: Path, pattern: object) -> None:
    kspace = made(pattern() if callable(pattern) else None)
    again = read_kspace(write_kspace_hdf5(kspace, tmp_path / "a.h5"))
    assert torch.equal(again.data, kspace.data)
    assert torch.equal(again.mask.places, kspace.mask.places)
    np.testing.assert_allclose(again.affine, kspace.affine)
    assert again.maps is not None and kspace.maps is not None  # noqa: PT018
    torch.testing.assert_close(again.maps, kspace.maps)
    assert again.noise is not None
    assert torch.equal(again.noise, kspace.noise)
    assert (again.image_shape, again.contrast) == (kspace.image_shape, kspace.contrast)
    before = again.history[0].params["before"]
    assert before == [{"name": "acquire", "params": {"acceleration": 4}, "seed": 7}]


def test_hdf5_of_some_slices_reads_back_with_their_maps(tmp_path: Path) -> None:
    kspace = made()
    again = read_kspace(write_kspace_hdf5(kspace, tmp_path / "a.h5"), slices=slice(1, 3))
    expected = kspace.slices(slice(1, 3))
    np.testing.assert_allclose(again.affine, expected.affine)
    assert again.maps is not None and expected.maps is not None  # noqa: PT018
    torch.testing.assert_close(again.maps, expected.maps)


def test_the_same_kspace_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_kspace_hdf5(made(), tmp_path / "a.h5").read_bytes()
    assert write_kspace_hdf5(made(), tmp_path / "b.h5").read_bytes() == first


def test_hdf5_without_extras(tmp_path: Path) -> None:
    bare = replace(made(), maps=None, noise=None, image_shape=None, contrast=None)
    again = read_kspace(write_kspace_hdf5(bare, tmp_path / "a.h5"))
    assert (again.maps, again.noise, again.image_shape, again.contrast) == (None,) * 4


@pytest.mark.parametrize("name", ["a", "a.cfl", "a.hdr"])
def test_cfl_reads_back(tmp_path: Path, name: str) -> None:
    kspace = made(lines())
    assert write_cfl(kspace, tmp_path / name) == tmp_path / "a.hdr"
    again = read_kspace(tmp_path / "a.cfl")
    assert torch.equal(again.data, kspace.data)
    assert torch.equal(again.mask.places, kspace.mask.places)


def test_cfl_of_maps_reads_back(tmp_path: Path) -> None:
    maps = torch.randn(2, 3, 4, 5, 6, dtype=torch.complex64, generator=torch.Generator())
    assert np.array_equal(load_maps(write_cfl(maps, tmp_path / "maps")), maps.numpy())


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write \.dat: use \.h5"):
        write_kspace_hdf5(made(), tmp_path / "a.dat")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError):
        write_cfl(made(), tmp_path / "none" / "a")
    with pytest.raises(ResourceError):
        write_kspace_hdf5(made(), tmp_path / "none" / "a.h5")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("kept", [None, (20, 15), (21, 24)])
def test_every_voxel_keeps_its_place(order: tuple[int, ...], kept: tuple[int, int] | None) -> None:
    rotation = np.zeros((3, 3))
    rotation[list(order), range(3)] = [-4.0, 1.5, -2.0]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation, [3, -5, 8]
    kspace = replace(made(), affine=affine, image_shape=kept)
    image = torch.rand(SLICES, ROWS, COLUMNS, generator=torch.Generator()) + 1
    scan = to_scan(image, kspace)
    rows, columns = kept or (ROWS, COLUMNS)
    assert sorted(scan.shape) == sorted((SLICES, rows, columns))
    assert (scan.affine[:3, :3] >= 0).all()
    for index in [(0, ROWS // 2, COLUMNS // 2), (2, ROWS // 2 - 9, COLUMNS // 2 + 6)]:
        world = affine @ [*index, 1]
        place = np.linalg.solve(scan.affine, world)[:3].round().astype(int)
        assert scan.data[tuple(place)] == image[index]


def test_a_scan_goes_to_nifti_with_its_affine(tmp_path: Path) -> None:
    kspace = made()
    scan = to_scan(ifft(kspace.data, (-2, -1))[:, 0], kspace)
    write(scan, tmp_path / "a.nii.gz")
    stored = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(stored.affine, scan.affine)
    torch.testing.assert_close(read(tmp_path / "a.nii.gz").data, scan.data)
    assert (scan.contrast, scan.history) == ("T1w", kspace.history)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(BadKSpace, match=r"the image is \(3, 4, 5\), k-space has 3 slices of 32"):
        to_scan(torch.zeros(3, 4, 5), made())
