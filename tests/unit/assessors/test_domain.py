"""Scans that the model should not judge, by plain facts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from isocenter.artifacts import artifact
from isocenter.assessors._domain import LIMIT, domain_of, outside_by_shape
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.datasets.foreign_objects import paint_object
from isocenter.ops.slabs import find_head


def head(spacing: float = 3.0) -> Volume:
    scan = head_phantom((64, 72, 60), spacing=spacing)
    return artifact("noise", 1)(scan, rng=generator(0))


def test_a_head_is_inside() -> None:
    scan = head()
    domain = domain_of(scan, find_head(scan.data), 0.5)
    assert domain.in_domain
    assert domain.reason is None


def test_features_far_away_are_outside() -> None:
    scan = head()
    domain = domain_of(scan, find_head(scan.data), LIMIT + 0.2)
    assert not domain.in_domain
    assert "distance 1.20" in str(domain.reason)


@pytest.mark.parametrize("spacing", [0.5, 8.0])
def test_wrong_size_is_outside(spacing: float) -> None:
    scan = head(spacing)
    assert "not the size of a head" in str(outside_by_shape(scan, find_head(scan.data)))


def test_label_map_is_outside() -> None:
    scan = head()
    labels = replace(scan, data=(scan.data / scan.data.max() * 12).round())
    assert outside_by_shape(labels, find_head(labels.data)) == "looks like a label or derived map"


def test_thin_slab_is_judged_by_its_plane() -> None:
    """Few thick slices: the extent along them says nothing."""
    scan = head()
    thin = Volume(scan.data[:, :, 28:33].contiguous(), np.diag([3.0, 3.0, 5.0, 1.0]))
    assert outside_by_shape(thin, find_head(thin.data)) is None


def test_painted_objects_differ_and_repeat() -> None:
    first, again, other = (paint_object(rng=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.data, again.data)
    assert first.shape != other.shape or not torch.equal(first.data, other.data)
    assert first.data.isfinite().all()
    assert first.data.min() >= 0
