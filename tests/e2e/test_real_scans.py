"""The shipped assessor on real scans that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

import isocenter as iso
from isocenter.data.random import child, generator
from isocenter.data.scores import QualityReport
from isocenter.datasets.foreign_objects import paint_object

pytestmark = pytest.mark.data

HEADS = (
    "brains/sub-08_T1w.nii.gz",
    "brains/sub-23_T1w.nii.gz",
    "dicom/head_T1w",
    "heads/glioma_T1.nii.gz",
    "heads/glioma_FLAIR.nii.gz",
    "heads/shading_strong_T1w.nii",
    "heads/shading_weak_T1w.nii",
    "ms/patient-04_visit-1_T2W.nii.gz",
    "ms/mni_patient-19_FLAIR.nii.gz",
)
OTHERS = (
    "spine/t1_t1w.nii.gz",
    "spine/t2_t2.nii.gz",
    "spine/t2_t2_seg-manual.nii.gz",
    "labels/training_seg_01.nii.gz",
    "ms/mni_patient-19_lesions.nii.gz",
    "formats/abdomen_single.dcm",
    "formats/shoulder_single.dcm",
)


def test_of_one_head_the_strongly_shaded_scan_is_worse(data_root: Path) -> None:
    strong = iso.assess(data_root / "heads" / "shading_strong_T1w.nii")
    weak = iso.assess(data_root / "heads" / "shading_weak_T1w.nii")
    assert strong.score is not None
    assert weak.score is not None
    assert strong.score < weak.score
    assert strong.artifacts[0].name == "bias"
    said = [{f.name: f.probability for f in report.artifacts}["bias"] for report in (strong, weak)]
    assert said[0] >= 0.5
    assert said[0] > said[1]


def test_thick_slices_are_not_taken_for_ghosts(data_root: Path) -> None:
    """Their few lines along the slice axis say nothing about combs."""
    report = iso.assess(data_root / "heads" / "glioma_T2.nii.gz")
    assert not report.found


@pytest.mark.parametrize("name", HEADS)
def test_a_head_gets_a_score(data_root: Path, name: str) -> None:
    report = iso.assess(data_root / name)
    assert report.domain.in_domain, report.domain.reason
    assert report.score is not None


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_head_gets_a_note_and_no_score(data_root: Path, name: str) -> None:
    _assert_foreign(iso.assess(data_root / name))


def test_painted_objects_get_no_score() -> None:
    """Objects with numbers that the domain check was not fitted on."""
    reports = [
        iso.assess(paint_object(rng=child(generator(99), "unseen", number))) for number in range(12)
    ]
    assert sum(not report.domain.in_domain for report in reports) >= 11


def _assert_foreign(report: QualityReport) -> None:
    assert not report.domain.in_domain
    assert report.score is None
    assert "out of domain" in str(report.quality.why_missing)
    assert any("do not trust" in note for note in report.notes)
