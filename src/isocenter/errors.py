"""Every error that Isocenter raises on purpose.

::

    IsocenterError                 exit code 1 unless a leaf says otherwise
    ├── UsageError            2    the call is wrong, whatever the data
    │   ├── UnknownName            a name that no registry, preset or plane holds
    │   ├── MissingExtra           an optional package is not installed
    │   └── NeedsReference         a full-reference measure without a reference
    ├── InputError            3    this input cannot be used; others may
    │   ├── BadVolume              a scan that cannot be read or makes no sense
    │   ├── BadKSpace              k-space that cannot be read or makes no sense
    │   └── NeedsChoice            several scans in one place: name one
    ├── NothingFound          4    no input matched
    ├── BadCheckpoint         5    a model or its weights are missing or damaged
    ├── ResourceError         6    disk, memory or permission
    ├── Diverged              7    a training whose loss is not finite
    └── QualityGate          10    a scan is below ``--fail-below``

A message is one sentence that says what is wrong, what was given and what to do.
The command line prints it after the name of the input and leaves with ``exit_code``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "BadCheckpoint",
    "BadKSpace",
    "BadVolume",
    "Diverged",
    "InputError",
    "IsocenterError",
    "MissingExtra",
    "NeedsChoice",
    "NeedsReference",
    "NothingFound",
    "QualityGate",
    "ResourceError",
    "UnknownName",
    "UsageError",
]


class IsocenterError(Exception):
    """Root of the tree; catch it to catch everything that Isocenter raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(IsocenterError):
    """The call itself is wrong."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that is not among the known ones.

    >>> str(UnknownName("artifact", "moton", ["motion", "noise"]))
    "no artifact 'moton'; did you mean 'motion'?"
    """

    def __init__(self, kind: str, given: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(given, names, n=1)
        cure = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
        super().__init__(f"no {kind} {given!r}; {cure}")


class MissingExtra(UsageError):
    """An optional package is needed and not installed."""


class NeedsReference(UsageError):
    """A full-reference measure was asked for without a reference."""


class InputError(IsocenterError):
    """This input cannot be used; the rest of a batch goes on."""

    exit_code = 3


class BadVolume(InputError):
    """A scan that cannot be read or makes no sense."""


class BadKSpace(InputError):
    """K-space that cannot be read or makes no sense."""


class NeedsChoice(InputError):
    """Several scans stand where one was asked for."""


class NothingFound(IsocenterError):
    """No input matched."""

    exit_code = 4


class BadCheckpoint(IsocenterError):
    """A model or its weights are missing or damaged."""

    exit_code = 5


class ResourceError(IsocenterError):
    """Disk, memory or permission stands in the way."""

    exit_code = 6


class Diverged(IsocenterError):
    """The loss or the gradient of a training is no longer finite."""

    exit_code = 7


class QualityGate(IsocenterError):
    """A scan is below the asked quality."""

    exit_code = 10
