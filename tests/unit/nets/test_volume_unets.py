"""Networks for thick slices: the published counts, shapes, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets import aniso_unet, espcn, iso_unet, sr_unet
from isocenter.nets._blocks.volume_unet import SkipBottleneck

COUNTS = [
    (aniso_unet.build, aniso_unet.Config(8), 9_692_185, 7_152),
    (aniso_unet.build, aniso_unet.Config(4), 9_685_017, 7_152),
    (aniso_unet.build, aniso_unet.Config(8, n_levels=4), 2_420_057, 3_440),
    (aniso_unet.build, aniso_unet.Config(8, width=4), 607_951, 1_788),
    (aniso_unet.build, aniso_unet.Config(8, width=32), 38_745_393, 14_304),
    (sr_unet.build, sr_unet.Config(8), 2_300_001, 0),
    (sr_unet.build, sr_unet.Config(8, n_levels=5), 9_215_329, 0),
    (iso_unet.build, iso_unet.Config(), 9_188_337, 3_968),
    (espcn.build, espcn.Config(4), 17_327, 0),
    (espcn.build, espcn.Config(8), 28_199, 0),
]


@pytest.mark.parametrize(("build", "config", "weights", "statistics"), COUNTS)
def test_the_published_counts(build, config, weights: int, statistics: int) -> None:  # type: ignore[no-untyped-def]
    net: nn.Module = build(config)
    assert sum(weight.numel() for weight in net.parameters()) == weights
    kept = [value for name, value in net.named_buffers() if "running" in name]
    assert sum(value.numel() for value in kept) == statistics


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 6, 8])
def test_every_ratio_gives_that_many_slices(ratio: int) -> None:
    config = aniso_unet.Config(ratio, width=2)
    within, across = config.multiples
    made = aniso_unet.build(config).eval()(torch.zeros(1, 1, within, within, 2 * across))
    assert made.shape == (1, 1, within, within, 2 * across * ratio)


def test_sides_that_pools_do_not_divide_are_refused() -> None:
    net = aniso_unet.build(aniso_unet.Config(8, width=2))
    with pytest.raises(UsageError, match="multiples of 16 in a slice, and a multiple of 2"):
        net(torch.zeros(1, 1, 16, 20, 2))


def test_ratios_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="give 1, 2, 3, 4, 6 or 8"):
        aniso_unet.Config(5)
    with pytest.raises(UsageError, match="too few"):
        aniso_unet.Config(8, n_levels=3)
    with pytest.raises(UsageError, match="2, 4, 8"):
        espcn.Config(6)


def test_the_skip_bottleneck_is_what_it_says() -> None:
    block = SkipBottleneck(4, 2).eval()
    x = torch.randn(1, 4, 3, 3, 2, generator=generator(1))
    with torch.no_grad():
        y = x
        for layer in block.main:
            conv, _, norm = layer
            y = nn.functional.conv3d(y, conv.weight, conv.bias, padding=conv.padding).clamp(min=0)
            y = y * norm.weight.view(-1, 1, 1, 1) / (1 + 1e-3) ** 0.5 + norm.bias.view(-1, 1, 1, 1)
        y = y + x
        # A transposed convolution whose step is its size writes every voxel once.
        parts = torch.einsum("bcxyz,cdk->bdxyzk", y, block.up.weight[:, :, 0, 0])
        slow = parts.flatten(-2) + block.up.bias.view(-1, 1, 1, 1)
        assert torch.allclose(block(x), slow, atol=1e-5)


def test_an_output_of_espcn_depends_on_two_voxels_around_it() -> None:
    net = espcn.build(espcn.Config(2, widths=(4, 4))).eval()
    x = torch.randn(1, 1, 11, 5, 5, generator=generator(1))
    other = x.clone()
    other[:, :, 3:] += 1
    changed = (net(x) - net(other)).abs().amax((0, 1, 3, 4)) > 1e-7
    assert not bool(changed[0])
    assert bool(changed[3:].all())
