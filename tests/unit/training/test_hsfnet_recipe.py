"""The distortion benchmark: people and folds, images on the fly, heads on frozen networks."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from isocenter.artifacts import Version, benchmark_versions, make_version
from isocenter.data.io import cropped, read, write
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import PublishedStack, Slabs
from isocenter.data.random import child, generator
from isocenter.datasets.benchmark import scan_name
from isocenter.errors import NothingFound, UnknownName, UsageError
from isocenter.training.answers.judge import answers
from isocenter.training.benchmark_baselines import (
    BASELINES,
    TAKEN,
    Baseline,
    baseline_outcomes,
)
from isocenter.training.engine.run import Run, train
from isocenter.training.engine.schedule import Schedule
from isocenter.training.inputs.benchmark import BenchmarkSet, Simulator
from isocenter.training.inputs.benchmark_inputs import (
    Inputs,
    Preparation,
    Prepared,
    collated,
    prepare,
)
from isocenter.training.inputs.benchmark_scans import Image, benchmark_scans, clean_scan
from isocenter.training.networks.benchmark_nets import NETS, Sizes
from isocenter.training.recipes.cross_dataset import CrossDatasetRecipe, Judge, Seen
from isocenter.training.recipes.hsfnet import (
    ARTIFACTS,
    HSFNetRecipe,
    fit_temperature,
    logits_of,
)

SMALL = Inputs(stack=PublishedStack(n_slices=4, side=16), slabs=Slabs(side=32), n_slabs=2)
SIZES = Sizes(dims=(8, 16), depths=(1, 1), n_states=2, n_features=8, stem=4, width=4)
SCHEDULE = Schedule(n_steps=2, batch=4, warm_up=1, validate_every=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people, each a phantom with noise of its own."""
    folder = tmp_path_factory.mktemp("data") / "brains"
    folder.mkdir()
    for person in range(6):
        phantom = head_phantom((22, 23, 20), 2.0)
        noise = torch.randn(phantom.shape, generator=child(generator(1), person))
        write(
            replace(phantom, data=(phantom.data + noise).clamp_min(0)),
            folder / f"sub-{person:02d}_T1w.nii.gz",
        )
    return folder.parent


def recipe(**settings: object) -> HSFNetRecipe:
    plain = {"inputs": SMALL, "sizes": SIZES, "schedule": SCHEDULE, **settings}
    return HSFNetRecipe(**plain)  # type: ignore[arg-type]


def test_classes_stand_in_the_published_order() -> None:
    classes = recipe().classes()
    assert len(classes) == 21
    assert classes[:5] == ("blur_1", "blur_2", "blur_3", "blur_4", "ghosting_1")
    assert classes[-1] == "pristine"


def test_folds_share_nobody_and_cover_everybody(data: Path) -> None:
    tested: list[str] = []
    for fold in range(5):
        split = recipe(fold=fold).split(data)
        sides = [set(people) for people in split.values()]
        assert sum(map(len, sides)) == len(set.union(*sides)) == 6
        assert all(sides)
        tested += split["test"]
    assert sorted(tested) == [f"sub-{person:02d}" for person in range(6)]


def test_first_people_by_name_are_learned_from_and_the_others_tested(data: Path) -> None:
    split = recipe(n_learned=4).split(data)
    assert split["test"] == ("sub-04", "sub-05")
    assert sorted(split["train"] + split["validation"]) == [f"sub-{i:02d}" for i in range(4)]
    assert len(split["validation"]) == 1
    probed = CrossDatasetRecipe(source="brains", n_learned=4).split(data)
    assert probed["test"] == split["test"]
    assert recipe(n_people=5, n_learned=4).split(data)["test"] == ("sub-04",)


def test_the_seed_deals_the_people_learned_from(data: Path) -> None:
    splits = [recipe(n_learned=3, learned_by="seed", seed=seed).split(data) for seed in range(6)]
    assert len({split["test"] for split in splits}) > 1
    assert splits[2] == recipe(n_learned=3, learned_by="seed", seed=2).split(data)
    for split in splits:
        assert sorted(sum(split.values(), ())) == list(recipe().people(data))
        assert len(split["test"]) == 3


def test_people_learned_from_leave_somebody_to_test_and_no_fold(data: Path) -> None:
    with pytest.raises(NothingFound, match="6 people to learn from of 6"):
        recipe(n_learned=6).split(data)
    with pytest.raises(UsageError, match="n_learned is 1"):
        recipe(n_learned=1)
    for settings in ({"fold": 2}, {"protocol": "files"}):
        with pytest.raises(UsageError, match="n_learned tests everybody else"):
            recipe(n_learned=3, **settings)


def test_who_was_learned_from_is_written_and_an_overlap_refused(data: Path, tmp_path: Path) -> None:
    settings = [
        "net=facts", f"cache={tmp_path / 'cache'}", "schedule.n_steps=1", "schedule.batch=2",
        "inputs.slabs.side=32", "inputs.n_slabs=2", "n_people=3", "n_learned=2",
    ]  # fmt: skip
    out = tmp_path / "run"
    out.mkdir()
    train("hsfnet", data, out, settings=settings, device="cpu", say=lambda line: None)
    told = json.loads((out / "split.json").read_text())
    assert told["sides"]["test"] == ["sub-02"]
    assert answers(Run.load(out), "test", device="cpu", say=lambda line: None).people == (
        ("sub-02",) * 21
    )
    told["sides"]["test"] = ["sub-02", *told["sides"]["train"]]
    (out / "split.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match=told["sides"]["train"][0]):
        train("hsfnet", data, out, settings=settings, device="cpu", say=lambda line: None)


def test_published_folds_share_people_but_no_image(data: Path) -> None:
    leaky = recipe(protocol="files")
    split, images = leaky.split(data), leaky.images(data)
    people = {side: {images[u][0].scan.person for u in units} for side, units in split.items()}
    assert people["train"] & people["test"]
    assert not set(split["train"]) & set(split["test"])
    assert len(images) == 6 * 21


def test_order_of_files_does_not_change_folds(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe().split(data)
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, what: sorted(glob(self, what), reverse=True))
    assert recipe().split(data) == before


def test_people_can_be_fewer_but_not_more(data: Path) -> None:
    assert len(recipe(n_people=5).people(data)) == 5
    with pytest.raises(NothingFound, match="9 people"):
        recipe(n_people=9).people(data)
    with pytest.raises(UsageError, match="fold is 5"):
        recipe(fold=5)
    with pytest.raises(UnknownName, match="brains"):
        benchmark_scans(data, "brain")


def test_shipped_protocol_tests_whom_the_shipped_network_never_saw(data: Path) -> None:
    split = recipe(protocol="shipped").split(data)
    assert sorted(p for people in split.values() for p in people) == list(recipe().people(data))


def test_image_on_the_fly_is_the_version_itself(data: Path) -> None:
    scan = benchmark_scans(data, "brains")[2]
    simulated = Simulator(partial(clean_scan, padded=False, seed=7))
    for version in (Version("physical", "noise", 2), Version("physical", "pristine", 0)):
        wanted = make_version(
            replace(read(scan.path), history=()),
            version,
            person="sub-02",
            scan_name="/sub-02_T1w",
            seed=3,
        )
        assert torch.equal(simulated(scan, version, 3).data, wanted.data)


def test_a_crop_is_cut_before_the_damage_and_kept_apart(data: Path, tmp_path: Path) -> None:
    image = recipe().images(data)["sub-02"][7]
    whole = recipe(cache=str(tmp_path)).preparation(None, ("stack",))(image)
    small = recipe(cache=str(tmp_path), crop=(20, 18, 16)).preparation(None, ("stack",))(image)
    by_hand = make_version(
        cropped(replace(read(image.scan.path), history=()), (20, 18, 16)),
        image.version,
        person="sub-02",
        scan_name=scan_name(image.scan),
        seed=0,
    )
    assert torch.equal(small["stack"], prepare(by_hand, SMALL, ("stack",))["stack"])
    assert not torch.equal(small["stack"], whole["stack"])
    assert len(list(tmp_path.iterdir())) == 2


def test_images_are_those_of_the_benchmark_without_files(data: Path) -> None:
    scans = benchmark_scans(data, "brains")[:2]
    versions = benchmark_versions("physical", ["motion", "noise"], [1, 3])
    known = recipe(benchmark_seed=5).images(data)
    prepared = recipe().preparation(None, ("stack",))
    items = BenchmarkSet(scans, versions, 5, partial(prepare, inputs=SMALL, wanted=("stack",)))
    for made, label, person in items:
        (image,) = [image for image in known[person] if image.version == versions[label]]
        assert torch.equal(prepared(image)["stack"], made["stack"])


def test_scans_of_the_collection_keep_the_names_that_chance_is_drawn_by(tmp_path: Path) -> None:
    files = {
        "ms": ("patient-03_visit-1_T2W.nii.gz", "mni_patient-03_FLAIR.nii.gz"),
        "labels": ("training_seg_02.nii.gz",),
        "heads": ("glioma_T1.nii.gz",),
    }
    for folder, names in files.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    found = benchmark_scans(tmp_path, "ms+labels+heads")
    assert [(scan.person, scan_name(scan)) for scan in found] == [
        ("02", "/training_seg_02"),
        ("glioma", "/glioma_T1"),
        ("mni-patient-03", "/mni_patient-03_FLAIR"),
        ("patient-03", "/patient-03_visit-1_T2W"),
    ]


def test_prepared_image_is_the_same_from_folder_and_anew(data: Path, tmp_path: Path) -> None:
    image = recipe().images(data)["sub-01"][5]
    kept = recipe(cache=str(tmp_path)).preparation(None)
    first = kept(image)
    again = recipe(cache=str(tmp_path)).preparation(None)(image)
    simulated = Simulator(partial(clean_scan, padded=False, seed=7))
    anew = prepare(simulated(image.scan, image.version, image.seed), SMALL)
    for name, values in anew.items():
        torch.testing.assert_close(first[name], values)
        torch.testing.assert_close(again[name], values)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_another_run_made_is_kept_and_what_it_did_not_is_added(
    data: Path, tmp_path: Path
) -> None:
    image = recipe().images(data)["sub-01"][9]
    stack = recipe(cache=str(tmp_path)).preparation(None, ("stack",))(image)
    assert list(stack) == ["stack"]
    facts = recipe(cache=str(tmp_path)).preparation(None, ("facts", "damage"))(image)
    (file,) = tmp_path.iterdir()
    assert set(safetensors.torch.load(file.read_bytes())) >= {"stack", "facts", "damage"}
    whole = recipe().preparation(None)(image)
    for name, values in (stack | facts).items():
        assert torch.equal(values, whole[name])
    before = file.stat().st_mtime_ns
    recipe(cache=str(tmp_path)).preparation(None, ("stack", "damage"))(image)
    assert file.stat().st_mtime_ns == before


def test_further_draws_leave_validation_and_pristine_alone(data: Path) -> None:
    drawn = recipe(n_draws=3)
    images = drawn.learned(data, ["sub-00"])
    assert len(images) == 21 + 2 * 20
    assert {image.seed for image in images} == {0, 1, 2}
    assert sum(image.version.artifact == "pristine" for image in images) == 1


def test_every_example_comes_once_a_round_with_its_label(data: Path, tmp_path: Path) -> None:
    chosen = recipe(net="facts", cache=str(tmp_path))
    task = chosen.task(data, {"train": ("sub-00",), "validation": ("sub-01",)}, tmp_path)
    labels = [int(task.examples[i]["label"]) for i in range(21)]
    assert sorted(labels) == list(range(21))
    assert labels != list(range(21))
    assert labels == [int(task.examples[i]["label"]) for i in range(21)]


@pytest.mark.parametrize("net", NETS)
def test_every_network_learns_from_a_batch_and_gives_features(net: str) -> None:
    built = recipe(net=net).build()
    image = head_phantom((22, 23, 20), 2.0)
    batch = collated([prepare(image, SMALL)] * 2) | {"label": torch.tensor([0, 20])}
    said = built(batch)
    assert said[0].shape == (2, 21)
    assert built.features(batch).shape == (2, built.n_features)
    sum(part.float().square().mean() for part in said).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in built.parameters())


def test_temperature_never_lowers_the_likelihood() -> None:
    rng = generator(4)
    logits = 8 * torch.randn(50, 21, generator=rng)
    labels = torch.randint(21, (50,), generator=rng)
    before = float(F.cross_entropy(logits, labels))
    found = fit_temperature(logits, labels)
    assert found > 1
    assert float(F.cross_entropy(logits / found, labels)) < before
    sure = F.one_hot(labels, 21).float()
    assert fit_temperature(sure, labels) < 1


def planted(image: Image) -> Prepared:
    """Numbers that tell the class of an image, but for some noise."""
    rng = child(generator(2), image.scan.person, image.name)
    told = 4.0 * F.one_hot(torch.tensor(recipe().label(image)), 21)
    return {name: told + torch.randn(21, generator=rng) for name in TAKEN}


@pytest.mark.parametrize("name", BASELINES)
def test_methods_without_a_network_answer_for_people_never_seen(
    name: Baseline, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Preparation, "__call__", lambda self, image: planted(image))
    split = recipe().split(data)
    said = baseline_outcomes(recipe(), data, split, name)
    assert set(said.people) == set(split["test"])
    np.testing.assert_allclose(said.outputs.sum(1), 1)
    right = (said.outputs.argmax(1) == said.truth).mean()
    assert right == pytest.approx(1 / 21) if name == "constant" else right > 0.8


def test_trained_run_answers_and_is_probed(data: Path, tmp_path: Path) -> None:
    settings = [
        "net=facts", f"cache={tmp_path / 'cache'}", "schedule.n_steps=2", "schedule.batch=4",
        "schedule.warm_up=1", "inputs.stack.n_slices=4", "inputs.stack.side=16",
        "inputs.slabs.side=32", "inputs.n_slabs=2", "n_people=5",
    ]  # fmt: skip
    out = tmp_path / "run"
    out.mkdir()
    train("hsfnet", data, out, settings=settings, device="cpu", say=lambda line: None)
    said = []
    probe = CrossDatasetRecipe(
        schedule=SCHEDULE, source="brains", run=str(out), mode="probe", inputs=SMALL, n_people=5,
        cache=str(tmp_path / "cache"),
    )  # fmt: skip
    split = probe.split(data)
    assert not {*split["train"]} & {*split["test"]}
    task = probe.task(data, split, tmp_path)
    before = {k: v.clone() for k, v in task.net.state_dict().items()}
    adam = torch.optim.AdamW(task.net.parameters(), lr=0.1)
    task.net.train()
    loss = task.loss(task.net, collated([task.examples[i] for i in range(4)]))
    loss.backward()
    adam.step()
    after = task.net.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"head"}
    said_there = probe.answers(task.net.eval(), data, split["test"], said.append)
    assert said_there.columns == probe.classes()
    assert isinstance(task.net, Judge)
    np.testing.assert_allclose(said_there.outputs.sum(1), 1, atol=1e-9)
    assert set(said_there.people) == set(split["test"])
    image = probe.images(data)[split["test"][0]][3]
    plain = collated([probe.preparation(None)(image)])
    kept = collated([Seen(task.net, probe.preparation(None))(image)])
    with torch.no_grad():
        torch.testing.assert_close(task.net(kept), task.net(plain))
    zero_shot = replace(probe, mode="zero-shot")
    untouched = zero_shot.build().eval()
    assert [n for n, p in untouched.named_parameters() if p.requires_grad] == ["log_temperature"]
    asked = [i for unit in split["test"] for i in probe.images(data)[unit]]
    unseen = zero_shot.answers(untouched, data, split["test"], said.append)
    logits = logits_of(untouched.frozen, probe.preparation(None), asked)
    assert torch.equal(torch.from_numpy(unseen.outputs).argmax(1), logits.argmax(1))
    known = {**split, "train": split["test"]}
    lines = baseline_outcomes(probe, data, known, "lines", asked=asked[:7])
    assert lines.items == unseen.items[:7]


def test_a_probe_needs_a_run_of_the_benchmark(data: Path) -> None:
    with pytest.raises(UsageError, match="run is empty"):
        CrossDatasetRecipe().task(data, {}, data)


def test_labels_count_the_versions_of_the_benchmark(data: Path) -> None:
    versions = benchmark_versions("physical", ARTIFACTS)
    scan = benchmark_scans(data, "brains")[0]
    assert [recipe().label(Image(scan, v, 0)) for v in versions] == list(range(21))
