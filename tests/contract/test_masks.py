"""Every kind of mask, through one battery, on odd and even sizes."""

import pytest
import torch

from isocenter.data.kspace import Mask
from isocenter.data.random import child, generator
from isocenter.ops.sampling import LINE_KINDS, MASK_KINDS, sampling_mask

SHAPES = [(64, 64), (65, 63), (48, 97), (97, 48)]
FIXED = {"full", "low_frequency", "center", "seed_uniform"}
"""Nothing is drawn."""
UNMINDFUL = {"full", "low_frequency", "center"}
"""The acceleration does not matter."""

every_kind = pytest.mark.parametrize("kind", MASK_KINDS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def made(kind: str, shape: tuple[int, int], acceleration: float = 3, seed: int = 1) -> torch.Tensor:
    return sampling_mask(kind, shape, acceleration=acceleration, acs=9, rng=generator(seed))


@every_shape
@every_kind
def test_the_centre_is_kept_and_the_size_is_right(kind: str, shape: tuple[int, int]) -> None:
    mask = made(kind, shape)
    assert mask.shape == shape
    assert mask.dtype == torch.bool
    rows, columns = (slice(n // 2 - 4, n // 2 + 5) for n in shape)
    block = mask[:, columns] if kind in LINE_KINDS else mask[rows, columns]
    assert bool(block.all())
    acs = Mask(mask[None]).acs
    assert min(acs) >= (9 if kind in LINE_KINDS else 4)


@every_shape
@every_kind
def test_a_kind_of_lines_has_equal_rows_and_others_do_not(
    kind: str, shape: tuple[int, int]
) -> None:
    mask = made(kind, shape)
    assert torch.equal(mask, mask[:1].expand_as(mask)) == (kind in LINE_KINDS)


@every_kind
def test_the_seed_decides(kind: str) -> None:
    masks = [made(kind, (64, 64), seed=seed) for seed in range(1, 7)]
    assert torch.equal(masks[0], made(kind, (64, 64)))
    assert all(torch.equal(masks[0], mask) for mask in masks) == (kind in FIXED)


@every_kind
def test_the_order_of_streams_does_not_matter(kind: str) -> None:
    root = generator(5)
    streams = {name: child(root, name) for name in "ab"}
    first = {name: made_from(kind, rng) for name, rng in streams.items()}
    again = {name: made_from(kind, child(root, name)) for name in "ba"}
    assert all(torch.equal(first[name], again[name]) for name in "ab")


def made_from(kind: str, rng: torch.Generator) -> torch.Tensor:
    return sampling_mask(kind, (40, 41), acceleration=3, acs=5, rng=rng)


@every_shape
@pytest.mark.parametrize("kind", sorted(set(MASK_KINDS) - UNMINDFUL))
def test_more_acceleration_measures_less(kind: str, shape: tuple[int, int]) -> None:
    rates = [made(kind, shape, acceleration).double().mean() for acceleration in (1.2, 2, 3, 5)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 1.3 * rates[-1]


@pytest.mark.parametrize("kind", sorted(set(MASK_KINDS) - UNMINDFUL - {"radial"}))
def test_without_acceleration_everything_is_measured(kind: str) -> None:
    assert bool(made(kind, (33, 40), acceleration=1).all())


@every_kind
def test_columns_that_were_never_acquired_stay_so(kind: str) -> None:
    mask = sampling_mask(kind, (40, 60), acceleration=3, acs=7, rng=generator(1), acquired=(6, 50))
    assert not bool(mask[:, :6].any())
    assert not bool(mask[:, 50:].any())
    assert bool(mask[20, 27:34].all())
