"""Streams of chance: the same names give the same numbers, today and in years."""

import pytest
import torch

from isocenter.data.random import child, generator

TOP = 2**31
SEVEN = [976413892, 1369975286, 2053951699]
CHILDREN = [
    (("sub-01", "motion", 3), 5606049157602801885, [1886459161, 1349805857]),
    (("sub-01", "noise", 3), 7811192719748025488, [1463545997, 508447953]),
    ((), 4359823973405836615, [395538447, 950733628]),
]


def first(rng: torch.Generator, n: int = 2) -> list[int]:
    return torch.randint(0, TOP, (n,), generator=rng).tolist()


def test_the_stream_of_a_seed_is_stable() -> None:
    assert first(generator(7), 3) == SEVEN


@pytest.mark.parametrize(("keys", "seed", "numbers"), CHILDREN)
def test_the_stream_of_names_is_stable(
    keys: tuple[object, ...], seed: int, numbers: list[int]
) -> None:
    stream = child(generator(7), *keys)
    assert stream.initial_seed() == seed
    assert first(stream) == numbers


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    first(child(generator(1), "a"))
    assert torch.equal(torch.get_rng_state(), before)
