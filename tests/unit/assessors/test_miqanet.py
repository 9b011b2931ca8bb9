"""The assessor of MIQANet: what it says of a scan and its slices, and what it refuses."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.assessors._outputs import quality_to_target, target_to_quality
from isocenter.assessors._pictures import crops, judge_slices, pictures
from isocenter.assessors.miqanet import Assessor, load
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import PublishedStack, Slabs
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint
from isocenter.nets.miqanet import Config, build

SMALL = Config(
    mode="improved",
    side=32,
    n_inputs=2,
    width=16,
    depth=1,
    n_heads=2,
    taps=(0,),
    n_tabs=1,
    swin_depths=(1,),
    swin_heads=2,
    swin_hidden=16,
    cnn_width=4,
    last="softplus",
)
FIT = {"slope": 0.5, "offset": 0.2, "edges": [0.3, 9.0], "half_widths": [0.1, 0.4, 0.2]}


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint(
        net="miqanet",
        config=asdict(SMALL),
        preprocess=Slabs(side=40, n_slices=1).to_json(),
        outputs={},
        calibration={},
        card={},
        tensors=build(SMALL, seed=3).state_dict(),
    )


@pytest.fixture(scope="module")
def scan() -> Volume:
    return head_phantom((48, 56, 44))


def test_the_quality_is_the_mean_of_the_slices(checkpoint: Checkpoint, scan: Volume) -> None:
    said = Assessor(checkpoint, "cpu").judge(scan)
    qualities = [one.quality for one in said.slices]
    assert said.quality == pytest.approx(np.mean(qualities), rel=1e-5)
    assert all(0 <= quality <= 100 for quality in qualities)
    assert said.interval is None
    assert len(said.slices) == 24
    assert {one.plane for one in said.slices} == {"sagittal", "coronal", "axial"}
    assert all(0 < one.index < 56 for one in said.slices)


def test_the_worst_slices_come_first(checkpoint: Checkpoint, scan: Volume) -> None:
    said = Assessor(checkpoint, "cpu").judge(scan)
    assert list(said.worst) == sorted(said.slices, key=lambda one: one.quality)[:3]


def test_a_calibrated_quality_lies_on_its_line_and_in_its_interval(
    checkpoint: Checkpoint, scan: Volume
) -> None:
    plain = Assessor(checkpoint, "cpu").judge(scan)
    said = Assessor(replace(checkpoint, calibration={"quality": FIT}), "cpu").judge(scan)
    target = 0.5 * quality_to_target(torch.tensor(plain.quality / 100)) + 0.2
    assert said.quality == pytest.approx(100 * float(target_to_quality(target)), rel=1e-4)
    assert said.interval is not None
    low, high = (100 * float(target_to_quality(target + d)) for d in (-0.4, 0.4))
    assert said.interval == pytest.approx((low, high), rel=1e-4)
    assert low < said.quality < high
    assert [one.quality for one in said.slices] == [one.quality for one in plain.slices]


def test_the_same_scan_gets_the_same_answer_brighter_or_as_a_file(
    checkpoint: Checkpoint, scan: Volume, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path / "miqanet.safetensors")
    first = load(path, "cpu").judge(scan)
    brighter = load(path, "cpu").judge(replace(scan, data=scan.data * 37))
    assert first == load(path, "cpu").judge(scan)
    assert brighter.quality == pytest.approx(first.quality, rel=1e-3)


def test_a_scan_of_nothing_is_still_judged(checkpoint: Checkpoint, scan: Volume) -> None:
    said = Assessor(checkpoint, "cpu").judge(replace(scan, data=torch.zeros_like(scan.data)))
    assert 0 <= said.quality <= 100
    assert said.slices


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"net": "hsfnet"}, "of the network 'hsfnet'"),
        ({"preprocess": PublishedStack().to_json()}, "not for slices of scans"),
        ({"preprocess": Slabs(side=16, n_slices=1).to_json()}, "not for slices of scans"),
        ({"config": {"colour": 3}}, "configuration makes no network 'miqanet'"),
        ({"config": asdict(replace(SMALL, cnn_width=5))}, "do not fit the network"),
    ],
)
def test_other_weights_are_refused(
    checkpoint: Checkpoint, change: dict[str, object], words: str
) -> None:
    with pytest.raises(BadCheckpoint, match=words):
        Assessor(replace(checkpoint, **change), "cpu")


def test_a_slice_is_seen_by_its_corners_and_its_middle() -> None:
    slices = torch.arange(100.0).reshape(1, 10, 10)
    cut = crops(slices, 4)
    assert [int(crop[0, 0]) for crop in cut[0]] == [0, 6, 60, 66, 33]
    assert torch.equal(crops(slices, 10)[:, 0], slices)


def test_crops_are_judged_one_by_one_and_averaged() -> None:
    net = build(SMALL, seed=2).eval()
    slices = torch.rand(3, 40, 40, generator=generator(1))
    said = judge_slices(net, slices, SMALL)
    with torch.inference_mode():
        slow = [
            torch.stack([net(pictures(c[None], 2))[0, 0] for c in crops(s[None], 32)[0]]).mean()
            for s in slices
        ]
    assert torch.allclose(said, torch.stack(slow), atol=1e-5)


def test_pictures_have_the_channels_that_are_asked_for() -> None:
    slices = torch.rand(2, 8, 8, generator=generator(1))
    assert torch.equal(pictures(slices, 1), 2 * slices[:, None] - 1)
    assert torch.equal(pictures(slices, 3), (2 * slices - 1)[:, None].expand(-1, 3, -1, -1))
    plain, faint = pictures(slices, 2).unbind(1)
    assert torch.equal(plain, 2 * slices - 1)
    # A hundredth of the head's brightness is plainly seen.
    ghost = pictures(torch.full((1, 1, 1), 0.02), 2).flatten()
    assert float(ghost[1] - ghost[0]) > 0.4
    assert bool((faint.diff(dim=-1).sign() == plain.diff(dim=-1).sign()).all())
