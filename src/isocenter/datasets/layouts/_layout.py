"""What the catalogue says of a data set, and how a folder is held against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound

__all__ = ["Checked", "Contents", "Count", "Expected", "Fault", "Find", "Layout", "some"]

N_NAMED = 3
"""Names in a message; the rest is counted."""


@dataclass(frozen=True)
class Expected:
    """How much of one contrast a complete copy holds; ``None`` where that is not known."""

    contrast: str | None
    people: int | None = None
    images: int | None = None
    per_person: int = 1
    """Fewest images that a person has."""
    crop: tuple[int, int, int] | None = None
    """To which HSFNet's benchmark cuts the middle of these scans, voxels as stored."""


@dataclass(frozen=True)
class Fault:
    """A file that should be a scan and is none."""

    path: Path
    """Relative to the folder that was looked at."""
    what: str
    """What is wrong, as in ``its .hdr is missing``."""


@dataclass(frozen=True)
class Contents:
    """What a folder holds of a data set, in an order that no file system decides."""

    scans: tuple[Scan, ...]
    faults: tuple[Fault, ...] = ()


Find = Callable[[Path, str], Contents]
"""From a folder and the data set's name to what is there."""


@dataclass(frozen=True)
class Count:
    """How much of one contrast was found, and how much there should be."""

    contrast: str | None
    people: int
    images: int
    expected: Expected | None
    few: tuple[str, ...] = ()
    """People with fewer images than everyone has."""

    @property
    def missing(self) -> tuple[str, ...]:
        """One clause for each shortfall; empty when there is none."""
        if self.expected is None:
            return ()
        clauses = []
        for what, found, wanted in (
            ("people", self.people, self.expected.people),
            ("images", self.images, self.expected.images),
        ):
            if wanted is not None and found < wanted:
                clauses.append(f"{wanted - found} of {wanted} {what}")
        if self.few:
            least = self.expected.per_person
            clauses.append(f"images of people who should have {least} or more: {some(self.few)}")
        return tuple(clauses)


@dataclass(frozen=True)
class Checked:
    """A folder held against the catalogue."""

    counts: tuple[Count, ...]
    """One for each contrast that was found or expected."""
    faults: tuple[Fault, ...]

    @property
    def complete(self) -> bool:
        """Whether everything is there and whole, as far as the catalogue knows."""
        return not self.faults and not any(count.missing for count in self.counts)


@dataclass(frozen=True)
class Layout:
    """One data set: where it comes from, what may be done with it, and how it lies on a disk."""

    name: str
    """Name of the entry, as in ``isocenter datasets show NAME``."""
    title: str
    home: str
    """Address of its page."""
    licence: str
    """In a few words."""
    terms: str
    """One sentence: what a user has to do and may do."""
    download: tuple[str, ...]
    """Commands that a user types; none is ever run from here."""
    tree: str
    """The layout as downloaded, a line for each folder or file."""
    example: str
    """Path of one scan below the folder."""
    expected: tuple[Expected, ...]
    """What a complete copy holds; empty where every copy is its own."""
    find: Find
    notes: tuple[str, ...] = ()
    """What the index leaves out, and what could not be verified."""

    @property
    def people(self) -> int | None:
        """People of a complete copy; ``None`` where that is not known."""
        return max((e.people for e in self.expected if e.people is not None), default=None)

    @property
    def images(self) -> int | None:
        """Images of a complete copy over all contrasts; ``None`` where that is not known."""
        known = [e.images for e in self.expected if e.images is not None]
        return sum(known) if known and len(known) == len(self.expected) else None

    def index(self, root: Path) -> tuple[Scan, ...]:
        """Every whole scan below ``root``, by person and path; no scan is opened.

        Raises:
            NothingFound: No such folder, or none of the known names in it.
        """
        scans = self._contents(root).scans
        if not scans:
            raise self._nothing(root)
        return scans

    def check(self, root: Path) -> Checked:
        """Hold what is below ``root`` against what there should be.

        Raises:
            NothingFound: No such folder, or none of the known names in it.
        """
        contents = self._contents(root)
        if not contents.scans and not contents.faults:
            raise self._nothing(root)
        return Checked(_counts(contents.scans, self.expected), contents.faults)

    def _contents(self, root: Path) -> Contents:
        if not root.is_dir():
            raise NothingFound(f"{root}: no such folder; give the one that holds {self.title}")
        found = self.find(root, self.name)
        scans = sorted(found.scans, key=lambda scan: (scan.person, scan.path.as_posix()))
        faults = sorted(found.faults, key=lambda fault: fault.path.as_posix())
        return Contents(tuple(scans), tuple(faults))

    def _nothing(self, root: Path) -> NothingFound:
        return NothingFound(
            f"nothing of {self.title} in {root}; give the folder above names such as "
            f"{self.example}, with archives unpacked"
        )


def some(names: Sequence[str]) -> str:
    """A few names and how many more there are.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more


def _counts(scans: Sequence[Scan], expected: Sequence[Expected]) -> tuple[Count, ...]:
    known = {wanted.contrast: wanted for wanted in expected}
    others = {scan.contrast for scan in scans} - known.keys()
    contrasts = [*known, *sorted(others, key=lambda contrast: contrast or "~")]
    return tuple(_count(contrast, scans, known.get(contrast)) for contrast in contrasts)


def _count(contrast: str | None, scans: Sequence[Scan], expected: Expected | None) -> Count:
    images = Counter(scan.person for scan in scans if scan.contrast == contrast)
    least = expected.per_person if expected else 1
    few = tuple(sorted(person for person, number in images.items() if number < least))
    return Count(contrast, len(images), images.total(), expected, few)
