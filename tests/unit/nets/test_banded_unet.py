"""Two networks of thick slices in one: each ratio is answered by the one that knows it."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets import banded_unet, slab_unet
from isocenter.nets.banded_unet import BANDS, BandedUNet, Config
from isocenter.nets.slab_unet import LARGEST_RATIO

SMALL = Config(widths=(8, 12), n_down=(1, 1), n_up=(1,), n_condition=8)


def trained(seed: int) -> slab_unet.SlabUNet:
    """With a last layer that is no longer nothing."""
    net = slab_unet.build(SMALL, seed=seed).eval()
    torch.nn.init.normal_(net.last.weight, std=0.1, generator=generator(seed))
    return net


def test_every_ratio_is_of_one_band() -> None:
    known = sorted(ratio for ratios in BANDS.values() for ratio in ratios)
    assert known == list(range(1, LARGEST_RATIO + 1))


@pytest.mark.parametrize(("ratio", "band"), [(2, "low"), (5, "low"), (6, "high"), (8, "high")])
def test_a_ratio_is_answered_by_its_part(ratio: int, band: str) -> None:
    parts = {"low": trained(1), "high": trained(2)}
    thick = torch.rand(1, 1, 12, 10, 5, generator=generator(3))
    with torch.no_grad():
        both = BandedUNet(parts)(thick, ratio, 2, 1, inner=True)
        alone = parts[band](thick, ratio, 2, 1, inner=True)
    assert torch.equal(both, alone)


@pytest.mark.parametrize(("ratio", "learns"), [(4, "low"), (8, "high")])
def test_a_ratio_teaches_its_part_alone(ratio: int, learns: str) -> None:
    net = BandedUNet({"low": trained(1), "high": trained(2)}).train()
    thick = torch.rand(2, 1, 12, 10, 5, generator=generator(3))
    net(thick, ratio).square().sum().backward()
    for band, part in net.parts.items():
        taught = {weight.grad is not None for weight in part.parameters()}
        assert taught == {band == learns}


def test_parts_begin_with_other_weights_and_the_same_each_time() -> None:
    one, again = (banded_unet.build(SMALL, seed=5).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["parts.low.into.weight"], one["parts.high.into.weight"])


def test_a_ratio_of_no_band_is_refused() -> None:
    with pytest.raises(UsageError, match="ratio is 17"):
        banded_unet.build(SMALL)(torch.rand(1, 1, 12, 12, 4), LARGEST_RATIO + 1)


@pytest.mark.parametrize("bands", [("low",), ("low", "middle", "high")])
def test_other_bands_are_refused(bands: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="one network for each of low, high"):
        BandedUNet({band: trained(1) for band in bands})
