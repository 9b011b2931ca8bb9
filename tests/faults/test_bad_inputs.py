"""Rows 1 to 55 of the fault table: refused in one sentence, or read with the right values.

Every refused file is also tried in a process of its own: without torch, in little time and
little memory.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import make_inputs
import numpy as np
import pytest

from isocenter.data.io import Loaded, Selection, _door, count_volumes, load
from isocenter.errors import BadVolume, InputError, NeedsChoice, NothingFound

CPU_SECONDS, PEAK_BYTES = 2.0, 300e6
ALONE = """
import json, resource, sys
from pathlib import Path
from isocenter.data.io import load
from isocenter.errors import IsocenterError
try:
    load(sys.argv[1])
    said = None
except IsocenterError as error:
    said = [type(error).__name__, error.exit_code, str(error)]
spent = resource.getrusage(resource.RUSAGE_SELF)
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
peak = [line for line in lines if "VmHWM" in line]
print(json.dumps({
    "said": said,
    "cpu": spent.ru_utime + spent.ru_stime,
    "peak": int(peak[0].split()[1]) * 1024 if peak else 0,
    "torch": "torch" in sys.modules,
}))
"""

REFUSED = {
    "row01_empty": "file is empty",
    "row02_gzip_cut": r"compressed data ends early \(got [\d,]+ of 41,312 bytes\)",
    "row02_gzip_without_trailer": "compressed data ends early",
    "row02_gzip_cut_in_header": "compressed data ends early",
    "row03_plain_cut": r"data ends early \(got 20,656 of 41,312 bytes\)",
    "row04_checksum": "checksum mismatch: file is damaged",
    "row04_length": "checksum mismatch: file is damaged",
    "row05_bit_flip": "checksum mismatch: file is damaged",
    "row05_code_flip": "file is damaged",
    "row09_page": "this is an HTML page",
    "row09_lfs_pointer": "git-lfs pointer.*git lfs pull",
    "row09_annex_pointer": "git-annex pointer.*datalad get",
    "row10_zeros": "not a NIfTI header",
    "row11_no_axes": "image has no voxels",
    "row12_no_columns": "image has no voxels",
    "row13_negative_side": "negative dimension in header",
    "row14_nine_axes": r"dim\[0\]=9 outside 1\.\.7",
    "row15_exabytes": "header asks 2.3 EB; file has 41 kB",
    "row15_exabytes_gz": "header asks 2.3 EB; file has",
    "row16_bomb_honest": "--max-voxels",
    "row16_bomb_within_budget": "header asks 537 MB; file has 5.. kB",
    "row16_bomb_of_many_volumes": "header asks 1.1 GB; file has 1.0 MB",
    "row16_bomb_behind_image": "more than 16 MB follow the image",
    "row17_datatype": "datatype is 9999",
    "row18_rgb": r"colour image \(RGB24\): not an MR magnitude image",
    "row18_rgba": r"colour image \(RGBA32\): not an MR magnitude image",
    "row20_all_nan": "no finite voxels",
    "row22_constant": "constant image: no score",
    "row22_constant_but_nan": "constant image: no score",
    "row23_single_voxel": "constant image: no score",
    "row26_five_axes": "5-D vector image of 32 x 32 x 20 x 1 x 3",
    "row35_sform_nan": "affine is not finite",
    "row36_singular": "affine is singular",
    "row36_zero_column": "affine is singular",
    "row39_microns_but_mm": r"voxel size 0\.002 x 0\.002 x 0\.0025 mm is not plausible",
    "row39_huge": "voxel size 400 x 2 x 2.5 mm is not plausible.*--voxel-size",
    "row41_offset_nan": "vox_offset is nan",
    "row42_offset_beyond": "vox_offset .* beyond the file",
    "row42_offset_negative": "vox_offset is negative",
    "row45_lonely_header": r"missing companion scan\.img",
    "row45_lonely_image": r"missing companion scan\.hdr",
    "row46_broken_annex_link": "content not fetched.*datalad get",
    "row46_broken_link": "content not fetched",
    "row47_pipe": "a pipe, not a file",
    "row47_device": "a device, not a file",
    "mgz_cut": "compressed data ends early",
    "mgh_claims_too_much": "header asks over 1000 EB; file has 41 kB",
    "mgh_negative_side": "negative dimension in header",
    "minc1_cut": "MINC file is damaged or cut short",
    "minc1_claims_too_much": "MINC file is damaged or cut short",
    "minc2_external_storage": "HDF5 external storage refused",
    "minc2_external_link": "HDF5 ExternalLink refused",
    "minc2_link_loop": "HDF5 SoftLink refused",
    "minc2_hard_loop": "more than 2000 objects",
    "minc2_claims_too_much": "header asks 16,000,000,000 bytes",
    "minc2_not_minc": "without the group minc-2.0",
    "minc2_cut": "MINC file is damaged or cut short",
    "no_scan_at_all": "neither content nor name is that of a scan",
}


@dataclass(frozen=True)
class Read:
    """What an unusual but usable file must give: plain head values unless said otherwise."""

    warnings: tuple[str, ...] = ()
    """One pattern for each warning, in order; nothing else may be said."""
    values: np.ndarray = field(default_factory=make_inputs.head)
    selection: Selection = field(default_factory=Selection)
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.5)


HEAD = make_inputs.head().astype(np.float64)


def with_zeros_at_ends() -> np.ndarray:
    data = HEAD.copy()
    data[0, 0, :5] = data[1, 0, :3] = 0
    return data


NO_PLACE = "orientation unknown: left/right not guaranteed"
NEGATIVE = r"\d+ % of the voxels are negative: "
FRAME = "a frame of zeros surrounds the image"
LABELS = "looks like a label or derived map"
ACCEPTED = {
    "row06_garbage_behind": Read(("not gzip follow the image and were ignored",)),
    "row06_second_member": Read(("second compressed part follows the image and was ignored",)),
    "row06_one_image_in_two_members": Read(),
    "row07_plain_named_gz": Read(("the name says compressed, the content is not",)),
    "row08_gzip_named_nii": Read(("gzip-compressed, the name does not say so",)),
    "row19_complex": Read(("complex image: its magnitude was used",)),
    "row21_some_nan": Read(
        (r"8 voxels \(0\.0391 %\) are NaN or Inf and were set to 0",), with_zeros_at_ends()
    ),
    "row23_one_slice": Read(values=HEAD[:, :, 10:11]),
    "row24_two_axes": Read(values=HEAD[:, :, 10:11]),
    "row25_four_axes": Read(values=make_inputs.head(seed=2), selection=Selection(volume=2)),
    "row25_four_axes_plain": Read(values=make_inputs.head(seed=3), selection=Selection(volume=3)),
    "row26_trailing_singletons": Read(),
    "row27_slope_zero": Read(("slope is 0: intercept 5 ignored",)),
    "row28_slope_nan": Read(("scale slope is not a number; raw values used",)),
    "row28_slope_infinite": Read(("scale slope is infinite; raw values used",)),
    "row28_intercept_nan": Read(("scale intercept is not finite; 0 used",)),
    "row29_slope_and_intercept": Read(values=HEAD * 0.37 + 12.5),
    "row30_wrapped": Read(
        (NEGATIVE + "uint16 stored as int16",),
        (make_inputs.head().astype(np.int64) * 60).astype(np.uint16).view(np.int16),
    ),
    "row31_big_endian": Read(),
    "row32_nifti2": Read(),
    "row33_no_orientation": Read((NO_PLACE,)),
    "row34_conflict": Read((r"sform and qform differ by up to 7\.0 mm: sform was used",)),
    "row37_sheared": Read((r"the voxel axes are sheared",), spacing=(2.0, 2.0396, 2.5)),
    "row37_oblique": Read(),
    "row38_no_size": Read((NO_PLACE, "voxel size missing: assumed 1 mm"), spacing=(1.0, 1.0, 1.0)),
    "row39_metres": Read(("given in metres and converted to mm",)),
    "row40_anisotropic": Read(spacing=(0.4, 0.4, 7.0)),
    "row42_offset_zero": Read(("vox_offset is 0: 352 was used",)),
    "row43_extension": Read(),
    "row44_sizeof_zero": Read(("sizeof_hdr is 0, not 348",)),
    "row50_skull_stripped": Read((FRAME,), np.where(HEAD < 200, 0, HEAD)),
    "row51_defaced": Read(values=make_inputs.defaced()),
    "row52_frame": Read((FRAME,), np.pad(HEAD, ((8, 8), (6, 4), (5, 5)))),
    "row53_noise_only": Read(values=make_inputs.noise()),
    "row54_labels": Read((FRAME, LABELS), make_inputs.labels()),
    "row54_signed_map": Read((NEGATIVE + "not a magnitude image",), make_inputs.signed_map()),
}
ODD_SLICES = {
    "row55_double_slice": "slice 21 is the same as the one before",
    "row55_swapped_slices": "slices .* seem to be swapped",
    "row55_swapped_neighbours": "slices 11 and 12 seem to be swapped",
    "row55_missing_slices": "slices seem to be missing between 12 and 13",
    "row55_empty_slice": "slice 20 is empty inside the image",
}
ASKED = {"row47_folder", "row25_four_axes", "row25_four_axes_plain"}


def test_every_made_input_is_tested() -> None:
    tested = {*REFUSED, *ACCEPTED, *ODD_SLICES, *ASKED}
    assert tested == set(make_inputs.MAKERS)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    path = make_inputs.MAKERS[name](tmp_path)
    with pytest.raises(BadVolume, match=REFUSED[name]) as caught:
        load(path)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_fast_small_and_without_torch(name: str, tmp_path: Path) -> None:
    path = make_inputs.MAKERS[name](tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", ALONE, path], capture_output=True, text=True, timeout=30, check=True
    )
    seen = json.loads(run.stdout)
    assert seen["said"][:2] == ["BadVolume", 3]
    assert not seen["torch"]
    assert seen["cpu"] < CPU_SECONDS
    assert seen["peak"] < PEAK_BYTES


@pytest.mark.parametrize("name", ACCEPTED)
def test_read_with_right_values_and_warnings(name: str, tmp_path: Path) -> None:
    expected = ACCEPTED[name]
    loaded = load(make_inputs.MAKERS[name](tmp_path), expected.selection)
    np.testing.assert_allclose(loaded.data, expected.values, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(loaded.facts.spacing, expected.spacing, rtol=1e-4)
    assert loaded.data.dtype == np.float32
    said = loaded.facts.warnings
    assert len(said) == len(expected.warnings), said
    for sentence, pattern in zip(said, expected.warnings, strict=True):
        assert_says(sentence, pattern)


@pytest.mark.parametrize("name", ODD_SLICES)
def test_odd_slices_are_named(name: str, tmp_path: Path) -> None:
    (said,) = load(make_inputs.MAKERS[name](tmp_path)).facts.warnings
    assert_says(said, ODD_SLICES[name])


def assert_says(sentence: str, pattern: str) -> None:
    assert re.search(pattern, sentence), sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["row25_four_axes", "row25_four_axes_plain"])
def test_several_volumes_are_counted_and_asked_for(name: str, tmp_path: Path) -> None:
    path = make_inputs.MAKERS[name](tmp_path)
    assert count_volumes(path) == 4
    with pytest.raises(NeedsChoice, match=r"4 volumes .* --volume 0 to 3"):
        load(path)
    with pytest.raises(NeedsChoice, match="no volume 4"):
        load(path, Selection(volume=4))
    for index in range(4):
        loaded = load(path, Selection(volume=index))
        assert loaded.n_volumes == 4
        np.testing.assert_array_equal(loaded.data, make_inputs.head(seed=index))


@pytest.mark.parametrize(
    "name", ["row15_exabytes", "row16_bomb_of_many_volumes", "row09_page", "row11_no_axes"]
)
def test_counting_refuses_as_reading_does(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadVolume, match=REFUSED[name]):
        count_volumes(make_inputs.MAKERS[name](tmp_path))


def test_one_volume_of_many_costs_one_volume(tmp_path: Path) -> None:
    volumes = np.random.default_rng(0).integers(0, 900, (96, 96, 40, 120), np.int16)
    path = make_inputs.put(tmp_path / "bold.nii", make_inputs.nifti(volumes))
    code = ALONE.replace("load(sys.argv[1])", "load(sys.argv[1], Selection(volume=60))")
    code = code.replace("import load", "import Selection, load")
    run = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    seen = json.loads(run.stdout)
    assert seen["said"] is None
    assert seen["peak"] < volumes.nbytes
    np.testing.assert_array_equal(load(path, Selection(volume=60)).data, volumes[..., 60])


def test_a_folder_without_scans_is_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(NothingFound):
        load(make_inputs.MAKERS["row47_folder"](tmp_path))


def test_a_missing_file_is_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match="no such file"):
        load(tmp_path / "scan.nii")


def test_an_unreadable_file_is_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_inputs.put(tmp_path / "scan.nii", make_inputs.nifti(make_inputs.head()))
    path.chmod(0)
    if os.access(path, os.R_OK):  # the administrator may read everything
        monkeypatch.setattr(_door.os, "access", lambda *_: False)  # type: ignore[attr-defined]
    with pytest.raises(BadVolume, match="permission denied"):
        load(path)


@pytest.mark.parametrize("budget", [20_479, 20_480])
def test_the_budget_is_exact(budget: int, tmp_path: Path) -> None:
    path = make_inputs.put(tmp_path / "scan.nii", make_inputs.nifti(make_inputs.head()))
    if budget < 20_480:
        with pytest.raises(BadVolume, match=r"32 x 32 x 20 voxels .* 20,479.*--max-voxels"):
            load(path, Selection(max_voxels=budget))
    else:
        assert load(path, Selection(max_voxels=budget)).data.size == budget


@pytest.mark.parametrize("name", ["row33_no_orientation", "row38_no_size", "row39_huge"])
def test_a_given_voxel_size_is_used(name: str, tmp_path: Path) -> None:
    path = make_inputs.MAKERS[name](tmp_path)
    loaded = load(path, Selection(voxel_size=(1.0, 1.5, 3.0)))
    np.testing.assert_allclose(loaded.facts.spacing, (1.0, 1.5, 3.0))
    assert not any("voxel size missing" in said for said in loaded.facts.warnings)


@pytest.mark.parametrize("size", [(0.0, 1.0, 1.0), (1.0, 1.0, 21.0), (1.0, -1.0, 1.0)])
def test_a_given_voxel_size_must_be_plausible(
    size: tuple[float, float, float], tmp_path: Path
) -> None:
    path = make_inputs.MAKERS["row38_no_size"](tmp_path)
    with pytest.raises(InputError, match="--voxel-size"):
        load(path, Selection(voxel_size=size))


@pytest.mark.parametrize("name", make_inputs.NAMES)
def test_any_file_name_is_read_and_shown_safely(name: str, tmp_path: Path) -> None:
    loaded: Loaded = load(make_inputs.named(tmp_path, name))
    np.testing.assert_array_equal(loaded.data, make_inputs.head())
    assert loaded.facts.name.isprintable()
    assert loaded.facts.name.encode("utf-8")
    assert json.loads(json.dumps(loaded.facts.name)) == loaded.facts.name
