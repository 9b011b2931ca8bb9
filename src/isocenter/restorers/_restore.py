"""``restore``: from k-space to a scan, by a method's name."""

from __future__ import annotations

import dataclasses
import difflib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from isocenter import registry
from isocenter.data.kspace import KSpace
from isocenter.data.random import child
from isocenter.data.step import JSON, Step
from isocenter.errors import UsageError
from isocenter.restorers._restored import Progress, Restored

if TYPE_CHECKING:
    from isocenter.data.volume import Volume

__all__ = ["restore", "restored"]


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

    Coil maps are found where the method needs them and ``thing`` has none.

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

    result, step = restored(
        thing, name, rng=rng, device=device, progress=progress, options=options
    )
    assert isinstance(thing, KSpace)
    return to_scan(result.image, dataclasses.replace(thing, history=(*thing.history, step)))


def restored(
    thing: KSpace | Volume,
    name: str,
    *,
    rng: torch.Generator,
    device: str = "auto",
    progress: Progress | None = None,
    options: dict[str, Any],
) -> tuple[Restored, Step]:
    """As :func:`restore`: the complex image, on the CPU, and the step for its history.

    Raises:
        UnknownName: No such restorer.
        UsageError: As of :func:`restore`.
        BadKSpace: As of :func:`restore`.
    """
    module = registry.restorers.get(name)
    if not isinstance(thing, KSpace) or not hasattr(module, "reconstruct"):
        raise UsageError(
            f"{name!r} and a {type(thing).__name__} do not go together: give what "
            "isocenter.acquire or a reader of k-space returns"
        )
    chosen = _options(module, name, options)
    kspace = thing.to(_device(device))
    if module.NEEDS_MAPS:
        from isocenter.restorers._calibrated import calibrated

        kspace = calibrated(kspace)
    result = module.reconstruct(kspace, chosen, rng=child(rng, name), progress=progress)
    params: dict[str, JSON] = {**dataclasses.asdict(chosen), "facts": dict(result.facts)}
    return _on_cpu(result), Step(name, params, rng.initial_seed())


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


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be used ({reason}): give 'cpu'") from None


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


def _on_cpu(result: Restored) -> Restored:
    deviation = None if result.deviation is None else result.deviation.cpu()
    return dataclasses.replace(result, image=result.image.cpu(), deviation=deviation)
