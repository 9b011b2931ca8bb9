"""Whatever is wrong with a file, the answer is an image or one sentence, never a traceback."""

from __future__ import annotations

from pathlib import Path

import make_inputs
import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.data.io import Loaded, Selection, count_volumes, load
from isocenter.errors import InputError

HEAD = make_inputs.head((12, 11, 10))
same_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)
changes = st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=6)


def stored(ending: str, folder: Path) -> bytes:
    path = folder / f"whole{ending}"
    kinds = {".nii": nibabel.Nifti1Image, ".nii2": nibabel.Nifti2Image, ".mgh": nibabel.MGHImage}
    if ending == ".mnc":
        return make_inputs.hdf5(folder, data=HEAD, shape=None).read_bytes()
    made = path.with_suffix(".nii") if ending == ".nii2" else path
    kinds[ending](HEAD, make_inputs.AFFINE).to_filename(made)
    return made.read_bytes()


@pytest.mark.parametrize("ending", [".nii", ".nii2", ".mgh", ".mnc"])
@same_folder
@given(changes=changes)
def test_a_header_with_random_bytes(
    ending: str, changes: list[tuple[int, int]], tmp_path: Path
) -> None:
    content = bytearray(stored(ending, tmp_path))
    for place, value in changes:
        content[place] = value
    assert_image_or_sentence(tmp_path / f"scan{ending.replace('2', '')}", bytes(content))


@pytest.mark.parametrize("ending", [".nii", ".mgh", ".mnc", ".img", ".dcm", ".unknown"])
@same_folder
@given(content=st.binary(max_size=2000))
def test_a_file_of_random_bytes(ending: str, content: bytes, tmp_path: Path) -> None:
    assert_image_or_sentence(tmp_path / f"scan{ending}", content)


def assert_image_or_sentence(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    outcome = read_or_sentence(path)
    if isinstance(outcome, str):
        assert outcome
        assert "\n" not in outcome
        return
    assert np.isfinite(outcome.data).all()
    assert np.isfinite(outcome.affine).all()
    assert outcome.data.size <= 100_000
    assert np.ptp(outcome.data) > 0


def read_or_sentence(path: Path) -> Loaded | str:
    try:
        count_volumes(path)
        return load(path, Selection(volume=0, max_voxels=100_000))
    except InputError as error:
        return str(error)
