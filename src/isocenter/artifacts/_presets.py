"""Names of the presets, and of what each holds; imports nothing heavy."""

from __future__ import annotations

from isocenter.errors import UnknownName, UsageError

__all__ = ["N_LEVELS", "PRESETS", "check_level", "preset_names", "versions"]

N_LEVELS = 4
"""Levels 1 (slight) to 4 (severe); level 0 leaves a scan untouched."""

PRESETS: dict[str, tuple[str, ...]] = {
    "hsfnet-2025": ("blur", "ghosting", "motion", "noise", "spike"),
    "physical": ("bias", "blur", "ghosting", "motion", "noise", "spike"),
}
"""Artifacts of each preset.

``physical``: a level means the same on every scan (mm, shares of the head's brightness).
``hsfnet-2025``: drawn and applied as the published HSFNet benchmark does, flaws included.
"""


def preset_names() -> tuple[str, ...]:
    """All presets, sorted."""
    return tuple(sorted(PRESETS))


def versions(preset: str) -> tuple[tuple[str, int], ...]:
    """Every (artifact, level) of a preset: 24 for ``physical``, 20 for ``hsfnet-2025``.

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
    if known and name not in PRESETS[preset]:
        raise UsageError(
            f"preset {preset!r} has no artifact {name!r}, only {', '.join(PRESETS[preset])}; "
            f"use another preset: {', '.join(p for p in PRESETS if name in PRESETS[p]) or 'none'}"
        )
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= N_LEVELS:
        raise UsageError(f"level {level!r} of {name} is not one of 0, 1, 2, 3, 4: choose one")
