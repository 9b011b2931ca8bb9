"""HyS-Net: published counts, and its head against an unbatched one written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets.hysnet import Config, HySNet, build

SMALL = {"width": 4, "head": (6, 5, 3, 1), "branch": (7, 4)}


def n_weights(config: Config) -> int:
    with torch.device("meta"):
        net = HySNet(config)
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(
    ("depth", "config", "n"),
    [
        (18, {}, 37_842_049),
        (34, {}, 68_151_681),
        (50, {}, 52_360_833),
        (18, {"hyper": False}, 33_306_497),
        (34, {"hyper": False}, 63_616_129),
        (50, {"hyper": False}, 46_645_633),
        (18, {"head": (128, 64, 32, 1)}, 35_055_937),
        (34, {"head": (128, 64, 32, 1)}, 65_365_569),
        (50, {"head": (128, 64, 32, 1)}, 49_427_265),
        (18, {"head": (64, 32, 1), "direct": True}, 38_160_577),
        (34, {"head": (64, 32, 1), "direct": True}, 68_470_209),
        (50, {"head": (64, 32, 1), "direct": True}, 65_016_513),
    ],
)
def test_counts_of_parameters(depth: int, config: dict[str, object], n: int) -> None:
    assert n_weights(Config(depth=depth, **config)) == n  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("depth", "hyper", "n_dims"), list(itertools.product((18, 34, 50), (True, False), (2, 3)))
)
def test_the_twelve_rows_of_the_ablation_by_configuration(
    depth: int, hyper: bool, n_dims: int
) -> None:
    config = Config(depth=depth, hyper=hyper, n_dims=n_dims, **SMALL)  # type: ignore[arg-type]
    net = build(config).eval()
    with torch.no_grad():
        assert net(torch.rand(2, 1, *(32,) * n_dims)).shape == (2, 1)
    assert ("head.branches.0.generate.weight" in net.state_dict()) == hyper


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("direct", [False, True])
def test_head_equals_one_written_out(activation: str, direct: bool) -> None:
    """For every sample its own matrices, neuron by neuron, in double precision."""
    config = Config(**{**SMALL, "activation": activation, "direct": direct})  # type: ignore[arg-type]
    net = build(config, seed=3).eval()
    rng = generator(5)
    for name, weight in net.named_parameters():
        if "trunk" not in name:
            torch.nn.init.normal_(weight, std=0.4, generator=rng)
    patches = torch.rand(3, 1, 64, 48, 32, generator=rng)
    with torch.no_grad():
        said = net(patches)[:, 0].numpy()
        maps = net.trunk(patches)[-1].double().numpy()
    weights = {name: value.double().numpy() for name, value in net.state_dict().items()}
    assert np.abs(said - [score(weights, one, activation) for one in maps]).max() < 1e-5
    assert np.ptp(said) > 1e-3


def score(weights: dict[str, np.ndarray], last: np.ndarray, activation: str) -> float:
    """Score of one map (channels, x, y, z)."""
    voxels = last.reshape(last.shape[0], -1).T
    values = [sum(column) / len(voxels) for column in voxels.T]
    if "reduce.weight" in weights:
        values = layer(weights["reduce.weight"], weights["reduce.bias"], values)
    n_layers = sum(name.endswith("generate.bias") for name in weights)
    for i in range(n_layers):
        made = generated(weights, f"head.branches.{i}.", voxels)
        n_out = len(made) // (len(values) + 1)
        matrix = [made[j * len(values) : (j + 1) * len(values)] for j in range(n_out)]
        values = layer(matrix, made[n_out * len(values) :], values)
        if i + 1 < n_layers:
            values = [bent(value, activation) for value in values]
    return values[0]


def generated(weights: dict[str, np.ndarray], name: str, voxels: np.ndarray) -> list[float]:
    largest: list[float] | None = None
    for voxel in voxels:
        here = list(voxel)
        for part in ("conv1", "conv2"):
            matrix = weights[f"{name}{part}.weight"]
            matrix = matrix.reshape(matrix.shape[:2])
            here = [max(0.0, v) for v in layer(matrix, weights[f"{name}{part}.bias"], here)]
        largest = (
            here if largest is None else [max(a, b) for a, b in zip(largest, here, strict=True)]
        )
    assert largest is not None
    return layer(weights[f"{name}generate.weight"], weights[f"{name}generate.bias"], largest)


def layer(matrix: object, offset: object, values: list[float]) -> list[float]:
    return [
        float(b) + sum(float(w) * v for w, v in zip(row, values, strict=True))
        for row, b in zip(matrix, offset, strict=True)  # type: ignore[call-overload]
    ]


def bent(value: float, activation: str) -> float:
    return max(0.0, value) if activation == "relu" else 1 / (1 + math.exp(-value))


def test_generated_weights_start_with_the_spread_of_learned_ones() -> None:
    """From features of mean square 1, a layer of n inputs gets weights of variance 1 / n."""
    net = build(Config(width=4), seed=1)
    rng = generator(2)
    for branch, n_in in zip(net.head.branches, (224, 112, 56), strict=True):
        features = torch.randn(64, 128, generator=rng)
        with torch.no_grad():
            made = branch.generate(features)
        weight, offset = made.split([n_in * branch.n_out, branch.n_out], 1)
        assert float(weight.var()) == pytest.approx(1 / n_in, rel=0.15)
        assert not bool(offset.any())


def test_a_literal_stem_keeps_the_first_axis() -> None:
    net = build(Config(**SMALL, first_stride=1, pool=False)).eval()  # type: ignore[arg-type]
    assert net.trunk(torch.zeros(1, 1, 16, 16, 16))[0].shape[2:] == (16, 8, 8)


def test_answers_come_in_the_unit_of_the_labels() -> None:
    net = build(Config(**SMALL)).eval()  # type: ignore[arg-type]
    patches = torch.rand(2, 1, 32, 32, 32, generator=generator(0))
    with torch.no_grad():
        plain = net(patches)
        net.learn_scale(torch.tensor([4.0, 8.0, 12.0]))
        assert torch.allclose(net(patches), 8 + (32 / 3) ** 0.5 * plain, atol=1e-5)


def test_a_head_without_a_layer_is_refused() -> None:
    with pytest.raises(UsageError, match="two lengths"):
        build(Config(head=(1,)))
    unknown = Config()
    object.__setattr__(unknown, "activation", "tanh")
    with pytest.raises(UsageError, match="sigmoid"):
        build(unknown)
