"""Artifacts beside TorchIO: time, error and memory, on one synthetic 256 x 256 x 150 head.

    python benchmarks/artifacts.py [--rounds 5] [--only motion,blur] [--no-memory]

Both get the same parameters (preset ``hsfnet-2025``), the same two threads and alternate
within each round, so that a busy machine slows both; read the ratio, not the seconds.
Both run unmeasured for a second first, compiled kernels included. Peak memory is what a fresh
process needs on top of having imported everything, loaded the head and done the same to a small
one.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isocenter import registry
from isocenter.artifacts import versions
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume

SHAPE = (256, 256, 150)
SMALL = (32, 32, 30)
N_THREADS = 2
PRESET = "hsfnet-2025"
GOALS = {"motion": 6.0, "ghosting": 8.0, "spike": 7.0, "blur": 3.0, "noise": 1.5}
WARM_UP = 1.0
"""Seconds that both run unmeasured: threads, pages and clocks take a while to settle."""
SET_GOAL, MEMORY_GOAL = 5.0, 4.0


def main() -> None:
    options = _options()
    torch.set_num_threads(N_THREADS)
    if options.child:
        tool, name, level = options.child.split(",")
        print(_peak_here(tool, name, int(level)))
        return
    names = options.only.split(",") if options.only else list(GOALS)
    chosen = [(name, level) for name, level in versions(PRESET) if name in names]
    volume = made_head(SHAPE)
    _print_head()
    rows = []
    for name, level in chosen:
        rows.append(_row(volume, name, level, options.rounds, not options.no_memory))
        _print_row(rows[-1])
    _print_total(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def made_head(shape: tuple[int, int, int]) -> Volume:
    clean = head_phantom(shape)
    params = {"preset": "physical", "level": 1, "sigma": 10.0, "g_factor": None, "stream": 1}
    return Volume(registry.artifacts.get("noise").apply(clean, params), np.eye(4), "T1w")


def _calls(volume: Volume, name: str, level: int) -> dict[str, Callable[[], torch.Tensor]]:
    """The same artifact on the same head by both."""
    module = registry.artifacts.get(name)
    rng = child(generator(2025), name, level)
    params = module.draw(volume, level, preset=PRESET, rng=rng)
    transform = torchio_transform(name, params, volume.shape)
    return {
        "isocenter": lambda: module.apply(volume, params),
        "torchio": lambda: transform(volume.data[None])[0],
    }


def torchio_transform(name: str, params: dict[str, Any], shape: tuple[int, ...]) -> Any:
    import torchio as tio

    if name == "motion":
        moves = (np.array(params[key]) for key in ("degrees", "translation", "times"))
        return tio.Motion(*moves, image_interpolation="linear")
    if name == "ghosting":
        return tio.Ghosting(params["every"], params["axis"], params["share"], restore=None)
    if name == "spike":
        half = np.array(shape) // 2
        positions = (np.array(params["places"]) + half + 0.5) / shape
        return tio.Spike(spikes_positions=positions, intensity=params["height"])
    if name == "blur":
        return tio.Blur(std=tuple(params["width"]))
    return tio.Noise(mean=0.0, std=params["sigma"], seed=params["stream"] % 2**32)


def _row(volume: Volume, name: str, level: int, rounds: int, memory: bool) -> dict[str, Any]:
    calls = _calls(volume, name, level)
    results = {tool: call() for tool, call in calls.items()}
    began = time.perf_counter()
    while time.perf_counter() - began < WARM_UP:
        for call in calls.values():
            call()
    seconds: dict[str, list[float]] = {tool: [] for tool in calls}
    for _ in range(rounds):
        for tool, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[tool].append(time.perf_counter() - start)
    error = (results["isocenter"] - results["torchio"]).abs().max()
    return {
        "name": name,
        "level": level,
        "seconds": {tool: statistics.median(values) for tool, values in seconds.items()},
        "ratio": statistics.median(
            t / i for t, i in zip(seconds["torchio"], seconds["isocenter"], strict=True)
        ),
        "error": None if name == "noise" else float(error / results["torchio"].abs().max()),
        "memory": {tool: _peak(tool, name, level) for tool in calls} if memory else None,
    }


def _peak(tool: str, name: str, level: int) -> float:
    command = [sys.executable, __file__, "--child", f"{tool},{name},{level}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _peak_here(tool: str, name: str, level: int) -> float:
    """MiB of this process above what it needed before."""
    _calls(made_head(SMALL), name, level)[tool]()
    call = _calls(made_head(SHAPE), name, level)[tool]
    # Making the head took more than it needs: forget that peak, so that only the call counts.
    Path("/proc/self/clear_refs").write_text("5")
    before = _high_water()
    result = call()
    after = _high_water()
    assert torch.isfinite(result).all()
    return (after - before) / 1024


def _high_water() -> int:
    """Largest resident memory since it was last forgotten, KiB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _print_head() -> None:
    print(f"torch {torch.__version__}, {N_THREADS} threads, {SHAPE}, float32, medians\n")
    print("| artifact | level | TorchIO s | Isocenter s | ratio | goal | error | MiB | MiB ratio |")
    print("|-|-|-|-|-|-|-|-|-|")


def _print_total(rows: list[dict[str, Any]]) -> None:
    totals = [sum(row["seconds"][tool] for row in rows) for tool in ("torchio", "isocenter")]
    print(
        f"| all {len(rows)} | | {totals[0]:.2f} | {totals[1]:.2f} | "
        f"{totals[0] / totals[1]:.1f} | {SET_GOAL} | | | |"
    )


def _print_row(row: dict[str, Any]) -> None:
    theirs, ours = row["seconds"]["torchio"], row["seconds"]["isocenter"]
    error = "other stream" if row["error"] is None else f"{row['error']:.1e}"
    memory, share = "", ""
    if row["memory"]:
        peaks = row["memory"]
        memory = f"{peaks['torchio']:.0f} / {peaks['isocenter']:.0f}"
        share = f"{peaks['torchio'] / max(peaks['isocenter'], 1e-9):.1f}"
        share += f" (goal {MEMORY_GOAL})" if row["name"] == "motion" else ""
    print(
        f"| {row['name']} | {row['level']} | {theirs:.3f} | {ours:.3f} | {row['ratio']:.1f} | "
        f"{GOALS[row['name']]} | {error} | {memory} | {share} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
