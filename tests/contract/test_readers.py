"""Every reader of the registry, through one battery. A new file is found by itself."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter import registry
from isocenter.data.io._loaded import Selection
from isocenter.errors import InputError

NAMES = registry.readers.names()
every_reader = pytest.mark.parametrize("name", NAMES)
GARBAGE = {
    "empty": b"",
    "text": b"subject,score\nsub-01,3\n" * 50,
    "page": b"<!DOCTYPE html><html><body>404</body></html>" * 20,
    "zeros": bytes(4096),
    "noise": bytes((i * 7919 + i // 251) % 256 for i in range(4096)),
}


def test_the_formats_that_the_guide_promises_have_readers() -> None:
    assert {"dicom", "mgh", "minc", "nifti"} <= set(NAMES)


@every_reader
def test_endings_are_small_letters_behind_a_dot(name: str) -> None:
    endings = registry.readers.get(name).ENDINGS
    assert isinstance(endings, tuple)
    assert endings
    assert all(ending.startswith(".") and ending == ending.lower() for ending in endings)


def test_no_ending_belongs_to_two_readers() -> None:
    endings = [e for name in NAMES for e in registry.readers.get(name).ENDINGS]
    assert sorted(endings) == sorted(set(endings))


@every_reader
def test_a_reader_says_what_it_reads(name: str) -> None:
    module = registry.readers.get(name)
    assert module.__doc__
    assert inspect.getdoc(module.load)
    assert list(inspect.signature(module.load).parameters)[:2] == ["path", "selection"]


@every_reader
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_not_recognised(name: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(GARBAGE[what])
    assert not registry.readers.get(name).recognises(GARBAGE[what][:1024], path)


@every_reader
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_under_a_right_name_is_refused_in_one_sentence(
    name: str, what: str, tmp_path: Path
) -> None:
    module = registry.readers.get(name)
    path = tmp_path / f"scan{module.ENDINGS[0]}"
    path.write_bytes(GARBAGE[what])
    with pytest.raises(InputError) as caught:
        module.load(path, Selection())
    assert str(caught.value)
    assert "\n" not in str(caught.value)


@every_reader
def test_a_reader_is_imported_without_torch_and_without_its_library(name: str) -> None:
    code = (
        f"import sys, isocenter.data.io.{name};"
        "print({'torch', 'nibabel', 'pydicom', 'h5py'} & set(sys.modules) or 'light')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "light"
