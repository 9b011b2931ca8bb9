"""What several models say together, without any weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from isocenter.assessors._asked import compare_noise, compare_qualities, model_of
from isocenter.assessors.ensemble import combined
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.scores import Finding, Score
from isocenter.errors import BadCheckpoint, UnknownName

CALIBRATION = {
    "weight": 0.75, "slope": 1.0, "offset": 0.0,
    "edges": [1.0, 2.0], "half_widths": [0.5, 0.3, 0.2],
}  # fmt: skip
CLEAN = (8.0, 12.0)


def quality(low: float, high: float) -> Score:
    return Score("quality", (low + high) / 2, None, "higher", 0.0, 100.0, (low, high))


def snr(low: float, high: float) -> Score:
    return Score("snr_estimated", (low + high) / 2, None, "higher", 0.0, math.inf, (low, high))


def noise(probability: float, level: int = 3) -> tuple[Finding, ...]:
    return (Finding("motion", 0.9, 2, 0.4), Finding("noise", probability, level, 0.5))


def test_two_qualities_that_are_one_stay_it() -> None:
    value, (low, high) = combined(80.0, 80.0, CALIBRATION)
    assert value == pytest.approx(80.0, abs=1e-3)
    assert low < value < high


def test_the_weight_is_the_first_ones() -> None:
    assert combined(90.0, 50.0, {**CALIBRATION, "weight": 1.0})[0] == pytest.approx(90, abs=1e-3)
    assert combined(90.0, 50.0, {**CALIBRATION, "weight": 0.0})[0] == pytest.approx(50, abs=1e-3)
    assert 50 < combined(90.0, 50.0, CALIBRATION)[0] < 90


def test_the_interval_is_that_of_the_joint_quality() -> None:
    """Better scans have narrower intervals here: the last half width counts."""
    value, (low, high) = combined(95.0, 95.0, CALIBRATION)
    target = -math.log(1 - value / 100 + 0.003)
    assert low == pytest.approx(100 * (1 - math.exp(-(target - 0.2)) + 0.003), abs=0.01)
    assert high == pytest.approx(100 * (1 - math.exp(-(target + 0.2)) + 0.003), abs=0.01)


@pytest.mark.parametrize(
    ("first", "other", "agrees", "word"),
    [
        ((50, 60), (55, 70), True, "agrees"),
        ((50, 60), (61, 70), False, "better"),
        ((50, 60), (20, 49), False, "worse"),
    ],
)
def test_qualities_agree_where_their_intervals_overlap(
    first: tuple[float, float], other: tuple[float, float], agrees: bool, word: str
) -> None:
    said = compare_qualities(quality(*first), quality(*other))
    assert said[0] is agrees
    assert word in said[1]


def test_without_a_quality_nothing_is_compared() -> None:
    nothing = Score("quality", None, None, "higher", 0.0, 100.0, None, "out of domain: a phantom")
    assert compare_qualities(nothing, quality(1, 2))[0] is None
    assert compare_noise((), snr(1, 2), CLEAN)[0] is None


@pytest.mark.parametrize(
    ("estimate", "findings", "agrees", "word"),
    [
        (snr(9, 11), noise(0.05), True, "as of clean"),
        (snr(3, 5), noise(0.95), True, "lower than of clean"),
        (snr(3, 5), noise(0.05), False, "finds no noise"),
        (snr(9, 11), noise(0.95), False, "finds noise"),
        (snr(9, 11), noise(0.95, level=1), True, "as of clean"),
        (snr(13, 15), noise(0.05), True, "higher than of clean"),
        (snr(7, 9), noise(0.05), True, "as of clean"),
    ],
)
def test_snr_against_the_noise_that_was_found(
    estimate: Score, findings: tuple[Finding, ...], agrees: bool, word: str
) -> None:
    said = compare_noise(findings, estimate, CLEAN)
    assert said[0] is agrees
    assert word in said[1]


def test_unknown_models_are_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'miqanet'"):
        model_of("miqnet", "cpu")
    file = tmp_path / "other.safetensors"
    Checkpoint("brisque", {}, {}, {}, {}, {}, {}).save(file)
    with pytest.raises(BadCheckpoint, match="holds the network 'brisque'; known are hsfnet"):
        model_of(str(file), "cpu")
