"""``enhance``: thin slices made of a scan's thick ones, by a method's name."""

import dataclasses
import time
from typing import Any

from torch import Generator

from isocenter import registry
from isocenter.data.random import child
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName
from isocenter.restorers._enhanced import Enhanced
from isocenter.restorers._restored import Progress

__all__ = ["enhance", "scan_restorers"]


def scan_restorers() -> tuple[str, ...]:
    """Names of the methods that take a scan."""
    names = registry.restorers.names()
    return tuple(name for name in names if hasattr(registry.restorers.get(name), "enhance"))


def enhance(
    scan: Volume,
    name: str = "siqt",
    options: Any = None,
    *,
    rng: Generator,
    progress: Progress | None = None,
) -> Enhanced:
    """Thin slices made of thick ones.

    Args:
        scan: Thick slices, RAS+; the slice axis is found from the affine.
        name: One of :func:`scan_restorers`.
        options: Of the method; its defaults if not given.
        rng: Parent of the method's stream.
        progress: Told how many tiles are done, of how many.

    Returns:
        The image's history ends with the method, its options and what it found out.

    Raises:
        UnknownName: No such method.
        BadVolume: Isotropic voxels, or a scan that the method cannot take.
        UsageError: A ratio that does not go with the voxels, or another wrong option.
        BadCheckpoint: No weights for it.
        ResourceError: Out of memory even with the smallest tiles.
    """
    module = registry.restorers.get(name)
    if not hasattr(module, "enhance"):
        raise UnknownName("restorer of scans", name, scan_restorers())
    chosen = module.Options() if options is None else options
    started = time.monotonic()
    made: Enhanced = module.enhance(scan, chosen, rng=child(rng, name), progress=progress)
    facts = {**made.facts, "seconds": round(time.monotonic() - started, 3)}
    step = Step(name, {**dataclasses.asdict(chosen), **facts}, rng.initial_seed())
    image = made.image.after(made.image.data, step)
    return dataclasses.replace(made, image=image, facts=facts)
