"""Every net, through one battery. A new file in ``nets/`` is found by itself."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
import safetensors.torch
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.registry import Registry

NETS = Registry("net", "nets")
SOURCE = re.compile(r"doi|arxiv|github\.com|https?://", re.IGNORECASE)
every_net = pytest.mark.parametrize("name", NETS.names())


@dataclasses.dataclass(frozen=True)
class Case:
    """A small configuration, and the shapes of inputs that it takes, without the batch."""

    net: str
    config: dict[str, object]
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    idle: tuple[str, ...] = ()
    """Weights that a published count holds and no output depends on, or none of these inputs: how
    their names begin."""
    kinds: tuple[str, ...] = ()
    """What each input holds where it is not real numbers: ``complex`` or ``mask``."""

    def build(self, seed: int = 1) -> torch.nn.Module:
        module = NETS.get(self.net)
        net: torch.nn.Module = module.build(module.Config(**self.config), seed=seed)
        return net

    def inputs(self, which: int, n: int = 2) -> list[Tensor]:
        rng = generator(which)
        shapes = self.shapes[which]
        kinds = self.kinds or ("real",) * len(shapes)
        return [DRAWN[k]((n, *shape), rng) for k, shape in zip(kinds, shapes, strict=True)]


def real(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng)


def complex_numbers(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.complex64)


def mask(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Some columns, and ten or more around the centre."""
    n_columns = shape[-1]
    centre = (torch.arange(n_columns) - n_columns // 2).abs() < 6
    return (centre | (torch.rand(n_columns, generator=rng) < 0.3)).expand(shape).clone()


DRAWN = {"real": real, "complex": complex_numbers, "mask": mask}


SMALL = {"dims": (8, 16, 32, 64), "depths": (1, 1, 1, 1), "n_states": 4, "n_outputs": 5}
IMAGES = {
    "side": 64,
    "width": 16,
    "depth": 3,
    "n_heads": 2,
    "taps": (0, 1),
    "swin_heads": 2,
    "swin_hidden": 16,
    "cnn_width": 4,
}
SLABS = {"mode": "improved", "branches": ("spatial", "spectrum"), "n_features": (8, 8)}
CASES = {
    "hsfnet reference": Case(
        "hsfnet",
        {**SMALL, "n_inputs": 4},
        (((4, 32, 32),) * 3, ((4, 48, 64),) * 3),
    ),
    "hsfnet improved": Case(
        "hsfnet",
        {**SMALL, **SLABS, "n_inputs": 3, "n_facts": 2, "stem": 4},
        (
            ((1, 3, 128, 128), (1, 3, 128, 64), (1, 2)),
            ((3, 3, 136, 160), (3, 3, 136, 80), (3, 2)),
        ),
    ),
    "dbcnn": Case(
        "dbcnn",
        {"synthetic": (4, 4, 4, 4, 4, 4, 8, 8, 8), "authentic": (4, 4, 8, 8, 8)},
        (((3, 32, 32),), ((3, 57, 43),)),
    ),
    "wadiqam": Case(
        "wadiqam",
        {"n_inputs": 1, "widths": (4, 4, 8, 8, 8), "n_hidden": 8},
        (((1, 32, 32),), ((1, 100, 64),)),
    ),
    "two_stream": Case(
        "two_stream",
        {"widths": (4, 4, 8, 8), "n_region": 9, "n_hidden": 8},
        (((3, 32, 32),), ((3, 100, 64),)),
    ),
    "cnniqa": Case(
        "cnniqa",
        {"n_filters": 4, "n_hidden": 8, "n_outputs": 2},
        (((1, 32, 32),), ((1, 100, 64),)),
    ),
    "hyperiqa": Case(
        "hyperiqa",
        {"depth": 18, "width": 4, "n_reduced": (8,), "n_local": 2, "local_widths": (2, 2, 2),
         "sizes": (28, 14, 7)},
        (((3, 64, 64),), ((3, 97, 130),)),
    ),
    "resnet on images": Case(
        "resnet", {"width": 4, "n_outputs": 3}, (((1, 32, 32),), ((1, 45, 64),))
    ),
    "resnet on volumes": Case(
        "resnet", {"width": 4, "n_dims": 3}, (((1, 32, 32, 32),), ((1, 40, 32, 48),))
    ),
    "hysnet on volumes": Case(
        "hysnet",
        {"width": 4, "head": (6, 5, 3, 1), "branch": (8, 8)},
        (((1, 32, 32, 32),), ((1, 48, 40, 64),)),
    ),
    "hysnet on slices, without hyper-network": Case(
        "hysnet",
        {"width": 4, "head": (5, 3, 1), "direct": True, "hyper": False, "n_dims": 2},
        (((1, 64, 64),), ((1, 96, 80),)),
    ),
    "complex_unet": Case(
        "complex_unet",
        {"widths": (8, 12, 16), "n_down": (1, 1, 1), "n_up": (1, 1), "n_condition": 8},
        (((2, 16, 16), (), ()), ((2, 24, 40), (), ())),
    ),
    "slab_unet": Case(
        "slab_unet",
        {"widths": (8, 12), "n_down": (1, 1), "n_up": (1,), "n_condition": 8},
        (((1, 16, 16, 3),), ((1, 17, 22, 4),)),
    ),
    "banded_unet": Case(
        "banded_unet",
        {"widths": (8, 12), "n_down": (1, 1), "n_up": (1,), "n_condition": 8},
        (((1, 16, 16, 3),), ((1, 17, 22, 4),)),
        idle=("parts.high",),
    ),
    "ddpm": Case(
        "ddpm",
        {"width": 8, "factors": (1, 2), "n_blocks": 1, "attention": (16,), "side": 32},
        (((2, 16, 16), ()), ((2, 24, 40), ())),
    ),
    "ncsnpp": Case(
        "ncsnpp",
        {"width": 8, "factors": (1, 2), "n_blocks": 1, "attention": (16,), "side": 32},
        (((2, 16, 16), ()), ((2, 24, 40), ())),
    ),
    "aniso_unet": Case(
        "aniso_unet",
        {"ratio": 4, "width": 4, "n_levels": 4, "n_outputs": 2},
        (((1, 16, 16, 4),), ((1, 24, 16, 8),)),
    ),
    "aniso_unet of three slices": Case(
        "aniso_unet",
        {"ratio": 3, "width": 4, "n_levels": 3},
        (((1, 12, 12, 4),), ((1, 24, 12, 8),)),
    ),
    "sr_unet": Case(
        "sr_unet", {"ratio": 4, "width": 4}, (((1, 16, 16, 4),), ((1, 24, 16, 8),))
    ),
    "iso_unet": Case("iso_unet", {"width": 4, "n_levels": 3}, (((1, 8, 8, 8),), ((1, 12, 8, 16),))),
    "espcn": Case("espcn", {"ratio": 4, "widths": (6, 8)}, (((1, 8, 8, 4),), ((1, 12, 8, 5),))),
    "siqt_published": Case(
        "siqt_published", {"ratio": 4, "width": 2}, (((1, 16, 16, 4),), ((1, 32, 16, 4),))
    ),
    "siqt_published, isotropic": Case(
        "siqt_published",
        {"net": "iso_unet", "ratio": 8, "width": 2},
        (((1, 16, 16, 2),), ((1, 32, 16, 2),)),
    ),
    "planar": Case(
        "planar",
        {"ratio": 3, "widths": (4, 6), "n_planes": 3, "n_outputs": 2},
        (((1, 8, 8, 4),), ((1, 11, 6, 5),)),
    ),
    "miqanet reference": Case(
        "miqanet",
        IMAGES,
        # A table of positions fits one grid: two batches of the same shape.
        (((3, 64, 64),), ((3, 64, 64),)),
        idle=("vit.blocks.2.", "vit.norm.", "vit.head.", "swin1.downsample.", "swin2.downsample."),
    ),
    "miqanet improved": Case(
        "miqanet",
        {**IMAGES, "mode": "improved", "n_inputs": 1, "scramble": False, "last": "softplus"},
        (((1, 64, 64),), ((1, 64, 64),)),
    ),
    "varnet": Case(
        "varnet",
        {"n_cascades": 2, "width": 4, "n_levels": 2, "map_width": 3, "map_levels": 1},
        (((3, 32, 48), (32, 48)), ((2, 45, 33), (45, 33))),
        kinds=("complex", "mask"),
    ),
    "modl": Case(
        "modl",
        {"n_turns": 2, "n_layers": 3, "width": 4, "solver_iterations": 3},
        (((3, 32, 48), (32, 48), (3, 32, 48)), ((2, 45, 33), (45, 33), (2, 45, 33))),
        kinds=("complex", "mask", "complex"),
    ),
}  # fmt: skip
COMPARING = {"perceptual"}
"""Nets that compare two images have their battery with the metrics that stand on them."""
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
both_shapes = pytest.mark.parametrize("which", [0, 1])


def outputs(result: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def test_every_net_has_a_case() -> None:
    assert {case.net for case in CASES.values()} == set(NETS.names()) - COMPARING


@both_shapes
@every_case
def test_a_batch_is_its_items_one_by_one(case: Case, which: int) -> None:
    net, inputs = case.build().eval(), case.inputs(which)
    with torch.inference_mode():
        batch = outputs(net(*inputs))
        single = [outputs(net(*(value[i : i + 1] for value in inputs))) for i in range(2)]
    for whole, *parts in zip(batch, *single, strict=True):
        assert bool(whole.isfinite().all())
        assert torch.allclose(whole, torch.cat(parts), atol=1e-5)


@both_shapes
@every_case
def test_every_weight_learns(case: Case, which: int) -> None:
    net = case.build().train()
    sum(output.abs().square().sum() for output in outputs(net(*case.inputs(which)))).backward()
    for name, weight in net.named_parameters():
        if name.startswith(case.idle):
            assert weight.grad is None, name
            continue
        assert weight.grad is not None, name
        assert bool(weight.grad.isfinite().all()), name


@every_case
def test_a_net_from_a_file_says_the_same(case: Case) -> None:
    first, second, inputs = case.build(1).eval(), case.build(2).eval(), case.inputs(0)
    content = safetensors.torch.save(first.state_dict())
    second.load_state_dict(safetensors.torch.load(content), strict=True)
    with torch.inference_mode():
        results = zip(outputs(first(*inputs)), outputs(second(*inputs)), strict=True)
        assert all(torch.equal(here, there) for here, there in results)


@every_case
def test_inputs_are_left_alone(case: Case) -> None:
    inputs, same = case.inputs(0), case.inputs(0)
    case.build().eval()(*inputs)
    assert all(torch.equal(left, right) for left, right in zip(inputs, same, strict=True))


@pytest.mark.gpu
@both_shapes
@every_case
def test_cuda_gives_the_numbers_of_the_cpu(case: Case, which: int) -> None:
    net, inputs = case.build().eval(), case.inputs(which)
    with torch.inference_mode():
        here = outputs(net(*inputs))
        there = outputs(net.cuda()(*(value.cuda() for value in inputs)))
    for left, right in zip(here, there, strict=True):
        assert torch.allclose(left, right.cpu(), atol=1e-3, rtol=1e-3)


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


@every_case
def test_the_seed_decides_the_weights(case: Case) -> None:
    first, again, other = (case.build(seed).state_dict() for seed in (1, 1, 2))
    assert list(first) == list(again) == list(other)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
    assert all(bool(value.isfinite().all()) for value in first.values())


@every_case
def test_building_a_net_leaves_the_global_generator_alone(case: Case) -> None:
    before = torch.get_rng_state()
    case.build()
    assert torch.equal(torch.get_rng_state(), before)
