"""Enhancement of simulated low-field scans of people whom the networks never saw: tables.

    python tools/enhancement_benchmark.py --data DATA --out runs/enhance --net siqt=FILE

Slices of high-field scans are made thick and noisy, along the third axis, and made thin again by
every method.  What is done is kept in ``cases.jsonl``; the same command goes on.  Conditions:
``plain`` (noise alone), ``lowfield`` (contrast changed as well: images are compared with thin
slices of the changed contrast, and, after the gain and offset that bring each nearest, with the
high-field scan), ``lesions`` (inserted), ``volumes`` (of tissues, as ``plain``), ``repeat`` (other
noise), and four that the networks never saw: ``noisier``, ``inverted``, ``shuffled``, ``nothing``.
``--calibrate NAME`` writes what a deviation and its intervals are to be multiplied with, fitted on
the validation people.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from enhancement_cases import AXIS, CONDITIONS, Case, Subject, case, subjects
from enhancement_measures import (
    LEAST_CONTRAST,
    brightness,
    calibration,
    false_lesions,
    fidelity,
    lesion_figures,
    matched,
    tissue_volumes,
)
from enhancement_tables import fit, tables

from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.restorers import cubic, linear, siqt
from isocenter.restorers._enhanced import Enhanced

Row = dict[str, Any]
Method = Callable[[Volume, int], Enhanced]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "cases.jsonl"
    done = _done(kept)
    methods = _methods(options)
    scans = subjects(
        options.data,
        options.side,
        options.out / "tissue",
        n_planes=options.planes,
        n_scans=options.n_scans,
    )
    for subject in scans:
        for condition in options.conditions:
            for ratio in options.rates:
                for row in _rows(subject, condition, ratio, methods, done, options):
                    done[_key(row)] = row
                    with open(kept, "a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                    print(_line(row), flush=True)
    rows = list(done.values())
    if options.calibration:
        fitted = json.loads(options.calibration.read_text(encoding="utf-8"))
    else:
        fitted = fit([row for row in rows if row["method"] == options.calibrate])
    if fitted:
        write_text(options.out / "calibration.json", json.dumps(fitted, indent=1) + "\n")
    write_text(options.out / "table.md", tables(rows, options.calibrate, fitted))
    print(tables(rows, options.calibrate, fitted))


def _methods(options: argparse.Namespace) -> dict[str, Callable[[int], Method | None]]:
    """By name in the table: what makes the method of a ratio, None where there is none."""
    plain = {"linear": linear, "cubic": cubic}
    named = {name: _of_restorer(plain[name]) for name in options.methods}
    files: dict[str, list[str]] = {}
    for given in options.net:
        name, _, file = given.partition("=")
        files.setdefault(name, []).append(file)
    return named | {name: _of_networks(some, options) for name, some in files.items()}


def _of_restorer(module: Any) -> Callable[[int], Method]:
    def method(scan: Volume, ratio: int) -> Enhanced:
        made: Enhanced = module.enhance(scan, module.Options(ratio, AXIS), rng=generator(0))
        return made

    return lambda _: method


def _of_networks(files: list[str], options: argparse.Namespace) -> Callable[[int], Method | None]:
    """Each ratio by the first file that knows it."""
    known = {file: Checkpoint.load(file).preprocess["ratios"] for file in files}

    def of_ratio(ratio: int) -> Method | None:
        fitting = [file for file, (least, most) in known.items() if least <= ratio <= most]
        return partial(_enhanced, fitting[0], options) if fitting else None

    return of_ratio


def _enhanced(file: str, options: argparse.Namespace, scan: Volume, ratio: int) -> Enhanced:
    chosen = siqt.Options(
        ratio=ratio, axis=AXIS, members=options.members, weights=file, device=options.device
    )
    return siqt.enhance(scan, chosen, rng=generator(options.seed))


def _rows(
    subject: Subject,
    condition: str,
    ratio: int,
    methods: Mapping[str, Callable[[int], Method | None]],
    done: Mapping[Any, Row],
    options: argparse.Namespace,
) -> Iterator[Row]:
    """What is not done yet."""
    known = {
        "person": subject.person,
        "scan": subject.name,
        "side": subject.side,
        "contrast": subject.contrast,
        "condition": condition,
        "ratio": ratio,
    }
    missing = [name for name in methods if _key(known | {"method": name}) not in done]
    given = case(subject, condition, ratio, options.seed) if missing else None
    for name in missing if given is not None else []:
        method = methods[name](ratio)
        if method is not None:
            began = time.monotonic()
            made = [method(scan, ratio) for scan in given.scans]
            row = known | given.facts | {"method": name, "seconds": time.monotonic() - began}
            row |= _measured(given, made[0], condition)
            if condition == "lesions":
                row |= _inserted(given, made[0], method(given.control, ratio))
            if condition == "repeat":
                row |= _repeated(given, made)
            if condition == "volumes":
                row |= _volumes(given, made[0], subject)
            yield row


def _measured(given: Case, made: Enhanced, condition: str) -> Row:
    image, deviation = made.image.data, made.deviation
    # What a method can be held to: it does not know the contrast of another scanner.
    own = given.truth if given.own is None else given.own
    row: Row = {}
    if given.own is not None:
        gain, offset = matched(image, given.truth, given.brain)
        row |= {"gain": gain, "offset": offset}
        row |= _named("_high", fidelity(gain * image + offset, given.truth, given.brain))
    if own is not None:
        row |= fidelity(image, own, given.brain)
    if deviation is not None:
        level = brightness(made.interpolated.data, given.brain)
        stated = deviation.data[given.brain]
        row["doubt"] = float(stated.mean()) / level
        if own is not None:
            level = brightness(own, given.brain)
            raw = stated / _scale(made)
            error = (image - own)[given.brain]
            row |= calibration(error / level, raw / level, np.random.default_rng(0))
    if condition == "plain" and given.lesions is not None:
        row |= lesion_figures(image, given.truth, given.lesions, given.brain, least=LEAST_CONTRAST)
    if condition == "plain" and given.tissue is not None:
        row |= false_lesions(image, given.truth, given.tissue, given.spacing)
    return row


def _named(ending: str, row: Row) -> Row:
    return {name + ending: value for name, value in row.items()}


def _scale(made: Enhanced) -> float:
    """What a calibrated network multiplied its deviation with."""
    return float(made.facts.get("deviation_scale", 1.0))  # type: ignore[arg-type]


def _inserted(given: Case, made: Enhanced, control: Enhanced) -> Row:
    """Lesions by the difference that they make, so that anatomy does not count."""
    change = made.image.data - control.image.data
    true_change = given.truth - given.control_truth
    return lesion_figures(change, true_change, given.lesions, given.brain)


def _repeated(given: Case, made: list[Enhanced]) -> Row:
    """Spread between draws of the noise, beside what is stated; over the brain's brightness."""
    images = torch.stack([one.image.data[given.brain] for one in made])
    level = brightness(given.truth, given.brain)
    row = {"between_draws": float(images.var(0).mean()) ** 0.5 / level}
    if made[0].deviation is not None:
        stated = made[0].deviation.data[given.brain]
        row["stated"] = float(stated.square().mean()) ** 0.5 / level
    return row


def _volumes(given: Case, made: Enhanced, subject: Subject) -> Row:
    millilitre = float(np.prod(given.spacing)) / 1000
    true = {name: float(getattr(given.tissue, name).sum()) for name in ("csf", "gm", "wm")}
    found = tissue_volumes(made.image.data, given.brain, given.spacing, subject.contrast)
    return {"ml": found, "true_ml": {name: value * millilitre for name, value in true.items()}}


def _key(row: Mapping[str, Any]) -> tuple[str, str, int, str]:
    return row["scan"], row["condition"], row["ratio"], row["method"]


def _done(file: Path) -> dict[Any, Row]:
    if not file.exists():
        return {}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {_key(row): row for row in rows}


def _line(row: Row) -> str:
    shown = {name: row[name] for name in ("psnr", "ssim", "recovery", "doubt") if name in row}
    told = ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
    return (
        f"{row['scan']} {row['condition']} r={row['ratio']} {row['method']}: {told}, "
        f"{row['seconds']:.1f} s"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", nargs="+", default=["test"], help="train, validation, test")
    parser.add_argument("--n-scans", type=int, default=1000, help="of each side")
    parser.add_argument("--planes", type=int, default=0, help="sagittal ones; 0: all of the brain")
    parser.add_argument("--rates", type=int, nargs="+", default=[4, 8])
    parser.add_argument(
        "--conditions", nargs="+", default=["plain", "lowfield"], choices=list(CONDITIONS)
    )
    parser.add_argument("--methods", nargs="*", default=["linear", "cubic"])
    parser.add_argument("--net", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument(
        "--tissue", nargs="*", default=[], help="methods whose tissues are measured"
    )
    parser.add_argument("--calibrate", default="siqt", help="method whose deviation is calibrated")
    parser.add_argument("--calibration", type=Path, help="factors to judge, instead of fitting")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
