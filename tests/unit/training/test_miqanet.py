"""Recipes of MIQANet: slices by seed and index, people apart, and answers on their own scale."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from isocenter.assessors._outputs import quality_to_target, target_to_quality
from isocenter.assessors.miqanet import Assessor
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import Slabs
from isocenter.data.random import generator
from isocenter.datasets.collection import sources
from isocenter.errors import BadCheckpoint, InputError, UsageError
from isocenter.nets.miqanet import Config
from isocenter.training.answers.intervals import fit_quality
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.schedule import Schedule
from isocenter.training.inputs import slices as slices_module
from isocenter.training.inputs.slices import (
    Slices,
    SliceSet,
    VersionSlices,
    cropped,
    slices_of_versions,
    turned,
)
from isocenter.training.recipes import miqanet, miqanet_rated
from isocenter.training.recipes.assessor import AssessorRecipe
from isocenter.training.recipes.miqanet import MiqanetRecipe, collate, loss_of, truth_of
from isocenter.training.recipes.miqanet_rated import MiqanetRatedRecipe, agreement_of_folds, scaled

CONFIG = Config(
    mode="improved",
    side=32,
    n_inputs=1,
    width=16,
    depth=1,
    n_heads=2,
    taps=(0,),
    n_tabs=1,
    swin_depths=(1,),
    swin_heads=2,
    swin_hidden=16,
    cnn_width=4,
    last="softplus",
)
SLABS = Slabs(side=40, n_slices=1)
SHORT = Schedule(n_steps=3, batch=2, warm_up=1)


FEW = (("pristine", 0), ("noise", 1), ("noise", 4))
"""Versions that are made here; there are 25."""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (slices_module, miqanet):
        monkeypatch.setattr(module, "VERSIONS", FEW)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "brains"
    folder.mkdir(parents=True)
    for i in range(4):
        write(head_phantom((36, 40, 34 + i)), folder / f"sub-0{i}_T1w.nii.gz")
    return folder.parent


def small_recipe() -> MiqanetRecipe:
    return MiqanetRecipe(
        schedule=SHORT, config=CONFIG, preprocess=SLABS, n_scans=3, n_kept=4, n_slices=2, thinning=2
    )


def slice_set(data: Path, folder: Path) -> SliceSet:
    folder.mkdir(exist_ok=True)
    return SliceSet(
        sources(data)[:2],
        SLABS,
        n_scans=3,
        n_kept=4,
        n_slices=2,
        side=32,
        length=12,
        seed=5,
        folder=folder,
    )


def test_an_example_depends_on_seed_and_index_alone(data: Path, tmp_path: Path) -> None:
    first, second = slice_set(data, tmp_path / "a"), slice_set(data, tmp_path / "b")
    for index in (7, 0, 7):
        one, other = first[index], second[index]
        assert one.slices.shape == (2, 32, 32)
        assert torch.equal(one.slices, other.slices)
        assert torch.equal(one.quality, other.quality)
    assert not torch.equal(first[0].slices, first[3].slices)
    assert len(list((tmp_path / "a").iterdir())) <= 3


def test_every_scan_comes_once_in_a_round(data: Path, tmp_path: Path) -> None:
    examples = slice_set(data, tmp_path / "a")
    for start in range(0, 12, 3):
        assert {examples._scan_of(i) for i in range(start, start + 3)} == {0, 1, 2}


def test_turning_keeps_the_values_and_cropping_the_place() -> None:
    slices = torch.arange(2 * 36.0).reshape(2, 6, 6)
    for seed in range(8):
        assert torch.equal(turned(slices, generator(seed)).flatten().msort(), slices.flatten())
        crop = cropped(slices, 4, generator(seed))
        assert crop.shape == (2, 4, 4)
        assert torch.equal(crop[1] - crop[0], torch.full((4, 4), 36.0))
    assert len({float(turned(slices, generator(s))[0, 0, 0]) for s in range(30)}) == 4


def test_versions_are_kept_and_found_again(data: Path, tmp_path: Path, few: None) -> None:
    source = sources(data)[0]
    made = slices_of_versions(source, SLABS, seed=1, folder=tmp_path)
    again = slices_of_versions(source, SLABS, seed=1)
    kept = slices_of_versions(source, SLABS, seed=1, folder=tmp_path)
    assert made.slices.shape[:2] == made.quality.shape == made.shown.shape
    assert len(made.slices) == 3
    for name in vars(made):
        left, right, back = (getattr(m, name) for m in (made, again, kept))
        assert torch.equal(left.nan_to_num(9), right.nan_to_num(9))
        assert torch.equal(left.nan_to_num(9), back.nan_to_num(9))
    truth = truth_of(made)
    assert float(truth[0]) == pytest.approx(1, abs=1e-4)
    assert bool((truth.diff() < 0).all())


def test_nobody_stands_on_two_sides_and_the_sides_are_the_assessor_s(data: Path) -> None:
    recipe = small_recipe()
    split = recipe.split(data)
    assert split == AssessorRecipe(seed=recipe.seed).split(data)
    assert sorted(sum(split.values(), ())) == list(recipe.people(data))


def test_a_task_learns_and_validates(data: Path, tmp_path: Path, few: None) -> None:
    recipe = small_recipe()
    task = recipe.task(data, recipe.split(data), tmp_path)
    batch = task.collate([task.examples[i] for i in range(2)])
    assert batch.slices.shape == (4, 32, 32)
    loss = task.loss(task.net.train(), batch)
    loss.backward()
    assert loss.ndim == 0
    assert bool(loss.isfinite())
    assert task.validate is not None
    figures = task.validate(task.net.eval())
    assert -1 <= figures["SROCC"] <= 1


def test_slices_without_a_head_are_not_learned_from() -> None:
    quality = torch.tensor([0.9, torch.nan, 0.4])
    slices = torch.rand(3, 32, 32, generator=generator(1))

    class Constant(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert len(images) == 2
            return torch.full((len(images), 1), 2.0)

    batch = collate([Slices(slices[:2], quality[:2]), Slices(slices[2:], quality[2:])])
    wanted = quality_to_target(quality[[0, 2]])
    expected = nn.functional.smooth_l1_loss(torch.full((2,), 2.0), wanted, beta=0.3)
    assert float(loss_of(Constant(), batch, n_inputs=1)) == pytest.approx(float(expected))


def test_the_estimate_is_the_mean_over_slices_that_are_shown() -> None:
    recipe = small_recipe()
    net = recipe.net().eval()
    slices = torch.rand(2, 3, 40, 40, generator=generator(2)).half()
    shown = torch.tensor([[True, False, True], [True, True, True]])
    made = VersionSlices(slices, torch.ones(2, 3), shown, torch.zeros(2, 1))
    said = recipe.estimate(net, made)
    alone = [
        target_to_quality(
            torch.stack(
                [miqanet.judge_slices(net, s[None], CONFIG)[0] for s in slices[v][shown[v]]]
            )
        ).mean()
        for v in range(2)
    ]
    assert torch.allclose(said, torch.stack(alone), atol=1e-5)


def test_answers_and_checkpoint_of_the_recipe(data: Path, tmp_path: Path, few: None) -> None:
    recipe = small_recipe()
    net = recipe.net().eval()
    person = recipe.people(data)[0]
    lines: list[str] = []
    found = recipe.answers(net, data, [person], lines.append)
    assert found.kind == "values"
    assert found.items == tuple(f"sub-00_T1w.nii.gz {name} {level}" for name, level in FEW)
    assert lines == [f"{person} sub-00_T1w.nii.gz"]
    path = recipe.checkpoint(net, {"name": "x"}).save(tmp_path / "x.safetensors")
    said = Assessor(Checkpoint.load(path), "cpu").judge(head_phantom((36, 40, 34)))
    assert said.interval is None


def test_public_weights_are_begun_from(tmp_path: Path) -> None:
    recipe = replace(small_recipe(), config=replace(CONFIG, n_inputs=3))
    other = replace(recipe, seed=99).net()
    files = {}
    for name, part in (("vit", other.vit), ("cnn", other.cnn)):
        files[name] = tmp_path / f"{name}.safetensors"
        files[name].write_bytes(safetensors.torch.save(part.state_dict()))
    net = replace(recipe, vit_weights=str(files["vit"]), cnn_weights=str(files["cnn"])).net()
    assert torch.equal(net.vit.pos_embed, other.vit.pos_embed)
    assert torch.equal(net.cnn.conv1.weight, other.cnn.conv1.weight)
    assert not torch.equal(net.conv1.weight, other.conv1.weight)
    without = replace(recipe, config=replace(CONFIG, cnn=False), cnn_weights=str(files["cnn"]))
    with pytest.raises(UsageError, match=r"config\.cnn is off"):
        without.net()


def test_intervals_hold_nine_in_ten_and_the_line_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(1)
    people = [f"p{i % 10}" for i in range(2000)]
    said = rng.uniform(0, 5, 2000)
    truth = 0.7 * said + 0.5 + rng.normal(0, 0.1 + 0.1 * said)
    fit = fit_quality(said, truth, people)
    assert (fit["slope"], fit["offset"]) == pytest.approx((0.7, 0.5), abs=0.05)
    predicted = fit["slope"] * said + fit["offset"]
    bins = np.searchsorted(fit["edges"], predicted)
    covered = np.abs(predicted - truth) <= np.array(fit["half_widths"])[bins]
    assert [covered[bins == i].mean() for i in range(3)] == pytest.approx([0.9] * 3, abs=0.02)
    assert fit["half_widths"] == sorted(fit["half_widths"])


def test_a_person_far_off_widens_the_interval() -> None:
    """Errors are those of people whom the line does not know."""
    said = np.tile(np.linspace(0, 1, 20), 3)
    truth = said + np.repeat([0.0, 0.0, 1.0], 20)
    fit = fit_quality(said, truth, ["a"] * 20 + ["b"] * 20 + ["c"] * 20)
    assert max(fit["half_widths"]) == pytest.approx(1, abs=0.1)


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """Four references with three images each, ever noisier and worse rated."""
    folder = tmp_path / "rated"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = [["image", "reference", "mos"]]
    for i in range(4):
        clean = 40 + 30 * np.indices((44, 36)).sum(0) % 120.0
        names = [f"ref-{i}.png", *(f"ref-{i}_{k}.png" for k in range(3))]
        for k, name in enumerate(names):
            noisy = (clean + 20 * k * rng.standard_normal(clean.shape)).clip(0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(folder / "images" / name)
        lines += [[name, names[0], str(80 - 20 * k - i)] for k, name in enumerate(names[1:])]
    with (folder / "ratings.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder


def rated_recipe(**change: object) -> MiqanetRatedRecipe:
    return MiqanetRatedRecipe(schedule=SHORT, config=CONFIG, **change)


def test_every_reference_is_left_out_once(rated: Path) -> None:
    tested = []
    for fold in range(4):
        split = rated_recipe(fold=fold).split(rated)
        sides = [set(members) for members in split.values()]
        assert [len(side) for side in sides] == [2, 1, 1]
        assert set.union(*sides) == set(rated_recipe().people(rated))
        tested += split["test"]
    assert tested == ["ref-0", "ref-1", "ref-2", "ref-3"]
    with pytest.raises(UsageError, match="fold is 4: .* has folds 0 to 3"):
        rated_recipe(fold=4).split(rated)


def test_opinions_are_scaled_without_the_reference_that_is_left_out(rated: Path) -> None:
    recipe = rated_recipe(fold=0)
    task = recipe.task(rated, recipe.split(rated), rated)
    crops, wanted = task.collate([task.examples[i] for i in range(6)])
    assert crops.shape == (6, 32, 32)
    # ref-1 to ref-3 have opinions from 37 to 79, and ref-1 validates.
    opinions = np.array([80 - 20 * k - i for i in (2, 3) for k in range(3)])
    assert sorted(wanted.tolist()) == pytest.approx(sorted(4 * (opinions - 37) / 42), abs=1e-5)
    loss = task.loss(task.net, (crops, wanted))
    assert bool(loss.isfinite())
    assert task.validate is not None
    assert -1 <= task.validate(task.net.eval())["SROCC"] <= 1


def test_answers_are_on_the_scale_of_the_table(rated: Path) -> None:
    recipe = rated_recipe(fold=0)
    net = recipe.task(rated, recipe.split(rated), rated).net.eval()
    nn.init.zeros_(net.score[-1].weight)
    nn.init.constant_(net.score[-1].bias, float(np.log(np.expm1(4.0))))
    found = recipe.answers(net, rated, ["ref-0"], lambda _: None)
    assert found.people == ("ref-0",) * 3
    assert found.truth.tolist() == [80, 60, 40]
    np.testing.assert_allclose(found.outputs[:, 0], 79, rtol=1e-5)


def test_a_network_may_begin_from_simulated_quality(rated: Path, tmp_path: Path) -> None:
    first = replace(small_recipe(), seed=42)
    path = first.checkpoint(first.net(), {}).save(tmp_path / "first.safetensors")
    recipe = rated_recipe(start=str(path))
    net = recipe.task(rated, recipe.split(rated), rated).net
    assert torch.equal(net.conv1.weight, first.net().conv1.weight)
    made = replace(first.checkpoint(net, {}), net="hsfnet")
    path = made.save(tmp_path / "other.safetensors")
    with pytest.raises(BadCheckpoint, match="give a MIQANet"):
        rated_recipe(start=str(path)).task(rated, recipe.split(rated), rated)


def test_equal_opinions_are_refused(rated: Path) -> None:
    table = (rated / "ratings.csv").read_text().splitlines()
    equal = [table[0], *(line.rsplit(",", 1)[0] + ",50" for line in table[1:])]
    (rated / "ratings.csv").write_text("\n".join(equal))
    miqanet_rated._rated.cache_clear()
    recipe = rated_recipe()
    with pytest.raises(InputError, match="all opinions are 50"):
        recipe.task(rated, recipe.split(rated), rated)


def test_pictures_are_scaled_by_their_percentiles_and_padded() -> None:
    image = torch.arange(1000.0).reshape(20, 50)
    image[0, 0], image[-1, -1] = -1e6, 1e6
    even = scaled(image, 32)
    assert even.shape == (32, 50)
    assert (float(even.min()), float(even.max())) == (0, 1)
    # 6 rows above repeat the first.
    assert torch.equal(even[0], even[6])
    assert float(even[16, 25]) == pytest.approx((525 - 5) / 989, abs=0.01)
    assert bool((scaled(torch.ones(40, 40), 32) == 0).all())


def test_folds_are_gathered_by_median_and_quartiles() -> None:
    truth = np.arange(14.0)
    folds = []
    for n_swapped in (0, 1, 2, 3, 4):
        said = truth.copy()
        for i in range(n_swapped):
            said[[3 * i, 3 * i + 2]] = said[[3 * i + 2, 3 * i]]
        folds.append(
            Outcomes("values", ("r",) * 14, ("i",) * 14, truth, said[:, None], ("estimate",))
        )
    found = agreement_of_folds(folds)
    # Each exchange of two items apart costs 2 * 4 of the sum of squared differences.
    expected = [1 - 6 * 8 * n / (14 * (14**2 - 1)) for n in (2, 3, 1)]
    assert found["srocc"] == pytest.approx(expected)
    assert set(found) == {"srocc", "plcc_fitted", "krocc", "rmse"}
    assert found["rmse"][0] > 0
