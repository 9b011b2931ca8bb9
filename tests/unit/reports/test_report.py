"""``report`` writes what its file's ending says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import isocenter as iso
from isocenter.errors import ResourceError, UnknownName, UsageError
from tests.unit.reports.made import made_report


def test_each_ending_gives_its_form(tmp_path: Path) -> None:
    report = made_report()
    assert iso.report(report, to=tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert json.loads(iso.report(report, to=tmp_path / "a.json").read_text())["subject"]
    assert iso.report(report, to=str(tmp_path / "a.tsv")).read_text().count("\n") == 2


def test_a_sequence_becomes_an_array(tmp_path: Path) -> None:
    path = iso.report([made_report()], to=tmp_path / "a.json")
    assert [one["subject"] for one in json.loads(path.read_text())] == ["sub-01_T1w"]


def test_wrong_calls_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"did you mean '\.html'"):
        iso.report(made_report(), to=tmp_path / "a.htm")
    with pytest.raises(UsageError, match="at least one"):
        iso.report([], to=tmp_path / "a.html")
    with pytest.raises(ResourceError, match="cannot write"):
        iso.report(made_report(), to=tmp_path / "absent" / "a.html")
    assert list(tmp_path.iterdir()) == []
