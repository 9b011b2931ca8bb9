"""``isocenter list``: what there is to choose from."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from isocenter import registry

__all__ = ["entries", "listing"]

Kind = Literal[
    "artifacts", "datasets", "measures", "metrics", "models", "presets", "recipes", "restorers"
]


def listing(kind: Kind, /) -> int:
    """List what there is.

    Args:
        kind: What to list.
    """
    rows = list(_rows(kind))
    if not rows:
        print(f"no {kind} in this installation")
    width = max((len(name) for name, _ in rows), default=0)
    for name, what in rows:
        print(f"{name:<{width}}  {what}".rstrip())
    return 0


def _rows(kind: Kind) -> Iterator[tuple[str, str]]:
    match kind:
        case "presets":
            return _presets()
        case "metrics":
            return _metrics()
        case "measures":
            return _measures()
    return entries(kind)


def _metrics() -> Iterator[tuple[str, str]]:
    """Each metric: what it needs, which way is better, and what it is."""
    for name, what in entries("metrics"):
        module = registry.metrics.get(name)
        given = inspect.signature(getattr(module, name)).parameters
        kind = "full-reference" if "reference" in given else "no-reference"
        weights = "weights" if getattr(module, "NEEDS_WEIGHTS", False) else ""
        yield name, f"{kind:<14}  {module.BETTER:<6}  {weights:<7}  {what}"


def _measures() -> Iterator[tuple[str, str]]:
    """Each measure: its unit and direction, and what its family is."""
    from isocenter.measures import GRID

    for family, what in entries("measures"):
        for name, kind in registry.measures.get(family).KINDS.items():
            yield name, f"{'measure':<7}  {kind.better or '':<6}  {kind.unit or '':<7}  {what}"
    for name, kind in GRID.items():
        yield name, f"{'measure':<7}  {'':<6}  {kind.unit or '':<7}  Matrix and voxel size."


def entries(kind: str) -> Iterator[tuple[str, str]]:
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
