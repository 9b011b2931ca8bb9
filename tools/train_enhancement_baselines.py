"""Train the networks that the shipped one is compared with, all on the same examples.

    python tools/train_enhancement_baselines.py --data DATA --out runs/baselines --ratio 4

The examples are those of the recipe ``siqt``, drawn once; every network gets the same processor
time and the optimizer of the shipped network, and says what cubic splines miss, as that one does;
with ``--says mean`` it says the image itself, as published, which takes far longer to learn.
``--width 16 --minutes 2000`` trains the published sizes.  The end is ``NET-RATIO.safetensors`` for
each.  The planar baseline is trained by the recipe itself: ``isocenter train siqt --set net=planar
ratio=4``.
"""

import argparse
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ThickScan
from isocenter.data.random import child, generator
from isocenter.datasets.collection import sources
from isocenter.nets import aniso_unet, espcn, iso_unet, sr_unet
from isocenter.ops.thick_slices import splined
from isocenter.training.engine.optimizers import make_optimizers
from isocenter.training.inputs.packed_scans import pack_scans
from isocenter.training.inputs.thick_examples import ThickExamples
from isocenter.training.recipes.siqt import RECIPE

N_STATISTICS = 40
"""Batches from which batch normalisation takes its statistics in the end."""
N_THICK, HALO = 4, 2
"""Thick slices of a crop that are learned, and at both ends those that are neighbours."""
WARM_UP = 0.05
"""Part of the time in which the learning rate rises."""


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    drawn: list[tuple[Tensor, Tensor]] = []
    for name in options.nets:
        file = options.out / f"{name}-{options.ratio}.safetensors"
        if file.exists():
            continue
        drawn = drawn or _examples(options)
        starts = range(0, len(drawn), options.batch)
        batches = [_stacked(drawn[i : i + options.batch]) for i in starts]
        config, net = _network(name, options)
        n_steps = _train(name, net, batches, options)
        _saved(name, config, net, n_steps, options).save(file)
        print(f"{file}: {sum(p.numel() for p in net.parameters())} weights, {n_steps} steps")


def _network(name: str, options: argparse.Namespace) -> tuple[Any, nn.Module]:
    ratio, width = options.ratio, options.width
    made: dict[str, tuple[Any, Any]] = {
        "aniso_unet": (aniso_unet, aniso_unet.Config(ratio=ratio, width=width)),
        "espcn": (espcn, espcn.Config(ratio=ratio)),
        "iso_unet": (iso_unet, iso_unet.Config(width=width)),
        "sr_unet": (sr_unet, sr_unet.Config(ratio=ratio, width=width)),
    }
    module, config = made[name]
    net = module.build(config, seed=options.seed)
    if options.says == "correction":
        _silence(net)
    return config, net


def _silence(net: nn.Module) -> None:
    """Let the last layer say nothing, so that training begins from cubic splines."""
    layers = [m for m in net.modules() if isinstance(m, nn.Conv3d | nn.ConvTranspose3d)]
    for weights in layers[-1].parameters():
        nn.init.zeros_(weights)


def _examples(options: argparse.Namespace) -> list[tuple[Tensor, Tensor]]:
    """Thick slices (1, x, y, z) and the thin ones of those that are no halo."""
    recipe = RECIPE(ratio=options.ratio, seed=options.seed)
    draws = replace(
        recipe.draws,
        ratios=(options.ratio,),
        ratio_weights=(1.0,),
        n_planes=options.side,
        reach=0,
        side=options.side,
        n_thin=N_THICK * options.ratio,
        halo=HALO,
    )
    people = set(recipe.split(options.data)["train"])
    scans = tuple(one for one in sources(options.data) if one.person in people)
    examples = ThickExamples(
        pack_scans(scans, options.packed or options.out / "train.safetensors"),
        draws,
        batch=1,
        length=options.n_examples,
        seed=options.seed,
    )
    return [(one.thick, one.thin) for one in map(examples.__getitem__, range(options.n_examples))]


def _stacked(some: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    thick, thin = zip(*some, strict=True)
    return torch.stack(thick), torch.stack(thin)


def _train(
    name: str, net: nn.Module, batches: list[tuple[Tensor, Tensor]], options: argparse.Namespace
) -> int:
    """Mean absolute error, Muon, one cosine over the time there is; the number of steps."""
    schedule = replace(RECIPE().schedule, learning_rate=options.rate)
    optimizers = make_optimizers(net, schedule)
    began, budget = time.process_time(), 60 * options.minutes
    recent = 0.0
    for step, (thick, thin) in enumerate(_forever(batches, options.seed)):
        spent = time.process_time() - began
        if spent >= budget:
            break
        done = spent / budget
        rate = min(done / WARM_UP, 0.5 + 0.5 * math.cos(math.pi * done))
        for group in itertools.chain(*(one.param_groups for one in optimizers)):
            group["lr"] = group["share"] * options.rate * max(rate, 1e-3)
        loss = (_said(name, net, thick, options) - thin).abs().mean()
        net.zero_grad()
        loss.backward()
        # torch 2.13 makes wrong gradients of kernels in bfloat16 on a CPU where a side is 2 voxels.
        nn.utils.clip_grad_norm_(net.parameters(), 1.0, error_if_nonfinite=True)
        for optimizer in optimizers:
            optimizer.step()
        recent = float(loss.detach()) if step == 0 else 0.98 * recent + 0.02 * float(loss.detach())
        if step % 20 == 0:
            print(f"{name} {step}: {done:.0%}, loss {recent:.4f}", flush=True)
    _normalise(name, net, batches, options)
    return step


def _forever(batches: list[tuple[Tensor, Tensor]], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """In another order, and mirrored otherwise, in every round."""
    for visit in itertools.count():
        rng = child(generator(seed), "visit", visit)
        for index in torch.randperm(len(batches), generator=rng).tolist():
            thick, thin = batches[index]
            axes = [axis for axis in (1, 2, 3) if float(torch.rand((), generator=rng)) < 0.5]
            yield thick.flip([axis + 1 for axis in axes]), thin.flip(axes)


def _said(name: str, net: nn.Module, thick: Tensor, options: argparse.Namespace) -> Tensor:
    """Thin slices (B, x, y, h) of what is no halo."""
    ratio = options.ratio
    splines = splined(thick, ratio)
    with torch.autocast("cpu", torch.bfloat16):
        said: Tensor = net(splines if name == "iso_unet" else thick)
    whole = said.float() + splines if options.says == "correction" else said.float()
    return whole[:, 0, ..., HALO * ratio : -HALO * ratio]


@torch.no_grad()
def _normalise(
    name: str, net: nn.Module, batches: list[tuple[Tensor, Tensor]], options: argparse.Namespace
) -> None:
    """Statistics of batch normalisation anew: the published memory outlasts a short training."""
    layers = [part for part in net.modules() if isinstance(part, nn.BatchNorm3d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    for thick, _ in batches[:N_STATISTICS] if layers else []:
        _said(name, net.train(), thick, options)
    net.eval()


def _saved(
    name: str, config: Any, net: nn.Module, n_steps: int, options: argparse.Namespace
) -> Checkpoint:
    recipe = RECIPE()
    least, most = recipe.draws.noise
    seen = ThickScan(ratios=(options.ratio, options.ratio), least=least, most=most)
    return Checkpoint(
        net=name,
        config=asdict(config),
        preprocess=seen.to_json(),
        outputs={"thin": [options.says]},
        calibration={},
        card={
            "name": f"{name}-{options.ratio}",
            "task": "comparison of networks for thick slices; research use only",
            "minutes": options.minutes,
            "steps": n_steps,
            "examples": options.n_examples,
            "seed": options.seed,
        },
        tensors=net.state_dict(),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--packed", type=Path, help="where the scans are packed already")
    parser.add_argument("--ratio", type=int, default=4)
    parser.add_argument("--nets", nargs="+", default=["aniso_unet", "sr_unet", "iso_unet", "espcn"])
    parser.add_argument("--width", type=int, default=4, help="of the U-Nets; 16 as published")
    parser.add_argument("--minutes", type=float, default=15.0, help="of processor time, each")
    parser.add_argument("--says", choices=["correction", "mean"], default="correction")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--n-examples", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
