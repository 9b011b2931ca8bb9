"""Where a training runs: processor, one or several GPUs or machines, and in which precision."""

import atexit
import gc
import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import torch

from isocenter.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision

__all__ = ["Device", "Precision", "accelerator", "make_fabric"]

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "32", "bf16"]


def make_fabric(
    device: Device = "auto", *, n_devices: int = 1, precision: Precision = "auto"
) -> "Fabric":
    """A launched Fabric.

    With several devices and outside ``torchrun``, the program is started once more for each
    further device; under ``torchrun`` each of its processes takes its place, and ``torchrun``
    says how many there are.

    Args:
        device: ``auto`` is CUDA where there is a GPU.
        n_devices: Processes of this machine, each with a device of its own.
        precision: As in ``Schedule``.

    Raises:
        MissingExtra: Lightning Fabric is not installed.
        UsageError: There are not that many GPUs.
    """
    kind = accelerator(device)
    n_devices, n_nodes = _dealt_by_torchrun() or (n_devices, 1)
    if kind == "cuda" and torch.cuda.device_count() < n_devices:
        found = torch.cuda.device_count()
        raise UsageError(f"{n_devices} CUDA devices asked for, {found} found: lower --devices")
    _need_lightning()
    from lightning_fabric import Fabric

    # It tells of every choice that was made for it.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    made = Fabric(
        accelerator=kind,
        devices=n_devices,
        num_nodes=n_nodes,
        strategy="ddp" if n_devices * n_nodes > 1 else "auto",
        plugins=_mixed(kind) if _is_short(precision, kind) else None,
    )
    made.launch()
    if made.world_size > 1:
        atexit.register(_leave_group)
    return made


def _leave_group() -> None:
    """End the group's threads: at the end of the interpreter they abort what was done well."""
    gc.collect()  # a network that nobody holds any more still holds the group
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _dealt_by_torchrun() -> tuple[int, int] | None:
    """Processes of a machine, and machines; ``None`` outside ``torchrun``."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return here, int(os.environ["WORLD_SIZE"]) // here


def _need_lightning() -> None:
    if find_spec("lightning_fabric") is None:
        raise MissingExtra(
            "training needs lightning-fabric; install it with pip install 'isocenter[train]'"
        )


def _mixed(device: str) -> "MixedPrecision":
    from lightning_fabric.plugins.precision import MixedPrecision

    class Mixed(MixedPrecision):
        """Products and convolutions in bfloat16; what goes in and comes out stays float32."""

        def convert_input(self, data: Any) -> Any:
            return data

    return Mixed("bf16-mixed", device=device)


def accelerator(device: Device) -> Literal["cpu", "cuda"]:
    """``auto`` is CUDA where there is a GPU."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _is_short(precision: Precision, kind: str) -> bool:
    if precision == "auto":
        return kind == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bf16"
