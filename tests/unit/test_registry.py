"""The registry: a file is an entry, listing imports nothing, a plug-in is an entry too."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from isocenter import registry
from isocenter.errors import UnknownName
from isocenter.registry import Registry


def test_names_are_the_files_without_underscore() -> None:
    place = Path(registry.__file__).parent / "ops"
    expected = sorted(file.stem for file in place.glob("[!_]*.py"))
    names = Registry("operation", "ops").names()
    assert list(names) == expected
    assert "regions" in names
    assert "__init__" not in names


def test_get_imports_the_module_of_that_name() -> None:
    assert Registry("operation", "ops").get("regions").__name__ == "isocenter.ops.regions"


def test_an_unknown_entry_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no operation 'region'; did you mean 'regions'\?"):
        Registry("operation", "ops").get("region")


def test_an_empty_folder_has_no_entries() -> None:
    assert Registry("thing", "no_such_room").names() == ()


def test_an_entry_point_is_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def plugins(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("zipper", "json", group)]

    monkeypatch.setattr(registry, "entry_points", plugins)
    assert "zipper" in registry.artifacts.names()
    assert registry.artifacts.get("zipper").__name__ == "json"
    assert set(asked) == {"isocenter.artifacts"}


def test_listing_imports_none_of_the_entries() -> None:
    code = (
        "import sys; from isocenter import registry as r;"
        "[x.names() for x in (r.artifacts, r.metrics, r.models, r.readers)];"
        "print(sorted(m for m in sys.modules if m.startswith('isocenter.')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(
        ["isocenter.errors", "isocenter.registry", "isocenter.version"]
    )
