"""A trained prior from its file: any size of image, any way of training, the right refusals."""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import read
from isocenter.data.preprocess import ComplexImage
from isocenter.data.random import generator
from isocenter.datasets.sample import path as sample
from isocenter.diffusion.parametrisation import Parametrisation
from isocenter.diffusion.projector import Whole, low_columns
from isocenter.errors import BadCheckpoint, BadKSpace
from isocenter.nets import complex_unet, ddpm
from isocenter.restorers._deviation import Calibration
from isocenter.restorers._prior import Prior, load_prior

SMALL = complex_unet.Config(widths=(4, 6), n_down=(1, 1), n_up=(1,), n_condition=8)
SMALL_DDPM = ddpm.Config(width=4, factors=(1, 2), n_blocks=1)
CALIBRATION: dict[str, Any] = {"width": 2.0, "of_samples": 7.0, "of_noise": 3.0}
PARTS = ("config", "preprocess", "outputs", "calibration", "card")


def save(path: Path, known: Parametrisation | None = None) -> Path:
    """A prior with weights that are nowhere zero; a DDPM where a way of training is given."""
    net = complex_unet.build(SMALL) if known is None else ddpm.build(SMALL_DDPM)
    rng = generator(3)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=rng))
    return Checkpoint(
        net="complex_unet" if known is None else "ddpm",
        config=asdict(net.config),
        preprocess=ComplexImage(quantile=0.99, brightness=0.8).to_json(),
        outputs={"image": asdict(known or Parametrisation())},
        calibration={"deviation": CALIBRATION},
        card={"name": "small"},
        tensors=net.state_dict(),
    ).save(path)


def images(rows: int = 16, columns: int = 16) -> Tensor:
    return 0.3 * torch.randn(2, rows, columns, dtype=torch.complex64, generator=generator(1))


def parts(images: Tensor) -> Tensor:
    return torch.view_as_real(images).movedim(-1, 1)


@pytest.fixture
def prior(tmp_path: Path) -> Prior:
    return load_prior(save(tmp_path / "prior.safetensors"))


def test_a_file_says_how_images_must_be(prior: Prior) -> None:
    assert (prior.units.quantile, prior.units.brightness) == (0.99, 0.8)
    assert prior.calibration == Calibration(**CALIBRATION)
    assert prior.largest_noise == 3.0
    assert prior.facts["prior"] == "small"
    assert len(str(prior.facts["prior_sha256"])) == 64


@pytest.mark.parametrize("shape", [(16, 16), (13, 18), (31, 17)])
def test_images_of_any_size_keep_it(prior: Prior, shape: tuple[int, int]) -> None:
    said = prior.denoiser(None)(images(*shape), torch.tensor([0.1, 0.5]))
    assert said.shape == (2, *shape)
    assert said.dtype == torch.complex64
    assert bool(said.isfinite().all())


def test_an_image_is_answered_alone_as_among_others(prior: Prior) -> None:
    denoise, sigma = prior.denoiser(4), torch.tensor([0.1, 0.5])
    both = denoise(images(), sigma)
    alone = torch.cat([denoise(images()[i : i + 1], sigma[i : i + 1]) for i in range(2)])
    assert torch.allclose(both, alone, atol=1e-2 * float(both.abs().max()))


def test_the_width_is_told_as_a_share_of_the_columns(prior: Prior) -> None:
    sigma = torch.tensor([0.2, 0.2])
    none, some = prior.denoiser(None)(images(), sigma), prior.denoiser(4)(images(), sigma)
    expected = prior.net(parts(images()), sigma.log(), torch.full((2,), 4 / 16))
    assert 3 * (parts(some) - expected).norm() < (parts(none) - expected).norm()


def test_less_noise_than_was_ever_seen_is_taken_for_the_least_that_was(prior: Prior) -> None:
    denoise = prior.denoiser(None)
    least, less = (denoise(images(), torch.full((2,), sigma)) for sigma in (0.003, 1e-6))
    assert torch.equal(least, less)


def test_a_ddpm_of_high_frequencies_leaves_the_kept_part_alone(tmp_path: Path) -> None:
    known = Parametrisation("preserving", "score", logarithm=False, high_frequencies=True)
    prior = load_prior(save(tmp_path / "ddpm.safetensors", known))
    said = prior.denoiser(6)(images(), torch.tensor([0.3, 0.3]))
    # Of an even width the middle holds one more column below 0 than above.
    kept = torch.fft.fft(said - images(), dim=-1)[..., [0, 1, 2, -1, -2, -3]]
    assert float(kept.abs().max()) < 1e-4
    assert not torch.allclose(said, images(), atol=1e-3)
    with pytest.raises(BadKSpace, match="high frequencies"):
        prior.denoiser(None)


def test_weights_that_are_no_prior_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="no weights"):
        load_prior(tmp_path / "absent.safetensors")
    loaded = Checkpoint.load(save(tmp_path / "prior.safetensors"))
    other = Checkpoint("resnet", *(getattr(loaded, part) for part in PARTS), loaded.tensors)
    with pytest.raises(BadCheckpoint, match="resnet"):
        load_prior(other.save(tmp_path / "other.safetensors"))
    odd = replace(loaded, config={**loaded.config, "breadth": 3})
    with pytest.raises(
        BadCheckpoint, match=r"odd\.safetensors: the configuration makes no network"
    ):
        load_prior(odd.save(tmp_path / "odd.safetensors"))


@pytest.mark.parametrize(
    "wrong", [{"scale": 2.0}, {**CALIBRATION, "of_noise": -1.0}, {**CALIBRATION, "width": "2"}]
)
def test_a_calibration_that_is_not_known_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = save(tmp_path / "prior.safetensors")
    replace(Checkpoint.load(path), calibration={"deviation": wrong}).save(path)
    with pytest.raises(BadCheckpoint, match="calibrated as"):
        load_prior(path)


@pytest.fixture(scope="module")
def shipped() -> Prior:
    return load_prior(None)


@pytest.fixture(scope="module")
def slice_of_nobody_known() -> Tensor:
    """Of the sample scan, which no network that ships has learned from; with a phase."""
    data = read(sample()).data
    image = data[:, :, data.shape[2] // 2]
    image = 0.9 * image / image.flatten().kthvalue(int(0.995 * image.numel())).values
    phase = torch.linspace(-1, 2, image.shape[0])[:, None] * torch.ones(image.shape[1])
    return torch.polar(image.clamp_min(0), phase)[None]


@pytest.mark.parametrize(("sigma", "gain"), [(0.03, 7.0), (0.1, 10.0), (0.3, 13.0)])
@pytest.mark.parametrize("width", [None, 16])
def test_the_shipped_prior_denoises_a_head_that_it_never_saw(
    shipped: Prior, slice_of_nobody_known: Tensor, sigma: float, gain: float, width: int | None
) -> None:
    clean = slice_of_nobody_known
    noise = torch.randn(clean.shape, dtype=torch.complex64, generator=generator(0)) * 2**0.5
    part = Whole() if width is None else low_columns(tuple(clean.shape[1:]), width)
    noisy = clean + sigma * part(noise)
    said = shipped.denoiser(width)(noisy, torch.tensor([sigma]))
    before, after = ((image - clean).abs().square().mean() for image in (noisy, said))
    assert 10 * float(torch.log10(before / after)) > gain


def test_the_shipped_prior_says_what_it_is(shipped: Prior) -> None:
    card = Checkpoint.load(files("isocenter") / "weights" / "prior.safetensors").card
    assert card["licence"] == "Apache-2.0"
    assert all("(" in origin for origin in card["data"])
    assert "brains/sub-67" in card["split"]["test"]
    people = [person for side in card["split"].values() for person in side]
    assert len(people) == len(set(people))
    assert {"seed", "steps", "schedule", "unseen", "scores", "commit"} <= set(card)
    assert shipped.units.brightness == 0.9
