"""The table survives names that were made to break it."""

from __future__ import annotations

import csv
import io

import hypothesis
from hypothesis import strategies as st

from isocenter.reports.tsv import cell, table
from tests.unit.reports.made import NO_QUALITY, made_report


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_one_row_for_each_report() -> None:
    found = rows(table([made_report("a.nii.gz"), made_report("b.nii.gz", scores=(NO_QUALITY,))]))
    assert [row["subject"] for row in found] == ["a", "b"]
    assert [row["quality"] for row in found] == ["62.3449", "n/a"]
    assert found[1]["why_missing"] == "constant image: no score"
    assert found[0]["motion_probability"] == "0.8312"


def test_a_report_without_an_artifact_that_another_has() -> None:
    found = rows(table([made_report(), made_report(artifacts=())]))
    assert found[1]["motion_level"] == "n/a"


@hypothesis.given(st.text(alphabet=st.characters()))
def test_no_text_breaks_a_row_or_starts_a_formula(text: str) -> None:
    made = cell(text)
    assert made.isprintable()
    assert "\t" not in made
    assert not made.lstrip().startswith(("=", "+", "-", "@"))
    made.encode()


@hypothesis.given(st.text(max_size=20))
def test_a_row_has_as_many_cells_as_the_header(name: str) -> None:
    header, row, *rest = table([made_report(name + ".nii.gz", subject=name)]).split("\n")
    assert header.count("\t") == row.count("\t")
    assert rest == [""]
