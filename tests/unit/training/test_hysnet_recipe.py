"""Recipe of HyS-Net on small painted heads: labels, examples, training, answers, interval."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from isocenter.artifacts._normals import normals
from isocenter.assessors.hysnet import Assessor
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.preprocess import Patches
from isocenter.data.random import generator
from isocenter.data.settings import with_settings
from isocenter.data.volume import Volume
from isocenter.datasets.collection import sources
from isocenter.errors import BadVolume, NothingFound, UnknownName
from isocenter.measures import find_anatomy
from isocenter.measures.snr import snr
from isocenter.ops.tissue import TissueMaps
from isocenter.training.answers.snr_report import (
    calibrate,
    clean_range,
    corrected,
    parts_of,
    scores,
)
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.schedule import Schedule
from isocenter.training.inputs.patch_examples import LabelledVolume, PatchSet, cut
from isocenter.training.inputs.snr_scans import CleanScan, Look, clean_scans, draw_look, simulate
from isocenter.training.inputs.table_scans import table_scans
from isocenter.training.inputs.tissue_snr import sure_tissues, total_snr
from isocenter.training.networks.label_nets import (
    LABEL_NETS,
    LabelNet,
    build_label_net,
    is_of_slices,
)
from isocenter.training.recipes.assessor import AssessorRecipe
from isocenter.training.recipes.hysnet import RECIPE, HySNetRecipe, patch_scores
from isocenter.training.snr_baselines import brightness_over_noise
from tests.tool_modules import tool_module

SIDE = 36
PARTS = ((520, 0.92), (24, 0.80), (3, 0.68), (2, 0.5), (4, 0.28))
"""Labels from outside to inside, and the share of the field of view that they fill."""
SMALL = HySNetRecipe(
    schedule=Schedule(n_steps=2, batch=2, warm_up=1, validate_every=2),
    width=4, head=(6, 4, 1), branch=(6, 6), side=16, stride=16, n_patches=2, n_kept=3,
    n_volumes=4, n_validation=3, n_variants=2, slice_side=40,
)  # fmt: skip


def label_map() -> torch.Tensor:
    place = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    radius = (place[:, None, None] ** 2 + place[:, None] ** 2 + place**2).sqrt()
    codes = torch.zeros(SIDE, SIDE, SIDE)
    for code, share in PARTS:
        codes[radius < share] = code
    return codes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection: six label maps."""
    root = tmp_path_factory.mktemp("collection")
    (root / "labels").mkdir()
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for number in range(1, 7):
        volume = Volume(label_map().roll(number % 2, 0), affine)
        write(volume, root / "labels" / f"training_seg_{number:02d}.nii.gz")
    return root


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that keeps clean scans for several tests."""
    return str(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def scan(data: Path, tmp_path_factory: pytest.TempPathFactory) -> CleanScan:
    kept = clean_scans(sources(data)[0], 1, seed=1, folder=tmp_path_factory.mktemp("clean"))
    return kept[0].load()


def test_the_label_is_mriqcs_under_the_same_tissues(scan: CleanScan) -> None:
    csf, gm, wm = ((scan.parts == number).float() for number in (1, 2, 3))
    field = scan.field
    noisy = simulate(scan, Look(snr=15), rng=generator(0))
    volume = Volume(noisy.data, np.diag([2.0, 2.0, 2.0, 1.0]), "T1w")
    brain = (csf + gm + wm) > 0
    anatomy = find_anatomy(
        volume, head=noisy.head, brain=brain, tissue=TissueMaps(csf, gm, wm, field)
    )
    found = {score.name: score.value for score in snr(anatomy, definition="mriqc-0.15")}
    assert noisy.label == pytest.approx(found["snr_total"], rel=1e-4)


def test_the_label_of_a_known_normal_mixture() -> None:
    values = torch.cat([m + s * torch.randn(4000, generator=generator(int(m))) for m, s in NORMAL])
    tissue = torch.arange(1, 4).repeat_interleave(4000).to(torch.uint8)
    wanted = sum(m / s for m, s in NORMAL) / 3
    assert total_snr(values.reshape(20, 20, 30), tissue.reshape(20, 20, 30)) == pytest.approx(
        wanted, rel=0.03
    )


NORMAL = ((30.0, 10.0), (60.0, 6.0), (90.0, 5.0))


def test_sure_tissues_are_eroded_where_enough_is_left() -> None:
    maps = torch.zeros(3, 40, 40, 40)
    for number in range(3):
        maps[number, 1:39, 1:39, 1 + 13 * number : 13 + 13 * number] = 1
    coarse = sure_tissues(*maps, spacing=(2.0, 2.0, 2.0))
    fine = sure_tissues(*maps, spacing=(1.0, 1.0, 1.0))
    assert int((coarse == 2).sum()) == 38 * 38 * 12
    assert int((fine == 2).sum()) == 36 * 36 * 10
    thin = torch.zeros_like(maps)
    thin[:, 4:20, 4:20, 4:7] = maps[:, 4:20, 4:20, 4:7].amax(0)
    assert int((sure_tissues(*thin, spacing=(1.0,) * 3) > 0).sum()) == 16 * 16 * 3
    with pytest.raises(BadVolume, match="gm"):
        sure_tissues(maps[0], maps[0] * 0, maps[2], spacing=(1.0, 1.0, 1.0))


def test_noise_lowers_the_label_and_shading_does_not_touch_it(scan: CleanScan) -> None:
    labels = [simulate(scan, Look(snr=snr), rng=generator(0)).label for snr in (80, 20, 5)]
    assert labels[0] > labels[1] > labels[2] > 1.5
    plain = [simulate(scan, Look(shading=s), rng=generator(0)) for s in (0.0, 1.0)]
    assert plain[0].label == pytest.approx(plain[1].label, rel=1e-3)
    assert not torch.allclose(plain[0].data, plain[1].data, rtol=0.02)


def test_noise_is_rician_at_the_asked_strength(scan: CleanScan) -> None:
    noisy = simulate(scan, Look(snr=10), rng=generator(3)).data
    air = noisy[scan.even == 0]
    # a Rayleigh distribution's mean; brightness 1 is the head's 99th percentile
    assert float(air.mean()) == pytest.approx(0.1 * math.sqrt(math.pi / 2), rel=0.1)


def test_contrast_is_monotone_and_stripping_leaves_the_brain(scan: CleanScan) -> None:
    even = scan.even[scan.head]
    rising = simulate(scan, Look(gamma=0.7, shading=0.0), rng=generator(0)).data[scan.head]
    order = even.argsort()
    assert bool((rising[order].diff() >= -1e-6).all())
    falling = simulate(scan, Look(falling=True, shading=0.0), rng=generator(0)).data[scan.head]
    inside = even > 0.1
    assert np.corrcoef(even[inside], falling[inside])[0, 1] < -0.9
    stripped = simulate(scan, Look(snr=10, stripped=True), rng=generator(0))
    assert not bool(stripped.data[~scan.brain].any())
    assert torch.equal(stripped.head, scan.brain)


def test_looks_cover_their_range() -> None:
    looks = [draw_look(generator(i)) for i in range(300)]
    assert 5 <= min(one.snr for one in looks) < 6
    assert 65 < max(one.snr for one in looks) <= 80
    assert 0.15 < np.mean([one.falling for one in looks]) < 0.35


def test_variants_differ_and_come_back_from_their_folder(data: Path, tmp_path: Path) -> None:
    source = sources(data)[0]
    first = [kept.load() for kept in clean_scans(source, 2, seed=1, folder=tmp_path)]
    again = [kept.load() for kept in clean_scans(source, 2, seed=1, folder=tmp_path)]
    assert not torch.equal(first[0].even, first[1].even)
    assert all(torch.equal(a.even, b.even) for a, b in zip(first, again, strict=True))


def test_a_scan_without_tissues_is_left_out_with_its_reason(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "sub-01_T1w.nii.gz"
    write(Volume(torch.rand(20, 20, 20, generator=generator(0)), np.eye(4)), path)
    source = replace(sources(data)[0], kind="brain", path=path, contrast="T1w")
    assert clean_scans(source, 1, seed=1, folder=tmp_path) == ()
    assert "brain" in (tmp_path / "clean-sub-01_T1w.txt").read_text()
    assert clean_scans(source, 1, seed=1, folder=tmp_path) == ()


def noisy_volume(number: int) -> LabelledVolume:
    values = torch.rand(24, 24, 24, generator=generator(number)) + 0.5
    return LabelledVolume(values, torch.ones_like(values, dtype=torch.bool), float(number))


def patch_set(folder: Path, **changes: object) -> PatchSet:
    given = {"n_volumes": 5, "n_kept": 4, "n_patches": 2, "length": 20, "seed": 3} | changes
    numbers = Patches(side=16, stride=16)
    return PatchSet(noisy_volume, numbers, folder=folder, **given)  # type: ignore[arg-type]


def test_an_example_depends_on_its_index_alone(tmp_path: Path) -> None:
    one, other = patch_set(tmp_path / "a"), patch_set(tmp_path / "b")
    late = [other[i] for i in reversed(range(20))][::-1]
    for i in range(20):
        assert torch.equal(one[i][0], late[i][0])
        assert one[i][1] == late[i][1]


def test_every_round_passes_every_volume(tmp_path: Path) -> None:
    examples = patch_set(tmp_path)
    labels = [int(examples[i][1]) for i in range(20)]
    rounds = [labels[i : i + 5] for i in range(0, 20, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_slices_are_cut_without_repetition() -> None:
    numbers = Patches(n_dims=2, slice_side=30)
    parts = cut(noisy_volume(1), numbers, 100, rng=generator(0))
    assert parts.shape == (14, 1, 30, 30)
    assert len({part.sum().item() for part in parts}) == 14


def test_people_are_divided_as_for_the_assessor(data: Path) -> None:
    split = SMALL.split(data)
    assert split == AssessorRecipe().split(data)
    assert sorted(p for side in split.values() for p in side) == list(SMALL.people(data))


@pytest.mark.parametrize("n_dims", [2, 3])
def test_from_training_to_an_interval(data: Path, tmp_path: Path, n_dims: int) -> None:
    recipe = replace(SMALL, n_dims=n_dims)
    split = recipe.split(data)
    task = recipe.task(data, split, tmp_path)
    labels = torch.stack([task.examples[i][1] for i in range(4)])
    assert float(task.net.label_mean) == pytest.approx(float(labels.mean()), rel=1e-4)
    trainer = Trainer(task, recipe.schedule, tmp_path, make_fabric("cpu"), seed=1)
    assert trainer.run(say=lambda line: None)
    net = trainer.averaged()
    answers = recipe.answers(net, data, split["test"][:1], lambda line: None)
    assert len(answers.truth) == 20
    assert bool(np.isfinite(answers.outputs).all())
    fitted = calibrate(answers)
    made = replace(recipe.checkpoint(net, {"name": "small"}), calibration={"snr": fitted})
    made.save(tmp_path / "small.safetensors")
    loaded = Assessor(Checkpoint.load(tmp_path / "small.safetensors"), "cpu")
    said = loaded.judge(Volume(label_map() + 1, np.eye(4)))
    assert said.interval is not None
    assert said.interval[0] <= said.snr <= said.interval[1]


def test_the_twelve_rows_of_the_ablation_by_settings() -> None:
    rows = {
        replace(RECIPE(), depth=depth, hyper=hyper, n_dims=n_dims).config()
        for depth in (18, 34, 50)
        for hyper in (True, False)
        for n_dims in (2, 3)
    }
    assert len(rows) == 12


@pytest.mark.parametrize("net", ["resnet", "cnniqa"])
def test_another_network_in_its_place(
    data: Path, tmp_path: Path, clean: str, net: LabelNet
) -> None:
    recipe = replace(SMALL, net=net, clean=clean, asked_noise=(20.0,), asked_contrasts=("steep",))
    task = recipe.task(data, recipe.split(data), tmp_path)
    assert task.examples[0][0].ndim == (4 if is_of_slices(net) else 5)
    trainer = Trainer(task, recipe.schedule, tmp_path, make_fabric("cpu"), seed=1)
    assert trainer.run(say=lambda line: None)
    trained = trainer.averaged()
    made = recipe.checkpoint(trained, {})
    assert made.net == net
    person = recipe.split(data)["test"][:1]
    said = recipe.answers(trained, data, person, lambda line: None)
    assert len(said.items) == 1
    assert said.items[0].endswith("steep, 20")
    assert bool(np.isfinite(said.outputs).all())


@pytest.mark.parametrize("name", LABEL_NETS)
def test_every_network_says_the_mean_label_before_it_says_anything_else(name: LabelNet) -> None:
    net = build_label_net(name, replace(SMALL, net=name).config(), "small", seed=1).eval()
    parts = torch.rand((2, 1, *(96,) * (2 if is_of_slices(name) else 3)), generator=generator(0))
    with torch.no_grad():
        before = net(parts)
        net.learn_scale(torch.tensor([6.0, 8.0, 16.0]))
        assert net(parts) == pytest.approx((10 + before * net.label_spread).numpy(), rel=1e-4)
    assert float(net.label_mean) == 10


def test_runs_on_the_same_data_share_what_is_cut(data: Path, tmp_path: Path, clean: str) -> None:
    recipe = replace(SMALL, kept=str(tmp_path / "kept"), clean=clean, asked_noise=(80.0, 20.0))
    split = recipe.split(data)
    ours = recipe.task(data, split, tmp_path / "a").examples
    alike = replace(recipe, depth=34, hyper=False).task(data, split, tmp_path / "b").examples
    other = replace(recipe, n_dims=2).task(data, split, tmp_path / "c").examples
    alone = replace(recipe, kept="").task(data, split, tmp_path / "d").examples
    assert isinstance(ours, PatchSet)
    assert isinstance(alike, PatchSet)
    assert isinstance(other, PatchSet)
    assert ours.folder == alike.folder != other.folder
    assert torch.equal(ours[1][0], alone[1][0])
    asked = [list(recipe.asked(data, split["test"][:1], tmp_path)) for _ in range(2)]
    fresh = list(replace(recipe, kept="").asked(data, split["test"][:1], tmp_path))
    for made, found, again in zip(*asked, fresh, strict=True):
        assert made[:2] == found[:2] == again[:2]
        assert made[2].label == found[2].label == again[2].label
        assert torch.equal(made[2].data, found[2].data)
        assert torch.equal(found[2].data, again[2].data)
        assert torch.equal(found[2].head, again[2].head)
    assert len(list((tmp_path / "kept").glob("asked-*/*"))) == len(fresh)


def test_an_unknown_contrast_gets_a_hint() -> None:
    with pytest.raises(UnknownName, match="did you mean 'steep'"):
        with_settings(HySNetRecipe(), ["asked_contrasts=steeep"])


def test_few_parts_of_a_volume_can_be_looked_at(data: Path, tmp_path: Path, clean: str) -> None:
    recipe = replace(SMALL, clean=clean, n_dims=2)
    net = recipe.task(data, recipe.split(data), tmp_path).net.eval()
    volume = noisy_volume(3).data
    every = patch_scores(net, volume, recipe.preprocess())
    some = patch_scores(net, volume, recipe.preprocess(), most=5)
    assert len(every) == 14
    assert len(some) == 5
    assert all(bool(torch.isclose(every, score, rtol=1e-4).any()) for score in some)


@pytest.fixture(scope="module")
def rows() -> ModuleType:
    """The tool that makes the table."""
    return tool_module("hysnet_benchmark")


def test_rows_of_the_table_are_settings_of_the_recipe(rows: ModuleType) -> None:
    recipes = {row: with_settings(RECIPE(), words) for row, words in rows.NETWORKS.items()}
    assert len({recipes[row] for row in rows.ABLATION}) == 12
    assert len(set(recipes.values())) == len(recipes)
    assert {recipe.net for recipe in recipes.values()} == set(LABEL_NETS)


@pytest.mark.parametrize("row", ["brisque_svr", "brightness", "constant"])
def test_methods_without_a_network_answer_for_the_same_volumes(
    data: Path, tmp_path: Path, clean: str, rows: ModuleType, row: str
) -> None:
    few = [f"clean={clean}", "n_volumes=3", "n_kept=2", "side=16", "stride=16", "n_validation=1"]
    asked = ["asked_noise=80,10", "asked_contrasts=steep"]
    options = argparse.Namespace(data=data, out=tmp_path, set=[*few, *asked], row_set=[])
    said = rows._simple(row, options)
    recipe = with_settings(RECIPE(), [*few, *asked])
    wanted = [(p, i, v.label) for p, i, v in recipe.asked(data, recipe.split(data)["test"], data)]
    assert list(zip(said.people, said.items, said.truth.tolist(), strict=True)) == wanted
    assert bool(np.isfinite(said.outputs).all())
    if row == "brightness":
        assert bool((said.outputs[::2] > said.outputs[1::2]).all())
    if row == "constant":
        assert len(set(said.outputs[:, 0].tolist())) == 1


def test_labels_from_a_table_of_mriqc(data: Path, tmp_path: Path) -> None:
    files = tmp_path / "scans"
    files.mkdir()
    for name in ("sub-01_T1w", "sub-02_ses-1_T1w", "sub-03_T1w", "sub-03_run-2_T1w"):
        write(Volume(label_map() + 1, np.eye(4)), files / f"{name}.nii.gz")
    table = tmp_path / "group_T1w.tsv"
    rows = ["bids_name\tsnr_total\tcnr", "sub-01_T1w\t9.5\t1", "02\t7.25\t1", "sub-03\t4\t1"]
    table.write_text("\n".join([*rows, "sub-09_T1w\t1\t1"]) + "\n")
    found = table_scans(files, table, definition="mriqc-0.15")
    assert [(scan.person, scan.snr) for scan in found] == [("sub-01", 9.5), ("sub-02", 7.25)]
    recipe = replace(SMALL, table=str(table), definition="mriqc-0.15")
    assert recipe.people(files) == ("sub-01", "sub-02")
    split = {"train": ("sub-01",), "validation": ("sub-02",), "test": ("sub-02",)}
    task = recipe.task(files, split, tmp_path / "scratch")
    assert float(task.examples[0][1]) == 9.5
    answers = recipe.answers(task.net.eval(), files, ("sub-02",), lambda line: None)
    assert answers.truth.tolist() == [7.25]
    with pytest.raises(NothingFound, match="no scan"):
        table_scans(data, table, definition="mriqc-0.15")


def asked(truth: np.ndarray, said: np.ndarray) -> Outcomes:
    items = [
        f"scan{p}, {contrast}, {noise}" for p in range(4) for contrast in "ab" for noise in (80, 5)
    ]
    people = tuple(item.split(",")[0] for item in items)
    return Outcomes("values", people, tuple(items), truth, said[:, None], ("estimate",))


def test_scores_by_noise_contrast_and_person() -> None:
    truth = np.arange(16.0) + 1
    answers = asked(truth, truth * 2)
    widths = np.where(truth > 4, 0.8, 0.6)
    outputs = np.stack([truth * 2, widths], axis=1)
    measured = scores(replace(answers, outputs=outputs, columns=("estimate", "half width")))
    assert parts_of("sub-01_T1w, as scanned, 20") == ("sub-01_T1w", "as scanned", "20")
    names = ("SROCC, all", "SROCC, a", "SROCC, brightness over noise 5")
    assert all(measured[name]["value"] == pytest.approx(1) for name in names)
    assert measured["SROCC within a person, mean"]["value"] == pytest.approx(1)
    assert measured["mean absolute error"]["value"] == pytest.approx(float(truth.mean()))
    # said is twice the truth: log 2 = 0.69 lies within 0.8 and not within 0.6
    assert measured["90 % interval covers"]["value"] == pytest.approx(12 / 16)
    against = scores(asked(truth, -truth))
    assert against["SROCC within a person, mean"]["value"] == pytest.approx(-1)
    assert "90 % interval covers" not in against


def test_the_calibration_finds_the_curve_and_how_far_it_is_off() -> None:
    said = np.sort(np.random.default_rng(0).uniform(0, 9, 16))
    truth = np.exp(0.2 * said + 1)
    fitted = calibrate(asked(truth, said))
    assert (fitted["slope"], fitted["offset"]) == pytest.approx((0.2, 1))
    assert fitted["half_widths"] == pytest.approx([0, 0, 0], abs=1e-9)
    assert corrected(asked(truth, said), fitted).outputs[:, 0] == pytest.approx(truth)
    factor = np.tile([1.5, 1 / 1.5], 8)
    off = calibrate(asked(truth * factor, said))
    assert off["half_widths"] == pytest.approx([math.log(1.5)] * 3, abs=0.15)


def test_brightness_over_noise_of_a_known_head() -> None:
    codes = label_map()
    noise = normals(codes.numel(), sigma=5.0, stream=1, n_channels=1)[0].reshape(codes.shape)
    image = 100.0 * (codes > 0) + noise
    assert brightness_over_noise(image) == pytest.approx(110 / 5, rel=0.15)


def test_the_range_of_clean_scans_is_that_of_the_least_noise() -> None:
    said = np.array([10.0, 11.0, 12.0, 2.0, 3.0, 4.0])
    items = tuple(f"a, flat, {noise}" for noise in (80, 80, 80, 5, 5, 5))
    given = Outcomes("values", ("p",) * 6, items, said, said[:, None], ("estimate",))
    assert clean_range(given) == pytest.approx([10.1, 11.9])
