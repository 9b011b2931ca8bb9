"""HSFNet: published sizes, and the forward pass written out a second time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.nets._blocks.sfem import LocalGlobalBlock, PatchMerge, initialise
from isocenter.nets._blocks.ss2d import SS2D
from isocenter.nets.hsfnet import Config, HSFNet, RunningScale, SlabHSFNet, build

ABLATIONS = {
    "whole": (("spatial", "real", "imaginary"), (128, 64, 64), 43_714_709),
    "spatial": (("spatial",), (128,), 14_595_221),
    "frequency": (("real", "imaginary"), (64, 64), 29_105_813),
    "without real": (("spatial", "imaginary"), (128, 64), 29_163_221),
    "without imaginary": (("spatial", "real"), (128, 64), 29_163_221),
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_published_parameter_counts(name: str) -> None:
    branches, n_features, expected = ABLATIONS[name]
    net = build(Config(branches=branches, n_features=n_features))
    assert sum(p.numel() for p in net.parameters()) == expected


@pytest.mark.parametrize(("channels", "expected"), [(48, 36_480), (96, 105_216), (192, 339_456)])
def test_scan_layer_parameter_counts(channels: int, expected: int) -> None:
    assert sum(p.numel() for p in SS2D(channels).parameters()) == expected


def test_state_dict_shapes_of_the_published_scan_layer() -> None:
    shapes = {name: tuple(value.shape) for name, value in SS2D(48).state_dict().items()}
    assert shapes["x_proj_weight"] == (4, 35, 96)
    assert shapes["dt_projs_weight"] == (4, 96, 3)
    assert shapes["dt_projs_bias"] == (4, 96)
    assert shapes["A_logs"] == (384, 16)
    assert shapes["in_proj.weight"] == (192, 48)
    assert shapes["conv2d.weight"] == (96, 1, 3, 3)


def slow_ss2d(layer: SS2D, tokens: np.ndarray) -> np.ndarray:
    """SS2D in float64 with nested loops over directions and positions."""
    weights = {k: v.double().numpy() for k, v in layer.state_dict().items()}
    height, width, _ = tokens.shape
    projected = tokens @ weights["in_proj.weight"].T
    x, gate = np.split(projected, 2, axis=-1)
    inner = x.shape[-1]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    kernel, bias = weights["conv2d.weight"][:, 0], weights["conv2d.bias"]
    convolved = sum(
        padded[i : i + height, j : j + width] * kernel[:, i, j] for i in range(3) for j in range(3)
    )
    x = silu(convolved + bias)
    rows = [(i, j) for i in range(height) for j in range(width)]
    columns = [(i, j) for j in range(width) for i in range(height)]
    total = np.zeros_like(x)
    for k, path in enumerate([rows, columns, rows[::-1], columns[::-1]]):
        state = np.zeros((inner, layer.n_states))
        a = -np.exp(weights["A_logs"].reshape(4, inner, -1)[k])
        for place in path:
            u = x[place]
            code = weights["x_proj_weight"][k] @ u
            rank, n = layer.rank, layer.n_states
            step = weights["dt_projs_weight"][k] @ code[:rank] + weights["dt_projs_bias"][k]
            delta = np.log1p(np.exp(step))[:, None]
            state = np.exp(delta * a) * state + delta * u[:, None] * code[rank : rank + n]
            total[place] += state @ code[rank + n :] + weights["Ds"].reshape(4, inner)[k] * u
    mean = total.mean(-1, keepdims=True)
    normal = (total - mean) / np.sqrt(total.var(-1, keepdims=True) + 1e-5)
    normal = normal * weights["out_norm.weight"] + weights["out_norm.bias"]
    return (normal * silu(gate)) @ weights["out_proj.weight"].T


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def test_scan_layer_equals_nested_loops() -> None:
    layer = SS2D(8, n_states=4).eval()
    initialise(layer, generator(3))
    tokens = torch.randn(1, 5, 7, 8, generator=generator(4))
    with torch.no_grad():
        fast = layer(tokens)[0].double().numpy()
    slow = slow_ss2d(layer, tokens[0].double().numpy())
    assert np.abs(fast - slow).max() <= 1e-5 * np.abs(slow).max()


def test_merge_orders_corners_row_first() -> None:
    merge = PatchMerge(1)
    seen: list[Tensor] = []
    merge.norm.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    merge(torch.tensor([[0.0, 1.0, 9.0], [2.0, 3.0, 9.0], [9.0, 9.0, 9.0]])[None, :, :, None])
    assert seen[0].flatten().tolist() == [0, 2, 1, 3]


def test_block_interleaves_its_halves() -> None:
    """Even channels carry the local half, odd ones the global half, both on top of the input."""
    block = LocalGlobalBlock(8, n_states=2, drop_path=0).eval()
    initialise(block, generator(4))
    tokens = torch.randn(1, 4, 4, 8, generator=generator(5))
    with torch.no_grad():
        change = block(tokens) - tokens
        near = block.local(tokens[..., :4].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        far = block.scan(block.norm(tokens[..., 4:]))
    assert torch.allclose(change[..., 0::2], near, atol=1e-6)
    assert torch.allclose(change[..., 1::2], far, atol=1e-6)


def test_stochastic_depth_drops_whole_paths_by_its_own_stream() -> None:
    block = LocalGlobalBlock(4, n_states=2, drop_path=0.5).train()
    block.rng = generator(0)
    kept = block._drop(torch.ones(64, 1, 1, 1)).flatten()
    assert set(kept.tolist()) == {0.0, 2.0}
    block.rng = generator(0)
    assert torch.equal(kept, block._drop(torch.ones(64, 1, 1, 1)).flatten())


def test_facts_of_any_unit_get_mean_0_and_spread_1() -> None:
    scale = RunningScale(2).train()
    facts = torch.randn(400, 20, 2, generator=generator(0)) * torch.tensor([0.1, 30.0]) + 5
    for batch in facts:
        scale(batch)
    scale.eval()
    seen = scale(facts.flatten(0, 1))
    assert torch.allclose(seen.mean(0), torch.zeros(2), atol=0.1)
    assert torch.allclose(seen.std(0), torch.ones(2), atol=0.1)
    assert torch.equal(seen, scale(facts.flatten(0, 1)))
    assert scale(torch.full((1, 2), 1e9)).max() == RunningScale.LARGEST


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    build(Config(dims=(8, 16), depths=(1, 1), n_states=2))
    assert torch.equal(before, torch.random.get_rng_state())


def test_same_seed_same_weights() -> None:
    config = Config(dims=(8, 16), depths=(1, 1), n_states=2)
    first, second, other = (build(config, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def small_slab_net() -> SlabHSFNet:
    config = Config(
        mode="improved", branches=("spatial", "spectrum"), n_inputs=3, n_features=(8, 8),
        n_outputs=5, dims=(8, 16), depths=(1, 1), n_states=2, n_facts=2, stem=4,
    )  # fmt: skip
    net = build(config, seed=1)
    assert isinstance(net, SlabHSFNet)
    return net.eval()


def test_order_of_slabs_does_not_matter() -> None:
    net, rng = small_slab_net(), generator(2)
    slabs, spectra = (torch.randn(1, 4, 3, 32, w, generator=rng) for w in (32, 16))
    facts = torch.randn(1, 4, 2, generator=rng)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        plain = net(slabs, spectra, facts)
        mixed = net(slabs[:, order], spectra[:, order], facts[:, order])
    assert torch.allclose(plain.scan, mixed.scan, atol=1e-5)
    assert torch.allclose(plain.slabs[:, order], mixed.slabs, atol=1e-5)


def test_one_slab_is_judged_as_the_scan() -> None:
    net, rng = small_slab_net(), generator(2)
    given = [torch.randn(2, 1, *shape, generator=rng) for shape in ((3, 32, 32), (3, 32, 16), (2,))]
    with torch.no_grad():
        output = net(*given)
    assert torch.allclose(output.scan, output.slabs[:, 0], atol=1e-6)


def test_reference_ignores_inputs_without_a_branch() -> None:
    net = build(Config(branches=("spatial",), n_features=(128,), dims=(8, 16), depths=(1, 1)))
    assert isinstance(net, HSFNet)
    net.eval()
    x = torch.randn(1, 30, 32, 32, generator=generator(0))
    with torch.no_grad():
        assert torch.equal(net(x, x, x), net(x, x + 1, x - 1))
