"""Every restorer of k-space, through one battery. A new file is found by itself."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from isocenter import registry
from isocenter.data.kspace import KSpace, Mask
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.ops.coils import root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers import acquire, kspace_restorers
from isocenter.restorers._restored import Restored
from isocenter.training.recipes.supervised import MoDLConfig, SupervisedRecipe, VarNetConfig

SOURCE = re.compile(r"doi:10\.\d+/|arXiv:\d+|https?://", re.IGNORECASE)
FLOOR = ("zero_filled", "rss")
"""They fill nothing in: others must be better."""
SAMPLED = ("hfs_sde",)
"""They draw samples with a network."""


WEIGHTS: dict[str, str] = {}
"""Files of small, untrained networks for the methods that ship none."""


@pytest.fixture(scope="module", autouse=True)
def made_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("weights")
    for net in ("varnet", "modl"):
        recipe = SupervisedRecipe(
            net=net, varnet=VarNetConfig(1, 4, 1, 4, 1), modl=MoDLConfig(2, 2, 4)
        )
        file = recipe.checkpoint(recipe.network(), {}).save(folder / f"{net}.safetensors")
        WEIGHTS[net] = str(file)
    yield
    WEIGHTS.clear()


def options(name: str) -> Any:
    """The defaults, with weights where the user has to give them."""
    module = registry.restorers.get(name)
    return module.Options(weights=WEIGHTS[name]) if name in UNTRAINED else module.Options()


def takes_kspace(name: str) -> bool:
    return hasattr(registry.restorers.get(name), "reconstruct")


NAMES = [name for name in registry.restorers.names() if takes_kspace(name)]
UNTRAINED = [n for n in NAMES if getattr(registry.restorers.get(n), "NEEDS_WEIGHTS", False)]
every_restorer = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def kspaces() -> dict[str, KSpace]:
    """Three slices of a head in four coils, with all of k-space and with half of it."""
    scan = head_phantom((64, 40, 12))
    return {
        mask: acquire(
            scan,
            mask=mask,
            acceleration=2.0,
            acs=16,
            n_coils=4,
            noise=0.002,
            plane="axial",
            slices=(5, 8),
            keep_maps=True,
            rng=generator(3),
        )
        for mask in ("full", "uniform")
    }


def run(name: str, kspace: KSpace, seed: int = 1) -> Restored:
    module = registry.restorers.get(name)
    result: Restored = module.reconstruct(kspace, options(name), rng=generator(seed), progress=None)
    return result


def magnitude(kspace: KSpace) -> Tensor:
    """Of fully sampled k-space; equal to the combination with maps, but for noise."""
    return root_sum_of_squares(ifft(kspace.data, (-2, -1)))


def distance(image: Tensor, truth: Tensor) -> float:
    return float((image.abs() - truth.abs()).norm() / truth.norm())


def test_there_are_restorers() -> None:
    assert {"zero_filled", "rss", "sense", "l1_wavelet", "tv", "grappa", "spirit"} <= set(NAMES)


@every_restorer
def test_a_restorer_says_what_it_is(name: str) -> None:
    module: ModuleType = registry.restorers.get(name)
    assert isinstance(module.NEEDS_MAPS, bool)
    assert dataclasses.is_dataclass(module.Options)
    assert module.Options.__dataclass_params__.frozen
    assert "Options(" not in (module.Options.__doc__ or "Options("), "say what the options mean"
    assert SOURCE.search(inspect.getdoc(module.reconstruct) or "")
    json.dumps(dataclasses.asdict(module.Options()))


@every_restorer
def test_the_result_is_an_image_of_every_slice(name: str, kspaces: dict[str, KSpace]) -> None:
    result = run(name, kspaces["uniform"])
    assert result.image.shape == (3, *kspaces["uniform"].grid)
    assert result.image.dtype == torch.complex64
    assert bool(result.image.isfinite().all())
    json.dumps(dict(result.facts), allow_nan=False)
    residuals = result.facts["data_residual"]
    assert isinstance(residuals, list)
    assert len(residuals) == 3


@every_restorer
def test_it_is_better_than_zeros(name: str, kspaces: dict[str, KSpace]) -> None:
    if name in FLOOR:
        pytest.skip(f"{name} is the floor")
    if name in UNTRAINED:
        pytest.skip(f"the weights of {name} are made up here")
    truth = magnitude(kspaces["full"])
    floor = distance(run("zero_filled", kspaces["uniform"]).image, truth)
    assert distance(run(name, kspaces["uniform"]).image, truth) < 0.8 * floor


@every_restorer
def test_all_of_kspace_gives_the_image(name: str, kspaces: dict[str, KSpace]) -> None:
    if name in UNTRAINED:
        pytest.skip(f"the weights of {name} are made up here")
    assert distance(run(name, kspaces["full"]).image, magnitude(kspaces["full"])) < 0.01


@every_restorer
def test_slices_do_not_depend_on_each_other(name: str, kspaces: dict[str, KSpace]) -> None:
    if name in SAMPLED:
        pytest.skip("every slice draws from a stream of its own, by its number")
    kspace = kspaces["uniform"]
    together = run(name, kspace).image
    alone = torch.cat([run(name, kspace.slices(slice(i, i + 1))).image for i in range(3)])
    assert torch.allclose(together, alone, rtol=1e-5, atol=1e-5 * float(alone.abs().max()))


@every_restorer
@pytest.mark.parametrize("factor", [2.0**-20, 1e3, 1j], ids=str)
def test_the_unit_of_kspace_does_not_matter(
    name: str, factor: complex, kspaces: dict[str, KSpace]
) -> None:
    if name in (*UNTRAINED, *SAMPLED) and isinstance(factor, complex):
        pytest.skip("a network of real and imaginary parts knows which is which")
    kspace = kspaces["uniform"].slices(slice(1, 2))
    plain = run(name, kspace).image * (abs(factor) if name == "rss" else factor)
    scaled = run(name, dataclasses.replace(kspace, data=kspace.data * factor)).image
    assert distance(scaled, plain) < 1e-3
    if kspace.maps is not None and registry.restorers.get(name).NEEDS_MAPS:
        assert float((scaled - plain).norm() / plain.norm()) < 1e-3


@every_restorer
def test_chance_is_the_seed_alone(name: str, kspaces: dict[str, KSpace]) -> None:
    kspace = kspaces["uniform"].slices(slice(0, 1))
    state = torch.random.get_rng_state()
    first, second = run(name, kspace, seed=5), run(name, kspace, seed=5)
    assert torch.equal(first.image, second.image)
    assert torch.equal(state, torch.random.get_rng_state())


@every_restorer
def test_kspace_is_left_alone(name: str, kspaces: dict[str, KSpace]) -> None:
    kspace = kspaces["uniform"].slices(slice(0, 1))
    data, maps = kspace.data.clone(), kspace.maps.clone() if kspace.maps is not None else None
    run(name, kspace)
    assert torch.equal(kspace.data, data)
    assert maps is None or torch.equal(kspace.maps, maps)


@every_restorer
def test_nothing_gives_nothing(name: str, kspaces: dict[str, KSpace]) -> None:
    kspace = kspaces["uniform"].slices(slice(0, 1))
    empty = dataclasses.replace(kspace, data=torch.zeros_like(kspace.data))
    assert bool((run(name, empty).image == 0).all())


@every_restorer
def test_every_slice_has_its_own_mask(name: str, kspaces: dict[str, KSpace]) -> None:
    if name in SAMPLED:
        pytest.skip("every slice draws from a stream of its own, by its number")
    kspace = kspaces["uniform"].slices(slice(0, 2))
    places = kspace.mask.places[0]
    masks = torch.stack([places, places | (torch.arange(places.shape[1]) < 9)])
    full = kspaces["full"].slices(slice(0, 2))
    both = dataclasses.replace(full, data=full.data * masks[:, None], mask=Mask(masks))
    second = both.slices(slice(1, 2))
    assert torch.allclose(
        run(name, both).image[1], run(name, second).image[0], rtol=1e-4, atol=1e-2
    )


@pytest.mark.parametrize("name", UNTRAINED)
def test_without_weights_one_sentence_says_what_to_give(
    name: str, kspaces: dict[str, KSpace]
) -> None:
    module = registry.restorers.get(name)
    with pytest.raises(UsageError, match=r"--set weights=FILE"):
        module.reconstruct(kspaces["uniform"], module.Options(), rng=generator(0), progress=None)


def test_methods_that_need_a_file_are_not_ready() -> None:
    assert {*kspace_restorers()} - {*kspace_restorers(ready=True)} == {*UNTRAINED}
    assert {"modl", "varnet"} <= {*UNTRAINED}


@every_restorer
def test_progress_ends_with_all_slices(name: str, kspaces: dict[str, KSpace]) -> None:
    told: list[tuple[int, int]] = []
    module = registry.restorers.get(name)
    module.reconstruct(
        kspaces["uniform"],
        options(name),
        rng=generator(0),
        progress=lambda done, of: told.append((done, of)),
    )
    assert told[-1] == (3, 3)
    assert told == sorted(told)
