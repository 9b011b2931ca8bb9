"""Laws of derived streams."""

import torch
from hypothesis import given
from hypothesis import strategies as some

from isocenter.data.random import child, generator

seeds = some.integers(0, 2**63 - 1)
keys = some.lists(some.text(max_size=5) | some.integers(), min_size=1, max_size=4)


@given(seed=seeds, names=keys, n_drawn=some.integers(0, 50))
def test_a_child_does_not_depend_on_what_was_drawn(
    seed: int, names: list[object], n_drawn: int
) -> None:
    fresh, used = generator(seed), generator(seed)
    torch.rand(n_drawn, generator=used)
    assert child(used, *names).initial_seed() == child(fresh, *names).initial_seed()


@given(seed=seeds, names=keys)
def test_deriving_a_child_does_not_advance_the_parent(seed: int, names: list[object]) -> None:
    parent = generator(seed)
    before = parent.get_state()
    child(parent, *names)
    assert torch.equal(parent.get_state(), before)


@given(seed=seeds, names=keys, other=keys)
def test_other_names_give_another_stream(
    seed: int, names: list[object], other: list[object]
) -> None:
    streams = child(generator(seed), *names), child(generator(seed), *other)
    same_names = [str(name) for name in names] == [str(name) for name in other]
    same_numbers = torch.equal(*(torch.rand(8, generator=stream) for stream in streams))
    assert same_numbers == same_names


@given(seed=seeds, name=some.text(max_size=5))
def test_a_child_of_a_child_is_a_stream_of_its_own(seed: int, name: str) -> None:
    parent = generator(seed)
    once, twice = child(parent, name), child(child(parent, name), name)
    assert len({parent.initial_seed(), once.initial_seed(), twice.initial_seed()}) == 3
