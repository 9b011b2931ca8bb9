"""Methods without a network: planted truths that they must find, and some that nobody can."""

from __future__ import annotations

import builtins
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import isocenter as iso
from isocenter import registry
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, InputError, MissingExtra, UnknownName, UsageError
from isocenter.metrics.brisque import scene_features
from isocenter.ops.regions import head_mask, head_scale
from isocenter.statistics import srocc
from isocenter.training.baselines import BASELINES, Row, across_folds
from isocenter.training.baselines._features import FeatureTable, fingerprint
from isocenter.training.baselines._learned import LearnsFromFeatures, extra_trees, forest
from isocenter.training.baselines.brisque_svr import slice_features
from isocenter.training.baselines.iqm_forest import feature_names
from tests.unit.measures import _heads

N_PEOPLE, N_LEVELS = 9, 4
LEARNING = ("linear", "simple_forest", "brisque_svr")
PHANTOM = head_phantom((40, 44, 36))


def noisy(person: int, sigma: float) -> Volume:
    """A head of its own brightness in complex noise."""
    rng = child(generator(1), person, round(sigma * 1000))
    clean = PHANTOM.data * (0.5 + person / 4)
    real, imaginary = (torch.randn(clean.shape, generator=rng) for _ in range(2))
    size = sigma * 1000 * (0.5 + person / 4)
    return replace(PHANTOM, data=torch.hypot(clean + size * real, size * imaginary))


def row(person: int, sigma: float) -> Row:
    return Row(f"sub-{person}", f"noise {sigma:.3f}", partial(noisy, person, sigma))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Every person at four strengths of noise, which are not the same for any two."""
    return [
        row(person, 0.02 * 2**level * (1 + person / 40))
        for person in range(N_PEOPLE)
        for level in range(N_LEVELS)
    ]


@pytest.fixture(scope="module")
def folds() -> list[int]:
    return [person % 3 for person in range(N_PEOPLE) for _ in range(N_LEVELS)]


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """One table for each, measured once for all tests."""
    folder = tmp_path_factory.mktemp("tables")
    return {name: BASELINES.get(name).method(path=folder / f"{name}.tsv") for name in LEARNING}


def strengths(rows: list[Row]) -> np.ndarray:
    return np.array([math.log(float(row.item.split()[1])) for row in rows])


def test_every_method_is_listed_and_a_wrong_name_gets_a_hint() -> None:
    assert set(BASELINES.names()) == {
        "brisque_svr", "constant", "iqm_forest", "linear", "simple_forest", "tissue_snr",
    }  # fmt: skip
    with pytest.raises(UnknownName, match="did you mean 'iqm_forest'"):
        BASELINES.get("iqm_forrest")


@pytest.mark.parametrize("name", LEARNING)
def test_the_strength_of_noise_is_found_in_people_never_seen(
    name: str, methods: dict[str, object], rows: list[Row], folds: list[int]
) -> None:
    truth = strengths(rows)
    answers = across_folds(methods[name], rows, truth, folds)  # type: ignore[arg-type]
    assert answers.why_missing == (None,) * len(rows)
    assert srocc(answers.outputs[:, 0], truth) > 0.9
    # In the truth's units, too: a rank alone would pass with any scale.
    assert np.abs(answers.outputs[:, 0] - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean()


@pytest.mark.parametrize("name", LEARNING)
def test_the_level_of_noise_is_classified_in_people_never_seen(
    name: str, methods: dict[str, object], rows: list[Row], folds: list[int]
) -> None:
    truth = np.array([i % N_LEVELS for i in range(len(rows))])
    # Class 4 is never seen: it has a column all the same.
    answers = across_folds(methods[name], rows, truth, folds, n_classes=5)  # type: ignore[arg-type]
    assert answers.outputs.shape == (len(rows), 5)
    assert answers.outputs.sum(1) == pytest.approx(1.0)
    assert answers.outputs.min() >= 0
    assert (answers.outputs.argmax(1) == truth).mean() > 0.8


@pytest.mark.parametrize("name", LEARNING)
def test_nobody_knows_a_number_that_says_only_who_it_is(
    name: str, methods: dict[str, object], rows: list[Row], folds: list[int]
) -> None:
    # Learned from the same people it would be known: every person's brightness is their own,
    # and scans of one person are alike.
    drawn = torch.randn(N_PEOPLE, generator=generator(5)).tolist()
    truth = np.repeat(drawn, N_LEVELS)
    answers = across_folds(methods[name], rows, truth, folds)  # type: ignore[arg-type]
    assert srocc(answers.outputs[:, 0], truth) < 0.5


def test_the_constant_is_the_mean_of_the_other_folds(rows: list[Row], folds: list[int]) -> None:
    truth, fold = strengths(rows), np.array(folds)
    constant = BASELINES.get("constant").method()
    answers = across_folds(constant, rows, truth, folds)
    for name in range(3):
        expected = truth[fold != name].mean()
        assert answers.outputs[fold == name, 0] == pytest.approx(expected)


def test_the_constant_of_classes_is_how_often_each_was() -> None:
    known = [row(0, 0.1)] * 4
    constant = BASELINES.get("constant").method().fit(known, [2, 0, 2, 2], n_classes=4)
    assert constant.predict(known[:2]).outputs.tolist() == [[0.25, 0, 0.75, 0]] * 2
    with pytest.raises(UsageError, match="no rows"):
        BASELINES.get("constant").method().fit([], [])


def test_extra_trees_find_the_one_feature_that_tells_and_know_unseen_classes() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 30))
    truth = (values[:, 7] > 0).astype(float)
    said = extra_trees(0)(values[:80], truth[:80], 3)(values[80:])
    assert said.shape == (40, 3)
    assert (said.argmax(1) == truth[80:]).mean() > 0.8
    assert not said[:, 2].any()
    missing = values.copy()
    missing[:, 3] = np.nan
    number = extra_trees(0)(missing[:80], values[:80, 7], None)(missing[80:])
    assert srocc(number[:, 0], values[80:, 7]) > 0.8


def test_a_person_in_two_folds_is_refused_by_name(rows: list[Row]) -> None:
    folds = [i % 2 for i in range(len(rows))]
    with pytest.raises(UsageError, match="sub-0 stands in fold 0 and in fold 1"):
        across_folds(BASELINES.get("constant").method(), rows, strengths(rows), folds)


def test_folds_that_leave_nothing_to_learn_from_are_refused(rows: list[Row]) -> None:
    constant = BASELINES.get("constant").method()
    with pytest.raises(UsageError, match="one fold"):
        across_folds(constant, rows, strengths(rows), [0] * len(rows))
    with pytest.raises(UsageError, match="36 rows have 35 truths"):
        across_folds(constant, rows, strengths(rows)[1:], [0] * len(rows))


def test_brisque_numbers_are_those_of_cropped_slices_at_the_head_s_brightness() -> None:
    scan = noisy(2, 0.05)
    mask = head_mask(scan.data)
    bright = scan.data.double() * 255 / head_scale(scan.data, mask)
    found = []
    for axis in range(3):
        shown = [i for i in range(scan.shape[axis]) if bool(mask.select(axis, i).any())]
        for share in (0.35, 0.5, 0.65):
            at = round(shown[0] + share * (shown[-1] - shown[0]))
            inside, picture = mask.select(axis, at), bright.select(axis, at)
            across = inside.any(0).nonzero().flatten().tolist()
            down = inside.any(1).nonzero().flatten().tolist()
            box = picture[min(down) : max(down) + 1, min(across) : max(across) + 1]
            found.append(scene_features(box[None, None])[0])
    assert slice_features(scan) == pytest.approx(torch.stack(found).mean(0).tolist(), rel=1e-3)


@pytest.mark.parametrize("name", ["brisque_svr", "tissue_snr"])
def test_a_blank_scan_has_no_answer_and_says_why(
    name: str, rows: list[Row], methods: dict[str, object]
) -> None:
    blank = Row("sub-x", "blank", lambda: replace(PHANTOM, data=torch.zeros(PHANTOM.shape)))
    method = methods.get(name) or BASELINES.get(name).method()
    few = rows[:4] if name == "brisque_svr" else []
    fitted = method.fit([*few, blank], range(len(few) + 1))  # type: ignore[attr-defined]
    answers = fitted.predict([blank])
    assert np.isnan(answers.outputs).all()
    assert "constant" in (answers.why_missing[0] or "")


def test_nothing_to_learn_from_is_refused() -> None:
    blank = Row("sub-x", "blank", lambda: replace(PHANTOM, data=torch.zeros(PHANTOM.shape)))
    with pytest.raises(UsageError, match="learns from: there is no head"):
        BASELINES.get("brisque_svr").method().fit([blank], [1.0])


def test_the_ratio_of_tissues_is_the_one_that_is_measured() -> None:
    scan = _heads.volume()
    expected = {score.name: score for score in iso.measure(scan)}["snr_total"]
    fitted = BASELINES.get("tissue_snr").method().fit([], [])
    answers = fitted.predict([Row("a", "head", lambda: scan)])
    if expected.value is None:
        assert answers.why_missing == (expected.why_missing,)
    else:
        assert answers.outputs[0, 0] == expected.value
    with pytest.raises(UsageError, match="21 classes"):
        fitted.fit([], [], n_classes=21)


# The table of features.


def counting(seen: list[str]) -> Callable[[Volume], list[float | None]]:
    def measure(scan: Volume) -> list[float | None]:
        seen.append(fingerprint(scan))
        if float(scan.data.max()) == 0:
            raise BadVolume("there is\nnothing")
        return [float(scan.data.mean()) / 3, None]

    return measure


def test_a_scan_is_measured_once_and_kept_for_the_next_run(tmp_path: Path) -> None:
    seen: list[str] = []
    path = tmp_path / "table.tsv"
    blank = Row("x", "blank", lambda: replace(PHANTOM, data=torch.zeros(PHANTOM.shape)))
    given = [row(0, 0.1), row(1, 0.1), row(0, 0.1), blank]
    table = FeatureTable(("mean", "none"), counting(seen), path=path)
    first, why = table.of(given)
    assert len(seen) == 3
    table.of(given[::-1])
    again, why_again = FeatureTable(("mean", "none"), counting(seen), path=path).of(given)
    assert len(seen) == 3
    assert np.array_equal(first, again, equal_nan=True)
    assert why == why_again == (None, None, None, "there is nothing")
    assert np.isnan(first[:, 1]).all()


def test_what_was_measured_before_a_stop_is_kept(tmp_path: Path) -> None:
    def stop() -> Volume:
        raise KeyboardInterrupt

    path, seen = tmp_path / "table.tsv", list[str]()
    table = FeatureTable(("mean", "none"), counting(seen), path=path)
    with pytest.raises(KeyboardInterrupt):
        table.of([row(0, 0.1), Row("x", "stopped", stop)])
    FeatureTable(("mean", "none"), counting(seen), path=path).of([row(0, 0.1)])
    assert len(seen) == 1


def test_a_row_is_loaded_once_however_often_it_is_asked_for() -> None:
    loaded: list[int] = []

    def load() -> Volume:
        loaded.append(1)
        return PHANTOM

    one = Row("a", "b", load)
    table = FeatureTable(("mean", "none"), counting([]))
    for _ in range(3):
        table.of([one, one])
    assert len(loaded) == 1


def test_a_changed_scan_is_another_scan() -> None:
    scan = noisy(0, 0.1)
    moved = scan.affine.copy()
    moved[0, 3] += 1
    others = [
        replace(scan, data=scan.data + 1e-3),
        replace(scan, affine=moved),
        replace(scan, contrast="T2w"),
    ]
    assert len({fingerprint(one) for one in (scan, *others)}) == 4
    assert fingerprint(replace(scan, data=scan.data.clone(), history=())) == fingerprint(scan)


def test_a_table_of_other_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    FeatureTable(("mean", "none"), counting([]), path=path).of([row(0, 0.1)])
    with pytest.raises(InputError, match="other features"):
        FeatureTable(("none", "mean"), counting([]), path=path)
    path.write_text(path.read_text().rstrip("\n").rsplit("\t", 1)[0])
    with pytest.raises(InputError, match="other features"):
        FeatureTable(("mean", "none"), counting([]), path=path)


# The forest of measures.


def planted_table(path: Path, rows: list[Row], truth: np.ndarray) -> None:
    """Measures that were kept: one says the truth, on every third scan it is missing."""
    names = feature_names("corrected")
    noise = torch.randn(len(rows), len(names), generator=generator(3)).tolist()
    lines = ["\t".join(("sha256", "why_missing", *names))]
    for i, one in enumerate(rows):
        cells = dict(zip(names, map(repr, noise[i]), strict=True))
        cells["corrected:cjv"] = "n/a" if i % 3 == 0 else repr(float(truth[i]))
        cells["corrected:cnr"] = repr(float(truth[i]) ** 3)
        cells["corrected:tpm_overlap_gm"] = "n/a"
        lines.append("\t".join((fingerprint(one.load()), "n/a", *cells.values())))
    path.write_text("\n".join(lines) + "\n")


def test_the_forest_finds_the_measure_that_says_the_truth_and_bears_gaps(
    tmp_path: Path, rows: list[Row], folds: list[int]
) -> None:
    truth = strengths(rows)
    planted_table(tmp_path / "iqm.tsv", rows, truth)
    method = BASELINES.get("iqm_forest").method(path=tmp_path / "iqm.tsv", seed=1)
    answers = across_folds(method, rows, truth, folds)
    assert answers.why_missing == (None,) * len(rows)
    # Leaves hold two rows or more, so neighbours in strength are ties.
    assert srocc(answers.outputs[:, 0], truth) > 0.85
    again = BASELINES.get("iqm_forest").method(path=tmp_path / "iqm.tsv", seed=1)
    assert np.array_equal(across_folds(again, rows, truth, folds).outputs, answers.outputs)


def test_columns_of_the_forest_are_all_measures_but_the_grid() -> None:
    names = [name.removeprefix("mriqc-24:") for name in feature_names("mriqc-24")]
    assert len(names) == len(set(names)) == 68 - 6
    assert {"cjv", "qi_2", "snr_total"} <= set(names)
    assert not [name for name in names if name.startswith(("size", "spacing"))]
    families = registry.measures.names()
    assert len(families) < len(names)


def test_measures_of_a_scan_stand_in_their_columns() -> None:
    scan = _heads.volume()
    table = BASELINES.get("iqm_forest").method().table
    values, why = table.of([Row("a", "head", lambda: scan)])
    expected = {score.name: score.value for score in iso.measure(scan)}
    assert why == (None,)
    for name, value in zip(table.names, values[0].tolist(), strict=True):
        true = expected[name.split(":")[1]]
        assert (math.isnan(value) and true is None) or value == true


def test_without_scikit_learn_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    found = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.split(".", maxsplit=1)[0] == "sklearn":
            raise ImportError(name)
        return found(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    table = FeatureTable(("mean", "none"), counting([]))
    learner = LearnsFromFeatures(table, forest(0), needs_all=False)
    with pytest.raises(MissingExtra, match="pip install scikit-learn"):
        learner.fit([row(0, 0.1)], [1.0])
