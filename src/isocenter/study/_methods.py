"""The methods that a comparison can run: every metric of the registry, and the baselines."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from isocenter import registry
from isocenter.errors import UnknownName, UsageError
from isocenter.metrics import by_slices
from isocenter.study import baselines

__all__ = ["ALL", "Method", "chosen", "method"]

ALL = "all"
SPATIAL = (2, 3)
BASELINES: dict[str, tuple[Literal["higher", "lower"], tuple[int, ...]]] = {
    "image_mean": ("higher", (2, 3)),
    "mean_absolute_error": ("lower", (2, 3)),
    "noise_estimate": ("lower", (2,)),
}
"""Direction and numbers of spatial axes of every baseline."""


@dataclass(frozen=True)
class Method:
    """A function of images, and what it says of itself."""

    name: str
    kind: str
    """``"full reference"``, ``"no reference"`` or ``"baseline"``."""
    better: Literal["higher", "lower"]
    spatial: tuple[int, ...]
    """Numbers of spatial axes that it takes."""
    needs_weights: bool
    function: Callable[..., Tensor]

    def value(
        self,
        image: Tensor,
        reference: Tensor,
        *,
        data_range: float,
        slice_axis: int,
        weights: Path | None = None,
    ) -> float:
        """The value of one grey image.

        A volume goes whole to a method that takes volumes, else slice by slice, and the mean
        over slices counts.

        Args:
            image: (rows, columns) or (x, y, z).
            reference: Same shape; unused by methods without a reference.
            data_range: Largest possible difference of two values.
            slice_axis: Axis across which a volume is cut.
            weights: File of weights, for a method that needs one.

        Raises:
            IsocenterError: What the method refuses.
        """
        takes = inspect.signature(self.function).parameters
        arguments: dict[str, Any] = {"data_range": data_range} if "data_range" in takes else {}
        if self.needs_weights:
            arguments["weights"] = weights
        images: dict[str, Any] = {"image": image[None, None]}
        if "reference" in takes:
            images["reference"] = reference[None, None]
        with torch.no_grad():
            if image.ndim == 3 and 3 not in self.spatial and 2 in self.spatial:
                sliced = by_slices(self.function, **images, axis=slice_axis, **arguments)
                return float(sliced.values)
            return float(self.function(**images, **arguments))


@cache
def method(name: str) -> Method:
    """The method of this name.

    Raises:
        UnknownName: No such method.
    """
    if name in BASELINES:
        better, spatial = BASELINES[name]
        return Method(name, "baseline", better, spatial, False, getattr(baselines, name))
    module = registry.metrics.get(name)
    function = getattr(module, name)
    compares = "reference" in inspect.signature(function).parameters
    kind = "full reference" if compares else "no reference"
    needs_weights = getattr(module, "NEEDS_WEIGHTS", False)
    return Method(name, kind, module.BETTER, module.SPATIAL, needs_weights, function)


def chosen(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of methods, each once; ``"all"`` is every one there is.

    Raises:
        UnknownName: No such method.
        UsageError: No name.
    """
    known = (*registry.metrics.names(), *BASELINES)
    if names == ALL:
        return known
    given = names.split(",") if isinstance(names, str) else names
    wanted = tuple(dict.fromkeys(name.strip() for name in given if name.strip()))
    for name in wanted:
        if name not in known:
            raise UnknownName("method", name, (*known, ALL))
    if not wanted:
        raise UsageError("no method was named: give 'all', or names as in 'psnr,ssim'")
    return wanted
