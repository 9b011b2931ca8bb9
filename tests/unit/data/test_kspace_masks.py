"""Masks from files and arrays: of every format, of other sizes, and what never was measured."""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import scipy.io
import torch

from isocenter.data.io import read_kspace, read_mask
from isocenter.data.kspace import Mask
from isocenter.errors import BadKSpace, UsageError
from tests.unit.data.made_kspace import COLUMNS, ROWS, SLICES, coil_images, header, kspace_of
from tests.unit.data.made_kspace import write_fastmri as write

KSPACE = kspace_of(coil_images())
LINES = np.isin(np.arange(COLUMNS), [1, 5, 10, 11, 12, 13, 17, 22])
PLACES = np.random.default_rng(5).random((ROWS, COLUMNS)) < 0.4
PLACES[ROWS // 2, COLUMNS // 2] = True


def saved(kind: str, mask: np.ndarray, folder: Path) -> Path:
    path = folder / f"mask.{kind}"
    if kind == "npy":
        np.save(path, mask)
    elif kind == "mat":
        scipy.io.savemat(path, {"mask": mask.astype(np.complex128)})
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["mask"] = mask.astype(np.float32)
    elif kind == "nii.gz":
        nibabel.Nifti1Image(mask.astype(np.uint8).T, np.eye(4)).to_filename(path)
    else:
        np.savetxt(path, np.atleast_2d(mask), fmt="%d", delimiter="\t" if kind == "tsv" else " ")
    return path


@pytest.mark.parametrize("kind", ["npy", "mat", "h5", "txt", "tsv", "nii.gz"])
def test_places_of_every_format(tmp_path: Path, kind: str) -> None:
    mask = read_mask(saved(kind, PLACES, tmp_path))
    assert mask.dtype == torch.bool
    assert torch.equal(mask, torch.from_numpy(PLACES))


@pytest.mark.parametrize("kind", ["npy", "mat", "h5", "txt", "tsv"])
def test_a_line_pattern_of_every_format(tmp_path: Path, kind: str) -> None:
    assert torch.equal(read_mask(saved(kind, LINES, tmp_path)), torch.from_numpy(LINES))


def test_a_mask_of_slices(tmp_path: Path) -> None:
    mask = np.stack([PLACES, ~PLACES])
    assert torch.equal(read_mask(saved("npy", mask, tmp_path)), torch.from_numpy(mask))
    mask[:, 0, 0] = True
    assert torch.equal(read_mask(saved("nii.gz", mask, tmp_path)), torch.from_numpy(mask))


@pytest.mark.parametrize("given", ["path", "array", "tensor", "mask"])
def test_a_mask_undersamples_in_whatever_form(tmp_path: Path, given: str) -> None:
    forms = {
        "path": saved("npy", LINES, tmp_path),
        "array": LINES,
        "tensor": torch.from_numpy(LINES),
        "mask": Mask(torch.from_numpy(LINES).expand(1, ROWS, -1)),
    }
    kspace = read_kspace(write(tmp_path / "a.h5", KSPACE), mask=forms[given])
    assert torch.equal(kspace.mask.places[0], torch.from_numpy(LINES).expand(ROWS, -1))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE * LINES))
    assert kspace.mask.true_acceleration == 3
    assert kspace.mask.acs == (ROWS, 4)


def test_a_mask_of_all_slices_follows_the_wanted_ones(tmp_path: Path) -> None:
    mask = np.stack([np.roll(PLACES, shift, 1) for shift in range(SLICES)])
    mask[:, ROWS // 2, COLUMNS // 2] = True
    kspace = read_kspace(write(tmp_path / "a.h5", KSPACE), mask=mask, slices=slice(1, 3))
    assert torch.equal(kspace.mask.places, torch.from_numpy(mask[1:]))


def test_a_given_mask_replaces_the_one_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", KSPACE, mask=~LINES)
    assert torch.equal(read_kspace(path, mask=LINES).mask.places[0, 0], torch.from_numpy(LINES))


def test_what_was_never_measured_stays_so_and_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", KSPACE * ~np.isin(np.arange(COLUMNS), [1, 2, 22]))
    kspace = read_kspace(path, mask=LINES)
    assert not kspace.mask.places[..., [1, 22]].any()
    assert "2 columns of the mask hold places that were never measured" in str(
        kspace.history[0].params["warnings"]
    )


def test_crop_cuts_kspace_around_its_centre(tmp_path: Path) -> None:
    xml = header((ROWS, COLUMNS, 1), (ROWS // 2, COLUMNS, 1))
    path = write(tmp_path / "a.h5", KSPACE, xml=xml)
    whole = read_kspace(path)
    kspace = read_kspace(path, mask=LINES[2:-2], crop="centre")
    assert kspace.grid == (ROWS, COLUMNS - 4)
    assert torch.equal(kspace.data, torch.from_numpy((KSPACE * LINES)[..., 2:-2]))
    # The field of view stays: fewer columns are wider, and the centre stays where it was.
    assert np.linalg.norm(kspace.affine[:3, 2]) == pytest.approx(2 * COLUMNS / (COLUMNS - 4))
    old, new = [0, ROWS // 2, COLUMNS // 2, 1], [0, ROWS // 2, (COLUMNS - 4) // 2, 1]
    np.testing.assert_allclose(kspace.affine @ new, whole.affine @ old)
    assert kspace.image_shape == (ROWS // 2, COLUMNS - 4)


def test_crop_cuts_a_larger_mask_around_its_centre(tmp_path: Path) -> None:
    kspace = read_kspace(write(tmp_path / "a.h5", KSPACE), mask=np.pad(LINES, 3), crop="centre")
    assert torch.equal(kspace.mask.places[0, 0], torch.from_numpy(LINES))


def test_another_crop_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="crop is 'left'"):
        read_kspace(write(tmp_path / "a.h5", KSPACE), crop="left")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("1 0 2\n", "one row of 0 and 1"), ("1 0\n1\n", "one row of 0 and 1"), ("\n", "row of 0")],
)
def test_text_that_is_no_mask_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "mask.txt").write_text(content)
    with pytest.raises(BadKSpace, match=sentence):
        read_mask(tmp_path / "mask.txt")


def test_files_without_a_mask_say_what_they_hold(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"pattern": LINES})
    with pytest.raises(BadKSpace, match="no mask; variables found: pattern"):
        read_mask(tmp_path / "a.mat")
    with pytest.raises(BadKSpace, match="no mask; keys found: kspace"):
        read_mask(write(tmp_path / "a.h5", KSPACE))
