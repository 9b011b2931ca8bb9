"""Turn the published weights of LPIPS and DISTS into one file that Isocenter reads.

The trunk is a state dict of torchvision's AlexNet or VGG-16 (``alexnet-owt-....pth``,
``vgg16-....pth``), the head the authors' own: LPIPS keeps ``lin0.model.1.weight`` to
``lin4.model.1.weight``, DISTS ``alpha`` and ``beta``.  Files are read as plain tensors; nothing in
them is run.

    python tools/convert_perceptual.py lpips --trunk alexnet --trunk-weights alexnet.pth \\
        --head-weights lpips_alex.pth --output lpips.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import BadCheckpoint
from isocenter.nets.perceptual import Config, build

SOURCES = {"lpips": "doi:10.1109/CVPR.2018.00068", "dists": "doi:10.1109/TPAMI.2020.3045810"}


def convert(
    config: Config, trunk: Mapping[str, Tensor], head: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights by the names of our network.

    Raises:
        BadCheckpoint: A tensor is missing, or has another shape.
    """
    wanted = {name: value.shape for name, value in build(config).state_dict().items()}
    found = {**_trunk(wanted, trunk), **_head(config, head)}
    for name, shape in wanted.items():
        if name not in found or found[name].shape != shape:
            given = tuple(found[name].shape) if name in found else "nothing"
            raise BadCheckpoint(
                f"{name} should have shape {tuple(shape)}, the files hold {given}; "
                f"give those of {config.distance} on {config.trunk}"
            )
    return {name: found[name].float().clone() for name in wanted}


def _trunk(wanted: Mapping[str, object], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions in order; the classifier behind them is left out."""
    theirs = sorted(
        {int(found[1]) for name in given if (found := re.match(r"features\.(\d+)\.weight$", name))}
    )
    ours = [name[: -len(".weight")] for name in wanted if name.endswith(".weight")]
    return {
        f"{name}.{part}": given[f"features.{place}.{part}"]
        for name, place in zip(ours, theirs, strict=False)
        for part in ("weight", "bias")
    }


def _head(config: Config, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if config.distance == "dists":
        return {name: given[name].flatten() for name in ("alpha", "beta") if name in given}
    names = [f"lin{stage}.model.1.weight" for stage in range(5)]
    return {
        f"weights.{stage}": given[name].flatten()
        for stage, name in enumerate(names)
        if name in given
    }


def main() -> None:
    """Read two files, write one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("distance", choices=sorted(SOURCES))
    parser.add_argument("--trunk", choices=["alexnet", "vgg16"], default="vgg16")
    parser.add_argument("--trunk-weights", type=Path, required=True)
    parser.add_argument("--head-weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    config = Config(given.distance, given.trunk)
    files = (given.trunk_weights, given.head_weights)
    tensors = convert(
        config, *(torch.load(file, map_location="cpu", weights_only=True) for file in files)
    )
    card = {
        "source": SOURCES[given.distance],
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "licence": "that of the files it was made from",
    }
    print(save(config, tensors, given.output, card))


def save(
    config: Config, tensors: Mapping[str, Tensor], path: Path, card: Mapping[str, object]
) -> Path:
    """Write the weights with all that is needed to use them."""
    return Checkpoint(
        net="perceptual",
        config={"distance": config.distance, "trunk": config.trunk},
        preprocess={"range": [0, 1], "channels": "grey copied to red, green and blue"},
        outputs={"distance": {"better": "lower"}},
        calibration={},
        card=card,
        tensors=tensors,
    ).save(path)


if __name__ == "__main__":
    main()
