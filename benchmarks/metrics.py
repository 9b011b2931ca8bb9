"""Full-reference metrics beside their peers: time and difference, on slices and a volume.

    python benchmarks/metrics.py [--slices 256] [--side 176] [--rounds 5] [--only ssim,fsim]

The slices of a synthetic head, 256 x 256, and a cube of it, with noise and blur, single precision.
All get the same two threads and alternate within each round, so that a busy machine slows all:
read the ratio, not the seconds.  ``--processor`` counts processor seconds instead, for a machine
whose cores are shared; take one thread with it (``--threads 1``), as waiting threads count too.
Every metric of the registry has a row that needs no trained weights.  Ours get all slices at once.
Peers get the middle ``--peer-slices`` in batches of 1, 4 or 16, whichever they are fastest with, or
one by one where they know no batch, and their time is scaled to all slices; with ``--at-once`` they
get all slices in one call, as ours do.  The difference is the largest of these slices.
"""

from __future__ import annotations

import argparse
import inspect
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import Tensor

from isocenter import registry
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.ops.filters import gaussian_blur

SIDE = 256
GOALS = {
    ("ssim", "scikit-image"): 10.0,
    ("ssim", "torchmetrics"): 30.0,
    ("ssim 3-D", "torchmetrics"): 20.0,
    **{(name, "piq"): 3.0 for name in ("fsim", "vsi", "sr_sim", "vifp", "ms_ssim")},
}
BATCHES = (1, 4, 16)
TOTAL_GOAL = 60.0
"""Seconds for all metrics of one volume of 256 slices."""
KNOWN_DIFFERENCES = {
    ("ms_ssim", "torchmetrics"): "counts borders",
    ("ssim", "torchmetrics"): "counts borders",
    ("uqi", "torchmetrics"): "other window",
    ("mdsi", "piq"): "grey as colour",
    ("vsi", "piq"): "grey as colour",
    ("sr_sim", "piq"): "batch has one scale",
}

Metric = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.processor else time.perf_counter
    kind = "processor s" if options.processor else "s"
    print(f"torch {torch.__version__}, {options.threads} threads, medians of {options.rounds}\n")
    print(f"| metric | peer | peer, {kind} | Isocenter, {kind} | ratio | goal | difference |")
    print("|-|-|-|-|-|-|-|")
    total, wanted = 0.0, options.only.split(",") if options.only else registry.metrics.names()
    slices = [each[:, None] for each in _pair((SIDE, SIDE, options.slices))]
    n_few = options.slices if options.at_once else min(options.peer_slices, options.slices)
    few, sizes = _middle(slices, n_few), (n_few,) if options.at_once else BATCHES
    for name in filter(_compares, wanted):
        peers = {
            tool: _at_its_best(peer, few, sizes, clock) for tool, peer in _peers(name, 2).items()
        }
        total += _rows(name, _ours(name), peers, slices, few, options.rounds, clock)
    print(
        f"| all, {options.slices} slices | | | {total:.1f} | | {TOTAL_GOAL:.0f} s | |", flush=True
    )
    if options.side:
        cube = [each[None, None] for each in _pair((options.side,) * 3)]
        for name in filter(_compares, wanted):
            if peers := _peers(name, 3):
                _rows(f"{name} 3-D", _ours(name), peers, cube, cube, options.rounds, clock)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--slices", type=int, default=256)
    parser.add_argument("--peer-slices", type=int, default=16, help="that peers are timed on")
    parser.add_argument("--at-once", action="store_true", help="peers get all slices in one call")
    parser.add_argument("--side", type=int, default=176, help="of the cube; 0 leaves 3-D out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--only", default="")
    return parser.parse_args()


def _pair(shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """A head with a little noise, and the same blurred and with more: from 0 to 1."""
    rng = generator(2025)
    clean = head_phantom(shape).data
    clean = clean / clean.max() + 0.01 * torch.randn(shape, generator=rng)
    worse = gaussian_blur(clean, (0.6, 0.6, 0.6)) + 0.02 * torch.randn(shape, generator=rng)
    image, reference = (each.clamp(0, 1).movedim(2, 0).contiguous() for each in (worse, clean))
    return image, reference


def _middle(slices: list[Tensor], n_slices: int) -> list[Tensor]:
    first = (len(slices[0]) - n_slices) // 2
    return [each[first : first + n_slices] for each in slices]


def _at_its_best(
    peer: Metric, few: list[Tensor], sizes: tuple[int, ...], clock: Callable[[], float]
) -> Metric:
    """A peer with the batch size that serves it best."""
    seconds = {}
    with torch.inference_mode():
        peer(*_middle(few, 1))
        for size in sizes:
            start = clock()
            _batched(peer, size)(*few)
            seconds[size] = clock() - start
    return _batched(peer, min(seconds, key=lambda size: seconds[size]))


def _batched(metric: Metric, size: int) -> Metric:
    return lambda image, clean: torch.cat(
        [metric(*pair).flatten() for pair in zip(image.split(size), clean.split(size), strict=True)]
    )


def _compares(name: str) -> bool:
    """Whether a metric has a reference, and needs no trained weights."""
    parameters = inspect.signature(getattr(registry.metrics.get(name), name)).parameters
    trained = "weights" in parameters and parameters["weights"].default is None
    return "reference" in parameters and not trained


def _ours(name: str) -> Metric:
    function: Any = getattr(registry.metrics.get(name), name)
    if "data_range" not in inspect.signature(function).parameters:
        return function  # type: ignore[no-any-return]
    return lambda image, clean: function(image, clean, data_range=1.0)


def _rows(
    name: str,
    ours: Metric,
    peers: dict[str, Metric],
    pair: list[Tensor],
    few: list[Tensor],
    rounds: int,
    clock: Callable[[], float],
) -> float:
    """Print one row for each peer, timed on few of the pair's slices; seconds that ours takes."""
    calls = {"": ours, **peers}
    seconds: dict[str, list[float]] = {tool: [] for tool in calls}
    with torch.inference_mode():
        values = {tool: call(*few).flatten().double() for tool, call in calls.items()}
        for _ in range(rounds):
            for tool, call in calls.items():
                given = few if tool else pair
                start = clock()
                call(*given)
                seconds[tool].append((clock() - start) * len(pair[0]) / len(given[0]))
    own = statistics.median(seconds[""])
    for tool in peers or {"": ours}:
        ratio = statistics.median(t / o for t, o in zip(seconds[tool], seconds[""], strict=True))
        print(_row(name, tool, statistics.median(seconds[tool]), own, ratio, values), flush=True)
    return own


def _row(
    name: str, tool: str, theirs: float, own: float, ratio: float, values: dict[str, Tensor]
) -> str:
    if not tool:
        return f"| {name} | - | | {own:.3f} | | | |"
    difference = f"{float((values[tool] - values['']).abs().max()):.1e}"
    if reason := KNOWN_DIFFERENCES.get((name.removesuffix(" 3-D"), tool)):
        difference += f" ({reason})"
    goal = GOALS.get((name, tool), "")
    return f"| {name} | {tool} | {theirs:.3f} | {own:.3f} | {ratio:.1f} | {goal} | {difference} |"


def _peers(name: str, n_axes: int) -> dict[str, Metric]:
    """Other programs' forms of a metric, for so many axes."""
    tools = {
        "scikit-image": _scikit_image(),
        "torchmetrics": _torchmetrics(n_axes),
        "MONAI": _monai(n_axes),
    }
    if n_axes == 2:
        tools |= {"piq": _piq(), "sewar": _sewar()}
    return {tool: metrics[name] for tool, metrics in tools.items() if name in metrics}


def _piq() -> dict[str, Metric]:
    # It imports torchvision for networks that nothing here uses.
    if "piq" not in sys.modules:
        stand_ins = dict.fromkeys(("torchvision", "torchvision.models"), MagicMock())
        sys.modules.update(stand_ins)
        import_module("piq")
        for stand_in in stand_ins:
            del sys.modules[stand_in]
    peer: Any = import_module("piq")
    warnings.filterwarnings("ignore", message="The original (MDSI|VSI)")
    functions = {
        "dss": peer.dss,
        "fsim": partial(peer.fsim, chromatic=False),
        "gmsd": peer.gmsd,
        "haarpsi": peer.haarpsi,
        "iw_ssim": peer.information_weighted_ssim,
        "mdsi": peer.mdsi,
        "ms_gmsd": peer.multi_scale_gmsd,
        "ms_ssim": peer.multi_scale_ssim,
        "psnr": peer.psnr,
        "sr_sim": peer.srsim,
        "ssim": partial(peer.ssim, downsample=False),
        "vifp": peer.vif_p,
        "vsi": peer.vsi,
    }
    return {name: partial(call, reduction="none") for name, call in functions.items()}


def _torchmetrics(n_axes: int) -> dict[str, Metric]:
    peer: Any = import_module("torchmetrics.functional.image")
    ranged = {"data_range": 1.0, "reduction": "none"}
    found: dict[str, Metric] = {
        "ms_ssim": partial(peer.multiscale_structural_similarity_index_measure, **ranged),
        "ssim": partial(peer.structural_similarity_index_measure, **ranged),
    }
    if n_axes == 2:
        found |= {
            "uqi": _mean_of(partial(peer.universal_image_quality_index, reduction="none")),
            "vifp": lambda x, y: peer.visual_information_fidelity(
                255 * x, 255 * y, reduction="none"
            ),
        }
    return found


def _monai(n_axes: int) -> dict[str, Metric]:
    peer: Any = import_module("monai.metrics.regression")
    return {
        "ms_ssim": partial(peer.compute_ms_ssim, spatial_dims=n_axes, data_range=1.0),
        "ssim": _mean_of(partial(_monai_ssim, peer, n_axes)),
    }


def _monai_ssim(peer: Any, n_axes: int, image: Tensor, clean: Tensor) -> Tensor:
    return peer.compute_ssim_and_cs(  # type: ignore[no-any-return]
        image,
        clean,
        n_axes,
        kernel_size=[11] * n_axes,
        kernel_sigma=[1.5] * n_axes,
        data_range=1.0,
    )[0]


def _scikit_image() -> dict[str, Metric]:
    peer: Any = import_module("skimage.metrics")
    weights = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "mse": _each(peer.mean_squared_error),
        "nmse": _each(lambda y, x: peer.normalized_root_mse(y, x, normalization="euclidean") ** 2),
        "psnr": _each(partial(peer.peak_signal_noise_ratio, data_range=1.0)),
        "ssim": _each(partial(peer.structural_similarity, data_range=1.0, **weights)),
    }


def _sewar() -> dict[str, Metric]:
    peer: Any = import_module("sewar")
    return {"vifp": _each(lambda y, x: peer.vifp(255 * y, 255 * x))}


def _mean_of(quality: Metric) -> Metric:
    """Mean of every image's map."""
    return lambda image, clean: quality(image, clean).flatten(1).mean(1)


def _each(function: Callable[..., float]) -> Metric:
    """A function of two arrays, reference first, for every image of a batch."""
    return lambda image, clean: torch.tensor(
        [function(y[0].numpy(), x[0].numpy()) for x, y in zip(image, clean, strict=True)]
    )


if __name__ == "__main__":
    main()
