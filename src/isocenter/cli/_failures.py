"""What a failure says of itself in a row."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from isocenter.errors import InputError, IsocenterError

__all__ = ["Failure", "died", "failure"]


@dataclass(frozen=True)
class Failure:
    """One failure; its fields have the names of a row's."""

    error: str
    """One sentence."""
    code: int
    fatal: bool = False
    """True when every other scan would fail in the same way."""
    trace: str | None = None


def failure(error: Exception) -> Failure:
    """What went wrong; call it while ``error`` is being handled."""
    trace = traceback.format_exc()
    match error:
        case InputError():
            return Failure(str(error), 3, trace=trace)
        case IsocenterError():
            return Failure(str(error), error.exit_code, fatal=True, trace=trace)
        case MemoryError():
            return Failure("out of memory; lower --workers or --max-voxels", 6, trace=trace)
    told = f"a bug in isocenter ({type(error).__name__}: {error})"
    return Failure(told, 1, trace=trace)


def died() -> Failure:
    """Its process was killed."""
    sentence = "its process was killed, most likely for want of memory; try fewer --workers"
    return Failure(sentence, 6)
