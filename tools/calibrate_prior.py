"""Fit the standard deviation of a prior to its errors, and write it into the prior's file.

    python tools/calibrate_prior.py --data DATA --prior prior.safetensors --out runs/calibration

Slices of validation people, measured as in ``reconstruction_benchmark.py``, are reconstructed by
the defaults of ``hfs_sde``; the fit maximises the likelihood of normal errors whose deviation is
that of :class:`isocenter.restorers._deviation.Calibration`.  Every slice counts the same.  What
is done is kept; the same command goes on.  The end is ``OUT/prior.safetensors``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from reconstruction_benchmark import LEVELS, Case, cases
from scipy.optimize import minimize

from isocenter.data.atomic import write_bytes
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.restorers import reconstruct, undersample
from isocenter.restorers._deviation import Calibration, smoothed
from isocenter.restorers.hfs_sde import Options

WIDTH = 3.0
"""Pixels.  Between 2 and 6 the likelihood hardly changes; it is greatest at 4, and the order of
the pixels is best at 3."""


@dataclass(frozen=True)
class Slice:
    """One slice of one person, all in units of the prior."""

    person: str
    acceleration: float
    sigma: float
    variance: npt.NDArray[np.float64]
    """Smoothed, of every pixel of the head."""
    error: npt.NDArray[np.float64]

    def deviation(self, of_samples: float, of_noise: float) -> npt.NDArray[np.float64]:
        missing = self.acceleration - 1
        return np.sqrt(of_samples * missing * self.variance + of_noise * self.sigma**2)


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    given = Checkpoint.load(options.prior)
    plain = options.out / "uncalibrated.safetensors"
    replace(given, calibration={}).save(plain)
    found = list(_slices(options, plain))
    factors = _fitted(found)
    people = len({one.person for one in found})
    rates = ", ".join(f"{rate:g}" for rate in options.rates)
    known = Calibration(
        WIDTH,
        *factors,
        _intervals(found, *factors),
        f"{len(found)} slices of {people} validation people (simulated coils, random lines, "
        f"R = {rates}, noise of {options.noise:g}; 2 samples of 40 steps)",
    )
    calibration = {"deviation": asdict(known)}
    replace(given, calibration=calibration).save(
        options.out / "prior.safetensors", dtype=torch.float16
    )
    for one in found:
        ratio = _rms(one.error) / _rms(one.deviation(*factors))
        print(f"{one.person} R={one.acceleration:.2f}: error over deviation {ratio:.2f}")
    print(known.said())


def _slices(options: argparse.Namespace, prior: Path) -> Iterator[Slice]:
    for case in cases(options):
        for rate in options.rates:
            file = options.out / f"{case.name.split('.')[0]}_{rate:g}.npz"
            if not file.exists():
                one = _slice(case, rate, prior, options.seed)
                kept = options.out / "now.npz"
                np.savez(kept, **asdict(one))
                write_bytes(file, kept.read_bytes())
            with np.load(file) as kept_slice:
                yield Slice(**{name: _plain(kept_slice[name]) for name in kept_slice})


def _plain(values: npt.NDArray[np.generic]) -> object:
    return values if values.ndim else values.item()


def _slice(case: Case, rate: float, prior: Path, seed: int) -> Slice:
    rng = child(generator(seed), case.name, "mask", rate)
    kspace = undersample(case.full, "random", acceleration=rate, acs=24, rng=rng)
    rng = child(generator(seed), case.name, rate)
    made = reconstruct(kspace, "hfs_sde", Options(prior=str(prior)), rng=rng)
    facts = made.slices[0].facts
    scale, sigma = float(facts["scale"]), float(facts["sigma_y"])  # type: ignore[arg-type]
    assert made.deviation is not None
    assert made.maps is not None
    support = (made.maps != 0).any(2)[:, 0]
    variance = smoothed((made.deviation / scale) ** 2, support, WIDTH)
    error = (made.image.abs() - case.truth) / scale
    return Slice(
        case.person,
        kspace.mask.true_acceleration,
        sigma,
        variance[case.inside].double().numpy(),
        error[case.inside].double().numpy(),
    )


def _fitted(found: list[Slice]) -> tuple[float, float]:
    """Both factors."""

    def loss(logarithms: npt.NDArray[np.float64]) -> float:
        said = [one.deviation(*np.exp(logarithms)) for one in found]
        each = [
            np.mean(2 * np.log(deviation) + (one.error / deviation) ** 2)
            for one, deviation in zip(found, said, strict=True)
        ]
        return float(np.mean(each))

    least = minimize(loss, np.zeros(2), method="Nelder-Mead")
    of_samples, of_noise = (round(float(value), 3) for value in np.exp(least.x))
    return of_samples, of_noise


def _intervals(found: list[Slice], of_samples: float, of_noise: float) -> dict[str, float]:
    """How many deviations hold so large a part of the errors: mean over slices."""
    ratios = [np.abs(one.error) / one.deviation(of_samples, of_noise) for one in found]
    return {
        f"{level:g}": round(float(np.mean([np.quantile(some, level) for some in ratios])), 3)
        for level in LEVELS
    }


def _rms(values: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", default="validation")
    parser.add_argument("--n-scans", type=int, default=6)
    parser.add_argument("--rates", type=float, nargs="+", default=[2.0, 4.0, 6.0, 8.0])
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
