"""``Schedule``: how long and how fast a network learns, and how often one looks at it."""

import math
from dataclasses import dataclass
from typing import Literal

from isocenter.errors import UsageError

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Steps, not epochs."""

    n_steps: int
    batch: int
    """Examples of a step, whatever the number of processes that share them."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """``muon`` moves matrices and kernels by steps that are made orthogonal, the rest by AdamW."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    """Of matrices; vectors and scalars never decay."""
    warm_up: int = 200
    """Steps over which the learning rate rises from 0; then it falls along a cosine,"""
    inverse: float | None = None
    """or, where this is given, as ``1 / (1 + inverse * step)``."""
    average: float = 0.998
    """Decay of the exponential average of weights."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    accumulate: int = 1
    """Parts into which a process cuts its share of a batch, one after the other, to save memory."""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """Of products and convolutions.  ``auto``: bfloat16 on CUDA, else float32."""
    validate_every: int = 200
    """Steps between two validations; there is one behind the last step, too."""
    patience: int | None = None
    """Stop after this many validations without improvement; ``None``: never."""
    save_every: int = 50
    """Steps between two points of the curve; the state is saved at each."""

    def __post_init__(self) -> None:
        for name in ("n_steps", "batch", "accumulate", "validate_every", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"schedule.{name} is {getattr(self, name)}: give 1 or more")
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"schedule.patience is {self.patience}: give 1 or more, or none")

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        if self.inverse is not None:
            return self.learning_rate / (1 + self.inverse * step)
        done = (step - self.warm_up) / max(1, self.n_steps - self.warm_up)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
