"""Calibrate and measure the HyS-Net that ships with the package.

    isocenter train hysnet DATA --out RUN
    python tools/ship_hysnet.py --run RUN

The network's answers are those of its weights as they are stored, in half precision.  What every
method says of a person stands in RUN/said and is not asked for again; the end is
``RUN/hysnet.safetensors`` (weights with calibration and card) and ``RUN/hysnet.md`` (tables).
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isocenter.assessors.hysnet import Assessor
from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import read
from isocenter.data.volume import Volume
from isocenter.datasets.collection import sources
from isocenter.training.answers.evaluate import table
from isocenter.training.answers.figures import constant
from isocenter.training.answers.scoring import Method, markdown, pooled, scored
from isocenter.training.answers.snr_report import calibrate, clean_range, corrected, scores
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.run import Run
from isocenter.training.recipes.hysnet import HySNetRecipe
from isocenter.training.snr_baselines import blind_total_snr, brightness_over_noise

BLIND = ("as scanned, 80", "as scanned, 10", "flat, 20", "steep, 20")
"""Contrasts and noise under which the slow script is asked about some brains."""
N_BLIND = 4
"""Brains that it is asked about."""
COMMAND = "isocenter train hysnet DATA --out RUN; python tools/ship_hysnet.py --run RUN"


def main() -> None:
    options = _options()
    run = Run.load(options.run)
    rounded(run)
    split = run.split()
    jobs = [("network", p) for side in ("validation", "test") for p in split[side]]
    jobs += [("noise", p) for p in split["test"]]
    brains = [p for p in split["test"] if p.startswith("brains/")]
    jobs += [("blind", p) for p in brains[:N_BLIND]]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        said = dict(
            zip(jobs, pool.starmap(ask, [(options.run, *job) for job in jobs]), strict=True)
        )
    known = pooled([said["network", p] for p in split["validation"]])
    test = {
        kind: pooled([part for (k, p), part in said.items() if k == kind and p in split["test"]])
        for kind in ("network", "noise", "blind")
    }
    finish(run, known, test)


def rounded(run: Run) -> Path:
    """The weights as they will be stored, without calibration."""
    file = run.folder / "rounded.safetensors"
    if not file.exists():
        Checkpoint.load(run.model).save(file, dtype=torch.float16)
    return file


def ask(folder: Path, kind: str, person: str) -> Outcomes:
    """What one method says of one person's volumes, kept in a file."""
    file = folder / "said" / f"{kind}-{person.replace('/', '-')}.tsv"
    if not file.exists():
        torch.set_num_threads(1)
        file.parent.mkdir(exist_ok=True)
        methods: dict[str, Callable[[Run, str], Outcomes]] = {
            "network": by_network, "noise": by_noise, "blind": by_script,
        }  # fmt: skip
        methods[kind](Run.load(folder), person).save(file)
    return Outcomes.load(file)


def by_network(run: Run, person: str) -> Outcomes:
    net = Assessor(Checkpoint.load(rounded(run)), "cpu").net
    return _recipe(run).answers(net, run.data, (person,), lambda line: print(line, flush=True))


def by_noise(run: Run, person: str) -> Outcomes:
    rows = [
        (item, volume.label, brightness_over_noise(volume.data))
        for _, item, volume in _asked(run, person)
    ]
    return _outcomes(person, rows)


def by_script(run: Run, person: str) -> Outcomes:
    """The tissue SNR of the noisy scan; rows without an answer are left out."""
    source = next(s for s in sources(run.data) if s.person == person)
    affine = read(source.path).affine
    rows = []
    for _, item, volume in _asked(run, person):
        if item.split(", ", 1)[1] in BLIND:
            scan = Volume(volume.data, affine, source.contrast)
            found = blind_total_snr(scan, volume.head)
            if found is not None:
                rows.append((item, volume.label, found))
    return _outcomes(person, rows)


def finish(run: Run, known: Outcomes, test: dict[str, Outcomes]) -> None:
    """Weights with calibration and card, and the tables."""
    calibration = calibrate(known)
    network = corrected(test["network"], calibration)
    methods = [
        Method("HyS-Net", network),
        Method("brightness over noise", test["noise"]),
        Method("constant", constant(known, network)),
    ]
    subset = [Method("HyS-Net", network), Method("tissue-SNR script", test["blind"]), methods[1]]
    found = {
        "HyS-Net": scores(network),
        "brightness over noise": _ranks(scores(test["noise"])),
    }
    compared = {"all": scored(methods), f"{N_BLIND} brains, {len(BLIND)} looks": scored(subset)}
    made = Checkpoint.load(rounded(run))
    card = _card(run, {"scores": found, "compared": compared})
    numbers = {"snr": calibration, "clean": clean_range(corrected(known, calibration))}
    made = replace(made, calibration=numbers, card=card)
    made.save(run.folder / "hysnet.safetensors", dtype=torch.float16)
    text = [
        *(f"### {name}\n\n{table(measured)}" for name, measured in found.items()),
        *(f"### Compared: {name}\n\n{markdown(one)}" for name, one in compared.items()),
        f"The script answered {len(test['blind'].truth)} of {len(BLIND) * N_BLIND}.",
    ]
    write_text(run.folder / "hysnet.md", "\n\n".join(text) + "\n")
    print("\n\n".join(text))


def _ranks(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in measured.items() if name.startswith("SROCC")}


def _recipe(run: Run) -> HySNetRecipe:
    """The run's recipe, its clean scans kept with the run's."""
    assert isinstance(run.recipe, HySNetRecipe)
    return replace(run.recipe, clean=run.recipe.clean or str(run.scratch / "clean"))


def _asked(run: Run, person: str) -> Iterator[Any]:
    return _recipe(run).asked(run.data, (person,), run.scratch / "clean")


def _outcomes(person: str, rows: list[tuple[str, float, float]]) -> Outcomes:
    items, truth, said = zip(*rows, strict=True)
    outputs = np.array(said)[:, None]
    people = (person,) * len(rows)
    return Outcomes("values", people, items, np.array(truth), outputs, ("estimate",))


def _card(run: Run, scores: dict[str, Any]) -> dict[str, Any]:
    recipe, record = _recipe(run), Checkpoint.load(run.model).card
    used = set(recipe.people(run.data))
    found = [source for source in sources(run.data) if source.person in used]
    plain = _finite(scores)
    return {
        "name": "hysnet",
        "task": "total SNR of head MR scans from patches; research use only",
        "licence": "Apache-2.0",
        "data": sorted({source.origin for source in found}),
        "label": "snr_total (mriqc-0.15 formulas) under the tissues of the scan before noise",
        "damage": "simulated: Rician noise, contrast curves, shading, skull stripping",
        "split": record["split"],
        "seed": recipe.seed,
        "schedule": asdict(recipe.schedule),
        "commit": record["commit"],
        "command": COMMAND,
        "torch": torch.__version__,
        "scores": plain,
    }


def _finite(values: Any) -> Any:
    """The same with ``None`` for what is not a finite number, as JSON wants it."""
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of `isocenter train`")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
