"""What plain JSON values lose, and get back when a dataclass is made of them."""

from collections.abc import Mapping
from typing import Any

__all__ = ["with_tuples"]


def with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with every list a tuple: JSON knows no tuples, and our dataclasses no lists."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
