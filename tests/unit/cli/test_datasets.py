"""``isocenter datasets``: what is listed, shown and checked, and how it ends."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter import registry
from isocenter.cli import _app
from isocenter.datasets import catalogue
from isocenter.datasets.layouts import ixi
from isocenter.datasets.layouts._layout import Expected
from tests.unit.datasets.trees import TREES, plant

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in an empty folder: its code, lines and complaint."""
    monkeypatch.chdir(tmp_path)

    def ran(*words: str) -> tuple[int, list[str], str]:
        code = _app.run(["datasets", *words])
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err

    return ran


@pytest.fixture
def two_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of IXI, which has two people for once."""
    expected = (Expected("T1w", 2, 2), Expected("T2w", 1, 1))
    monkeypatch.setattr(ixi, "LAYOUT", dataclasses.replace(ixi.LAYOUT, expected=expected))
    plant(tmp_path / "ixi", *TREES["ixi"])
    return tmp_path / "ixi"


def test_every_data_set_is_listed_with_size_and_licence(run: Run) -> None:
    code, (head, *rows), _ = run("list")
    assert code == 0
    assert head.split() == ["name", "people", "images", "contrasts", "licence"]
    assert [row.split()[0] for row in rows] == list(registry.datasets.names())
    (oasis,) = (row for row in rows if row.startswith("oasis"))
    assert oasis.split(maxsplit=4) == ["oasis", "416", "1688", "T1w", "data use agreement"]
    (hcp,) = (row for row in rows if row.startswith("hcp"))
    assert hcp.split()[1:3] == ["1113", "-"]


def test_the_names_are_a_kind_of_list_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert _app.run(["list", "datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(registry.datasets.names())
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("name", registry.datasets.names())
def test_all_that_is_known_of_a_data_set_is_shown(run: Run, name: str) -> None:
    layout = catalogue.layout(name)
    code, lines, _ = run("show", name)
    assert code == 0
    text = "\n".join(lines)
    for known in (layout.title, layout.home, layout.licence, layout.terms, *layout.download):
        assert known in text
    words = " ".join(text.split())
    assert all(note in words for note in layout.notes)
    for expected in layout.expected:
        numbers = [str(n) if n else "-" for n in (expected.people, expected.images)]
        assert [expected.contrast or "any", *numbers] in [line.split() for line in lines]
    assert lines[-1] == f"Then: isocenter datasets check {name} DIR"


def test_a_complete_copy_ends_with_0(run: Run, two_people: Path) -> None:
    code, lines, _ = run("check", "ixi", "ixi")
    assert (code, lines[0], lines[-1]) == (0, "IXI in ixi", "complete")
    assert ["T1w", "2", "of", "2", "2", "of", "2"] in [line.split() for line in lines]
    assert ["PDw", "1", "1"] in [line.split() for line in lines]


def test_what_is_missing_is_named_and_ends_with_3(run: Run, two_people: Path) -> None:
    (two_people / "IXI-T1/IXI012-HH-1211-T1.nii.gz").unlink()
    (two_people / "IXI-T2/IXI002-Guys-0828-T2.nii.gz").write_bytes(b"")
    code, lines, _ = run("check", "ixi", "ixi")
    assert code == 3
    assert "  IXI-T2/IXI002-Guys-0828-T2.nii.gz: IXI002-Guys-0828-T2.nii.gz is empty" in lines
    assert "  T1w: 1 of 2 people" in lines
    assert "  T2w: 1 of 1 images" in lines
    assert lines[-1].startswith("incomplete")
    assert "isocenter datasets show ixi" in lines[-1]


def test_of_many_broken_files_a_few_are_named(run: Run, tmp_path: Path) -> None:
    plant(tmp_path, *(f"sub-{n}/anat/sub-{n}_T1w.nii" for n in range(30)))
    for path in sorted(tmp_path.rglob("*.nii"))[:22]:
        path.write_bytes(b"")
    code, lines, _ = run("check", "bids", ".")
    assert code == 3
    assert sum(line.endswith("is empty") for line in lines) == 10
    assert "  and 12 more" in lines


def test_where_nothing_is_known_to_be_missing_that_is_said(run: Run, tmp_path: Path) -> None:
    plant(tmp_path, *TREES["bids"])
    code, lines, _ = run("check", "bids", ".")
    assert (code, lines[-1]) == (0, "nothing is broken; how much there should be is not known")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["check", "oasis", "."], 4, "nothing of OASIS-1 in ."),
        (["check", "oasis", "absent"], 4, "no such folder"),
        (["check", "oasi", "."], 2, "no dataset 'oasi'; did you mean 'oasis'?"),
        (["show", "qtabs"], 2, "did you mean 'qtab'?"),
        (["show"], 2, "type isocenter datasets show NAME"),
        (["check", "oasis"], 2, "type isocenter datasets check NAME DIR"),
        (["list", "oasis"], 2, "'list' takes no name"),
        (["shew", "oasis"], 2, "list"),
    ],
)
def test_a_wrong_call_gets_one_sentence(
    run: Run, words: list[str], code: int, sentence: str
) -> None:
    ended, lines, told = run(*words)
    assert (ended, lines) == (code, [])
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_nothing_heavy_is_imported_to_check_names(tmp_path: Path) -> None:
    plant(tmp_path, *TREES["oasis"])
    code = (
        "import sys\n"
        "from isocenter.cli._app import run\n"
        "run(['datasets', 'check', 'oasis', '.'])\n"
        "print(sorted({'torch', 'numpy', 'nibabel', 'h5py'} & set(sys.modules)))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[-1] == "[]"
