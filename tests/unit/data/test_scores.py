"""``QualityReport``: what its short names answer."""

import subprocess
import sys

import pytest

from isocenter.data.scores import Domain, Finding, Provenance, QualityReport, ScanFacts, Score

QUALITY = Score("quality", 62.0, None, "higher", 0.0, 100.0, interval=(55.0, 68.0))
MISSING = Score("quality", None, None, "higher", 0.0, 100.0, why_missing="constant image")
CNR = Score("cnr", 3.1, None, "higher", 0.0, float("inf"))


def report(quality: Score = QUALITY) -> QualityReport:
    return QualityReport(
        subject="sub-01_T1w",
        verdict="acceptable",
        scores=(quality, CNR),
        artifacts=(
            Finding("motion", 0.83, 3, 0.6),
            Finding("blur", 0.5, 1, 0.1),
            Finding("noise", 0.31, 2, 0.2),
        ),
        strips=(),
        views=(),
        domain=Domain(True, 0.4, 1.0),
        scan=ScanFacts(
            "sub-01_T1w.nii.gz", None, None, (2, 2, 2), (1.0, 1.0, 1.0), None, None, None
        ),
        history=(),
        provenance=Provenance("0.1.0", "hsfnet", "", "", "cpu", 1.0, 1),
    )


def test_score_and_interval_are_those_of_the_quality() -> None:
    assert report().score == 62.0
    assert report().interval == (55.0, 68.0)


def test_a_missing_score_keeps_its_reason() -> None:
    assert report(MISSING).score is None
    assert report(MISSING).quality.why_missing == "constant image"


def test_metrics_are_all_scores_but_the_quality() -> None:
    assert report().metrics == {"cnr": CNR}


def test_found_are_those_at_least_as_probable_as_not() -> None:
    assert [finding.name for finding in report().found] == ["motion", "blur"]


@pytest.mark.parametrize("heavy", ["torch", "numpy"])
def test_scores_import_nothing_heavy(heavy: str) -> None:
    code = f"import sys, isocenter.data.scores; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
