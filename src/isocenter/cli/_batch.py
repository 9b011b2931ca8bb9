"""Run many jobs, print each as its turn comes, and say how it went."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from isocenter.cli._assessing import died, work
from isocenter.cli._debug import DEBUG
from isocenter.cli._lines import complain, lines
from isocenter.cli._options import Job, Row
from isocenter.errors import QualityGate
from isocenter.study.run import run

__all__ = ["run_batch"]


@dataclass
class _Tally:
    """What the exit code and the last line are made of."""

    n_ok: int = 0
    n_failed: int = 0
    below: list[str] = field(default_factory=list)
    """Names of the scans that the gate does not let through."""
    codes: set[int] = field(default_factory=set)

    def add(self, row: Row, gate: float | None) -> None:
        if row.report is None:
            self.n_failed += 1
            self.codes.add(row.code)
            return
        self.n_ok += 1
        score = row.report.score
        if gate is not None and (score is None or score < gate):
            self.below.append(row.report.scan.name)

    @property
    def code(self) -> int:
        """The gravest code: a bug, then what would stop every scan, then single failures."""
        return next((code for code in (1, 6, 5, 2, 3) if code in self.codes), 0)


def run_batch(
    jobs: Sequence[Job],
    *,
    workers: int,
    show: str,
    gate: float | None,
    n_failed: int,
) -> int:
    """Run ``jobs`` and return the exit code.

    Args:
        jobs: What to assess.
        workers: Number of processes.
        show: ``"lines"``, ``"json"`` or ``"nothing"``.
        gate: Quality below which a scan does not pass; ``None`` for no gate.
        n_failed: How many inputs came to nothing before the run.

    Raises:
        QualityGate: Everything was assessed, and a scan does not pass.
    """
    tally = _Tally(n_failed=n_failed, codes={3} if n_failed else set())
    n_scans = sum(len(job.scans) for job in jobs)
    if show == "json":
        _speak_utf8()
    results = run(work, jobs, workers=workers, on_death=died)
    with _progress(n_scans, show) as advance, contextlib.closing(_in_turn(results)) as rows:
        for row in rows:
            tally.add(row, gate)
            _print(row, show)
            advance(row.report is None)
            if row.fatal:
                break
    if n_scans + n_failed > 1 and show != "nothing":
        print(_summary(tally, n_scans + n_failed), file=sys.stderr)
    if tally.below and not tally.code:
        raise QualityGate(_gate_sentence(tally.below, gate))
    return tally.code


def _speak_utf8() -> None:
    """JSON is UTF-8 whatever the locale says."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def _in_turn(results: Iterable[tuple[int, list[Row]]]) -> Generator[Row, None, None]:
    """Rows in the order of the jobs, whatever the order in which they ended."""
    early: dict[int, list[Row]] = {}
    turn = 0
    for position, rows in results:
        early[position] = rows
        while turn in early:
            yield from early.pop(turn)
            turn += 1


def _print(row: Row, show: str) -> None:
    if row.error is not None:
        complain(row.scan, row.error)
        if row.trace is not None and DEBUG.get():
            print(row.trace, file=sys.stderr)
    elif show == "json" and row.report is not None:
        from isocenter.reports import json

        print(json.dump(json.document(row.report, row.series), compact=True), end="", flush=True)
    elif show == "lines":
        print("\n".join(lines(row)), flush=True)


def _summary(tally: _Tally, n_inputs: int) -> str:
    left = n_inputs - tally.n_ok - tally.n_failed
    told = f"done: {tally.n_ok} ok, {tally.n_failed} failed"
    return f"{told}, {left} not tried" if left else told


def _gate_sentence(below: Sequence[str], gate: float | None) -> str:
    shown = ", ".join(below[:3]) + (", ..." if len(below) > 3 else "")
    scans = "1 scan is" if len(below) == 1 else f"{len(below)} scans are"
    return f"{scans} below the quality {gate:g} that --fail-below asks for: {shown}"


@contextlib.contextmanager
def _progress(n_scans: int, show: str) -> Iterator[Callable[[bool], None]]:
    """A bar on stderr with rate and time left; nothing when nobody watches."""
    if n_scans < 2 or show == "nothing" or not sys.stderr.isatty():
        yield lambda failed: None
        return
    from isocenter.cli._progress import bar

    with bar(n_scans) as advance:
        yield advance
