"""``Step``: one replayable entry of a scan's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

__all__ = ["JSON", "Step"]

if TYPE_CHECKING:
    JSON: TypeAlias = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]
else:
    # What checks types in a test run cannot always follow a name into itself.
    JSON = None | bool | int | float | str | list | dict


@dataclass(frozen=True)
class Step:
    """What was done to a scan, in enough detail to do it again bit for bit."""

    name: str
    """``"read"``, or the registry name of the artifact or restorer."""
    params: Mapping[str, JSON]
    """Everything that was drawn or chosen; plain JSON values."""
    seed: int | None = None
    """Initial seed of the generator that drew ``params``; ``None`` where nothing was drawn."""
