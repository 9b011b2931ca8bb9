"""fastMRI files: what they say arrives, and only the wanted slices are read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from isocenter.data.io import read, read_kspace
from isocenter.errors import BadKSpace, BadVolume, NothingFound, UsageError
from tests.unit.data.made_kspace import (
    COILS,
    COLUMNS,
    ROWS,
    SLICES,
    coil_images,
    header,
    kspace_of,
    write_fastmri,
)

KSPACE = kspace_of(coil_images())


def test_a_multicoil_file_arrives_whole(tmp_path: Path) -> None:
    path = write_fastmri(tmp_path / "a.h5", KSPACE, xml=header((ROWS, COLUMNS, 1)))
    kspace = read_kspace(path)
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))
    assert kspace.mask.true_acceleration == 1
    assert kspace.image_shape is None
    assert kspace.maps is None
    assert np.linalg.norm(kspace.affine[:3, :3], axis=0).tolist() == [5, 1.5, 2]


def test_a_singlecoil_file_has_one_coil(tmp_path: Path) -> None:
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE[:, 0]))
    assert kspace.data.shape == (SLICES, 1, ROWS, COLUMNS)
    assert torch.equal(kspace.data[:, 0], torch.from_numpy(KSPACE[:, 0]))
    assert "voxel size missing: assumed 1 mm" in kspace.history[0].params["warnings"]


def test_columns_outside_the_limits_were_never_acquired(tmp_path: Path) -> None:
    # Lines 0 to 19 with the centre at 8, of 24: columns 4 to 23.
    xml = header((ROWS, COLUMNS, 1), maximum=19, centre=8)
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE, xml=xml))
    assert kspace.mask.places[0, 0].nonzero().flatten().tolist() == list(range(4, 24))
    assert not kspace.data[..., :4].any()


def test_the_mask_of_the_file_is_kept_within_what_was_acquired(tmp_path: Path) -> None:
    mask = np.zeros(COLUMNS, np.float32)
    mask[[0, 3, 9, 10, 11, 12, 13, 17]] = 1
    xml = header((ROWS, COLUMNS, 1), maximum=21, centre=10)
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE * mask, xml=xml, mask=mask))
    measured = kspace.mask.places[0, 5].nonzero().flatten().tolist()
    assert measured == [3, 9, 10, 11, 12, 13, 17]
    assert kspace.mask.acs == (ROWS, 5)


def test_gaps_are_found_where_no_mask_is_given(tmp_path: Path) -> None:
    holes = KSPACE.copy()
    holes[..., ::3] = 0
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", holes))
    assert kspace.mask.places.shape == (1, ROWS, COLUMNS)
    assert not kspace.mask.places[..., ::3].any()
    assert kspace.mask.true_acceleration == pytest.approx(1.5)


def test_slices_with_other_lines_keep_masks_of_their_own(tmp_path: Path) -> None:
    holes = KSPACE.copy()
    holes[0, ..., 1::4], holes[1:, ..., 2::4] = 0, 0
    places = read_kspace(write_fastmri(tmp_path / "a.h5", holes)).mask.places
    assert places.shape == (SLICES, ROWS, COLUMNS)
    assert not places[0, :, 1::4].any()
    assert not places[2, :, 2::4].any()


def test_a_few_zeros_are_chance_and_no_gaps(tmp_path: Path) -> None:
    big = np.tile(KSPACE[:1], (1, 1, 2, 2))
    big[:, :, 5, 7] = 0
    assert read_kspace(write_fastmri(tmp_path / "a.h5", big)).mask.places.all()


def test_the_reconstructed_matrix_is_the_image_shape(tmp_path: Path) -> None:
    xml = header((ROWS, COLUMNS, 1), (ROWS // 2, COLUMNS, 1))
    assert read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE, xml=xml)).image_shape == (16, 24)


def test_attributes_but_no_patient_enter_the_history(tmp_path: Path) -> None:
    attrs = {"acquisition": "AXT2", "max": 0.5, "norm": 2.0, "patient_id": "canary-7"}
    path = write_fastmri(tmp_path / "a.h5", KSPACE, xml=header((ROWS, COLUMNS, 1)), attrs=attrs)
    kspace = read_kspace(path)
    facts = kspace.history[0].params
    assert kspace.contrast == "T2w"
    assert (facts["acquisition"], facts["max"], facts["field_strength"]) == ("AXT2", 0.5, 1.5)
    assert "canary" not in repr(kspace.history)
    assert read_kspace(path, contrast="PDw").contrast == "PDw"


def test_a_run_of_slices_is_read_and_placed(tmp_path: Path) -> None:
    path = write_fastmri(tmp_path / "a.h5", KSPACE, xml=header((ROWS, COLUMNS, 1)))
    whole, part = read_kspace(path), read_kspace(path, slices=slice(1, 3))
    assert torch.equal(part.data, whole.data[1:3])
    np.testing.assert_allclose(part.affine, whole.slices(slice(1, 3)).affine)
    assert torch.equal(read_kspace(path, slices=2).data, whole.data[2:])
    assert torch.equal(read_kspace(path, slices=-1).data, whole.data[2:])


def test_other_slices_are_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_fastmri(tmp_path / "a.h5", KSPACE)
    asked: list[object] = []
    original = h5py.Dataset.__getitem__

    def watched(self: h5py.Dataset, key: object, **more: object) -> object:
        if self.name == "/kspace":
            asked.append(key)
        return original(self, key, **more)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", watched)
    read_kspace(path, slices=slice(1, 2))
    assert asked == [slice(1, 2)]


@pytest.mark.parametrize("slices", [7, slice(5, 9), slice(2, 2)])
def test_slices_that_are_not_there_are_refused(tmp_path: Path, slices: slice | int) -> None:
    path = write_fastmri(tmp_path / "a.h5", KSPACE)
    with pytest.raises(BadKSpace, match="no such slices: the file has 3"):
        read_kspace(path, slices=slices)


def test_slices_come_without_a_step(tmp_path: Path) -> None:
    path = write_fastmri(tmp_path / "a.h5", KSPACE)
    with pytest.raises(UsageError, match="without a step"):
        read_kspace(path, slices=slice(0, 3, 2))


def test_halves_in_two_fields_are_complex(tmp_path: Path) -> None:
    pairs = np.zeros(KSPACE.shape, [("real", "<f4"), ("imag", "<f4")])
    pairs["real"], pairs["imag"] = KSPACE.real, KSPACE.imag
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", pairs))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))


def test_coils_without_signal_are_dropped_with_their_maps(tmp_path: Path) -> None:
    silent = KSPACE.copy()
    silent[:, 1] = 0
    maps = np.ones((SLICES, 1, COILS, ROWS, COLUMNS), np.complex64)
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", silent), maps=maps)
    assert kspace.n_coils == 3
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE[:, [0, 2, 3]]))
    assert kspace.maps is not None
    assert kspace.maps.shape[2] == 3
    assert torch.allclose(kspace.maps.abs().square().sum(2), torch.ones(()))
    assert "coils without signal were dropped: 1" in kspace.history[0].params["warnings"]


def test_odd_sides_are_read(tmp_path: Path) -> None:
    images = coil_images(31, 23)
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", kspace_of(images)))
    assert kspace.grid == (31, 23)


def test_an_image_reader_says_that_it_is_kspace(tmp_path: Path) -> None:
    path = write_fastmri(tmp_path / "a.h5", KSPACE)
    with pytest.raises(BadVolume, match=r"this is k-space.*`isocenter reconstruct`"):
        read(path)


def test_no_file_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(NothingFound):
        read_kspace(tmp_path / "none.h5")
