"""Tissues of heads painted from real anatomy: how many voxels are told right."""

from pathlib import Path

import pytest
import torch

import isocenter as iso
from isocenter.data.tissue_labels import FLUID, GREY, LESION, VESSEL, WHITE
from isocenter.datasets.label_heads import paint_known_head
from isocenter.ops.tissue import tissue_maps, why_untrustworthy

pytestmark = pytest.mark.data


def dice(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.slow
@pytest.mark.parametrize("deep_grey", [0.0, 1.0])
def test_tissues_of_a_painted_head_are_found(data_root: Path, deep_grey: float) -> None:
    labels = iso.read(data_root / "labels" / "training_seg_07.nii.gz")
    head = paint_known_head(
        labels, noise=0.05, shading=0.2, deep_grey=deep_grey, rng=iso.generator(7)
    )
    image = head.image.data
    maps = tissue_maps(image, head.brain, spacing=head.image.spacing)
    found = torch.stack(maps[:3]).argmax(0)
    codes = labels.data.round().long()
    for tissue, members in enumerate((FLUID + VESSEL, GREY, WHITE + LESION)):
        known = torch.isin(codes, torch.tensor(members))
        assert dice((found == tissue) & head.brain, known) > 0.97
    assert why_untrustworthy(maps, image) is None
