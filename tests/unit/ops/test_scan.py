"""The selective scan against a plain loop, in every form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.ops import scan
from isocenter.ops.scan import selective_scan

LENGTHS = (1, 2, 5, 16, 37, 64)


def arguments(
    length: int, dtype: torch.dtype = torch.float64, *, batch: int = 2, channels: int = 3
) -> list[Tensor]:
    rng = generator(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=dtype)

    groups, states = 2, 4
    step = torch.nn.functional.softplus(normal(batch, groups, channels, length) - 2)
    decay = -8 * torch.rand(groups, channels, states, generator=rng, dtype=dtype)
    weights = [normal(batch, groups, states, length) for _ in range(2)]
    u, skip = normal(batch, groups, channels, length), normal(groups, channels)
    return [u, step, decay, *weights, skip]


def loop(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The recurrence as the paper writes it, one step after the other."""
    state = torch.zeros(*u.shape[:3], a.shape[-1], dtype=u.dtype)
    out = []
    for t in range(u.shape[-1]):
        state = torch.exp(delta[..., t, None] * a) * state
        state = state + (delta[..., t] * u[..., t])[..., None] * b[:, :, None, :, t]
        out.append((state * c[:, :, None, :, t]).sum(-1) + d * u[..., t])
    return torch.stack(out, -1)


@pytest.mark.parametrize("length", LENGTHS)
def test_equals_the_loop(length: int) -> None:
    given = arguments(length)
    assert torch.allclose(selective_scan(*given), loop(*given), rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_float32_stays_near_the_float64_loop(length: int) -> None:
    given = arguments(length)
    truth = loop(*given)
    single = selective_scan(*[x.float() for x in given])
    assert (single.double() - truth).abs().max() <= 1e-4 * truth.abs().max()


@pytest.mark.parametrize("length", [1, 6])
def test_gradients(length: int) -> None:
    given = [x.requires_grad_() for x in arguments(length)]
    assert torch.autograd.gradcheck(selective_scan, given)


@pytest.mark.parametrize("length", [1, 37, 256])
def test_compiled_loop_and_two_levels_agree(length: int) -> None:
    """Training on a CPU takes the compiled loop: same values, same gradients."""
    given = [x.requires_grad_() for x in arguments(length, torch.float32, channels=5)]
    weight = torch.randn(given[0].shape, generator=generator(1))
    results = []
    for form in (scan._SelectiveScan, scan._CompiledScan):
        for x in given:
            x.grad = None
        y = form.apply(*given)
        (y * weight).sum().backward()
        results.append([y.detach(), *[x.grad.clone() for x in given]])
    for plain, compiled in zip(*results, strict=True):
        assert (plain - compiled).abs().max() <= 2e-6 * plain.abs().max()


def test_which_form_runs() -> None:
    """Only training in float32 on a CPU waits for the compiler."""
    given = arguments(8, torch.float32)
    assert "Compiled" in _form([x.requires_grad_() for x in given])
    assert "Selective" in _form([x.double().detach().requires_grad_() for x in given])
    with torch.no_grad():
        assert selective_scan(*given).grad_fn is None


def _form(given: list[Tensor]) -> str:
    return type(selective_scan(*given).grad_fn).__name__


def test_large_decay_does_not_overflow() -> None:
    u, delta, a, b, c, d = arguments(64, torch.float32)
    y = selective_scan(u, 50 * delta, 16 * a, b, c, d)
    assert y.isfinite().all()


def test_strong_decay_forgets() -> None:
    """With an endless decay the state is this step's input alone."""
    u, delta, a, b, c, d = arguments(9)
    y = selective_scan(u, delta, a - 1e6, b, c, d)
    alone = (delta * u) * (b * c).sum(2, keepdim=True) + d[None, :, :, None] * u
    assert torch.allclose(y, alone)


@pytest.mark.gpu
def test_cuda_equals_cpu() -> None:
    given = arguments(100, torch.float32)
    here = selective_scan(*given)
    there = selective_scan(*[x.cuda() for x in given]).cpu()
    assert (here - there).abs().max() <= 1e-4 * here.abs().max()


def test_much_inference_takes_the_compiled_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for form in ("_SelectiveScan", "_CompiledScan"):
        real = getattr(scan, form).apply
        monkeypatch.setattr(
            getattr(scan, form), "apply", lambda *x, f=form, r=real: taken.append(f) or r(*x)
        )
    given = arguments(64, torch.float32)
    little = selective_scan(*given)
    monkeypatch.setattr(scan, "MUCH", given[0].numel() * given[2].shape[-1])
    much = selective_scan(*given)
    assert taken == ["_SelectiveScan", "_CompiledScan"]
    assert (little - much).abs().max() <= 2e-6 * little.abs().max()
