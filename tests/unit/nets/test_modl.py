"""MoDL: its count, its data step against a solved system, and gradients against differences."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets.modl import Config, MoDL, build
from isocenter.ops.sense import Sense

SMALL = Config(n_turns=2, n_layers=3, width=4, solver_iterations=40)


def problem(side: int = 6, n_coils: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    rng = generator(2)
    maps = torch.randn(1, n_coils, side, side, generator=rng, dtype=torch.complex64)
    maps = maps / maps.abs().square().sum(1, keepdim=True).sqrt()
    mask = (torch.rand(1, side, side, generator=rng) < 0.5).contiguous()
    kspace = torch.randn(1, n_coils, side, side, generator=rng, dtype=torch.complex64)
    return kspace * mask[:, None], mask, maps


def denoising(config: Config, seed: int) -> MoDL:
    """A network whose denoiser says something from the start."""
    net = build(config, seed=seed).eval()
    torch.nn.init.constant_(net.noise[-1].weight, 0.7)
    return net


def matrix(operator: Sense, side: int) -> Tensor:
    """``A^H A``, column by column."""
    unit = torch.eye(side * side, dtype=torch.complex64).view(-1, 1, 1, side, side)
    return torch.stack([operator.normal(column).flatten() for column in unit], dim=1)


def test_the_published_size() -> None:
    net = build(Config())
    convolutions = 9 * (2 * 64 + 3 * 64 * 64 + 64 * 2)
    norms = 2 * (4 * 64 + 2)
    assert sum(weight.numel() for weight in net.parameters()) == convolutions + norms + 1
    assert float(net.log_weight.detach().exp()) == pytest.approx(0.05)


def test_a_turn_solves_the_equations_of_the_data() -> None:
    net = denoising(dataclasses.replace(SMALL, n_turns=1), 5)
    kspace, mask, maps = problem()
    operator = Sense(maps[:, None], mask)
    with torch.no_grad():
        start = operator.adjoint(kspace)
        weight, denoised = 0.05, net.denoised(start)
        system = matrix(operator, 6) + weight * torch.eye(36)
        wanted = torch.linalg.solve(system, (start + weight * denoised).flatten())
        found = net(kspace, mask, maps).flatten()
    assert torch.allclose(found, wanted, atol=2e-4 * float(wanted.abs().max()))


def test_without_a_denoiser_turn_after_turn_comes_nearer_to_least_squares() -> None:
    kspace, _, maps = problem()
    mask = torch.ones(1, 6, 6, dtype=torch.bool)
    truth = Sense(maps[:, None], mask).adjoint(kspace)[:, 0]
    with torch.no_grad():
        image = build(SMALL).eval()(kspace, mask, maps)
    assert torch.allclose(image, truth, atol=1e-4)


def test_the_denoiser_takes_away_what_its_layers_say() -> None:
    net = denoising(SMALL, 1)
    image = torch.randn(2, 1, 5, 4, generator=generator(0), dtype=torch.complex64)
    parts = torch.stack([image[:, 0].real, image[:, 0].imag], dim=1)
    with torch.no_grad():
        said = net.noise(parts)
        wanted = image[:, 0] - torch.complex(said[:, 0], said[:, 1])
        assert torch.allclose(net.denoised(image)[:, 0], wanted, atol=1e-6)


def test_gradients_pass_through_all_conjugate_gradients() -> None:
    net = denoising(SMALL, 2).double()
    kspace, mask, maps = (v.to(torch.complex128) if v.is_complex() else v for v in problem())

    def loss() -> Tensor:
        return net(kspace, mask, maps).abs().square().sum()

    loss().backward()
    for weight in (net.log_weight, net.noise[0].weight):
        place = (0,) * weight.ndim
        assert weight.grad is not None
        slope = float(weight.grad[place])
        step = 1e-5
        with torch.no_grad():
            weight[place] += step
            above = float(loss())
            weight[place] -= 2 * step
            below = float(loss())
            weight[place] += step
        assert slope == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(
    ("field", "value"), [("n_turns", 0), ("n_layers", 1), ("width", 0), ("first_weight", 0.0)]
)
def test_sizes_that_cannot_be_are_refused(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{field} is {value:g}"):
        Config(**{field: value})  # type: ignore[arg-type]
