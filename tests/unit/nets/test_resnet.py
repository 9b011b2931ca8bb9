"""Residual networks: published counts, and the grid of every stage."""

import pytest
import torch

from isocenter.data.random import generator
from isocenter.nets._blocks.resnet import ResNet, kaiming


def n_weights(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(("depth", "n"), [(18, 33_160_000), (34, 63_469_632), (50, 46_155_072)])
def test_trunks_on_volumes_have_the_published_counts(depth: int, n: int) -> None:
    assert n_weights(ResNet(depth, n_dims=3, n_inputs=1)) == n


def test_trunk_on_images_has_the_published_count() -> None:
    assert n_weights(ResNet(18, n_dims=2, n_inputs=3)) == 11_176_512


def test_a_patch_of_96_voxels_ends_on_3() -> None:
    net = ResNet(18, n_dims=3, n_inputs=1, width=4).eval()
    maps = net(torch.zeros(1, 1, 96, 96, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (4, 24, 24, 24), (8, 12, 12, 12), (16, 6, 6, 6), (32, 3, 3, 3),
    ]  # fmt: skip


def test_without_pool_the_grid_is_twice_as_fine() -> None:
    net = ResNet(18, n_dims=2, n_inputs=3, width=4, pool=False).eval()
    assert net(torch.zeros(1, 3, 224, 224))[3].shape == (1, 32, 14, 14)


def test_drawing_keeps_the_variance_through_the_first_convolution() -> None:
    net = ResNet(18, n_dims=2, n_inputs=1, width=32)
    kaiming(net, generator(0))
    # fan-out of 32 x 7 x 7 with the gain of a rectifier
    assert float(net.conv1.weight.std()) == pytest.approx((2 / (32 * 49)) ** 0.5, rel=0.05)
