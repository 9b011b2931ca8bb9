"""Names of the presets, and of what each holds; imports nothing heavy."""

from __future__ import annotations

from isocenter.errors import UnknownName, UsageError

__all__ = ["N_LEVELS", "PRESETS", "check_level", "preset_names", "versions"]

N_LEVELS = 4
"""Levels 1 (slight) to 4 (severe); level 0 leaves a scan untouched."""

PRESETS: dict[str, tuple[str, ...]] = {
    "hsfnet-2025": ("blur", "ghosting", "motion", "noise", "spike"),
    "physical": ("bias", "blur", "ghosting", "motion", "noise", "spike"),
    "rad-iqmri": ("coloured_noise", "edge_ghosting", "ghosting", "white_noise"),
}
"""Artifacts of each preset, as :func:`versions` counts them.

``physical``: a level means the same on every scan (mm, shares of the head's brightness).  Every
artifact can be drawn so; the ones listed are those that the shipped network knows.
``hsfnet-2025``: drawn and applied as the published HSFNet benchmark does, flaws included.
``rad-iqmri``: a level is one energy, the same for all four artifacts, added to the object and
not to the air, as in the RAD-IQMRI study.
"""


def preset_names() -> tuple[str, ...]:
    """All presets, sorted."""
    return tuple(sorted(PRESETS))


def versions(preset: str) -> tuple[tuple[str, int], ...]:
    """Every (artifact, level) of a preset: 24 for ``physical``, 20 for ``hsfnet-2025``, 16.

    Raises:
        UnknownName: No such preset.
    """
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    return tuple((name, level) for name in PRESETS[preset] for level in range(1, N_LEVELS + 1))


def check_level(name: str, preset: str, level: int) -> None:
    """Refuse what no preset holds.

    Raises:
        UnknownName: No such preset.
        UsageError: The preset does not have this artifact, or the level is not 0 to 4.
    """
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    known = any(name in names for names in PRESETS.values())
    if known and not _takes(preset, name):
        raise UsageError(
            f"preset {preset!r} has no artifact {name!r}, only {', '.join(PRESETS[preset])}; "
            f"use another preset: {', '.join(p for p in PRESETS if _takes(p, name))}"
        )
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= N_LEVELS:
        raise UsageError(f"level {level!r} of {name} is not one of 0, 1, 2, 3, 4: choose one")


def _takes(preset: str, name: str) -> bool:
    return preset == "physical" or name in PRESETS[preset]
