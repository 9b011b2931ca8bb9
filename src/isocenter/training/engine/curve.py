"""The curve of a training as a table and as a page that needs nothing else."""

import math
from collections.abc import Sequence
from html import escape

__all__ = ["page", "table"]

Points = Sequence[dict[str, float]]
WIDTH, HEIGHT = 640, 180
"""Of a panel, in its own units."""
HIDDEN = ("step", "seconds")
"""Columns without a panel."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b2430; background: #fff; }
h1, h2 { font-weight: 600; } h2 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
svg { width: 100%; height: auto; } text { font-size: 12px; fill: currentColor; }
polyline { fill: none; stroke: #1f77b4; stroke-width: 2; } circle { fill: #1f77b4; }
rect { fill: none; stroke: #9aa5b1; }
@media (prefers-color-scheme: dark) { body { color: #e4e9ef; background: #14181d; } }
"""


def table(points: Points) -> str:
    """Tab-separated; a figure that a point lacks is empty."""
    names = _names(points)
    rows = ["\t".join(repr(point[n]) if n in point else "" for n in names) for point in points]
    return "\n".join(["\t".join(names), *rows]) + "\n"


def page(points: Points, title: str) -> str:
    """A panel for each column over the steps."""
    panels = "".join(_panel(points, name) for name in _names(points) if name not in HIDDEN)
    last = f"step {points[-1]['step']:.0f}" if points else "nothing yet"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1><p>{last}</p>{panels}</body></html>\n"
    )


def _names(points: Points) -> list[str]:
    return list(dict.fromkeys(name for point in points for name in point))


def _panel(points: Points, name: str) -> str:
    known = [(p["step"], p[name]) for p in points if name in p and math.isfinite(p[name])]
    if not known:
        return ""
    steps, values = zip(*known, strict=True)
    low, high = min(values), max(values)
    at = [
        (WIDTH * step / max(steps), HEIGHT * (1 - _share(value, low, high)))
        for step, value in known
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    x, y = at[-1]
    label = f"{name} {low:.4g} to {high:.4g}, last {values[-1]:.4g}"
    return (
        f"\n<h2>{escape(name)}: {values[-1]:.4g}</h2>"
        f'<svg viewBox="-60 -10 {WIDTH + 75} {HEIGHT + 35}" role="img" '
        f'aria-label="{escape(label)}"><rect width="{WIDTH}" height="{HEIGHT}"/>'
        f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        f'<text x="-6" y="8" text-anchor="end">{high:.4g}</text>'
        f'<text x="-6" y="{HEIGHT}" text-anchor="end">{low:.4g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 18}" text-anchor="end">step {max(steps):.0f}</text></svg>'
    )


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
