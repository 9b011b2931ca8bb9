"""All rows of the distortion benchmark: networks, ablations and simple methods, one table.

    python tools/hsfnet_benchmark.py --data DATA --out runs/hsfnet --rows improved forest_facts

Every row is trained and asked fold by fold; what is finished is not done again, so a stopped
call goes on with the same command.  Settings are those of the recipe ``hsfnet``; ``--row-set``
gives some to one row only.  The first row is the one that the others are compared with.  With
``--set n_learned=15`` there are no folds: 15 people are learned from, all others are tested.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from isocenter.data.atomic import write_text
from isocenter.training.answers.judge import answers
from isocenter.training.answers.scoring import Method, markdown, pooled, scored
from isocenter.training.benchmark_baselines import BASELINES, TAKEN, baseline_outcomes
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.run import Run, read_recipe, train
from isocenter.training.networks.benchmark_nets import NETS
from isocenter.training.recipes.hsfnet import HSFNetRecipe


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.prepare:
        prepare(options)
        return
    methods = []
    for row in options.rows:
        folds = _folds(row, options)
        parts = [outcomes for fold in folds if (outcomes := _row(row, fold, options))]
        if parts:
            methods.append(Method(row, pooled(parts)))
    scores = scored(methods)
    write_text(options.out / "scores.json", json.dumps(scores, indent=1) + "\n")
    write_text(options.out / "scores.md", markdown(scores))
    print(markdown(scores))


def prepare(options: argparse.Namespace) -> None:
    """Make what the rows take of every image, or of one part of the people, and nothing else."""
    part, n_parts = map(int, options.prepare.split("/"))
    for row in options.rows:
        recipe = _recipe(row, 0, options)
        wanted = TAKEN if _method(row) in BASELINES else recipe.wanted()
        for unit in recipe.people(options.data)[part - 1 :: n_parts]:
            preparation = recipe.preparation(None, wanted)
            for image in recipe.learned(options.data, [unit]):
                preparation(image)


def _folds(row: str, options: argparse.Namespace) -> Sequence[int]:
    """One where everybody who is not learned from is tested."""
    held_out = _recipe(row.partition("+")[0], 0, options).n_learned is not None
    return [0] if held_out else list(options.folds)


def _row(row: str, fold: int, options: argparse.Namespace) -> Outcomes | None:
    if "+" in row:
        parts = [_row(part, fold, options) for part in row.split("+")]
        known = [part for part in parts if part]
        outputs = sum(part.outputs for part in known) / len(known)
        return replace(known[0], outputs=outputs) if len(known) == len(parts) else None
    folder = options.out / f"{row}-{fold}"
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    if _method(row) in BASELINES:
        file = folder / "outcomes-test.tsv"
        if not file.exists():
            recipe = _recipe(row, fold, options)
            split = recipe.split(options.data)
            baseline_outcomes(recipe, options.data, split, _method(row)).save(file)
        found = Outcomes.load(file)
    else:
        settings = _settings(row, fold, options)
        if not train(
            "hsfnet", options.data, folder, settings=settings, device=options.device, say=_say(row)
        ):
            return None
        found = answers(Run.load(folder), "test", device=options.device, say=lambda line: None)
    _note(folder, time.monotonic() - began)
    return found


def _note(folder: Path, seconds: float) -> None:
    """Keep how long the row took, of the first call that finished it."""
    file = folder / "seconds.txt"
    if not file.exists():
        write_text(file, f"{seconds:.1f}\n")


def _method(row: str) -> str:
    """``facts@files`` is the method ``facts``."""
    return row.partition("@")[0]


def _recipe(row: str, fold: int, options: argparse.Namespace) -> HSFNetRecipe:
    recipe = read_recipe("hsfnet", _settings(row, fold, options))
    assert isinstance(recipe, HSFNetRecipe)
    return recipe


def _settings(row: str, fold: int, options: argparse.Namespace) -> list[str]:
    """Those of all rows, then those of this one."""
    net = _method(row) if _method(row) in NETS else "facts"
    own = [text.split(":", 1)[1] for text in options.row_set if text.split(":", 1)[0] == row]
    return [f"net={net}", f"fold={fold}", *options.set, *own]


def _say(row: str):  # type: ignore[no-untyped-def]
    return lambda line: print(f"{row}: {line}", flush=True)


def _options(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--rows", nargs="+", default=[*NETS, *BASELINES],
        help="networks and simple methods; METHOD@NAME is one with settings of its own, ONE+OTHER "
        "the mean of their probabilities",
    )  # fmt: skip
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--set", nargs="*", default=[], help="settings of all rows, key=value")
    parser.add_argument("--row-set", nargs="*", default=[], help="ROW:key=value")
    parser.add_argument(
        "--prepare", default="", help="I/N: only make inputs, of this part of the people"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
