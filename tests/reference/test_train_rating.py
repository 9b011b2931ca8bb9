"""The tool that trains the rating models: nothing leaks, and what ships is what it makes."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from isocenter.assessors._rating import load
from tests.tool_modules import tool_module


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tool_module("train_rating")


class Memory:
    """Stands for a model: says of every row how often it was among those learned from."""

    def __init__(self, values: np.ndarray, truth: np.ndarray) -> None:
        assert len(values) == len(truth)
        self.known = set(values[:, 0].tolist())

    def parts(self, values: np.ndarray) -> np.ndarray:
        seen = np.array([one in self.known for one in values[:, 0].tolist()], float)
        return np.stack([seen, np.full(len(values), len(self.known))], axis=1)


def test_no_scan_is_judged_by_a_model_that_knew_its_group(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[np.ndarray] = []

    def calibration(odds: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
        fitted.append(odds)
        return 1.0, 0.0

    monkeypatch.setattr(tool, "fit", Memory)
    monkeypatch.setattr(tool, "calibration", calibration)
    groups = np.repeat(["a", "b", "c", "d"], [10, 20, 30, 40])
    truth = np.arange(100) % 2
    values = np.arange(100.0)[:, None]
    held = tool.hold_out(tool.Table(values, truth, groups, groups), truth)
    sizes = {"a": 10, "b": 20, "c": 30, "d": 40}
    assert not held.odds[:, 0].any()
    assert held.odds[:, 1].tolist() == [100 - sizes[g] for g in groups]
    # Calibration saw the other groups alone, each judged without itself.
    for name, odds in zip(sizes, fitted, strict=True):
        assert (2 * odds).tolist() == [100 - sizes[g] for g in groups if g != name]


def test_calibration_finds_the_slope_that_made_the_truth(tool: ModuleType) -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 40_000)
    truth = (rng.uniform(size=odds.size) < 1 / (1 + np.exp(-(0.6 * odds - 1)))).astype(int)
    assert tool.calibration(odds, truth) == pytest.approx((0.6, -1), abs=0.05)


def test_reliability_of_a_coin_that_says_so(tool: ModuleType) -> None:
    truth = np.arange(1000) % 2
    _, gap, brier = tool.reliability(truth, np.full(1000, 0.5))
    assert (gap, brier) == (pytest.approx(0, abs=0.01), 0.25)
    _, gap, brier = tool.reliability(truth, np.ones(1000))
    assert (gap, brier) == (pytest.approx(0.5, abs=0.01), 0.5)


def test_the_best_single_measure_is_found_whatever_its_direction(tool: ModuleType) -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(120) % 2
    values = np.c_[rng.normal(size=120), -truth + rng.normal(0, 0.1, 120)]
    groups = np.repeat(["a", "b", "c"], 40)
    scores = tool.single(tool.Table(values, truth, groups, groups), truth)
    assert tool.auc(truth, scores) > 0.99


@pytest.mark.data
def test_people_stand_in_one_fold_and_every_scan_has_its_score(
    tool: ModuleType, data_root: Path
) -> None:
    table = tool.mr_art_table(data_root / "tables")
    assert [int(np.sum(table.truth == score)) for score in (1, 2, 3)] == [129, 109, 198]
    for one, other in itertools.combinations(sorted(set(table.groups)), 2):
        sides = [set(table.people[table.groups == name]) for name in (one, other)]
        assert sides[0].isdisjoint(sides[1])


@pytest.mark.data
def test_the_weights_are_what_the_tool_makes(tool: ModuleType, data_root: Path) -> None:
    table = tool.abide_table(data_root / "tables")
    assert (len(table.truth), int(table.truth.sum()), len(set(table.groups))) == (1101, 156, 17)
    (shipped,) = load("abide").blends
    again = tool.fit(table.values, table.truth)
    np.testing.assert_allclose(
        again.log_odds(table.values), shipped.log_odds(table.values), atol=1e-4
    )
