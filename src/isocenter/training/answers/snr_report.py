"""How well a method ranks scans by their SNR, and how far off it is, with intervals by person."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.statistics import bootstrap_by_person, srocc
from isocenter.training.answers.intervals import widths_by_range
from isocenter.training.engine.outcomes import Outcomes

__all__ = ["calibrate", "clean_range", "corrected", "parts_of", "scores"]

Rows = npt.NDArray[np.intp]
Measured = dict[str, dict[str, Any]]
N_DRAWS = 500


def calibrate(known: Outcomes) -> dict[str, Any]:
    """A straight line from what was said to the truth's logarithm, and a prediction interval.

    Args:
        known: Of validation people.

    Returns:
        ``slope`` and ``offset`` by least squares; ``edges`` between thirds of what was said, and
        ``half_widths`` of each: the 90 % quantile of the logarithm's absolute errors.
    """
    said, truth = known.outputs[:, 0], np.log(known.truth)
    slope, offset = np.polyfit(said, truth, 1)
    errors = np.abs(offset + slope * said - truth)
    return {"slope": float(slope), "offset": float(offset), **widths_by_range(said, errors)}


def corrected(given: Outcomes, calibration: dict[str, Any]) -> Outcomes:
    """The answers on :func:`calibrate`'s curve, with the half width of the logarithm's interval."""
    said = given.outputs[:, 0]
    width = np.array(calibration["half_widths"])[np.searchsorted(calibration["edges"], said)]
    estimate = np.exp(calibration["offset"] + calibration["slope"] * said)
    columns = ("estimate", "half width")
    return replace(given, outputs=np.stack([estimate, width], axis=1), columns=columns)


def clean_range(given: Outcomes) -> list[float]:
    """5th and 95th percentile of what is said of scans without noise to speak of."""
    noise = np.array([float(parts_of(item)[2]) for item in given.items])
    said = given.outputs[noise == noise.max(), 0]
    return [float(value) for value in np.quantile(said, [0.05, 0.95])]


def parts_of(item: str) -> tuple[str, str, str]:
    """Scan, contrast and noise of an item of the recipe's answers."""
    scan, contrast, noise = item.split(", ")
    return scan, contrast, noise


def scores(given: Outcomes) -> Measured:
    """Ranks and errors over all rows, by noise, by contrast, and within people.

    Args:
        given: Of people the method never saw; where it says half widths, the share of intervals
            that hold the truth is measured, too.
    """
    said, truth = given.outputs[:, 0], given.truth
    everything = np.ones(len(truth), bool)
    measured = {"SROCC, all": _ranks(given, everything)}
    _, contrasts, noises = map(np.array, zip(*map(parts_of, given.items), strict=True))
    for contrast in dict.fromkeys(contrasts.tolist()):
        measured[f"SROCC, {contrast}"] = _ranks(given, contrasts == contrast)
    for noise in dict.fromkeys(noises.tolist()):
        measured[f"SROCC, brightness over noise {noise}"] = _ranks(given, noises == noise)
    measured["SROCC within a person, mean"] = _within(given)
    measured["mean absolute error"] = _mean(given, np.abs(said - truth))
    if "half width" in given.columns:
        held = np.abs(np.log(said / truth)) <= given.outputs[:, 1]
        measured["90 % interval covers"] = _mean(given, held)
    return measured


def _ranks(given: Outcomes, keep: npt.NDArray[np.bool_]) -> dict[str, Any]:
    said, truth = given.outputs[keep, 0], given.truth[keep]
    people = [p for p, kept in zip(given.people, keep, strict=True) if kept]
    return _with_interval(people, lambda rows: srocc(said[rows], truth[rows]), len(truth))


def _within(given: Outcomes) -> dict[str, Any]:
    """Rank correlation over the versions of one person's scans, mean over people."""
    names = sorted(set(given.people))
    each = []
    for name in names:
        rows = [i for i, person in enumerate(given.people) if person == name]
        each.append(srocc(given.outputs[rows, 0], given.truth[rows]))
    found = np.array(each)
    return _with_interval(names, lambda rows: float(found[rows].mean()), len(names))


def _mean(given: Outcomes, values: npt.NDArray[Any]) -> dict[str, Any]:
    numbers = values.astype(np.float64)
    return _with_interval(
        list(given.people), lambda rows: float(numbers[rows].mean()), len(numbers)
    )


def _with_interval(people: list[str], statistic: Callable[[Rows], float], n: int) -> dict[str, Any]:
    interval = bootstrap_by_person(people, statistic, rng=np.random.default_rng(0), n_draws=N_DRAWS)
    return {"value": statistic(np.arange(n)), "interval": list(interval), "n": n}
