"""Orthogonal wavelets: an isometry at any size, compiled or not; what shrinking does."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import UnknownName
from isocenter.ops.daubechies import FILTERS, decompose, levels_for, recompose, shrink_wavelets

every_wavelet = pytest.mark.parametrize("wavelet", FILTERS)
SIZES = [((2, 32, 48), 3), ((1, 37, 50), 2), ((3, 5, 9), 1), ((2, 4, 4), 2)]
every_size = pytest.mark.parametrize(("shape", "levels"), SIZES, ids=str)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex128, generator=generator(seed))


@every_wavelet
@every_size
def test_what_is_decomposed_comes_back(wavelet: str, shape: tuple[int, ...], levels: int) -> None:
    images = noise(*shape)
    coefficients = decompose(images, wavelet=wavelet, levels=levels)
    assert all(side % 2**levels == 0 for side in coefficients.shape[-2:])
    assert torch.allclose(coefficients.norm(), images.norm(), rtol=1e-10)
    back = recompose(coefficients, shape[-2:], wavelet=wavelet, levels=levels)
    assert torch.allclose(back, images, atol=1e-9)


@every_wavelet
@every_size
def test_recomposing_is_the_adjoint(wavelet: str, shape: tuple[int, ...], levels: int) -> None:
    images = noise(*shape)
    coefficients = decompose(images, wavelet=wavelet, levels=levels)
    others = noise(*coefficients.shape, seed=1)
    adjoint = recompose(others, shape[-2:], wavelet=wavelet, levels=levels)
    left = torch.vdot(coefficients.flatten(), others.flatten())
    assert torch.allclose(left, torch.vdot(images.flatten(), adjoint.flatten()), rtol=1e-9)


@every_wavelet
@every_size
def test_the_compiled_way_is_the_plain_one(
    wavelet: str, shape: tuple[int, ...], levels: int
) -> None:
    images = noise(*shape)
    plain = decompose(images, wavelet=wavelet, levels=levels)
    compiled = decompose(images.to(torch.complex64), wavelet=wavelet, levels=levels)
    assert torch.allclose(compiled, plain.to(torch.complex64), atol=1e-5)
    back = recompose(compiled, shape[-2:], wavelet=wavelet, levels=levels)
    assert torch.allclose(back, images.to(torch.complex64), atol=1e-5)
    small = [
        shrink_wavelets(
            values,
            torch.linspace(0.3, 1, shape[0]).to(values.real.dtype),
            (1, 3),
            wavelet=wavelet,
            levels=levels,
        )
        for values in (images, images.to(torch.complex64))
    ]
    assert torch.allclose(small[0].to(torch.complex64), small[1], atol=1e-5)


@pytest.mark.parametrize(("wavelet", "moments"), [("haar", 1), ("db2", 2), ("db4", 4)])
def test_polynomials_have_no_fine_coefficients(wavelet: str, moments: int) -> None:
    place = torch.arange(64, dtype=torch.float64) / 64
    ramp = (place ** (moments - 1)).expand(64, 64).to(torch.complex128)
    fine = decompose(ramp[None], wavelet=wavelet, levels=1)[0, :, 32:]
    # The first and last few reach around the edge, where the polynomial jumps.
    assert float(fine[:, 4:-4].abs().max()) < 1e-10
    higher = decompose((ramp * place)[None], wavelet=wavelet, levels=1)[0, :, 32:]
    assert float(higher[:, 4:-4].abs().max()) > 1e-8


@every_wavelet
def test_shrinking_is_the_proximal_map(wavelet: str) -> None:
    """No image nearby has less ``t |W x|_1 + |x - y|^2 / 2``."""
    y = noise(1, 16, 16)

    def cost(x: torch.Tensor) -> float:
        bands = decompose(x, wavelet=wavelet, levels=2).abs().sum()
        return float(0.7 * bands + (x - y).abs().square().sum() / 2)

    best = shrink_wavelets(
        y, torch.tensor([0.7], dtype=torch.float64), (0, 0), wavelet=wavelet, levels=2
    )
    for seed in range(1, 6):
        assert cost(best) < cost(best + 0.01 * noise(1, 16, 16, seed=seed))


def test_a_shift_turns_the_image_and_turns_it_back() -> None:
    y, threshold = noise(1, 16, 24).to(torch.complex64), torch.tensor([0.5])
    turned = shrink_wavelets(y.roll((3, 5), (-2, -1)), threshold, (0, 0), levels=2)
    expected = turned.roll((-3, -5), (-2, -1))
    assert torch.allclose(shrink_wavelets(y, threshold, (3, 5), levels=2), expected, atol=1e-6)


def test_sides_are_halved_down_to_sixteen() -> None:
    assert [levels_for((n, 400)) for n in (8, 16, 32, 180, 320)] == [1, 1, 1, 4, 5]


def test_an_unknown_wavelet_is_refused() -> None:
    with pytest.raises(UnknownName, match="no wavelet 'db3'; did you mean 'db"):
        decompose(noise(1, 8, 8), wavelet="db3", levels=1)
