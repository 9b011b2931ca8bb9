"""Every network of slices by name, in both sizes."""

from __future__ import annotations

import pytest
import torch

from isocenter.errors import UnknownName, UsageError
from isocenter.nets import cnniqa, wadiqam
from isocenter.training.networks.slice_nets import NETS, SLICE_NETS, build_slice_net

THERE = sorted(name for name, (net, _) in SLICE_NETS.items() if net in NETS.names())


@pytest.mark.parametrize("name", THERE)
def test_a_small_net_judges_slices_and_is_small(name: str) -> None:
    net = build_slice_net(name, n_inputs=2, seed=3).eval()
    with torch.inference_mode():
        assert net(torch.rand(2, 2, 96, 96)).shape == (2, 1)
    assert sum(weight.numel() for weight in net.parameters()) < 1_000_000
    again, other = (build_slice_net(name, n_inputs=2, seed=seed) for seed in (3, 4))
    weights = net.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in again.state_dict().items())
    assert any(not torch.equal(weights[key], value) for key, value in other.state_dict().items())


def test_published_sizes_are_the_defaults_of_the_nets() -> None:
    for name, module in (("cnniqa", cnniqa), ("wadiqam", wadiqam)):
        net = build_slice_net(name, "published", n_inputs=3, n_outputs=5)
        same = module.build(module.Config(n_inputs=3, n_outputs=5))
        weights = same.state_dict()
        assert all(torch.equal(weights[key], value) for key, value in net.state_dict().items())


def test_a_wrong_name_or_size_gets_a_hint() -> None:
    with pytest.raises(UnknownName, match="did you mean 'wadiqam'"):
        build_slice_net("wadiqan")
    with pytest.raises(UnknownName, match="did you mean 'published'"):
        build_slice_net("cnniqa", "publish")


@pytest.mark.skipif("maniqa" not in THERE, reason="there is no MANIQA yet")
def test_more_outputs_than_a_net_has_are_refused() -> None:
    with pytest.raises(UsageError, match="one output"):
        build_slice_net("maniqa", n_outputs=2)
