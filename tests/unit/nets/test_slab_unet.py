"""The network of every ratio: shapes, where it begins, members, neighbours."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.members import member_masks
from isocenter.nets.slab_unet import Config, SlabUNet, build, mixture

SMALL = Config(widths=(8, 12, 16), n_down=(1, 1, 1), n_up=(1, 1), n_condition=8)


def scan(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed))


def trained(config: Config = SMALL) -> SlabUNet:
    """With a last layer that is no longer nothing."""
    net = build(config, seed=1).eval()
    torch.nn.init.normal_(net.head.last.weight, std=0.1, generator=generator(3))
    return net


@pytest.mark.parametrize("ratio", range(1, 9))
def test_every_ratio_and_odd_sides(ratio: int) -> None:
    with torch.no_grad():
        made = trained()(scan(2, 1, 17, 22, 3), ratio)
    assert made.shape == (2, 2, 17, 22, 3 * ratio)
    assert made.dtype == torch.float32


def test_it_begins_as_an_interpolation() -> None:
    net, thick = build(SMALL, seed=1).eval(), scan(1, 1, 8, 8, 9)
    with torch.no_grad():
        mean, spread = net(thick, 4)[0]
    # Keys' cubic convolution goes through the samples and keeps straight lines.
    assert torch.allclose(net(thick, 1)[0, 0], thick[0, 0], atol=1e-6)
    line = torch.arange(9.0).expand(1, 1, 8, 8, 9) / 9
    places = (torch.arange(36) - 1.5) / 4
    with torch.no_grad():
        straight = net(line, 4)[0, 0, 0, 0]
    assert torch.allclose(straight[8:-8], places[8:-8] / 9, atol=1e-5)
    assert float((mean[..., 8] - thick[0, 0, :, :, 2]).abs().mean()) < 0.5
    assert float(spread.exp().sqrt().mean()) == pytest.approx(0.03, rel=0.05)


def test_an_even_image_stays_as_it_is() -> None:
    level = torch.full((1, 1, 8, 8, 4), 0.7)
    with torch.no_grad():
        assert torch.allclose(build(SMALL).eval()(level, 5)[:, 0], torch.tensor(0.7), atol=1e-6)


def test_members_differ_and_together_make_the_answer() -> None:
    net, thick = trained(), scan(2, 1, 16, 16, 3)
    with torch.no_grad():
        each = [net(thick, 4, member=j) for j in range(4)]
        whole = net(thick, 4)
    for i in range(4):
        for j in range(i):
            assert float((each[i][:, 0] - each[j][:, 0]).abs().max()) > 1e-5
    means = torch.stack([one[:, 0] for one in each])
    variances = torch.stack([one[:, 1].exp() for one in each])
    assert torch.allclose(whole[:, 0], means.mean(0), atol=1e-6)
    expected = variances.mean(0) + (means - means.mean(0)).square().mean(0)
    assert torch.allclose(whole[:, 1].exp(), expected, rtol=1e-4)
    assert torch.allclose(mixture(each), whole)


def test_every_sample_sees_every_mask() -> None:
    net, one = trained(), scan(1, 1, 16, 16, 3)
    thick = one.expand(6, -1, -1, -1, -1)
    with torch.no_grad():
        alone = [net(one, 4, member=j)[0] for j in range(4)]
        in_training = net.train()(thick, 4)
        net.eval()
        asked = [net(thick, 4, member=j) for j in range(4)]
    for sample in range(6):  # in training by turns, else whichever member is asked for
        assert torch.allclose(in_training[sample], alone[sample % 4], atol=1e-6)
        assert all(torch.allclose(asked[j][sample], alone[j], atol=1e-6) for j in range(4))


@pytest.mark.parametrize(("n_members", "n_keeping"), [(4, 3), (4, 2), (5, 2), (1, 1)])
def test_masks_are_of_one_size_and_use_every_channel(n_members: int, n_keeping: int) -> None:
    masks = member_masks(n_members, n_keeping, 40, torch.zeros(1))[:, :, 0, 0]
    assert masks.sum(0).tolist() == [n_keeping] * 40
    assert len(set(masks.sum(1).tolist())) == 1
    assert len({tuple(row) for row in masks.tolist()}) == n_members


@pytest.mark.parametrize("halo", [1, 2])
def test_a_halo_serves_as_neighbours_alone(halo: int) -> None:
    net, thick = trained(), scan(1, 1, 16, 16, 8)
    with torch.no_grad():
        whole, inner = net(thick, 3), net(thick, 3, halo=halo)
        part = net(thick[..., 2 - 2 : 6 + 2], 3, halo=2)
    assert torch.allclose(inner, whole[..., 3 * halo : -3 * halo], atol=1e-6)
    assert torch.allclose(part, whole[..., 6:18], atol=1e-6)


def test_what_cannot_be_is_refused() -> None:
    net, thick = build(SMALL), scan(1, 1, 8, 8, 4)
    with pytest.raises(UsageError, match="ratio is 0"):
        net(thick, 0)
    with pytest.raises(UsageError, match="member 4 of 4"):
        net(thick, 4, member=4)
    with pytest.raises(UsageError, match="halo of 2"):
        net(thick, 4, halo=2)
    with pytest.raises(UsageError, match="do not fit"):
        Config(widths=(8, 16))
    with pytest.raises(UsageError, match="reach 1"):
        Config(reach=1)


def test_what_ships_is_small() -> None:
    n_weights = sum(weight.numel() for weight in build(Config()).parameters())
    assert 2 * n_weights < 6e6
