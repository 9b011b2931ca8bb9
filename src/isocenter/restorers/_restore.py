"""``restore``: from k-space to a scan, by a method's name."""

from __future__ import annotations

import dataclasses
import difflib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from isocenter import registry
from isocenter.data.device import usable_device
from isocenter.data.kspace import KSpace
from isocenter.data.random import child
from isocenter.data.step import JSON, Step
from isocenter.errors import UsageError
from isocenter.restorers._reconstruct import reconstruct
from isocenter.restorers._restored import Progress

if TYPE_CHECKING:
    from isocenter.data.volume import Volume

__all__ = ["restore"]


def restore(
    thing: KSpace | Volume,
    name: str,
    *,
    rng: torch.Generator,
    device: str = "auto",
    progress: Progress | None = None,
    **options: Any,
) -> Volume:
    """The scan that a method makes of k-space.

    One slice after another, so that none depends on its neighbours; coil maps are found where
    the method needs them and ``thing`` has none.

    Args:
        thing: K-space; what it holds stays as it is.
        name: A restorer, such as ``"sense"`` or ``"l1_wavelet"``.
        rng: Source of every draw; the stream of ``name`` below it is used.
        device: ``"auto"`` (CUDA if there is any, else the CPU), or a torch device.
        progress: Told how many slices are done, of how many.
        **options: Of the method; its defaults otherwise.

    Returns:
        The magnitude, RAS+, in the units of k-space; its history ends with the method, its
        options and what it found out.

    Raises:
        UnknownName: No such restorer.
        UsageError: An option that the method does not have, no such device, or a scan where
            k-space is needed.
        BadKSpace: The method cannot work on this k-space; the message says which can.
    """
    from isocenter.data.io import to_scan

    module = registry.restorers.get(name)
    if not isinstance(thing, KSpace) or not hasattr(module, "reconstruct"):
        raise UsageError(
            f"{name!r} and a {type(thing).__name__} do not go together: give what "
            "isocenter.acquire or a reader of k-space returns"
        )
    chosen = _options(module, name, options)
    kspace = thing.to(usable_device(device))
    made = reconstruct(kspace, name, chosen, rng=child(rng, name), progress=progress)
    facts: list[JSON] = [dict(one.facts) for one in made.slices]
    step = Step(name, {**dataclasses.asdict(chosen), "slices": facts}, rng.initial_seed())
    return to_scan(made.image, dataclasses.replace(thing, history=(*thing.history, step)))


def _options(module: ModuleType, name: str, given: dict[str, Any]) -> Any:
    known = {field.name: field for field in dataclasses.fields(module.Options)}
    for option in given:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1)
            cure = f"did you mean {close[0]!r}?" if close else f"known: {_names(known)}"
            raise UsageError(f"{name} has no option {option!r}; {cure}")
    for option, value in given.items():
        default = known[option].default
        _check_type(name, option, value, default)
    return module.Options(**given)


def _names(known: dict[str, Any]) -> str:
    return ", ".join(sorted(known)) or "none"


def _check_type(name: str, option: str, value: object, default: object) -> None:
    """A number where a number is meant, and so on; a method checks the value itself."""
    if default is None or default is dataclasses.MISSING or isinstance(value, type(default)):
        return
    if isinstance(default, float) and isinstance(value, int):
        return
    raise UsageError(
        f"option {option!r} of {name} is {value!r}: give a {type(default).__name__}, such as "
        f"{default!r}"
    )
