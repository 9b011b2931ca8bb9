"""The catalogue: every data set whose folders and file names are known.

Nothing is downloaded: an entry tells which commands a user may type, and finds the scans in
the folder that they leave behind.  ``datasets/layouts/NAME.py`` is the entry ``NAME``.
"""

from __future__ import annotations

from pathlib import Path

from isocenter import registry
from isocenter.datasets.layouts._layout import Checked, Layout
from isocenter.datasets.scan import Scan

__all__ = ["check", "index", "layout", "layouts"]


def layout(name: str) -> Layout:
    """The entry of one data set.

    Raises:
        UnknownName: No such data set; the message names the nearest one.
    """
    entry: Layout = registry.datasets.get(name).LAYOUT
    return entry


def layouts() -> tuple[Layout, ...]:
    """All entries, by name."""
    return tuple(map(layout, registry.datasets.names()))


def index(name: str, root: Path | str) -> tuple[Scan, ...]:
    """Every whole scan of a data set below ``root``, by person and path; no scan is opened.

    Args:
        name: As in ``isocenter datasets list``.
        root: Folder that was downloaded to, or any above it.

    Raises:
        UnknownName: No such data set.
        NothingFound: No such folder, or none of the known names in it.
    """
    return layout(name).index(Path(root))


def check(name: str, root: Path | str) -> Checked:
    """Hold a downloaded folder against what there should be.

    Args:
        name: As in ``isocenter datasets list``.
        root: Folder that was downloaded to, or any above it.

    Raises:
        UnknownName: No such data set.
        NothingFound: No such folder, or none of the known names in it.
    """
    return layout(name).check(Path(root))
