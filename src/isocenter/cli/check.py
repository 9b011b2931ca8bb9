"""``isocenter check``: an enhanced scan, whoever made it, against the scan it came from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from isocenter.cli._enhancing import NOTHING_SAID, Reading, check_lines, load_scan
from isocenter.errors import ResourceError, UsageError
from isocenter.reports.text import one_line

__all__ = ["check"]


def check(
    given: Annotated[Path, Parameter(name="ENHANCED")],
    source: Annotated[Path, Parameter(name="SCAN")],
    /,
    *,
    brain: Path | None = None,
    deviation: Path | None = None,
    reading: Annotated[Reading, Parameter(name="*")] = NOTHING_SAID,
    to: Annotated[Path | None, Parameter(name="--json")] = None,
    seed: int = 0,
) -> int:
    """Check.

    Args:
        given: The enhanced scan: thin slices.
        source: The scan that it was made of: thick slices.
        brain: A mask of the brain on the scan's grid; found unless given.
        deviation: Standard deviation of the enhanced scan's error, on its grid.
        reading: See there.
        to: File to write the checks to, ending in .json.
        seed: Chooses what is drawn; the same seed gives the same result.
    """
    _check(to, (given, source, brain, deviation), seed)
    scan, thin = load_scan(source, reading), load_scan(given, NOTHING_SAID)
    from isocenter.study.enhancement import check_files

    checks, notes = check_files(
        thin, scan, contrast=reading.contrast, brain=brain, deviation=deviation, seed=seed
    )
    print(one_line(f"{thin.facts.name} against {scan.facts.name}"))
    for line in check_lines(checks):
        print(one_line(line))
    for note in notes:
        print(one_line(f"note: {note}"))
    for sentence in checks.warnings:
        print(one_line(f"warning: {sentence}"))
    if to is not None:
        from isocenter.data import atomic
        from isocenter.reports.enhancement import check_document
        from isocenter.reports.json import dump

        said = check_document(checks, enhanced=thin.facts, scan=scan.facts, notes=notes)
        atomic.write_text(to, dump(said))
        print(f"wrote {to}")
    return 0


def _check(to: Path | None, inputs: tuple[Path | None, ...], seed: int) -> None:
    if not 0 <= seed < 2**63:
        raise UsageError(f"--seed is {seed}: give a whole number from 0 to 2**63 - 1")
    if to is None:
        return
    if not to.name.endswith(".json") or to.name == ".json":
        raise UsageError(f"--json is {to}: give a name that ends in .json")
    if not to.parent.is_dir() or not os.access(to.parent, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write to the folder {to.parent}: make it, or choose another")
    if any(one is not None and one.exists() and to.exists() and to.samefile(one) for one in inputs):
        raise UsageError(f"{to} is an input, which is never overwritten: choose another")
