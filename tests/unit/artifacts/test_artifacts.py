"""Names, levels, and the exact meaning of a few drawn values."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from isocenter import registry
from isocenter.artifacts import PRESETS, artifact, preset_names, replay, versions
from isocenter.artifacts.motion import _rotation
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UnknownName, UsageError
from isocenter.ops.acquire import real_fourier_basis
from isocenter.ops.filters import gaussian_blur, gaussian_blur_torch
from isocenter.ops.fourier import fft, ifft, line_operator
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.resample import resample_affine, resample_affine_torch


def apply(name: str, volume: Volume, **params: object) -> torch.Tensor:
    result: torch.Tensor = registry.artifacts.get(name).apply(
        volume, {"preset": "physical", "level": 1} | params
    )
    return result


def test_names() -> None:
    assert set(PRESETS["physical"]) <= set(registry.artifacts.names())
    assert preset_names() == ("hsfnet-2025", "physical", "rad-iqmri")
    assert len(versions("physical")) == 24
    assert ("motion", 4) in versions("hsfnet-2025")


@pytest.mark.parametrize(
    ("name", "level", "preset", "error", "words"),
    [
        ("moton", 1, "physical", UnknownName, "did you mean 'motion'"),
        ("motion", 1, "physicl", UnknownName, "did you mean 'physical'"),
        ("motion", 5, "physical", UsageError, "level 5 of motion is not one of 0, 1, 2, 3, 4"),
        ("motion", -1, "physical", UsageError, "choose one"),
        ("motion", True, "physical", UsageError, "choose one"),
        ("bias", 1, "hsfnet-2025", UsageError, "has no artifact 'bias'.*another preset: physical"),
    ],
)
def test_what_does_not_exist_is_refused(
    name: str, level: int, preset: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        artifact(name, level, preset=preset)


def test_a_single_voxel_is_refused() -> None:
    with pytest.raises(BadVolume, match="single voxel"):
        artifact("ghosting", 1)(Volume(torch.ones(1, 1, 1), np.eye(4)), rng=generator(0))


def test_the_package_is_light() -> None:
    heavy = "{'torch', 'numba', 'scipy'}"
    code = f"import sys, isocenter.artifacts; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_given_parameters_are_not_drawn() -> None:
    volume = head_phantom((20, 20, 20))
    drawn = artifact("noise", 2)(volume, rng=generator(0)).history[-1].params
    given = artifact("noise", 2, given={"sigma": 7})(volume, rng=generator(0))
    assert given.history[-1].params == {**drawn, "sigma": 7}
    assert torch.equal(replay(volume, given.history).data, given.data)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"sigm": 1.0}, UnknownName, "did you mean 'sigma'"),
        ({"level": 3}, UnknownName, "level"),
        ({"sigma": "much"}, UsageError, "sigma is 'much': give something like"),
        ({"sigma": True}, UsageError, "sigma is True"),
        ({"sigma": math.inf}, UsageError, "sigma is inf"),
        ({"stream": 1.5}, UsageError, "stream is 1.5"),
    ],
)
def test_a_parameter_of_another_kind_is_refused(
    given: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        artifact("noise", 2, given=given)(head_phantom((12, 12, 12)), rng=generator(0))


def test_a_trajectory_in_place_of_drawn_movements() -> None:
    volume = head_phantom((24, 24, 24))
    rows = [[0.2, 0.0, 3.0, 0.0, 2.0, 0.0, 0.0], [0.7, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0]]
    moved = artifact("motion", 3, given={"trajectory": rows})(volume, rng=generator(0))
    params = moved.history[-1].params
    assert params["times"] == [0.2, 0.7]
    assert params["translation"] == [[0.0, 3.0, 0.0], [0.0, -1.0, 0.0]]
    assert params["degrees"] == [[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    # who moves when all is acquired is not seen to have moved
    late = [[0.999, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0]]
    still = artifact("motion", 3, given={"trajectory": late})(volume, rng=generator(0)).data
    early = [[0.001, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0]]
    away = artifact("motion", 3, given={"trajectory": early})(volume, rng=generator(0)).data
    off = [float((image - volume.data).abs().mean()) for image in (still, moved.data, away)]
    assert off[0] < 0.1 * off[1] < off[2]


@pytest.mark.parametrize("rows", [[], [[0.5, 1.0]], [[0.5] * 7, [0.5] * 7], [[1.0] * 7]])
def test_a_trajectory_that_is_none_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(UsageError, match="trajectory"):
        artifact("motion", 3, given={"trajectory": rows})(
            head_phantom((12, 12, 12)), rng=generator(0)
        )


def test_only_physical_motion_takes_a_trajectory() -> None:
    made = artifact("motion", 3, preset="hsfnet-2025", given={"trajectory": [[0.5] * 7]})
    with pytest.raises(UsageError, match="--preset physical"):
        made(head_phantom((12, 12, 12)), rng=generator(0))


def test_physical_noise_follows_the_head_and_not_the_units() -> None:
    volume = head_phantom((40, 40, 40))
    brighter = Volume(volume.data * 37, volume.affine)
    for seed in range(6):
        steps = [
            artifact("noise", 2)(v, rng=generator(seed)).history[-1] for v in (volume, brighter)
        ]
        sigmas = [float(step.params["sigma"]) for step in steps]  # type: ignore[arg-type]
        assert sigmas[1] == pytest.approx(37 * sigmas[0], rel=1e-5)
        assert 0.03 <= sigmas[0] / head_scale(volume.data) <= 0.04


def test_g_factor_map_keeps_the_mean_power() -> None:
    volume = Volume(torch.zeros(40, 44, 48), np.eye(4))
    g_factor = {"peak": 1.7, "centre": [0.1, -0.2, 0.0], "spread": 0.4}
    noisy = apply("noise", volume, sigma=10.0, g_factor=g_factor, stream=1)
    assert float(noisy.square().mean()) == pytest.approx(2 * 100, rel=0.02)
    assert float(noisy[15:30, 12:28, 16:32].mean()) > 1.5 * float(noisy[:6, :6, :6].mean())


def test_physical_blur_is_in_mm() -> None:
    point = torch.zeros(41, 41, 41)
    point[20, 20, 20] = 1
    volume = Volume(point, np.diag([0.5, 1.0, 2.0, 1.0]))
    spread = apply("blur", volume, width=[2.0, 2.0, 2.0], unit="mm")
    for axis, size in enumerate((0.5, 1.0, 2.0)):
        profile = spread.sum([a for a in range(3) if a != axis])
        place = (torch.arange(41) - 20) * size
        assert math.sqrt(float((profile * place**2).sum())) == pytest.approx(2.0, rel=0.02)


def test_motion_turns_about_the_heads_centre() -> None:
    volume = head_phantom((40, 40, 40))
    centre = head_mask(volume.data).nonzero().double().mean(0)
    params = {"axis": 1, "held": 0, "centre": centre.tolist()}
    # All lines but one see the turned head, so the image is the turned head.
    turned = apply(
        "motion",
        volume,
        times=[1e-9],
        degrees=[[0.0, 0.0, 30.0]],
        translation=[[0.0, 0.0, 0.0]],
        **params,
    )
    moved = head_mask(turned).nonzero().double().mean(0)
    assert float((moved - centre).norm()) < 0.5
    assert float((turned - volume.data).norm() / volume.data.norm()) > 0.1


def test_translation_along_the_lines_is_exact() -> None:
    volume = head_phantom((30, 33, 28), 2.0)
    params = {"axis": 1, "held": 0, "centre": [14.5, 16.0, 13.5], "degrees": [[0.0, 0.0, 0.0]]}
    moved = apply("motion", volume, times=[0.0], translation=[[0.0, 6.0, 0.0]], **params)
    torch.testing.assert_close(moved, volume.data.roll(3, 1), rtol=1e-4, atol=0.05)


def test_longest_rest_covers_the_centre() -> None:
    volume = head_phantom((16, 18, 17))
    module = registry.artifacts.get("motion")
    for level in (1, 2, 3, 4):
        for seed in range(40):
            params = module.draw(volume, level, rng=generator(seed))
            cuts = [0.0, *params["times"], 1.0]
            rests = np.diff(cuts)
            held = params["held"]
            assert rests[held] == pytest.approx(rests.max())
            assert cuts[held] <= 0.5 < cuts[held + 1]
            reach = np.abs(params["degrees"]).max()
            low, high = {1: (0.5, 1.5), 2: (2, 3), 3: (4, 5.5), 4: (7, 10)}[level]
            assert low <= reach <= high


def test_rotation_is_a_rotation() -> None:
    matrix = _rotation([10.0, -20.0, 30.0])
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_bias_spans_what_was_drawn() -> None:
    volume = head_phantom((40, 44, 36))
    mask = head_mask(volume.data)
    ones = Volume(torch.ones(volume.shape), volume.affine)
    kinds = set()
    for seed in range(12):
        params = registry.artifacts.get("bias").draw(volume, 4, rng=generator(seed))
        field = registry.artifacts.get("bias").apply(ones, params)
        inside = field[mask]
        assert float(inside.mean()) == pytest.approx(1, abs=0.02)
        assert float(inside.max() - inside.min()) == pytest.approx(params["span"], rel=0.1)
        assert float(field.max()) <= float(inside.max()) * 1.1
        kinds.add(params["kind"])
    assert kinds == {"coils", "polynomial"}


def test_spike_is_relative_to_the_untouched_spectrum() -> None:
    volume = head_phantom((24, 25, 26))
    height, places = 0.5, [[3, 0, 2], [-4, 5, 0]]
    spiked = apply("spike", volume, height=height, places=places, phases=[0.3, 1.2])
    amplitude = height * float(volume.data.mean())
    assert float((spiked - volume.data).abs().max()) <= 2 * amplitude * 1.001
    air = volume.data == 0
    assert float(spiked[air].max()) == pytest.approx(2 * amplitude, rel=0.05)


def test_fourier_is_orthonormal_and_undone() -> None:
    image = torch.randn(7, 8, 9, generator=generator(1), dtype=torch.float64)
    kspace = fft(image, (0, 2))
    assert float(kspace.abs().norm()) == pytest.approx(float(image.norm()))
    torch.testing.assert_close(ifft(kspace, (0, 2)).real, image)


@pytest.mark.parametrize("n", [2, 7, 8])
def test_line_operator_weights_lines(n: int) -> None:
    weights = torch.randn(n, 2, generator=generator(2), dtype=torch.float64)
    lines = torch.view_as_complex(weights)
    image = torch.randn(n, generator=generator(3), dtype=torch.float64)
    wanted = ifft(fft(image, (0,)) * lines, (0,))
    torch.testing.assert_close(line_operator(lines) @ image.to(lines.dtype), wanted)
    basis = real_fourier_basis(n)
    torch.testing.assert_close(basis @ basis.T, torch.eye(n, dtype=torch.float64))


@pytest.mark.parametrize("fill", [None, -3.0])
def test_compiled_resampling_equals_plain(fill: float | None) -> None:
    data = torch.rand(14, 11, 17, generator=generator(4))
    for degrees in ([0.0, 0.0, 0.0], [8.0, -9.0, 5.0], [90.0, 0.0, 180.0]):
        matrix, offset = _rotation(degrees), np.array([1.3, -2.2, 0.6])
        out = resample_affine(data, matrix, offset, out=torch.empty(data.shape), fill=fill)
        wanted = resample_affine_torch(data, matrix, offset, data.shape, fill=fill)
        torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sigma", [(0.4, 0.9, 2.0), (0.0, 5.0, 0.0), (7.0, 7.0, 7.0)])
def test_compiled_blur_equals_plain(sigma: tuple[float, float, float]) -> None:
    data = torch.rand(9, 12, 7, generator=generator(6))
    torch.testing.assert_close(
        gaussian_blur(data, sigma), gaussian_blur_torch(data, sigma), rtol=1e-4, atol=1e-5
    )
