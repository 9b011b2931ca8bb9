"""``Recipe`` and ``Task``: what an experiment says, and what the loop asks of it.

A recipe is a frozen dataclass of plain numbers and words: with the data folder it decides the
weights.  It knows its people, makes the :class:`Task` that the loop trains, and says what the
trained network answers on people it never saw.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from isocenter.data.checkpoint import Checkpoint
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split

__all__ = ["Recipe", "Task"]


@dataclass(frozen=True, eq=False)
class Task:
    """What is trained, on what, towards what."""

    net: nn.Module
    examples: Dataset[Any]
    """Example by index, each a function of (seed, index) alone; as many as the schedule needs.
    The batch of step ``i`` holds the examples from ``i * batch`` on."""
    loss: Callable[[nn.Module, Any], Tensor]
    """Of a batch on the network's device; () in float32.  It calls the network as a function and
    nothing else of it, since several processes may share it; what comes out is float32, whatever
    the precision inside."""
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None
    """Figures of validation people, from the averaged weights in evaluation mode; the first one
    decides which weights are kept, and higher is better."""
    collate: Callable[[list[Any]], Any] = default_collate
    """A batch from examples."""


@dataclass(frozen=True)
class Recipe(ABC):
    """Abstract: everything that decides the weights, but for the data folder."""

    seed: int = 7
    schedule: Schedule = field(default_factory=lambda: Schedule(n_steps=1000, batch=8))

    @abstractmethod
    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folder.

        Raises:
            NothingFound: It holds no scan that this recipe can use.
        """

    @abstractmethod
    def split(self, data: Path) -> Split:
        """People of the sides ``train``, ``validation`` and ``test``."""

    @abstractmethod
    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """What the loop trains.

        Args:
            data: Folder with the scans.
            split: As written into the run's folder.
            scratch: A folder in which examples may be kept between steps.
        """

    @abstractmethod
    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """What the trained network says of every item of some people, beside the truth.

        Args:
            net: With trained weights, in evaluation mode.
            data: Folder with the scans.
            people: Of one side.
            say: Told how far it is.
        """

    @abstractmethod
    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network as a file that explains itself."""
