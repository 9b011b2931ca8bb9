"""The bar that is shown while many scans run."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["bar", "steps"]


@contextlib.contextmanager
def bar(n_scans: int, unit: str = "scans") -> Iterator[Callable[[bool], None]]:
    """Show a bar on stderr; yields the function that moves it on by one ``unit``."""
    progress = _progress(TextColumn("failed {task.fields[failed]}"))
    start = time.monotonic()
    n_done = n_failed = 0
    with progress:
        task = progress.add_task("", total=n_scans, rate="", failed=0)

        def advance(failed: bool) -> None:
            nonlocal n_done, n_failed
            n_done, n_failed = n_done + 1, n_failed + failed
            per_second = n_done / max(time.monotonic() - start, 1e-9)
            rate = f"{per_second:.1f} {unit}/s"
            progress.update(task, advance=1, rate=rate, failed=n_failed)

        yield advance


@contextlib.contextmanager
def steps(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr; yields the function that is told how many are done, of how many."""
    progress = _progress()
    with progress:
        task = progress.add_task("", total=None, rate=unit)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _progress(*columns: TextColumn) -> Progress:
    return Progress(
        MofNCompleteColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
