"""Tissues from other programs' files, from the package's classifier, and the gate they pass."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from isocenter.artifacts import segment_tissue, tissue_maps_from_files
from isocenter.data.io import write
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, MissingExtra, UnknownName, UsageError
from isocenter.ops.tissue import TissueMaps

SIDE, SPACING = 56, 2.4
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
NAMES = {
    "SPM": ("c1T1.nii", "c2T1.nii", "c3T1.nii"),
    "FAST": ("T1_brain_pve_1.nii.gz", "T1_brain_pve_2.nii.gz", "T1_brain_pve_0.nii.gz"),
    "BIDS": tuple(f"sub-01_label-{name}_probseg.nii.gz" for name in ("GM", "WM", "CSF")),
}


def shells() -> torch.Tensor:
    """0 outside, 1 grey, 2 white matter, 3 fluid: a brain of about 1.1 litres."""
    place = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    radius = (place[:, None, None] ** 2 + place[:, None] ** 2 + place**2).sqrt()
    codes = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.long)
    for code, share in ((3, 0.96), (1, 0.92), (2, 0.73)):
        codes[radius < share] = code
    return codes


CODES = shells()


@pytest.fixture(scope="module")
def scan() -> Volume:
    noise = torch.randn(CODES.shape, generator=torch.Generator().manual_seed(1))
    bright = torch.tensor([0.0, 600.0, 900.0, 250.0])[CODES] + 20 * noise
    return Volume(bright * (CODES > 0), AFFINE, "T1w")


def planted(root: Path, names: tuple[str, ...], gain: float = 1.0) -> list[Path]:
    for code, name in enumerate(names, 1):
        write(Volume(gain * (code == CODES).float(), AFFINE), root / name)
    return [root / name for name in names]


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_names_tell_the_tissues_in_any_order(
    names: tuple[str, ...], scan: Volume, tmp_path: Path
) -> None:
    files = planted(tmp_path, names)
    maps = tissue_maps_from_files(files[::-1], scan)
    for code, said in enumerate((maps.gm, maps.wm, maps.csf), 1):
        assert torch.equal(said, (code == CODES).float())


def test_a_label_map_is_brought_to_the_grid_of_the_scan(scan: Volume, tmp_path: Path) -> None:
    # Left cortex, right cerebral white matter, ventricle; on a grid one voxel larger.
    labels = torch.nn.functional.pad(torch.tensor([0, 3, 41, 4])[CODES].float(), (1,) * 6)
    labels[labels == 3] = torch.where(torch.arange(int((labels == 3).sum())) % 2 > 0, 3.0, 2035.0)
    moved = AFFINE.copy()
    moved[:3, 3] -= SPACING
    write(Volume(labels, moved), tmp_path / "synthseg.nii.gz")
    maps = segment_tissue(scan, backend=[tmp_path / "synthseg.nii.gz"])
    for code, said in enumerate((maps.gm, maps.wm, maps.csf), 1):
        assert torch.allclose(said, (code == CODES).float(), atol=1e-5)


def test_maps_stay_as_they_are_where_that_is_wanted(scan: Volume, tmp_path: Path) -> None:
    files = planted(tmp_path, NAMES["SPM"], gain=0.7)
    assert float(tissue_maps_from_files(files, scan).gm.max()) == pytest.approx(1)
    left = tissue_maps_from_files(files, scan, whole=False)
    assert float(left.gm.max()) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("names", "error", "says"),
    [
        (("one.nii", "two.nii", "three.nii"), UsageError, "one.nii does not say which tissue"),
        (("c1T1.nii", "c2T1.nii"), UsageError, "give c1, c2 and c3 of SPM"),
        (("c1a.nii", "c1b.nii", "c3a.nii"), UsageError, "c1a.nii, c1b.nii, c3a.nii"),
        (("c1GM_pve_0.nii", "c2T1.nii", "c3T1.nii"), UsageError, "c1GM_pve_0.nii does not say"),
    ],
)
def test_names_that_do_not_tell_are_refused(
    names: tuple[str, ...], error: type[Exception], says: str, scan: Volume, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says):
        tissue_maps_from_files(planted(tmp_path, names), scan)


def test_files_that_cannot_be_maps_of_the_scan_are_refused_by_name(
    scan: Volume, tmp_path: Path
) -> None:
    files = planted(tmp_path, NAMES["SPM"], gain=255)
    with pytest.raises(BadVolume, match="0 to 1"):
        tissue_maps_from_files(files, scan)
    smaller = Volume(scan.data[:-2], AFFINE)
    with pytest.raises(BadVolume, match=r"c\dT1.nii .* not on the scan's grid"):
        tissue_maps_from_files(files, smaller)
    with pytest.raises(BadVolume, match="gone.nii cannot be used"):
        tissue_maps_from_files([tmp_path / "gone.nii"], scan)
    write(Volume(0.3 * scan.data, AFFINE), tmp_path / "scan.nii")
    with pytest.raises(BadVolume, match="no label map"):
        tissue_maps_from_files([tmp_path / "scan.nii"], scan)
    write(Volume((CODES > 0) * 700.0, AFFINE), tmp_path / "other.nii")
    with pytest.raises(BadVolume, match="no label of FreeSurfer's brain"):
        tissue_maps_from_files([tmp_path / "other.nii"], scan)


def test_the_classifier_finds_brain_and_tissues(scan: Volume) -> None:
    maps = segment_tissue(scan)
    assert float((maps.wm - (CODES == 2).float()).abs().mean()) < 0.01
    masked = segment_tissue(scan, "T1w", brain=CODES > 0)
    assert float((masked.gm - maps.gm).abs().mean()) < 0.01


def test_the_gate_refuses_in_one_sentence(scan: Volume, tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(2)
    noise = Volume(torch.rand(CODES.shape, generator=rng) + 0.5, AFFINE, "T1w")
    with pytest.raises(BadVolume, match=r"standard deviations apart.*; give a mask of the brain"):
        segment_tissue(noise, brain=CODES > 0)
    small = Volume(scan.data, np.diag([1.0, 1.0, 1.0, 1.0]), "T1w")
    with pytest.raises(BadVolume, match=r"no brain was found: .* ml .*; give a mask"):
        segment_tissue(small)
    half = planted(tmp_path, ("c1a.nii", "c3a.nii", "c2a.nii"))
    with pytest.raises(BadVolume, match="% of the brain"):
        segment_tissue(scan, backend=half)
    with pytest.raises(UnknownName, match="no backend 'spm'"):
        segment_tissue(scan, backend="spm")


def test_ants_is_asked_for_by_name_and_missed_in_one_sentence(
    scan: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ants", None)
    with pytest.raises(MissingExtra, match=r"pip install 'isocenter\[ants\]'"):
        segment_tissue(scan, backend="ants")
    with pytest.raises(UsageError, match="contrast None"):
        segment_tissue(Volume(scan.data, AFFINE), backend="ants", brain=CODES > 0)


class Image(np.ndarray):
    """Enough of an image of ANTs."""

    def numpy(self) -> np.ndarray:
        return np.array(self)


def stand_in(order: tuple[int, ...]) -> ModuleType:
    """A package whose Atropos gives back the true tissues, darkest first."""
    shares = [(code == CODES).float().numpy().view(Image) for code in order]
    field = np.full(CODES.shape, 3.0, np.float32).view(Image)
    made = ModuleType("ants")
    made.__dict__.update(
        from_numpy=lambda values, spacing: values.view(Image),
        n4_bias_field_correction=lambda image, mask, return_bias_field: field,
        atropos=lambda a, x, i, m, c: {"probabilityimages": shares},
    )
    return made


def test_tissues_of_ants_are_sorted_by_brightness(
    scan: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ants", stand_in((2, 3, 1)))
    maps: TissueMaps = segment_tissue(scan, backend="ants", brain=CODES > 0)
    for code, said in enumerate((maps.gm, maps.wm, maps.csf), 1):
        assert torch.equal(said, (code == CODES).float())
    assert torch.allclose(maps.field, torch.ones(CODES.shape))
