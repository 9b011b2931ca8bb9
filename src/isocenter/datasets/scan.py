"""One scan of a data set: whose it is, where its file lies, and what its name says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Scan"]


@dataclass(frozen=True)
class Scan:
    """One scan as an index of a data set names it; the file itself is not opened."""

    person: str
    """Unique within the data set; splits go by it."""
    path: Path
    """File that ``iso.read`` takes; of an Analyze pair, the ``.hdr``."""
    contrast: str | None
    """``T1w``, ``T2w``, ``FLAIR`` or ``PDw``; ``None`` where the name does not say."""
    session: str | None
    """Visit, scanner or repeat as the data set names it; ``None`` where it has no such thing."""
    dataset: str
    """Name of the layout, as in ``isocenter list datasets``."""
