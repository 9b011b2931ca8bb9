"""What the metrics on trained features share: the weights and the way in for grey images."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import BadCheckpoint
from isocenter.metrics._grey import score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.nets.perceptual import Config, build

__all__ = ["MINIMUM_SIDE", "score_features"]

MINIMUM_SIDE = 32
"""Leaves one place in the coarsest features."""


def score_features(
    distance: str,
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None,
    weights: Path | str | None,
) -> Tensor:
    """Check a pair of grey images and compare them in the features of a network.

    Args:
        distance: ``"lpips"`` or ``"dists"``.
        image: (N, 1, H, W), two sides of at least 32 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.
        weights: A checkpoint of :mod:`isocenter.nets.perceptual`.

    Returns:
        (N,).

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; or a mask.
        BadCheckpoint: No weights, or others.
    """
    name = distance.upper()
    refuse_mask(name, mask)
    if weights is None:
        raise BadCheckpoint(
            f"{name} needs trained weights, which are not part of Isocenter; make a file with "
            "tools/convert_perceptual.py and name it as weights="
        )
    path = Path(weights)
    changed = path.stat().st_mtime_ns if path.exists() else 0

    def formula(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
        net = _network(distance, path, changed, x.dtype, x.device)
        own, true = ((each / 255).expand(-1, 3, -1, -1) for each in (x, y))
        score: Tensor = net(own, true)
        return score

    return score_grey(
        name, formula, image, reference, data_range=data_range, minimum_side=MINIMUM_SIDE
    )


@lru_cache(maxsize=2)
def _network(
    distance: str, path: Path, changed: int, dtype: torch.dtype, device: torch.device
) -> nn.Module:
    """The network of a file; read again when the file has ``changed``."""
    checkpoint = Checkpoint.load(path)
    config: dict[str, Any] = dict(checkpoint.config)
    if checkpoint.net != "perceptual" or config.get("distance") != distance:
        raise BadCheckpoint(
            f"{path} holds weights of {config.get('distance', checkpoint.net)!r}; "
            f"name a file made for {distance!r}"
        )
    with torch.inference_mode(False):
        net = build(Config(**config))
        checkpoint.load_into(net)
        return net.to(dtype=dtype, device=device)
