"""Time and memory of enhancing a scan: one tiled pass beside the published patches.

    python benchmarks/enhance.py [--rounds 3] [--threads 2] [--share 0.05] [--weights FILE]

The thick slices become 256 x 256 x 152 at a ratio of 4.  Every row is a process of its own, whose
peak memory is the operating system's.  ``published patches`` is what SIQT's code does with the
network of published size (9,685,017 weights): patches that become 32 x 32 x 32 voxels, of which the
middle 16 x 16 x 16 are kept, in batches of 32; a share of them is timed, and all are counted.
``tiled`` is the same network with the same random weights as ``isocenter enhance`` runs it.
Nothing is blank, so no tile is passed over.  Read the ratio, not the seconds, on a busy machine;
processor seconds are those of all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ThickScan
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.nets import aniso_unet, slab_unet

RATIO, SIDE, N_THICK = 4, 256, 38
PATCH, KEPT, BATCH = 32, 16, 32
GOAL_RATIO, GOAL_GB, GOAL_SECONDS = 4.0, 2.0, 90.0


def main() -> None:
    options = _options()
    if options.child:
        _child(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder) / "published.safetensors"
        _published().save(published)
        compact = options.weights or Path(folder) / "compact.safetensors"
        if not options.weights:
            _compact().save(compact)
        found = {
            "published patches, float32": _measured(options, "patches", published),
            "published patches, short numbers": _measured(options, "patches-short", published),
            "the same network, tiled": _measured(options, "tiled", published),
            "compact network, 4 members": _measured(options, "members", compact),
        }
    print(_table(found, options))


def _table(found: dict[str, dict[str, float]], options: argparse.Namespace) -> str:
    ours = found["the same network, tiled"]
    n_patches = _n_patches()
    timed = max(1, round(options.share * n_patches / BATCH)) * BATCH
    lines = [
        f"torch {torch.__version__}, {options.threads} threads, medians of {options.rounds}; of "
        f"{n_patches} patches {timed} are timed",
        "",
        "| what | s | processor s | peak GB | times the tiled pass | goal |",
        "|---|---|---|---|---|---|",
    ]
    goals = {
        "published patches, float32": f"{GOAL_RATIO:g} times",
        "the same network, tiled": f"{GOAL_GB:g} GB",
        "compact network, 4 members": f"{GOAL_SECONDS:g} s",
    }
    for name, row in found.items():
        ratio = row["processor"] / ours["processor"]
        lines.append(
            f"| {name} | {row['wall']:.1f} | {row['processor']:.1f} | {row['peak']:.2f} | "
            f"{ratio:.2f} | {goals.get(name, '')} |"
        )
    return "\n".join(lines)


def _measured(options: argparse.Namespace, what: str, weights: Path) -> dict[str, float]:
    rounds = [_round(options, what, weights) for _ in range(options.rounds)]
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def _round(options: argparse.Namespace, what: str, weights: Path) -> dict[str, float]:
    """One process; what it prints last is its wall and processor seconds."""
    command = [sys.executable, __file__, "--child", what, "--weights", str(weights)]
    command += ["--threads", str(options.threads), "--share", str(options.share)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed: run it by hand")
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return json.loads(told.splitlines()[-1]) | {"peak": usage.ru_maxrss / unit}


def _child(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    work, scale = _patches(options) if options.child.startswith("patches") else _whole(options)
    wall, processor = time.perf_counter(), time.process_time()
    work()
    taken = {
        "wall": scale * (time.perf_counter() - wall),
        "processor": scale * (time.process_time() - processor),
    }
    print(json.dumps(taken))


def _whole(options: argparse.Namespace) -> tuple[Callable[[], None], float]:
    from isocenter.restorers import siqt

    members = 4 if options.child == "members" else 1
    scan, weights = _scan(), str(options.weights)

    def work() -> None:
        chosen = siqt.Options(ratio=RATIO, axis=2, members=members, weights=weights, device="cpu")
        siqt.enhance(scan, chosen, rng=generator(0))

    return work, 1.0


def _patches(options: argparse.Namespace) -> tuple[Callable[[], None], float]:
    """Batches of patches through the network; what to multiply their time with for all."""
    checkpoint = Checkpoint.load(options.weights)
    net = aniso_unet.build(aniso_unet.Config(**checkpoint.config)).eval()
    checkpoint.load_into(net)
    n_batches = max(1, round(options.share * _n_patches() / BATCH))
    batch = torch.rand(BATCH, 1, PATCH, PATCH, PATCH // RATIO, generator=generator(1))
    short = options.child == "patches-short"

    @torch.inference_mode()
    def work() -> None:
        for _ in range(n_batches):
            with torch.autocast("cpu", torch.bfloat16, enabled=short):
                net(batch)

    return work, _n_patches() / (n_batches * BATCH)


def _n_patches() -> int:
    sides = (SIDE, SIDE, N_THICK * RATIO)
    return int(np.prod([-(-side // KEPT) for side in sides]))


def _scan() -> Volume:
    data = 0.5 + 0.5 * torch.rand(SIDE, SIDE, N_THICK, generator=generator(2))
    return Volume(data, np.diag([1.0, 1.0, float(RATIO), 1.0]), "T1w")


def _published() -> Checkpoint:
    config = aniso_unet.Config(ratio=RATIO)
    return _saved("aniso_unet", config, aniso_unet.build(config), (RATIO, RATIO))


def _compact() -> Checkpoint:
    config = slab_unet.Config()
    return _saved("slab_unet", config, slab_unet.build(config), (2, 8))


def _saved(name: str, config: object, net: torch.nn.Module, ratios: tuple[int, int]) -> Checkpoint:
    return Checkpoint(
        net=name,
        config=asdict(config),  # type: ignore[call-overload]
        preprocess=ThickScan(ratios=ratios).to_json(),
        outputs={"thin": ["mean"]},
        calibration={},
        card={"name": name, "task": "benchmark with random weights"},
        tensors=net.state_dict(),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.05, help="of the patches that is timed")
    parser.add_argument("--weights", type=Path, help="of the compact network; random if not given")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
