"""All that a training needs to go on, as one safetensors file."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from isocenter.data.atomic import write_bytes
from isocenter.errors import BadCheckpoint

__all__ = ["Progress", "load_weights", "read_state", "save_weights", "write_state"]

Tensors = dict[str, Tensor]
Optimizers = Sequence[torch.optim.Optimizer]


@dataclass
class Progress:
    """How far a training is; plain values."""

    step: int = 0
    recent: list[float] = field(default_factory=list)
    """Losses since the last point of the curve."""
    curve: list[dict[str, float]] = field(default_factory=list)
    """Points: step, loss, rate, seconds a step, and the figures of a validation."""
    validations: list[float] = field(default_factory=list)
    """The deciding figure of each validation."""

    def best(self) -> int | None:
        """Which validation was best, the first of equals; NaN never is."""
        known = [i for i, figure in enumerate(self.validations) if not math.isnan(figure)]
        return max(known, key=lambda i: self.validations[i], default=None)

    def fruitless(self) -> int:
        """Validations since the best one, all of them when none had a figure."""
        best = self.best()
        return len(self.validations) - (0 if best is None else best + 1)


def write_state(
    path: Path, net: nn.Module, average: Tensors, optimizers: Optimizers, progress: Progress
) -> None:
    """Replace the file by the present state, or leave it whole."""
    tensors = {f"net.{name}": value for name, value in net.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for k, optimizer in enumerate(optimizers):
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{k}.{i}.{key}": value for key, value in state.items()}
    text = json.dumps(asdict(progress)).encode()
    tensors["progress"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    save_weights(path, tensors)


def read_state(path: Path, net: nn.Module, optimizers: Optimizers) -> tuple[Tensors, Progress]:
    """Inverse of :func:`write_state`: fills ``net`` and ``optimizers``; average and progress.

    Raises:
        BadCheckpoint: The file is damaged or belongs to another network.
    """
    tensors = load_weights(path)
    try:
        _refuse_strangers(tensors)
        net.load_state_dict(_below(tensors, "net."))
        for k, optimizer in enumerate(optimizers):
            _fill(optimizer, _below(tensors, f"optimizer.{k}."))
        progress = Progress(**json.loads(tensors["progress"].numpy().tobytes()))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        told = str(error).splitlines()[-1].strip()
        raise BadCheckpoint(
            f"{path} does not fit this training: {told}; use a new --out"
        ) from error
    return _below(tensors, "average."), progress


def _refuse_strangers(tensors: Tensors) -> None:
    """A state of another version must not go on without a part of it."""
    known = ("net.", "average.", "optimizer.")
    strange = [name for name in tensors if not name.startswith(known) and name != "progress"]
    if strange:
        raise ValueError(f"it holds {strange[0]!r}, as another version of isocenter writes it")


def _fill(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    states: dict[int, Tensors] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        states.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})


def save_weights(path: Path, tensors: Tensors) -> None:
    """Write tensors as they are."""
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_bytes(path, safetensors.torch.save(plain))


def load_weights(path: Path) -> Tensors:
    """Inverse of :func:`save_weights`, on the CPU.

    Raises:
        BadCheckpoint: The file is damaged.
    """
    try:
        return safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise BadCheckpoint(f"{path} is damaged: {error}; delete it to begin anew") from error


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
