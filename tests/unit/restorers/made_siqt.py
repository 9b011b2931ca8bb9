"""A network of thick slices in its file, untrained but for a nudge: small, quick, with doubt."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ThickScan
from isocenter.nets import slab_unet

CONFIG = slab_unet.Config(
    widths=(8, 16), n_down=(1, 1), n_up=(1,), n_condition=8, n_members=2, n_keeping=1
)


def save_siqt(path: Path, *, ratios: tuple[int, int] = (2, 8)) -> Path:
    """Weights whose members differ a little, so that they are not sure."""
    net = slab_unet.build(CONFIG, seed=1)
    generator = torch.Generator().manual_seed(2)
    last = net.head.last.weight
    last.data = 1e-3 * torch.randn(last.shape, generator=generator)
    return Checkpoint(
        "slab_unet",
        {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(CONFIG).items()},
        ThickScan(ratios=ratios).to_json(),
        {"image": {"entries": ["mean", "log_variance"]}},
        {"deviation_scale": {"4": 1.2}, "interval": {"0.9": 1.7}},
        {"name": "siqt-made"},
        net.state_dict(),
    ).save(path)
