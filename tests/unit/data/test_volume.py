"""``Volume``: the door lets nothing in that is no scan; a history cannot be forgotten."""

import numpy as np
import pytest
import torch

from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume

EYE = np.eye(4)


def volume(shape: tuple[int, ...] = (3, 4, 5), affine: np.ndarray = EYE) -> Volume:
    return Volume(torch.arange(float(np.prod(shape))).reshape(shape), affine)


def test_shape_and_spacing_come_from_data_and_affine() -> None:
    turned = np.array([[0, -2.0, 0, 5], [0.5, 0, 0, 6], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    scan = volume(affine=turned)
    assert scan.shape == (3, 4, 5)
    assert scan.spacing == pytest.approx((0.5, 2.0, 3.0))


def test_an_empty_volume_is_refused() -> None:
    with pytest.raises(BadVolume, match=r"at least one voxel.*\(3, 0, 5\)"):
        volume((3, 0, 5))


def test_an_affine_with_infinite_entries_is_refused() -> None:
    with pytest.raises(BadVolume, match="finite"):
        volume(affine=np.full((4, 4), np.inf))


def test_a_singular_affine_is_refused() -> None:
    with pytest.raises(BadVolume, match="singular"):
        volume(affine=np.diag([1.0, 0.0, 1.0, 1.0]))


def test_signatures_are_checked_in_the_test_run() -> None:
    with pytest.raises(Exception, match="data") as caught:
        Volume(torch.zeros(3, 4, 5, dtype=torch.float64), EYE)
    assert "TypeCheckError" in type(caught.value).__name__


def test_after_adds_to_the_history_and_leaves_the_scan_alone() -> None:
    scan = volume()
    step = Step("noise", {"std": 1.0}, seed=3)
    later = scan.after(scan.data + 1, step)
    assert (later.history, scan.history) == ((step,), ())
    assert later.affine is scan.affine
    assert torch.equal(scan.data, volume().data)


def test_origin_is_the_reading_step_alone() -> None:
    read = Step("read", {"name": "a.nii"})
    scan = volume()
    assert scan.origin is None
    assert scan.after(scan.data, Step("noise", {})).origin is None
    assert scan.after(scan.data, read).after(scan.data, Step("noise", {})).origin == read


def test_repr_names_what_was_done() -> None:
    scan = volume().after(torch.zeros(3, 4, 5), Step("motion", {}))
    assert "(3, 4, 5)" in repr(scan)
    assert "motion" in repr(scan)


def test_a_volume_moves_to_a_device_with_its_place() -> None:
    moved = volume().to("meta")
    assert moved.data.device.type == "meta"
    assert np.array_equal(moved.affine, EYE)
