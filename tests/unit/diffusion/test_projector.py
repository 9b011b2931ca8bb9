"""Projectors: their algebra, and what they keep."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.diffusion.projector import Projector, Whole, low_columns, low_square
from isocenter.ops.fourier import fft, ifft

PROJECTORS = [low_columns((16, 20), 6), low_columns((15, 17), 5), low_square((16, 20), 6), Whole()]
every_projector = pytest.mark.parametrize("projector", PROJECTORS)


def images(projector: Projector, seed: int) -> Tensor:
    shape = tuple(getattr(projector, "kept", torch.zeros(16, 20)).shape)
    return torch.view_as_complex(
        torch.randn(3, *shape, 2, generator=generator(seed), dtype=torch.float64)
    )


@every_projector
def test_a_projector_is_idempotent_and_hermitian(projector: Projector) -> None:
    x, y = images(projector, 0), images(projector, 1)
    assert torch.allclose(projector(projector(x)), projector(x), atol=1e-12)
    assert torch.allclose((projector(x).conj() * y).sum(), (x.conj() * projector(y)).sum())
    assert torch.allclose(projector(x) + projector.rest(x), x)


@every_projector
def test_it_takes_the_kept_places_and_no_others(projector: Projector) -> None:
    if isinstance(projector, Whole):
        assert torch.equal(projector(images(projector, 2)), images(projector, 2))
        return
    x = images(projector, 2)
    expected = ifft(fft(x, (-2, -1)) * ~projector.kept, (-2, -1))
    assert torch.allclose(projector(x), expected, atol=1e-12)


def test_as_many_places_are_kept_as_asked_around_the_centre() -> None:
    assert low_columns((4, 64), 6).kept[0].nonzero().flatten().tolist() == list(range(29, 35))
    square = low_square((32, 64), 8).kept
    assert int(square.sum()) == 64
    assert square[12:20, 28:36].all()
