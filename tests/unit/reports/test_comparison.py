"""The document of a comparison holds everything; the table and the page come from it alone."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import numpy as np
import pytest

from isocenter.reports import comparison
from isocenter.reports._scatter import matrix, plot, ticks, whisker
from isocenter.reports.json import dump
from isocenter.statistics import Column, Compared, Missing, Rated, compare_values

EVIL = "<img src=x onerror=alert(1)>"


def made(n_references: int = 8, deviation: float | None = 5.0) -> Compared:
    rng = np.random.default_rng(0)
    n = 10 * n_references
    y = rng.normal(size=n)
    rated = Rated(
        images=tuple(f"{EVIL}{i}.png" for i in range(n)),
        references=tuple(f"reference {i % n_references}" for i in range(n)),
        opinions=tuple((50 + 10 * y).tolist()),
        deviation=(deviation,) * n,
        n_raters=(12,) * n,
        artifacts=tuple(("ghosting", "white_noise")[i % 2] for i in range(n)),
    )
    spread = {"good": 0.1, "same": 0.1, "fair": 0.8, "poor": 3.0}
    columns = [
        Column(name, "higher", tuple((y + sd * rng.normal(size=n)).tolist()), "baseline", 0.01)
        for name, sd in spread.items()
    ]
    falling = (-y + 0.3 * rng.normal(size=n)).tolist()
    columns.append(Column("falling", "lower", tuple(falling)))
    missing = [Missing("absent", f"needs {EVIL}")]
    return compare_values(rated, columns, rng=np.random.default_rng(1), missing=missing, n_draws=30)


@pytest.fixture(scope="module")
def compared() -> Compared:
    return made()


@pytest.fixture(scope="module")
def content(compared: Compared) -> comparison.Document:
    return comparison.document(compared)


def test_the_table_and_the_page_can_be_made_again_from_the_text(
    content: comparison.Document,
) -> None:
    again = json.loads(dump(content))
    assert comparison.page(again) == comparison.page(content)
    assert comparison.table(again) == comparison.table(content)


def test_the_document_holds_what_was_found(
    compared: Compared, content: comparison.Document
) -> None:
    for method, one in zip(compared.methods, content["methods"], strict=True):
        assert one["name"] == method.column.name
        assert one["srocc"] == pytest.approx(method.agreement.srocc, rel=1e-5)
        assert tuple(one["values"]) == method.column.values
        assert tuple(one["letters"]) == method.letters
        held = [g["letter"] for g in content["groups"] if one["name"] in g["methods"]]
        assert tuple(held) == method.letters
    assert content["best"] == ["same", "good"] or content["best"] == ["good", "same"]
    assert content["n_references"] == 8
    assert content["tests"]["jackknife"]["methods"] == [m["name"] for m in content["methods"]]


def test_the_curve_runs_through_the_values_as_measured(
    compared: Compared, content: comparison.Document
) -> None:
    (method,) = [m for m in compared.methods if m.column.name == "falling"]
    (one,) = [m for m in content["methods"] if m["name"] == "falling"]
    x, y = np.array(one["fit"]["curve"]).T
    assert x.min() == pytest.approx(min(method.column.values), rel=1e-5)
    assert y == pytest.approx(method.agreement.fit(-x), rel=1e-3)
    assert (np.diff(y) * np.diff(x) < 0).all()  # opinions fall as values grow


def test_a_null_has_its_reason() -> None:
    content = comparison.document(made(deviation=None))
    one = content["methods"][0]
    assert one["pairs"] is None
    assert "deviation" in one["reason_if_null"]["pairs"]
    assert one["outlier_ratio"] is None
    assert "deviation" in one["reason_if_null"]["outlier_ratio"]
    assert "NaN" not in dump(content)
    assert "deviation" in comparison.page(content)


def test_one_reference_and_no_artifacts_still_make_a_page() -> None:
    content = comparison.document(made(n_references=1))
    for image in content["images"]:
        image["artifact"] = None
    for method in content["methods"]:
        method["by_artifact"] = {}
    page = comparison.page(content)
    assert "SROCC by artifact" not in page
    assert "One reference alone" in page


def test_the_table_has_a_line_for_every_method(content: comparison.Document) -> None:
    lines = list(csv.DictReader(io.StringIO(comparison.table(content)), delimiter="\t"))
    assert [line["method"] for line in lines][-1] == "absent"
    assert len(lines) == 6
    assert float(lines[0]["srocc"]) > 0.95
    assert lines[-1]["srocc"] == "n/a"
    assert "needs" in lines[-1]["why_missing"]
    assert math.isfinite(float(lines[0]["srocc_white_noise"]))


def test_the_page_says_in_words_which_are_best(content: comparison.Document) -> None:
    page = comparison.page(content)
    sentence = re.search(r'<p class="sentence">(.*?)</p>', page)
    assert sentence is not None
    assert set(re.findall(r"good|same|fair|poor|falling", sentence[1])) == {"good", "same"}
    assert "share a letter are not told apart" in page
    assert page.count("<figure>") == 5
    assert page.count('class="yes"') + page.count('class="no"') == 5 * 4


def test_a_name_stays_text_and_nothing_is_loaded(content: comparison.Document) -> None:
    page = comparison.page(content)
    assert "<img" not in page
    assert "&lt;img" in page
    assert not re.findall("https?://|url[(]|@import", page)
    assert "<script" not in page
    assert 'style="' not in page


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0.0, 1.0), (-37.2, 412.0), (0.99991, 0.99999), (3e6, 8e7), (-1e-7, 2e-7)):
        marks = list(ticks(low, high, 5))
        assert 2 <= len(marks) <= 7
        assert all(low - 1e-9 * abs(low) <= value <= high * (1 + 1e-9) for value, _ in marks)
        assert all(float(label) == pytest.approx(value, abs=1e-12) for value, label in marks)
        assert len({label for _, label in marks}) == len(marks)


def test_dots_stand_where_the_values_are() -> None:
    method = {"name": "m", "values": [0.0, 1.0, 0.5], "fit": {"curve": [[0, 10], [1, 30]]}}
    images = [
        {"mos": 10.0, "artifact": "b"},
        {"mos": 30.0, "artifact": "a"},
        {"mos": 20.0, "artifact": None},
    ]
    drawn = plot(method, images, ["a", "b"])
    assert [colour for colour, _ in drawn.dots] == [0, 1, 2]
    (right, top), (left, bottom), (middle, centre) = (
        map(float, re.findall(r"[\d.]+", path)[:2]) for _, path in drawn.dots
    )
    assert left < middle < right
    assert top < centre < bottom
    assert drawn.curve == f"{left},{bottom} {right},{top}"


def test_the_matrix_shows_one_test_on_either_side() -> None:
    names = ["x", "y"]
    tests = {
        "jackknife": {"methods": names, "adjusted": [[1, 0.2], [0.2, 1]]},
        "f_test": {"methods": names, "adjusted": [[1, 0.01], [0.01, 1]]},
    }
    above, below = matrix(tests, 0.05).cells
    assert (above.differs, below.differs) == (False, True)
    assert above.label == "x, y: p = 0.2"
    assert below.label == "y, x: p = 0.01"
    tests["jackknife"]["adjusted"][0][1] = None
    assert not matrix(tests, 0.05).cells[0].differs


def test_a_whisker_ends_at_zero_and_at_one() -> None:
    assert whisker(0.5, (0.4, 0.7)) == {"at": 50.0, "start": 40.0, "width": 30.0}
    assert whisker(-0.1, (-0.3, 0.2)) == {"at": 0.0, "start": 0.0, "width": 20.0}
    assert whisker(0.5, (None, None)) is None
