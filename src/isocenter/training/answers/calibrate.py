"""Fit what the network leaves open: probabilities, the quality scale, its intervals, the domain."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.assessors._evidence import log_odds, quality, summed_quality
from isocenter.assessors._outputs import TYPES, quality_to_target
from isocenter.assessors.hsfnet import foreign_odds, mahalanobis
from isocenter.training.answers.predictions import Predictions
from isocenter.training.baselines.linear import fit_classes

__all__ = ["calibrate", "fit_domain"]

SHRINKAGE = 0.1
"""Share of the average variance put on the covariance's diagonal."""
FOREIGN_RIDGE = 1.0
"""Penalty of the regression of known against foreign: many inputs, few objects."""
PULL = 1e-3
"""Weight of the squared change of a slope or an offset."""
N_BINS = 3
"""Ranges of quality with an interval width of their own."""


def calibrate(
    validation: Predictions, domain: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """All that is fitted on people outside training.

    Args:
        validation: Rows of the preset ``physical``.
        domain: From :func:`fit_domain`.

    Returns:
        Numbers for the checkpoint's header, and arrays to be stored beside the weights.
    """
    fitted = _fit_evidence(validation)
    numbers = {
        "quality": _fit_intervals(validation, fitted),
        "domain": _domain_limits(validation, domain),
    }
    return numbers, {**fitted, **domain}


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


def _fit_evidence(rows: Predictions) -> dict[str, Tensor]:
    """Slopes and offsets of presence and quality; see :mod:`isocenter.assessors._evidence`."""
    wanted, artifact = quality_to_target(rows.quality), rows.column("artifact")
    odds, presence = log_odds(rows.outputs), []
    for i, name in enumerate(TYPES):
        here = torch.from_numpy(artifact == name).float()
        presence.append(_logistic(odds[:, i], here, _prior(artifact)))
    return {
        "presence": torch.stack(presence),
        "quality": _least_squares(summed_quality(rows.outputs), wanted),
    }


def _prior(artifact: np.ndarray) -> Tensor:
    """Weights of rows that make half of all scans pristine, as most collections have it."""
    pristine = torch.from_numpy(artifact == "pristine")
    return torch.where(pristine, (~pristine).sum() / pristine.sum().clamp_min(1), 1.0)


def _logistic(x: Tensor, present: Tensor, weights: Tensor) -> Tensor:
    """Slope and offset of most likelihood, pulled a little towards 1 and 0."""
    start = torch.tensor([1.0, 0.0])
    line = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([line], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        said = line[0] * x + line[1]
        losses = F.binary_cross_entropy_with_logits(said, present, reduction="none")
        loss = (losses * weights).sum() / weights.sum() + PULL * (line - start).square().sum()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    return line.detach()


def _least_squares(x: Tensor, y: Tensor) -> Tensor:
    """Slope, pulled a little towards 1, and offset."""
    x_mean, y_mean = x.mean(), y.mean()
    away, pull = x - x_mean, PULL * len(x)
    slope = (away @ (y - y_mean) + pull) / (away @ away + pull)
    return torch.stack([slope, y_mean - slope * x_mean])


def _fit_intervals(rows: Predictions, fitted: dict[str, Tensor]) -> dict[str, list[float]]:
    """Widths that hold 90 % of the errors, by range of predicted quality.

    Each person is predicted by a fit to the others, so that the widths are honest.
    """
    people = rows.column("person")
    predicted, wanted = torch.zeros(len(people)), quality_to_target(rows.quality)
    for person in sorted(set(people)):
        others = _fit_evidence(rows.where(people != person))
        here = rows.where(people == person)
        predicted[torch.from_numpy(people == person)] = quality(here.outputs, others)
    edges = torch.quantile(predicted, torch.arange(1, N_BINS) / N_BINS)
    bins, errors = torch.bucketize(predicted, edges), (predicted - wanted).abs()
    widths = [float(errors[bins == i].quantile(0.9)) for i in range(N_BINS)]
    return {"edges": edges.tolist(), "half_widths": widths}
