"""A monotone curve from scores to opinions, as image-quality comparison asks for.

The wanted curve is tried first and simpler ones after it: five parameters, four, a line.
:class:`Fit` says which one was kept and why the ones before it were not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special

from isocenter.errors import UsageError
from isocenter.statistics._inputs import Array, Matrix, columns, finite

__all__ = ["Fit", "Kind", "fit_mapping", "logistic4", "logistic5"]

Kind = Literal["logistic5", "logistic4", "linear"]
ORDER: tuple[Kind, ...] = ("logistic5", "logistic4", "linear")
START_PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles of the scores at which the curve's centre starts."""
START_WIDTHS = (0.03, 0.1, 0.3)
"""Widths of the rise at the start, over the range of the scores."""
N_REFINED = 4
"""The best starts that are refined."""
NARROWEST, WIDEST = 0.005, 10.0
"""Bounds of the width of the rise, over the range of the scores."""
REACH = 1.0
"""How far centre and asymptotes may leave the data, over the range of the data."""
MOST_STEPS = 150
"""A start that still creeps along a flat valley then is given up."""
N_CHECKED = 512
"""Points over the range of the scores at which a curve must not turn."""


def logistic4(x: Array, b1: float, b2: float, b3: float, b4: float) -> Array:
    """(b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2.

    Source: VQEG, Final report on the validation of objective models of video quality
    assessment, phase II, 2003.
    """
    return np.asarray((b1 - b2) * scipy.special.expit((x - b3) / b4) + b2)


def logistic5(x: Array, b1: float, b2: float, b3: float, b4: float, b5: float) -> Array:
    """b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5.

    Source: Sheikh, Sabir & Bovik, IEEE TIP 15(11), 2006, doi:10.1109/TIP.2006.881959.
    """
    return np.asarray(b1 * (scipy.special.expit(b2 * (x - b3)) - 0.5) + b4 * x + b5)


def line(x: Array, b1: float, b2: float) -> Array:
    """b1 x + b2."""
    return np.asarray(b1 * x + b2)


CURVES: dict[Kind, Callable[..., Array]] = {
    "logistic5": logistic5,
    "logistic4": logistic4,
    "linear": line,
}
N_PARAMETERS: dict[Kind, int] = {"logistic5": 5, "logistic4": 4, "linear": 2}


@dataclass(frozen=True)
class Fit:
    """A curve from scores to opinions; call it with scores."""

    kind: Kind
    """The curve that was kept."""
    parameters: tuple[float, ...]
    """b1, b2, ... of the curve's formula, for scores and opinions in their own units."""
    why: tuple[str, ...]
    """Why each richer curve was left; empty where the wanted one was kept."""
    low: float
    """Least score of the data."""
    high: float
    """Largest score of the data; beyond the two the curve is a guess."""

    def __call__(self, scores: npt.ArrayLike) -> Array:
        """Opinions that the curve expects of ``scores``."""
        return CURVES[self.kind](np.asarray(scores, np.float64), *self.parameters)

    @property
    def direction(self) -> Literal["rising", "falling", "flat"]:
        """Where opinions go as scores grow."""
        first, last = self([self.low, self.high])
        if first == last:
            return "flat"
        return "rising" if last > first else "falling"


def fit_mapping(scores: npt.ArrayLike, opinions: npt.ArrayLike, *, kind: Kind = "logistic5") -> Fit:
    """Least-squares curve from scores to mean opinions, never turning over the data's range.

    Scores and opinions are standardised first.  The curve starts from several places, the
    same ones each time, within bounds: centre and asymptotes stay within one range of the
    data, the rise is between 1/200 and 10 times as wide as the scores.  A curve is left for
    the next simpler one when it has as many parameters as there are different scores or more,
    when it does not converge, or when it turns.

    A measure that falls with quality gets a falling curve, so the correlation after the fit
    has lost its sign: read the direction from :func:`~isocenter.statistics.srocc`.

    Args:
        scores: One score an image, in any unit.
        opinions: Mean opinion of every image.
        kind: The richest curve to try.

    Raises:
        UsageError: Different lengths, no images, or an unknown kind.
        InputError: A value is infinite or missing.
    """
    x, y = columns(scores, opinions)
    if kind not in CURVES or x.size == 0:
        raise UsageError(f"cannot fit {kind!r} to {x.size} images; known: {', '.join(ORDER)}")
    finite("scores", x), finite("opinions", y)
    (u, *of_x), (v, *of_y) = _standardised(x), _standardised(y)
    why: list[str] = []
    for tried in ORDER[ORDER.index(kind) : -1]:
        found, reason = _logistic(tried, u, v)
        if found is not None:
            raw = _in_own_units(tried, found, *of_x, *of_y)
            return Fit(tried, raw, tuple(why), float(x.min()), float(x.max()))
        why.append(f"{tried}: {reason}")
    slope = float(u @ v / (u @ u)) if np.any(u) else 0.0
    raw = _in_own_units("linear", np.array([slope, 0.0]), *of_x, *of_y)
    return Fit("linear", raw, tuple(why), float(x.min()), float(x.max()))


def _standardised(values: Array) -> tuple[Array, float, float]:
    """Values of mean 0 and deviation 1, their mean and deviation; 0 and 1 where constant."""
    if (values == values[0]).all():
        return np.zeros_like(values), float(values[0]), 1.0
    # Scaled first, so that squares of very large or small numbers stay numbers.
    scale = float(np.max(np.abs(values))) or 1.0
    small = values / scale
    centre, spread = float(small.mean()), float(small.std())
    return (small - centre) / spread, centre * scale, spread * scale


def _logistic(kind: Kind, u: Array, v: Array) -> tuple[Array | None, str]:
    """Parameters in standardised units, or None and the reason."""
    n_different = len(np.unique(u))
    if n_different <= N_PARAMETERS[kind]:
        return None, f"{n_different} different scores for {N_PARAMETERS[kind]} parameters"
    if not np.any(v):
        return None, "all opinions are equal"
    low, high = _bounds(kind, u, v)
    curve = CURVES[kind]
    tries = [
        scipy.optimize.least_squares(
            lambda b: curve(u, *b) - v,
            np.clip(start, low, high),
            jac=lambda b: _slopes(kind, u, b),
            bounds=(low, high),
            max_nfev=MOST_STEPS,
        )
        for start in _starts(kind, u, v)
    ]
    best = min((t for t in tries if t.success), key=lambda t: float(t.cost), default=None)
    if best is None:
        return None, "did not converge"
    steps = np.diff(curve(np.linspace(u.min(), u.max(), N_CHECKED), *best.x))
    slack = 1e-9 * np.ptp(v)
    if steps.min() < -slack and steps.max() > slack:
        return None, "turns within the range of the scores"
    return np.asarray(best.x), ""


def _bounds(kind: Kind, u: Array, v: Array) -> tuple[Array, Array]:
    wide, tall = float(np.ptp(u)), float(np.ptp(v))
    place = u.min() - REACH * wide, u.max() + REACH * wide
    if kind == "logistic4":
        end = v.min() - REACH * tall, v.max() + REACH * tall
        pairs = [end, end, place, (NARROWEST * wide, WIDEST * wide)]
    else:
        rise, slope = (1 + 2 * REACH) * tall, (1 + 2 * REACH) * tall / wide
        steepness = 1 / (WIDEST * wide), 1 / (NARROWEST * wide)
        level = rise + slope * float(np.max(np.abs(u)))
        pairs = [(-rise, rise), steepness, place, (-slope, slope), (-level, level)]
    low, high = np.array(pairs, np.float64).T
    return low, high


def _slopes(kind: Kind, u: Array, b: Array) -> Matrix:
    """Derivatives of the curve with respect to its parameters, (scores, parameters)."""
    if kind == "logistic4":
        rise = scipy.special.expit((u - b[2]) / b[3])
        tilt = (b[0] - b[1]) * rise * (1 - rise) / b[3]
        return np.stack([rise, 1 - rise, -tilt, -tilt * (u - b[2]) / b[3]], axis=1)
    rise = scipy.special.expit(b[1] * (u - b[2]))
    tilt = b[0] * rise * (1 - rise)
    return np.stack([rise - 0.5, tilt * (u - b[2]), -tilt * b[1], u, np.ones_like(u)], axis=1)


def _starts(kind: Kind, u: Array, v: Array) -> list[Array]:
    """Starting points, best first: for a given centre and width the rest is linear."""
    found = []
    for centre in np.quantile(u, START_PLACES):
        for width in np.multiply(START_WIDTHS, np.ptp(u)):
            rise = scipy.special.expit((u - centre) / width)
            if kind == "logistic4":
                basis = np.stack([rise, 1 - rise], axis=1)
            else:
                basis = np.stack([rise - 0.5, u, np.ones_like(u)], axis=1)
            b, *_ = np.linalg.lstsq(basis, v, rcond=None)
            error = float(np.sum((basis @ b - v) ** 2))
            if kind == "logistic4":
                start = np.array([b[0], b[1], centre, width])
            else:
                start = np.array([b[0], 1 / width, centre, b[1], b[2]])
            found.append((error, start))
    return [start for _, start in sorted(found, key=lambda pair: pair[0])[:N_REFINED]]


def _in_own_units(
    kind: Kind, b: Array, x_mean: float, x_spread: float, y_mean: float, y_spread: float
) -> tuple[float, ...]:
    """Parameters for scores and opinions as they were given."""
    centre = x_mean + x_spread * b[2] if kind != "linear" else 0.0
    if kind == "logistic4":
        raw = [y_mean + y_spread * b[0], y_mean + y_spread * b[1], centre, x_spread * b[3]]
    else:
        slope, level = (b[3], b[4]) if kind == "logistic5" else (b[0], b[1])
        slope = slope * y_spread / x_spread
        raw = [slope, y_mean + y_spread * level - slope * x_mean]
        if kind == "logistic5":
            raw = [y_spread * b[0], b[1] / x_spread, centre, *raw]
    return tuple(float(value) for value in raw)
