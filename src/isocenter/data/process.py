"""What the running process has used."""

from __future__ import annotations

import resource
import sys

__all__ = ["peak_rss"]


def peak_rss() -> int:
    """Largest resident memory of the process so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
