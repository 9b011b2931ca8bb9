"""What restorers share whose networks were trained on pairs: weights from a user's file, scale."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import nn

from isocenter.data.checkpoint import HEADER_KEY, Checkpoint
from isocenter.data.kspace import KSpace
from isocenter.data.step import JSON
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.nets import modl, varnet
from isocenter.ops.coils import combine, root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers._by_slice import BRIGHT

__all__ = ["SCALE", "Trained", "brightness", "trained"]

PLANE = (-2, -1)
SCALE = {"kind": "measured_brightness", "quantile": BRIGHT, "brightness": 1.0}
"""What :func:`brightness` does, as the header of a checkpoint says it."""


NETS: Mapping[str, Any] = {"modl": modl, "varnet": varnet}


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with the weights of a file."""

    net: nn.Module
    """In evaluation mode."""
    facts: Mapping[str, JSON]
    """Name and hash of the file."""


def trained(method: str, weights: str | None, device: torch.device) -> Trained:
    """The network of a method with a user's weights.

    Args:
        method: A key of ``NETS``.
        weights: A checkpoint of the recipe ``supervised``; for ``varnet`` also weights of the
            fastMRI program.
        device: Where it will run.

    Raises:
        UsageError: No file was named.
        BadCheckpoint: It is missing, damaged, or holds something else.
    """
    if weights is None:
        others = " or fastMRI's weights of it as safetensors" if method == "varnet" else ""
        raise UsageError(
            f"no weights of {method} come with isocenter: give --set weights=FILE, the checkpoint "
            f"of `isocenter train supervised`{others}"
        )
    path = Path(weights)
    if not path.is_file():
        raise BadCheckpoint(f"no weights at {path}: give the file of a trained {method}")
    status = path.stat()
    return _loaded(method, path, (status.st_mtime_ns, status.st_size), device)


@lru_cache(maxsize=1)
def _loaded(method: str, path: Path, version: tuple[int, int], device: torch.device) -> Trained:
    """The file is read once for all slices; another ``version`` of it is read again."""
    net = _of_checkpoint(method, path) if _is_ours(method, path) else varnet.from_public(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    net = net.eval().requires_grad_(False).to(device)
    return Trained(net, {"weights": path.name, "model_sha256": digest})


def _is_ours(method: str, path: Path) -> bool:
    """Whether the file is to be read as a checkpoint of this package."""
    if method != "varnet":
        return True
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return HEADER_KEY in (file.metadata() or {})
    except (safetensors.SafetensorError, OSError):
        return False


def _of_checkpoint(method: str, path: Path) -> nn.Module:
    checkpoint = Checkpoint.load(path)
    if checkpoint.net != method or dict(checkpoint.preprocess) != SCALE:
        raise BadCheckpoint(
            f"{path} holds {checkpoint.net!r}, not {method!r}: give the checkpoint of "
            f"`isocenter train supervised --set net={method}`"
        )
    net: nn.Module = NETS[method].build(checkpoint.configured(NETS[method].Config))
    checkpoint.load_into(net)
    return net


def brightness(kspace: KSpace) -> float:
    """What bright tissue is in the units of k-space: found in what was measured alone.

    Args:
        kspace: One slice; with maps the zero-filled image is combined with them, else the coils'
            root sum of squares is taken.
    """
    images = ifft(kspace.data, PLANE)
    if kspace.maps is None:
        magnitude = root_sum_of_squares(images)
    else:
        magnitude = torch.linalg.vector_norm(combine(images, kspace.maps), dim=1)
    return float(torch.quantile(magnitude.flatten(), BRIGHT)) or 1.0
