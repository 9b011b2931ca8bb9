"""Fit what the network leaves open: probabilities, the quality scale, its intervals, the domain."""

from typing import Any

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from isocenter.assessors._outputs import TYPES, quality_to_target, split_outputs
from isocenter.training.predictions import Predictions

__all__ = ["calibrate", "fit_domain"]

SHRINKAGE = 0.1
"""Share of the average variance put on the covariance's diagonal."""
N_BINS = 3
"""Ranges of quality with an interval width of their own."""


def calibrate(validation: Predictions, domain: dict[str, Tensor]) -> dict[str, Any]:
    """All calibration numbers of a checkpoint, from people outside training.

    Args:
        validation: Rows of the preset ``physical``.
        domain: From :func:`fit_domain`.
    """
    distances = mahalanobis(validation.features, domain)
    return {
        "presence": _fit_presence(validation),
        "quality": _fit_quality(validation),
        "domain": {"limit": float(np.quantile(distances, 0.995) * 1.1)},
    }


def fit_domain(known: Predictions) -> dict[str, Tensor]:
    """Mean and inverse covariance of the features of scans that the network knows."""
    features = known.features.double()
    mean = features.mean(0)
    covariance = torch.cov(features.T)
    average = covariance.diagonal().mean()
    identity = torch.eye(len(mean), dtype=torch.float64)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * average * identity
    return {"domain.mean": mean.float(), "domain.precision": torch.linalg.inv(shrunk).float()}


def mahalanobis(features: Tensor, domain: dict[str, Tensor]) -> np.ndarray:
    """Distance per dimension of every row."""
    centred = features - domain["domain.mean"]
    squared = ((centred @ domain["domain.precision"]) * centred).sum(-1).clamp_min(0)
    return np.asarray((squared / features.shape[1]).sqrt().numpy())


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
