"""Numbers about scans, measured once and kept in a table by the scan's hash."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from isocenter.data.atomic import write_text
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, InputError
from isocenter.training.baselines._protocol import Array, Row

__all__ = ["FeatureTable", "fingerprint"]

SAVE_EVERY = 30.0
"""Seconds of measuring that a stop can cost: the whole table is written each time."""
MISSING = "n/a"
FIRST = ("sha256", "why_missing")
Entry = tuple[tuple[float, ...], str | None]
"""Features, NaN where one is missing, and why there are none at all."""


class FeatureTable:
    """The same numbers of many scans; a file keeps them from one run to the next."""

    def __init__(
        self,
        names: Sequence[str],
        measure: Callable[[Volume], Sequence[float | None]],
        *,
        path: Path | None = None,
    ) -> None:
        """Nothing is measured yet.

        Args:
            names: Of the features; with them a file is recognised.
            measure: The features of a scan, in the order of ``names``; raises ``BadVolume``
                with its reason where there are none.
            path: Tab-separated table that is read, and written again as scans are added.

        Raises:
            InputError: The file holds other features.
        """
        self.names = tuple(names)
        self._measure, self._path = measure, path
        self._known = {} if path is None or not path.exists() else _read(path, self.names)
        self._hashes: WeakKeyDictionary[Row, str] = WeakKeyDictionary()
        self._n_unsaved, self._saved_at = 0, time.monotonic()

    def of(self, rows: Sequence[Row]) -> tuple[Array, tuple[str | None, ...]]:
        """Features (rows, names), NaN where one is missing, and why a row has none at all."""
        try:
            entries = [self._entry(row) for row in rows]
        finally:
            self._save()
        values = np.array([entry for entry, _ in entries], dtype=np.float64)
        return values.reshape(len(rows), len(self.names)), tuple(why for _, why in entries)

    def _entry(self, row: Row) -> Entry:
        if row in self._hashes:
            return self._known[self._hashes[row]]
        scan = row.load()
        key = fingerprint(scan)
        if key not in self._known:
            self._known[key] = self._measured(scan)
            self._n_unsaved += 1
            if time.monotonic() - self._saved_at > SAVE_EVERY:
                self._save()
        self._hashes[row] = key
        return self._known[key]

    def _measured(self, scan: Volume) -> Entry:
        try:
            found = self._measure(scan)
        except BadVolume as reason:
            # One line, as it stands in a line of the table.
            return (math.nan,) * len(self.names), " ".join(str(reason).split())
        return tuple(math.nan if value is None else float(value) for value in found), None

    def _save(self) -> None:
        if self._path is None or self._n_unsaved == 0:
            return
        lines = ["\t".join((*FIRST, *self.names))]
        for key, (values, why) in self._known.items():
            cells = (MISSING if math.isnan(value) else repr(value) for value in values)
            lines.append("\t".join((key, MISSING if why is None else why, *cells)))
        write_text(self._path, "\n".join(lines) + "\n")
        self._n_unsaved, self._saved_at = 0, time.monotonic()


def fingerprint(scan: Volume) -> str:
    """SHA-256 of everything that a measure can see of a scan: values, grid and contrast."""
    digest = hashlib.sha256(f"{scan.shape} {scan.contrast}".encode())
    digest.update(np.ascontiguousarray(scan.affine).tobytes())
    digest.update(scan.data.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path, names: tuple[str, ...]) -> dict[str, Entry]:
    head, *lines = [line.split("\t") for line in path.read_text().splitlines()] or [[]]
    if tuple(head) != (*FIRST, *names) or any(len(line) != len(head) for line in lines):
        raise InputError(f"{path} holds other features than are asked for; remove or rename it")
    known = {}
    for key, why, *cells in lines:
        values = tuple(math.nan if cell == MISSING else float(cell) for cell in cells)
        known[key] = values, None if why == MISSING else why
    return known
