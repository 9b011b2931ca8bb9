"""``isocenter evaluate``: how good trained networks are on people they never saw."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from isocenter.training.engine.run import Run

__all__ = ["evaluate"]


def evaluate(
    first: Path,
    /,
    *others: Path,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    data: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Evaluate trained networks.

    Args:
        first: Folder of a run; with several, the others are compared with it.
        others: Folders of further runs.
        device: Where to run the networks: cpu, cuda, or auto (cuda where there is a GPU).
        data: Folder with the scans, when it is no longer where they were trained.
        as_json: Print the figures as JSON.
    """
    import json
    from dataclasses import replace

    from isocenter.training.answers.scoring import markdown
    from isocenter.training.engine.run import Run

    runs = [Run.load(folder) for folder in (first, *others)]
    if data is not None:
        runs = [replace(run, data=data) for run in runs]
    scores = _scores(runs, device)
    print(
        json.dumps(scores, indent=1) if as_json else markdown(scores), end="\n" if as_json else ""
    )
    return 0


def _scores(runs: list[Run], device: Literal["auto", "cpu", "cuda"]) -> dict[str, Any]:
    from isocenter.training.answers.judge import compare, evaluate

    if len(runs) == 1:
        return evaluate(runs[0], device=device, say=_say)
    return compare(runs, device=device, say=_say)


def _say(line: str) -> None:
    """How far it is; the figures alone stand on standard output."""
    print(line, file=sys.stderr, flush=True)
