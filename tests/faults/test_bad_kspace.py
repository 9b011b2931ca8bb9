"""Rows 68 to 77 of the fault table: refused in one sentence, or read and said.

Refused files are also tried in a process of its own: without torch, in little time and memory.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from isocenter.data.io import read_kspace
from isocenter.errors import BadKSpace
from tests.faults.test_bad_inputs import CPU_SECONDS, PEAK_BYTES
from tests.unit.data.made_kspace import (
    COLUMNS,
    ROWS,
    coil_images,
    header,
    kspace_of,
    readouts_of,
    write_fastmri,
    write_ismrmrd,
)

KSPACE = kspace_of(coil_images())
ALONE = """
import json, resource, sys
from pathlib import Path
from isocenter.data.io.kspace._acquired import Request
from isocenter.data.io.kspace._loading import load_kspace
from isocenter.errors import IsocenterError
try:
    load_kspace(Path(sys.argv[1]), Request())
    said = None
except IsocenterError as error:
    said = [error.exit_code, str(error)]
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


def without_kspace(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["reconstruction_rss"] = np.zeros((2, 3))
        file["images"] = np.zeros(3)


def kspace_is_a_group(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("kspace/inner")


def cut(path: Path) -> None:
    content = write_fastmri(path, KSPACE).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def external_link(path: Path) -> None:
    write_fastmri(path.with_name("other.h5"), KSPACE)
    with h5py.File(path, "w") as file:
        file["kspace"] = h5py.ExternalLink("other.h5", "/kspace")


def external_link_deep(path: Path) -> None:
    write_fastmri(path.with_name("other.h5"), KSPACE)
    with h5py.File(write_fastmri(path, KSPACE), "a") as file:
        file.create_group("a/b")["c"] = h5py.ExternalLink("other.h5", "/kspace")


def external_storage(path: Path) -> None:
    secret = path.with_name("secret")
    secret.write_bytes(bytes(range(256)) * 16)
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "kspace", (1, 1, 16, 16), "<c8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )


def virtual(path: Path) -> None:
    other = write_fastmri(path.with_name("other.h5"), KSPACE)
    layout = h5py.VirtualLayout(KSPACE.shape, KSPACE.dtype)
    layout[:] = h5py.VirtualSource(str(other), "kspace", KSPACE.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("kspace", layout)


def soft_loop(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["kspace"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/kspace")


def group_loop(path: Path) -> None:
    with h5py.File(write_fastmri(path, KSPACE), "a") as file:
        file.create_group("round")
        file["round/again"] = file["round"]


def claims(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", (40, 20, 1000, 850), "<c8", chunks=(1, 1, 1000, 850))


def claims_mask(path: Path) -> None:
    with h5py.File(write_fastmri(path, KSPACE), "a") as file:
        file.create_dataset("mask", (1 << 30,), "<f8", chunks=(1 << 16,))


def acquisitions_without_data(path: Path) -> None:
    write_ismrmrd(path, header((ROWS, COLUMNS, 1)), readouts_of(KSPACE))
    with h5py.File(path, "a") as file:
        stored = file["dataset/data"][()]
        stored["head"]["number_of_samples"] = 60_000
        stored["head"]["active_channels"] = 1_000
        file["dataset/data"][...] = stored


def entity_bomb(path: Path) -> None:
    xml = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><ismrmrdHeader>&b;</ismrmrdHeader>'
    write_fastmri(path, KSPACE, xml=xml)


def zero_matrix(path: Path) -> None:
    write_fastmri(path, KSPACE, xml=header((0, COLUMNS, 1)))


def real(path: Path) -> None:
    write_fastmri(path, np.abs(KSPACE))


def five_axes(path: Path) -> None:
    write_fastmri(path, KSPACE[None])


def coils_last(path: Path) -> None:
    write_fastmri(path, KSPACE.transpose(0, 2, 3, 1))


def not_finite(path: Path) -> None:
    broken = KSPACE.copy()
    broken[1, :, :, 7] = np.nan
    broken[2, 0, 3, 9] = np.inf
    write_fastmri(path, broken)


def too_large_numbers(path: Path) -> None:
    write_fastmri(path, KSPACE.astype(np.complex128) * 1e300)


def all_zero(path: Path) -> None:
    write_fastmri(path, np.zeros_like(KSPACE))


def mask_of_other_width(path: Path) -> None:
    wide = np.ones((1, 2, 16, 372), np.complex64)
    write_fastmri(path, wide, mask=np.ones(368))


def mask_of_zeros(path: Path) -> None:
    write_fastmri(path, KSPACE, mask=np.zeros(COLUMNS))


def mask_of_weights(path: Path) -> None:
    write_fastmri(path, KSPACE, mask=np.linspace(0, 1, COLUMNS))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "row68_no_kspace": (without_kspace, "no kspace; keys found: images, reconstruction_rss"),
    "row68_group": (kspace_is_a_group, "no kspace; keys found: kspace"),
    "row69_cut": (cut, "HDF5 file is damaged or cut short"),
    "row70_external_link": (external_link, "HDF5 ExternalLink refused"),
    "row70_external_link_deep": (external_link_deep, "HDF5 ExternalLink refused"),
    "row71_external_storage": (external_storage, "HDF5 external storage refused"),
    "row71_virtual": (virtual, "HDF5 virtual data set refused"),
    "row72_soft_loop": (soft_loop, "HDF5 SoftLink refused"),
    "row72_group_loop": (group_loop, "more than 2000 objects in the file"),
    "row73_claims": (claims, r"header asks 5,440,000,000 bytes; file stores"),
    "row73_claims_mask": (claims_mask, "header asks 8,589,934,592 bytes; file stores"),
    "row73_claims_lines": (acquisitions_without_data, "headers ask 35 GB; file has"),
    "row73_entities": (entity_bomb, "too long, or with entities"),
    "row73_zero_matrix": (zero_matrix, "encodedSpace matrix is 0 x 24 x 1"),
    "row74_real": (real, "k-space is complex; these values are float32: is this an image"),
    "row74_five_axes": (five_axes, r"kspace has shape \(1, 3, 4, 32, 24\)"),
}
REFUSED_WITH_TORCH: dict[str, tuple[Callable[[Path], object], str]] = {
    "row74_order": (coils_last, "32 coils of 24 x 4: the axes seem to be in another order"),
    "row74_nan": (
        not_finite,
        r"not finite in slices 1, 2, columns 7, 9 \(33 places are NaN or Inf\)",
    ),
    "row74_overflow": (too_large_numbers, "not finite in slices 0, 1, 2"),
    "row74_zero": (all_zero, "k-space is zero everywhere"),
    "row75_width": (
        mask_of_other_width,
        r"^mask has 368 columns, k-space has 372\. Pass --mask or --crop centre\.$",
    ),
    "row75_nothing": (mask_of_zeros, "the mask measures nothing"),
    "row75_weights": (mask_of_weights, "other values than 0 and 1"),
}


@pytest.mark.parametrize("name", REFUSED | REFUSED_WITH_TORCH)
def test_a_bad_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, sentence = (REFUSED | REFUSED_WITH_TORCH)[name]
    make(tmp_path / "scan.h5")
    with pytest.raises(BadKSpace, match=sentence) as caught:
        read_kspace(tmp_path / "scan.h5")
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["row71_external_storage", "row73_claims", "row73_claims_lines"])
def test_a_bad_file_costs_little(name: str, tmp_path: Path) -> None:
    make, sentence = REFUSED[name]
    make(tmp_path / "scan.h5")
    run = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "scan.h5")],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(run.stdout)
    assert told["said"][0] == 3
    assert re.search(sentence, told["said"][1])
    assert not told["torch"]
    assert told["cpu"] < CPU_SECONDS
    assert told["peak"] < PEAK_BYTES


def said(kspace: object) -> str:
    return str(kspace.history[0].params["warnings"])  # type: ignore[attr-defined]


def test_row74_a_silent_coil_is_dropped_with_a_note(tmp_path: Path) -> None:
    silent = KSPACE.copy()
    silent[:, 2] = 0
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", silent))
    assert kspace.n_coils == 3
    assert "coils without signal were dropped: 2" in said(kspace)


def test_row75_a_mask_without_centre_is_said(tmp_path: Path) -> None:
    mask = np.arange(COLUMNS) != COLUMNS // 2
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE, mask=mask))
    assert kspace.mask.acs == (0, 0)
    assert "does not measure the centre" in said(kspace)


def test_row75_acceleration_one_is_read(tmp_path: Path) -> None:
    kspace = read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE, mask=np.ones(COLUMNS)))
    assert kspace.mask.true_acceleration == 1


def test_row75_a_mask_of_other_places_keeps_nothing(tmp_path: Path) -> None:
    lines = np.arange(COLUMNS) % 2 == 0
    path = write_fastmri(tmp_path / "a.h5", KSPACE * lines)
    with pytest.raises(BadKSpace, match="the mask keeps nothing of what was measured"):
        read_kspace(path, mask=~lines)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.ones((ROWS - 2, COLUMNS)), "mask has 30 rows, k-space has 32"),
        (np.ones((2, ROWS, COLUMNS)), "mask has 2 slices, k-space has 3"),
        (np.ones((1, 1, 1, 2)), "a mask has 1 to 3 axes"),
        (np.array(["a", "b"]), "a mask has 1 to 3 axes"),
    ],
)
def test_row75_a_given_mask_of_another_size(
    tmp_path: Path, mask: np.ndarray, sentence: str
) -> None:
    with pytest.raises(BadKSpace, match=sentence):
        read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE), mask=mask)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((3, 1, 4, 30, 24), "4 coils of 30 x 24 in 3 slices, k-space is 4 coils of 32 x 24 in 3"),
        ((3, 1, 6, 32, 24), "6 coils of 32 x 24 in 3 slices"),
        ((2, 1, 4, 32, 24), "4 coils of 32 x 24 in 2 slices"),
        ((4, 32, 24), r"\(slice, set, coil, y, x\); got complex64 \(4, 32, 24\)"),
    ],
)
def test_row76_maps_of_another_size(tmp_path: Path, shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(BadKSpace, match=sentence):
        read_kspace(write_fastmri(tmp_path / "a.h5", KSPACE), maps=np.ones(shape, np.complex64))


def test_row77_odd_oversampled_partial_and_asymmetric_at_once(tmp_path: Path) -> None:
    images = torch.nn.functional.pad(coil_images(31, 23), (0, 0, 16, 15))
    kspace = kspace_of(images)
    xml = header((62, 23, 1), (31, 23, 1), maximum=18, centre=7)
    lines = readouts_of(kspace[..., 4:])
    for line in lines:
        line.samples, line.centre = line.samples[:, 9:], 62 // 2 - 9
    found = read_kspace(write_ismrmrd(tmp_path / "a.h5", xml, lines))
    assert found.grid == (62, 23)
    assert found.image_shape == (31, 23)
    assert torch.equal(found.data[..., 9:, 4:], torch.from_numpy(kspace[..., 9:, 4:]))
    measured = torch.zeros(62, 23, dtype=torch.bool)
    measured[9:, 4:] = True
    assert torch.equal(found.mask.places[0], measured)
    assert "asymmetric echo: 53 of 62 samples" in said(found)
