"""The planar baseline: interpolation before training, symmetry, and what an output looks at."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.interpolate import CubicSpline

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets.planar import Config, Planar, build

SMALL = Config(ratio=3, widths=(4, 6), n_planes=3)


def thick(*shape: int) -> torch.Tensor:
    return torch.rand((1, 1, *shape), generator=generator(2))


def alive(config: Config) -> Planar:
    """With a last layer that says something."""
    net = build(config, seed=3).eval()
    torch.nn.init.normal_(net.body.last.weight, generator=generator(4))
    return net


def test_untrained_it_is_a_cubic_spline_through_the_middles_of_blocks() -> None:
    scan = thick(6, 5, 7)
    made = build(SMALL).eval()(scan)[0, 0].detach()
    places = ((torch.arange(21) - 1) / 3).clamp(0, 6).numpy()
    spline = CubicSpline(range(7), scan[0, 0].numpy(), axis=2)
    assert made.shape == (6, 5, 21)
    assert torch.allclose(made, torch.from_numpy(spline(places)).float(), atol=1e-5)


def test_turning_the_slices_turns_the_answer() -> None:
    net, scan = alive(SMALL), thick(9, 7, 4)
    turned = net(scan.transpose(2, 3)).transpose(2, 3)
    assert torch.allclose(net(scan), turned, atol=1e-4)


def test_a_plane_is_corrected_from_itself_and_its_neighbours() -> None:
    net, scan = alive(replace(SMALL, ratio=1)), thick(24, 5, 4)  # ratio 1: nothing to interpolate
    inner = net.of_inner_planes(scan)
    assert inner.shape[2] == scan.shape[2] - 2
    for moved in (0, 1, 2):
        one = torch.stack([scan[0, 0, i] for i in (3 + moved, 4 + moved, 5 + moved)])
        wanted = scan[0, 0, 4 + moved] + net.body(one[None])[0, 0]
        assert torch.allclose(wanted, inner[0, 0, 3 + moved], atol=1e-5)


def test_the_size_of_the_published_baseline_and_a_second_output() -> None:
    n_weights = sum(weight.numel() for weight in build(Config()).parameters())
    assert 0.3e6 < n_weights < 0.6e6
    made = build(Config(ratio=2, widths=(4,), n_outputs=2))(thick(3, 4, 2))
    assert made.shape == (1, 2, 3, 4, 4)


@pytest.mark.parametrize("wrong", [{"ratio": 0}, {"n_planes": 4}])
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="odd number of planes"):
        Config(**wrong)
