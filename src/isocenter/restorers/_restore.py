"""``restore``: from k-space to a scan, or from a scan to a better one, by a method's name."""

from __future__ import annotations

import dataclasses
import difflib
from types import ModuleType
from typing import Any

import torch

from isocenter import registry
from isocenter.data.device import usable_device
from isocenter.data.kspace import KSpace
from isocenter.data.random import child
from isocenter.data.step import JSON, Step
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.restorers._enhance import enhance
from isocenter.restorers._reconstruct import reconstruct
from isocenter.restorers._restored import Progress

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
    """The scan that a method makes of k-space, or of a scan of thick slices.

    K-space is taken one slice after another, so that none depends on its neighbours; coil maps
    are found where the method needs them and ``thing`` has none.  What is known of an enhanced
    scan's error, :func:`isocenter.restorers.enhance` hands back beside it.

    Args:
        thing: K-space or a scan, as the method takes it; what it holds stays as it is.
        name: A restorer, such as ``"sense"`` of k-space or ``"siqt"`` of a scan.
        rng: Source of every draw; the stream of ``name`` below it is used.
        device: ``"auto"`` (CUDA if there is any, else the CPU), or a torch device.
        progress: Told how many slices or tiles are done, of how many.
        **options: Of the method; its defaults otherwise.

    Returns:
        RAS+, in the units of ``thing``, of k-space the magnitude; its history ends with the
        method, its options and what it found out.

    Raises:
        UnknownName: No such restorer.
        UsageError: An option that the method does not have, no such device, or a scan where
            k-space is needed, or the other way round.
        BadKSpace: The method cannot work on this k-space; the message says which can.
        BadVolume: The method cannot work on this scan.
    """
    module = registry.restorers.get(name)
    wanted, cure = (
        (KSpace, "what isocenter.acquire or a reader of k-space returns")
        if hasattr(module, "reconstruct")
        else (Volume, "a scan, as isocenter.read returns it")
    )
    if not isinstance(thing, wanted):
        raise UsageError(f"{name!r} and a {type(thing).__name__} do not go together: give {cure}")
    if isinstance(thing, KSpace):
        return _of_kspace(thing, module, name, device, options, rng, progress)
    if any(field.name == "device" for field in dataclasses.fields(module.Options)):
        options = {"device": device, **options}
    chosen = _options(module, name, options)
    return enhance(thing, name, chosen, rng=rng, progress=progress).image


def _of_kspace(
    thing: KSpace,
    module: ModuleType,
    name: str,
    device: str,
    options: dict[str, Any],
    rng: torch.Generator,
    progress: Progress | None,
) -> Volume:
    from isocenter.data.io import to_scan

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
