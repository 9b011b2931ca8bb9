"""Odd slices are found where they were made, and not in scans that are whole."""

from __future__ import annotations

from pathlib import Path

import make_inputs
import numpy as np
import pytest

from isocenter.data.io import load
from isocenter.data.io._content import looks_like_labels
from isocenter.data.io._slices import empty_frame, odd_slices
from tests.conftest import real_data

SOUND = [
    path
    for folder in ("brains", "heads", "spine", "ms")
    for path in sorted((real_data() / folder).glob("*.nii*"))
]
LABEL_WORDS = ("seg", "_gt", "lesion")


def whole() -> np.ndarray:
    return make_inputs.smooth_head().astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_whole_head_has_no_odd_slices(axis: int) -> None:
    assert odd_slices(whole(), axis) == []


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("place", [10, 20, 33])
def test_a_double_slice_is_named(axis: int, place: int) -> None:
    data = np.moveaxis(whole(), axis, 0).copy()
    data[place] = data[place - 1]
    (said,) = odd_slices(np.moveaxis(data, 0, axis), axis)
    assert said == f"slice {place} is the same as the one before"


@pytest.mark.parametrize("lost", [(20,), (20, 21), (3, 30)])
def test_empty_slices_inside_are_named(lost: tuple[int, ...]) -> None:
    data = whole()
    data[:, :, list(lost)] = 0
    (said,) = odd_slices(data, 2)
    assert said.startswith(f"slice{'s' * (len(lost) > 1)} {', '.join(map(str, lost))} ")


def test_empty_slices_at_the_ends_are_padding() -> None:
    assert odd_slices(np.pad(whole(), ((0, 0), (0, 0), (5, 7))), 2) == []


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 2), (1, 1, 9)])
def test_too_few_slices_say_nothing(shape: tuple[int, int, int]) -> None:
    data = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    assert odd_slices(data, 2) == []


def test_nothing_is_said_of_nothing() -> None:
    assert odd_slices(np.zeros((5, 5, 5), np.float32), 2) == []


@pytest.mark.parametrize(("width", "noticed"), [(1, False), (12, True)])
def test_a_frame_is_said_when_it_takes_room(width: int, noticed: bool) -> None:
    assert bool(empty_frame(np.pad(whole() + 1, width))) is noticed


@pytest.mark.parametrize("labels", [1, 2, 40])
def test_labels_are_told_from_noise(labels: int) -> None:
    regions = np.ceil(whole() / whole().max() * labels)
    smooth = np.repeat(np.repeat(regions[::8, ::8], 8, 0), 8, 1).astype(np.float32)
    assert looks_like_labels(smooth)
    assert not looks_like_labels(whole())
    assert not looks_like_labels(smooth + np.float32(0.25))


@pytest.mark.data
@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_real_scans_are_sound_and_real_label_maps_are_seen(path: Path) -> None:
    said = " ".join(load(path).facts.warnings)
    is_label = any(word in path.name for word in LABEL_WORDS)
    assert ("label or derived map" in said) is is_label
    assert "slice " not in said
    assert "slices seem" not in said


def gap_is_seen(path: Path, n_lost: int) -> bool:
    data = load(path).data
    place = data.shape[2] // 2
    said = odd_slices(np.delete(data, slice(place, place + n_lost), axis=2), 2)
    return any(f"between {place - 1} and {place}" in sentence for sentence in said)


@pytest.mark.data
def test_five_lost_millimetres_are_mostly_seen() -> None:
    brains = sorted((real_data() / "brains").glob("*.nii.gz"))[:10]
    assert sum(gap_is_seen(path, 5) for path in brains) >= 7
