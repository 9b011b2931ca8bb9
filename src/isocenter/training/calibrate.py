"""Fit what the network leaves open: probabilities, the quality scale, its intervals, the domain."""

from typing import Any

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from isocenter.assessors._outputs import TYPES, quality_to_target, split_outputs
from isocenter.assessors.hsfnet import foreign_odds, mahalanobis
from isocenter.training.baseline import fit_classes
from isocenter.training.predictions import Predictions

__all__ = ["calibrate", "fit_domain"]

SHRINKAGE = 0.1
"""Share of the average variance put on the covariance's diagonal."""
FOREIGN_RIDGE = 1.0
"""Penalty of the regression of known against foreign: many inputs, few objects."""
N_BINS = 3
"""Ranges of quality with an interval width of their own."""


def calibrate(validation: Predictions, domain: dict[str, Tensor]) -> dict[str, Any]:
    """All calibration numbers of a checkpoint, from people outside training.

    Args:
        validation: Rows of the preset ``physical``.
        domain: From :func:`fit_domain`.
    """
    return {
        "presence": _fit_presence(validation),
        "quality": _fit_quality(validation),
        "domain": _domain_limits(validation, domain),
    }


def fit_domain(known: Predictions, foreign: Predictions) -> dict[str, Tensor]:
    """What tells scans that the network knows from others.

    Mean and inverse covariance of the features of known scans, and the coefficients of a
    logistic regression of known against foreign.

    Args:
        known: Rows of heads, damaged and not.
        foreign: Rows of other objects.
    """
    mean, precision = _gaussian(known)
    return {
        "domain.mean": mean,
        "domain.precision": precision,
        "domain.odds": _fit_odds(known, foreign),
    }


def _fit_odds(known: Predictions, foreign: Predictions) -> Tensor:
    """Coefficients of the raw inputs, the offset last."""
    sides = [torch.cat([side.features, side.simple], 1) for side in (known, foreign)]
    # As many of each, so that the odds do not depend on how many were made.
    copies = max(1, len(sides[0]) // len(sides[1]))
    inputs = torch.cat([sides[0], sides[1].repeat(copies, 1)])
    classes = torch.cat([torch.zeros(len(sides[0])), torch.ones(len(sides[1]) * copies)]).long()
    line = fit_classes(inputs, classes, 2, ridge=FOREIGN_RIDGE)
    weight = line.weight[:, 1] - line.weight[:, 0]
    scaled = weight[:-1] / line.scale
    return torch.cat([scaled, (weight[-1] - scaled @ line.mean)[None]])


def _domain_limits(rows: Predictions, domain: dict[str, Tensor]) -> dict[str, float]:
    """What one known scan in two hundred exceeds, and a little more."""
    far = mahalanobis(rows.features, domain["domain.mean"], domain["domain.precision"])
    odds = foreign_odds(rows.features, rows.simple, domain["domain.odds"])
    return {
        "mahalanobis": 1.2 * float(np.quantile(far.numpy(), 0.995)),
        "odds": max(0.0, float(np.quantile(odds.numpy(), 0.995)) + 1.0),
    }


def _gaussian(known: Predictions) -> tuple[Tensor, Tensor]:
    features = known.features.double()
    mean = features.mean(0)
    covariance = torch.cov(features.T)
    average = covariance.diagonal().mean()
    identity = torch.eye(len(mean), dtype=torch.float64)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * average * identity
    return mean.float(), torch.linalg.inv(shrunk).float()


def _fit_presence(rows: Predictions) -> dict[str, list[float]]:
    """Slope and offset of the log odds of each artifact (Platt 1999), by maximum likelihood."""
    levels = split_outputs(rows.outputs)[0].log_softmax(-1)
    odds = (levels[..., 1:].logsumexp(-1) - levels[..., 0]).double().numpy()
    artifact = rows.column("artifact")
    fits = [_platt(odds[:, i], artifact == name) for i, name in enumerate(TYPES)]
    return {"slope": [fit[0] for fit in fits], "offset": [fit[1] for fit in fits]}


def _platt(odds: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    sign = np.where(present, 1.0, -1.0)

    def loss(x: np.ndarray) -> float:
        likelihood = np.logaddexp(0, -sign * (x[0] * odds + x[1])).mean()
        # A weak pull to "as trained" keeps the fit finite when the classes are separable.
        return float(likelihood + 1e-3 * ((x[0] - 1) ** 2 + x[1] ** 2))

    slope, offset = scipy.optimize.minimize(loss, np.array([1.0, 0.0])).x
    return float(slope), float(offset)


def _fit_quality(rows: Predictions) -> dict[str, Any]:
    """Straight line from output to quality scale, and 90 % of the errors around it."""
    raw = split_outputs(rows.outputs)[2].double().numpy()
    wanted = quality_to_target(rows.quality.double()).numpy()
    slope, offset = np.polyfit(raw, wanted, 1)
    fitted = slope * raw + offset
    edges = np.quantile(fitted, np.arange(1, N_BINS) / N_BINS)
    bins = np.searchsorted(edges, fitted)
    errors = np.abs(fitted - wanted)
    widths = [float(np.quantile(errors[bins == i], 0.9)) for i in range(N_BINS)]
    return {
        "slope": float(slope),
        "offset": float(offset),
        "edges": edges.tolist(),
        "half_widths": widths,
    }
