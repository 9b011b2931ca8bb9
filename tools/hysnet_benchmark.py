"""The twelve rows of HyS-Net's ablation and what it is compared with, on one label, in one table.

    python tools/hysnet_benchmark.py --data DATA --out runs/hysnet-rows

Every row is trained and asked on the same simulated volumes, which stand in OUT/kept; what is
finished is not done again, so a stopped call goes on with the same command.  Settings are those
of the recipe ``hysnet``; ``--row-set`` gives some to one row only.  The first row is the one that
the others are compared with.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from isocenter.data.atomic import write_text
from isocenter.data.volume import Volume
from isocenter.training.answers.judge import answers
from isocenter.training.answers.scoring import Method, cell, scored
from isocenter.training.baselines import Row, brisque_svr
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.run import Run, read_recipe, train
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.patch_examples import LabelledVolume, PatchSet
from isocenter.training.networks.label_nets import LABEL_NETS, build_label_net, is_of_slices
from isocenter.training.recipes.hysnet import HySNetRecipe
from isocenter.training.snr_baselines import brightness_over_noise

ABLATION: dict[str, tuple[str, ...]] = {
    f"{depth}-{'hyper' if hyper else 'static'}-{n_dims}d": (
        f"depth={depth}",
        f"hyper={str(hyper).lower()}",
        f"n_dims={n_dims}",
    )
    for depth in (18, 34, 50)
    for n_dims in (3, 2)
    for hyper in (True, False)
}
"""Settings of the rows of the paper's first table."""
NETWORKS: dict[str, tuple[str, ...]] = {
    **ABLATION,
    "resnet-3d": ("net=resnet", "n_dims=3"),
    "resnet-2d": ("net=resnet", "n_dims=2"),
    **{name: (f"net={name}",) for name in LABEL_NETS if is_of_slices(name)},
}
SIMPLE = ("brisque_svr", "brightness", "constant")
"""Methods without a network: BRISQUE's statistics with a regression, brightness over noise, and
the mean label of the training volumes."""
FIGURES = ("SROCC", "PLCC, fitted", "MAE")


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    methods = [Method(row, _row(row, options)) for row in options.rows]
    scores = scored(methods)
    write_text(options.out / "scores.json", json.dumps(scores, indent=1) + "\n")
    text = _table(scores, options.out)
    write_text(options.out / "scores.md", text)
    print(text)


def _row(row: str, options: argparse.Namespace) -> Outcomes:
    """What a row says of the test people."""
    folder = options.out / row
    folder.mkdir(exist_ok=True)
    file, began = folder / "outcomes-test.tsv", time.monotonic()
    if file.exists():
        return Outcomes.load(file)
    if row in NETWORKS:
        settings = _settings(row, options)
        if not train(
            "hysnet", options.data, folder, settings=settings, device=options.device, say=_say(row)
        ):
            raise SystemExit("stopped; the same command goes on")
        found = answers(Run.load(folder), "test", device=options.device, say=_say(row))
    else:
        found = _simple(row, options)
        found.save(file)
    note = folder / "seconds.txt"
    if not note.exists():
        write_text(note, f"{time.monotonic() - began:.0f}\n")
    return found


def _settings(row: str, options: argparse.Namespace) -> list[str]:
    """Those of all rows, then those of this one."""
    own = [text.split(":", 1)[1] for text in options.row_set if text.split(":", 1)[0] == row]
    shared = [f"kept={options.out / 'kept'}", f"clean={options.out / 'clean'}"]
    return [*shared, *options.set, *NETWORKS.get(row, ()), *own]


def _simple(row: str, options: argparse.Namespace) -> Outcomes:
    recipe = read_recipe("hysnet", _settings(row, options))
    assert isinstance(recipe, HySNetRecipe)
    split, scratch = recipe.split(options.data), options.out / "clean"
    ask = _learned(row, recipe, options, split)
    said = [
        (person, item, volume.label, ask(person, volume))
        for person, item, volume in recipe.asked(options.data, split["test"], scratch)
    ]
    people, items, truth, estimates = zip(*said, strict=True)
    outputs = np.array(estimates)[:, None]
    return Outcomes("values", people, items, np.array(truth), outputs, ("estimate",))


def _learned(
    row: str, recipe: HySNetRecipe, options: argparse.Namespace, split: Split
) -> Callable[[str, LabelledVolume], float]:
    """A method that has seen the training volumes."""
    if row == "brightness":
        return lambda person, volume: brightness_over_noise(volume.data)
    scratch = options.out / "clean"
    volumes, n_volumes = recipe.volumes(options.data, split["train"], scratch, "train")
    known = recipe.task(options.data, split, scratch).examples
    assert isinstance(known, PatchSet)
    labels = known.labels(n_volumes or recipe.n_volumes).tolist()
    if row == "constant":
        mean = float(np.mean(labels))
        return lambda person, volume: mean
    rows = [_as_row("training", partial(volumes, number)) for number in range(len(labels))]
    fitted = brisque_svr.method().fit(rows, labels)

    def ask(person: str, volume: LabelledVolume) -> float:
        return float(fitted.predict([_as_row(person, lambda: volume)]).outputs[0, 0])

    return ask


def _as_row(person: str, load: Callable[[], LabelledVolume]) -> Row:
    # The grid of a simulated volume is not kept; its voxels are nearly cubes.
    return Row(person, "volume", lambda: Volume(load().data, np.eye(4)))


def _table(scores: dict, out: Path) -> str:  # type: ignore[type-arg]
    """A row for each method."""
    first = scores["methods"][0]["name"]
    head = ["row", "parameters", *FIGURES, f"SROCC minus {first}", "minutes"]
    lines = [head, ["---"] * len(head)]
    for method in scores["methods"]:
        figures = [method["figures"].get(name) for name in FIGURES]
        difference = (figures[0] or {}).get("difference")
        seconds = out / method["name"] / "seconds.txt"
        minutes = f"{float(seconds.read_text()) / 60:.1f}" if seconds.exists() else "-"
        size = f"{_n_parameters(out / method['name']):,}" if method["name"] in NETWORKS else "-"
        lines.append([method["name"], size, *map(cell, figures), cell(difference), minutes])
    told = f"{scores['n']} volumes of {scores['people']} people; 95 % intervals by person"
    return "\n".join([told, "", *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def _n_parameters(folder: Path) -> int:
    recipe = Run.load(folder).recipe
    assert isinstance(recipe, HySNetRecipe)
    net = build_label_net(recipe.net, recipe.config(), recipe.size, seed=0)
    return sum(weight.numel() for weight in net.parameters())


def _say(row: str) -> Callable[[str], None]:
    return lambda line: print(f"{row}: {line}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--rows", nargs="+", default=[*NETWORKS, *SIMPLE], choices=[*NETWORKS, *SIMPLE]
    )
    parser.add_argument("--set", nargs="*", default=[], help="settings of all rows, key=value")
    parser.add_argument("--row-set", nargs="*", default=[], help="of one row, row:key=value")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


if __name__ == "__main__":
    main()
