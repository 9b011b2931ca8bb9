"""``isocenter assess``: what is printed, what is written, how it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.cli._lines import lines
from isocenter.cli._options import Row
from isocenter.data.io._loaded import Loaded
from isocenter.reports.json import schema
from tests.unit.reports.made import facts, made_report, opinions

Run = Callable[..., int]
Scan = Callable[[str, str], Path]
Captured = pytest.CaptureFixture[str]


def outputs(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*_quality.*")}


def test_one_scan(run: Run, scan: Scan, capsys: Captured, tmp_path: Path) -> None:
    scan("a.nii.gz", "62")
    assert run("assess", "a.nii.gz") == 0
    told = capsys.readouterr()
    assert told.err == ""
    lines = told.out.splitlines()
    assert lines[0].startswith("a.nii.gz   T1w, 1.0 x 1.0 x 1.2 mm, 3-D")
    assert lines[0].endswith(" s  cpu")
    assert lines[1].startswith("  quality   62 / 100")
    assert lines[2] == (
        "  artifact  motion    strong    p=0.83   worst slices: axial 88-97, coronal 12"
    )
    assert lines[3] == "            noise     slight    p=0.31"
    assert lines[4] == "  report    a_quality.html"
    assert lines[5].startswith("  note      background is exactly zero")
    assert outputs(tmp_path) == {"a_quality.json", "a_quality.html"}


def test_each_model_has_a_line() -> None:
    row = Row(Path("a.nii.gz"), made_report(opinions=opinions()))
    told = [line for line in lines(row) if line.startswith("  models") or "snr" in line]
    assert told == [
        "  models    hsfnet    quality 62.3   moderate motion",
        "            hysnet    snr 7.25   as noisy as hsfnet says",
    ]


def test_measures_are_counted(run: Run, scan: Scan, capsys: Captured) -> None:
    scan("a.nii.gz", "62")
    assert run("assess", "a.nii.gz", "--measures", "--definition", "mriqc-24") == 0
    assert "  measures  1 of 2 (mriqc-24)\n" in capsys.readouterr().out
    document = json.loads(Path("a_quality.json").read_text())
    assert document["provenance"]["measures"] == "mriqc-24"


def test_results_never_lie_beside_the_scan_unless_that_is_here(
    run: Run, scan: Scan, tmp_path: Path
) -> None:
    scan("in/a.nii", "50")
    assert run("assess", "in", "--out", "results/deep", "--no-report") == 0
    assert outputs(tmp_path / "in") == outputs(tmp_path) == set()
    assert outputs(tmp_path / "results/deep") == {"a_quality.json"}


def test_json_is_one_document_for_each_scan_and_nothing_else(
    run: Run, scan: Scan, capsys: Captured
) -> None:
    import jsonschema

    scan("a.nii", "10")
    scan("b.nii", "20")
    assert run("assess", ".", "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    documents = [json.loads(line) for line in lines]
    assert [one["score"]["value"] for one in documents] == [10, 20]
    for one in documents:
        jsonschema.validate(one, schema())
    assert json.loads(Path("a_quality.json").read_text()) == documents[0]


def test_quiet_prints_nothing(run: Run, scan: Scan, capsys: Captured) -> None:
    scan("a.nii", "10")
    scan("b.nii", "20")
    assert run("assess", "a.nii", "b.nii", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_batch_goes_on_past_a_bad_file(
    run: Run, scan: Scan, capsys: Captured, tmp_path: Path
) -> None:
    for name, content in (("a.nii", "10"), ("b.nii", "bad"), ("c.nii", "20")):
        scan(name, content)
    assert run("assess", "a.nii", "b.nii", "c.nii") == 3
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "b.nii: checksum mismatch: file is damaged",
        "done: 2 ok, 1 failed",
    ]
    assert "b_quality.json" not in outputs(tmp_path)
    assert {"a_quality.json", "c_quality.json"} <= outputs(tmp_path)


def test_nothing_matched(run: Run, capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("assess", "*.nii.gz", "empty") == 4
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "*.nii.gz: there is no such file or folder"
    assert second.startswith("empty: no scan was found")
    assert "nothing matched" in third
    assert run("assess", "empty") == 4


def test_one_absent_path_beside_a_good_one(run: Run, scan: Scan, capsys: Captured) -> None:
    scan("a.nii", "10")
    assert run("assess", "a.nii", "absent.nii") == 3
    assert "absent.nii: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code"), [("39.9", 10), ("40", 0), ("", 10), ("bad", 3)], ids=str
)
def test_the_gate(run: Run, scan: Scan, content: str, code: int) -> None:
    scan("good.nii", "90")
    scan("a.nii", content)
    assert run("assess", ".", "--fail-below", "40") == code


def test_the_gate_names_the_scan(run: Run, scan: Scan, capsys: Captured) -> None:
    scan("a.nii", "30")
    assert run("assess", "a.nii", "--fail-below", "40") == 10
    assert "1 scan is below the quality 40" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "done"),
    [("weights", 5, {"a"}), ("full", 6, {"a"}), ("memory", 6, {"a", "z"}), ("bug", 1, {"a", "z"})],
)
def test_what_would_fail_every_scan_ends_the_run_and_the_rest_does_not(
    run: Run, scan: Scan, tmp_path: Path, content: str, code: int, done: set[str]
) -> None:
    scan("a.nii", "1")
    scan("b.nii", content)
    scan("z.nii", "3")
    assert run("assess", ".", "--no-report") == code
    assert outputs(tmp_path) == {f"{name}_quality.json" for name in done}


def test_ctrl_c_keeps_what_is_finished(
    run: Run, scan: Scan, capsys: Captured, tmp_path: Path
) -> None:
    scan("a.nii", "1")
    scan("b.nii", "stop")
    assert run("assess", ".") == 130
    assert "interrupted" in capsys.readouterr().err
    assert "a_quality.json" in outputs(tmp_path)


def test_a_traceback_only_with_debug(run: Run, scan: Scan, capsys: Captured) -> None:
    scan("a.nii", "bug")
    assert run("assess", "a.nii") == 1
    told = capsys.readouterr().err
    assert told == "a.nii: a bug in isocenter (TypeError: half a voxel)\n"
    assert run("assess", "a.nii", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_names_in_two_folders_do_not_meet(run: Run, scan: Scan, tmp_path: Path) -> None:
    scan("s1/a.nii", "10")
    scan("s2/a.nii", "20")
    assert run("assess", ".", "--no-report") == 0
    values = {
        path.name: json.loads(path.read_text())["score"]["value"]
        for path in tmp_path.glob("*_quality.json")
    }
    assert values == {"s1_a_quality.json": 10, "s2_a_quality.json": 20}


def test_a_case_clash_is_refused_before_anything_runs(
    run: Run, scan: Scan, capsys: Captured, tmp_path: Path
) -> None:
    scan("sub-A.nii", "10")
    scan("sub-a.nii", "20")
    assert run("assess", ".") == 2
    assert "rename one scan" in capsys.readouterr().err
    assert outputs(tmp_path) == set()


def test_one_content_is_computed_once_and_gives_both_rows(
    run: Run, scan: Scan, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from isocenter.cli import _assessing, _volumes

    calls: list[Path] = []
    made = _assessing.assess_volumes

    def counted(path: Path, options: object) -> object:
        calls.append(path)
        return made(path, options)  # type: ignore[arg-type]

    def loaded(path: Path, selection: object) -> Loaded:
        return Loaded(np.ones((2, 2, 2), np.float32), np.eye(4), facts(path.name))

    monkeypatch.setattr(_assessing, "assess_volumes", counted)
    monkeypatch.setattr(_volumes, "load", loaded)
    monkeypatch.setattr(_volumes, "count_volumes", lambda path: 1)
    scan("a.nii", "62")
    scan("b.nii", "62")
    assert run("assess", "a.nii", "b.nii", "a.nii") == 0
    assert len(calls) == 1
    told = capsys.readouterr()
    assert told.out.count("62 / 100") == 3
    assert "done: 3 ok, 0 failed" in told.err
    names = {p.name: json.loads(p.read_text()) for p in tmp_path.glob("*_quality.json")}
    assert {one["input"]["name"] for one in names.values()} == {"a.nii", "b.nii"}
    assert {one["subject"] for one in names.values()} == {"a", "b"}


def test_an_out_that_cannot_be_written_is_refused_before_anything_runs(
    run: Run, scan: Scan, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocenter.cli import _assessing

    scan("a.nii", "62")
    scan("file", "x")
    monkeypatch.setattr(_assessing, "assess_volumes", lambda *_: pytest.fail("it ran"))
    assert run("assess", "a.nii", "--out", "file/below") == 6
    assert "--out" in capsys.readouterr().err
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert run("assess", "a.nii") == 6
    assert "cannot write to the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["two\nlines.nii", '"quotes".nii', "<script>x.nii", "brain\U0001f9e0.nii", "=1+1.nii",
     "\udcff\udcfe.nii", "n" * 251 + ".nii", "\x1b[31mred.nii"],
)  # fmt: skip
def test_odd_names_break_neither_lines_nor_documents(
    run: Run, scan: Scan, capsys: Captured, tmp_path: Path, name: str
) -> None:
    scan(f"in/{name}", "62")
    assert run("assess", "in", "--out", "out") == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 7
    assert told.err == ""
    assert all(line.isprintable() for line in told.out.splitlines())
    [path] = (tmp_path / "out").glob("*.json")
    assert json.loads(path.read_text())["score"]["value"] == 62
    assert run("assess", "in", "--out", "out", "--json") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["assess"], "PATH"),
        (["asess", "a.nii"], 'Did you mean "assess"'),
        (["assess", "a.nii", "--jsn"], "--json"),
        (["assess", "a.nii", "--model", "hsfnt"], "did you mean 'hsfnet'"),
        (["assess", "a.nii", "--workers", "0"], "--workers"),
        (["assess", "a.nii", "--fail-below", "140"], "from 0 to 100"),
        (["assess", "a.nii", "--volume", "-1"], "counted from 0"),
        (["assess", "a.nii", "--definition", "mriqc-24"], "add --measures"),
        (["assess", "a.nii", "--measures", "--definition", "mriqc"], "did you mean"),
        (["assess", "a.nii", "--voxel-size", "1,1"], "three lengths"),
        (["assess", "a.nii", "--voxel-size", "1,1,nan"], "above 0"),
        (["distort", "a.nii", "b.nii", "--artifact", "moton", "--level", "1"], "'motion'"),
        (["list", "artifact"], 'Did you mean "artifacts"'),
    ],
)
def test_wrong_words_are_one_line_with_a_cure(
    run: Run, scan: Scan, capsys: Captured, words: list[str], sentence: str
) -> None:
    scan("a.nii", "62")
    assert run(*words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert sentence in told.err
