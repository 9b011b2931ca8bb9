"""Every net, through one battery. A new file in ``nets/`` is found by itself."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
import safetensors.torch
import torch

from isocenter.registry import Registry

NETS = Registry("net", "nets")
SOURCE = re.compile(r"doi|arxiv|github\.com|https?://", re.IGNORECASE)
every_net = pytest.mark.parametrize("name", NETS.names())


def test_there_are_nets() -> None:
    assert "hsfnet" in NETS.names()


@every_net
def test_a_net_names_its_source(name: str) -> None:
    module = NETS.get(name)
    assert SOURCE.search(module.__doc__ or "")
    assert inspect.getdoc(module.build)


@every_net
def test_a_config_is_frozen_plain_and_described(name: str) -> None:
    config = NETS.get(name).Config()
    field = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, field, None)
    assert hash(config) == hash(NETS.get(name).Config())
    assert inspect.getdoc(type(config))


@every_net
def test_the_seed_decides_the_weights_and_they_survive_a_file(name: str) -> None:
    module = NETS.get(name)
    first, again, other = (
        module.build(module.Config(), seed=seed).state_dict() for seed in (1, 1, 2)
    )
    read = safetensors.torch.load(safetensors.torch.save(first))
    assert list(first) == list(again) == list(other)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(torch.equal(first[key], read[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
    assert all(bool(value.isfinite().all()) for value in first.values())


@every_net
def test_building_a_net_leaves_the_global_generator_alone(name: str) -> None:
    module = NETS.get(name)
    before = torch.get_rng_state()
    module.build(module.Config(), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
