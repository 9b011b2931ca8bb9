"""Whether ``--debug`` was given: errors then show their traceback."""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["DEBUG"]

DEBUG: ContextVar[bool] = ContextVar("DEBUG", default=False)
