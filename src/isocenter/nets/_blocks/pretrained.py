"""Public weights of other people for our trunks: safetensors files with their own names.

A vision transformer has the names of timm, a residual network those of torchvision.  Nothing is
guessed: every name and every shape must be the expected one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor, nn

from isocenter.errors import BadCheckpoint
from isocenter.nets._blocks.resnet import ResNet
from isocenter.nets._blocks.vit import VisionTransformer

__all__ = ["give_weights", "load_resnet", "load_vit", "read_weights"]

COUNTERS = "num_batches_tracked"
"""End of the names that older files lack; nothing is computed from them here."""
N_NAMED = 3
"""Names in a message."""


def load_vit(net: VisionTransformer, path: Path | str) -> None:
    """Give a vision transformer the weights of timm.

    Blocks beyond the network's own, a classifier and the norm before it may stand in the file
    without being used.

    Args:
        net: Whose sizes decide what is expected.
        path: Such as the file of ``vit_base_patch8_224``.

    Raises:
        BadCheckpoint: No such file, no safetensors, other names or shapes.
    """
    depth = len(net.blocks)
    unused = tuple(f"blocks.{i}." for i in range(depth, 100))
    found = _read(Path(path), net, unused=("norm.", "fc_norm.", "head.", *unused))
    table = found.get("pos_embed")
    if table is not None and table.shape[1:2] != net.pos_embed.shape[1:2]:
        given, wanted = (len(each[0]) - 1 for each in (table, net.pos_embed))
        raise BadCheckpoint(
            f"{path}: its table of positions is for {given} patches, the network has {wanted}: "
            f"set config.side to the side of the images that the weights were trained on"
        )
    _load(net, found, Path(path))


def load_resnet(net: ResNet, path: Path | str) -> None:
    """Give a residual network the weights of torchvision; their classifier is not used.

    Args:
        net: Whose sizes decide what is expected.
        path: Such as the file of ``resnet18``.

    Raises:
        BadCheckpoint: No such file, no safetensors, other names or shapes.
    """
    # A network may do without its last stage.
    unused = ("layer4.",) if isinstance(net.layer4, nn.Identity) else ()
    _load(net, _read(Path(path), net, unused=("fc.", *unused)), Path(path))


def read_weights(path: Path, *, cure: str) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Args:
        path: The file.
        cure: What to do about a file of another kind.

    Raises:
        BadCheckpoint: No such file, or no safetensors.
    """
    with _opened(path, cure) as file:
        return {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118


def give_weights(net: nn.Module, found: Mapping[str, Tensor], path: Path) -> None:
    """Give a network weights, of which none may be missing or left over.

    Args:
        net: Whose names and shapes are expected.
        found: By its names.
        path: Where they are from.

    Raises:
        BadCheckpoint: Other names or shapes, or values that are not finite.
    """
    _check_names(path, set(found), set(net.state_dict()))
    _load(net, found, path)


def _read(path: Path, net: nn.Module, *, unused: tuple[str, ...]) -> dict[str, Tensor]:
    """Tensors of a file without those that are not used, names checked."""
    own = set(net.state_dict())
    with _opened(path, "pickled weights are never loaded") as file:
        names = {n for n in file.keys() if n in own or not n.startswith(unused)}  # noqa: SIM118
        _check_names(path, names, own)
        return {name: file.get_tensor(name).float() for name in names}


@contextmanager
def _opened(path: Path, cure: str) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise BadCheckpoint(
            f"no weights at {path}: `isocenter models list` names those that can be fetched"
        ) from None
    except (safetensors.SafetensorError, OSError) as error:
        raise BadCheckpoint(f"{path} is not a safetensors file ({error}); {cure}") from None


def _check_names(path: Path, found: set[str], own: set[str]) -> None:
    absent = sorted(name for name in own - found if not name.endswith(COUNTERS))
    if absent:
        raise BadCheckpoint(f"{path} lacks {_some(absent)}: it holds weights of another network")
    if found - own:
        raise BadCheckpoint(
            f"{path} also holds {_some(sorted(found - own))}: it holds weights of another network"
        )


def _load(net: nn.Module, found: Mapping[str, Tensor], path: Path) -> None:
    own = net.state_dict()
    for name, value in sorted(found.items()):
        if value.shape != own[name].shape:
            given, wanted = (" x ".join(map(str, each.shape)) for each in (value, own[name]))
            raise BadCheckpoint(
                f"{path}: {name} is {given}, the network has {wanted}: it holds weights of "
                f"another size"
            )
        if not value.isfinite().all():
            raise BadCheckpoint(f"{path}: {name} is not finite; fetch it again")
    with torch.no_grad():
        for name, value in found.items():
            own[name].copy_(value)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more
