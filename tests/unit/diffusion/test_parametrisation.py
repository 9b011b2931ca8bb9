"""What a network says, however it was trained, becomes the same expected clean image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.diffusion.parametrisation import NetworkDenoiser, Parametrisation
from isocenter.diffusion.projector import low_columns
from isocenter.errors import BadCheckpoint

VARIANCE = 0.09
"""Of the Gaussian clean images, whose best denoiser is Wiener's."""
SIGMA = torch.tensor([0.05, 0.3, 2.0])


def noisy_images() -> Tensor:
    return torch.randn(3, 8, 12, dtype=torch.complex64, generator=generator(4))


def wiener(noisy: Tensor) -> Tensor:
    return noisy * (VARIANCE / (VARIANCE + SIGMA.square()))[:, None, None]


def exact(known: Parametrisation) -> Callable[[Tensor, Tensor], Tensor]:
    """The best network for such images, trained as ``known`` says."""

    def network(parts: Tensor, level: Tensor) -> Tensor:
        deviation = (level.exp() if known.logarithm else level)[:, None, None, None]
        scale = torch.ones_like(deviation)
        if known.scaled == "preserving":
            scale = (1 - deviation.square()).sqrt()
        total = scale.square() * VARIANCE + deviation.square()
        said = {
            "clean": scale * VARIANCE / total * parts,
            "noise": deviation * parts / total,
            "score": -parts / total,
        }
        return said[known.said]

    return network


@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize("scaled", ["exploding", "preserving"])
@pytest.mark.parametrize("said", ["clean", "noise", "score"])
def test_every_way_of_training_gives_the_expected_clean_image(
    scaled: str, said: str, logarithm: bool
) -> None:
    known = Parametrisation(scaled, said, logarithm)  # type: ignore[arg-type]
    noisy = noisy_images()
    found = NetworkDenoiser(exact(known), known)(noisy, SIGMA)
    assert torch.allclose(found, wiener(noisy), atol=1e-5)


def test_what_holds_no_noise_is_left_alone() -> None:
    projector = low_columns((8, 12), 4)
    known = Parametrisation("preserving", "score", logarithm=False, high_frequencies=True)
    noisy = noisy_images()

    def network(parts: Tensor, level: Tensor) -> Tensor:
        # As published: what it says of the kept part was never trained and may be anything.
        return exact(known)(parts, level) + 3.0

    found = NetworkDenoiser(network, known, projector)(noisy, SIGMA)
    assert torch.allclose(projector.rest(found), projector.rest(noisy), atol=1e-5)
    assert torch.allclose(projector(found), projector(wiener(noisy)), atol=1e-5)


def test_a_way_of_training_comes_back_from_its_values() -> None:
    known = Parametrisation("preserving", "noise", logarithm=False)
    assert Parametrisation.from_json(asdict(known)) == known


@pytest.mark.parametrize(
    "change", [{"said": "velocity"}, {"scaled": "imploding"}, {"cosine": True}]
)
def test_an_unknown_way_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadCheckpoint, match=str(next(iter(change.values())))):
        Parametrisation.from_json({**asdict(Parametrisation()), **change})
