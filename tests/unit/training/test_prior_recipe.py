"""The recipe ``prior`` on small made scans: slices, noise, training, answers, the file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from isocenter.data.io import write
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import sources
from isocenter.datasets.label_heads import paint_slice
from isocenter.nets.complex_unet import Config, build
from isocenter.restorers._prior import load_prior
from isocenter.training.answers.denoising import LEVELS, decibels
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.schedule import Schedule
from isocenter.training.inputs.complex_slices import (
    ComplexSlices,
    Noise,
    complex_image,
    pack,
    sparing_noise,
    with_noise,
)
from isocenter.training.recipes.assessor import AssessorRecipe
from isocenter.training.recipes.prior import PriorRecipe

SIDE = 40
SMALL = PriorRecipe(
    schedule=Schedule(n_steps=4, batch=2, warm_up=1, validate_every=4, save_every=4),
    config=Config(widths=(4, 6), n_down=(1, 1), n_up=(1,), n_condition=8),
    side=16, apart=6.0, n_validation=2, validation_side=16,
)  # fmt: skip


def ball(share: float) -> torch.Tensor:
    place = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    inside: torch.Tensor = place[:, None, None] ** 2 + place[:, None] ** 2 + place**2 < share**2
    return inside.float()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection: brains, label maps, a head with thick slices."""
    root = tmp_path_factory.mktemp("collection")
    for folder in ("brains", "labels", "ms"):
        (root / folder).mkdir()
    plain, thick = np.diag([1.0, 1.0, 1.0, 1.0]), np.diag([1.0, 1.0, 4.0, 1.0])
    texture = 1 + 0.2 * torch.rand(SIDE, SIDE, SIDE, generator=generator(1))
    for number in range(1, 5):
        brain = 500 * (ball(0.8) + ball(0.1 * number)) * texture
        write(Volume(brain, plain), root / "brains" / f"sub-{number:02d}_T1w.nii.gz")
        labels = 520 * ball(0.9) - 518 * ball(0.8) + ball(0.6)
        write(Volume(labels, plain), root / "labels" / f"training_seg_{number:02d}.nii.gz")
    head = 300 * ball(0.9) * texture
    write(Volume(head, thick), root / "ms" / "patient-01_visit-1_T2W.nii.gz")
    return root


@pytest.fixture(scope="module")
def slices(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ComplexSlices:
    file = tmp_path_factory.mktemp("packed") / "all.safetensors"
    return SMALL.slices(data, SMALL.people(data), file, length=100)


def test_people_are_dealt_as_for_the_assessor(data: Path) -> None:
    assert SMALL.split(data) == AssessorRecipe(seed=SMALL.seed).split(data)


def test_thick_slices_are_cut_in_their_own_plane_alone(slices: ComplexSlices, data: Path) -> None:
    contrasts = [source.contrast for source in sources(data)]
    thick = slices.packed.scans == contrasts.index("T2w")
    # 40 slices of 4 mm, as it is and varied, all wanted, the outermost empty.
    assert 30 < int(thick.sum()) <= 80
    in_plane = slices.packed.shapes[thick]
    assert int(in_plane.min()) > SIDE // 2


def test_packed_slices_are_read_again_and_not_made_again(data: Path, tmp_path: Path) -> None:
    brains = [source for source in sources(data) if source.kind == "brain"][:1]
    first = pack(brains, tmp_path / "a.safetensors", apart=8.0, seed=1)
    again = pack([], tmp_path / "a.safetensors", apart=8.0, seed=1)
    assert torch.equal(first.values, again.values)
    assert int(first.shapes.prod(1).sum()) == len(first.values)
    assert float(first.values.max()) <= 4


def test_an_example_is_a_function_of_seed_and_index_alone(slices: ComplexSlices) -> None:
    there = [slices[i] for i in (3, 0, 7)]
    back = [slices[i] for i in (7, 0, 3)][::-1]
    for one, other in zip(there, back, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(slices[0].clean, slices[1].clean)


def test_an_image_has_about_the_brightness_that_it_is_said_to_have(slices: ComplexSlices) -> None:
    # 0.9 times 0.5 to 1.5, with shading, and what lies above the quantile.
    brightest = [float(slices[i].clean.norm(dim=0).max()) for i in range(20)]
    assert 0.6 < float(np.median(brightest)) < 1.6
    assert max(brightest) < 6


def test_the_phase_is_smooth_and_the_air_stays_dark() -> None:
    bright = complex_image(torch.ones(60, 60), 48, rng=generator(2))
    turn = (bright[:, 1:] * bright[:, :-1].conj()).angle()
    assert float(turn.abs().max()) < 0.5
    assert float(complex_image(torch.zeros(60, 60), 48, rng=generator(2)).abs().max()) == 0


def test_spared_columns_hold_no_noise() -> None:
    kept, side = 0.125, 128
    noise = torch.stack([sparing_noise(8, side, kept, rng=generator(i)) for i in range(40)])
    power = torch.fft.fft(noise * torch.hann_window(side), dim=-1).abs().square().mean((0, 1))
    inside = int(kept * side / 2) - 3
    assert float(power[:inside].max()) < 0.02 * float(power[side // 2])
    variance = torch.view_as_real(noise).square().mean()
    assert float(variance) == pytest.approx(1 - kept, rel=0.02)


def test_noise_is_of_known_levels_and_widths() -> None:
    noise, image = Noise(n_columns=(100, 200)), torch.zeros(8, 8, dtype=torch.complex64)
    drawn = [with_noise(image, noise, rng=child(generator(1), i)) for i in range(200)]
    levels = torch.stack([one.log_sigma for one in drawn]).exp()
    kept = torch.stack([one.kept for one in drawn])
    assert 0.003 <= float(levels.min()) < 0.02
    assert 0.8 < float(levels.max()) <= 3
    assert float(levels.log().median()) == pytest.approx(-2.2, abs=0.3)
    assert 0.35 < float((kept == 0).float().mean()) < 0.65
    assert float(kept[kept > 0].min()) >= 8 / 200
    assert float(kept.max()) <= 32 / 100
    assert [float(with_noise(image, noise.sparing(yes), rng=generator(3)).kept > 0)
            for yes in (True, False)] == [1, 0]  # fmt: skip


def test_a_slice_is_painted_as_a_head_is() -> None:
    labels = torch.zeros(40, 40)
    labels[8:32, 8:32] = 2
    labels[14:26, 14:26] = 520
    image = paint_slice(labels, rng=generator(5))
    assert torch.equal(image, paint_slice(labels, rng=generator(5)))
    assert float(image[:4].mean()) < 0.02 < float(image[16:24, 16:24].mean())
    inner = image[17:23, 17:23]
    assert 0 < float(inner.std()) < 0.3 * float(inner.mean())


@pytest.fixture(scope="module")
def trainer(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    folder = tmp_path_factory.mktemp("run")
    task = SMALL.task(data, SMALL.split(data), folder)
    trained = Trainer(
        task, SMALL.schedule, folder, make_fabric("cpu", precision="bf16"), seed=SMALL.seed
    )
    assert trained.run(say=lambda line: None)
    return trained


def test_it_trains_and_is_judged_at_every_level(trainer: Trainer) -> None:
    last = trainer.progress.curve[-1]
    assert math.isfinite(last["loss"])
    each = [last[f"PSNR at {level:g}"] for level in LEVELS]
    assert last["PSNR"] == pytest.approx(sum(each) / len(each))
    assert each[0] > each[1] > each[2]


def test_the_loss_teaches_to_denoise(trainer: Trainer) -> None:
    batch = default_collate([trainer.task.examples[i] for i in range(4)])
    net = build(Config(widths=(8, 12), n_down=(1, 1), n_up=(1,), n_condition=8), seed=1)
    adam = torch.optim.AdamW(net.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        adam.zero_grad()
        loss = trainer.task.loss(net, batch)
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert min(losses[-5:]) < 0.7 * losses[0]


def test_the_file_serves_as_a_prior(trainer: Trainer, tmp_path: Path) -> None:
    made = SMALL.checkpoint(trainer.averaged(), {"name": "small"})
    prior = load_prior(made.save(tmp_path / "prior.safetensors", dtype=torch.float16))
    noisy = torch.randn(2, 21, 30, dtype=torch.complex64, generator=generator(0))
    said = prior.denoiser(8)(noisy, torch.tensor([0.05, 1.0]))
    assert said.shape == noisy.shape
    assert (prior.units.quantile, prior.units.brightness) == (0.995, 0.9)


def test_it_answers_with_the_pixels_of_people(data: Path, trainer: Trainer) -> None:
    people = SMALL.split(data)["test"][:2]
    told: list[str] = []
    found = SMALL.answers(trainer.averaged(), data, people, told.append)
    assert set(found.people) == set(people)
    assert told == list(people)
    assert found.columns == ("estimate", "noisy")
    assert len(found.truth) == len(people) * len(LEVELS) * 4 * 64
    assert bool((found.truth >= 0).all())


def test_decibels_are_of_both_parts_together() -> None:
    clean, said = torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), 0.09)
    assert float(decibels(said, clean)) == pytest.approx(20 * math.log10(10 / math.sqrt(2)))
