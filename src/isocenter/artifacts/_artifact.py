"""``artifact`` and ``replay``: from a scan to a worse scan, and again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch

from isocenter import registry
from isocenter.artifacts._presets import check_level
from isocenter.data.io import cropped
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName, UsageError

__all__ = ["Artifact", "artifact", "replay"]


@dataclass(frozen=True)
class Artifact:
    """One artifact at one level; call it on scans."""

    name: str
    """Registry name."""
    level: int
    """0 (untouched), 1 (slight) to 4 (severe)."""
    preset: str
    """Which meaning of the levels."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that are not left to chance, by the names that the record has for them."""

    def __call__(self, scan: Volume, *, rng: torch.Generator) -> Volume:
        """The worse scan; its last history step rebuilds it.

        Args:
            scan: Any scan with more than one voxel; left as it is.
            rng: Source of every draw; the same state gives the same result.

        Raises:
            UnknownName: A parameter is given that is never drawn.
            UsageError: It is of another kind than what is drawn, or there are more or fewer of it.
        """
        module = registry.artifacts.get(self.name)
        params = module.draw(scan, self.level, preset=self.preset, rng=rng)
        for name, value in self.given.items():
            params = _with(params, name, value, getattr(module, "STANDS_FOR", {}))
        step = Step(self.name, params, seed=rng.initial_seed())
        return scan.after(module.apply(scan, params), step)


def artifact(
    name: str, level: int, *, preset: str = "physical", given: Mapping[str, Any] | None = None
) -> Artifact:
    """An artifact, to be called on a scan.

    Args:
        name: One of ``isocenter list artifacts``.
        level: 0 (untouched), 1 (slight) to 4 (severe).
        preset: ``"physical"``, ``"hsfnet-2025"`` or ``"rad-iqmri"``; see
            :data:`isocenter.artifacts.PRESETS`.
        given: Parameters that are not left to chance; see ``history`` of a damaged scan for
            their names.  Motion also takes a ``trajectory``.

    Raises:
        UnknownName: No such artifact or preset.
        UsageError: No such level, or an artifact that the preset does not have.
    """
    registry.artifacts.get(name)
    check_level(name, preset, level)
    return Artifact(name, level, preset, given or {})


def replay(scan: Volume, history: Sequence[Step]) -> Volume:
    """Do to ``scan`` what ``history`` says, bit for bit.

    Args:
        scan: The scan that the first step was done to.
        history: Steps of another scan; ``"read"`` is skipped, ``"crop"`` cuts.

    Raises:
        UnknownName: A step that no artifact bears.
    """
    for step in history:
        if step.name == "crop":
            x, y, z = cast("list[int]", step.params["shape"])
            scan = cropped(scan, (x, y, z))
        elif step.name != "read":
            module = registry.artifacts.get(step.name)
            scan = scan.after(module.apply(scan, step.params), step)
    return scan


def _with(
    params: dict[str, Any], name: str, value: Any, stands_for: Mapping[str, Any]
) -> dict[str, Any]:
    """What was drawn with one parameter, or those that a word stands for, put in its place."""
    if name in stands_for:
        return {**params, **stands_for[name](params, value)}
    known = [key for key in params if key not in ("preset", "level")]
    if name not in known:
        raise UnknownName("parameter", name, [*known, *stands_for])
    if not _alike(params[name], value):
        raise UsageError(
            f"parameter {name} is {value!r}: give something like {params[name]!r}, which was drawn"
        )
    return params | {name: value}


def _alike(drawn: Any, value: Any) -> bool:
    """Whether a value has the type of what was drawn, and as many parts."""
    if isinstance(drawn, list):
        same = isinstance(value, list) and len(value) == len(drawn)
        return same and all(map(_alike, drawn, value))
    if isinstance(drawn, float) and not isinstance(value, bool):
        return isinstance(value, int | float) and math.isfinite(value)
    return type(value) is type(drawn)
