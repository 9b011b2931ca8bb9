"""BART pairs, NumPy and MATLAB arrays: what their axes mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from isocenter.data.io import read_kspace
from isocenter.data.io.kspace._readout import readout_to_image
from isocenter.data.random import generator
from isocenter.errors import BadKSpace, NeedsChoice, UsageError
from isocenter.ops.fourier import fft, ifft
from tests.unit.data.made_kspace import COLUMNS, ROWS, coil_images, kspace_of, write_pair

KSPACE = kspace_of(coil_images())
WHOLE = torch.from_numpy(KSPACE)


def said(kspace: object) -> str:
    return str(kspace.history[0].params["warnings"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("side", [1, 6, 7])
def test_the_readout_is_transformed_as_images_are(side: int) -> None:
    kspace = torch.randn(2, side, 3, dtype=torch.complex64, generator=generator(1))
    found = readout_to_image(kspace.numpy(), axis=1)
    assert found.dtype == np.complex64
    torch.testing.assert_close(torch.from_numpy(found), ifft(kspace, (1,)))


def test_numpy_slices_arrive_whole(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", KSPACE)
    assert torch.equal(read_kspace(tmp_path / "a.npy").data, WHOLE)
    assert torch.equal(read_kspace(tmp_path / "a.npy", slices=1).data, WHOLE[1:2])


def test_three_axes_are_coils_and_one_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", KSPACE[1].astype(np.complex128))
    kspace = read_kspace(tmp_path / "a.npy")
    assert torch.equal(kspace.data, WHOLE[1:2])
    assert "three axes were taken as coil, y, x" in said(kspace)


def test_two_axes_are_one_coil(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", KSPACE[1, 2])
    assert torch.equal(read_kspace(tmp_path / "a.npy").data, WHOLE[1:2, 2:3])


def test_named_axes_are_brought_into_order(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([KSPACE, 3 * KSPACE]).transpose(4, 2, 1, 0, 3))
    kspace = read_kspace(tmp_path / "a.npy", axes="xcsay")
    torch.testing.assert_close(kspace.data, 2 * WHOLE)
    assert kspace.history[0].params["n_averages"] == 2


@pytest.mark.parametrize("header", [b"{'shape': (3, ", b"{'descr': '|O'", b"\xff\xfe", b"1" * 70])
def test_a_damaged_numpy_header_is_refused(tmp_path: Path, header: bytes) -> None:
    np.save(tmp_path / "a.npy", KSPACE)
    content = bytearray((tmp_path / "a.npy").read_bytes())
    content[10:118] = header.ljust(108)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(BadKSpace, match="no readable NumPy array") as caught:
        read_kspace(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(BadKSpace, match="no readable NumPy array"):
        read_kspace(tmp_path / "a.npy")


@pytest.mark.parametrize("axes", ["yx", "scyy", "scyz", "acsx"])
def test_axes_that_do_not_fit_are_refused(tmp_path: Path, axes: str) -> None:
    np.save(tmp_path / "a.npy", KSPACE)
    with pytest.raises(UsageError, match="do not fit an array of shape"):
        read_kspace(tmp_path / "a.npy", axes=axes)


def test_the_array_on_the_disk_is_not_touched(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", KSPACE)
    before = (tmp_path / "a.npy").read_bytes()
    mask = np.arange(COLUMNS) % 2 == 0
    read_kspace(tmp_path / "a.npy", mask=mask)
    assert (tmp_path / "a.npy").read_bytes() == before


def test_a_voxel_size_keeps_the_centre_in_place(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", KSPACE)
    assumed = read_kspace(tmp_path / "a.npy")
    kspace = read_kspace(tmp_path / "a.npy", voxel_size=(5, 1.5, 2))
    assert np.linalg.norm(kspace.affine[:3, :3], axis=0).tolist() == [5, 1.5, 2]
    middle = [0, ROWS // 2, COLUMNS // 2, 1]
    np.testing.assert_allclose(kspace.affine @ middle, assumed.affine @ middle)
    assert "voxel size" not in said(kspace)


def test_matlab_slices_of_one_coil(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a_FLAIR.mat", {"kspace": KSPACE[:, 0].transpose(1, 2, 0)})
    kspace = read_kspace(tmp_path / "a_FLAIR.mat")
    assert torch.equal(kspace.data, WHOLE[:, :1])
    assert kspace.contrast == "FLAIR"
    assert "y, x, slice of one coil" in said(kspace)
    assert "voxel size missing" in said(kspace)


def test_matlab_averages_become_their_mean(tmp_path: Path) -> None:
    both = np.stack([KSPACE[:, 0], 2 * KSPACE[:, 0]], -1).transpose(1, 2, 0, 3)
    scipy.io.savemat(tmp_path / "a.mat", {"note": "x", "ksp": both})
    torch.testing.assert_close(read_kspace(tmp_path / "a.mat").data, 1.5 * WHOLE[:, :1])


def test_matlab_coils_are_read_when_named(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"kspace": KSPACE[1].transpose(1, 2, 0)})
    assert torch.equal(read_kspace(tmp_path / "a.mat", axes="yxc").data, WHOLE[1:2])


def test_matlab_images_are_no_kspace(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"image": np.ones((8, 8))})
    with pytest.raises(BadKSpace, match="no kspace; variables found: image"):
        read_kspace(tmp_path / "a.mat")


def test_newer_matlab_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: x".ljust(600))
    with pytest.raises(BadKSpace, match="MATLAB 7.3 is not read.*-v7"):
        read_kspace(tmp_path / "a.mat")


def bart(kspace: np.ndarray) -> np.ndarray:
    """(slice, coil, y, x) on BART's axes."""
    return kspace.transpose(2, 3, 1, 0).reshape(ROWS, COLUMNS, 1, -1, *[1] * 9, len(kspace))


@pytest.mark.parametrize("half", [".cfl", ".hdr"])
def test_a_pair_of_slices_arrives_whole(tmp_path: Path, half: str) -> None:
    write_pair(tmp_path / "a", bart(KSPACE))
    kspace = read_kspace((tmp_path / "a").with_suffix(half))
    assert torch.equal(kspace.data, WHOLE)
    assert torch.equal(read_kspace(tmp_path / "a.cfl", slices=2).data, WHOLE[2:])


def test_a_pair_in_three_dimensions_becomes_a_stack(tmp_path: Path) -> None:
    images = coil_images(10, 8, 6, 2)  # (readout, coil, second phase, first phase)
    solid = fft(images, (0, 2, 3)).numpy()
    path = write_pair(tmp_path / "a", solid.transpose(0, 3, 2, 1))
    found = read_kspace(path)
    assert found.data.shape == (6, 2, 10, 8)
    torch.testing.assert_close(ifft(found.data, (-2, -1)), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(read_kspace(path, slices=4).data, found.data[4:5])


def test_one_of_several_echoes_is_chosen(tmp_path: Path) -> None:
    one = KSPACE[0].transpose(1, 2, 0)[:, :, None, :, None]
    path = write_pair(tmp_path / "a", np.stack([one, 2 * one], 5))
    with pytest.raises(NeedsChoice, match=r"2 volumes \(echo\)"):
        read_kspace(path)
    assert torch.equal(read_kspace(path, volume=1).data, 2 * WHOLE[:1])


def test_maps_of_a_pair_have_sets(tmp_path: Path) -> None:
    sets = np.stack([KSPACE, 1j * KSPACE], 1)  # (slice, set, coil, y, x)
    stored = sets.transpose(3, 4, 2, 1, 0)[:, :, None].reshape(ROWS, COLUMNS, 1, 4, 2, *[1] * 8, 3)
    maps = write_pair(tmp_path / "maps", stored)
    write_pair(tmp_path / "a", bart(KSPACE))
    kspace = read_kspace(tmp_path / "a.cfl", maps=maps, slices=slice(1, 3))
    assert kspace.maps is not None
    assert torch.equal(kspace.maps, torch.from_numpy(sets[1:].astype(np.complex64)))


def test_coil_maps_are_no_kspace(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "a", np.ones((8, 8, 1, 2, 2), np.complex64))
    with pytest.raises(BadKSpace, match="these are coil maps"):
        read_kspace(path)
