"""``Version``: one distorted image of a benchmark, made from its names alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocenter.artifacts._presets import N_LEVELS, PRESETS, check_level
from isocenter.errors import UnknownName, UsageError
from isocenter.registry import artifacts as registered

if TYPE_CHECKING:
    from isocenter.data.volume import Volume

__all__ = ["PRISTINE", "Version", "benchmark_versions", "make_version"]

PRISTINE = "pristine"
"""Artifact of the version that is the scan itself; its level is 0."""


@dataclass(frozen=True)
class Version:
    """What a benchmark does to each of its scans to get one image.

    Raises:
        UnknownName: No such preset or artifact.
        UsageError: The preset does not have the artifact, or the level is none of its own.
    """

    preset: str
    artifact: str
    """Registry name, or ``"pristine"``."""
    level: int
    """1 (slight) to 4 (severe); 0 for the pristine version and for no other."""

    def __post_init__(self) -> None:
        pristine = self.artifact == PRISTINE
        if not pristine and self.artifact not in registered.names():
            raise UnknownName("artifact", self.artifact, (*registered.names(), PRISTINE))
        check_level(self.artifact, self.preset, self.level)
        if pristine != (self.level == 0):
            raise UsageError(
                f"level {self.level} of {self.artifact}: only {PRISTINE} has level 0, and no other"
            )


def benchmark_versions(
    preset: str, artifacts: Sequence[str] | None = None, levels: Sequence[int] = (1, 2, 3, 4)
) -> tuple[Version, ...]:
    """The versions of every scan of a benchmark, the pristine one last.

    >>> len(benchmark_versions("hsfnet-2025"))
    21

    Args:
        preset: One of ``isocenter list presets``.
        artifacts: In the order of the labels; those of the preset when not given.
        levels: Each from 1 to 4.

    Raises:
        UnknownName: No such preset or artifact.
        UsageError: A level or an artifact that the preset does not have, or none at all.
    """
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    names = tuple(dict.fromkeys(PRESETS[preset] if artifacts is None else artifacts))
    chosen = tuple(dict.fromkeys(levels))
    if not names or not chosen:
        raise UsageError(f"no version is left: name artifacts, and levels from 1 to {N_LEVELS}")
    drawn = [Version(preset, name, level) for name in names for level in chosen]
    return (*drawn, Version(preset, PRISTINE, 0))


def make_version(
    scan: Volume, version: Version, *, person: str, scan_name: str, seed: int
) -> Volume:
    """The version of a scan, whatever else was made before it, and wherever.

    Chance is the stream of (person, scan_name, preset, artifact, level) below ``seed``, so the
    same names give the same image.  Sums over the scan differ in their last digits with the
    number of threads: whoever needs the same bytes keeps to one thread.

    Args:
        scan: The undamaged scan.
        version: What to do to it.
        person: Whose scan it is.
        scan_name: Unique among this person's scans.
        seed: 0 to 2**63 - 1.

    Returns:
        The scan with one step more in its history, or the scan itself for the pristine version.
    """
    from isocenter.artifacts._artifact import Artifact
    from isocenter.data.random import child, generator

    if version.artifact == PRISTINE:
        return scan
    names = (version.preset, version.artifact, version.level)
    rng = child(generator(seed), person, scan_name, *names)
    return Artifact(version.artifact, version.level, version.preset)(scan, rng=rng)
