"""``OnLabelScale``: a network whose layers work on labels of mean 0 and spread 1."""

import torch
from torch import Tensor, nn

__all__ = ["OnLabelScale"]


class OnLabelScale(nn.Module):
    """Abstract: keeps the mean and spread of the labels beside the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.label_mean: Tensor
        self.label_spread: Tensor
        self.register_buffer("label_mean", torch.zeros(()))
        self.register_buffer("label_spread", torch.ones(()))

    def learn_scale(self, labels: Tensor) -> None:
        """Let the layers work on labels of mean 0 and spread 1.

        Args:
            labels: Of training volumes (n,).
        """
        self.label_mean.copy_(labels.mean())
        self.label_spread.copy_(labels.std(correction=0).clamp_min(1e-6))

    def in_unit(self, score: Tensor) -> Tensor:
        """From what the layers say to the label's unit."""
        return self.label_mean + self.label_spread * score
