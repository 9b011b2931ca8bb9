"""What the shipped assessor is taught: levels, presence, published class and quality."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.assessors._outputs import N_LEVEL_CLASSES, quality_to_target, split_outputs
from isocenter.training.inputs.examples import UNKNOWN

__all__ = ["Targets", "loss_of"]


@dataclass(frozen=True)
class Targets:
    """A batch of truths; fields as in ``Example`` with a batch axis in front."""

    levels: Tensor
    present: Tensor
    published: Tensor
    quality: Tensor


def loss_of(scan: Tensor, slabs: Tensor, targets: Targets) -> Tensor:
    """Scan loss plus half the loss of every slab on its own.

    Args:
        scan: (B, n_outputs).
        slabs: (B, S, n_outputs).
        targets: Truths.
    """
    shown = ~targets.quality.isnan()
    mean = torch.nanmean(targets.quality, dim=1)
    whole = _loss(scan, targets, mean, ~mean.isnan())
    n_slabs = slabs.shape[1]
    repeated = Targets(
        targets.levels.repeat_interleave(n_slabs, 0),
        targets.present.repeat_interleave(n_slabs, 0),
        targets.published.repeat_interleave(n_slabs, 0),
        targets.quality,
    )
    each = _loss(slabs.flatten(0, 1), repeated, targets.quality.flatten(), shown.flatten())
    return whole + 0.5 * each


def _loss(outputs: Tensor, targets: Targets, quality: Tensor, shown: Tensor) -> Tensor:
    levels, published, predicted, alone = split_outputs(outputs)
    log_p = levels.log_softmax(-1)
    known = targets.levels != UNKNOWN
    ordinal = _ordinal(log_p, targets.levels.clamp_min(0))[known].mean()
    presence = _presence(log_p, targets.present).mean()
    classes = F.cross_entropy(published, targets.published, ignore_index=UNKNOWN, reduction="sum")
    classes = classes / (targets.published != UNKNOWN).sum().clamp_min(1)
    wanted = quality_to_target(quality[shown])
    regression = F.smooth_l1_loss(predicted[shown], wanted, beta=0.3)
    single = targets.present[shown] * (targets.present[shown].sum(-1, keepdim=True) == 1)
    experts = F.smooth_l1_loss(
        alone[shown], wanted[:, None].expand_as(single), beta=0.3, reduction="none"
    )
    experts = (single * experts).sum() / single.sum().clamp_min(1)
    return 2.0 * ordinal + 2.0 * presence + 0.4 * classes + 0.7 * regression + 1.5 * experts


def _ordinal(log_p: Tensor, levels: Tensor) -> Tensor:
    """Cross-entropy with a little mass on the neighbouring levels, (..., 6).

    Neighbouring levels look alike; full weight on one of them would only teach confidence.
    """
    at = torch.arange(N_LEVEL_CLASSES, device=levels.device)
    distance = (at - levels[..., None]).abs()
    wanted = torch.where(distance == 0, 0.9, torch.where(distance == 1, 0.1, 0.0))
    # Presence is told apart without blur: absent is absent.
    wanted = torch.where((levels[..., None] == 0) | (at == 0), (distance == 0).float(), wanted)
    wanted = wanted / wanted.sum(-1, keepdim=True)
    return -(wanted * log_p).sum(-1)


def _presence(log_p: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy of absent against any level, (..., 6)."""
    absent = log_p[..., 0]
    there = log_p[..., 1:].logsumexp(-1)
    return -(present * there + (1 - present) * absent)
