"""The SNR assessor: what it says is what its network says, patch by patch."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.artifacts import artifact
from isocenter.assessors.hysnet import MOST, Assessor, load, shipped
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import read
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import Patches, PublishedStack
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.datasets import sample
from isocenter.errors import BadCheckpoint
from isocenter.nets.hysnet import Config, build
from isocenter.ops.patches import looked_at

SMALL = Config(width=4, head=(6, 4, 1), branch=(6, 6))
NUMBERS = Patches(side=16, stride=12)
FIT = {"slope": 0.05, "offset": 1.5, "edges": [-1e6, 1e6], "half_widths": [9.0, 0.5, 9.0]}


def checkpoint(numbers: Patches = NUMBERS, config: Config = SMALL) -> Checkpoint:
    net = build(config, seed=2)
    net.learn_scale(torch.tensor([4.0, 8.0]))
    return Checkpoint(
        net="hysnet",
        config=asdict(config),
        preprocess=numbers.to_json(),
        outputs={"snr": {"of": "snr_total"}},
        calibration={"snr": FIT},
        card={},
        tensors=net.state_dict(),
    )


def head(side: int = 40) -> Volume:
    return head_phantom((side, side, side))


def test_the_mean_the_spread_and_the_worst_are_those_of_the_patches() -> None:
    assessor = Assessor(checkpoint(), "cpu")
    scan = head()
    said = assessor.judge(scan)
    seen = looked_at(scan.data, NUMBERS)
    with torch.inference_mode():
        raw = torch.cat([assessor.net(patch[None])[0] for patch in seen.values])
    each = (1.5 + 0.05 * raw).exp()
    assert said.n_patches == len(each) <= MOST
    assert said.snr == pytest.approx(math.exp(1.5 + 0.05 * float(raw.mean())), abs=1e-4)
    assert said.spread == pytest.approx(float(each.std()), abs=1e-4)
    lowest = each.argsort()[:3]
    assert [patch.snr for patch in said.worst] == pytest.approx(each[lowest].tolist(), abs=1e-4)
    assert [patch.start for patch in said.worst] == [tuple(seen.starts[i].tolist()) for i in lowest]


def test_the_interval_is_that_of_the_bin() -> None:
    said = Assessor(checkpoint(), "cpu").judge(head())
    assert said.interval == pytest.approx((said.snr / math.e**0.5, said.snr * math.e**0.5))
    plain = Assessor(replace(checkpoint(), calibration={}), "cpu").judge(head())
    assert plain.interval is None
    assert said.snr == pytest.approx(math.exp(1.5 + 0.05 * plain.snr), abs=1e-4)


def test_a_large_scan_is_judged_by_some_patches_and_says_so() -> None:
    scan = head(88)
    assert len(looked_at(scan.data, NUMBERS).starts) > MOST
    assert Assessor(checkpoint(), "cpu").judge(scan).n_patches == MOST


def test_a_scan_smaller_than_a_patch_has_one() -> None:
    said = Assessor(checkpoint(), "cpu").judge(head(14))
    assert (said.n_patches, said.spread) == (1, 0.0)
    assert said.worst[0].start == (0, 0, 0)
    assert said.worst[0].shape == (14, 14, 14)


def test_slices_are_judged_by_a_network_on_slices() -> None:
    config = replace(SMALL, n_dims=2)
    said = Assessor(checkpoint(Patches(n_dims=2, slice_side=48), config), "cpu").judge(head())
    assert said.n_patches == 24
    assert said.worst[0].shape == (40, 40, 1)


def test_brightness_and_place_do_not_matter() -> None:
    assessor = Assessor(checkpoint(), "cpu")
    scan = head()
    brighter = Volume(37 * scan.data, np.diag([3.0, 1.0, 1.0, 1.0]))
    assert assessor.judge(brighter).snr == pytest.approx(assessor.judge(scan).snr, rel=1e-4)


def test_other_weights_are_refused() -> None:
    with pytest.raises(BadCheckpoint, match="another assessor"):
        Assessor(replace(checkpoint(), net="hsfnet"), "cpu")
    with pytest.raises(BadCheckpoint, match="another assessor"):
        Assessor(replace(checkpoint(), preprocess=PublishedStack().to_json()), "cpu")
    with pytest.raises(BadCheckpoint, match="config"):
        Assessor(replace(checkpoint(), config={"length": 3}), "cpu")


def test_a_file_says_the_same(tmp_path: Path) -> None:
    checkpoint().save(tmp_path / "small.safetensors")
    here, there = Assessor(checkpoint(), "cpu"), load(tmp_path / "small.safetensors", "cpu")
    assert here.judge(head()) == there.judge(head())


def test_the_shipped_network_ranks_the_sample_scan_by_its_noise() -> None:
    """A person the network never saw."""
    scan = read(sample.path())
    noisy = [artifact("noise", level)(scan, rng=generator(1)) for level in (0, 2, 4)]
    said = [shipped("cpu").judge(volume) for volume in noisy]
    assert [one.snr for one in said] == sorted((one.snr for one in said), reverse=True)
    assert all(one.interval is not None for one in said)
    # the scan's own is 8.5 under 80 times less noise than brightness
    assert 7 < said[0].snr < 10


def test_the_shipped_weights_say_where_they_come_from() -> None:
    card = shipped("cpu").checkpoint.card
    assert "brains/sub-67" in card["split"]["test"]
    assert card["licence"] == "Apache-2.0"
    assert all("CC0" in origin or "Apache" in origin for origin in card["data"])
    assert card["scores"]["scores"]["HyS-Net"]["SROCC, all"]["value"] >= 0.9
