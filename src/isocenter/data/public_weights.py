"""Weights of other people that networks here can begin from; none of them is in the package."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from isocenter.errors import BadCheckpoint, UnknownName

__all__ = ["PUBLIC", "PublicWeights", "find", "folder", "named", "path_of"]


@dataclass(frozen=True)
class PublicWeights:
    """One file, its home and its terms."""

    name: str
    what: str
    home: str
    """Page with its terms and its hash."""
    address: str
    """Of the file itself."""
    megabytes: int
    """About, from the number of weights."""
    licence: str
    sha256: str | None = None
    """``None``: not known here, so the user must say which file is meant."""


PUBLIC = (
    PublicWeights(
        name="resnet18",
        what="ResNet-18 trained on ImageNet, names of torchvision: the convolutions of MIQANet",
        home="https://huggingface.co/timm/resnet18.tv_in1k",
        address="https://huggingface.co/timm/resnet18.tv_in1k/resolve/main/model.safetensors",
        megabytes=47,
        licence="BSD-3-Clause",
    ),
    PublicWeights(
        name="vit_base_patch8_224",
        what="ViT-B/8 trained on ImageNet, names of timm: the transformer of MIQANet",
        home="https://huggingface.co/timm/vit_base_patch8_224.augreg_in21k_ft_in1k",
        address=(
            "https://huggingface.co/timm/vit_base_patch8_224.augreg_in21k_ft_in1k"
            "/resolve/main/model.safetensors"
        ),
        megabytes=346,
        licence="Apache-2.0",
    ),
)
"""Sorted by name."""


def named(name: str) -> PublicWeights:
    """The entry of a name.

    Raises:
        UnknownName: There is none.
    """
    for entry in PUBLIC:
        if entry.name == name:
            return entry
    raise UnknownName("public weights", name, [entry.name for entry in PUBLIC])


def folder() -> Path:
    """Where fetched weights are kept: ISOCENTER_HOME, else the user's folder for caches."""
    if given := os.environ.get("ISOCENTER_HOME"):
        return Path(given) / "models"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "isocenter" / "models"


def path_of(name: str) -> Path:
    """Where the file of a name is, or would be."""
    return folder() / f"{name}.safetensors"


def find(given: str) -> Path:
    """The file that is meant by the name of fetched weights, or by a path.

    Raises:
        BadCheckpoint: Weights that have not been fetched.
    """
    if given not in {entry.name for entry in PUBLIC}:
        return Path(given)
    path = path_of(given)
    if not path.exists():
        raise BadCheckpoint(f"{given} is not here: `isocenter models get {given}` fetches it")
    return path
