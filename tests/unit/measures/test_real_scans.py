"""Measures of real scans, whole and after what programs do to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import isocenter as iso
from isocenter.data.scores import Score
from isocenter.data.volume import Volume
from isocenter.measures import Anatomy, find_anatomy, measure
from isocenter.ops.tissue import TissueMaps
from tests.unit.measures._heads import AIR_MEASURES

pytestmark = pytest.mark.data

USUAL = {
    "cjv": (0.2, 0.9),
    "cnr": (1.0, 6.0),
    "efc": (0.5, 0.91),
    "fwhm_avg": (2.7, 6.7),
    "icvs_gm": (0.3, 0.6),
    "inu_range": (0.1, 0.95),
    "qi_1": (0.0, 0.1),
    "wm2max": (0.3, 0.85),
}
"""About the range of the ABIDE table."""


@pytest.fixture(scope="module")
def scan(data_root: Path) -> Volume:
    return iso.read(data_root / "dicom/head_T1w")


@pytest.fixture(scope="module")
def whole(scan: Volume) -> Anatomy:
    return find_anatomy(scan)


def by_name(scores: tuple[Score, ...]) -> dict[str, Score]:
    return {score.name: score for score in scores}


def again(anatomy: Anatomy, data: torch.Tensor) -> dict[str, Score]:
    """Measures of changed data with the brain and the tissues of the whole scan."""
    changed = Volume(data, anatomy.affine, "T1w")
    return by_name(measure(changed, brain=anatomy.brain, tissue=anatomy.tissue))


def test_a_whole_head_has_all_measures_in_the_usual_range(whole: Anatomy, scan: Volume) -> None:
    found = by_name(measure(scan, definition="mriqc-0.15", brain=whole.brain, tissue=whole.tissue))
    missing = {name for name, score in found.items() if score.value is None}
    assert missing == {"tpm_overlap_csf", "tpm_overlap_gm", "tpm_overlap_wm"}
    for name, (low, high) in USUAL.items():
        assert low <= found[name].value <= high, name  # type: ignore[operator]


def test_a_defaced_head_keeps_its_measures(whole: Anatomy) -> None:
    assert whole.brain is not None
    data = whole.image.clone()
    # As defacing programs do: whatever is in front and below, but never the brain.
    data[:, 120:, :90] *= whole.brain[:, 120:, :90]
    before, after = again(whole, whole.image), again(whole, data)
    for name in ("snrd_wm", "summary_bg_mean", "cnr", "cjv"):
        assert after[name].value == pytest.approx(before[name].value, rel=0.05)


def test_padding_changes_little(whole: Anatomy) -> None:
    def padded(part: torch.Tensor) -> torch.Tensor:
        wide = torch.nn.functional.pad(part.float(), (0, 0, 0, 0, 20, 20))
        return wide.to(part.dtype)

    assert whole.tissue is not None
    assert whole.brain is not None
    wide = Volume(padded(whole.image), whole.affine, "T1w")
    maps = TissueMaps(*(padded(one) for one in whole.tissue[:3]), padded(whole.tissue.field) + 1e-9)
    after = by_name(measure(wide, brain=padded(whole.brain), tissue=maps))
    before = again(whole, whole.image)
    for name in ("snrd_wm", "cnr", "efc", "fber", "wm2max", "fwhm_avg"):
        assert after[name].value == pytest.approx(before[name].value, rel=0.03), name


def test_blank_air_is_a_reason_and_no_number(whole: Anatomy) -> None:
    assert whole.head is not None
    found = again(whole, torch.where(whole.head, whole.image, 0.0))
    for name in AIR_MEASURES:
        assert found[name].value is None
        assert "voxels of air" in str(found[name].why_missing)
    assert found["cjv"].value is not None


def test_a_turned_frame_does_not_count(whole: Anatomy) -> None:
    """The corners that a rotation leaves blank."""
    x, y, _ = np.ogrid[tuple(slice(side) for side in whole.image.shape)]
    corner = torch.from_numpy(np.broadcast_to(x + y < 60, whole.image.shape).copy())
    found, before = again(whole, torch.where(corner, 0.0, whole.image)), again(whole, whole.image)
    for name in ("snrd_wm", "fber", "efc"):
        assert found[name].value == pytest.approx(before[name].value, rel=0.1)


def test_a_stripped_brain_has_no_air(data_root: Path) -> None:
    path = sorted((data_root / "brains").glob("*.nii*"))[0]
    found = by_name(measure(iso.read(path)))
    for name in AIR_MEASURES:
        assert found[name].value is None
        assert found[name].why_missing
    assert found["efc"].value is not None


@pytest.mark.parametrize("name", ["heads/glioma_T1.nii.gz", "ms/patient-01_visit-1_T1W.nii.gz"])
def test_thick_slices_are_measured(data_root: Path, name: str) -> None:
    found = measure(iso.read(data_root / name))
    assert all((one.value is None) == (one.why_missing is not None) for one in found)
