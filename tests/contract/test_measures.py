"""Every measure of the registry, through one battery. A new file is found by itself."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import numpy as np
import pytest
import torch

from isocenter import registry
from isocenter.data.scores import Score
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName, UsageError
from isocenter.measures import Anatomy, Definition, find_anatomy, measure
from tests.unit.measures._heads import BRAIN, HEAD, anatomy, image, tissues, volume

NAMES = registry.measures.names()
SOURCE = re.compile(r"doi:10\.\d+/|https?://")
every_measure = pytest.mark.parametrize("name", NAMES)
each_definition = pytest.mark.parametrize("definition", get_args(Definition))
WITH_UNIT = {("qi_2", "mriqc-0.15")}
"""Measures whose value has a unit of the image's."""
MRIQC_KEYS = 68


def scores_of(name: str, found: Anatomy, definition: Definition) -> tuple[Score, ...]:
    scores: tuple[Score, ...] = getattr(registry.measures.get(name), name)(
        found, definition=definition
    )
    return scores


def shaded() -> Anatomy:
    ramp = torch.linspace(0.9, 1.1, 64)[:, None, None].expand(64, 64, 64).contiguous()
    maps = tissues()._replace(field=ramp)
    return anatomy(image() * ramp, tissue=maps, template=maps[:3])


@pytest.fixture(scope="module")
def head() -> Anatomy:
    return shaded()


@every_measure
def test_a_measure_says_what_it_is(name: str) -> None:
    module = registry.measures.get(name)
    assert {"KINDS", "SOURCE", "VALIDATED", name} <= set(module.__all__)
    assert module.VALIDATED
    document = inspect.getdoc(getattr(module, name)) or ""
    assert SOURCE.search(module.SOURCE)
    assert module.SOURCE in document
    assert "nit" in document or "voxels" in document
    for kind in module.KINDS.values():
        assert kind.low < kind.high


@every_measure
@each_definition
def test_a_measure_gives_every_key_a_value(
    head: Anatomy, name: str, definition: Definition
) -> None:
    found = scores_of(name, head, definition)
    kinds = registry.measures.get(name).KINDS
    assert [score.name for score in found] == list(kinds)
    for score in found:
        kind = kinds[score.name]
        assert (score.unit, score.better) == (kind.unit, kind.better)
        assert score.why_missing is None
        assert score.value is not None
        assert kind.low <= score.value <= kind.high


@every_measure
@each_definition
def test_nothing_depends_on_the_unit_of_the_image(
    head: Anatomy, name: str, definition: Definition
) -> None:
    if (name, definition) in WITH_UNIT:
        pytest.skip("has the inverse unit of the image")
    larger = find_anatomy(
        volume(head.image * 8), head=HEAD, brain=BRAIN, tissue=head.tissue, template=head.template
    )
    for one, other in zip(
        scores_of(name, head, definition), scores_of(name, larger, definition), strict=True
    ):
        assert other.value == pytest.approx(one.value, rel=1e-4)


@every_measure
@each_definition
def test_left_is_as_good_as_right(head: Anatomy, name: str, definition: Definition) -> None:
    assert head.tissue is not None
    assert head.template is not None
    maps = type(head.tissue)(*(one.flip(0) for one in head.tissue))
    turned = find_anatomy(
        volume(head.image.flip(0)),
        head=HEAD.flip(0),
        brain=BRAIN.flip(0),
        tissue=maps,
        template=maps[:3],
    )
    for one, other in zip(
        scores_of(name, head, definition), scores_of(name, turned, definition), strict=True
    ):
        assert other.value == pytest.approx(one.value, rel=1e-3, abs=1e-6)


def unusable() -> dict[str, Volume]:
    rng = torch.Generator().manual_seed(0)
    plane = torch.rand(40, 40, 1, generator=rng)
    return {
        "constant": volume(torch.full((24, 24, 24), 3.0)),
        "blank": volume(torch.zeros(24, 24, 24)),
        "negative": volume(torch.full((24, 24, 24), -3.0)),
        "one slice": volume(plane),
        "one voxel": volume(torch.ones(1, 1, 1)),
        "noise": volume(torch.rand(24, 20, 28, generator=rng)),
    }


@pytest.mark.parametrize("which", sorted(unusable()))
@each_definition
def test_what_has_no_value_has_a_reason(which: str, definition: Definition) -> None:
    found = measure(unusable()[which], definition=definition)
    assert len(found) == MRIQC_KEYS
    for score in found:
        assert (score.value is None) == (score.why_missing is not None)
        assert score.value is None or np.isfinite(score.value)
    missing = {score.name for score in found if score.value is None}
    assert {"cjv", "snr_total", "snrd_total", "summary_bg_n"} <= missing


def test_all_keys_of_mriqc_are_there(head: Anatomy) -> None:
    found = measure(volume(head.image), head=HEAD, brain=BRAIN, tissue=head.tissue)
    names = [score.name for score in found]
    assert len(names) == len(set(names)) == MRIQC_KEYS
    sizes = {score.name: score.value for score in found if score.name.startswith("size")}
    assert sizes == {"size_x": 64.0, "size_y": 64.0, "size_z": 64.0}


def test_an_unknown_definition_is_named() -> None:
    with pytest.raises(UnknownName, match="no definition 'mriqc-23'; did you mean 'mriqc-24'"):
        measure(volume(), definition="mriqc-23")


def test_a_mask_of_another_grid_is_refused() -> None:
    with pytest.raises(UsageError, match=r"brain has shape \(3, 3, 3\)"):
        measure(volume(), brain=torch.zeros(3, 3, 3, dtype=torch.bool))
