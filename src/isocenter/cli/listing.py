"""``isocenter list``: what there is to choose from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from isocenter import registry

__all__ = ["listing"]

Kind = Literal["artifacts", "models", "presets", "metrics"]


def listing(kind: Kind, /) -> int:
    """List what there is.

    Args:
        kind: What to list.
    """
    rows = list(_presets() if kind == "presets" else _entries(kind))
    if not rows:
        print(f"no {kind} in this installation")
    width = max((len(name) for name, _ in rows), default=0)
    for name, what in rows:
        print(f"{name:<{width}}  {what}".rstrip())
    return 0


def _entries(kind: str) -> Iterator[tuple[str, str]]:
    """Each entry and the first sentence of its module; nothing is imported."""
    found: registry.Registry = getattr(registry, kind)
    for name in found.names():
        yield name, _first_sentence(f"isocenter.{found.folder}.{name}")


def _presets() -> Iterator[tuple[str, str]]:
    from isocenter.artifacts import PRESETS

    for name in sorted(PRESETS):
        yield name, ", ".join(PRESETS[name])


def _first_sentence(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return "from another package"
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())
