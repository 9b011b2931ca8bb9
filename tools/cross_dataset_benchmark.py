"""Networks of the distortion benchmark on other data sets: untouched, and with a new head.

    python tools/cross_dataset_benchmark.py --data DATA --out runs/cross \\
        --from brains:improved,facts ms:facts --to heads+spine labels ms brains

Each network of ``--from`` is trained on its own data set first (fold 0 of the recipe ``hsfnet``),
or ``--runs`` names finished runs of that recipe instead.  ``zero-shot`` rows never saw the data
set; ``probe`` rows learn last layers from its other people, fold by fold.  Beside them stands a
forest on simple numbers and facts: fitted to the people whom the networks learned from, or to the
same other people as the probes.  What is finished is not done again.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from isocenter.data.atomic import write_text
from isocenter.training.answers.judge import answers
from isocenter.training.answers.scoring import Method, cell, pooled, scored
from isocenter.training.benchmark_baselines import Baseline, baseline_outcomes
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.run import Run, read_recipe, train
from isocenter.training.recipes.cross_dataset import CrossDatasetRecipe
from isocenter.training.recipes.hsfnet import N_FOLDS, HSFNetRecipe

FOREST: Baseline = "forest_facts"
FIGURES = ("macro F1", "accuracy", "SROCC(Q, severity)", "ECE")
HEAD = ("trained on", "data set", "people", "method", *FIGURES, "macro F1 minus the first row's")


@dataclass(frozen=True)
class Origin:
    """Networks that learned from the same people of one data set."""

    source: str
    runs: tuple[Path, ...]
    """Finished; each is called by its folder's name."""


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    lines: list[list[str]] = []
    for origin in _origins(options):
        for target in options.to:
            if target == origin.source:
                continue
            scores = scored(_methods(origin, target, options))
            kept = _folder(origin, options) / f"scores-{target}.json"
            write_text(kept, json.dumps(scores, indent=1) + "\n")
            lines += _rows(origin, target, scores)
            table = [list(HEAD), ["---"] * len(HEAD), *lines]
            text = "".join(f"| {' | '.join(row)} |\n" for row in table)
            write_text(options.out / "scores.md", text)
    print((options.out / "scores.md").read_text())


def _origins(options: argparse.Namespace) -> list[Origin]:
    """What was trained elsewhere, or is trained here."""
    if not options.runs:
        return [_trained(text, options) for text in getattr(options, "from")]
    by_source: dict[str, list[Path]] = {}
    for run in options.runs:
        recipe = Run.load(run).recipe
        assert isinstance(recipe, HSFNetRecipe)
        by_source.setdefault(recipe.source, []).append(run)
    return [Origin(source, tuple(runs)) for source, runs in by_source.items()]


def _trained(text: str, options: argparse.Namespace) -> Origin:
    """Train what ``brains:improved,facts`` names."""
    source, _, nets = text.partition(":")
    runs = []
    for net in (nets or "improved").split(","):
        folder = options.out / f"from-{source}" / net
        folder.mkdir(parents=True, exist_ok=True)
        own = _of(net, options.train_set)
        settings = [f"source={source}", f"net={net}", *_shared(source, options), *own]
        if not train(
            "hsfnet", options.data, folder, settings=settings, device=options.device,
            say=_say(f"{source} {net}"),
        ):  # fmt: skip
            raise SystemExit("stopped; the same command goes on")
        runs.append(folder)
    return Origin(source, tuple(runs))


def _methods(origin: Origin, target: str, options: argparse.Namespace) -> list[Method]:
    methods = []
    if "zero-shot" in options.modes:
        for run in origin.runs:
            methods.append(
                Method(f"{run.name}, zero-shot", _zero_shot(origin, target, run, options))
            )
        methods.append(Method(f"{FOREST}, zero-shot", _forest_from(origin, target, options)))
    if "probe" in options.modes:
        for run in origin.runs:
            methods.append(Method(f"{run.name}, probe", _probe(origin, target, run, options)))
        methods.append(Method(f"{FOREST}, fitted there", _forest_there(origin, target, options)))
    return methods


def _zero_shot(origin: Origin, target: str, run: Path, options: argparse.Namespace) -> Outcomes:
    """Everybody, since nobody is learned from; there is nothing to train."""

    def make() -> Outcomes:
        recipe = _recipe(target, run, 0, "zero-shot", options)
        people = recipe.people(options.data)
        return recipe.answers(recipe.build().eval(), options.data, people, _say(target))

    return _kept(_folder(origin, options) / f"{target}-{run.name}-zero-shot.tsv", make)


def _probe(origin: Origin, target: str, run: Path, options: argparse.Namespace) -> Outcomes:
    parts = []
    for fold in _folds(target, run, options):
        folder = _folder(origin, options) / f"{target}-{run.name}-probe-{fold}"
        folder.mkdir(exist_ok=True)
        settings = _settings(target, run, fold, "probe", options)
        if not train("cross_dataset", options.data, folder, settings=settings, device="cpu",
                     say=_say(folder.name)):  # fmt: skip
            raise SystemExit("stopped; the same command goes on")
        parts.append(answers(Run.load(folder), "test", device="cpu", say=_say(folder.name)))
    return pooled(parts)


def _forest_from(origin: Origin, target: str, options: argparse.Namespace) -> Outcomes:
    """The forest of the people whom the networks learned from."""

    def make() -> Outcomes:
        recipe = _recipe(target, origin.runs[0], 0, "zero-shot", options)
        asked = [image for images in recipe.images(options.data).values() for image in images]
        run = recipe.before
        return baseline_outcomes(recipe.trained, run.data, run.split(), FOREST, asked=asked)

    return _kept(_folder(origin, options) / f"{target}-{FOREST}-zero-shot.tsv", make)


def _forest_there(origin: Origin, target: str, options: argparse.Namespace) -> Outcomes:
    """The forest of the target's other people: the same one, wherever networks come from."""

    def make() -> Outcomes:
        parts = []
        for fold in _folds(target, origin.runs[0], options):
            recipe = _recipe(target, origin.runs[0], fold, "probe", options)
            split = recipe.split(options.data)
            parts.append(baseline_outcomes(recipe, options.data, split, FOREST))
        return pooled(parts)

    return _kept(options.out / f"{target}-{FOREST}-fitted.tsv", make)


def _kept(file: Path, make: Callable[[], Outcomes]) -> Outcomes:
    if not file.exists():
        make().save(file)
    return Outcomes.load(file)


def _folder(origin: Origin, options: argparse.Namespace) -> Path:
    folder = Path(options.out) / f"from-{origin.source}"
    folder.mkdir(exist_ok=True)
    return folder


def _folds(target: str, run: Path, options: argparse.Namespace) -> range:
    recipe = _recipe(target, run, 0, "probe", options)
    return range(min(N_FOLDS, len(recipe.people(options.data))))


def _recipe(
    target: str, run: Path, fold: int, mode: str, options: argparse.Namespace
) -> CrossDatasetRecipe:
    recipe = read_recipe("cross_dataset", _settings(target, run, fold, mode, options))
    assert isinstance(recipe, CrossDatasetRecipe)
    return recipe


def _settings(
    target: str, run: Path, fold: int, mode: str, options: argparse.Namespace
) -> list[str]:
    fixed = [f"source={target}", f"run={run}", f"fold={fold}", f"mode={mode}"]
    return [*fixed, *_shared(target, options), *options.probe_set]


def _shared(source: str, options: argparse.Namespace) -> list[str]:
    """Those of all data sets, then those of this one."""
    return [*options.set, *_of(source, options.source_set)]


def _of(name: str, settings: Sequence[str]) -> list[str]:
    return [text.split(":", 1)[1] for text in settings if text.split(":", 1)[0] == name]


def _rows(origin: Origin, target: str, scores: dict) -> list[list[str]]:  # type: ignore[type-arg]
    rows = []
    for method in scores["methods"]:
        figures = [method["figures"].get(name) for name in FIGURES]
        difference = (figures[0] or {}).get("difference")
        counted = f"{scores['people']} ({scores['n']} images)"
        cells = [cell(entry) for entry in (*figures, difference)]
        rows.append([origin.source, target, counted, method["name"], *cells])
    return rows


def _say(name: str) -> Callable[[str], None]:
    return lambda line: print(f"{name}: {line}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--from", nargs="+", default=["brains:improved,facts"], metavar="SOURCE:NET,...",
        help="networks to train first, each on its own data set",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, nargs="+", default=[], help="finished runs to judge instead"
    )
    parser.add_argument("--to", nargs="+", default=["heads+spine", "labels", "ms"])
    parser.add_argument(
        "--modes", nargs="+", default=["zero-shot", "probe"], choices=["zero-shot", "probe"]
    )
    parser.add_argument("--set", nargs="*", default=[], help="settings of everything, key=value")
    parser.add_argument(
        "--source-set", nargs="*", default=[], help="of a data set, SOURCE:key=value"
    )
    parser.add_argument("--train-set", nargs="*", default=[], help="of a network, NET:key=value")
    parser.add_argument("--probe-set", nargs="*", default=[], help="of the probes, key=value")
    parser.add_argument("--device", default="auto", help="where networks are trained")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
