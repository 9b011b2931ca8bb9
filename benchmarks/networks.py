"""The published HSFNet on a CPU: forward, training step, input and what feeds it.

    python benchmarks/networks.py [--rounds 3] [--threads 2]

- forward: batch 8 of the published network, in turn with the selective scan as it is here, as
  a plain loop over time that first stores decay and input of every state and step (the form in
  which the recurrence is usually written without a kernel), and as a tight loop that stores
  nothing;
- training step: batch 8 in a process of its own, seconds and peak memory;
- input: from a stored volume to the network's three inputs, as published (whole volume in
  float64 through ``scipy.ndimage.zoom``, NumPy's FFT) and as here, in turn;
- feed: distorted versions of one volume made on the fly, per second, beside the volumes that
  the training step above takes.

Read the ratios: both sides run in turn on the same cores.  Prints markdown tables.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import torch
from torch import Tensor

from isocenter.artifacts import artifact, versions
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import PublishedStack
from isocenter.data.random import child, generator
from isocenter.nets._blocks import ss2d
from isocenter.nets.hsfnet import Config, build
from isocenter.ops.slabs import published_inputs

BATCH = 8
SHAPE = (256, 256, 130)
STACK = PublishedStack()


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    if options.child:
        print(*_training_step(options.rounds))
        return
    print(f"torch {torch.__version__}, {options.threads} threads, batch {BATCH}, medians\n")
    for name, loop in (("plain", plain_scan), ("tight", tight_scan)):
        told = f"forward of the published network, {name} loop"
        _print_pair(told, *_forward(loop, options.rounds), goal=4, per=BATCH)
    _print_pair("from a volume to its inputs", *_inputs(10 * options.rounds), goal=20, per=1)
    step, peak = _in_own_process(options)
    print(f"\ntraining step: {step:.1f} s, {step / BATCH:.2f} s a volume, peak {peak:.1f} GB")
    _print_feed(step / BATCH)


def plain_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The recurrence with decay and input of every state and step made before."""
    decay = torch.exp(torch.einsum("bgel,gen->bgeln", delta, a))
    into = torch.einsum("bgel,bgnl,bgel->bgeln", delta, b, u)
    state = torch.zeros(*u.shape[:3], a.shape[-1])
    out = []
    for t in range(u.shape[-1]):
        state = decay[..., t, :] * state + into[..., t, :]
        out.append(torch.einsum("bgen,bgn->bge", state, c[..., t]))
    return torch.stack(out, -1) + d[None, :, :, None] * u


def tight_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The recurrence one step after the other, nothing stored but the output."""
    state = torch.zeros(*u.shape[:3], a.shape[-1])
    out = torch.empty_like(u)
    for t in range(u.shape[-1]):
        decay = torch.exp(delta[..., t, None] * a)
        state = decay * state + (delta[..., t] * u[..., t])[..., None] * b[:, :, None, :, t]
        out[..., t] = (state * c[:, :, None, :, t]).sum(-1)
    return out + d[None, :, :, None] * u


def published_code(stored: npt.NDArray[np.float64]) -> list[Tensor]:
    """What the published loader does with a stored volume, step by step."""
    stack = stored.transpose(STACK.axes)
    factors = (1, STACK.side / stack.shape[1], STACK.side / stack.shape[2])
    zoomed = scipy.ndimage.zoom(stack, factors, order=1)
    first = int(zoomed.shape[0] / 2 - STACK.n_slices / 2)
    slab = zoomed[first : first + STACK.n_slices]
    spectrum = np.fft.fftn(slab, axes=(0, 1, 2))
    return [torch.from_numpy(part).float() for part in (slab, spectrum.real, spectrum.imag)]


Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def _forward(scan: Scan, rounds: int) -> tuple[float, float, float]:
    net = build(Config()).eval()
    images = torch.randn(3, BATCH, 30, 128, 128, generator=generator(0))

    @torch.inference_mode()
    def ours() -> Tensor:
        return net(*images)

    @torch.inference_mode()
    def loop() -> Tensor:
        with patch.object(ss2d, "selective_scan", scan):
            return net(*images)

    error = float((ours() - loop()).abs().max())
    return *_in_turn(ours, loop, rounds), error


def _inputs(rounds: int) -> tuple[float, float, float]:
    volume = head_phantom(SHAPE)
    stored = volume.data.numpy().astype(np.float64)
    pairs = zip(published_inputs(volume.data, STACK), published_code(stored), strict=True)
    error = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    ours, theirs = _in_turn(
        lambda: published_inputs(volume.data, STACK), lambda: published_code(stored), rounds
    )
    return ours, theirs, error


def _training_step(rounds: int) -> tuple[float, float]:
    """Seconds of a step, and the peak memory of this process in GB."""
    net = build(Config()).train()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    images = torch.randn(3, BATCH, 30, 128, 128, generator=generator(0))
    classes = torch.arange(BATCH)
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(*images), classes).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return statistics.median(seconds[1:]), peak / (1e9 if sys.platform == "darwin" else 1e6)


def _in_own_process(options: argparse.Namespace) -> tuple[float, float]:
    given = ["--child", "--rounds", str(options.rounds), "--threads", str(options.threads)]
    command = [sys.executable, __file__, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    step, peak = map(float, done.stdout.split())
    return step, peak


def _print_feed(step: float) -> None:
    """Versions made per second, one by one, beside the volumes that a step takes per second."""
    volume = head_phantom(SHAPE)
    print("\n| preset | versions/s, drawn, applied and prepared | volumes/s of the step | ratio |")
    print("|-|-|-|-|")
    for preset in ("hsfnet-2025", "physical"):
        chosen = versions(preset)
        for repeat in range(2):  # the first round compiles kernels
            began = time.perf_counter()
            for name, level in chosen:
                rng = child(generator(repeat), name, level)
                published_inputs(artifact(name, level, preset=preset)(volume, rng=rng).data, STACK)
            rate = len(chosen) / (time.perf_counter() - began)
        print(f"| {preset} | {rate:.2f} | {1 / step:.2f} | {rate * step:.1f} |")


def _in_turn(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> list[float]:
    """Median seconds of each, run in turn."""
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        for i, call in enumerate((ours, theirs)):
            began = time.perf_counter()
            call()
            seconds[i].append(time.perf_counter() - began)
    return [statistics.median(s) for s in seconds]


def _print_pair(
    name: str, ours: float, theirs: float, error: float, *, goal: int, per: int
) -> None:
    print(
        f"{name}: {ours / per:.3f} s a volume against {theirs / per:.3f} s: "
        f"{theirs / ours:.1f} times (goal {goal}); largest difference {error:.1e}",
        flush=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
