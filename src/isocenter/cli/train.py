"""``isocenter train``: from a recipe and a folder of scans to a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from isocenter.errors import UsageError

__all__ = ["train"]

INTERRUPTED = 130


def train(
    recipe: str,
    data: Path,
    /,
    *,
    out: Path,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = (),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    devices: int = 1,
    workers: int = 0,
    precision: Literal["auto", "32", "bf16"] | None = None,
) -> int:
    """Train a recipe.

    Args:
        recipe: Its name; see `isocenter list recipes`.
        data: Folder with the scans.
        out: The run's folder; made if it is missing.
        settings: KEY=VALUE, as in schedule.n_steps=100; may be given several times.
        device: Where to train: cpu, cuda, or auto (cuda where there is a GPU).
        devices: How many GPUs of this machine, or processes without one.
        workers: Processes that make examples, for each device.
        precision: The recipe's own when not given; else short for --set schedule.precision.
    """
    if devices < 1:
        raise UsageError(f"--devices is {devices}: give 1 or more")
    if workers < 0:
        raise UsageError(f"--workers is {workers}: give 0 or more")
    if precision is not None:
        settings = (*settings, f"schedule.precision={precision}")
    from isocenter.cli._assessing import prepare_folder
    from isocenter.training.engine.run import read_recipe
    from isocenter.training.engine.run import train as run

    read_recipe(recipe, settings)  # a wrong name must not leave a folder behind
    prepare_folder(out)
    finished = run(
        recipe,
        data,
        out,
        settings=settings,
        device=device,
        n_devices=devices,
        n_workers=workers,
        say=_say,
    )
    return 0 if finished else INTERRUPTED


def _say(line: str) -> None:
    print(line, flush=True)
