"""Reconstruction of simulated k-space of people whom the prior never saw: one table.

    python tools/reconstruction_benchmark.py --data DATA --out runs/recon

Every person gives one slice, seen by eight simulated coils with noise, under masks of random
phase-encode lines.  What is done is kept in ``cases.jsonl``; the same command goes on.
``--settings`` runs one method with other options under a name of its own.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from isocenter.data.atomic import write_text
from isocenter.data.io import read
from isocenter.data.kspace import KSpace
from isocenter.data.random import child, generator
from isocenter.data.settings import with_settings
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source, sources
from isocenter.ops.regions import head_mask
from isocenter.restorers import (
    acquire,
    fidelity,
    options_of,
    reconstruct,
    reference,
    undersample,
)
from isocenter.restorers._deviation import smoothed
from isocenter.statistics import bootstrap_by_person
from isocenter.training.recipes.prior import RECIPE

LEVELS = (0.5, 0.8, 0.9)
"""Of the intervals whose coverage is told."""
AROUND = 4.0
"""Pixels: width of the neighbourhood of a pixel where errors are told together."""
SIDE = 256
"""Rows and columns of k-space; more where a scan has more."""


@dataclass(frozen=True, eq=False)
class Case:
    """One slice of one person, all of k-space measured."""

    person: str
    name: str
    full: KSpace
    truth: Tensor
    """Magnitude without noise (1, y, x)."""
    inside: Tensor
    """The head."""
    lesions: Tensor | None


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "cases.jsonl"
    done = _done(kept)
    methods = _methods(options)
    for case in cases(options):
        for rate in options.rates:
            for name, (method, settings) in methods.items():
                key = (case.name, rate, name)
                if key not in done:
                    done[key] = _run(case, rate, name, method, settings, options.seed)
                    with open(kept, "a", encoding="utf-8") as file:
                        file.write(json.dumps(done[key]) + "\n")
                    print(_line(done[key]), flush=True)
    table = _table(list(done.values()), options.rates)
    write_text(options.out / "table.md", table)
    print(table)


def _methods(options: argparse.Namespace) -> dict[str, tuple[str, Sequence[str]]]:
    """By name in the table: the restorer and its settings."""
    prior = [f"prior={options.prior}"] if options.prior else []
    named = {name: (name, prior if name == "hfs_sde" else []) for name in options.methods}
    for given in options.settings:
        name, *words = given.split()
        named[name] = ("hfs_sde", [*prior, *words])
    return named


def cases(options: argparse.Namespace) -> Iterator[Case]:
    recipe = RECIPE()
    people = recipe.split(options.data)[options.side]
    found = [one for one in sources(options.data) if one.person in people and one.kind != "labels"]
    for source in found[: options.n_scans]:
        yield _case(source, options.data, options.noise, options.seed)


def _case(source: Source, data: Path, noise: float, seed: int) -> Case:
    scan = read(source.path)
    lesions = _lesions(source)
    rng = child(generator(seed), source.person, source.path.name, "acquire")
    middle = _slice_to_show(scan, lesions)
    rows, columns = scan.shape[1], scan.shape[0]
    full = acquire(
        scan,
        mask="full",
        acceleration=1,
        noise=noise,
        plane="axial",
        grid=(max(SIDE, rows), max(SIDE, columns)),
        slices=(middle, middle + 1),
        rng=rng,
    )
    of_head = Volume(head_mask(scan.data).float(), scan.affine)
    return Case(
        source.person,
        source.path.name,
        full,
        reference(scan, full),
        reference(of_head, full) > 0.5,
        None if lesions is None else reference(lesions, full) > 0.5,
    )


def _lesions(source: Source) -> Volume | None:
    stem = source.path.name.rsplit("_", 1)[0]
    file = source.path.with_name(f"{stem}_lesions.nii.gz")
    return read(file) if file.exists() else None


def _slice_to_show(scan: Volume, lesions: Volume | None) -> int:
    """The one with most of the lesions, else a little above the middle."""
    if lesions is not None:
        return int((lesions.data > 0.5).sum((0, 1)).argmax())
    return int(0.55 * scan.shape[2])


def _run(
    case: Case, rate: float, name: str, method: str, settings: Sequence[str], seed: int
) -> dict[str, Any]:
    mask = child(generator(seed), case.name, "mask", rate)
    kspace = undersample(case.full, "random", acceleration=rate, acs=24, rng=mask)
    began = time.monotonic()
    made = reconstruct(
        kspace,
        method,
        with_settings(options_of(method), list(settings)),
        rng=child(generator(seed), case.name, rate),
    )
    image = made.image.abs()
    row: dict[str, Any] = {
        "person": case.person,
        "scan": case.name,
        "rate": rate,
        "true_acceleration": kspace.mask.true_acceleration,
        "method": name,
        "seconds": time.monotonic() - began,
        "evaluations": made.evaluations,
        "residual": made.slices[0].residual,
        **{score.name: score.value for score in fidelity(image, case.truth)},
    }
    if case.lesions is not None and bool(case.lesions.any()):
        row["lesion_contrast"] = _contrast(image, case) / _contrast(case.truth, case)
    if made.deviation is not None:
        within = made.slices[0].facts.get("deviations_within", {})
        row |= calibration(image, made.deviation, within, case.truth, case.inside)
    return row


def _contrast(image: Tensor, case: Case) -> float:
    """Mean inside lesions over the mean of a ring of three pixels around them, less 1."""
    assert case.lesions is not None
    near = torch.nn.functional.max_pool2d(case.lesions.float(), 9, 1, 4) > 0
    at = torch.nn.functional.max_pool2d(case.lesions.float(), 3, 1, 1) > 0
    around = near & ~at & case.inside
    return float(image[case.lesions].mean() / image[around].mean()) - 1


def calibration(
    image: Tensor, deviation: Tensor, within: Any, truth: Tensor, inside: Tensor
) -> dict[str, float]:
    """What the deviation says of the error, over the pixels of the head.

    ``coverage``: part of the errors within the interval of each level (of normal errors, where
    the prior has no factors of its own); ``rank``: rank correlation of deviation and absolute
    error, of single pixels and of root mean squares around them; ``ause``: area between the
    root mean square error of what is left when the least certain pixels are taken away, and the
    least possible, over that of a random order: 0 is the best order, 1 is none.
    """
    error = (image - truth).abs()
    around = [smoothed(one**2, inside, AROUND).sqrt() for one in (error, deviation)]
    error, spread, near, expected = (
        one[inside].double() for one in (error, deviation.clamp(min=1e-12), *around)
    )
    factors = {level: within.get(f"{level:g}", norm.ppf(0.5 + level / 2)) for level in LEVELS}
    covered = {
        f"coverage_{round(100 * level)}": float((error <= factor * spread).double().mean())
        for level, factor in factors.items()
    }
    ours, best, chance = (_left(error, order) for order in (spread, error, torch.arange(0.0)))
    return {
        **covered,
        "error_over_deviation": float((error**2).mean() / (spread**2).mean()) ** 0.5,
        "rank_of_deviation": _rank(error, spread),
        "rank_around": _rank(near, expected),
        "ause": (ours - best) / (chance - best),
    }


def _left(error: Tensor, order: Tensor) -> float:
    """Mean root mean square error of the most certain 1, 2, ... 100 % of the pixels."""
    squares = error[order.argsort()] ** 2 if len(order) else (error**2).mean().expand(len(error))
    means = squares.cumsum(0) / torch.arange(1, len(squares) + 1)
    return float(means[(torch.linspace(0.01, 1, 100) * len(means)).long() - 1].sqrt().mean())


def _rank(one: Tensor, other: Tensor) -> float:
    ranks = [torch.argsort(torch.argsort(values)).double() for values in (one, other)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def _table(rows: Sequence[Mapping[str, Any]], rates: Sequence[float]) -> str:
    lines = []
    for rate in rates:
        of_rate = [row for row in rows if row["rate"] == rate]
        names = dict.fromkeys(row["method"] for row in of_rate)
        lines += [f"\nR = {rate:g}, {len({row['person'] for row in of_rate})} people", ""]
        lines += ["| method | PSNR, dB | SSIM | NMSE | minus l1_wavelet, dB | evaluations | s |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for name in names:
            chosen = {row["scan"]: row for row in of_rate if row["method"] == name}
            plain = {row["scan"]: row for row in of_rate if row["method"] == "l1_wavelet"}
            both = [scan for scan in chosen if scan in plain]
            gain = [chosen[scan]["psnr"] - plain[scan]["psnr"] for scan in both]
            people = [row["person"] for row in chosen.values()]
            cells = [
                _with_interval([row[key] for row in chosen.values()], people, digits)
                for key, digits in (("psnr", 2), ("ssim", 4), ("nmse", 5))
            ]
            cells.append(_with_interval(gain, [chosen[scan]["person"] for scan in both], 2))
            seconds = np.median([row["seconds"] for row in chosen.values()])
            evaluations = max(row["evaluations"] for row in chosen.values())
            lines.append(f"| {name} | {' | '.join(cells)} | {evaluations} | {seconds:.1f} |")
    return "\n".join([*lines, *_extra(rows), ""])


def _extra(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Coverage of intervals, and lesions."""
    lines = []
    for key in (*(f"coverage_{round(100 * level)}" for level in LEVELS), "error_over_deviation",
                "rank_of_deviation", "rank_around", "ause", "lesion_contrast"):  # fmt: skip
        for name, rate in dict.fromkeys((row["method"], row["rate"]) for row in rows):
            known = [r for r in rows if (r["method"], r["rate"]) == (name, rate) and key in r]
            if known:
                value = _with_interval([r[key] for r in known], [r["person"] for r in known], 3)
                lines.append(f"- {key}, {name}, R = {rate:g}: {value}, {len(known)} slices")
    return ["", *lines] if lines else []


def _with_interval(values: Sequence[float], people: Sequence[str], digits: int) -> str:
    if not values:
        return "-"
    known = np.array(values, dtype=float)
    low, high = bootstrap_by_person(
        people, lambda rows: float(known[rows].mean()), rng=np.random.default_rng(0)
    )
    return f"{known.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _line(row: Mapping[str, Any]) -> str:
    return (
        f"{row['scan']} R={row['rate']:g} {row['method']}: {row['psnr']:.2f} dB, SSIM "
        f"{row['ssim']:.4f}, {row['evaluations']} evaluations, {row['seconds']:.1f} s"
    )


def _done(file: Path) -> dict[tuple[str, float, str], dict[str, Any]]:
    if not file.exists():
        return {}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(row["scan"], row["rate"], row["method"]): row for row in rows}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", default="test", help="train, validation or test people")
    parser.add_argument("--n-scans", type=int, default=1000)
    parser.add_argument("--rates", type=float, nargs="+", default=[4.0, 6.0, 8.0])
    parser.add_argument("--methods", nargs="*", default=["zero_filled", "sense", "l1_wavelet",
                        "tv", "hfs_sde"])  # fmt: skip
    parser.add_argument("--settings", nargs="*", default=[], help='"NAME key=value ..." of hfs_sde')
    parser.add_argument("--prior", help="checkpoint; the shipped one if not given")
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
