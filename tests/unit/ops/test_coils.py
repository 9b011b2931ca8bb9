"""Coil maps: found again, cropped, in sets, and the same on every path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import BadKSpace
from isocenter.ops import coils
from isocenter.ops.coils import espirit, walsh
from isocenter.ops.fourier import fft, ifft
from tests.kspace_phantom import CoilPhantom, coil_phantom, line_mask

PLANE = (-2, -1)


def agreement(maps: Tensor, truth: Tensor) -> Tensor:
    """Cosine between coil vectors (coil, y, x) of every pixel, whatever their phase."""
    lengths = torch.linalg.vector_norm(maps, dim=0) * torch.linalg.vector_norm(truth, dim=0)
    return (maps.conj() * truth).sum(0).abs() / lengths.clamp_min(1e-12)


def inside(phantom: CoilPhantom) -> Tensor:
    return phantom.image.abs() > 0.2


@pytest.fixture(scope="module")
def phantom() -> CoilPhantom:
    return coil_phantom((63, 60), 6, noise=2e-3)


@pytest.mark.parametrize("acs", [(24, 24), (63, 24), (20, 60), (64, 64)])
def test_maps_are_found_from_the_centre(phantom: CoilPhantom, acs: tuple[int, int]) -> None:
    maps = espirit(phantom.kspace[None], acs)
    assert maps.shape == (1, 1, 6, 63, 60)
    assert agreement(maps[0, 0], phantom.maps)[inside(phantom)].mean() > 0.998
    lengths = torch.linalg.vector_norm(maps[0, 0], dim=0)
    assert ((lengths - 1).abs().lt(1e-4) | (lengths == 0)).all()
    assert (lengths[inside(phantom)] > 0).all()


def test_only_the_centre_is_looked_at(phantom: CoilPhantom) -> None:
    undersampled = phantom.kspace * line_mask((63, 60), 4, 24)
    torch.testing.assert_close(
        espirit(undersampled[None], (63, 24)), espirit(phantom.kspace[None], (63, 24))
    )


def test_there_is_no_map_where_there_is_only_air() -> None:
    shape = (64, 64)
    small = coil_phantom((40, 40), 6)
    pad = (12, 12, 12, 12)
    image, maps = (torch.nn.functional.pad(x, pad) for x in (small.image, small.maps))
    kspace = fft(maps * image, PLANE)
    noise = torch.randn(kspace.shape, generator=generator(1), dtype=torch.complex64)
    found = espirit((kspace + 1e-3 * noise)[None], (24, 24))
    corner = found[0, 0, :, :8, :8]
    assert torch.equal(corner, torch.zeros_like(corner))
    assert found.shape[-2:] == shape


def test_the_combined_image_has_a_smooth_phase(phantom: CoilPhantom) -> None:
    maps = espirit(phantom.kspace[None], (24, 24))[0, 0]
    image = (maps.conj() * ifft(phantom.kspace, PLANE)).sum(0)
    turn = (image[:, 1:] * image[:, :-1].conj()).angle().abs()
    both = inside(phantom)[:, 1:] & inside(phantom)[:, :-1]
    assert float(turn[both].max()) < 0.3


def test_scale_and_a_common_phase_change_nothing_but_rounding(phantom: CoilPhantom) -> None:
    maps = espirit(phantom.kspace[None], (24, 24))
    scaled = espirit(phantom.kspace[None] * (3e-4 + 4e-4j), (24, 24))
    agreed = agreement(maps[0, 0], scaled[0, 0])[inside(phantom)]
    assert float(agreed.min()) > 0.9999


def test_a_slice_does_not_know_its_neighbours(phantom: CoilPhantom) -> None:
    slices = torch.stack([phantom.kspace, phantom.kspace.flip(0) * 5])
    both = espirit(slices, (24, 24))
    assert torch.equal(both[1:], espirit(slices[1:], (24, 24)))


def test_folded_anatomy_needs_a_second_set(phantom: CoilPhantom) -> None:
    """Half the field of view: two places share a pixel, and two maps explain both."""
    folded = phantom.kspace[:, :, ::2]
    images = ifft(folded, PLANE)
    energies = []
    for n_sets in (1, 2):
        maps = espirit(folded[None], (24, 24), n_sets=n_sets)[0]
        explained = sum(one * (one.conj() * images).sum(0) for one in maps)
        energies.append(float((images - explained).norm() / images.norm()))
    assert energies[1] < 0.7 * energies[0]


def test_sets_are_orthogonal(phantom: CoilPhantom) -> None:
    first, second = espirit(phantom.kspace[None, :, :, ::2], (24, 24), n_sets=2)[0]
    assert float((first.conj() * second).sum(0).abs().max()) < 1e-4


def test_soft_maps_fade_where_hard_ones_end(phantom: CoilPhantom) -> None:
    hard, soft = (
        torch.linalg.vector_norm(espirit(phantom.kspace[None], (24, 24), soft=s)[0, 0], dim=0)
        for s in (False, True)
    )
    between = (soft > 0.01) & (soft < 0.99)
    assert between.any()
    assert (soft[hard == 0] < 0.5001).all()
    assert (soft[hard > 0] > 0.4999).all()
    assert not ((hard > 0.01) & (hard < 0.99)).any()


def test_silence_has_no_maps() -> None:
    nothing = torch.zeros(1, 3, 32, 32, dtype=torch.complex64)
    assert torch.equal(espirit(nothing, (24, 24)), torch.zeros(1, 1, 3, 32, 32) + 0j)
    assert torch.equal(walsh(nothing), torch.zeros(1, 1, 3, 32, 32) + 0j)


def test_one_coil_has_a_map_of_ones(phantom: CoilPhantom) -> None:
    maps = espirit(phantom.kspace[None, :1], (24, 24))
    seen = maps[maps != 0]
    torch.testing.assert_close(seen.abs(), torch.ones_like(seen.abs()))


def test_compiled_and_plain_iterations_agree() -> None:
    rng = generator(2)
    factor = torch.randn(5, 5, 301, generator=rng, dtype=torch.complex64)
    matrices = torch.einsum("cdp,edp->cep", factor, factor.conj()).contiguous()
    starts = torch.randn(2, 5, generator=rng, dtype=torch.complex64)
    for plain, compiled in zip(
        coils._iteration(matrices, starts), coils._compiled_iteration(matrices, starts), strict=True
    ):
        torch.testing.assert_close(plain, compiled, rtol=1e-4, atol=1e-5)


def test_iteration_finds_what_dense_algebra_finds() -> None:
    factor = torch.randn(4, 4, 50, generator=generator(2), dtype=torch.complex64)
    factor[:, 1:] *= 0.5
    matrices = torch.einsum("cdp,edp->cep", factor, factor.conj())
    vectors, values = coils._dominant(matrices, 1)
    true_values, true_vectors = np.linalg.eigh(matrices.permute(2, 0, 1).numpy())
    gap = true_values[:, -2] / true_values[:, -1] < 0.7
    assert gap.sum() > 10
    np.testing.assert_allclose(values[0].numpy()[gap], true_values[gap, -1], rtol=1e-4)
    cosine = np.abs((vectors[0].T.numpy().conj() * true_vectors[:, :, -1]).sum(1))
    np.testing.assert_allclose(cosine[gap], 1, atol=1e-4)


def test_walsh_maps_are_close_to_the_coils(phantom: CoilPhantom) -> None:
    maps = walsh(ifft(phantom.kspace, PLANE)[None])
    assert maps.shape == (1, 1, 6, 63, 60)
    assert agreement(maps[0, 0], phantom.maps)[inside(phantom)].mean() > 0.99
    lengths = torch.linalg.vector_norm(maps[0, 0], dim=0)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=1e-4)


def test_what_cannot_be_is_refused(phantom: CoilPhantom) -> None:
    with pytest.raises(BadKSpace, match="63 x 5 places .* at least 6 x 6"):
        espirit(phantom.kspace[None], (63, 5))
    with pytest.raises(BadKSpace, match="6 coils have no 7 sets"):
        espirit(phantom.kspace[None], (24, 24), n_sets=7)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(phantom: CoilPhantom) -> None:
    here = espirit(phantom.kspace[None], (24, 24))
    there = espirit(phantom.kspace[None].cuda(), (24, 24))
    assert there.is_cuda
    assert float(agreement(here[0, 0], there[0, 0].cpu())[inside(phantom)].min()) > 0.999
