"""Every reader of k-space, through one battery. A new file is found by itself."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter import registry
from isocenter.data.io import read, read_kspace
from isocenter.data.io.kspace._acquired import Request
from isocenter.errors import BadKSpace, BadVolume, InputError
from tests.contract.test_readers import GARBAGE
from tests.unit.data.made_kspace import makers

NAMES = registry.kspace_readers.names()
MAKERS = makers()
every_reader = pytest.mark.parametrize("name", NAMES)
every_made = pytest.mark.parametrize("name", sorted(MAKERS))


def test_the_formats_that_the_guide_promises_have_readers() -> None:
    assert {"cfl", "fastmri", "ismrmrd", "mat", "npy", "twix"} <= set(NAMES)


@every_reader
def test_endings_are_small_letters_behind_a_dot(name: str) -> None:
    endings = registry.kspace_readers.get(name).ENDINGS
    assert endings
    assert all(ending.startswith(".") and ending == ending.lower() for ending in endings)


def test_no_ending_belongs_to_two_readers() -> None:
    entries = [registry.kspace_readers.get(name) for name in NAMES]
    entries += [registry.readers.get(name) for name in registry.readers.names()]
    endings = [ending for entry in entries for ending in entry.ENDINGS]
    assert sorted(endings) == sorted(set(endings))


@every_reader
def test_a_reader_says_what_it_reads(name: str) -> None:
    module = registry.kspace_readers.get(name)
    assert module.__doc__
    assert inspect.getdoc(module.load)
    assert list(inspect.signature(module.load).parameters) == ["path", "request"]


@every_reader
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_not_recognised(name: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / f"scan{registry.kspace_readers.get(name).ENDINGS[0]}"
    path.write_bytes(GARBAGE[what])
    assert not registry.kspace_readers.get(name).recognises(GARBAGE[what][:1024], path)


@every_reader
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_under_a_right_name_is_refused_in_one_sentence(
    name: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / f"scan{registry.kspace_readers.get(name).ENDINGS[0]}"
    path.write_bytes(GARBAGE[what])
    with pytest.raises(BadKSpace) as caught:
        read_kspace(path)
    assert caught.value.exit_code == 3
    assert str(caught.value)
    assert "\n" not in str(caught.value)


@every_reader
def test_a_reader_is_imported_without_torch_and_without_its_library(name: str) -> None:
    code = (
        f"import sys, isocenter.data.io.kspace.{name};"
        "print({'torch', 'h5py', 'scipy', 'twixtools'} & set(sys.modules) or 'light')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "light"


@every_made
def test_a_good_file_is_recognised_by_one_reader_alone(name: str, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path)
    head = path.read_bytes()[:1024]
    found = [n for n in NAMES if registry.kspace_readers.get(n).recognises(head, path)]
    assert found == [name]


@every_made
def test_a_good_file_is_read(name: str, tmp_path: Path) -> None:
    kspace = read_kspace(MAKERS[name](tmp_path))
    assert kspace.history[0].name == "read"
    assert kspace.mask.true_acceleration == 1


@every_made
def test_a_name_does_not_matter_where_the_content_tells(name: str, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path)
    if name == "cfl":
        pytest.skip("a pair is known by its names")
    renamed = path.rename(tmp_path / "scan.bin")
    assert read_kspace(renamed).data.shape == read_kspace(MAKERS[name](tmp_path)).data.shape


@every_made
def test_an_image_reader_names_the_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadVolume, match="this is k-space, not an image.*isocenter reconstruct"):
        read(MAKERS[name](tmp_path))


@every_made
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_was_cut_is_refused_in_one_sentence(
    name: str, share: float, tmp_path: Path
) -> None:
    path = MAKERS[name](tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError) as caught:
        read_kspace(path)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


@every_made
def test_the_budget_is_kept_before_reading(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadKSpace, match=r"the budget is .*choose fewer slices or raise max_bytes"):
        read_kspace(MAKERS[name](tmp_path), max_bytes=1000)


def test_a_request_is_checked_in_one_place() -> None:
    assert Request(slice(-2, None)).run(5) == (3, 5)
