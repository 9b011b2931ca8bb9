"""Laws of every linear operator and of the solvers on it, whatever the shapes."""

import hypothesis.strategies as st
import torch
from hypothesis import given
from torch import Tensor

from isocenter.data.random import generator
from isocenter.ops.coils import combine, expand
from isocenter.ops.fourier import fft, ifft
from isocenter.ops.operator import LinearOperator
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient

sides = st.integers(1, 17)
few = st.integers(1, 3)
seeds = st.integers(0, 2**62)


def random(*shape: int, rng: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.complex64)


def inner(x: Tensor, y: Tensor) -> Tensor:
    return torch.vdot(x.flatten(), y.flatten())


def is_adjoint(operator: LinearOperator, x: Tensor, y: Tensor) -> bool:
    """``<A x, y> = <x, A^H y>`` to rounding."""
    forward = operator(x)
    error = (inner(forward, y) - inner(x, operator.H(y))).abs()
    return bool(error <= 1e-5 * (forward.norm() * y.norm() + 1e-3))


def sense_of(slices: int, sets: int, coils: int, grid: tuple[int, int], seed: int) -> Sense:
    rng = generator(seed)
    maps = random(slices, sets, coils, *grid, rng=rng)
    return Sense(maps, torch.rand(slices, *grid, generator=rng) < 0.6)


@given(slices=few, sets=few, coils=few, y=sides, x=sides, seed=seeds)
def test_sense_and_its_products_have_adjoints(
    slices: int, sets: int, coils: int, y: int, x: int, seed: int
) -> None:
    rng = generator(seed + 1)
    sense = sense_of(slices, sets, coils, (y, x), seed)
    image = random(slices, sets, y, x, rng=rng)
    kspace = random(slices, coils, y, x, rng=rng)
    assert is_adjoint(sense, image, kspace)
    assert is_adjoint(sense.H, kspace, image)
    assert is_adjoint(sense.H @ sense, image, image.flip(0))
    torch.testing.assert_close(sense.normal(image), (sense.H @ sense)(image), rtol=1e-4, atol=1e-4)


@given(slices=few, sets=few, coils=few, y=sides, x=sides, seed=seeds)
def test_combining_is_the_adjoint_of_expanding(
    slices: int, sets: int, coils: int, y: int, x: int, seed: int
) -> None:
    rng = generator(seed)
    maps = random(slices, sets, coils, y, x, rng=rng)
    image = random(slices, sets, y, x, rng=rng)
    coil_images = random(slices, coils, y, x, rng=rng)
    left = inner(expand(image, maps), coil_images)
    right = inner(image, combine(coil_images, maps))
    assert (left - right).abs() <= 1e-5 * (image.norm() * maps.norm() * coil_images.norm() + 1)


@given(y=sides, x=sides, seed=seeds)
def test_the_transform_is_unitary(y: int, x: int, seed: int) -> None:
    image = random(2, y, x, rng=generator(seed))
    kspace = fft(image, (-2, -1))
    torch.testing.assert_close(kspace.norm(), image.norm(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ifft(kspace, (-2, -1)), image, rtol=1e-4, atol=1e-5)


@given(slices=few, y=st.integers(3, 12), x=st.integers(3, 12), seed=seeds)
def test_what_a_slice_becomes_does_not_depend_on_the_batch(
    slices: int, y: int, x: int, seed: int
) -> None:
    sense = sense_of(slices, 1, 2, (y, x), seed)
    right = random(slices, 1, y, x, rng=generator(seed + 1))
    right *= 10.0 ** torch.arange(slices)[:, None, None, None]

    def solve(part: slice) -> Tensor:
        one = Sense(sense.maps[part], sense.mask[part])
        return conjugate_gradient(lambda v: one.normal(v) + 0.5 * v, right[part], n_iterations=4)

    together = solve(slice(None))
    for index in range(slices):
        alone = solve(slice(index, index + 1))
        error = (together[index] - alone[0]).norm()
        assert error <= 1e-4 * right[index].norm()
