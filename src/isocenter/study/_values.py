"""The table of values that grows while methods run, so that nothing is computed twice."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from isocenter.data import atomic
from isocenter.errors import InputError

__all__ = ["Entry", "Values", "mark"]

HEADER = ("image", "method", "value", "seconds", "made_from")


@dataclass(frozen=True)
class Entry:
    """What one method said of one image."""

    value: float
    """As the method gave it; NaN where it is not defined."""
    seconds: float
    made_from: str
    """Mark of the files and choices behind the value: another mark is another value."""


class Values:
    """Entries by image and method, kept in a file when there is one.

    Raises:
        InputError: The file is no table of values.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.entries: dict[tuple[str, str], Entry] = {}
        self.changed = False
        if path is not None and path.exists():
            self.entries = _read(path)

    def get(self, image: str, method: str, made_from: str) -> Entry | None:
        """The entry, if it was made from the same."""
        entry = self.entries.get((image, method))
        return entry if entry is not None and entry.made_from == made_from else None

    def add(self, image: str, method: str, entry: Entry) -> None:
        """Keep an entry; :meth:`save` writes it."""
        self.entries[image, method] = entry
        self.changed = True

    def save(self) -> None:
        """Write the file anew if there is one, and if something was added.

        Raises:
            ResourceError: It cannot be written.
        """
        if self.path is None or not self.changed:
            return
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerow(HEADER)
        for (image, method), entry in sorted(self.entries.items()):
            # All digits, so that what is read back is what was computed.
            row = (repr(entry.value), repr(entry.seconds), entry.made_from)
            writer.writerow((image, method, *row))
        atomic.write_text(self.path, text.getvalue())
        self.changed = False


def mark(*parts: str | Path) -> str:
    """A short hash of texts and of the contents of files.

    Raises:
        OSError: A file cannot be read.
    """
    whole = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with open(part, "rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        else:
            whole.update(part.encode() + b"\x00")
    return whole.hexdigest()[:16]


def _read(path: Path) -> dict[tuple[str, str], Entry]:
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        if tuple(lines[0]) != HEADER:
            raise ValueError("other columns")
        return {
            (image, method): Entry(float(value), float(seconds), made_from)
            for image, method, value, seconds, made_from in lines[1:]
        }
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise InputError(
            f"{path} is no table of values that a comparison wrote ({error}); move it away, or "
            "choose another folder"
        ) from error
