"""Where tensors are worked on."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch

from isocenter.errors import UsageError

__all__ = ["short_numbers", "usable_device"]


def usable_device(name: str) -> str:
    """A device by name; ``"auto"`` is CUDA where there is a GPU, else the CPU.

    Raises:
        UsageError: No such device, or none that works here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be used ({reason}); try --device cpu") from None
    return name


def short_numbers(device: torch.device) -> Any:
    """A context with products in bfloat16 where the processor multiplies them; else they would be
    slow, and it changes nothing."""
    if device.type == "cpu":
        told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        swift = bool(told.get("avx512_bf16") or told.get("amx_bf16"))
    else:
        swift = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if swift else nullcontext()
