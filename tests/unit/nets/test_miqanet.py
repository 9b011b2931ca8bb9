"""MIQANet: published sizes, its ablations, and the forward pass written out a second time."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.swin import SwinStage
from isocenter.nets._blocks.tab import TransposedAttention
from isocenter.nets.miqanet import Config, MIQANet, build

SMALL = Config(
    side=64,
    width=16,
    depth=4,
    n_heads=2,
    taps=(0, 2),
    swin_depths=(2, 1),
    swin_heads=2,
    swin_hidden=12,
    cnn_width=4,
)
TOTAL = 147_121_419
PARTS = {
    "vit": 86_576_872,
    "tab1": 3_692_640,
    "conv1": 2_360_064,
    "swin1": 30_114_832,
    "tab2": 3_692_640,
    "conv2": 295_296,
    "swin2": 8_718_736,
    "score": 148_225,
    "weight": 148_225,
    "cnn": 11_176_512,
    "cnn_conv": 196_608,
    "cnn_norm": 768,
    "alpha": 1,
}
IDLE = 6_636_672 + 14_175_744 + 770_536
"""Convolutions of the Swin stages, last blocks of the transformer, its norm and classifier."""
Weights = dict[str, np.ndarray]


def n_weights(config: Config) -> int:
    """Counted without making them."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in MIQANet(config).parameters())


def test_every_part_has_the_published_count() -> None:
    with torch.device("meta"):
        net = MIQANet(Config())
    counts = {
        name: part.numel() if isinstance(part, nn.Parameter) else n_of(part)
        for name in PARTS
        if (part := getattr(net, name)) is not None
    }
    assert counts == PARTS
    assert n_of(net) == sum(PARTS.values()) == TOTAL


def n_of(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_maniqa_is_the_network_without_its_convolutional_branch() -> None:
    branch = sum(PARTS[name] for name in ("cnn", "cnn_conv", "cnn_norm", "alpha"))
    assert n_weights(Config(cnn=False)) == TOTAL - branch == 135_747_530


def test_improved_holds_no_weight_that_takes_no_part() -> None:
    assert n_weights(Config(mode="improved")) == TOTAL - IDLE


def test_the_third_map_needs_no_fourth_stage() -> None:
    fourth = 8_393_728
    conv = (512 - 256) * 384
    assert n_weights(Config(fusion="layer3")) == TOTAL - fourth - conv


def test_a_plain_mean_needs_no_weights_of_tokens() -> None:
    assert n_weights(Config(heads="mean")) == TOTAL - PARTS["weight"]


def test_the_transformer_has_the_names_of_timm() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(v.shape) for name, v in MIQANet(Config()).vit.state_dict().items()}
    assert shapes["cls_token"] == (1, 1, 768)
    assert shapes["pos_embed"] == (1, 785, 768)
    assert shapes["patch_embed.proj.weight"] == (768, 3, 8, 8)
    assert shapes["blocks.11.attn.qkv.weight"] == (2304, 768)
    assert shapes["blocks.0.mlp.fc1.bias"] == (3072,)
    assert shapes["head.weight"] == (1000, 768)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"scramble": False},
        {"cnn": False},
        {"alpha": "fixed"},
        {"fusion": "bilinear"},
        {"fusion": "layer3"},
        {"heads": "mean"},
        {"last": "softplus"},
        {"scale": 0.8},
        {"mode": "improved"},
        {"window": 8},
    ],
    ids=lambda change: " ".join(f"{k} {v}" for k, v in change.items()) or "published",
)
def test_forward_pass_is_the_one_written_out(change: dict[str, object]) -> None:
    config = replace(SMALL, **change)
    net = lively(build(config, seed=3))
    images = torch.randn(2, 3, 64, 64, generator=generator(4), dtype=torch.float64)
    with torch.inference_mode():
        said = net(images).numpy()
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    for image, quality in zip(images.numpy(), said, strict=True):
        np.testing.assert_allclose(quality, [slow_miqanet(config, weights, image)], rtol=1e-9)


def lively(net: MIQANet) -> MIQANet:
    """Norms and offsets that are not the identity, and scores that no rectifier cuts away."""
    rng = generator(5)
    for name, value in net.state_dict().items():
        if value.ndim == 1 and name.endswith(("weight", "running_var")):
            value.uniform_(0.5, 1.5, generator=rng)
        elif value.ndim == 1:
            value.uniform_(-0.3, 0.3, generator=rng)
    nn.init.constant_(net.score[-1].bias, 0.4)
    return net.double().eval()


def slow_miqanet(config: Config, weights: Weights, image: np.ndarray) -> float:
    """One image (3, side, side) in float64, step by step."""
    side = config.side // 8
    read = slow_vit(config, below(weights, "vit"), image)
    values = np.concatenate(read, axis=1).T
    for i in range(config.n_tabs):
        values = slow_tab(values, below(weights, f"tab1.{i}"), config.scramble)
    grid = convolve(values.reshape(-1, side, side), below(weights, "conv1"))
    grid = slow_swin(config, grid, below(weights, "swin1"))
    values = grid.reshape(len(grid), -1)
    for i in range(config.n_tabs):
        values = slow_tab(values, below(weights, f"tab2.{i}"), config.scramble)
    grid = convolve(values.reshape(-1, side, side), below(weights, "conv2"))
    if config.cnn:
        alpha = 1 / (1 + math.exp(-float(weights["alpha"])))
        grid = alpha * grid + (1 - alpha) * slow_branch(config, weights, image)
    tokens = slow_swin(config, grid, below(weights, "swin2")).reshape(len(grid), -1).T
    raw = slow_head(tokens, below(weights, "score"))
    scores = np.log1p(np.exp(raw)) if config.last == "softplus" else np.maximum(raw, 0)
    if config.heads == "mean":
        return float(sum(scores) / len(scores))
    trust = 1 / (1 + np.exp(-slow_head(tokens, below(weights, "weight"))))
    return float(sum(s * t for s, t in zip(scores, trust, strict=True)) / sum(trust))


def slow_vit(config: Config, weights: Weights, image: np.ndarray) -> list[np.ndarray]:
    side = config.side // 8
    kernel, offset = weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"]
    tokens = [weights["cls_token"][0, 0]]
    for row, column in product(range(side), range(side)):
        patch = image[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        tokens.append(np.einsum("chw,ochw->o", patch, kernel) + offset)
    values = np.stack(tokens) + weights["pos_embed"][0]
    read = []
    for i in range(config.taps[-1] + 1):
        own = below(weights, f"blocks.{i}")
        values = values + attend(
            norm(values, below(own, "norm1"), 1e-6), below(own, "attn"), config.n_heads
        )
        values = values + two_layers(norm(values, below(own, "norm2"), 1e-6), below(own, "mlp"))
        if i in config.taps:
            read.append(values[1:])
    return read


def slow_tab(channels: np.ndarray, weights: Weights, scramble: bool) -> np.ndarray:
    query, key, value = (linear(channels, below(weights, n)) for n in ("query", "key", "value"))
    n_channels, n_tokens = channels.shape
    said = np.zeros_like(channels)
    for c in range(n_channels):
        share = softmax(np.array([query[c] @ key[d] for d in range(n_channels)]) / n_tokens**0.5)
        said[c] = sum(share[d] * value[d] for d in range(n_channels))
    if not scramble:
        return channels + said
    moved = np.zeros_like(said)
    for c, n in product(range(n_channels), range(n_tokens)):
        # Memory holds token by token what is then read channel by channel.
        token, channel = divmod(c * n_tokens + n, n_channels)
        moved[c, n] = said[channel, token]
    return channels + moved


def slow_swin(config: Config, grid: np.ndarray, weights: Weights) -> np.ndarray:
    for i, depth in enumerate(config.swin_depths):
        before = grid
        for j in range(depth):
            shift = config.window // 2 if j % 2 and grid.shape[1] > config.window else 0
            own = below(weights, f"layers.{i}.blocks.{j}")
            grid = slow_swin_block(config, grid, own, shift)
        convolved = convolve(grid, below(weights, f"layers.{i}.conv"), padding=1)
        grid = before + config.scale * np.maximum(convolved, 0)
    return grid


def slow_swin_block(config: Config, grid: np.ndarray, weights: Weights, shift: int) -> np.ndarray:
    n_channels, side, _ = grid.shape
    window = config.window
    tokens = grid.reshape(n_channels, -1).T
    normed, mixed = norm(tokens, below(weights, "norm1"), 1e-5), np.zeros_like(tokens)
    for top, left in product(range(0, side, window), range(0, side, window)):
        moved = [(top + i, left + j) for i, j in product(range(window), range(window))]
        places = [((y + shift) % side, (x + shift) % side) for y, x in moved]
        at = [y * side + x for y, x in places]
        bias = np.zeros((config.swin_heads, len(at), len(at)))
        for a, b in product(range(len(at)), range(len(at))):
            dy, dx = moved[a][0] - moved[b][0], moved[a][1] - moved[b][1]
            row = (dy + window - 1) * (2 * window - 1) + dx + window - 1
            bias[:, a, b] = weights["table"][row]
            # Neighbours in the image are as far apart there as in the window.
            if (places[a][0] - places[b][0], places[a][1] - places[b][1]) != (dy, dx):
                bias[:, a, b] -= 100
        mixed[at] = attend(normed[at], below(weights, "attn"), config.swin_heads, bias)
    tokens = tokens + mixed
    tokens = tokens + two_layers(norm(tokens, below(weights, "norm2"), 1e-5), below(weights, "mlp"))
    return tokens.T.reshape(grid.shape)


def slow_branch(config: Config, weights: Weights, image: np.ndarray) -> np.ndarray:
    cnn = below(weights, "cnn")
    values = convolve(image, below(cnn, "conv1"), stride=2, padding=3)
    values = np.maximum(batch_norm(values, below(cnn, "bn1")), 0)
    for stage in (1, 2, 3) if config.fusion == "layer3" else (1, 2, 3, 4):
        for block in (0, 1):
            stride = 2 if stage > 1 and block == 0 else 1
            values = slow_residual(values, below(cnn, f"layer{stage}.{block}"), stride)
    coarse = batch_norm(convolve(values, below(weights, "cnn_conv")), below(weights, "cnn_norm"))
    side = config.side // 8
    fine = np.zeros((len(coarse), side, side))
    tiled = config.fusion is None and config.mode == "reference"
    for y, x in product(range(side), range(side)):
        if config.fusion == "layer3":
            fine[:, y, x] = coarse[:, y, x]
        elif tiled:
            fine[:, y, x] = coarse[:, y % (side // 2), x % (side // 2)]
        else:
            step = (side // 2 - 1) / (side - 1)
            fine[:, y, x] = between(coarse, y * step, x * step)
    return fine


def slow_residual(values: np.ndarray, weights: Weights, stride: int) -> np.ndarray:
    near = convolve(values, below(weights, "conv1"), stride=stride, padding=1)
    near = np.maximum(batch_norm(near, below(weights, "bn1")), 0)
    near = batch_norm(convolve(near, below(weights, "conv2"), padding=1), below(weights, "bn2"))
    if "downsample.0.weight" in weights:
        values = convolve(values, below(weights, "downsample.0"), stride=stride)
        values = batch_norm(values, below(weights, "downsample.1"))
    return np.maximum(near + values, 0)


def below(weights: Weights, prefix: str) -> Weights:
    start = prefix + "."
    return {name.removeprefix(start): v for name, v in weights.items() if name.startswith(start)}


def linear(values: np.ndarray, weights: Weights) -> np.ndarray:
    return values @ weights["weight"].T + weights["bias"]


def two_layers(values: np.ndarray, weights: Weights) -> np.ndarray:
    hidden = linear(values, below(weights, "fc1"))
    gelu = hidden * (1 + np.vectorize(math.erf)(hidden / 2**0.5)) / 2
    return linear(gelu, below(weights, "fc2"))


def slow_head(tokens: np.ndarray, weights: Weights) -> np.ndarray:
    hidden = np.maximum(linear(tokens, below(weights, "0")), 0)
    return linear(hidden, below(weights, "3"))[:, 0]


def softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values - values.max())
    return raised / raised.sum()


def norm(values: np.ndarray, weights: Weights, epsilon: float) -> np.ndarray:
    centred = values - values.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return scaled * weights["weight"] + weights["bias"]


def batch_norm(values: np.ndarray, weights: Weights) -> np.ndarray:
    mean, variance = weights["running_mean"], weights["running_var"]
    gain = weights["weight"] / np.sqrt(variance + 1e-5)
    return (values - mean[:, None, None]) * gain[:, None, None] + weights["bias"][:, None, None]


def convolve(
    values: np.ndarray, weights: Weights, *, stride: int = 1, padding: int = 0
) -> np.ndarray:
    kernel = weights["weight"]
    size = kernel.shape[-1]
    padded = np.pad(values, ((0, 0), (padding, padding), (padding, padding)))
    n = (padded.shape[1] - size) // stride + 1
    said = np.zeros((len(kernel), n, n))
    for i, j in product(range(size), range(size)):
        seen = padded[
            :, i : i + stride * (n - 1) + 1 : stride, j : j + stride * (n - 1) + 1 : stride
        ]
        said += np.einsum("oc,chw->ohw", kernel[:, :, i, j], seen)
    return said + (weights["bias"][:, None, None] if "bias" in weights else 0)


def attend(
    tokens: np.ndarray, weights: Weights, n_heads: int, bias: np.ndarray | None = None
) -> np.ndarray:
    n_tokens, width = tokens.shape
    size = width // n_heads
    joined = linear(tokens, below(weights, "qkv"))
    said = np.zeros((n_tokens, width))
    for head in range(n_heads):
        part = slice(head * size, (head + 1) * size)
        query, key, value = (joined[:, k * width : (k + 1) * width][:, part] for k in range(3))
        for i in range(n_tokens):
            looks = np.einsum("d,jd->j", query[i], key) / size**0.5
            share = softmax(looks if bias is None else looks + bias[head, i])
            said[i, part] = np.einsum("j,jd->d", share, value)
    return linear(said, below(weights, "proj"))


def between(grid: np.ndarray, y: float, x: float) -> np.ndarray:
    top, left = min(int(y), grid.shape[1] - 2), min(int(x), grid.shape[2] - 2)
    down, right = y - top, x - left
    upper = (1 - right) * grid[:, top, left] + right * grid[:, top, left + 1]
    lower = (1 - right) * grid[:, top + 1, left] + right * grid[:, top + 1, left + 1]
    return (1 - down) * upper + down * lower


def test_the_score_is_never_negative_and_softplus_never_dies() -> None:
    images = torch.randn(2, 3, 64, 64, generator=generator(1))
    for last, dead in (("relu", True), ("softplus", False)):
        net = build(replace(SMALL, last=last)).eval()
        nn.init.constant_(net.score[-1].bias, -5.0)
        quality = net(images)
        assert bool((quality == 0).all()) is dead
        assert bool((quality >= 0).all())


def test_dropping_comes_from_the_network_s_own_generators() -> None:
    images = torch.randn(2, 3, 64, 64, generator=generator(1))
    before = torch.get_rng_state()
    first, again, other = (
        build(replace(SMALL, drop=0.5), seed=s).train()(images) for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_without_the_scramble_the_order_of_tokens_does_not_matter_to_attention() -> None:
    """With equal weights of all tokens, exchanging two of them exchanges them in the result."""
    images = torch.randn(1, 6, 9, generator=generator(2))
    order = torch.tensor([3, 1, 2, 0, 4, 5, 6, 7, 8])
    for scramble in (False, True):
        layer = TransposedAttention(9, drop=0, scramble=scramble)
        for part in (layer.query, layer.key, layer.value):
            nn.init.eye_(part.weight)
            nn.init.zeros_(part.bias)
        same = torch.allclose(layer(images[..., order]), layer(images)[..., order], atol=1e-6)
        assert same is not scramble


def test_a_shifted_window_sees_nothing_across_the_edge_of_the_image() -> None:
    stage = SwinStage(
        4, 8, depths=(2,), n_heads=2, window=4, hidden=4, scale=1.0, drop=0, drop_path=0, idle=False
    ).eval()
    image = torch.randn(1, 4, 8, 8, generator=generator(3))
    changed = image.clone()
    changed[..., :1, :] += 1
    with torch.inference_mode():
        difference = (stage(changed) - stage(image)).abs().sum(1)[0]
    # One window down, two rows by the shift, one by the convolution.
    assert float(difference[7:].abs().max()) < 1e-6
    assert float(difference[:4].abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"side": 100}, "multiple of 32"),
        ({"n_heads": 5}, "multiple of its 5 heads"),
        ({"swin_heads": 3}, "half of width is 8"),
        ({"taps": (2, 1)}, "rising numbers below 4"),
        ({"taps": (1, 4)}, "rising numbers below 4"),
        ({"taps": ()}, "rising numbers below 4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build(replace(SMALL, **change))
