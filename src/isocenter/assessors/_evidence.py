"""From what the network says, and a few plain facts, to calibrated probabilities and quality.

The network's outputs are fitted on training people and judged too sure on others; and what a
comb of k-space lines or a shading says, it learns only in part.  Both are mended by linear
models on a handful of numbers, fitted on validation people.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from isocenter.assessors._outputs import TYPES, split_outputs
from isocenter.ops.slabs import N_PLAIN

__all__ = [
    "FITTED",
    "N_EVIDENCE",
    "OWN_ODDS",
    "PLAIN",
    "RAW_QUALITY",
    "evidence",
    "presence",
    "quality",
]

N_EVIDENCE = len(TYPES) + 1 + N_PLAIN
OWN_ODDS = range(len(TYPES))
"""Where the network's log odds of each artifact stand."""
RAW_QUALITY = len(TYPES)
"""Where the network's quality stands."""
PLAIN = slice(RAW_QUALITY + 1, N_EVIDENCE)
"""Where the plain facts stand."""
FITTED = ("evidence.mean", "evidence.scale", "presence.weight", "quality.weight")
"""Fitted arrays: (k,), (k,), (6, k + 1) and (k + 1,), offsets last."""


def evidence(outputs: Tensor, simple: Tensor) -> Tensor:
    """The numbers that the linear models see.

    Args:
        outputs: Of the network, (..., n_outputs).
        simple: :func:`isocenter.ops.slabs.simple_numbers` of the scan, (..., k).

    Returns:
        (..., N_EVIDENCE): log odds of each artifact, the network's quality, the strongest
        comb, the largest and smallest spread and the largest peak of line changes, and the
        shading facts.
    """
    levels, _, raw = split_outputs(outputs)
    log_p = levels.log_softmax(-1)
    odds = log_p[..., 1:].logsumexp(-1) - log_p[..., 0]
    parts = [odds, raw[..., None], simple[..., :N_PLAIN]]
    return torch.cat([part.expand(*odds.shape[:-1], -1) for part in parts], -1)


def presence(known: Tensor, fitted: Mapping[str, Tensor]) -> Tensor:
    """Calibrated probability of each artifact, (..., 6), from :func:`evidence`."""
    return torch.sigmoid(_linear(known, fitted, fitted["presence.weight"]))


def quality(known: Tensor, fitted: Mapping[str, Tensor]) -> Tensor:
    """Calibrated quality on the scale of the network's output, (...), from :func:`evidence`."""
    return _linear(known, fitted, fitted["quality.weight"][None])[..., 0]


def _linear(known: Tensor, fitted: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    standard = (known - fitted["evidence.mean"]) / fitted["evidence.scale"]
    return standard @ weight[:, :-1].T + weight[:, -1]
