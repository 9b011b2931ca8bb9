"""Write docs/reference/entries.md: every entry of every registry, in its own words.

python tools/make_reference.py
"""

from __future__ import annotations

import inspect
from pathlib import Path

from isocenter import registry
from isocenter.data import atomic
from isocenter.registry import Registry

PAGE = Path(__file__).parents[1] / "docs/reference/entries.md"
ABOUT = {
    "artifact": "`iso.artifact(name, level)`; `isocenter list artifacts`",
    "reader": "what `iso.read` and `isocenter assess` take",
    "model": "`iso.assess(scan, model=name)`; `isocenter list models`",
    "metric": "of an image, with a reference or without; `isocenter metrics`, "
    "`isocenter list metrics`",
    "measure": "families of measures of a head; `iso.measure`, `isocenter metrics`, "
    "`isocenter list measures`",
    "kspace_reader": "what `iso.read_kspace` and `isocenter reconstruct` take",
    "restorer": "`iso.restore(thing, name)`; `isocenter reconstruct --method NAME` of k-space, "
    "`isocenter enhance --method NAME` of thick slices, `isocenter list restorers`",
    "dataset": "whose folders are known; `isocenter datasets`, `isocenter list datasets`",
}


def page() -> str:
    """The page's text."""
    rooms = (
        registry.artifacts,
        registry.readers,
        registry.models,
        registry.metrics,
        registry.measures,
        registry.datasets,
        registry.kspace_readers,
        registry.restorers,
    )
    title = "# Artifacts, readers, models, metrics, measures, data sets, restorers"
    head = f"{title}\n\nMade by `make docs` from the code.\n"
    return "\n".join([head, *map(section, rooms)])


def section(entries: Registry) -> str:
    """One registry as a heading and a table."""
    title = f"## {entries.kind.replace('_', ' ').capitalize()}s\n\n{ABOUT[entries.kind]}\n"
    if not entries.names():
        return f"{title}\nNone yet.\n"
    rows = [f"| `{name}` | {first_line(entries, name)} |" for name in entries.names()]
    return "\n".join([title, "| name | what it is |", "|---|---|", *rows, ""])


def first_line(entries: Registry, name: str) -> str:
    """First paragraph of the module's docstring, on one line."""
    text = inspect.getdoc(entries.get(name)) or ""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    atomic.write_text(PAGE, page())
    print(f"wrote {PAGE.relative_to(PAGE.parents[2])}")
