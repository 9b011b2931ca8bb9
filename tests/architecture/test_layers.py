"""Who imports whom, and what is imported at all when nothing heavy was asked for."""

import json
import subprocess
import sys
import tomllib

import pytest

from tests.architecture._source import PACKAGE, ROOT, module_name, sources

LIGHT_ROOMS = ("cli", "errors", "registry", "reports")
"""Never import torch at module level."""
IMPORT_AND_REPORT = """
import importlib, json, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.argv[1].split(",")) & set(sys.modules))))
"""


def heavy_after(modules: list[str], watched: str) -> list[str]:
    command = [sys.executable, "-c", IMPORT_AND_REPORT, watched, *modules]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    found: list[str] = json.loads(shown.stdout)
    return found


def test_imports_go_down_and_never_to_a_sibling() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 kept, 0 broken" in run.stdout


def test_every_room_has_a_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = settings["contracts"]
    placed = {name.strip(" ()") for row in layers["layers"] for name in row.split("|")}
    rooms = {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")}
    modules = {file.stem for file in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert rooms | modules <= placed | set(layers["exhaustive_ignores"])


@pytest.mark.parametrize("room", LIGHT_ROOMS)
def test_a_light_room_does_not_import_torch(room: str) -> None:
    names = [n for n in map(module_name, sources()) if f"{n}.".startswith(f"isocenter.{room}.")]
    assert names, f"there is no isocenter.{room}"
    assert heavy_after(names, "torch") == []


def test_the_facade_imports_nothing_heavy() -> None:
    watched = "h5py,jinja2,nibabel,numba,numpy,PIL,pydicom,rich,scipy,torch"
    assert heavy_after(["isocenter"], watched) == []
