"""ISMRMRD files, written by the format's own package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ismrmrd
import numpy as np
import pytest
import torch

from isocenter.data.io import read_kspace, to_scan
from isocenter.data.io.kspace import ismrmrd as reader
from isocenter.errors import BadKSpace, NeedsChoice
from isocenter.ops.fourier import fft, ifft
from tests.unit.data.made_kspace import (
    COILS,
    COLUMNS,
    ROWS,
    SLICES,
    Readout,
    coil_images,
    header,
    kspace_of,
    readouts_of,
    write_ismrmrd,
)

KSPACE = kspace_of(coil_images())
PLAIN = header((ROWS, COLUMNS, 1))
RNG = np.random.default_rng(3)


def test_the_flags_have_the_numbers_of_the_format() -> None:
    assert reader.NOISE == ismrmrd.ACQ_IS_NOISE_MEASUREMENT
    assert reader.CALIBRATION == ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
    assert reader.CALIBRATION_AND_IMAGING == ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
    assert reader.REVERSE == ismrmrd.ACQ_IS_REVERSE
    assert ismrmrd.ACQ_IS_NAVIGATION_DATA in reader._NO_IMAGE
    assert ismrmrd.ACQ_IS_PHASECORR_DATA in reader._NO_IMAGE


def test_slices_arrive_whole_in_any_order_of_lines(tmp_path: Path) -> None:
    lines = readouts_of(KSPACE)
    RNG.shuffle(lines)
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines, at_once=False))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))
    assert kspace.contrast == "T2w"
    assert kspace.noise is None


def test_slices_are_ordered_by_place_and_not_by_counter(tmp_path: Path) -> None:
    places = {0: 12.0, 1: 0.0, 2: 6.0}
    lines = [replace(r, position=(0, 0, places[r.slice])) for r in readouts_of(KSPACE)]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE[[1, 2, 0]]))
    np.testing.assert_allclose(kspace.affine[:3, 0], [0, 0, 6], atol=1e-6)


def test_the_affine_says_where_a_spot_is(tmp_path: Path) -> None:
    # Sagittal slices: readout to the head, phase to the back, stack to the left.
    ways = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    image = torch.zeros(2, COILS, ROWS, COLUMNS, dtype=torch.complex64)
    image[1, :, 20, 15] = 1
    lines = [
        replace(r, directions=ways, position=(10 + 7.0 * r.slice, 3, -4))
        for r in readouts_of(kspace_of(image))
    ]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    scan = to_scan(ifft(kspace.data, (-2, -1))[:, 0], kspace)
    index = np.array(np.unravel_index(int(scan.data.argmax()), scan.shape))
    world = scan.affine[:3, :3] @ index + scan.affine[:3, 3]
    # 17 to the left, 3 + 2 (15 - 12) to the back, -4 + 1.5 (20 - 16) upward.
    np.testing.assert_allclose(world, [-17, -9, 2], atol=1e-4)
    assert scan.spacing == pytest.approx((7, 2, 1.5))


def test_oversampling_ends_in_the_image_shape(tmp_path: Path) -> None:
    images = torch.nn.functional.pad(coil_images(), (0, 0, ROWS // 2, ROWS // 2))
    xml = header((2 * ROWS, COLUMNS, 1), (ROWS, COLUMNS, 1))
    path = write_ismrmrd(tmp_path / "a.mrd", xml, readouts_of(kspace_of(images)))
    kspace = read_kspace(path)
    assert kspace.grid == (2 * ROWS, COLUMNS)
    assert kspace.image_shape == (ROWS, COLUMNS)
    scan = to_scan(ifft(kspace.data, (-2, -1))[:, 0], kspace)
    expected = coil_images()[:, 0].abs()
    # The readout runs to the left, the phase to the back, the slices upward.
    torch.testing.assert_close(scan.data.flip(0, 1).permute(2, 0, 1), expected, atol=1e-5, rtol=0)


def test_averages_become_their_mean(tmp_path: Path) -> None:
    noise = RNG.standard_normal((2, *KSPACE.shape)).astype(np.complex64)
    lines = [
        replace(line, counters={"average": number})
        for number in (0, 1)
        for line in readouts_of(KSPACE + noise[number])
    ]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    expected = torch.from_numpy(KSPACE + noise.mean(0))
    torch.testing.assert_close(kspace.data, expected, atol=1e-5, rtol=1e-5)
    assert kspace.history[0].params["n_averages"] == 2


def test_a_noise_scan_is_noise_and_no_line(tmp_path: Path) -> None:
    noise = (RNG.standard_normal((COILS, 64)) + 1j).astype(np.complex64)
    first = Readout(noise, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
    path = write_ismrmrd(tmp_path / "a.mrd", PLAIN, [first, *readouts_of(KSPACE)])
    kspace = read_kspace(path)
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))
    assert kspace.noise is not None
    assert torch.equal(kspace.noise, torch.from_numpy(noise))


@pytest.mark.parametrize(
    "flag",
    [
        ismrmrd.ACQ_IS_NAVIGATION_DATA,
        ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,
        ismrmrd.ACQ_IS_PHASECORR_DATA,
        ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
    ],
)
def test_what_is_no_image_is_left_aside(tmp_path: Path, flag: int) -> None:
    other = Readout(100 * KSPACE[0, :, :, 3], line=3, flags=(flag,))
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, [other, *readouts_of(KSPACE)]))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))


def test_lines_that_also_calibrate_belong_to_the_image(tmp_path: Path) -> None:
    flags = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    lines = readouts_of(KSPACE)
    for line in lines[8:16]:
        line.flags = flags
    assert read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines)).mask.places.all()


def test_missing_lines_are_not_measured(tmp_path: Path) -> None:
    lines = [line for line in readouts_of(KSPACE) if line.line % 2 == 0]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    assert kspace.mask.places.shape == (1, ROWS, COLUMNS)
    assert kspace.mask.true_acceleration == 2
    assert not kspace.data[..., 1::2].any()


def test_partial_fourier_lies_where_the_limits_say(tmp_path: Path) -> None:
    # The first 7 lines were not acquired: counters begin at 0 there, the centre is number 5.
    xml = header((ROWS, COLUMNS, 1), maximum=COLUMNS - 8, centre=COLUMNS // 2 - 7)
    lines = [replace(r, line=r.line - 7) for r in readouts_of(KSPACE) if r.line >= 7]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", xml, lines))
    assert torch.equal(kspace.data[..., 7:], torch.from_numpy(KSPACE[..., 7:]))
    assert not kspace.mask.places[..., :7].any()
    assert kspace.mask.acs == (ROWS, COLUMNS - 7)


def test_an_asymmetric_echo_lies_around_its_centre(tmp_path: Path) -> None:
    lines = [
        replace(r, samples=r.samples[:, 6:], centre=ROWS // 2 - 6) for r in readouts_of(KSPACE)
    ]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    assert torch.equal(kspace.data[..., 6:, :], torch.from_numpy(KSPACE[..., 6:, :]))
    assert not kspace.mask.places[:, :6].any()
    assert "asymmetric echo: 26 of 32 samples" in str(kspace.history[0].params["warnings"])


def test_discarded_samples_are_discarded(tmp_path: Path) -> None:
    junk = np.full((COILS, 3), 1e6, np.complex64)
    lines = [
        replace(
            r,
            samples=np.concatenate([junk, r.samples, junk[:, :2]], 1),
            centre=ROWS // 2 + 3,
            more={"discard_pre": 3, "discard_post": 2},
        )
        for r in readouts_of(KSPACE)
    ]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))


def test_reversed_lines_are_turned_round(tmp_path: Path) -> None:
    lines = [
        replace(r, samples=r.samples[:, ::-1], flags=(ismrmrd.ACQ_IS_REVERSE,)) if r.line % 2 else r
        for r in readouts_of(KSPACE)
    ]
    xml = header((ROWS, COLUMNS, 1), trajectory="epi")
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", xml, lines))
    assert torch.equal(kspace.data, torch.from_numpy(KSPACE))
    assert "EPI" in str(kspace.history[0].params["warnings"])


@pytest.mark.parametrize("counter", ["repetition", "contrast", "phase", "set"])
def test_one_of_several_volumes_is_chosen(tmp_path: Path, counter: str) -> None:
    lines = [
        replace(line, counters={counter: number})
        for number in (0, 1)
        for line in readouts_of((number + 1) * KSPACE)
    ]
    path = write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines)
    with pytest.raises(NeedsChoice, match="2 volumes .*--volume 0 to 1"):
        read_kspace(path)
    assert torch.equal(read_kspace(path, volume=1).data, torch.from_numpy(2 * KSPACE))
    with pytest.raises(NeedsChoice, match="no volume 2"):
        read_kspace(path, volume=2)


def solid(rows: int = 16, depth: int = 6) -> tuple[torch.Tensor, list[Readout]]:
    """Coil images (coil, readout, second phase, first phase) and their lines."""
    images = coil_images(depth, COLUMNS, rows, 2).transpose(0, 1)
    kspace = fft(images, (1, 2, 3)).numpy()
    lines = [
        Readout(kspace[:, :, z, y], y, z, directions=((0, 0, 1), (0, 1, 0), (1, 0, 0)))
        for z in range(depth)
        for y in range(COLUMNS)
    ]
    return images, lines


def test_three_dimensions_become_a_stack_along_the_readout(tmp_path: Path) -> None:
    images, lines = solid()
    xml = header((16, COLUMNS, 6), size=(1.5, 2.0, 3.0))
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", xml, lines))
    assert kspace.data.shape == (16, 2, 6, COLUMNS)
    found = ifft(kspace.data, (-2, -1)).transpose(0, 1)
    torch.testing.assert_close(found, images, atol=1e-5, rtol=0)
    # Readout to the head, second phase to the left, first phase to the back.
    expected = np.array([[0, -3, 0], [0, 0, -2], [1.5, 0, 0]])
    np.testing.assert_allclose(kspace.affine[:3, :3], expected, atol=1e-6)
    np.testing.assert_allclose(kspace.affine[:3] @ [8, 3, 12, 1], 0, atol=1e-5)


def test_three_dimensions_lose_their_oversampling_and_keep_chosen_slices(tmp_path: Path) -> None:
    images, lines = solid()
    xml = header((16, COLUMNS, 6), (8, COLUMNS, 4), size=(1.5, 2.0, 3.0))
    path = write_ismrmrd(tmp_path / "a.mrd", xml, lines)
    whole, part = read_kspace(path), read_kspace(path, slices=slice(3, 5))
    assert whole.data.shape == (8, 2, 6, COLUMNS)
    assert whole.image_shape == (4, COLUMNS)
    found = ifft(whole.data, (-2, -1)).transpose(0, 1)
    torch.testing.assert_close(found, images[:, 4:12], atol=1e-5, rtol=0)
    torch.testing.assert_close(part.data, whole.data[3:5])
    np.testing.assert_allclose(part.affine, whole.slices(slice(3, 5)).affine)


def test_three_dimensions_know_which_lines_are_missing(tmp_path: Path) -> None:
    _, lines = solid()
    kept = [line for line in lines if (line.line + line.partition) % 2]
    xml = header((16, COLUMNS, 6))
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", xml, kept))
    assert kspace.mask.places.shape == (1, 6, COLUMNS)
    assert kspace.mask.true_acceleration == 2
    assert kspace.mask.places[0, 1, 0]
    assert not kspace.mask.places[0, 0, 0]


def test_without_directions_the_place_is_unknown(tmp_path: Path) -> None:
    lines = [replace(r, directions=((0, 0, 0),) * 3) for r in readouts_of(KSPACE)]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    said = kspace.history[0].params["warnings"]
    assert "orientation unknown: left/right not guaranteed" in said
    assert np.linalg.norm(kspace.affine[:3, :3], axis=0).tolist() == [5, 1.5, 2]


def test_uneven_slices_are_said(tmp_path: Path) -> None:
    places = {0: 0.0, 1: 6.0, 2: 15.0}
    lines = [replace(r, position=(0, 0, places[r.slice])) for r in readouts_of(KSPACE)]
    kspace = read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))
    assert "not evenly spaced" in str(kspace.history[0].params["warnings"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trajectory": "spiral"}, "the trajectory is 'spiral': only Cartesian"),
        ({"centre": 0}, "a line lies at 12 or 35, outside the 24 of the header"),
    ],
)
def test_what_cannot_be_placed_is_refused(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    xml = header((ROWS, COLUMNS, 1), **change)  # type: ignore[arg-type]
    path = write_ismrmrd(tmp_path / "a.mrd", xml, readouts_of(KSPACE))
    with pytest.raises(BadKSpace, match=sentence):
        read_kspace(path)


def test_noise_alone_is_no_image(tmp_path: Path) -> None:
    noise = Readout(KSPACE[0, :, :, 0], flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
    with pytest.raises(BadKSpace, match="no imaging line"):
        read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, [noise]))


def test_slices_in_different_planes_are_refused(tmp_path: Path) -> None:
    lines = readouts_of(KSPACE)
    for line in lines[:COLUMNS]:
        line.directions = ((0, 1, 0), (0, 0, 1), (1, 0, 0))
    with pytest.raises(BadKSpace, match="different planes"):
        read_kspace(write_ismrmrd(tmp_path / "a.mrd", PLAIN, lines))


def test_a_run_of_slices_equals_the_whole(tmp_path: Path) -> None:
    path = write_ismrmrd(tmp_path / "a.mrd", PLAIN, readouts_of(KSPACE))
    part = read_kspace(path, slices=slice(1, SLICES))
    assert torch.equal(part.data, torch.from_numpy(KSPACE[1:]))
    np.testing.assert_allclose(part.affine[:3, 3], read_kspace(path).affine[:3] @ [1, 0, 0, 1])
