"""From what the network says to calibrated probabilities and quality.

The network is fitted on training people and judged too sure on others.  A slope and an offset
for each of its numbers, fitted on validation people, mend that.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from isocenter.assessors._outputs import QUALITY_FLOOR, quality_to_target, split_outputs

__all__ = ["FITTED", "log_odds", "presence", "quality", "summed_quality"]

FITTED = ("presence", "alone", "quality")
"""Slopes and offsets: (6, 2), (6, 2) and (2,)."""
SURE = 2.0
"""Log odds are multiplied by this before artifacts share in the quality: one that is
improbable but would do great harm must not hide what a probable and mild one does."""


def log_odds(outputs: Tensor) -> Tensor:
    """The network's log odds of each artifact, (..., n_outputs) to (..., 6)."""
    log_p = split_outputs(outputs).levels.log_softmax(-1)
    return log_p[..., 1:].logsumexp(-1) - log_p[..., 0]


def presence(outputs: Tensor, fitted: Mapping[str, Tensor]) -> Tensor:
    """Calibrated probability of each artifact, (..., n_outputs) to (..., 6)."""
    return torch.sigmoid(_line(log_odds(outputs), fitted["presence"]))


def quality(outputs: Tensor, fitted: Mapping[str, Tensor]) -> Tensor:
    """Calibrated quality on the scale of the network's output, (..., n_outputs) to (...)."""
    return _line(summed_quality(outputs, fitted["alone"]), fitted["quality"])


def summed_quality(outputs: Tensor, alone: Tensor) -> Tensor:
    """The quality as the sum of what each artifact takes from it, (..., n_outputs) to (...).

    An artifact takes what it would take alone, as far as the network sees it there.  The
    network's own odds decide that: they are the sharpest.

    Args:
        outputs: Of the network.
        alone: Slope and offset of each artifact's own quality, (6, 2).
    """
    by_type = _line(split_outputs(outputs).alone, alone)
    taken = (torch.exp(-by_type) - QUALITY_FLOOR).clamp(0, 1)
    share = torch.sigmoid(SURE * log_odds(outputs))
    return quality_to_target(1 - (share * taken).sum(-1))


def _line(x: Tensor, line: Tensor) -> Tensor:
    return x * line[..., 0] + line[..., 1]
