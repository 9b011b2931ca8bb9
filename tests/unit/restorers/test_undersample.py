"""``undersample``: retrospective undersampling of a full file, padding included."""

from dataclasses import replace

import pytest
import torch

from isocenter.data.kspace import KSpace, Mask
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.ops.sampling import LINE_KINDS, MASK_KINDS
from isocenter.restorers import acquire, undersample

FULL = acquire(
    head_phantom((41, 30, 3), 3.0), mask="full", n_coils=2, plane="axial", rng=generator(1)
)


def padded(first: int, stop: int) -> KSpace:
    """As a file of fastMRI, whose outermost columns were never acquired."""
    places = torch.zeros(1, *FULL.grid, dtype=torch.bool)
    places[..., first:stop] = True
    return replace(FULL, data=FULL.data * places[:, None], mask=Mask(places))


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_what_is_left_is_as_it_was(kind: str) -> None:
    fewer = undersample(FULL, kind, acceleration=3, acs=5, rng=generator(2))
    assert torch.equal(fewer.data, FULL.data * fewer.mask.places[:, None])
    step = fewer.history[-1]
    assert [s.name for s in fewer.history] == ["acquire", "undersample"]
    assert step.params["true_acceleration"] == pytest.approx(fewer.mask.true_acceleration)
    assert (step.params["mask"], step.seed) == (kind, 2)


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_padding_is_not_measured_and_does_not_count(kind: str) -> None:
    fewer = undersample(padded(4, 38), kind, acceleration=2, acs=5, rng=generator(2))
    columns = fewer.mask.places.any(1)[0]
    assert not bool(columns[:4].any())
    assert not bool(columns[38:].any())
    assert fewer.history[-1].params["acquired"] == [4, 38]
    if kind in ("uniform", "random", "cartesian", "gaussian1d"):
        assert fewer.history[-1].params["true_acceleration"] == 2.0
        assert fewer.mask.true_acceleration == pytest.approx(2 * 41 / 34)


def test_a_mask_of_ones_own_is_taken_as_it_is() -> None:
    places = torch.zeros(1, *FULL.grid, dtype=torch.bool)
    places[..., ::2] = True
    fewer = undersample(FULL, Mask(places), rng=generator(1))
    assert torch.equal(fewer.mask.places, places)
    assert fewer.history[-1].params["mask"] == "given"
    again = undersample(fewer, Mask(~places | (torch.arange(41) == 20)), rng=generator(1))
    assert int(again.mask.places[0, 0].sum()) == 1
    assert again.history[-1].params["true_acceleration"] == 21


def test_every_slice_may_have_a_mask_of_its_own() -> None:
    places = torch.zeros(3, *FULL.grid, dtype=torch.bool)
    places[..., 18:24] = True
    places[1, :, ::2] = True
    fewer = undersample(FULL, Mask(places), rng=generator(1))
    assert torch.equal(fewer.data != 0, places[:, None].expand_as(fewer.data))


def test_the_seed_decides() -> None:
    first, again, other = (
        undersample(FULL, "random", acs=5, rng=generator(seed)).mask.places for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", LINE_KINDS[:2])
def test_undersampled_k_space_is_not_undersampled_again(kind: str) -> None:
    fewer = undersample(FULL, acs=5, rng=generator(1))
    with pytest.raises(UsageError, match=r"undersampled already \(R=4\.10\)"):
        undersample(fewer, kind, rng=generator(1))


def test_a_mask_of_another_size_is_refused() -> None:
    other = Mask(torch.ones(1, 8, 9, dtype=torch.bool))
    with pytest.raises(UsageError, match="the mask is 8 x 9 and k-space 30 x 41"):
        undersample(FULL, other, rng=generator(1))
