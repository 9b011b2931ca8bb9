"""Which frames make one scan: by series, by kind of image, by repetition."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from isocenter.data.io._dicom_frames import Frame
from isocenter.data.io._dicom_geometry import same_place
from isocenter.errors import NeedsChoice

__all__ = ["Entry", "SeriesLine", "choose", "group"]

SHOWN = 20
"""Series named in a message."""


@dataclass(frozen=True)
class SeriesLine:
    """One scan of a folder, described without patient data."""

    number: int
    """What ``--series`` takes."""
    n_images: int
    size: tuple[int, int]
    """Columns, rows."""
    n_volumes: int
    contrast: str | None
    description: str
    """Six digits of a hash of the series description, to tell two apart."""

    def __str__(self) -> str:
        repeated = f" in {self.n_volumes} volumes" if self.n_volumes > 1 else ""
        contrast = f", {self.contrast}" if self.contrast else ""
        return (
            f"{self.number} ({self.n_images} images{repeated} of {self.size[0]} x {self.size[1]}"
            f"{contrast}, description {self.description})"
        )


@dataclass(frozen=True)
class Entry:
    """One scan: its repetitions, each a set of frames in no order yet."""

    uid: str
    line: SeriesLine
    volumes: tuple[tuple[Frame, ...], ...]


def group(frames: Sequence[Frame]) -> tuple[Entry, ...]:
    """The scans that ``frames`` make, in the order of their series numbers.

    One series may hold several images of one place; what differs there (type, echo,
    inversion: another scan; time, diffusion weight, acquisition: a repetition) divides it.
    """
    found: list[tuple[tuple[Frame, ...], ...]] = []
    for series in _partition(frames, lambda frame: (frame.file.series_uid, frame.stack)):
        for scan in _partition(series, _divider(series, lambda frame: frame.kind)):
            found.append(tuple(_partition(scan, _divider(scan, lambda frame: frame.time))))
    found.sort(key=lambda volumes: _sort_key(volumes[0][0]))
    return tuple(_entry(number, volumes) for number, volumes in enumerate(found, start=1))


def choose(entries: Sequence[Entry], series: str | None) -> Entry:
    """The scan that ``series`` names by number or UID, or the only one.

    Raises:
        NeedsChoice: Several fit, or none; the message lists them.
    """
    fitting = [entry for entry in entries if _fits(entry, series)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(str(entry.line) for entry in (fitting or entries)[:SHOWN])
    more = len(fitting or entries) - SHOWN
    listed += f"; and {more} more" if more > 0 else ""
    if not fitting:
        raise NeedsChoice(f"no such series here; choose with --series from: {listed}")
    raise NeedsChoice(f"{len(fitting)} series here; choose one with --series: {listed}")


def _fits(entry: Entry, series: str | None) -> bool:
    return series is None or series.strip() in (str(entry.line.number), entry.uid)


def _entry(number: int, volumes: tuple[tuple[Frame, ...], ...]) -> Entry:
    file = volumes[0][0].file
    line = SeriesLine(
        number=number,
        n_images=sum(map(len, volumes)),
        size=(file.pixels.columns, file.pixels.rows),
        n_volumes=len(volumes),
        contrast=file.contrast,
        description=file.description,
    )
    return Entry(file.series_uid, line, volumes)


def _sort_key(frame: Frame) -> tuple[int, str, str, str]:
    file = frame.file
    return file.series_number, file.series_uid, repr(frame.stack), repr(frame.kind)


def _partition(
    frames: Sequence[Frame], key: Callable[[Frame], Hashable]
) -> list[tuple[Frame, ...]]:
    """Frames with one key together, groups in the order of their keys."""
    parts: dict[Hashable, list[Frame]] = {}
    for frame in frames:
        parts.setdefault(key(frame), []).append(frame)
    return [tuple(parts[name]) for name in sorted(parts, key=_comparable)]


def _comparable(key: Hashable) -> tuple[tuple[bool, float, str], ...]:
    values = key if isinstance(key, tuple) else (key,)
    return tuple(
        (value is None, float(value) if isinstance(value, (int, float)) else 0.0, str(value))
        for value in values
    )


def _divider(
    frames: Sequence[Frame], key: Callable[[Frame], tuple[Hashable, ...]]
) -> Callable[[Frame], Hashable]:
    """The parts of ``key`` that differ between frames of one place.

    Others are left out: some scanners number acquisitions slice by slice, and dividing by
    that would tear one volume apart.
    """
    differing: set[int] = set()
    for together in _partition(frames, same_place):
        columns = zip(*(key(frame) for frame in together), strict=True)
        differing |= {index for index, values in enumerate(columns) if len(set(values)) > 1}
    return lambda frame: tuple(key(frame)[index] for index in sorted(differing))
