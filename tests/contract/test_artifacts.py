"""Every artifact of the registry, through one battery. A new file is found by itself."""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import numpy as np
import pytest
import torch

from isocenter import registry
from isocenter.artifacts import artifact, preset_names, replay, versions
from isocenter.data.random import child, generator
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName, UsageError
from tests.contract._phantom import FLAT, SHAPES, head

NAMES = registry.artifacts.names()
IN_PRESETS = [(preset, *version) for preset in preset_names() for version in versions(preset)]
IN_NONE = sorted(set(NAMES) - {name for _, name, _ in IN_PRESETS})
CASES = IN_PRESETS + [("physical", name, level) for name in IN_NONE for level in range(1, 5)]
UNITS = re.compile(r"\bmm\b|degree|voxel|a\.u\.|arbitrary unit|\[0, 1\]|share|fraction|times the")
SOURCE = re.compile(r"doi|arxiv|github\.com|https?://|et al|Eq\.|IEEE|TorchIO")

every_artifact = pytest.mark.parametrize("name", NAMES)
every_version = pytest.mark.parametrize(("preset", "name", "level"), CASES)


def drawn(scan: Volume, name: str, level: int, preset: str, seed: int = 1) -> dict[str, object]:
    module = registry.artifacts.get(name)
    params: dict[str, object] = module.draw(scan, level, preset=preset, rng=generator(seed))
    return params


def as_written(params: dict[str, object]) -> dict[str, object]:
    """The parameters as they come back from a file."""
    read: dict[str, object] = json.loads(json.dumps(params, allow_nan=False))
    return read


def test_presets_hold_known_artifacts_alone() -> None:
    assert {name for _, name, _ in IN_PRESETS} <= set(NAMES)
    assert {"hsfnet-2025", "physical"} <= set(preset_names())


def test_an_artifact_of_another_package_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    zipper = ModuleType("zipper")
    zipper.draw = lambda volume, level, *, preset, rng: {"row": level}  # type: ignore[attr-defined]
    zipper.apply = lambda volume, params: volume.data + params["row"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zipper", zipper)
    entry = EntryPoint("zipper", "zipper", registry.artifacts.group)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [entry])
    scan = head(SHAPES[0])
    worse = artifact("zipper", 2)(scan, rng=generator(1))
    assert torch.equal(worse.data, scan.data + 2)
    assert torch.equal(replay(scan, worse.history).data, worse.data)


@every_artifact
def test_names_say_where_they_come_from_and_in_which_units(name: str) -> None:
    module = registry.artifacts.get(name)
    texts = [module.__doc__, module.draw.__doc__, module.apply.__doc__]
    text = inspect.getsource(module)
    assert all(texts)
    assert SOURCE.search(text), "name the source: a DOI, a paper, an equation"
    assert UNITS.search(text), "give units: mm, degrees, voxels, shares"


@every_artifact
def test_chance_is_asked_for_by_name_and_has_no_default(name: str) -> None:
    module: ModuleType = registry.artifacts.get(name)
    rng = inspect.signature(module.draw).parameters["rng"]
    assert (rng.kind, rng.default) == (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty)
    assert "rng" not in inspect.signature(module.apply).parameters


@every_version
def test_what_was_drawn_survives_a_file(preset: str, name: str, level: int) -> None:
    params = drawn(head(SHAPES[0]), name, level, preset)
    assert as_written(params) == params


@every_version
def test_the_same_seed_draws_the_same_and_another_differs(
    preset: str, name: str, level: int
) -> None:
    scan = head(SHAPES[0])
    first, again = (drawn(scan, name, level, preset, seed=5) for _ in range(2))
    others = [drawn(scan, name, level, preset, seed=seed) for seed in range(6, 12)]
    assert first == again
    assert any(other != first for other in others)


@pytest.mark.parametrize("shape", [*SHAPES, FLAT], ids=str)
@every_version
def test_a_version_changes_the_scan_and_nothing_else(
    preset: str, name: str, level: int, shape: tuple[int, int, int]
) -> None:
    scan, untouched = head(shape), head(shape)
    worse = artifact(name, level, preset=preset)(scan, rng=generator(2))
    assert torch.equal(scan.data, untouched.data)
    assert worse.data.dtype == torch.float32
    assert worse.shape == shape
    assert np.array_equal(worse.affine, scan.affine)
    assert worse.contrast == scan.contrast
    assert bool(worse.data.isfinite().all())
    assert not torch.equal(worse.data, scan.data)
    assert worse.data.data_ptr() != scan.data.data_ptr()


@every_version
def test_a_replay_is_the_same_to_the_bit(preset: str, name: str, level: int) -> None:
    scan = head(SHAPES[1])
    worse = artifact(name, level, preset=preset)(scan, rng=generator(3))
    (step,) = worse.history
    assert step.name == name
    assert step.seed == 3
    again = registry.artifacts.get(name).apply(scan, as_written(dict(step.params)))
    assert torch.equal(again, worse.data)
    assert torch.equal(replay(scan, worse.history).data, worse.data)


@every_artifact
def test_level_zero_is_the_scan_itself(name: str) -> None:
    scan = head(SHAPES[0])
    assert torch.equal(artifact(name, 0)(scan, rng=generator(1)).data, scan.data)


@every_artifact
def test_global_generators_are_left_alone(name: str) -> None:
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    artifact(name, 2)(head(SHAPES[0]), rng=generator(4))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002


@every_artifact
def test_the_order_of_scans_changes_nothing(name: str) -> None:
    scans = {"a": head(SHAPES[0]), "b": head(SHAPES[1])}
    rng, make = generator(9), artifact(name, 3)
    there = {key: make(scans[key], rng=child(rng, key, name)).data for key in "ab"}
    back = {key: make(scans[key], rng=child(rng, key, name)).data for key in "ba"}
    assert all(torch.equal(there[key], back[key]) for key in scans)


@every_artifact
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_physical_levels_do_not_depend_on_the_unit_of_brightness(name: str, factor: float) -> None:
    scan = head(SHAPES[0])
    scaled = scan.after(scan.data * factor, Step("scale", {"factor": factor}))
    plain = artifact(name, 3)(scan, rng=generator(6)).data
    other = artifact(name, 3)(scaled, rng=generator(6)).data / factor
    error = (other - plain).abs().max() / plain.abs().max()
    assert float(error) < 1e-4


@every_artifact
@pytest.mark.parametrize("level", [-1, 5, 99])
def test_a_level_that_is_not_there_is_refused(name: str, level: int) -> None:
    with pytest.raises(UsageError, match=str(level)):
        artifact(name, level)


def test_a_mistyped_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'motion'"):
        artifact("moton", 1)
    with pytest.raises(UnknownName, match="did you mean 'physical'"):
        artifact("motion", 1, preset="phisical")


@pytest.mark.gpu
@every_version
def test_cuda_gives_the_numbers_of_the_cpu(preset: str, name: str, level: int) -> None:
    scan = head(SHAPES[0])
    module, params = registry.artifacts.get(name), drawn(scan, name, level, preset)
    there = module.apply(scan.to("cuda"), params)
    here = module.apply(scan, params)
    assert there.device.type == "cuda"
    error = float((there.cpu() - here).abs().max() / here.abs().max())
    assert math.isfinite(error)
    assert error < 1e-4
