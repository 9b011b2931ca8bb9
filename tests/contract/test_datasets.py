"""Every data set of the registry, through one battery. A new file is found by itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter import registry
from isocenter.datasets import catalogue
from isocenter.datasets.layouts._layout import Layout
from isocenter.errors import NothingFound

NAMES = registry.datasets.names()
BENCHMARK = {
    "oasis": {"T1w": (416, 1688)},
    "nfbs": {"T1w": (125, 125)},
    "ixi": {"T1w": (581, 581), "T2w": (578, 578)},
    "qtab": {"T1w": (417, 1441), "T2w": (417, 1821)},
    "arc": {"T1w": (230, 447), "T2w": (230, 441)},
}
"""People and images of the eight parts of the HSFNet benchmark."""


@pytest.fixture(params=NAMES)
def layout(request: pytest.FixtureRequest) -> Layout:
    return catalogue.layout(request.param)


def test_the_benchmark_is_in_the_catalogue_with_its_counts() -> None:
    counts = {
        name: {e.contrast: (e.people, e.images) for e in catalogue.layout(name).expected}
        for name in BENCHMARK
    }
    assert counts == BENCHMARK
    assert sum(images for parts in BENCHMARK.values() for _, images in parts.values()) == 7122


def test_the_data_sets_that_the_guide_promises_are_there() -> None:
    others = {"abide", "bids", "collection", "hcp", "lemon", "mr_art", "mriqc", "plain"}
    assert {*BENCHMARK, *others, "rad_iqmri"} <= set(NAMES)


def test_the_file_s_name_is_the_entry_s(layout: Layout) -> None:
    assert registry.datasets.get(layout.name).LAYOUT is layout


def test_every_text_is_there(layout: Layout) -> None:
    for text in (layout.title, layout.licence, layout.terms, layout.tree, layout.example):
        assert text.strip() == text != ""
    assert layout.download
    assert layout.terms.endswith(".")
    assert re.fullmatch(r"https?://[\w.-]+\.[a-z]+(/\S*)?", layout.home)
    assert all(note.endswith(".") for note in layout.notes)
    assert registry.datasets.get(layout.name).__doc__


def test_counts_make_sense(layout: Layout) -> None:
    contrasts = [expected.contrast for expected in layout.expected]
    assert len(set(contrasts)) == len(contrasts)
    for expected in layout.expected:
        assert expected.contrast in {"T1w", "T2w", "FLAIR", "PDw", None}
        assert expected.per_person >= 1
        if expected.images is not None:
            assert expected.people is not None
            assert expected.images >= expected.people * expected.per_person


def test_the_example_is_a_path_that_the_tree_shows(layout: Layout) -> None:
    assert Path(layout.example).name in layout.tree


def test_an_empty_folder_holds_nothing_and_the_sentence_says_what_to_give(
    layout: Layout, tmp_path: Path
) -> None:
    for ask in (layout.index, layout.check):
        with pytest.raises(NothingFound) as caught:
            ask(tmp_path)
        sentence = str(caught.value)
        assert layout.title in sentence
        assert layout.example in sentence
        assert "\n" not in sentence


def test_the_catalogue_is_read_without_anything_heavy() -> None:
    watched = {"torch", "nibabel", "numpy", "h5py", "pydicom", "PIL", "scipy"}
    code = (
        "import sys\n"
        "from isocenter.datasets import catalogue\n"
        "catalogue.layouts()\n"
        f"print(sorted({watched} & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
