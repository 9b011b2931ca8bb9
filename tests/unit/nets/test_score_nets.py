"""DDPM and NCSN++: published counts, and both against the same written out slowly in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets import ddpm, ncsnpp
from isocenter.nets._blocks.fir import fir_down, fir_up

Array = npt.NDArray[np.float64]


class Slow:
    """A network's weights by name, and its operations one pixel or one group at a time."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.weights: Mapping[str, Array] = {
            name: value.double().numpy() for name, value in net.state_dict().items()
        }

    def linear(self, name: str, values: Array) -> Array:
        return self.weights[f"{name}.weight"] @ values + self.weights[f"{name}.bias"]

    def convolve(self, name: str, maps: Array, pad: int | None = None, stride: int = 1) -> Array:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        side = weight.shape[-1]
        around = side // 2 if pad is None else pad
        maps = np.pad(maps, ((0, 0), (around, around), (around, around)))
        rows = range(0, maps.shape[1] - side + 1, stride)
        columns = range(0, maps.shape[2] - side + 1, stride)
        return np.stack(
            [
                [np.tensordot(weight, maps[:, r : r + side, c : c + side], 3) for c in columns]
                for r in rows
            ]
        ).transpose(2, 0, 1) + bias[:, None, None]  # fmt: skip

    def norm(self, name: str, maps: Array, groups: int) -> Array:
        each = maps.reshape(groups, -1)
        each = (each - each.mean(1, keepdims=True)) / np.sqrt(each.var(1, keepdims=True) + 1e-6)
        scale, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return each.reshape(maps.shape) * scale[:, None, None] + shift[:, None, None]

    def attend(self, name: str, maps: Array, groups: int) -> Array:
        normed = self.norm(f"{name}.norm", maps, groups)
        query, key, value = (
            self.convolve(f"{name}.{part}", normed).reshape(len(maps), -1)
            for part in ("query", "key", "value")
        )
        likeness = np.exp(query.T @ key / math.sqrt(len(maps)))
        gathered = value @ (likeness / likeness.sum(1, keepdims=True)).T
        return maps + self.convolve(f"{name}.out", gathered.reshape(maps.shape))


def swish(values: Array) -> Array:
    return values / (1 + np.exp(-values))


def fourfold(maps: Array) -> Array:
    """Each pixel twice along both axes."""
    return maps.repeat(2, 1).repeat(2, 2)


def filtered(maps: Array, up: int, down: int, before: int, behind: int) -> Array:
    """Zeros in between, zeros around, the filter, and every ``down``-th pixel."""
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64 * up**2
    wide = np.zeros((len(maps), maps.shape[1] * up, maps.shape[2] * up))
    wide[:, ::up, ::up] = maps
    wide = np.pad(wide, ((0, 0), (before, behind), (before, behind)))
    rows, columns = wide.shape[1] - 3, wide.shape[2] - 3
    out = np.zeros((len(maps), rows, columns))
    for row in range(4):
        for column in range(4):
            out += taps[row, column] * wide[:, row : row + rows, column : column + columns]
    return out[:, ::down, ::down]


def drawn(net: torch.nn.Module) -> None:
    """Weights that are nowhere zero, so that every part matters."""
    rng = generator(5)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=rng))


def n_weights(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_the_published_ddpm_has_its_published_number_of_weights() -> None:
    with torch.device("meta"):
        assert n_weights(ddpm.DDPM(ddpm.Config())) == 34_425_602


def test_attention_comes_where_a_side_is_named() -> None:
    with torch.device("meta"):
        plain = ddpm.DDPM(ddpm.Config(attention=()))
        named = ddpm.DDPM(ddpm.Config(attention=(40,)))
    # Two blocks down and three up at 40 pixels: 4 maps 1 x 1 and a norm of 256 channels each.
    assert n_weights(named) - n_weights(plain) == 5 * (4 * (256 * 256 + 256) + 512)


def test_ddpm_is_what_it_says() -> None:
    config = ddpm.Config(width=4, factors=(1, 2), n_blocks=1, shifted=True, dropout=0.0)
    net = ddpm.build(config).eval()
    drawn(net)
    slow, rng = Slow(net), generator(1)
    image, level = torch.randn(1, 2, 8, 12, generator=rng), torch.tensor([0.7])

    rates = np.exp(-math.log(10000.0) * np.arange(2) / 1)
    told = np.concatenate([np.sin(0.7 * rates), np.cos(0.7 * rates)])
    told = swish(slow.linear("embed.2", swish(slow.linear("embed.0", told))))

    def block(name: str, maps: Array) -> Array:
        n_in, n_out = len(maps), len(slow.weights[f"{name}.first.bias"])
        inner = slow.convolve(f"{name}.first", swish(slow.norm(f"{name}.norm1", maps, n_in)))
        inner = inner + slow.linear(f"{name}.condition", told)[:, None, None]
        inner = slow.convolve(f"{name}.second", swish(slow.norm(f"{name}.norm2", inner, n_out)))
        return inner + (maps if n_in == n_out else slow.convolve(f"{name}.across", maps))

    first = slow.convolve("into", 2 * image[0].double().numpy() - 1)
    second = block("down.0.0.block", first)
    third = slow.convolve("shrink.0.convolution", np.pad(second, ((0, 0), (0, 1), (0, 1))), 0, 2)
    fourth = block("down.1.0.block", third)
    maps = slow.attend("middle.0.attend", block("middle.0.block", fourth), 8)
    maps = block("middle.1.block", maps)
    maps = block("up.0.0.block", np.concatenate([maps, fourth]))
    maps = block("up.0.1.block", np.concatenate([maps, third]))
    maps = slow.convolve("grow.0.convolution", fourfold(maps))
    maps = block("up.1.0.block", np.concatenate([maps, second]))
    maps = block("up.1.1.block", np.concatenate([maps, first]))
    expected = slow.convolve("out", swish(slow.norm("norm", maps, 4)))
    with torch.inference_mode():
        found = net.double()(image.double(), level.double())[0].numpy()
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_ncsnpp_is_what_it_says() -> None:
    config = ncsnpp.Config(width=8, factors=(1, 2), n_blocks=1)
    net = ncsnpp.build(config).eval()
    drawn(net)
    slow, rng = Slow(net), generator(2)
    image, level = torch.randn(1, 2, 8, 12, generator=rng), torch.tensor([-0.3])
    half = math.sqrt(0.5)

    angles = -0.3 * 2 * math.pi * slow.weights["rates"]
    told = slow.linear("embed.0", np.concatenate([np.sin(angles), np.cos(angles)]))
    told = swish(slow.linear("embed.2", swish(told)))

    def block(name: str, maps: Array, resize: str = "") -> Array:
        n_in, n_out = len(maps), len(slow.weights[f"{name}.first.bias"])
        inner = swish(slow.norm(f"{name}.norm1", maps, n_in // 4))
        if resize:
            inner, maps = (
                filtered(each, 2, 1, 2, 1) if resize == "up" else filtered(each, 1, 2, 1, 1)
                for each in (inner, maps)
            )
        inner = slow.convolve(f"{name}.first", inner)
        inner = inner + slow.linear(f"{name}.condition", told)[:, None, None]
        inner = swish(slow.norm(f"{name}.norm2", inner, n_out // 4))
        if n_in != n_out or resize:
            maps = slow.convolve(f"{name}.across", maps)
        return (maps + slow.convolve(f"{name}.second", inner)) * half

    pixels = image[0].double().numpy()
    first = slow.convolve("into", pixels)
    second = block("down.0.0.block", first)
    fed = slow.convolve("shrink.0.feed", filtered(pixels, 1, 1, 2, 2), 0, 2)
    third = (fed + block("shrink.0.block", second, "down")) * half
    fourth = block("down.1.0.block", third)
    maps = slow.attend("middle.0.attend", block("middle.0.block", fourth), 4) * half
    maps = block("middle.1.block", maps)
    maps = block("up.0.0.block", np.concatenate([maps, fourth]))
    maps = block("up.0.1.block", np.concatenate([maps, third]))
    maps = block("grow.0", maps, "up")
    maps = block("up.1.0.block", np.concatenate([maps, second]))
    maps = block("up.1.1.block", np.concatenate([maps, first]))
    expected = slow.convolve("out", swish(slow.norm("norm", maps, 2)))
    with torch.inference_mode():
        found = net.double()(image.double(), level.double())[0].numpy()
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_filter_keeps_the_mean_and_comes_back() -> None:
    flat = torch.full((1, 3, 8, 8), 2.0)
    assert torch.allclose(fir_up(flat)[..., 2:-2, 2:-2], torch.tensor(2.0))
    assert torch.allclose(fir_down(flat)[..., 1:-1, 1:-1], torch.tensor(2.0))
    rng = generator(0)
    small, large = torch.randn(1, 2, 6, 5, generator=rng), torch.randn(1, 2, 12, 10, generator=rng)
    # Up and down are adjoint, but for the gain of four.
    assert (fir_up(small) * large).sum().item() == pytest.approx(
        4 * (small * fir_down(large)).sum().item(), rel=1e-4
    )


@pytest.mark.parametrize("module", [ddpm, ncsnpp])
def test_a_width_that_groups_cannot_share_is_refused(module: object) -> None:
    with pytest.raises(UsageError, match="groups"):
        module.build(module.Config(width=50))  # type: ignore[attr-defined]
