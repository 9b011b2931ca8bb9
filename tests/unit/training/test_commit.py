"""Which state of the code made something."""

from pathlib import Path

import pytest

from isocenter.training.engine.commit import commit_of


def test_outside_git_nothing_is_known(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"


def test_without_git_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(Path(__file__).parent) == "unknown"
