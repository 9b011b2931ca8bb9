"""Networks of the distortion benchmark on other data sets: untouched, and with a new head.

    python tools/cross_dataset_benchmark.py --data DATA --out runs/cross \\
        --runs runs/hsfnet/improved-0 runs/hsfnet/facts-0 --sources labels ms heads+spine

``zero-shot`` rows never saw the data set; ``probe`` rows learn last layers from its other people,
fold by fold.  Beside them stands a forest on simple numbers and facts: fitted to the people whom
the first run learned from, or to the same other people as the probes.  What is finished is not
done again.  Settings are those of the recipe ``cross_dataset``.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

from isocenter.data.atomic import write_text
from isocenter.training.benchmark_baselines import Baseline, baseline_outcomes
from isocenter.training.judge import answers
from isocenter.training.outcomes import Outcomes
from isocenter.training.recipes.cross_dataset import CrossDatasetRecipe
from isocenter.training.recipes.hsfnet import N_FOLDS
from isocenter.training.run import Run, read_recipe, train
from isocenter.training.scoring import Method, pooled, scored

FOREST: Baseline = "forest_facts"
FIGURES = ("macro F1", "accuracy", "SROCC(Q, severity)", "ECE")


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for source in options.sources:
        scores = scored(_methods(source, options))
        write_text(options.out / f"scores-{source}.json", json.dumps(scores, indent=1) + "\n")
        lines += _rows(source, scores)
        head = ["data set", "people", "method", *FIGURES, "macro F1 minus the first row's"]
        table = [head, ["---"] * len(head), *lines]
        write_text(options.out / "scores.md", "".join(f"| {' | '.join(r)} |\n" for r in table))
    print((options.out / "scores.md").read_text())


def _methods(source: str, options: argparse.Namespace) -> list[Method]:
    names = [run.name.rsplit("-", 1)[0] for run in options.runs]
    methods = []
    for name, run in zip(names, options.runs, strict=True):
        methods.append(Method(f"{name}, zero-shot", _zero_shot(source, run, options)))
    methods.append(Method(f"{FOREST}, zero-shot", _forest(source, "zero-shot", options)))
    for name, run in zip(names, options.runs, strict=True):
        methods.append(Method(f"{name}, probe", _probe(source, run, options)))
    methods.append(Method(f"{FOREST}, fitted there", _forest(source, "probe", options)))
    return methods


def _zero_shot(source: str, run: Path, options: argparse.Namespace) -> Outcomes:
    """Everybody, since nobody is learned from; there is nothing to train."""

    def make() -> Outcomes:
        recipe = _recipe(source, run, 0, "zero-shot", options)
        people = recipe.people(options.data)
        return recipe.answers(recipe.build().eval(), options.data, people, _say(source))

    return _kept(options.out / f"{source}-{run.name}-zero-shot.tsv", make)


def _probe(source: str, run: Path, options: argparse.Namespace) -> Outcomes:
    parts = []
    for fold in _folds(source, options):
        folder = options.out / f"{source}-{run.name}-probe-{fold}"
        folder.mkdir(exist_ok=True)
        settings = _settings(source, run, fold, "probe", options)
        train("cross_dataset", options.data, folder, settings=settings, device="cpu",
              say=_say(folder.name))  # fmt: skip
        parts.append(answers(Run.load(folder), "test", device="cpu", say=_say(folder.name)))
    return pooled(parts)


def _forest(source: str, mode: str, options: argparse.Namespace) -> Outcomes:
    first = options.runs[0]

    def zero_shot() -> Outcomes:
        recipe = _recipe(source, first, 0, mode, options)
        asked = [image for images in recipe.images(options.data).values() for image in images]
        run = recipe.before
        return baseline_outcomes(recipe.trained, run.data, run.split(), FOREST, asked=asked)

    def fitted() -> Outcomes:
        parts = []
        for fold in _folds(source, options):
            recipe = _recipe(source, first, fold, mode, options)
            split = recipe.split(options.data)
            parts.append(baseline_outcomes(recipe, options.data, split, FOREST))
        return pooled(parts)

    make = zero_shot if mode == "zero-shot" else fitted
    return _kept(options.out / f"{source}-{FOREST}-{mode}.tsv", make)


def _kept(file: Path, make: Callable[[], Outcomes]) -> Outcomes:
    if not file.exists():
        make().save(file)
    return Outcomes.load(file)


def _folds(source: str, options: argparse.Namespace) -> range:
    recipe = _recipe(source, options.runs[0], 0, "probe", options)
    return range(min(N_FOLDS, len(recipe.people(options.data))))


def _recipe(
    source: str, run: Path, fold: int, mode: str, options: argparse.Namespace
) -> CrossDatasetRecipe:
    recipe = read_recipe("cross_dataset", _settings(source, run, fold, mode, options))
    assert isinstance(recipe, CrossDatasetRecipe)
    return recipe


def _settings(
    source: str, run: Path, fold: int, mode: str, options: argparse.Namespace
) -> list[str]:
    """Those of all rows, then those of this data set."""
    own = [t.split(":", 1)[1] for t in options.source_set if t.split(":", 1)[0] == source]
    fixed = [f"source={source}", f"run={run}", f"fold={fold}", f"mode={mode}"]
    return [*fixed, *options.set, *own]


def _rows(source: str, scores: dict) -> list[list[str]]:  # type: ignore[type-arg]
    rows = []
    for method in scores["methods"]:
        figures = [method["figures"].get(name) for name in FIGURES]
        difference = (figures[0] or {}).get("difference")
        counted = f"{scores['people']} ({scores['n']} images)"
        rows.append([source, counted, method["name"], *map(_cell, figures), _cell(difference)])
    return rows


def _cell(entry: dict | None) -> str:  # type: ignore[type-arg]
    if entry is None or entry["value"] is None:
        return "-"
    low, high = ("-" if end is None else f"{end:.3f}" for end in entry["interval"])
    return f"{entry['value']:.3f} [{low}, {high}]"


def _say(name: str) -> Callable[[str], None]:
    return lambda line: print(f"{name}: {line}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="NET-FOLD folders")
    parser.add_argument("--sources", nargs="+", default=["labels", "ms", "heads+spine"])
    parser.add_argument("--set", nargs="*", default=[], help="settings of all rows, key=value")
    parser.add_argument("--source-set", nargs="*", default=[], help="SOURCE:key=value")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
