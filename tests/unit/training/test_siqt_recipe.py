"""The recipe ``siqt`` on small made scans: crops, draws, loss, training, the file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.preprocess import ThickScan, preprocess_from_json
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import sources
from isocenter.errors import UsageError
from isocenter.nets.slab_unet import Config, build
from isocenter.ops.thick_slices import Acquisition, thick_slices
from isocenter.restorers._thick_net import load_thick_net
from isocenter.training.answers.thick_scoring import cubic, decibels, thick_case
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.schedule import Schedule
from isocenter.training.inputs.packed_scans import PackedScan, pack_scans
from isocenter.training.inputs.thick_examples import Draws, ThickExample, ThickExamples
from isocenter.training.networks.thick_nets import make_net
from isocenter.training.recipes.assessor import AssessorRecipe
from isocenter.training.recipes.siqt import Loss, SiqtRecipe, loss_of

SIDE = 48
SMALL = SiqtRecipe(
    schedule=Schedule(n_steps=4, batch=2, warm_up=1, validate_every=4, save_every=2),
    config=Config(widths=(4, 6), n_down=(1, 1), n_up=(1,), n_condition=4),
    draws=Draws(side=16, n_thin=8),
)
PLAIN = Draws(
    plain=1.0, recontrasted=0.0, curved=0.0, painted=0.0, heads=0.0, lesions=0.0, shading=0.0,
    side=16, n_thin=8, noise=(1e-9, 2e-9), thickness=(0.75, 0.75), rect=0.0,
)  # fmt: skip


def ball(share: float, n: int = SIDE) -> torch.Tensor:
    place = (torch.arange(n) + 0.5) / n * 2 - 1
    inside: torch.Tensor = place[:, None, None] ** 2 + place[:, None] ** 2 + place**2 < share**2
    return inside.float()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection: brains of three tissues, label maps, a head of thick slices."""
    root = tmp_path_factory.mktemp("collection")
    for folder in ("brains", "labels", "ms"):
        (root / folder).mkdir()
    plain, thick = np.diag([1.0, 1.0, 1.0, 1.0]), np.diag([1.0, 1.0, 4.0, 1.0])
    texture = 1 + 0.05 * torch.randn(SIDE, SIDE, SIDE, generator=generator(1))
    for number in range(1, 5):
        brain = 200 * ball(0.95) + 300 * ball(0.85) + 400 * ball(0.5 + 0.05 * number)
        write(Volume(brain * texture, plain), root / "brains" / f"sub-{number:02d}_T1w.nii.gz")
        labels = 520 * ball(0.95) - 517 * ball(0.85) - ball(0.6)
        write(Volume(labels, plain), root / "labels" / f"training_seg_{number:02d}.nii.gz")
    head = 300 * ball(0.9) * texture
    write(Volume(head[:, :, ::4], thick), root / "ms" / "patient-01_visit-1_T2W.nii.gz")
    return root


@pytest.fixture(scope="module")
def packed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[PackedScan]:
    file = tmp_path_factory.mktemp("packed") / "all.safetensors"
    return pack_scans(sources(data), file, say=lambda line: None)


def examples(packed: list[PackedScan], draws: Draws, seed: int = 3) -> ThickExamples:
    return ThickExamples(packed, draws, batch=2, length=100, seed=seed)


def test_people_are_dealt_as_for_the_assessor(data: Path) -> None:
    assert SMALL.split(data) == AssessorRecipe(seed=SMALL.seed).split(data)


def test_brains_have_tissues_and_thick_slices_become_cubic(packed: list[PackedScan]) -> None:
    brains = [scan for scan in packed if scan.kind == "brain"]
    assert all(scan.wm is not None and scan.axes == (0, 1, 2) for scan in brains)
    white, grey, fluid = brains[0].means
    assert white > grey > fluid
    head = next(scan for scan in packed if scan.kind == "head")
    assert head.axes == (0, 1)
    assert head.spacing == (1.0, 1.0, 1.0)
    assert head.values.shape == (SIDE, SIDE, SIDE)


def test_packed_scans_are_read_again_and_not_made_again(data: Path, tmp_path: Path) -> None:
    brains = [source for source in sources(data) if source.kind == "brain"][:1]
    told: list[str] = []
    first = pack_scans(brains, tmp_path / "a.safetensors", tissue=False, say=told.append)
    again = pack_scans(brains, tmp_path / "a.safetensors", tissue=False, say=told.append)
    assert torch.equal(first[0].values, again[0].values)
    assert len(told) == 1
    assert first[0].wm is None


def test_an_example_is_a_function_of_seed_and_index_alone(packed: list[PackedScan]) -> None:
    made = examples(packed, SMALL.draws)
    there = [made[i] for i in (3, 0, 7, 12)]
    back = [examples(packed, SMALL.draws)[i] for i in (12, 7, 0, 3)][::-1]
    for one, other in zip(there, back, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(made[0].thin, examples(packed, SMALL.draws, seed=4)[0].thin)


def test_a_batch_has_one_ratio_and_all_ratios_come(packed: list[PackedScan]) -> None:
    made = examples(packed, SMALL.draws)
    ratios = [made.ratio_of(index) for index in range(1000)]
    assert ratios[::2] == ratios[1::2]
    assert set(ratios) == {2, 3, 4, 5, 6, 7, 8}
    assert sum(ratio in (4, 8) for ratio in ratios) > 600


@pytest.mark.parametrize(("band", "wanted"), [("low", {2, 3, 4, 5}), ("high", {6, 7, 8})])
def test_a_band_learns_its_ratios_alone(
    data: Path, tmp_path: Path, band: Literal["low", "high"], wanted: set[int]
) -> None:
    recipe = replace(SMALL, band=band, schedule=replace(SMALL.schedule, n_steps=500))
    split = SMALL.split(data)
    task = recipe.task(data, split, tmp_path)
    made = recipe.examples(data, split["train"], tmp_path / "train.safetensors")
    assert {made.ratio_of(index) for index in range(0, 1000, 2)} == wanted
    judged = {4, 8} & wanted
    assert task.validate is not None
    assert set(task.validate(task.net.eval())) == {"gain", *(f"gain at {r}" for r in judged)}
    assert recipe.checkpoint(task.net, {}).preprocess["ratios"] == (min(wanted), max(wanted))


def test_ratios_of_no_band_are_refused(data: Path, tmp_path: Path) -> None:
    recipe = replace(
        SMALL, band="high", draws=replace(SMALL.draws, ratios=(2, 3), ratio_weights=(1.0, 1.0))
    )
    with pytest.raises(UsageError, match="has none of 6 to 16: give others, or another band"):
        recipe.task(data, SMALL.split(data), tmp_path)


def test_other_ratios_than_4_and_8_are_judged_by_themselves(data: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, draws=replace(SMALL.draws, ratios=(2, 3), ratio_weights=(1.0, 1.0)))
    task = recipe.task(data, SMALL.split(data), tmp_path)
    assert task.validate is not None
    assert set(task.validate(task.net.eval())) == {"gain", "gain at 2", "gain at 3"}


@pytest.mark.parametrize(("third", "share"), [(0.0, 1 / 3), (0.6, 0.6 + 0.4 / 3), (1.0, 1.0)])
def test_most_slices_lie_across_the_third_axis(third: float, share: float) -> None:
    """A scan that brightens along that axis tells which one was taken."""
    values = (0.5 + torch.arange(64) / 128).expand(64, 64, 64).half()
    scan = PackedScan("a", "brain", values, None, None, (1.0, 1.0, 1.0), (0, 1, 2))
    made = examples([scan], replace(PLAIN, third=third))
    found = [bool(made[i].thin.diff(dim=2).mean().abs() > 1e-4) for i in range(100)]
    assert float(np.mean(found)) == pytest.approx(share, abs=0.13)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_thick_slices_are_those_of_the_thin_ones(packed: list[PackedScan], ratio: int) -> None:
    draws = replace(PLAIN, ratios=(ratio,), ratio_weights=(1.0,), halo=0, reach=0, n_thin=32)
    made = examples(packed, draws)[1]
    n = made.thin.shape[2]
    assert n == ratio * made.thick.shape[-1] == 32
    acquired = thick_slices((1, 16, n), 2, Acquisition(ratio))(made.thin.double()).float()
    # At both ends the flanks of the profile reach beyond what is seen.
    assert torch.allclose(made.thick[0, ..., 1:-1], acquired[..., 1:-1], atol=1e-5)


@pytest.mark.parametrize("way", ["plain", "recontrasted", "curved", "painted"])
def test_every_way_makes_images_of_about_one(packed: list[PackedScan], way: str) -> None:
    only = {name: float(name == way) for name in ("plain", "recontrasted", "curved", "painted")}
    made = examples(packed, replace(SMALL.draws, **only, shading=0.0))
    images = [made[i] for i in range(12)]
    brightest = [float(one.thin.max()) for one in images if bool((one.thin > 0.02).any())]
    assert len(brightest) > 6
    assert 0.3 < float(np.median(brightest)) < 1.8
    assert all(bool(one.thick.isfinite().all() and one.thin.isfinite().all()) for one in images)


def test_noise_is_of_the_drawn_range(packed: list[PackedScan]) -> None:
    quiet = replace(PLAIN, ratios=(4,), ratio_weights=(1.0,))
    loud = replace(quiet, noise=(0.03, 0.03001))
    pairs = [(examples(packed, quiet)[i], examples(packed, loud)[i]) for i in range(8)]
    spread = [float((b.thick - a.thick).std()) for a, b in pairs]
    assert float(np.mean(spread)) == pytest.approx(0.03, rel=0.1)
    assert all(torch.equal(a.thin, b.thin) for a, b in pairs)


def one_batch(n: int = 4) -> ThickExample:
    thin = torch.rand(n, 1, 16, 16, generator=generator(1)) + 0.1
    thick = thin.unflatten(-1, (4, 4)).mean(-1)
    thick = torch.nn.functional.pad(thick, (1, 1, 0, 0, 2, 2), mode="replicate")
    return ThickExample(thick[:, None], thin, torch.full((n,), 4), torch.ones(n))


def test_the_likelihood_does_not_teach_the_mean() -> None:
    class Constant(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.values = torch.nn.Parameter(torch.tensor([0.5, -4.0]))

        def forward(self, thick: torch.Tensor, ratio: int, **_: object) -> torch.Tensor:
            return self.values.view(1, 2, 1, 1, 1).expand(len(thick), 2, 1, 16, 16)

    grads = []
    for variance in (0.0, 0.1, 10.0):
        net = Constant()
        loss_of(net, one_batch(), loss=Loss(variance=variance), halo=1).backward()
        assert net.values.grad is not None
        grads.append(net.values.grad.tolist())
    assert grads[0][0] == pytest.approx(grads[1][0]) == pytest.approx(grads[2][0])
    assert grads[0][1] == 0
    assert grads[2][1] == pytest.approx(100 * grads[1][1], rel=1e-4)


def test_the_deviation_is_that_of_the_error() -> None:
    """Where the likelihood is least, the variance is the mean squared error."""
    batch = one_batch()
    levels = torch.linspace(-6, 0, 241)
    error = float((batch.thin - 0.5).square().mean())
    losses = []
    for level in levels.tolist():
        said = torch.stack([torch.full_like(batch.thin, v) for v in (0.5, level)], 1)
        net = torch.nn.Module()
        net.forward = lambda thick, ratio, said=said, **_: said  # type: ignore[method-assign]
        losses.append(float(loss_of(net, batch, loss=Loss(beta=0.0), halo=1)))
    assert math.exp(float(levels[int(np.argmin(losses))])) == pytest.approx(error, rel=0.05)


def test_the_mean_is_taught_alone_at_first() -> None:
    batch, net = one_batch(), build(SMALL.config, seed=1)
    early = batch._replace(done=torch.zeros(4))
    without = loss_of(net, batch, loss=Loss(variance=0.0), halo=1)
    assert float(loss_of(net, early, loss=Loss(), halo=1)) == pytest.approx(float(without))
    assert float(loss_of(net, batch, loss=Loss(), halo=1)) != pytest.approx(float(without))


@pytest.fixture(scope="module")
def trainer(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    folder = tmp_path_factory.mktemp("run")
    task = SMALL.task(data, SMALL.split(data), folder)
    trained = Trainer(task, SMALL.schedule, folder, make_fabric("cpu", precision="32"), seed=7)
    assert trained.run(say=lambda line: None)
    return trained


def test_it_trains_and_is_judged_at_both_ratios(trainer: Trainer) -> None:
    last = trainer.progress.curve[-1]
    assert math.isfinite(last["loss"])
    assert last["gain"] == pytest.approx((last["gain at 4"] + last["gain at 8"]) / 2)


def test_it_resumes_to_the_same_weights(data: Path, trainer: Trainer, tmp_path: Path) -> None:
    split, fabric = SMALL.split(data), make_fabric("cpu", precision="32")
    halves = replace(SMALL.schedule, n_steps=2)
    schedules = (replace(halves, warm_up=4), replace(SMALL.schedule, warm_up=4))
    whole = Trainer(SMALL.task(data, split, tmp_path), schedules[1], tmp_path, fabric, seed=7)
    whole.run(say=lambda line: None)
    folder = tmp_path / "again"
    folder.mkdir()
    for schedule in schedules:  # the rate rises alike in both
        again = Trainer(SMALL.task(data, split, tmp_path), schedule, folder, fabric, seed=7)
        again.resume()
        again.run(say=lambda line: None)
    assert again.step == 4
    one, other = whole.net.state_dict(), again.net.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_file_explains_itself(trainer: Trainer, tmp_path: Path) -> None:
    made = SMALL.checkpoint(trainer.averaged(), {"name": "small"})
    read = Checkpoint.load(made.save(tmp_path / "siqt.safetensors", dtype=torch.float16))
    seen = preprocess_from_json(dict(read.preprocess))
    assert isinstance(seen, ThickScan)
    assert seen.ratios == (2, 8)
    assert set(read.calibration["deviation_scale"]) == {str(ratio) for ratio in range(2, 9)}
    read.load_into(build(SMALL.config))


def test_it_answers_with_voxels_of_people(data: Path, trainer: Trainer) -> None:
    people = SMALL.people(data)
    told: list[str] = []
    found = SMALL.answers(trainer.averaged(), data, people, told.append)
    assert set(found.people) == {person for person in people if person.startswith("brains")}
    assert len(told) == 4
    assert found.columns == ("estimate", "cubic")


def test_a_case_is_what_the_simulator_makes() -> None:
    values = ball(0.9) * (1 + 0.1 * torch.rand(SIDE, SIDE, SIDE, generator=generator(2)))
    case = thick_case(values, 4, "somebody", seed=1)
    whole = thick_slices((SIDE, SIDE, SIDE), 2, Acquisition(4))(values.double()).float()
    noise = case.thick - whole
    assert float(noise.std()) == pytest.approx(0.02, rel=0.02)
    assert torch.equal(case.thin, values[:, :, 8:-8])
    assert cubic(case).shape == case.thin.shape
    assert decibels(case.thin + 0.1, case) == pytest.approx(20.0, abs=1e-3)


@pytest.mark.parametrize("name", ["planar", "aniso_unet", "sr_unet", "espcn"])
def test_other_networks_learn_from_the_same_examples(name: str) -> None:
    net = make_net(name, SMALL.config, 4, seed=1)
    thick = torch.rand(1, 1, 9, 10, 5, generator=generator(1))
    with torch.no_grad():
        assert net(thick, 4, None, 1).shape == (1, 2, 9, 10, 12)
        assert net(thick, 4, None, 1, inner=True).shape == (1, 2, 5, 10, 12)
    with pytest.raises(UsageError, match="makes 4 slices of one"):
        net(thick, 8)


def test_another_network_is_kept_as_itself(tmp_path: Path) -> None:
    recipe = replace(SMALL, net="espcn", ratio=4)
    net = make_net("espcn", recipe.config, 4, seed=1).eval()
    recipe.checkpoint(net, {"name": "made"}).save(tmp_path / "espcn.safetensors")
    loaded = load_thick_net(tmp_path / "espcn.safetensors", 4, "cpu").net
    thick = torch.rand(1, 1, 9, 10, 5, generator=generator(1))
    with torch.no_grad():
        assert torch.equal(loaded(thick), net(thick, 4))


def test_networks_without_a_ratio_are_refused() -> None:
    with pytest.raises(UsageError, match="give slab_unet, or a ratio"):
        make_net("aniso_unet", SMALL.config, 0, seed=1)
