"""The recipe of unrolled networks on a made collection: examples, loss, training, restoring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.kspace import Mask
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint, BadKSpace, UsageError
from isocenter.ops.coils import root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers import acquire
from isocenter.restorers import modl as restorer_modl
from isocenter.restorers import varnet as restorer_varnet
from isocenter.training.engine.run import read_recipe, train
from isocenter.training.inputs.kspace_examples import Example, KSpaceExamples, Sampling, collate
from isocenter.training.recipes.supervised import (
    MoDLConfig,
    SupervisedRecipe,
    VarNetConfig,
    loss_of,
    reconstructed,
    zero_filled,
)
from tests.unit.training.toys import one_thread

SIDE = 32
SMALL = SupervisedRecipe(
    varnet=VarNetConfig(1, 4, 1, 2, 1),
    modl=MoDLConfig(n_turns=2, n_layers=2, width=4, solver_iterations=5),
    sampling=Sampling(kinds=("uniform", "random"), accelerations=(2.0, 3.0), acs=(6, 8)),
    side=SIDE,
    n_coils=(2, 4),
    n_validation=2,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of six small brains and four label maps."""
    root = tmp_path_factory.mktemp("collection")
    for folder in ("brains", "labels"):
        (root / folder).mkdir()
    head = head_phantom((28, 36, 20), 2.0)
    codes = torch.zeros(28, 36, 20)
    codes[4:24, 4:32, 3:17], codes[7:21, 8:28, 5:15], codes[11:17, 14:22, 8:12] = 3, 2, 4
    for number in range(1, 7):
        scan = Volume(head.data.roll(number % 3, 1), head.affine, "T1w")
        write(scan, root / "brains" / f"sub-{number:02d}_T1w.nii.gz")
    for number in range(1, 5):
        write(Volume(codes, head.affine), root / "labels" / f"training_seg_{number:02d}.nii.gz")
    return root


@pytest.fixture(scope="module")
def examples(data: Path, tmp_path_factory: pytest.TempPathFactory) -> KSpaceExamples:
    people = SMALL.split(data)["train"]
    return SMALL.examples(data, people, tmp_path_factory.mktemp("slices"), 8)


def test_everybody_is_on_one_side(data: Path) -> None:
    split = SMALL.split(data)
    assert sorted(p for people in split.values() for p in people) == list(SMALL.people(data))
    assert all(split[side] for side in ("train", "validation", "test"))


def test_an_example_is_its_seed_and_index(examples: KSpaceExamples) -> None:
    first, again, other = examples[2], examples[2], examples[3]
    assert torch.equal(first.kspace, again.kspace)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, other.target)


def test_an_example_is_undersampled_and_bright(examples: KSpaceExamples) -> None:
    for index in range(6):
        example = examples[index]
        assert 2 <= len(example.kspace) <= 4
        assert example.kspace.shape[1:] == example.target.shape == (SIDE, SIDE)
        assert bool((example.kspace[:, ~example.places] == 0).all())
        assert 1.8 < 1 / float(example.places.float().mean()) < 3.4
        assert bool(example.places[:, SIDE // 2 - 3 : SIDE // 2 + 3].all())
        bright = zero_filled(collate([example])).flatten().quantile(0.99)
        assert float(bright) == pytest.approx(1, rel=1e-4)


def test_the_target_is_what_all_of_kspace_would_show(data: Path, tmp_path: Path) -> None:
    quiet = replace(SMALL, noise=(1e-6, 1e-6))
    examples = quiet.examples(data, quiet.split(data)["train"], tmp_path, 4)
    full = examples.slices.draw(generator(5))
    assert full.truth is not None
    shown = root_sum_of_squares(ifft(full.kspace.data[0], (-2, -1)))
    assert torch.allclose(shown, full.truth, atol=1e-4 * float(full.truth.max()))


def test_a_person_is_asked_the_same_twice(data: Path, examples: KSpaceExamples) -> None:
    person = SMALL.split(data)["train"][0]
    assert torch.equal(examples.of_person(person, 1).kspace, examples.of_person(person, 1).kspace)
    assert not torch.equal(
        examples.of_person(person, 1).target, examples.of_person(person, 2).target
    )


@pytest.mark.parametrize("maps", ["found", "true"])
def test_modl_is_given_maps(maps: str, data: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, net="modl", maps=maps)  # type: ignore[arg-type]
    example = recipe.examples(data, recipe.split(data)["train"], tmp_path, 1)[0]
    assert example.maps is not None
    norm = example.maps.abs().square().sum(0)
    bright = example.target > 0.3
    known = bright & (norm > 0)
    assert int(known.sum()) > 0.25 * int(bright.sum())  # found maps end where signal is weak
    assert torch.allclose(norm[known], torch.ones(int(known.sum())), atol=1e-3)


def test_a_batch_has_as_many_coils_as_the_most(examples: KSpaceExamples) -> None:
    few, many = examples[0], examples[1]
    few = few._replace(kspace=few.kspace[:2])
    many = many._replace(kspace=F.pad(many.kspace, (0, 0, 0, 0, 0, 5 - len(many.kspace))))
    batch = collate([few, many])
    assert batch.kspace.shape == (2, 5, SIDE, SIDE)
    assert torch.equal(batch.kspace[0, :2], few.kspace)
    assert bool((batch.kspace[0, 2:] == 0).all())
    assert batch.maps is None


def test_slices_of_different_sizes_are_no_batch(examples: KSpaceExamples) -> None:
    one = examples[0]
    other = Example(one.kspace[..., 2:], one.places[..., 2:], one.target[..., 2:], None)
    with pytest.raises(UsageError, match=r"32 x 30, 32 x 32: .* schedule.batch=1"):
        collate([one, other])


class Says(torch.nn.Module):
    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image = torch.nn.Parameter(image)

    def forward(self, kspace: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.image


@pytest.mark.parametrize("kind", ["ssim", "l1"])
def test_the_loss_is_zero_for_the_target_and_only_for_it(
    kind: str, examples: KSpaceExamples
) -> None:
    batch = collate([examples[0], examples[1]])
    right, wrong = (
        loss_of(Says(image), batch, kind=kind).detach()  # type: ignore[arg-type]
        for image in (batch.target, zero_filled(batch))
    )
    assert float(right) == pytest.approx(0, abs=1e-5)
    assert float(wrong) > 0.01


def test_l1_is_the_mean_absolute_error(examples: KSpaceExamples) -> None:
    batch = collate([examples[0]])
    loss = loss_of(Says(batch.target + 0.25), batch, kind="l1").detach()
    assert float(loss) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("net", "rate", "n_steps", "less"), [("varnet", 1e-2, 25, 0.85), ("modl", 2e-3, 40, 0.96)]
)
def test_a_network_learns_a_slice(
    net: str, rate: float, n_steps: int, less: float, data: Path, tmp_path: Path
) -> None:
    modl = MoDLConfig(n_turns=2, n_layers=3, width=8, solver_iterations=5)
    recipe = replace(SMALL, net=net, maps="true", modl=modl)  # type: ignore[arg-type]
    batch = collate([recipe.examples(data, recipe.split(data)["train"], tmp_path, 1)[0]])
    network = recipe.network().train()
    adam = torch.optim.Adam(network.parameters(), rate)
    losses = []
    with one_thread():
        for _ in range(n_steps):
            adam.zero_grad()
            loss = loss_of(network, batch, kind="ssim")
            loss.backward()
            adam.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < less * losses[0]


SETTINGS = (
    "schedule.n_steps=3", "schedule.batch=2", "schedule.validate_every=3", "schedule.warm_up=1",
    "varnet.n_cascades=1", "varnet.width=4", "varnet.n_levels=1", "varnet.map_width=2",
    "varnet.map_levels=1", "side=32", "n_coils=2,4", "n_validation=2", "sampling.kinds=uniform",
    "sampling.accelerations=2,3", "sampling.acs=6,8",
)  # fmt: skip


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VarNet after three steps, as the command trains it."""
    run = tmp_path_factory.mktemp("run")
    with one_thread():
        assert train("supervised", data, run, settings=SETTINGS, device="cpu", say=lambda _: None)
    return run / "model.safetensors"


def test_a_trained_network_reconstructs(model: Path) -> None:
    kspace = acquire(
        head_phantom((28, 36, 6), 2.0), acceleration=2.0, acs=8, n_coils=3, rng=generator(0)
    ).slices(slice(2, 4))
    options = restorer_varnet.Options(weights=str(model))
    restored = restorer_varnet.reconstruct(kspace, options, rng=generator(0), progress=None)
    assert restored.image.shape == (2, *kspace.grid)
    assert restored.facts["model_sha256"] == Checkpoint.load(model).sha256
    assert bool(restored.image.isfinite().all())


def test_the_validation_says_decibels_and_ssim(model: Path) -> None:
    head = (model.parent / "curve.tsv").read_text().splitlines()[0].split("\t")
    assert {"PSNR", "SSIM"} <= set(head)


def test_answers_are_pixels_of_people(data: Path, model: Path) -> None:
    recipe = read_recipe("supervised", SETTINGS)
    assert isinstance(recipe, SupervisedRecipe)
    network = recipe.network()
    Checkpoint.load(model).load_into(network)
    person = recipe.split(data)["test"][0]
    outcomes = recipe.answers(network.eval(), data, [person], lambda _: None)
    assert outcomes.columns == ("estimate", "zero_filled")
    assert outcomes.outputs.shape == (4 * 64, 2)
    assert set(outcomes.people) == {person}
    error = np.abs(outcomes.outputs[:, 1] - outcomes.truth).mean()
    assert 0 < error < outcomes.truth.mean()


def test_what_the_network_says_does_not_depend_on_the_batch(examples: KSpaceExamples) -> None:
    network = SMALL.network().eval()
    one, other = examples[0], examples[1]
    together = reconstructed(network, collate([one, other]))
    assert torch.allclose(together[:1], reconstructed(network, collate([one])), atol=1e-4)


def test_the_wrong_network_is_named(model: Path) -> None:
    kspace = acquire(
        head_phantom((20, 24, 3)), acceleration=2.0, n_coils=1, acs=8, rng=generator(0)
    )
    with pytest.raises(BadCheckpoint, match=r"holds 'varnet', not 'modl'.*net=modl"):
        restorer_modl.reconstruct(
            kspace, restorer_modl.Options(str(model)), rng=generator(0), progress=None
        )


@pytest.mark.parametrize("restorer", [restorer_modl, restorer_varnet], ids=["modl", "varnet"])
def test_a_missing_or_foreign_file_is_one_sentence(restorer: object, tmp_path: Path) -> None:
    kspace = acquire(
        head_phantom((20, 24, 3)), acceleration=2.0, n_coils=1, acs=8, rng=generator(0)
    )
    pickled = tmp_path / "net.pt"
    torch.save({"a": torch.ones(1)}, pickled)
    for given, said in (("nowhere.safetensors", "no weights at"), (str(pickled), "never loaded")):
        with pytest.raises(BadCheckpoint, match=said):
            restorer.reconstruct(  # type: ignore[attr-defined]
                kspace,
                restorer.Options(given),
                rng=generator(0),
                progress=None,  # type: ignore[attr-defined]
            )


def test_kspace_without_a_centre_is_refused(model: Path) -> None:
    kspace = acquire(
        head_phantom((28, 36, 3), 2.0),
        mask="uniform",
        acceleration=3.0,
        acs=0,
        n_coils=2,
        rng=generator(0),
    )
    middle = kspace.grid[1] // 2
    places = kspace.mask.places.clone()
    places[..., middle - 1 : middle + 1] = False
    places[..., 0] = True
    without = replace(kspace, mask=Mask(places), data=kspace.data * places[:, None])
    with pytest.raises(BadKSpace, match="measure a centre"):
        restorer_varnet.reconstruct(
            without, restorer_varnet.Options(str(model)), rng=generator(0), progress=None
        )
