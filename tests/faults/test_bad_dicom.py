"""Rows 56-66 of the bad inputs: DICOM that is damaged, incomplete, hostile or private."""

from __future__ import annotations

import dataclasses
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import make_dicom
import numpy as np
import pytest
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from isocenter.data.io import dicom
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.errors import BadVolume, InputError, IsocenterError, MissingExtra, NeedsChoice

MEASURED = """
import sys, time
from pathlib import Path
from isocenter.data.io import dicom
from isocenter.data.io._loaded import Selection
try:
    dicom.load(Path(sys.argv[1]), Selection())
    print("read")
except dicom.BadVolume as error:
    print(error)
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
print(time.process_time(), int(peak.split()[1]) / 1024)
"""


def load(path: Path, **selection: object) -> Loaded:
    return dicom.load(path, Selection(**selection))  # type: ignore[arg-type]


def refusal(path: Path, kind: type[IsocenterError] = BadVolume, **selection: object) -> str:
    """The one sentence with which ``path`` is refused."""
    with pytest.raises(kind) as caught:
        load(path, **selection)
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
    assert "CANARY" not in sentence
    return sentence


def test_56_two_series_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    folder = make_dicom.two_series(tmp_path)
    sentence = refusal(folder, NeedsChoice)
    assert "2 series" in sentence
    assert "--series" in sentence
    assert "1 (6 images of 16 x 12" in sentence
    assert "2 (4 images of 16 x 12" in sentence
    assert load(folder, series="1").data.shape == (16, 12, 6)
    assert load(folder, series="2").data.shape == (16, 12, 4)
    assert load(folder, series="1.2.9").data.shape == (16, 12, 4)
    assert "no such series" in refusal(folder, NeedsChoice, series="3")
    assert NeedsChoice.exit_code == 3


def test_56_series_are_listed_without_their_descriptions(tmp_path: Path) -> None:
    first, second = dicom.list_series(make_dicom.two_series(tmp_path))
    assert (first.number, first.n_images, first.size) == (1, 6, (16, 12))
    assert (second.number, second.n_images, second.size) == (2, 4, (16, 12))
    assert first.description != second.description
    assert "CANARY" not in f"{first}{second}"


def test_57_missing_slices_are_named_by_position(tmp_path: Path) -> None:
    folder = make_dicom.stack(tmp_path, [0, 1, 2, 4, 5, 8, 9])
    sentence = refusal(folder)
    assert "3 slices are missing, at 14.00, 23.00, 26.00 mm" in sentence


def test_57_one_slice_of_hundreds_is_a_warning_that_names_it(tmp_path: Path) -> None:
    whole = load(make_dicom.stack(tmp_path / "whole", range(120)))
    holed = load(make_dicom.stack(tmp_path / "holed", [i for i in range(120) if i != 50]))
    assert whole.facts.warnings == ()
    (warning,) = holed.facts.warnings
    assert "1 slice is missing, at 155.00 mm" in warning
    assert holed.data.shape[2] == 119
    np.testing.assert_allclose(holed.affine, whole.affine, atol=1e-9)
    np.testing.assert_array_equal(holed.data, np.delete(whole.data, 50, axis=2))


def test_57_two_slices_of_hundreds_side_by_side_are_refused(tmp_path: Path) -> None:
    folder = make_dicom.stack(tmp_path, [i for i in range(120) if i not in (50, 51)])
    assert "2 slices are missing, at 155.00, 158.00 mm" in refusal(folder)


def test_57_doubled_positions_are_named(tmp_path: Path) -> None:
    folder = make_dicom.stack(tmp_path, [0, 1, 2, 3, 3, 4])
    assert "1 slice stands at a position that is already taken, at 14.00 mm" in refusal(folder)


def test_57_mixed_orientations_are_named(tmp_path: Path) -> None:
    make_dicom.stack(tmp_path, range(5))
    make_dicom.stack(tmp_path, range(2), prefix="t", orientation=make_dicom.SAGITTAL)
    sentence = refusal(tmp_path)
    assert "mixed orientations: 5 slices at 5.00, 8.00, 11.00" in sentence
    assert "2 slices at 10.00, 13.00 mm" in sentence


def test_57_uneven_slices_are_named(tmp_path: Path) -> None:
    def shift(data: object, index: int) -> None:
        if index == 4:
            data.ImagePositionPatient = [-10.0, 20.0, 18.2]  # type: ignore[attr-defined]

    sentence = refusal(make_dicom.stack(tmp_path, range(8), shift))
    assert "unevenly spaced: 1.80 to 4.20 mm, first between 14.00 and 18.20 mm" in sentence


def test_57_slices_of_two_sizes_are_refused(tmp_path: Path) -> None:
    def enlarge(data: object, index: int) -> None:
        if index == 2:
            make_dicom.set_pixels(data, np.zeros((20, 16), np.uint16))  # type: ignore[arg-type]

    assert "mixed sizes (7 of 16 x 12, 1 of 16 x 20)" in refusal(
        make_dicom.stack(tmp_path, range(8), enlarge)
    )


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_58_without_preamble_is_read_with_a_warning(tmp_path: Path, syntax: str) -> None:
    bare = load(make_dicom.without_preamble(tmp_path / "bare.dcm", syntax))
    assert any("without preamble" in warning for warning in bare.facts.warnings)
    np.testing.assert_array_equal(bare.data[:, :, 0].T, make_dicom.stored_slice(0))


def test_58_what_is_no_dicom_is_not_forced(tmp_path: Path) -> None:
    path = tmp_path / "letter.dcm"
    path.write_bytes(b"Dear colleague, " * 40)
    assert "not a DICOM file" in refusal(path)


def test_59_truncated_pixels_are_named_with_file_and_bytes(tmp_path: Path) -> None:
    sentence = refusal(make_dicom.truncated(tmp_path / "0034.dcm", lost=100))
    assert "0034.dcm" in sentence
    assert "got 284 of 384 bytes" in sentence


def test_59_a_short_value_is_named_with_file_and_bytes(tmp_path: Path) -> None:
    data = make_dicom.slice_of(0)
    data.PixelData = data.PixelData[:-84]
    sentence = refusal(make_dicom.save(data, tmp_path / "0035.dcm"))
    assert "0035.dcm: pixel data is short (got 300 of 384 bytes)" in sentence


def test_59_every_cut_is_refused_or_read_whole(tmp_path: Path) -> None:
    path = make_dicom.save(make_dicom.slice_of(0), tmp_path / "cut.dcm")
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        refusal(path)


def test_59_a_damaged_byte_never_ends_in_a_traceback(tmp_path: Path) -> None:
    path = make_dicom.save(make_dicom.enhanced(2), tmp_path / "flip.dcm")
    content = path.read_bytes()
    outcomes = set()
    for at in range(132, len(content) - 768, 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xA5]) + content[at + 1 :])
        try:
            load(path)
            outcomes.add("read")
        except IsocenterError as error:
            outcomes.add(str(error))
    assert "read" in outcomes
    assert len(outcomes) > 3
    assert not any("\n" in outcome for outcome in outcomes)


def test_61_without_rows_and_without_pixels(tmp_path: Path) -> None:
    for keyword, said in (("Rows", "no image size"), ("PixelData", "no pixel data")):
        data = make_dicom.slice_of(0)
        delattr(data, keyword)
        assert said in refusal(make_dicom.save(data, tmp_path / f"{keyword}.dcm"))


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "60 huge": (make_dicom.huge, "header asks 65535 x 65535"),
    "62 nested": (make_dicom.nested, "malformed DICOM (sequences nested too deep)"),
    "62 nested with lengths": (make_dicom.nested_in_frames, "have no position"),
    "62 endless header": (make_dicom.endless_header, "malformed DICOM"),
    "63 bomb in the pixels": (make_dicom.deflated_bomb, "goes on after the pixels"),
    "63 bomb in the header": (
        lambda path: make_dicom.deflated_bomb(path, in_header=True),
        "no pixel data",
    ),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is in /proc")
@pytest.mark.parametrize("case", REFUSED)
def test_60_62_63_refusals_cost_little(tmp_path: Path, case: str) -> None:
    make, said = REFUSED[case]
    path = make(tmp_path / "bad.dcm")
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True
    )
    sentence, used = run.stdout.splitlines()
    seconds, megabytes = map(float, used.split())
    assert said in sentence
    assert seconds < 2
    assert megabytes < 300
    assert run.stderr == ""


def test_60_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    folder = make_dicom.stack(tmp_path)
    sentence = refusal(folder, max_voxels=1000)
    assert "header asks 16 x 12 x 8 = 1,536 voxels; the limit is 1,000" in sentence
    assert "--max-voxels" in sentence
    assert load(folder, max_voxels=1536).data.size == 1536


def test_64_a_missing_decoder_names_syntax_and_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Decoder, "is_available", property(lambda self: False))
    sentence = refusal(make_dicom.compressed(tmp_path / "jls.dcm", JPEGLSLossless), MissingExtra)
    assert "JPEG-LS Lossless Image Compression" in sentence
    assert "pip install 'isocenter[dicom]'" in sentence


def test_64_a_frame_that_claims_another_size_is_not_decoded(tmp_path: Path) -> None:
    frame = b"\xff\xd8\xff\xc3\x00\x0b\x10\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9\x00"
    path = make_dicom.compressed(tmp_path / "liar.dcm", JPEGLSLossless, frame)
    with pytest.raises((BadVolume, MissingExtra)) as caught:
        load(path)
    assert "65535 x 65535" in str(caught.value) or "isocenter[dicom]" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_dicom.secondary_capture, "Secondary Capture Image Storage"),
        (make_dicom.computed_tomography, "CT Image Storage"),
        (make_dicom.mosaic, "Siemens mosaic"),
    ],
)
def test_65_other_objects_are_refused_by_name(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    assert said in refusal(make(tmp_path / "other.dcm"))


def test_65_a_class_that_nobody_knows_is_not_repeated(tmp_path: Path) -> None:
    path = make_dicom.of_class(tmp_path / "odd.dcm", make_dicom.UID("1.2.840.19431224"))
    sentence = refusal(path)
    assert "an unknown SOP class" in sentence
    assert "19431224" not in sentence


def test_65_a_localizer_of_three_planes_is_refused(tmp_path: Path) -> None:
    make_dicom.stack(tmp_path, [0], prefix="a")
    make_dicom.stack(tmp_path, [0], prefix="b", orientation=make_dicom.SAGITTAL)
    make_dicom.stack(tmp_path, [0], prefix="c", orientation=(1, 0, 0, 0, 0, -1))
    assert "mixed orientations" in refusal(tmp_path)


def test_65_screenshots_beside_a_scan_are_passed_over_with_a_note(tmp_path: Path) -> None:
    folder = make_dicom.stack(tmp_path)
    make_dicom.secondary_capture(folder / "shot.dcm")
    (folder / "notes.txt").write_text("nothing")
    loaded = load(folder)
    assert loaded.data.shape == (16, 12, 8)
    (warning,) = loaded.facts.warnings
    assert "1 Secondary Capture Image Storage" in warning
    assert "1 no DICOM" in warning


def test_47_a_pipe_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    assert "not a regular file" in refusal(tmp_path / "pipe.dcm")
    assert "not a regular file" in refusal(tmp_path)


def test_48_a_name_with_a_line_break_stays_one_line(tmp_path: Path) -> None:
    assert "no pixel data" in refusal(_without_pixels(tmp_path / "a\nb.dcm"))


def _without_pixels(path: Path) -> Path:
    data = make_dicom.slice_of(0)
    del data.PixelData
    return make_dicom.save(data, path)


def test_46_a_link_without_content_is_refused(tmp_path: Path) -> None:
    make_dicom.stack(tmp_path)
    (tmp_path / "annexed.dcm").symlink_to(tmp_path / "nowhere")
    assert "annexed.dcm: content not fetched" in refusal(tmp_path)


def test_66_no_patient_data_comes_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_dicom.stack(tmp_path / "scan", range(4), make_dicom.full_of_names)
    with caplog.at_level(logging.DEBUG):
        loaded = load(folder)
        lines = dicom.list_series(folder)
    told = repr(dataclasses.asdict(loaded.facts)) + "".join(map(str, lines))
    told += caplog.text + "".join(capfd.readouterr())
    for secret in ("CANARY", "JANE", "19431224", "19991231"):
        assert secret not in told


@pytest.mark.parametrize(
    "keyword",
    [
        "Rows",
        "PixelSpacing",
        "ImagePositionPatient",
        "RepetitionTime",
        "SeriesNumber",
        "RescaleSlope",
        "ImageType",
        "SOPClassUID",
        "PhotometricInterpretation",
        "SeriesInstanceUID",
    ],
)
def test_66_names_in_the_wrong_tag_are_not_quoted(
    tmp_path: Path,
    keyword: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    path = make_dicom.save(make_dicom.slice_of(0), tmp_path / "odd.dcm")
    data = make_dicom.slice_of(0)
    data.add_new(keyword, "LO", make_dicom.CANARY)
    make_dicom.save(data, path)
    recwarn.clear()
    caplog.clear()
    try:
        told = repr(load(path).facts)
    except InputError as error:
        told = f"{error!r}{error.__cause__!r}"
    told += caplog.text + "".join(capfd.readouterr()) + "".join(str(one.message) for one in recwarn)
    assert "CANARY" not in told
    assert "JANE" not in told


def test_66_no_patient_data_reaches_a_volume_or_what_is_written_of_it(tmp_path: Path) -> None:
    import isocenter as iso

    folder = make_dicom.stack(tmp_path / "scan", range(6), make_dicom.full_of_names)
    scan = iso.read(folder)
    written = iso.write(scan, tmp_path / "out.nii") or tmp_path / "out.nii"
    told = f"{scan!r}{scan.history}".encode() + Path(written).read_bytes()
    for secret in (b"CANARY", b"JANE", b"19431224", b"19991231"):
        assert secret not in told
