"""A network's ``Config`` from the plain values in a checkpoint's header."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from isocenter.errors import BadCheckpoint

__all__ = ["config_of"]

Config = TypeVar("Config")


def config_of(make: Callable[..., Config], values: Mapping[str, Any]) -> Config:
    """``make`` with the values of a header, lists as tuples.

    Raises:
        BadCheckpoint: They are those of another version.
    """
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return make(**plain)
    except TypeError as error:
        raise BadCheckpoint(f"the checkpoint's config does not fit this version: {error}") from None
