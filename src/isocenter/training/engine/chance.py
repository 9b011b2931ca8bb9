"""What a step draws is decided by the seed, the step and the process, not by what came before."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, cast

import torch
from torch import nn

from isocenter.data.random import child

__all__ = ["drawing_parts", "drawn_from"]


class Drawing(Protocol):
    """A module that draws from a generator of its own."""

    rng: torch.Generator


def drawing_parts(net: nn.Module) -> dict[str, Drawing]:
    """Modules that hold a generator as ``rng``, by name."""
    return {
        name: cast(Drawing, part)
        for name, part in net.named_modules()
        if isinstance(getattr(part, "rng", None), torch.Generator)
    }


@contextlib.contextmanager
def drawn_from(
    rng: torch.Generator, parts: dict[str, Drawing], device: torch.device
) -> Iterator[None]:
    """All chance inside comes from ``rng``: each part's own, and torch's global one (dropout).

    The global generators are put back as they were.

    Args:
        rng: Only its initial seed matters.
        parts: From :func:`drawing_parts`.
        device: Where the network is.
    """
    for name, part in parts.items():
        part.rng = child(rng, "part", name)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        _set_global(child(rng, "torch"), device)
        yield


def _set_global(rng: torch.Generator, device: torch.device) -> None:
    torch.default_generator.set_state(rng.get_state())
    if device.type == "cuda":
        there = torch.Generator(device).manual_seed(rng.initial_seed())
        torch.cuda.set_rng_state(there.get_state(), device)
