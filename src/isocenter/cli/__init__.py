"""The command line: ``isocenter``.

Only names live here; each command's module is imported when it is called, and torch
only when a scan has passed the door.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Args:
        tokens: Words after ``isocenter``; those of the process when not given.
    """
    from isocenter.cli._app import run

    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if tokens is None else tokens))
