"""Which state of the code made something, for its card."""

import subprocess
from pathlib import Path

__all__ = ["commit_of"]


def commit_of(folder: Path) -> str:
    """Name of the commit that is checked out around ``folder``; ``"unknown"`` outside git."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    except OSError:  # no git
        return "unknown"
    return done.stdout.strip() or "unknown"
