"""What a trained network says of people it never saw, and how good that is."""

import json
from collections.abc import Sequence
from typing import Any

from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.settings import to_values
from isocenter.errors import NothingFound
from isocenter.training.answers.figures import constant
from isocenter.training.answers.scoring import Method, markdown, pooled, scored
from isocenter.training.engine.fabric import Device, accelerator
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.run import Run, Say

__all__ = ["answers", "compare", "evaluate"]

FOLD = "fold"
"""Setting by which the folds of one experiment differ."""


def evaluate(run: Run, *, device: Device = "auto", say: Say = print) -> dict[str, Any]:
    """Let a trained network answer for people it never saw, and score the answers.

    Writes ``outcomes-test.tsv``, ``outcomes-train.tsv`` (as many people, for the constant),
    ``scores.json`` and ``scores.md``; answers that are there are not asked for again.

    Returns:
        As :func:`isocenter.training.answers.scoring.scored`.

    Raises:
        NothingFound: The run is not trained to its end, or has no test people.
    """
    methods = [Method(run.folder.name, answers(run, "test", device=device, say=say))]
    methods.append(Method("constant", _constant(run, device, say)))
    scores = scored(methods)
    write_text(run.folder / "scores.json", json.dumps(scores, indent=1) + "\n")
    write_text(run.folder / "scores.md", markdown(scores))
    return scores


def compare(runs: Sequence[Run], *, device: Device = "auto", say: Say = print) -> dict[str, Any]:
    """One table of several runs: folds of one experiment are pooled, and every experiment and
    the constant are compared with the first.

    Runs of one recipe whose settings agree but for ``fold`` are folds.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        values = {k: v for k, v in to_values(run.recipe).items() if k != FOLD}
        groups.setdefault(json.dumps([run.name, values]), []).append(run)
    methods = []
    for group in groups.values():
        name = group[0].folder.name + (f" ({len(group)} folds)" if len(group) > 1 else "")
        parts = [answers(run, "test", device=device, say=say) for run in group]
        methods.append(Method(name, pooled(parts)))
    first = next(iter(groups.values()))
    methods.append(Method("constant", pooled([_constant(run, device, say) for run in first])))
    return scored(methods)


def answers(run: Run, side: str, *, device: Device = "auto", say: Say = print) -> Outcomes:
    """What the trained network says of the people of a side, kept in ``outcomes-SIDE.tsv``.

    Raises:
        NothingFound: The run is not trained to its end, or there is nobody on this side.
    """
    file = run.folder / f"outcomes-{side}.tsv"
    if file.exists():
        return Outcomes.load(file)
    if not run.model.exists():
        raise NothingFound(f"{run.folder} is not trained to its end: give its train command again")
    split = run.split()
    people = split.get(side, ())
    if side != "test":
        people = people[: len(split["test"])]
    if not people:
        raise NothingFound(f"{run.folder} has nobody on the side {side!r}; change the split")
    net = run.recipe.task(run.data, split, run.scratch).net
    Checkpoint.load(run.model).load_into(net)
    outcomes = run.recipe.answers(net.eval().to(accelerator(device)), run.data, people, say)
    outcomes.save(file)
    return outcomes


def _constant(run: Run, device: Device, say: Say) -> Outcomes:
    known = answers(run, "train", device=device, say=say)
    return constant(known, answers(run, "test", device=device, say=say))
