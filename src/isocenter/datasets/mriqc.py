"""Tables and documents of MRIQC's structural measures, read as they come.

MRIQC leaves one JSON per image (flat keys beside ``bids_meta`` and ``provenance``) and one
``group_T1w.tsv`` per study.  Neither says by which formulas the numbers were made, and the
formulas changed with the versions, so a *definition* goes with every scan that is read:
``mriqc-0.15`` (releases 0.15 and 0.16), ``mriqc-24`` (23.1 and later) or ``corrected``.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.data.step import JSON
from isocenter.errors import InputError, UnknownName, UsageError

__all__ = [
    "DEFINITIONS",
    "MEASURES",
    "MeasuredScan",
    "definition_of",
    "read",
    "read_document",
    "read_table",
]

DEFINITIONS = ("mriqc-0.15", "mriqc-24", "corrected")
"""Sets of formulas that measures can follow."""

_TISSUES = ("csf", "gm", "wm")
_SUMMARY = ("k", "mad", "mean", "median", "n", "p05", "p95", "stdv")

MEASURES: tuple[str, ...] = tuple(
    sorted(
        [
            *("cjv", "cnr", "efc", "fber", "inu_med", "inu_range", "qi_1", "qi_2", "wm2max"),
            *(f"fwhm_{axis}" for axis in ("avg", "x", "y", "z")),
            *(f"{name}_{tissue}" for name in ("snr", "snrd") for tissue in (*_TISSUES, "total")),
            *(f"{name}_{t}" for name in ("icvs", "rpve", "tpm_overlap") for t in _TISSUES),
            *(f"summary_{t}_{number}" for t in ("bg", *_TISSUES) for number in _SUMMARY),
            *(f"{name}_{axis}" for name in ("size", "spacing") for axis in "xyz"),
        ]
    )
)
"""The 68 numbers of a structural scan, in the order of MRIQC's columns."""

KNOWN = frozenset(MEASURES)
MISSING = frozenset({"", "n/a", "nan"})
NAMES = ("bids_name", "subject_id")
"""First column of a group table, and of the tables of ratings that MRIQC was trained on."""
CONTRAST = re.compile(r"(?:^|_)(T1w|T2w|PDw|FLAIR)$")
LARGEST = 1 << 28
"""Bytes; a longer file is no table of ours."""


@dataclass(frozen=True)
class MeasuredScan:
    """The measures of one scan, and by which formulas they were made."""

    name: str
    """BIDS name without its ending: ``sub-01_T1w``."""
    measures: Mapping[str, float | None]
    """Value by MRIQC's name; ``None`` where it was not computed."""
    definition: str
    """One of :data:`DEFINITIONS`."""
    contrast: str | None = None
    """``"T1w"``, ...; ``None`` when nothing says which."""
    bids_meta: Mapping[str, JSON] = field(default_factory=dict)
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    others: Mapping[str, JSON] = field(default_factory=dict)
    """What stood beside the measures: site, raters, keys of another MRIQC."""


def read(path: Path | str, *, definition: str | None = None) -> tuple[MeasuredScan, ...]:
    """All scans of a file: one of a ``.json``, one per row of a ``.tsv``.

    Args:
        path: MRIQC's document of an image, or its group table.
        definition: One of :data:`DEFINITIONS`; needed where the file does not tell it.

    Raises:
        UnknownName: Another ending, or no such definition.
        UsageError: Nothing says which definition, or the file says another.
        InputError: The file cannot be read or is malformed.
    """
    path = Path(path)
    if path.suffix == ".json":
        return (read_document(path, definition=definition),)
    if path.suffix == ".tsv":
        return read_table(path, definition=definition)
    raise UnknownName("ending of a file of measures", path.suffix, [".json", ".tsv"])


def read_document(path: Path | str, *, definition: str | None = None) -> MeasuredScan:
    """MRIQC's JSON of one image.

    The definition is the key ``definition``, else what ``provenance.version`` says.

    Raises:
        UnknownName: No such definition.
        UsageError: Nothing says which definition, or the file says another.
        InputError: The file cannot be read, or is no such document.
    """
    path = Path(path)
    content = _object(path)
    meta, provenance = _part(content, "bids_meta", path), _part(content, "provenance", path)
    stated = content.pop("definition", None) or definition_of(str(provenance.get("version", "")))
    measures = {key: _number(content.pop(key), path, key) for key in KNOWN & content.keys()}
    _check_measured(measures, path)
    return MeasuredScan(
        name=path.stem,
        measures=measures,
        definition=_agreed(stated, definition, path),
        contrast=_contrast(path.stem) or _text(meta.get("suffix", meta.get("modality"))),
        bids_meta=meta,
        provenance=provenance,
        others=content,
    )


def read_table(path: Path | str, *, definition: str | None = None) -> tuple[MeasuredScan, ...]:
    """MRIQC's group table, one scan per row.

    The first column holds the scans' names.  Columns that are no measures are kept as text.
    The definition is the key ``definition`` of the data dictionary of the same name
    (``group_T1w.json``), where there is one.

    Raises:
        UnknownName: No such definition.
        UsageError: Nothing says which definition, or the dictionary says another.
        InputError: The file cannot be read or is no such table.
    """
    path = Path(path)
    sidecar = path.with_suffix(".json")
    stated = _object(sidecar).get("definition") if sidecar.is_file() else None
    agreed = _agreed(stated, definition, path)
    columns, *rows = _rows(path)
    _check_columns(columns, path)
    scans = tuple(_scan(columns, row, path, agreed) for row in rows)
    twice = _repeated([scan.name for scan in scans])
    if twice is not None:
        raise InputError(f"{path}: {twice!r} stands in several rows; leave one of them")
    return scans


def definition_of(version: str) -> str | None:
    """By which formulas a release of MRIQC measures; ``None`` for those not looked into.

    The weighted statistics of tissues came with 23.1.

    >>> definition_of("0.16.1"), definition_of("24.0.2"), definition_of("22.0.6")
    ('mriqc-0.15', 'mriqc-24', None)
    """
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        return None
    release = (int(found[1]), int(found[2]))
    if release in ((0, 15), (0, 16)):
        return "mriqc-0.15"
    return "mriqc-24" if release >= (23, 1) else None


def _agreed(stated: JSON, asked: str | None, path: Path) -> str:
    """The definition that file and caller say, or an error that asks for it."""
    for name in (stated, asked):
        if name is not None and name not in DEFINITIONS:
            raise UnknownName("definition", str(name), DEFINITIONS)
    if stated is None and asked is None:
        raise UsageError(
            f"{path} does not say by which formulas it was measured; "
            f"give a definition: {', '.join(DEFINITIONS)}"
        )
    if stated is not None and asked is not None and stated != asked:
        raise UsageError(f"{path} holds measures of {stated!r}, not of {asked!r}; ask for those")
    return str(stated or asked)


def _scan(columns: list[str], row: list[str], path: Path, definition: str) -> MeasuredScan:
    cells = dict(zip(columns[1:], row[1:], strict=True))
    name = row[0].strip()
    if not name:
        raise InputError(f"{path}: a row has no {columns[0]}; name every scan")
    return MeasuredScan(
        name=name,
        measures={k: _number(v, path, f"{k} of {name}") for k, v in cells.items() if k in KNOWN},
        definition=definition,
        contrast=_contrast(name) or _contrast(path.stem),
        others={k: v for k, v in cells.items() if k not in KNOWN},
    )


def _rows(path: Path) -> Iterator[list[str]]:
    """Header and rows, each of as many cells as the header."""
    try:
        rows = [row for row in csv.reader(_read(path).splitlines(), delimiter="\t") if row]
    except csv.Error as error:
        raise InputError(f"{path} is no table ({error}); give one separated by tabs") from None
    if not rows:
        raise InputError(f"{path} is empty; give a table with a header line")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"{path}: line {number} has {len(row)} cells, the header {len(rows[0])}; "
                "give a table that is separated by tabs"
            )
        yield row


def _check_columns(columns: list[str], path: Path) -> None:
    if columns[0] not in NAMES:
        raise InputError(
            f"{path}: the first column is {columns[0]!r}, not 'bids_name'; "
            "give a group table of MRIQC"
        )
    twice = _repeated(columns)
    if twice is not None:
        raise InputError(f"{path}: the column {twice!r} stands there twice; leave one of them")
    _check_measured(KNOWN & set(columns), path)


def _check_measured(measures: Mapping[str, float | None] | frozenset[str], path: Path) -> None:
    if not measures:
        raise InputError(
            f"{path} holds no structural measure of MRIQC (cjv, cnr, ...); give one of T1w or T2w"
        )


def _repeated(names: Sequence[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _number(value: JSON, path: Path, what: str) -> float | None:
    """A finite number, or ``None`` for every way to say that there is none."""
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        shown = str(value)[:40]
        raise InputError(f"{path}: {what} is {shown!r}, no number; write n/a for none") from None
    return number if math.isfinite(number) else None


def _part(content: dict[str, JSON], key: str, path: Path) -> dict[str, JSON]:
    part = content.pop(key, None) or {}
    if not isinstance(part, dict):
        raise InputError(f"{path}: {key!r} holds no object; give the file as MRIQC wrote it")
    return part


def _object(path: Path) -> dict[str, JSON]:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON; give the file as MRIQC wrote it") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object; give the file as MRIQC wrote it")
    return content


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 20} MiB; give a table of measures")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give another file") from error
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8; give a JSON or a TSV of MRIQC") from None


def _contrast(name: str) -> str | None:
    found = CONTRAST.search(name)
    return found[1] if found else None


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None
