"""The network of every ratio: shapes, where it begins, members, neighbours."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets import slab_unet
from isocenter.nets._blocks.members import member_masks
from isocenter.nets.slab_unet import Config, SlabUNet, build, mixture
from isocenter.ops.thick_slices import Acquisition, interpolation

SMALL = Config(widths=(8, 12, 16), n_down=(1, 1, 1), n_up=(1, 1), n_condition=8)


def scan(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed))


def trained(config: Config = SMALL) -> SlabUNet:
    """With a last layer that is no longer nothing."""
    net = build(config, seed=1).eval()
    torch.nn.init.normal_(net.last.weight, std=0.1, generator=generator(3))
    return net


@pytest.mark.parametrize("ratio", range(1, 9))
def test_every_ratio_and_odd_sides(ratio: int) -> None:
    with torch.no_grad():
        made = trained()(scan(2, 1, 17, 22, 3), ratio)
    assert made.shape == (2, 2, 17, 22, 3 * ratio)
    assert made.dtype == torch.float32


@pytest.mark.parametrize("ratio", [1, 4, 5])
def test_it_begins_as_cubic_splines_and_three_percent(ratio: int) -> None:
    thick = scan(2, 1, 9, 8, 6)
    with torch.no_grad():
        mean, spread = build(SMALL, seed=1).eval()(thick, ratio).unbind(1)
    weights = interpolation(6 * ratio, 6, Acquisition(ratio), order=3).float()
    slow = torch.einsum("bxyz,hz->bxyh", thick[:, 0], weights)
    assert torch.allclose(mean, slow, atol=1e-5)
    assert float(spread.exp().sqrt().mean()) == pytest.approx(0.03, rel=0.05)


def test_both_in_plane_axes_are_treated_alike() -> None:
    net, thick = trained(), scan(1, 1, 12, 16, 3)
    with torch.no_grad():
        turned = net(thick.transpose(2, 3), 4).transpose(2, 3)
        assert torch.allclose(net(thick, 4), turned, atol=1e-5)


def test_inner_planes_are_those_with_all_their_neighbours() -> None:
    net, thick = trained(), scan(1, 1, 9, 16, 4)
    with torch.no_grad():
        made = net(thick, 4, 1, 1, inner=True)
        one = net(thick[:, :, 2:7], 4, 1, 1, inner=True)
    assert made.shape == (1, 2, 5, 16, 8)
    assert one.shape == (1, 2, 1, 16, 8)
    assert torch.allclose(made[:, :, 2:3], one, atol=1e-5)


def test_parts_say_what_the_whole_says(monkeypatch: pytest.MonkeyPatch) -> None:
    net, thick = trained(), scan(1, 1, 9, 16, 4)
    with torch.no_grad():
        whole = net(thick, 4)
        monkeypatch.setattr(slab_unet, "AT_ONCE", 700)
        assert torch.allclose(net(thick, 4), whole, atol=1e-5)


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
    assert torch.allclose(mixture(torch.stack(each)), whole, atol=1e-5)


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
def test_a_halo_has_no_thin_slices(halo: int) -> None:
    net, thick = trained(), scan(1, 1, 16, 16, 8)
    with torch.no_grad():
        whole, inner = net(thick, 3), net(thick, 3, halo=halo)
    assert torch.equal(inner, whole[..., 3 * halo : -3 * halo])


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
    with pytest.raises(UsageError, match="reach -1"):
        Config(reach=-1)


def test_what_ships_is_small() -> None:
    n_weights = sum(weight.numel() for weight in build(Config()).parameters())
    assert 2 * n_weights < 6e6
