"""The package as it ships, and the test run as it is meant to be."""

import socket
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

from isocenter.version import __version__
from tests.architecture._source import PACKAGE, ROOT

MEGABYTE = 1_000_000


def test_shipped_data_and_weights_are_small() -> None:
    sizes = {path: path.stat().st_size for path in PACKAGE.rglob("*") if path.is_file()}
    weights = [size for path, size in sizes.items() if path.suffix == ".safetensors"]
    assert weights, "no network is shipped"
    assert max(weights) <= 6 * MEGABYTE
    assert sum(weights) <= 30 * MEGABYTE
    assert sum(sizes[path] for path in PACKAGE.rglob("*.nii.gz")) < 3 * MEGABYTE


def test_nothing_that_can_run_code_is_shipped() -> None:
    risky = {".pkl", ".pickle", ".pt", ".pth", ".npy", ".joblib", ".so"}
    assert [path for path in PACKAGE.rglob("*") if path.suffix in risky] == []


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.filterwarnings("ignore:A test tried")
def test_the_test_run_has_no_network() -> None:
    with pytest.raises(Exception, match="socket"):
        socket.socket(socket.AF_INET)


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "9. Accepting Warranty or Additional Liability" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("banned", ["torchvision", "timm", "piq"])
def test_packages_that_break_beside_torch_are_not_asked_for(banned: str) -> None:
    asked = (ROOT / "pyproject.toml").read_text() + (ROOT / "constraints.txt").read_text()
    assert f'"{banned}' not in asked
    assert f"\n{banned}==" not in asked


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {canonical(line.split("==")[0]): line.split("==")[1] for line in lines if "==" in line}
    for asked in map(Requirement, [*project["dependencies"], *extras["test"], *extras["dev"]]):
        assert asked.specifier.contains(pins[canonical(asked.name)]), asked
