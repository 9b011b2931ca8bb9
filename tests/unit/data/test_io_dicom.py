"""Reading DICOM: geometry, scaling, order, several scans in one place."""

from __future__ import annotations

import hashlib
import io
import time
from pathlib import Path

import make_dicom
import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from isocenter.data.io import dicom
from isocenter.data.io._dicom_codestream import codestream_size
from isocenter.data.io._dicom_contrast import Timing, name_contrast
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.errors import BadVolume, NeedsChoice, NothingFound

EXPECTED = np.stack([make_dicom.stored_slice(i).T for i in range(8)], axis=2).astype(np.float32)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, -1.5, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])


def load(path: Path, **selection: object) -> Loaded:
    return dicom.load(path, Selection(**selection))  # type: ignore[arg-type]


def canonical(loaded: Loaded) -> nib.Nifti1Image:
    return nib.as_closest_canonical(nib.Nifti1Image(loaded.data, loaded.affine))


def test_a_folder_is_sorted_by_position_whatever_the_names(tmp_path: Path) -> None:
    loaded = load(make_dicom.stack(tmp_path / "scan", [5, 2, 7, 0, 1, 6, 3, 4]))
    np.testing.assert_array_equal(loaded.data, EXPECTED)
    np.testing.assert_allclose(loaded.affine, AFFINE, atol=1e-9)
    assert loaded.data.dtype == np.float32
    facts = loaded.facts
    assert (facts.name, facts.format, facts.dtype) == ("scan", "DICOM", "uint16")
    assert (facts.shape, facts.orientation) == ((16, 12, 8), "LPS")
    assert facts.spacing == pytest.approx((2.0, 1.5, 3.0))
    assert facts.contrast == "T1w"
    assert facts.warnings == ()


def test_slices_in_subfolders_are_one_scan(tmp_path: Path) -> None:
    make_dicom.stack(tmp_path / "a", range(4))
    make_dicom.stack(tmp_path / "b", range(4, 8))
    np.testing.assert_array_equal(load(tmp_path).data, EXPECTED)


def test_the_hash_is_of_the_bytes_in_slice_order(tmp_path: Path) -> None:
    make_dicom.stack(tmp_path, [2, 0, 1])
    in_order = sorted(tmp_path.iterdir(), key=lambda file: (int(file.stem[-1]) - 1) % 3)
    joined = hashlib.sha256(b"".join(f.read_bytes() for f in in_order)).hexdigest()
    assert load(tmp_path).facts.sha256 == joined


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_plain_transfer_syntax_reads_the_same(tmp_path: Path, syntax: UID) -> None:
    data = make_dicom.slice_of(3)
    if syntax == ExplicitVRBigEndian:
        data.PixelData = make_dicom.stored_slice(3).astype(">u2").tobytes()
    loaded = load(make_dicom.save(data, tmp_path / "one.dcm", syntax))
    np.testing.assert_array_equal(loaded.data, EXPECTED[:, :, 3:4])


def test_run_length_encoded_pixels_are_read(tmp_path: Path) -> None:
    data = make_dicom.slice_of(3)
    make_dicom.save(data, tmp_path / "one.dcm")
    data.compress(RLELossless)
    loaded = load(make_dicom.save(data, tmp_path / "one.dcm", RLELossless))
    np.testing.assert_array_equal(loaded.data, EXPECTED[:, :, 3:4])


def test_jpeg_2000_pixels_are_read(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    stored = make_dicom.stored_slice(3)
    image.fromarray(stored).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    assert codestream_size(buffer.getvalue()) == stored.shape
    path = make_dicom.compressed(tmp_path / "one.dcm", JPEG2000Lossless, buffer.getvalue())
    np.testing.assert_array_equal(load(path).data, EXPECTED[:, :, 3:4])


def test_slope_and_intercept_of_every_slice_are_applied(tmp_path: Path) -> None:
    def scale(data: Dataset, index: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = 0.5 * (index + 1), -7

    loaded = load(make_dicom.stack(tmp_path, change=scale))
    factor = 0.5 * np.arange(1, 9, dtype=np.float32)
    np.testing.assert_allclose(loaded.data, EXPECTED * factor - 7, rtol=1e-6)


def test_monochrome_1_is_turned_round(tmp_path: Path) -> None:
    def invert(data: Dataset, index: int) -> None:
        data.PhotometricInterpretation = "MONOCHROME1"

    loaded = load(make_dicom.stack(tmp_path, change=invert))
    np.testing.assert_array_equal(loaded.data, EXPECTED.max() - EXPECTED)


def test_signed_pixels_keep_their_sign(tmp_path: Path) -> None:
    data = make_dicom.slice_of(0)
    values = make_dicom.stored_slice(0).astype(np.int16) - 60
    make_dicom.set_pixels(data, values)
    loaded = load(make_dicom.save(data, tmp_path / "one.dcm"))
    np.testing.assert_array_equal(loaded.data[:, :, 0].T, values)
    assert loaded.facts.dtype == "int16"


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_overlays_in_the_unused_bits_are_dropped(tmp_path: Path, kind: type) -> None:
    data = make_dicom.slice_of(0)
    values = make_dicom.stored_slice(0).astype(np.int16) - (60 if kind is np.int16 else 0)
    overlaid = (values.astype(np.uint16) & 0x0FFF) | 0x3000
    make_dicom.set_pixels(data, overlaid.view(kind), bits_stored=12)
    loaded = load(make_dicom.save(data, tmp_path / "one.dcm"))
    np.testing.assert_array_equal(loaded.data[:, :, 0].T, values)


def test_eight_bit_pixels_are_read(tmp_path: Path) -> None:
    data = make_dicom.slice_of(0)
    values = make_dicom.stored_slice(0).astype(np.uint8)
    make_dicom.set_pixels(data, values)
    loaded = load(make_dicom.save(data, tmp_path / "one.dcm"))
    np.testing.assert_array_equal(loaded.data[:, :, 0].T, values)


def test_an_oblique_stack_has_its_oblique_affine(tmp_path: Path) -> None:
    angle = np.deg2rad(20)
    row = (np.cos(angle), np.sin(angle), 0.0)
    column = (0.0, 0.0, -1.0)
    loaded = load(make_dicom.stack(tmp_path, range(6), orientation=(*row, *column)))
    normal = np.cross(row, column)
    for index in (0, 5):
        lps = np.array([-10, 20, 5]) + index * 3.0 * normal + 4 * 2.0 * np.array(row)
        world = loaded.affine @ [4, 0, index, 1]
        np.testing.assert_allclose(world[:3], lps * [-1, -1, 1], atol=1e-4)


def test_thickness_serves_a_single_slice_only(tmp_path: Path) -> None:
    single = load(make_dicom.save(make_dicom.slice_of(2), tmp_path / "one.dcm"))
    assert single.data.shape == (16, 12, 1)
    assert single.facts.name == "one.dcm"
    assert single.facts.spacing == pytest.approx((2.0, 1.5, 2.5))
    np.testing.assert_allclose(single.affine[:3, 3], [10, -20, 11])


def test_a_header_that_contradicts_the_positions_is_noted(tmp_path: Path) -> None:
    def claim(data: Dataset, index: int) -> None:
        data.SpacingBetweenSlices = 6

    loaded = load(make_dicom.stack(tmp_path, change=claim))
    assert loaded.facts.spacing[2] == pytest.approx(3.0)
    assert "says 6.00 mm between slices, their positions 3.00 mm" in loaded.facts.warnings[0]


def test_a_slice_without_place_is_read_with_warnings(tmp_path: Path) -> None:
    data = make_dicom.slice_of(0)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(data, keyword)
    path = make_dicom.save(data, tmp_path / "one.dcm")
    assert any("orientation unknown" in warning for warning in load(path).facts.warnings)
    assert any("voxel size missing" in warning for warning in load(path).facts.warnings)
    assert load(path, voxel_size=(0.5, 0.6, 4.0)).facts.spacing == pytest.approx((0.5, 0.6, 2.5))


def test_slices_without_place_make_no_stack(tmp_path: Path) -> None:
    def lose(data: Dataset, index: int) -> None:
        del data.ImagePositionPatient

    with pytest.raises(BadVolume, match="8 of 8 slices have no position"):
        load(make_dicom.stack(tmp_path, change=lose))


def test_echoes_of_one_series_are_two_scans(tmp_path: Path) -> None:
    def second(data: Dataset, index: int) -> None:
        data.EchoTime, data.EchoNumbers = 90, 2
        data.RepetitionTime = 3000

    make_dicom.stack(tmp_path, prefix="a")
    make_dicom.stack(tmp_path, change=second, prefix="b")
    with pytest.raises(NeedsChoice, match="2 series"):
        load(tmp_path)
    early, late = (load(tmp_path, series=name) for name in "12")
    assert early.data.shape == late.data.shape == (16, 12, 8)
    assert (early.facts.contrast, late.facts.contrast) == ("T1w", "T2w")


def test_acquisitions_numbered_by_slice_do_not_tear_a_volume(tmp_path: Path) -> None:
    def number(data: Dataset, index: int) -> None:
        data.AcquisitionNumber = index % 3

    loaded = load(make_dicom.stack(tmp_path, change=number))
    assert loaded.data.shape == (16, 12, 8)


def test_repetitions_are_volumes_of_one_scan(tmp_path: Path) -> None:
    def later(data: Dataset, index: int) -> None:
        data.TemporalPositionIdentifier = 2
        make_dicom.set_pixels(data, make_dicom.stored_slice(index) + np.uint16(1000))

    make_dicom.stack(tmp_path, change=lambda d, i: setattr(d, "TemporalPositionIdentifier", 1))
    make_dicom.stack(tmp_path, change=later, prefix="t")
    with pytest.raises(NeedsChoice, match=r"2 volumes; choose one with --volume 0\.\.1"):
        load(tmp_path)
    with pytest.raises(NeedsChoice, match="no volume 2"):
        load(tmp_path, volume=2)
    loaded = load(tmp_path, volume=1)
    assert loaded.n_volumes == 2
    np.testing.assert_array_equal(loaded.data, EXPECTED + 1000)


def test_enhanced_frames_have_their_own_scale_and_place(tmp_path: Path) -> None:
    loaded = load(make_dicom.save(make_dicom.enhanced(5), tmp_path / "one.dcm"))
    factor = np.arange(1, 6, dtype=np.float32)
    np.testing.assert_array_equal(loaded.data, EXPECTED[:, :, :5] * factor - 2)
    np.testing.assert_allclose(loaded.affine, AFFINE, atol=1e-9)


def test_enhanced_repetitions_are_volumes(tmp_path: Path) -> None:
    path = make_dicom.save(make_dicom.enhanced(4, n_times=3), tmp_path / "one.dcm")
    loaded = load(path, volume=2)
    factor = np.arange(1, 5, dtype=np.float32)
    assert loaded.n_volumes == dicom.count_volumes(path) == 3
    np.testing.assert_array_equal(loaded.data, (EXPECTED[:, :, :4] + 2000) * factor - 2)


def test_frames_without_descriptions_are_refused(tmp_path: Path) -> None:
    data = make_dicom.enhanced(4)
    del data.PerFrameFunctionalGroupsSequence[2]
    with pytest.raises(BadVolume, match="4 frames but 3 descriptions"):
        load(make_dicom.save(data, tmp_path / "one.dcm"))


def test_colour_is_refused(tmp_path: Path) -> None:
    data = make_dicom.slice_of(0)
    data.SamplesPerPixel, data.PhotometricInterpretation = 3, "RGB"
    with pytest.raises(BadVolume, match="colour image"):
        load(make_dicom.save(data, tmp_path / "one.dcm"))


def test_a_folder_without_dicom_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(NothingFound, match="no MR images"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("timing", "contrast"),
    [
        (Timing(9000.0, 120.0, 2500.0, 150.0, True, False, True), "FLAIR"),
        (Timing(4800.0, 340.0, 1650.0, 120.0, True, False, True), "FLAIR"),
        (Timing(2300.0, 2.98, 900.0, 9.0, False, True, True), "T1w"),
        (Timing(2530.0, 1.66, None, 7.0, False, True, True), "T1w"),
        (Timing(8.1, 3.7, None, 8.0, False, True, False), "T1w"),
        (Timing(500.0, 15.0, None, 90.0, True, False, False), "T1w"),
        (Timing(4000.0, 95.0, None, 150.0, True, False, False), "T2w"),
        (Timing(3000.0, 20.0, None, 150.0, True, False, False), "PDw"),
        (Timing(3000.0, 50.0, None, 150.0, True, False, False), None),
        (Timing(1200.0, 15.0, None, 90.0, True, False, False), None),
        (Timing(700.0, 20.0, None, 20.0, False, True, False), None),
        (Timing(4000.0, 60.0, 150.0, 150.0, True, False, True), None),
    ],
)
def test_contrast_is_named_where_the_timing_is_clear(timing: Timing, contrast: str | None) -> None:
    assert name_contrast(timing) == contrast


@pytest.mark.data
@pytest.mark.parametrize("shading", ["strong", "weak"])
def test_the_enhanced_pair_is_the_nifti_pair(data_root: Path, shading: str) -> None:
    ours = canonical(load(data_root / "dicom" / f"shading_{shading}_enhanced"))
    theirs = nib.as_closest_canonical(nib.load(data_root / "heads" / f"shading_{shading}_T1w.nii"))
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    np.testing.assert_allclose(ours.affine, theirs.affine, rtol=0, atol=1e-4)


@pytest.mark.data
def test_the_head_is_175_slices_in_order(data_root: Path) -> None:
    folder = data_root / "dicom" / "head_T1w"
    started = time.process_time()
    loaded = load(folder)
    assert time.process_time() - started < 2
    assert loaded.data.shape == (192, 192, 175)
    assert loaded.facts.contrast == "T1w"
    assert loaded.facts.spacing == pytest.approx((1.145833, 1.145833, 1.0), abs=1e-5)
    (warning,) = loaded.facts.warnings
    assert "1 slice is missing, at 29.52 mm" in warning
    change = np.abs(np.diff(loaded.data, axis=2)).mean(axis=(0, 1))
    assert change.max() < 3 * np.median(change)


@pytest.mark.data
@pytest.mark.parametrize(("name", "size"), [("abdomen", 484), ("shoulder", 1024)])
def test_single_slices_are_volumes_of_one_slice(data_root: Path, name: str, size: int) -> None:
    loaded = load(data_root / "formats" / f"{name}_single.dcm")
    assert loaded.data.shape == (size, size, 1)
    assert loaded.facts.contrast == "T1w"
    assert loaded.data.max() > loaded.data.min()
