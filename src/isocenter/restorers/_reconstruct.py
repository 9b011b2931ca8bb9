"""``reconstruct``: every slice of k-space by one method, and what is known of the result."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float32
from torch import Generator, Tensor

from isocenter import registry
from isocenter.data.kspace import KSpace
from isocenter.data.random import child
from isocenter.data.shapes import Maps5, Slices3
from isocenter.data.step import JSON
from isocenter.errors import UnknownName
from isocenter.restorers._calibrated import calibrated
from isocenter.restorers._restored import Progress, Restored

__all__ = ["Reconstruction", "SliceFacts", "kspace_restorers", "options_of", "reconstruct"]


@dataclass(frozen=True)
class SliceFacts:
    """What is known of one slice."""

    seconds: float
    """Wall time, coil maps included."""
    facts: Mapping[str, JSON]
    """What the method says."""

    @property
    def residual(self) -> float | None:
        """Norm of what the image would have measured less what was measured, over the latter's;
        ``None`` where the method has no coil maps."""
        said = self.facts.get("data_residual")
        return float(said) if isinstance(said, int | float) else None


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """An image of every slice, on the grid of k-space."""

    method: str
    image: Slices3
    deviation: Float32[Tensor, "slice y x"] | None
    maps: Maps5 | None
    """The coil maps that were used."""
    slices: tuple[SliceFacts, ...]

    @property
    def evaluations(self) -> int:
        """Evaluations of a network for a slice: the most of any."""
        said = [one.facts.get("evaluations", 0) for one in self.slices]
        return max(int(number) for number in said if isinstance(number, int | float))

    @property
    def seconds(self) -> float:
        """Of all slices."""
        return sum(one.seconds for one in self.slices)


def kspace_restorers(*, ready: bool = False) -> tuple[str, ...]:
    """Names of the methods that take k-space.

    Args:
        ready: Only those that need no file of weights from the user.
    """
    found = {name: registry.restorers.get(name) for name in registry.restorers.names()}
    return tuple(
        name
        for name, module in found.items()
        if hasattr(module, "reconstruct")
        and not (ready and getattr(module, "NEEDS_WEIGHTS", False))
    )


def options_of(method: str) -> Any:
    """The options of a method, at their defaults.

    Raises:
        UnknownName: No such method, or one that takes no k-space.
    """
    module = registry.restorers.get(method)
    if not hasattr(module, "reconstruct"):
        raise UnknownName("restorer of k-space", method, kspace_restorers())
    return module.Options()


def reconstruct(
    kspace: KSpace,
    method: str,
    options: Any = None,
    *,
    rng: Generator,
    progress: Progress | None = None,
) -> Reconstruction:
    """Reconstruct slice by slice, so that memory is that of one slice.

    Every slice draws from a stream of its own: which slices stand beside it changes nothing.

    Args:
        kspace: Any number of slices; coil maps are found where it brings none.
        method: One of :func:`kspace_restorers`.
        options: Of the method; its ``time_budget``, in seconds, is for all slices together.
        rng: Parent of every slice's stream.
        progress: Told after every slice.

    Raises:
        UnknownName: No such method.
        BadKSpace: K-space that the method cannot take.
    """
    options = options_of(method) if options is None else options
    module = registry.restorers.get(method)
    found = list(_slices(kspace, module, options, rng, progress))
    images = [restored.image for restored, _, _ in found]
    deviations = [one.deviation for one, _, _ in found if one.deviation is not None]
    maps = [maps for _, maps, _ in found if maps is not None]
    return Reconstruction(
        method,
        torch.cat(images),
        torch.cat(deviations) if deviations else None,
        torch.cat(maps) if maps else None,
        tuple(facts for _, _, facts in found),
    )


def _slices(
    kspace: KSpace, module: Any, options: Any, rng: Generator, progress: Progress | None
) -> Iterator[tuple[Restored, Maps5 | None, SliceFacts]]:
    began = time.monotonic()
    for index in range(kspace.n_slices):
        started = time.monotonic()
        one = kspace.slices(slice(index, index + 1))
        if getattr(module, "NEEDS_MAPS", False):
            one = calibrated(one)
        left = kspace.n_slices - index
        chosen = _share(options, spent=started - began, slices_left=left, calibration=started)
        restored = module.reconstruct(one, chosen, rng=child(rng, "slice", index), progress=None)
        yield restored, one.maps, SliceFacts(time.monotonic() - started, _plain(restored.facts))
        if progress is not None:
            progress(index + 1, kspace.n_slices)


def _share(options: Any, *, spent: float, slices_left: int, calibration: float) -> Any:
    """The options with this slice's share of the time that is left."""
    budget = getattr(options, "time_budget", None)
    if budget is None or "time_budget" not in {field.name for field in fields(options)}:
        return options
    share = (budget - spent) / slices_left - (time.monotonic() - calibration)
    return replace(options, time_budget=max(share, 0.05))


def _plain(facts: Mapping[str, JSON]) -> dict[str, JSON]:
    """The facts of one slice: what is said of every slice is a list of one."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in facts.items()
    }
