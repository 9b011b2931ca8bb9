"""From what the network says to calibrated probabilities and quality.

The network is fitted on training people and judged too sure on others.  A slope and an offset
for each of its numbers, fitted on validation people, mend that.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from isocenter.assessors._outputs import quality_to_target, split_outputs, target_to_quality

__all__ = ["FITTED", "log_odds", "presence", "quality", "summed_quality"]

FITTED = ("presence", "quality")
"""Slopes and offsets: (6, 2) and (2,)."""
SURE = 3.0
"""Log odds are multiplied by this before artifacts share in the quality: one that is
improbable but would do great harm must not hide what a probable and mild one does."""
DOUBTED = 1.5
"""Log odds against any artifact at which the likeliest still takes half of what it would."""


def log_odds(outputs: Tensor) -> Tensor:
    """The network's log odds of each artifact, (..., n_outputs) to (..., 6)."""
    log_p = split_outputs(outputs).levels.log_softmax(-1)
    return log_p[..., 1:].logsumexp(-1) - log_p[..., 0]


def presence(outputs: Tensor, fitted: Mapping[str, Tensor]) -> Tensor:
    """Calibrated probability of each artifact, (..., n_outputs) to (..., 6)."""
    line = fitted["presence"]
    return torch.sigmoid(log_odds(outputs) * line[:, 0] + line[:, 1])


def quality(outputs: Tensor, fitted: Mapping[str, Tensor]) -> Tensor:
    """Calibrated quality on the scale of the network's output, (..., n_outputs) to (...)."""
    line = fitted["quality"]
    return summed_quality(outputs) * line[0] + line[1]


def summed_quality(outputs: Tensor) -> Tensor:
    """The quality as the sum of what each artifact takes from it, (..., n_outputs) to (...).

    An artifact takes what it would take alone, as far as the network sees it there.
    """
    taken = 1 - target_to_quality(split_outputs(outputs).alone)
    return quality_to_target(1 - (_shares(log_odds(outputs)) * taken).sum(-1))


def _shares(odds: Tensor) -> Tensor:
    """How far each artifact is taken to be there, 0 to 1, (..., 6).

    By its own odds; and the likeliest also where even it is in doubt, since a weak artifact is
    seen with doubt and still does what it does.
    """
    any_at_all = torch.sigmoid(SURE * (odds.logsumexp(-1, keepdim=True) + DOUBTED))
    likeliest = torch.softmax(SURE * odds, -1) * any_at_all
    return torch.maximum(torch.sigmoid(SURE * odds), likeliest)
