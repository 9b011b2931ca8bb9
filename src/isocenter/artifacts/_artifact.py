"""``artifact`` and ``replay``: from a scan to a worse scan, and again."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from isocenter import registry
from isocenter.artifacts._presets import check_level
from isocenter.data.step import Step
from isocenter.data.volume import Volume

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

    def __call__(self, scan: Volume, *, rng: torch.Generator) -> Volume:
        """The worse scan; its last history step rebuilds it.

        Args:
            scan: Any scan with more than one voxel; left as it is.
            rng: Source of every draw; the same state gives the same result.
        """
        module = registry.artifacts.get(self.name)
        params = module.draw(scan, self.level, preset=self.preset, rng=rng)
        step = Step(self.name, params, seed=rng.initial_seed())
        return scan.after(module.apply(scan, params), step)


def artifact(name: str, level: int, *, preset: str = "physical") -> Artifact:
    """An artifact, to be called on a scan.

    Args:
        name: One of ``isocenter list artifacts``.
        level: 0 (untouched), 1 (slight) to 4 (severe).
        preset: ``"physical"``, ``"hsfnet-2025"`` or ``"rad-iqmri"``; see
            :data:`isocenter.artifacts.PRESETS`.

    Raises:
        UnknownName: No such artifact or preset.
        UsageError: No such level, or an artifact that the preset does not have.
    """
    registry.artifacts.get(name)
    check_level(name, preset, level)
    return Artifact(name, level, preset)


def replay(scan: Volume, history: Sequence[Step]) -> Volume:
    """Do to ``scan`` what ``history`` says, bit for bit.

    Args:
        scan: The scan that the first step was done to.
        history: Steps of another scan; ``"read"`` is skipped.

    Raises:
        UnknownName: A step that no artifact bears.
    """
    for step in history:
        if step.name != "read":
            module = registry.artifacts.get(step.name)
            scan = scan.after(module.apply(scan, step.params), step)
    return scan
