"""Figures of answers, intervals by person, pooled folds and paired differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.training.answers import scoring
from isocenter.training.answers.figures import calibration_error, constant, figures_of
from isocenter.training.answers.scoring import Method, markdown, pooled, scored
from isocenter.training.engine.outcomes import Outcomes

CLASSES = ("pristine", "noise_1", "noise_2", "blur_1", "blur_2")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "N_DRAWS", 100)


def values(noise: float, *, people: int = 6, first: int = 0, seed: int = 0) -> Outcomes:
    rng = np.random.default_rng(seed)
    truth = np.linspace(0, 1, 5 * people)
    said = truth + noise * rng.standard_normal(len(truth))
    return Outcomes(
        kind="values",
        people=tuple(f"sub-{first + i % people}" for i in range(len(truth))),
        items=tuple(f"item {i}" for i in range(len(truth))),
        truth=truth,
        outputs=said[:, None],
        columns=("estimate",),
    )


def classes(truth: list[int], guess: list[int], sure: float = 1.0) -> Outcomes:
    rest = (1 - sure) / (len(CLASSES) - 1)
    outputs = np.full((len(truth), len(CLASSES)), rest)
    outputs[np.arange(len(truth)), guess] = sure
    return Outcomes(
        kind="classes",
        people=tuple(f"sub-{i % 4}" for i in range(len(truth))),
        items=tuple(f"item {i}" for i in range(len(truth))),
        truth=np.array(truth, float),
        outputs=outputs,
        columns=CLASSES,
    )


def said(outcomes: Outcomes) -> dict[str, float]:
    every = np.arange(len(outcomes.truth))
    return {name: figure(every) for name, figure in figures_of(outcomes).items()}


def test_right_answers_have_perfect_figures() -> None:
    truth = [0, 1, 2, 3, 4] * 4
    found = said(classes(truth, truth))
    assert found.pop("ECE") == 0
    assert found == pytest.approx(dict.fromkeys(found, 1.0))
    assert set(found) == {
        "accuracy", "balanced accuracy", "macro F1", "SROCC(Q, severity)", "kappa, blur",
        "kappa, noise",
    }  # fmt: skip
    of_values = said(values(0.0))
    assert of_values["SROCC"] == of_values["KROCC"] == pytest.approx(1)
    assert of_values["RMSE"] == of_values["MAE"] == 0
    assert of_values["PLCC, fitted"] > 0.99


def test_kappa_of_a_type_counts_another_type_as_none() -> None:
    found = said(classes([0, 1, 2, 0, 1, 2], [0, 3, 4, 0, 3, 4]))
    assert found["kappa, noise"] == pytest.approx(0)
    assert np.isnan(found["kappa, blur"])
    assert found["SROCC(Q, severity)"] == pytest.approx(1)


def test_other_names_have_no_levels() -> None:
    outcomes = classes([0, 1], [0, 1])
    plain = Outcomes(**{**vars(outcomes), "columns": ("a", "b", "c", "d", "e")})
    assert "SROCC(Q, severity)" not in figures_of(plain)


def test_calibration_error_is_sureness_minus_share_right() -> None:
    sure = np.tile([0.8, 0.2], (10, 1))
    assert calibration_error(sure, np.zeros(10, int)) == pytest.approx(0.2)
    assert calibration_error(sure, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert calibration_error(sure, np.ones(10, int)) == pytest.approx(0.8)


def test_the_constant_learns_from_train_people_alone() -> None:
    known, asked = classes([1, 1, 1, 0], [0, 0, 0, 0]), classes([0, 2], [0, 2])
    made = constant(known, asked)
    assert made.outputs.tolist() == [[0.25, 0.75, 0, 0, 0]] * 2
    assert made.truth is asked.truth
    assert constant(values(0.1), values(0.5)).outputs == pytest.approx(0.5)
    found = said(constant(values(0.1), values(0.5)))
    assert np.isnan(found["SROCC"])
    assert found["RMSE"] == pytest.approx(np.linspace(0, 1, 30).std())


def test_an_estimate_that_is_no_number_is_refused() -> None:
    outcomes = values(0.1)
    outcomes.outputs[3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        figures_of(outcomes)


def test_a_better_method_differs_from_a_worse_one() -> None:
    scores = scored([Method("good", values(0.02)), Method("bad", values(0.6, seed=1))])
    assert (scores["n"], scores["people"]) == (30, 6)
    good, bad = (method["figures"]["SROCC"] for method in scores["methods"])
    assert good["interval"][0] <= good["value"] <= good["interval"][1]
    assert "difference" not in good
    assert bad["difference"]["value"] == pytest.approx(bad["value"] - good["value"])
    assert bad["difference"]["interval"][1] < 0
    text = markdown(scores)
    assert "| figure | good | bad |" in text
    assert "| minus good | bad |" in text


def test_methods_are_judged_on_what_they_share() -> None:
    whole = values(0.1)
    part = Outcomes(
        "values", whole.people[:12], whole.items[:12], whole.truth[:12], whole.outputs[:12],
        whole.columns,
    )  # fmt: skip
    assert scored([Method("whole", whole), Method("part", part)])["n"] == 12
    with pytest.raises(UsageError, match="nothing to compare"):
        scored([Method("a", values(0.1)), Method("b", values(0.1, first=50))])


def test_folds_are_pooled_and_share_nobody() -> None:
    both = pooled([values(0.1), values(0.1, first=10)])
    assert len(both.truth) == 60
    assert len(set(both.people)) == 12
    with pytest.raises(UsageError, match="sub-0 item 0 stands in two folds"):
        pooled([values(0.1), values(0.1)])
    with pytest.raises(UsageError, match="different questions"):
        pooled([values(0.1), classes([0], [0])])


@pytest.mark.parametrize("outcomes", [values(0.3), classes([0, 4, 2], [1, 4, 0], 0.7)])
def test_outcomes_survive_their_file(outcomes: Outcomes, tmp_path: Path) -> None:
    outcomes.save(tmp_path / "outcomes.tsv")
    again = Outcomes.load(tmp_path / "outcomes.tsv")
    assert (again.kind, again.people, again.items, again.columns) == (
        outcomes.kind, outcomes.people, outcomes.items, outcomes.columns,
    )  # fmt: skip
    assert np.array_equal(again.truth, outcomes.truth)
    assert np.array_equal(again.outputs, outcomes.outputs)
