"""Run many jobs, print each as its turn comes, and say how it went."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from isocenter.cli._debug import DEBUG
from isocenter.cli._lines import complain
from isocenter.study.run import run

__all__ = ["Outcome", "run_batch"]


class Outcome(Protocol):
    """What became of one scan."""

    @property
    def scan(self) -> Path: ...

    @property
    def error(self) -> str | None:
        """One sentence, when it failed."""

    @property
    def code(self) -> int:
        """Exit code that this row alone would give."""

    @property
    def fatal(self) -> bool:
        """True when every other scan would fail in the same way."""

    @property
    def trace(self) -> str | None:
        """Traceback of the error."""


Task = TypeVar("Task")
Row = TypeVar("Row", bound=Outcome)


@dataclass
class _Tally:
    """What the exit code and the last line are made of."""

    n_ok: int = 0
    n_failed: int = 0
    codes: set[int] = field(default_factory=set)

    def add(self, row: Outcome) -> None:
        if row.error is None:
            self.n_ok += 1
        else:
            self.n_failed += 1
            self.codes.add(row.code)

    @property
    def code(self) -> int:
        """The gravest code: a bug, then what would stop every scan, then single failures."""
        return next((code for code in (1, 6, 5, 2, 3) if code in self.codes), 0)


def run_batch(
    work: Callable[[Task], list[Row]],
    jobs: Sequence[Task],
    *,
    died: Callable[[Task], list[Row]],
    each: Callable[[Row], None],
    n_scans: int,
    n_failed: int,
    workers: int,
    quiet: bool,
) -> int:
    """Run ``jobs`` and return the exit code.

    Args:
        work: Does a job; every failure becomes a row.
        jobs: What to do.
        died: Rows of a job whose process was killed.
        each: Called in turn for every row that is no failure.
        n_scans: How many rows all jobs have.
        n_failed: How many inputs came to nothing before the run.
        workers: Number of processes.
        quiet: Print nothing but errors.
    """
    tally = _Tally(n_failed=n_failed, codes={3} if n_failed else set())
    results = run(work, jobs, workers=workers, on_death=died)
    with _progress(n_scans, quiet) as advance, contextlib.closing(_in_turn(results)) as rows:
        for row in rows:
            tally.add(row)
            if row.error is None:
                each(row)
            else:
                _complain(row)
            advance(row.error is not None)
            if row.fatal:
                break
    if n_scans + n_failed > 1 and not quiet:
        print(_summary(tally, n_scans + n_failed), file=sys.stderr)
    return tally.code


def _complain(row: Outcome) -> None:
    complain(row.scan, row.error or "")
    if row.trace is not None and DEBUG.get():
        print(row.trace, file=sys.stderr)


def _in_turn(results: Iterable[tuple[int, list[Row]]]) -> Generator[Row, None, None]:
    """Rows in the order of the jobs, whatever the order in which they ended."""
    early: dict[int, list[Row]] = {}
    turn = 0
    for position, rows in results:
        early[position] = rows
        while turn in early:
            yield from early.pop(turn)
            turn += 1


def _summary(tally: _Tally, n_inputs: int) -> str:
    left = n_inputs - tally.n_ok - tally.n_failed
    told = f"done: {tally.n_ok} ok, {tally.n_failed} failed"
    return f"{told}, {left} not tried" if left else told


@contextlib.contextmanager
def _progress(n_scans: int, quiet: bool) -> Iterator[Callable[[bool], None]]:
    """A bar on stderr with rate and time left; nothing when nobody watches."""
    if n_scans < 2 or quiet or not sys.stderr.isatty():
        yield lambda failed: None
        return
    from isocenter.cli._progress import bar

    with bar(n_scans) as advance:
        yield advance
