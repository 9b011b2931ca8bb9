"""Which contrast a scan has, where its timing leaves no doubt.

The limits follow the textbook ranges at 1.5-3 T (McRobbie et al., *MRI from Picture to
Proton*, 3rd ed., 2017, chapters 3 and 12); whatever lies between them stays unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.data.io._dicom_tags import codes, number

__all__ = ["Timing", "infer_contrast", "name_contrast"]


@dataclass(frozen=True)
class Timing:
    """What decides the contrast: ms, degrees, and which kind of sequence."""

    repetition: float
    echo: float
    inversion: float | None
    flip: float | None
    spin_echo: bool
    gradient_echo: bool
    prepared: bool
    """Inversion or another preparation pulse."""


def infer_contrast(groups: Sequence[Any]) -> str | None:
    """Contrast of a frame whose parameters stand in ``groups``; ``None`` when not clear."""
    if _is_special(groups):
        return None
    timing = _timing(groups)
    return None if timing is None else name_contrast(timing)


def name_contrast(timing: Timing) -> str | None:
    """``"T1w"``, ``"T2w"``, ``"FLAIR"`` or ``"PDw"``; ``None`` between the clear ranges.

    >>> name_contrast(Timing(9000.0, 120.0, 2500.0, 150.0, True, False, True))
    'FLAIR'
    """
    if timing.prepared and (timing.inversion is not None or timing.repetition >= 1000):
        return _inversion(timing)
    if timing.spin_echo and not timing.gradient_echo:
        return None if timing.prepared else _spin_echo(timing)
    return "T1w" if timing.gradient_echo and _is_spoiled_t1(timing) else None


def _inversion(timing: Timing) -> str | None:
    if timing.inversion is None:
        # Magnetization-prepared rapid gradient echo: nothing else looks like this.
        rapid = timing.gradient_echo and (timing.flip or 90) <= 15 and timing.repetition >= 1000
        return "T1w" if rapid and timing.echo <= 8 else None
    if timing.inversion >= 1500:
        return "FLAIR" if timing.echo >= 60 and not timing.gradient_echo else None
    return "T1w" if timing.inversion >= 350 and timing.echo <= 20 else None


def _spin_echo(timing: Timing) -> str | None:
    if timing.repetition <= 900 and timing.echo <= 35:
        return "T1w"
    if timing.repetition < 1800:
        return None
    if timing.echo >= 60:
        return "T2w"
    return "PDw" if timing.echo <= 40 else None


def _is_spoiled_t1(timing: Timing) -> bool:
    if timing.flip is None or timing.echo > 8:
        return False
    fast = timing.repetition <= 15 and 8 <= timing.flip <= 40
    slow = timing.repetition <= 350 and timing.flip >= 50
    return fast or slow


def _is_special(groups: Sequence[Any]) -> bool:
    """Angiography, planar echo trains, diffusion, balanced steady state: other contrasts."""
    sequence, variant = _all(groups, "ScanningSequence"), _all(groups, "SequenceVariant")
    echo_planar = "EP" in sequence or "YES" in _all(groups, "EchoPlanarPulseSequence")
    balanced = "SS" in variant and "SP" not in variant
    diffusion = bool(_first(groups, "DiffusionBValue"))
    return echo_planar or balanced or diffusion or "Y" in _all(groups, "AngioFlag")


def _timing(groups: Sequence[Any]) -> Timing | None:
    repetition = _first(groups, "RepetitionTime")
    echo = _first(groups, "EchoTime") or _first(groups, "EffectiveEchoTime")
    if repetition is None or echo is None:
        return None
    sequence, pulse = _all(groups, "ScanningSequence"), _all(groups, "EchoPulseSequence")
    return Timing(
        repetition=repetition,
        echo=echo,
        inversion=_first(groups, "InversionTime") or _first(groups, "InversionTimes"),
        flip=_first(groups, "FlipAngle"),
        spin_echo="SE" in sequence or "SPIN" in pulse,
        gradient_echo="GR" in sequence or "GRADIENT" in pulse,
        prepared=(
            "IR" in sequence
            or "MP" in _all(groups, "SequenceVariant")
            or "YES" in _all(groups, "InversionRecovery")
        ),
    )


def _first(groups: Sequence[Any], keyword: str) -> float | None:
    found = (number(group, keyword) for group in groups)
    return next((value for value in found if value is not None), None)


def _all(groups: Sequence[Any], keyword: str) -> set[str]:
    return {code for group in groups for code in codes(group, keyword)}
