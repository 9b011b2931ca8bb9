"""Versions of a benchmark: which there are, and that names alone decide what they look like."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from isocenter.artifacts import PRESETS, PRISTINE, Version, artifact, benchmark_versions
from isocenter.artifacts import make_version as make
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName, UsageError

SCAN = head_phantom((16, 18, 14))


def made(version: Version, person: str = "sub-01", name: str = "T1w", seed: int = 7) -> Volume:
    return make(SCAN, version, person=person, scan_name=name, seed=seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_artifact_at_every_level_and_then_the_scan_itself(preset: str) -> None:
    versions = benchmark_versions(preset)
    assert len(versions) == 4 * len(PRESETS[preset]) + 1
    assert versions[-1] == Version(preset, PRISTINE, 0)
    labels = [(v.artifact, v.level) for v in versions[:-1]]
    assert labels == [(name, level) for name in PRESETS[preset] for level in (1, 2, 3, 4)]


def test_a_choice_keeps_its_order_and_counts_once() -> None:
    versions = benchmark_versions("physical", ["spike", "bias", "spike"], [3, 1, 3])
    labels = [(v.artifact, v.level) for v in versions]
    assert labels == [("spike", 3), ("spike", 1), ("bias", 3), ("bias", 1), ("pristine", 0)]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("physicl",), UnknownName, "did you mean 'physical'"),
        (("physical", ["moton"]), UnknownName, "did you mean 'motion'"),
        (("hsfnet-2025", ["bias"]), UsageError, "has no artifact 'bias'"),
        (("physical", ["bias"], [5]), UsageError, "level 5 of bias"),
        (("physical", ["bias"], [0]), UsageError, "only pristine has level 0"),
        (("physical", [PRISTINE], [2]), UsageError, "only pristine has level 0"),
        (("physical", []), UsageError, "no version is left"),
        (("physical", ["bias"], []), UsageError, "no version is left"),
    ],
)
def test_what_does_not_exist_is_refused(
    arguments: tuple[object, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        benchmark_versions(*arguments)  # type: ignore[arg-type]


def test_the_pristine_version_is_the_scan() -> None:
    assert made(Version("physical", PRISTINE, 0)) is SCAN


@pytest.mark.parametrize("version", benchmark_versions("physical", levels=[2])[:-1])
def test_the_stream_is_that_of_the_names(version: Version) -> None:
    rng = child(generator(7), "sub-01", "T1w", version.preset, version.artifact, version.level)
    by_hand = artifact(version.artifact, version.level, preset=version.preset)(SCAN, rng=rng)
    again = made(version)
    assert torch.equal(again.data, by_hand.data)
    assert again.history == by_hand.history


def test_another_name_or_seed_is_another_image() -> None:
    version = Version("physical", "noise", 3)
    images = [
        made(version),
        made(version, person="sub-02"),
        made(version, name="T1w_run-2"),
        made(version, seed=8),
        made(Version("hsfnet-2025", "noise", 3)),
    ]
    assert len({image.data.numpy().tobytes() for image in images}) == len(images)


def test_naming_versions_does_not_import_torch() -> None:
    script = (
        "import sys; from isocenter.artifacts import Version, benchmark_versions;"
        "benchmark_versions('physical'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
