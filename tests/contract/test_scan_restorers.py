"""Every restorer of scans, through one battery. A new file is found by itself."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import numpy as np
import pytest
import torch

from isocenter import registry
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UsageError
from isocenter.restorers import Enhanced, enhance, kspace_restorers, restore, scan_restorers
from tests.made_thick_net import made_slab_unet

NAMES = scan_restorers()
every_restorer = pytest.mark.parametrize("name", NAMES)
WITH_WEIGHTS = [n for n in NAMES if hasattr(registry.restorers.get(n).Options(), "weights")]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(made_slab_unet(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def scan() -> Volume:
    """A head in slices of 4 mm."""
    head = head_phantom((40, 36, 11))
    affine = head.affine.copy()
    affine[:3, 2] *= 4
    return Volume(head.data, affine, "T1w", head.history)


def options(name: str, weights: str, **given: Any) -> Any:
    chosen = registry.restorers.get(name).Options(**given)
    return dataclasses.replace(chosen, weights=weights) if name in WITH_WEIGHTS else chosen


def run(name: str, scan: Volume, weights: str, seed: int = 1, **given: Any) -> Enhanced:
    return enhance(scan, name, options(name, weights, **given), rng=generator(seed))


def volumes(made: Enhanced) -> list[Volume]:
    every = [made.image, made.deviation, made.lower, made.upper, made.interpolated]
    return [one for one in every if one is not None]


def moved(scan: Volume, order: tuple[int, int, int]) -> Volume:
    """The same scan with its axes in another order."""
    affine = scan.affine.copy()
    affine[:3, :3] = scan.affine[:3, list(order)]
    return Volume(scan.data.permute(order).contiguous(), affine, scan.contrast)


def test_there_are_restorers_of_scans_and_they_are_apart() -> None:
    assert {"linear", "cubic", "siqt"} <= {*NAMES}
    assert not {*NAMES} & {*kspace_restorers()}
    assert {*NAMES, *kspace_restorers()} == {*registry.restorers.names()}


@every_restorer
def test_a_restorer_says_what_it_is(name: str) -> None:
    module = registry.restorers.get(name)
    assert dataclasses.is_dataclass(module.Options)
    assert module.Options.__dataclass_params__.frozen
    assert "Options(" not in (module.Options.__doc__ or "Options("), "say what the options mean"
    assert "Raises:" in (inspect.getdoc(module.enhance) or "")
    json.dumps(dataclasses.asdict(module.Options()))


@every_restorer
def test_everything_is_on_the_thin_grid(name: str, scan: Volume, weights: str) -> None:
    made = run(name, scan, weights)
    for one in volumes(made):
        assert one.shape == (40, 36, 44)
        assert one.data.dtype == torch.float32
        assert bool(one.data.isfinite().all())
        np.testing.assert_array_equal(one.affine, made.image.affine)
        assert one.contrast == "T1w"
    np.testing.assert_allclose(made.image.spacing, (1, 1, 1))
    assert (made.facts["ratio"], made.facts["axis"]) == (4, 2)
    json.dumps(dict(made.facts), allow_nan=False)


@every_restorer
def test_the_history_says_what_was_done(name: str, scan: Volume, weights: str) -> None:
    step = run(name, scan, weights, seed=5).image.history[-1]
    assert (step.name, step.seed) == (name, 5)
    assert step.params["ratio"] == 4
    json.dumps(dict(step.params), allow_nan=False)


@every_restorer
def test_every_block_is_centred_on_its_thick_slice(name: str, scan: Volume, weights: str) -> None:
    made = run(name, scan, weights)
    for k in range(scan.shape[2]):
        middle = np.mean([made.image.affine @ [3, 5, h, 1] for h in range(4 * k, 4 * k + 4)], 0)
        np.testing.assert_allclose(middle, scan.affine @ [3, 5, k, 1], atol=1e-9)

    def centre(one: Volume) -> np.ndarray:
        mass = one.data.clamp_min(0).double().numpy()
        index = [(mass.sum(tuple({0, 1, 2} - {a})) @ np.arange(mass.shape[a])) / mass.sum()
                 for a in range(3)]  # fmt: skip
        return np.asarray(one.affine @ [*index, 1])

    np.testing.assert_allclose(centre(made.image), centre(scan), atol=0.25)


@every_restorer
@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1), (1, 0, 2)], ids=str)
def test_a_turned_scan_gives_the_turned_result(
    name: str, order: tuple[int, int, int], scan: Volume, weights: str
) -> None:
    plain, turned = run(name, scan, weights), run(name, moved(scan, order), weights)
    again = moved(plain.image, order)
    np.testing.assert_allclose(turned.image.affine, again.affine)
    axes = [one for one in order if one != 2]
    if axes == [0, 1]:  # the two axes within slices are where they were
        assert torch.allclose(turned.image.data, again.data, atol=1e-2)
    assert turned.facts["axis"] == order.index(2)


@every_restorer
def test_an_oblique_scan_stays_oblique(name: str, scan: Volume, weights: str) -> None:
    angle = 0.3
    turn = np.eye(4)
    turn[:3, :3] = [
        [np.cos(angle), -np.sin(angle), 0],
        [np.sin(angle), np.cos(angle), 0],
        [0, 0, 1],
    ]
    turn[:3, 3] = 7, -3, 11
    oblique = Volume(scan.data, turn @ scan.affine, "T1w")
    made = run(name, oblique, weights)
    np.testing.assert_allclose(made.image.affine, turn @ run(name, scan, weights).image.affine)


@every_restorer
def test_the_unit_of_the_scan_does_not_matter(name: str, scan: Volume, weights: str) -> None:
    plain = run(name, scan, weights)
    brighter = run(name, Volume(8 * scan.data, scan.affine, "T1w"), weights)
    for one, other in zip(volumes(plain), volumes(brighter), strict=True):
        assert torch.allclose(8 * one.data, other.data, atol=8e-2)


@every_restorer
def test_chance_is_the_seed_alone(name: str, scan: Volume, weights: str) -> None:
    state = torch.random.get_rng_state()
    first, second = run(name, scan, weights), run(name, scan, weights)
    for one, other in zip(volumes(first), volumes(second), strict=True):
        assert torch.equal(one.data, other.data)
    assert torch.equal(state, torch.random.get_rng_state())


@every_restorer
def test_the_scan_is_left_alone(name: str, scan: Volume, weights: str) -> None:
    data, affine = scan.data.clone(), scan.affine.copy()
    run(name, scan, weights)
    assert torch.equal(scan.data, data)
    np.testing.assert_array_equal(scan.affine, affine)


@every_restorer
@pytest.mark.parametrize("ratio", [2, 3, 5, 6, 8])
def test_every_ratio(name: str, ratio: int, scan: Volume, weights: str) -> None:
    affine = scan.affine.copy()
    affine[:3, 2] *= ratio / 4
    made = run(name, Volume(scan.data, affine), weights)
    assert made.image.shape == (40, 36, 11 * ratio)
    np.testing.assert_allclose(made.image.spacing, (1, 1, 1))


@every_restorer
def test_an_isotropic_scan_is_refused(name: str, weights: str) -> None:
    with pytest.raises(BadVolume, match=r"voxels are 1.00 x 1.00 x 1.00 mm, already isotropic"):
        run(name, head_phantom((24, 24, 24)), weights)


@every_restorer
def test_a_ratio_that_the_voxels_do_not_have_is_refused(
    name: str, scan: Volume, weights: str
) -> None:
    affine = scan.affine.copy()
    affine[:3, 2] /= 2
    half = Volume(scan.data, affine)
    with pytest.raises(UsageError, match=r"ratio 8 does not go with voxels of 1.00 x 1.00 x 2.00"):
        run(name, half, weights, ratio=8)
    with pytest.raises(UsageError, match="ratio is 9: give 2 to 8, or 0"):
        run(name, scan, weights, ratio=9)
    with pytest.raises(UsageError, match="axis is 3: give 0, 1 or 2"):
        run(name, scan, weights, axis=3)


@every_restorer
def test_restore_gives_the_same_image(name: str, scan: Volume, weights: str) -> None:
    given: dict[str, Any] = {"weights": weights} if name in WITH_WEIGHTS else {}
    made = restore(scan, name, rng=generator(1), ratio=4, device="cpu", **given)
    assert isinstance(made, Volume)
    assert torch.equal(made.data, run(name, scan, weights).image.data)
    assert made.history[-1].name == name


@every_restorer
def test_progress_ends_with_all_of_it(name: str, scan: Volume, weights: str) -> None:
    told: list[tuple[int, int]] = []
    enhance(
        scan,
        name,
        options(name, weights),
        rng=generator(0),
        progress=lambda done, of: told.append((done, of)),
    )
    assert told[-1][0] == told[-1][1] > 0
    assert told == sorted(told)
