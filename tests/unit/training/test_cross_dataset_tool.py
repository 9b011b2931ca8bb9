"""The table of networks on other data sets: one command from scans to the last row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from isocenter.data.io import write
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from tests.tool_modules import tool_module

SETTINGS = ["inputs.slabs.side=32", "inputs.n_slabs=1", "n_people=3"]
SCHEDULE = ["schedule.n_steps=1", "schedule.batch=2", "schedule.warm_up=1"]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tool_module("cross_dataset_benchmark")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people each of two data sets."""
    folder = tmp_path_factory.mktemp("data")
    for person in range(3):
        for place, name in (
            ("brains", f"sub-{person:02d}_T1w.nii.gz"),
            ("ms", f"patient-{person:02d}_visit-1_T2W.nii.gz"),
        ):
            (folder / place).mkdir(exist_ok=True)
            phantom = head_phantom((18, 19, 16), 2.5)
            noise = torch.randn(phantom.shape, generator=child(generator(1), place, person))
            image = replace(phantom, data=(phantom.data + noise).clamp_min(0))
            write(image, folder / place / name)
    return folder


def test_one_command_goes_from_scans_to_the_table_and_does_nothing_twice(
    tool: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "tool", "--data", str(data), "--out", str(tmp_path / "cross"), "--device", "cpu",
        "--from", "brains:facts", "--to", "ms", "brains",
        "--source-set", "brains:n_learned=2",
        "--set", f"cache={tmp_path / 'cache'}", *SETTINGS,
        "--train-set", *(f"facts:{word}" for word in SCHEDULE),
        "--probe-set", *SCHEDULE,
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(tool, "FOREST", "lines")
    tool.main()
    table = tmp_path / "cross" / "scores.md"
    cells = [line.split(" | ") for line in table.read_text().splitlines()[2:]]
    assert [row[3] for row in cells] == [
        "facts, zero-shot",
        "lines, zero-shot",
        "facts, probe",
        "lines, fitted there",
    ]
    assert {(row[0], row[1], row[2]) for row in cells} == {("| brains", "ms", "3 (63 images)")}
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cross").rglob("*.tsv")}
    first = table.read_text()
    trained = tmp_path / "cross" / "from-brains" / "facts"
    for again in (words, [*words, "--runs", str(trained)]):
        monkeypatch.setattr("sys.argv", again)
        tool.main()
        assert table.read_text() == first
    assert {path: path.stat().st_mtime_ns for path in made} == made
