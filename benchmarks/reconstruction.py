"""Reconstruction beside SigPy and BART: time and difference, 8 coils, 320 x 320.

    python benchmarks/reconstruction.py [--rounds 5] [--only cg_sense,espirit] [--processor]

A slice of a synthetic head seen by smooth coils, every fourth line and 24 around the centre, noise.
All solve the same problem with as many iterations, get the same two threads and alternate within
each round, so that a busy machine slows all: read the ratio, not the seconds.  ``--processor``
counts processor seconds instead, for a machine whose cores are shared.  BART reads and writes files
in memory; its own time, where it tells one, stands beside that of the whole call.  The difference
is the root mean square one over the head, after the best common scale, and for maps one less the
cosine between coil vectors.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isocenter.data.kspace import KSpace, Mask
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.ops.coils import espirit
from isocenter.ops.fourier import fft
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient
from isocenter.restorers import l1_wavelet, zero_filled

SIDE, N_COILS, ACCELERATION, ACS, NOISE = 320, 8, 4, 24, 0.01
N_ITERATIONS, RIDGE = 30, 0.01
N_SHRUNK, THRESHOLD = 60, 0.01
"""Iterations of everyone's wavelets, and their weight in units of the data."""
GOALS = {
    ("cg_sense", "sigpy"): 4.0,
    ("cg_sense", "bart"): 4.0,
    ("espirit", "sigpy"): 6.0,
    ("espirit", "bart"): 1.0,
    ("l1_wavelet", "bart"): 1.0,
}

Call = Callable[[], Tensor]


@dataclass(frozen=True, eq=False)
class Problem:
    """What all of them get."""

    image: Tensor
    """(y, x), white matter 1."""
    maps: Tensor
    """(coil, y, x)."""
    mask: Tensor
    """bool (y, x)."""
    kspace: Tensor
    """(coil, y, x), 0 where not measured."""


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    kind = "processor s" if options.processor else "s"
    problem = made_problem()
    acceleration = problem.mask.numel() / int(problem.mask.sum())
    print(
        f"torch {torch.__version__}, {options.threads} threads, {N_COILS} coils, {SIDE} x {SIDE}, "
        f"true acceleration {acceleration:.2f}, medians of {options.rounds}, {kind}\n"
    )
    print("| method | peer | peer s | peer's own s | Isocenter s | ratio | goal | difference |")
    print("|-|-|-|-|-|-|-|-|")
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        bart = Bart(Path(folder), problem)
        for name in options.only.split(","):
            _compare(name, problem, bart, options.rounds, options.processor)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="cg_sense,espirit,l1_wavelet")
    parser.add_argument("--processor", action="store_true")
    return parser.parse_args()


def made_problem() -> Problem:
    image = head_phantom((SIDE, SIDE, 9), scale=1.0).data[:, :, 4].to(torch.complex64)
    place = torch.linspace(-1, 1, SIDE)
    maps = []
    for coil in range(N_COILS):
        turn = torch.tensor(2 * torch.pi * coil / N_COILS)
        down, across = (place - 1.3 * turn.sin())[:, None], place - 1.3 * turn.cos()
        phase = turn + place[:, None] * (turn + 1).sin() + place * (turn + 1).cos()
        maps.append(torch.polar(1 / (down**2 + across**2 + 0.5), phase))
    stack = torch.stack(maps)
    stack = stack / torch.linalg.vector_norm(stack, dim=0)
    kspace = fft(stack * image, (-2, -1))
    noise = torch.randn(kspace.shape, generator=generator(1), dtype=kspace.dtype)
    columns = torch.arange(SIDE)
    lines = (columns % ACCELERATION == 0) | ((columns - SIDE // 2 + 0.5).abs() < ACS / 2)
    mask = lines.expand(SIDE, SIDE).contiguous()
    return Problem(image, stack, mask, (kspace + NOISE * noise) * mask)


class Bart:
    """BART's commands on files of one problem."""

    def __init__(self, folder: Path, problem: Problem) -> None:
        self.folder = folder
        self.own_seconds: float | None = None
        for name, values in (("kspace", problem.kspace), ("maps", problem.maps)):
            array = values.permute(1, 2, 0).unsqueeze(2).numpy()
            (folder / f"{name}.hdr").write_text(f"# Dimensions\n{SIDE} {SIDE} 1 {N_COILS}\n")
            (folder / f"{name}.cfl").write_bytes(array.tobytes(order="F"))

    def __call__(self, command: str) -> Tensor:
        done = subprocess.run(
            ["bart", *command.split()], cwd=self.folder, check=True, capture_output=True, text=True
        )
        _, _, told = done.stdout.partition("Total Time: ")
        self.own_seconds = float(told.split()[0]) if told else None
        values = np.frombuffer((self.folder / "out.cfl").read_bytes(), np.complex64)
        grid = values.reshape(SIDE, SIDE, -1, order="F")
        return torch.from_numpy(grid.transpose(2, 0, 1).copy())


def calls_of(name: str, problem: Problem, bart: Bart) -> dict[str, Call]:
    """The same method by everyone; a new one is one function more."""
    made = {"cg_sense": _cg_sense, "espirit": _espirit, "l1_wavelet": _l1_wavelet}
    return made[name](problem, bart)


def _cg_sense(problem: Problem, bart: Bart) -> dict[str, Call]:
    import sigpy.mri.app as sigpy

    def ours() -> Tensor:
        sense = Sense(problem.maps[None, None], problem.mask[None])
        return conjugate_gradient(
            lambda x: torch.add(sense.normal(x), x, alpha=RIDGE),
            sense.H(problem.kspace[None]),
            n_iterations=N_ITERATIONS,
        )[0]

    def of_sigpy() -> Tensor:
        given = (problem.kspace.numpy(), problem.maps.numpy(), RIDGE)
        app = sigpy.SenseRecon(*given, max_iter=N_ITERATIONS, show_pbar=False)
        return torch.from_numpy(app.run())[None]

    command = f"pics -l2 -r{RIDGE} -i{N_ITERATIONS} -S -w1 kspace maps out"
    return {"isocenter": ours, "sigpy": of_sigpy, "bart": lambda: bart(command)}


def _espirit(problem: Problem, bart: Bart) -> dict[str, Call]:
    import sigpy.mri.app as sigpy

    def ours() -> Tensor:
        return espirit(problem.kspace[None], (ACS, ACS))[0, 0]

    def of_sigpy() -> Tensor:
        app = sigpy.EspiritCalib(
            problem.kspace.numpy(), ACS, crop=0.9, max_iter=N_ITERATIONS, show_pbar=False
        )
        return torch.from_numpy(app.run())

    # BART compares squares of singular values with its threshold.
    command = f"ecalib -m1 -r{ACS} -k6 -t0.0004 -c0.9 kspace out"
    return {"isocenter": ours, "sigpy": of_sigpy, "bart": lambda: bart(command)}


def _l1_wavelet(problem: Problem, bart: Bart) -> dict[str, Call]:
    import sigpy.mri.app as sigpy

    places = Mask(problem.mask[None])
    kspace = KSpace(problem.kspace[None], places, np.eye(4), problem.maps[None, None])
    plain = zero_filled.reconstruct(kspace, zero_filled.Options(), rng=generator(0), progress=None)
    bright = float(plain.facts["scale"][0])  # type: ignore[arg-type, index]
    options = l1_wavelet.Options(weight=THRESHOLD / bright, n_iterations=N_SHRUNK)

    def ours() -> Tensor:
        return l1_wavelet.reconstruct(kspace, options, rng=generator(0), progress=None).image

    def of_sigpy() -> Tensor:
        given = (problem.kspace.numpy(), problem.maps.numpy(), THRESHOLD)
        app = sigpy.L1WaveletRecon(*given, max_iter=N_SHRUNK, show_pbar=False)
        return torch.from_numpy(app.run())[None]

    command = f"pics -RW:3:0:{THRESHOLD} -i{N_SHRUNK} -S -w1 kspace maps out"
    return {"isocenter": ours, "sigpy": of_sigpy, "bart": lambda: bart(command)}


def _compare(name: str, problem: Problem, bart: Bart, rounds: int, processor: bool) -> None:
    calls = calls_of(name, problem, bart)
    if shutil.which("bart") is None:
        calls.pop("bart")
    results = {tool: call() for tool, call in calls.items()}
    seconds: dict[str, list[float]] = {tool: [] for tool in calls}
    own = []
    for _ in range(rounds):
        for tool, call in calls.items():
            start = _clock(processor)
            call()
            seconds[tool].append(_clock(processor) - start)
        if bart.own_seconds is not None:
            own.append(bart.own_seconds)
    ours = seconds.pop("isocenter")
    for tool, theirs in seconds.items():
        ratio = statistics.median(t / i for t, i in zip(theirs, ours, strict=True))
        told = f"{statistics.median(own):.2f}" if own and tool == "bart" else ""
        difference = DIFFERENCES[name](results["isocenter"], results[tool], problem.image.abs())
        print(
            f"| {name} | {tool} | {statistics.median(theirs):.3f} | {told} | "
            f"{statistics.median(ours):.3f} | {ratio:.1f} | {GOALS.get((name, tool), '')} | "
            f"{difference:.1e} |",
            flush=True,
        )


def _clock(processor: bool) -> float:
    """Wall seconds, or those that processors spent on this process and its children."""
    times = os.times()
    return sum(times[:4]) if processor else time.perf_counter()


def _image_difference(ours: Tensor, theirs: Tensor, image: Tensor) -> float:
    ours, theirs = ours[0][image > 0], theirs[0][image > 0]
    scale = torch.vdot(ours, theirs) / ours.norm() ** 2
    return float((scale * ours - theirs).norm() / theirs.norm())


def _map_difference(ours: Tensor, theirs: Tensor, image: Tensor) -> float:
    both = (image > 0) & (theirs.abs().sum(0) > 0) & (ours.abs().sum(0) > 0)
    cosine = (ours.conj() * theirs).sum(0).abs()
    return float(1 - (cosine / theirs.norm(dim=0).clamp_min(1e-12))[both].mean())


DIFFERENCES = {
    "cg_sense": _image_difference,
    "espirit": _map_difference,
    "l1_wavelet": _image_difference,
}


if __name__ == "__main__":
    main()
