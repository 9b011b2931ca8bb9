"""Train, calibrate and measure the assessor that ships with the package.

    python tools/train_assessor.py --data DATA --out runs/assessor

DATA holds the folders ``brains``, ``labels``, ``ms`` and ``dicom``.  The command goes on where
it stopped; at the end it writes ``hsfnet.safetensors`` with its card into OUT.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from isocenter.nets.hsfnet import build
from isocenter.training.examples import ExampleSet
from isocenter.training.loop import Trainer
from isocenter.training.recipes.assessor import AssessorRecipe


def main() -> None:
    options = _options()
    recipe = AssessorRecipe()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    trainer = _trainer(recipe, options)
    trainer.resume()
    trainer.run(n_workers=options.workers, say=lambda line: print(line, flush=True))


def _trainer(recipe: AssessorRecipe, options: argparse.Namespace) -> Trainer:
    examples = ExampleSet(
        recipe.side(options.data, "train"),
        recipe.preprocess,
        n_slabs=recipe.n_slabs,
        length=recipe.schedule.n_steps * recipe.schedule.batch,
        seed=recipe.seed,
    )
    net = build(recipe.config, seed=recipe.seed)
    return Trainer(net, examples, recipe.schedule, options.out, options.device)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate")
    parser.add_argument("--threads", type=int, default=2, help="threads of the network")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
