"""Tiles: they cover, they blend without a seam, and they cost no accuracy."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import ResourceError
from isocenter.ops.tiles import blend, cuts, tiling

SIDES = st.integers(17, 80)


def repeated(ratio: int):  # type: ignore[no-untyped-def]
    """The network that shows every thick slice ``ratio`` times."""
    return lambda tile: tile.repeat_interleave(ratio, -1)[None]


@pytest.mark.parametrize("ratio", [4, 8])
@pytest.mark.parametrize("side", range(17, 81))
def test_nothing_changes_under_a_network_that_changes_nothing(side: int, ratio: int) -> None:
    for shape in [(side, 17, 9), (17, side, 9), (17, 9, side)]:
        volume = torch.rand(*shape, generator=generator(side))
        tiles = tiling(
            shape, ratio=ratio, multiples=(8, 8, 2), halo=(4, 4, 2), most=16 * 16 * 8 * ratio
        )
        assert tiles.n_tiles > 1
        made = blend(repeated(ratio), volume, tiles, n_channels=1)
        assert torch.equal(made.values[0], repeated(ratio)(volume)[0])


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(SIDES, SIDES, SIDES),
    ratio=st.sampled_from([1, 2, 4, 8]),
    multiple=st.sampled_from([1, 2, 8, 16]),
    halo=st.integers(1, 16),
    most=st.floats(1e3, 1e7),
)
def test_weights_sum_to_one_and_spare_the_halo(
    shape: tuple[int, int, int], ratio: int, multiple: int, halo: int, most: float
) -> None:
    try:
        tiles = tiling(shape, ratio=ratio, multiples=(multiple,) * 3, halo=(halo,) * 3, most=most)
    except ResourceError:
        return
    assert tiles.n_fine <= most
    for one, side, scale in zip(tiles.axes, shape, (1, 1, ratio), strict=True):
        weights = one.weights(scale)
        assert weights.shape == (len(one.starts), side * scale)
        assert float(weights.min()) >= 0
        assert torch.allclose(weights.sum(0), torch.ones(side * scale), atol=1e-6)
        assert all(start % multiple == 0 for start in one.starts)
        assert one.length % multiple == 0
        assert one.starts[-1] + one.length >= side
        dropped = int(0.75 * halo * scale)  # three eighths of an overlap of two halos
        for row, start in zip(weights, one.starts, strict=True):
            inner = row.nonzero().flatten()
            first = 0 if start == 0 else start * scale + dropped
            last = (start + one.length) * scale
            last = side * scale if last >= side * scale else last - dropped
            assert int(inner[0]) >= first
            assert int(inner[-1]) < last


def seeing(n_layers: int, ratio: int):  # type: ignore[no-untyped-def]
    """A network that sees ``n_layers`` voxels far, and more of the near ones."""

    def network(tile: Tensor) -> Tensor:
        x = tile[None].repeat_interleave(ratio, -1)
        for _ in range(n_layers):
            x = (3 * torch.nn.functional.avg_pool3d(x, 3, stride=1, padding=1)).sin()
        return torch.stack([x[0], x[0].square()])

    return network


@pytest.mark.parametrize(
    ("shape", "ratio", "most"),
    [((75, 40, 8), 4, 7e4), ((24, 75, 9), 2, 3e4), ((24, 20, 31), 4, 3e4)],
)
def test_tiles_give_what_the_whole_gives(
    shape: tuple[int, int, int], ratio: int, most: float
) -> None:
    volume = torch.rand(*shape, generator=generator(3))
    network = seeing(11, ratio)

    def made(most: float) -> Tensor:
        halo = (16, 16, 16 // ratio)
        tiles = tiling(shape, ratio=ratio, multiples=(8, 8, 1), halo=halo, most=most)
        assert (tiles.n_tiles == 1) == (most == 1e9)
        return blend(network, volume, tiles, n_channels=2).values

    whole, pieces = made(1e9), made(most)
    assert float((whole - pieces).abs().max()) < 1e-4 * float(whole.max() - whole.min())


def test_overlaps_hold_a_mean_of_both_tiles() -> None:
    """Weights of a smooth ramp, the same for all that is blended."""
    tiles = tiling((32, 8, 4), ratio=1, multiples=(1, 8, 4), halo=(8, 0, 0), most=24 * 32)
    assert [one.starts for one in tiles.axes] == [(0, 8), (0,), (0,)]
    number = itertools.count(1)

    def network(tile: Tensor) -> Tensor:
        value = float(next(number))
        return torch.stack([torch.full_like(tile, value), torch.full_like(tile, value**2)])

    mean, square = blend(network, torch.ones(32, 8, 4), tiles, n_channels=2).values
    profile = mean[:, 0, 0]
    assert bool((profile.diff() >= 0).all())
    assert profile[:14].tolist() == [1.0] * 14
    assert profile[18:].tolist() == [2.0] * 14
    share = profile - 1
    assert torch.allclose(share, 1 - share.flip(0), atol=1e-6)
    assert torch.allclose(square[:, 0, 0], 1 + 3 * share, atol=1e-6)  # variances, not deviations


def test_blank_tiles_are_passed_over() -> None:
    volume = torch.zeros(64, 16, 4)
    volume[:20] = 1.0
    tiles = tiling((64, 16, 4), ratio=2, multiples=(8, 8, 1), halo=(4, 4, 1), most=24 * 16 * 8)
    asked = []

    def network(tile: Tensor) -> Tensor:
        asked.append(bool(tile.any()))
        return tile.repeat_interleave(2, -1)[None] + 1

    made = blend(network, volume, tiles, n_channels=1)
    assert all(asked)
    assert made.n_blank == tiles.n_tiles - len(asked) > 0
    assert bool((made.values[0, :18] == 2).all())
    assert bool((made.values[0, -16:] == 0).all())


def test_a_scan_of_zeros_stays_one() -> None:
    tiles = tiling((16, 16, 4), ratio=4, multiples=(8, 8, 1), halo=(4, 4, 1), most=1e6)
    made = blend(repeated(4), torch.zeros(16, 16, 4), tiles, n_channels=2)
    assert made.values.shape == (2, 16, 16, 16)
    assert not bool(made.values.any())


def test_progress_ends_with_all_tiles() -> None:
    told: list[tuple[int, int]] = []
    tiles = tiling((40, 40, 8), ratio=2, multiples=(8, 8, 1), halo=(4, 4, 1), most=5000)
    blend(
        repeated(2),
        torch.ones(40, 40, 8),
        tiles,
        n_channels=1,
        progress=lambda done, of: told.append((done, of)),
    )
    assert told == [(n, tiles.n_tiles) for n in range(1, tiles.n_tiles + 1)]


def test_the_least_work_that_memory_allows_is_chosen() -> None:
    whole = tiling((64, 64, 16), ratio=4, multiples=(16, 16, 2), halo=(16, 16, 4), most=1e9)
    assert (whole.n_tiles, whole.sides) == (1, (64, 64, 16))
    half = tiling((64, 64, 16), ratio=4, multiples=(16, 16, 2), halo=(16, 16, 4), most=2.5e5)
    assert half.n_tiles == 2


def test_too_little_memory_is_said() -> None:
    with pytest.raises(ResourceError, match=r"smallest tile has \d+ voxels .* for 10: allow more"):
        tiling((64, 64, 16), ratio=4, multiples=(16, 16, 2), halo=(16, 16, 4), most=10)


def test_every_cut_covers_with_the_overlap() -> None:
    for one in cuts(77, multiple=4, halo=5):
        ends = [start + one.length for start in one.starts]
        assert ends[-1] >= 77
        assert all(end - start >= 10 for end, start in zip(ends[:-1], one.starts[1:], strict=True))
