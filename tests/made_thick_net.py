"""Small, untrained networks of thick slices in files, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ThickScan
from isocenter.data.random import generator
from isocenter.nets import slab_unet

SMALL = {"widths": (8, 12), "n_down": (1, 1), "n_up": (1,), "n_condition": 4}


def made_slab_unet(
    folder: Path,
    *,
    spread: float = 0.02,
    ratios: tuple[int, int] = (2, 8),
    calibration: dict[str, Any] | None = None,
) -> Path:
    """The file of a network that adds something of its own to an interpolation."""
    net = slab_unet.build(slab_unet.Config(**SMALL))  # type: ignore[arg-type]
    with torch.no_grad():
        net.last.weight.normal_(0, spread, generator=generator(1))
    return saved(
        folder / "siqt.safetensors",
        "slab_unet",
        {**SMALL},
        net,
        ratios=ratios,
        calibration={"interval": {"0.9": 2.0}} if calibration is None else calibration,
    )


def saved(
    path: Path,
    name: str,
    config: dict[str, Any],
    net: torch.nn.Module,
    *,
    ratios: tuple[int, int] = (2, 8),
    calibration: dict[str, Any] | None = None,
    says: str = "mean",
) -> Path:
    """A checkpoint as the recipe makes it."""
    return Checkpoint(
        net=name,
        config=config,
        preprocess=ThickScan(ratios=ratios).to_json(),
        outputs={"thin": [says, "log_variance"]},
        calibration=calibration or {},
        card={"name": "made for tests"},
        tensors=net.state_dict(),
    ).save(path)
