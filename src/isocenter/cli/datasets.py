"""``isocenter datasets``: the catalogue of data sets, and folders held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Literal

from cyclopts import Parameter

from isocenter.datasets import catalogue
from isocenter.datasets.layouts._layout import Checked, Count, Expected, Layout
from isocenter.errors import UsageError

__all__ = ["datasets"]

Action = Literal["list", "show", "check"]
COMPLETE, INCOMPLETE = 0, 3
"""Exit codes of a check."""
WIDTH = 76
"""Characters of a line of running text."""
N_SHOWN = 10
"""Broken files that are named; the rest is counted."""


def datasets(
    action: Action,
    name: str | None = None,
    folder: Annotated[Path | None, Parameter(name="DIR")] = None,
    /,
) -> int:
    """Known data sets.

    Args:
        action: What to do.
        name: Data set, for show and check.
        folder: Downloaded folder, for check.
    """
    _refuse_wrong_words(action, name, folder)
    if name is None:
        return _list()
    layout = catalogue.layout(name)
    if folder is None:
        return _print(_page(layout))
    checked = layout.check(folder)
    _print(_verdict(layout, folder, checked))
    return COMPLETE if checked.complete else INCOMPLETE


def _refuse_wrong_words(action: Action, name: str | None, folder: Path | None) -> None:
    wanted = {"list": 0, "show": 1, "check": 2}[action]
    given = sum(word is not None for word in (name, folder))
    words = ("NAME", "DIR")[:wanted]
    if given != wanted:
        raise UsageError(
            f"'{action}' takes {' and '.join(words) or 'no name'}: "
            f"type isocenter datasets {' '.join((action, *words))}"
        )


def _list() -> int:
    rows = [("name", "people", "images", "contrasts", "licence")]
    rows += [
        (
            layout.name,
            _known(layout.people),
            _known(layout.images),
            ", ".join(expected.contrast or "any" for expected in layout.expected) or "any",
            layout.licence,
        )
        for layout in catalogue.layouts()
    ]
    return _print(_columns(rows, (str.ljust, str.rjust, str.rjust, str.ljust, str.ljust)))


def _page(layout: Layout) -> Iterator[str]:
    """All that is known of a data set."""
    yield layout.title
    yield f"  home     {layout.home}"
    yield f"  licence  {layout.licence}"
    yield f"  terms    {layout.terms}"
    yield from _section("A complete copy holds:", _table(map(_wanted, layout.expected)))
    yield from _section("To get it (nothing is downloaded for you):", layout.download)
    yield from _section("It lies like this:", layout.tree.splitlines())
    yield from _section("Good to know:", _notes(layout))
    yield ""
    yield f"Then: isocenter datasets check {layout.name} DIR"


def _verdict(layout: Layout, folder: Path, checked: Checked) -> Iterator[str]:
    """What was found, what is missing, and whether that is all."""
    yield f"{layout.title} in {folder}"
    yield from (f"  {line}" for line in _table(map(_found, checked.counts)))
    broken = [f"{fault.path.as_posix()}: {fault.what}" for fault in checked.faults]
    if len(broken) > N_SHOWN:
        broken[N_SHOWN:] = [f"and {len(broken) - N_SHOWN} more"]
    yield from _section("Broken or half there:", broken)
    missing = [
        f"{count.contrast or 'images'}: {clause}"
        for count in checked.counts
        for clause in count.missing
    ]
    yield from _section("Missing:", missing)
    if missing:
        yield from _section("Good to know:", _notes(layout))
    yield ""
    yield _conclusion(layout, checked)


def _conclusion(layout: Layout, checked: Checked) -> str:
    if not checked.complete:
        return f"incomplete; isocenter datasets show {layout.name} says how to get the rest"
    if not layout.expected:
        return "nothing is broken; how much there should be is not known"
    return "complete"


def _notes(layout: Layout) -> list[str]:
    return [
        line
        for note in layout.notes
        for line in wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _table(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    """Rows of contrast, people and images below their header; empty without rows."""
    below = list(rows)
    header = [("contrast", "people", "images")] if below else []
    return list(_columns(header + below, (str.ljust, str.rjust, str.rjust)))


def _wanted(expected: Expected) -> tuple[str, str, str]:
    return expected.contrast or "any", _known(expected.people), _known(expected.images)


def _found(count: Count) -> tuple[str, str, str]:
    wanted = count.expected or Expected(count.contrast)
    return (
        count.contrast or "unknown",
        _of(count.people, wanted.people),
        _of(count.images, wanted.images),
    )


def _of(found: int, wanted: int | None) -> str:
    return str(found) if wanted is None else f"{found} of {wanted}"


def _known(number: int | None) -> str:
    return "-" if number is None else str(number)


def _columns(
    rows: Sequence[Sequence[str]], justify: Sequence[Callable[[str, int], str]]
) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (put(cell, width) for cell, width, put in zip(row, widths, justify, strict=True))
        yield "  ".join(cells).rstrip()


def _print(lines: Iterator[str]) -> int:
    for line in lines:
        print(line)
    return 0
