"""Splits, examples, losses and the loop, on made scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.assessors._outputs import (
    OUTPUTS,
    PUBLISHED_CLASSES,
    TYPES,
    quality_to_target,
    target_to_quality,
)
from isocenter.data.io import write
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import Slabs
from isocenter.data.random import child, generator
from isocenter.datasets.collection import Source, sources
from isocenter.errors import NothingFound, UsageError
from isocenter.nets.hsfnet import Config
from isocenter.ops.slabs import N_FACTS
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import check_disjoint, split_people
from isocenter.training.inputs.examples import (
    UNKNOWN,
    Damage,
    ExampleSet,
    collate,
    draw_damage,
    make_example,
    with_field_of_view,
)
from isocenter.training.networks.losses import Targets, loss_of
from isocenter.training.recipes.assessor import AssessorRecipe

PREPROCESS = Slabs(side=32)
PEOPLE = [f"sub-{i:02d}" for i in range(20)]
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}


def test_everybody_is_on_one_side() -> None:
    split = split_people(PEOPLE * 3, SHARES, rng=generator(1))
    check_disjoint(split)
    assert sorted(p for side in split.values() for p in side) == PEOPLE
    assert {side: len(people) for side, people in split.items()} == {
        "train": 12, "validation": 3, "test": 5,
    }  # fmt: skip


def test_order_of_people_does_not_matter() -> None:
    assert split_people(PEOPLE, SHARES, rng=generator(1)) == split_people(
        PEOPLE[::-1], SHARES, rng=generator(1)
    )


def test_fixed_people_stay_where_they_are_put() -> None:
    for seed in range(5):
        split = split_people(PEOPLE, SHARES, rng=generator(seed), fixed={"sub-07": "test"})
        assert "sub-07" in split["test"]


def test_person_on_two_sides_is_named() -> None:
    with pytest.raises(UsageError, match="sub-01 stands in train and in test"):
        check_disjoint({"train": ("sub-01",), "test": ("sub-01",)})


@pytest.fixture
def people(tmp_path: Path) -> tuple[Source, ...]:
    folder = tmp_path / "brains"
    folder.mkdir()
    for i in range(2):
        write(head_phantom((40, 44, 36 + i)), folder / f"sub-0{i}_T1w.nii.gz")
    return sources(tmp_path)


def test_collection_is_found_and_named(people: tuple[Source, ...], tmp_path: Path) -> None:
    assert [source.person for source in people] == ["brains/sub-00", "brains/sub-01"]
    assert people[0].contrast == "T1w"
    with pytest.raises(NothingFound, match="brains"):
        sources(tmp_path / "brains")


def example_set(people: tuple[Source, ...], length: int = 64) -> ExampleSet:
    return ExampleSet(people, PREPROCESS, n_slabs=4, length=length, seed=3)


def test_example_depends_on_seed_and_index_alone(people: tuple[Source, ...]) -> None:
    first, second = example_set(people), example_set(people)
    for _ in range(3):
        second[9]
    one, two = first[5], second[5]
    for name in ("slabs", "facts", "levels", "present", "published"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    assert torch.equal(one.quality.nan_to_num(), two.quality.nan_to_num())


def test_pristine_example_has_full_quality() -> None:
    example = make_example(
        head_phantom((48, 48, 48)), Damage("physical", ()), PREPROCESS, 4, rng=generator(0)
    )
    shown = ~example.quality.isnan()
    assert shown.any()
    assert example.quality[shown].tolist() == pytest.approx([1.0] * int(shown.sum()), abs=1e-6)
    assert example.levels.tolist() == [0] * 6
    assert int(example.published) == PUBLISHED_CLASSES.index(("pristine", 0))


def test_labels_of_a_pair_and_of_the_published_benchmark() -> None:
    scan = head_phantom((48, 48, 48))
    pair = Damage("physical", (("bias", 2), ("noise", 3)))
    example = make_example(scan, pair, PREPROCESS, 2, rng=generator(0))
    assert dict(zip(TYPES, example.levels.tolist(), strict=True)) == {
        "bias": 2, "blur": 0, "ghosting": 0, "motion": 0, "noise": 3, "spike": 0,
    }  # fmt: skip
    assert int(example.published) == UNKNOWN
    published = make_example(
        scan, Damage("hsfnet-2025", (("blur", 4),)), PREPROCESS, 2, rng=generator(0)
    )
    assert published.levels[TYPES.index("blur")] == UNKNOWN
    assert published.present[TYPES.index("blur")] == 1
    assert int(published.published) == PUBLISHED_CLASSES.index(("blur", 4))


def test_worse_damage_lowers_the_true_quality() -> None:
    scan, means = head_phantom((48, 48, 48)), []
    for level in (1, 4):
        damage = Damage("physical", (("noise", level),))
        example = make_example(scan, damage, PREPROCESS, 6, rng=child(generator(0), "same"))
        means.append(float(torch.nanmean(example.quality)))
    assert means[0] > means[1]


def test_scenarios_cover_everything() -> None:
    drawn = [draw_damage(child(generator(0), i)) for i in range(600)]
    singles = {d.parts[0] for d in drawn if d.preset == "physical" and len(d.parts) == 1}
    assert len(singles) == 24
    assert {d.parts for d in drawn if d.preset == "hsfnet-2025"} >= {(), (("spike", 4),)}
    assert any(len(d.parts) == 2 for d in drawn)


def test_field_of_view_keeps_the_scan_in_place() -> None:
    scan = head_phantom((20, 24, 28))
    wide = with_field_of_view(scan, rng=generator(0))
    offset = np.linalg.inv(wide.affine) @ scan.affine @ [0, 0, 0, 1]
    x, y, z = np.rint(offset[:3]).astype(int)
    assert np.allclose(offset[:3], [x, y, z])
    inner = wide.data[x : x + 20, y : y + 24, z : z + 28]
    assert torch.equal(inner, scan.data)
    assert wide.data.sum() == pytest.approx(float(scan.data.sum()), rel=1e-5)


def test_quality_scale_is_invertible() -> None:
    quality = torch.linspace(0, 1, 11)
    assert torch.allclose(target_to_quality(quality_to_target(quality)), quality, atol=1e-6)


QUALITY_AT = OUTPUTS["levels"] + OUTPUTS["published"]


def targets(n: int = 2, slabs: int = 3) -> Targets:
    levels = torch.zeros(n, 6, dtype=torch.long)
    levels[0, 1] = 3
    present = (levels > 0).float()
    published = torch.full((n,), UNKNOWN)
    return Targets(levels, present, published, torch.full((n, slabs), 0.9))


def test_loss_falls_towards_the_truth() -> None:
    truth, size = targets(), sum(OUTPUTS.values())
    right = torch.zeros(2, size)
    right[:, 0:30:5] = 8
    right[0, 5], right[0, 8] = 0, 8
    right[:, QUALITY_AT:] = float(quality_to_target(torch.tensor(0.9)))
    wrong = -right
    losses = [float(loss_of(x, x[:, None].repeat(1, 3, 1), truth)) for x in (right, wrong)]
    assert losses[0] < 0.7 < losses[1]


def test_quality_of_an_artifact_alone_is_learned_where_it_is_alone() -> None:
    truth = targets(n=3)
    truth.present[2, [0, 4]] = 1
    outputs = torch.zeros(3, sum(OUTPUTS.values()), requires_grad=True)
    loss_of(outputs, outputs[:, None].repeat(1, 3, 1), truth).backward()
    assert outputs.grad is not None
    taught = outputs.grad[:, QUALITY_AT + 1 :].abs() > 0
    assert taught.nonzero().tolist() == [[0, 1]]


def test_unknown_labels_teach_nothing() -> None:
    truth = targets()
    truth.levels.fill_(UNKNOWN)
    outputs = torch.zeros(2, sum(OUTPUTS.values()), requires_grad=True)
    loss_of(outputs, outputs[:, None].repeat(1, 3, 1), truth).backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    assert outputs.grad[:, 30:QUALITY_AT].abs().max() == 0


def recipe(n_steps: int, **choices: object) -> AssessorRecipe:
    config = Config(
        mode="improved", branches=("spatial", "spectrum"), n_inputs=3, n_features=(8, 8),
        n_outputs=sum(OUTPUTS.values()), dims=(8, 16), depths=(1, 1), n_states=2,
        n_facts=N_FACTS, stem=4, drop_path=0.0,
    )  # fmt: skip
    schedule = Schedule(n_steps=n_steps, batch=2, warm_up=2, precision="bf16", save_every=1)
    return AssessorRecipe(
        schedule=schedule, preprocess=PREPROCESS, config=config, n_slabs=4, **choices
    )


def test_losses_are_those_of_the_recorded_training(
    people: tuple[Source, ...], tmp_path: Path
) -> None:
    made = recipe(3, seed=1)
    task = replace(
        made.task(tmp_path, {"train": tuple(s.person for s in people)}, tmp_path),
        examples=example_set(people, 6),
    )
    training = Trainer(task, made.schedule, tmp_path, make_fabric("cpu", precision="bf16"), seed=1)
    training.run(say=lambda _: None)
    losses = [point["loss"] for point in training.progress.curve]
    # From a run before the loop served other networks, too.
    assert losses == pytest.approx([19.79417038, 10.75784969, 24.04141235], rel=1e-5)
    assert sum(float(v.double().abs().sum()) for v in training.average.values()) == pytest.approx(
        5621.818470521, rel=1e-6
    )


def test_collate_stacks(people: tuple[Source, ...]) -> None:
    examples = example_set(people)
    batch = collate([examples[0], examples[1]])
    assert batch.slabs.shape == (2, 4, 3, 32, 32)
    assert torch.equal(batch.slabs[1], examples[1].slabs)
