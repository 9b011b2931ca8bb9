"""Readouts with counters, put where their headers say: for ISMRMRD and twix alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.data.io.kspace._acquired import Request
from isocenter.data.io.kspace._readout import readout_to_image
from isocenter.errors import BadKSpace

__all__ = ["Grid", "Lines", "Stack", "assembled"]

Counters = npt.NDArray[np.int64]
Samples = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Lines:
    """The imaging readouts of a file, one entry of every array for each."""

    slice: Counters
    """Place in the stack, from 0."""
    line: Counters
    """Counter of the first phase encode."""
    partition: Counters
    """Counter of the second phase encode."""
    centre: Counters
    """Which of its samples is the centre of k-space, after reversal."""
    reverse: npt.NDArray[np.bool_]
    """Read from the end to the start."""
    volume: Counters
    """(line, counter): echo, phase, repetition, set."""
    samples: Callable[[npt.NDArray[np.intp]], Iterable[Samples]]
    """(coil, sample) of each of the readouts with these indices, in their order."""


@dataclass(frozen=True)
class Grid:
    """Where lines go."""

    n_columns: int
    """Samples of a full readout, oversampling and all."""
    n_lines: int
    n_partitions: int
    centre_line: int
    """Counter of the line through the centre."""
    centre_partition: int
    n_coils: int
    n_slices: int
    """Slices of a two-dimensional stack."""
    kept_columns: int
    """Places along the readout that a three-dimensional image keeps."""

    @property
    def three_dimensional(self) -> bool:
        return self.n_partitions > 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sides of the stack: slice, y, x."""
        if self.three_dimensional:
            return self.kept_columns, self.n_partitions, self.n_lines
        return self.n_slices, self.n_columns, self.n_lines


@dataclass(frozen=True)
class Stack:
    """What the lines made."""

    data: Samples
    """(slice, coil, y, x)"""
    places: npt.NDArray[np.bool_]
    """(slice or 1, y, x)"""
    first: int
    n_averages: int
    warnings: tuple[str, ...]


def assembled(lines: Lines, grid: Grid, request: Request) -> Stack:
    """Put every readout of the wanted slices in its place; repeats become their mean.

    Three-dimensional k-space is transformed along its readout, line by line, so that only the
    wanted slices are ever held.

    Raises:
        BadKSpace: A line outside the grid, lines of different coils, or above the budget.
        NeedsChoice: Several repetitions, echoes or phases and none chosen.
    """
    first, behind = request.run(grid.shape[0])
    request.demand(behind - first, grid.n_coils, *grid.shape[1:])
    chosen = _of_one_volume(lines, request)
    row = lines.line - grid.centre_line + grid.n_lines // 2
    partition = lines.partition - grid.centre_partition + grid.n_partitions // 2
    _refuse_outside(row[chosen], grid.n_lines, "line")
    if grid.three_dimensional:
        _refuse_outside(partition[chosen], grid.n_partitions, "partition")
        block, n_blocks, width = partition, grid.n_partitions, behind - first
    else:
        chosen = chosen[(lines.slice[chosen] >= first) & (lines.slice[chosen] < behind)]
        block, n_blocks, width = lines.slice - first, behind - first, grid.n_columns
    sums = np.zeros((n_blocks, grid.n_lines, grid.n_coils, width), np.complex64)
    counts = np.zeros((n_blocks, grid.n_lines, grid.n_columns), np.uint16)
    for index, samples in zip(chosen.tolist(), lines.samples(chosen), strict=True):
        place = block[index], row[index]
        readout, measured = _on_grid(samples, lines, index, grid)
        counts[place] += measured
        sums[place] += _part(readout, grid, first, behind) if grid.three_dimensional else readout
    return _stack(sums, counts, grid, first)


def _of_one_volume(lines: Lines, request: Request) -> npt.NDArray[np.intp]:
    kinds, which = np.unique(lines.volume, axis=0, return_inverse=True)
    wanted = request.choose(len(kinds), "echoes, phases, repetitions or sets")
    return np.flatnonzero(which.reshape(-1) == wanted)


def _refuse_outside(places: Counters, n_places: int, what: str) -> None:
    if len(places) and not (places.min() >= 0 and places.max() < n_places):
        raise BadKSpace(
            f"a {what} lies at {places.min()} or {places.max()}, outside the {n_places} of the "
            "header: mend its matrix or its limits"
        )


def _on_grid(
    samples: Samples, lines: Lines, index: int, grid: Grid
) -> tuple[Samples, npt.NDArray[np.bool_]]:
    """A full readout with its centre in the middle, and which of it was measured."""
    if len(samples) != grid.n_coils:
        raise BadKSpace(f"lines have {grid.n_coils} and {len(samples)} coils: split the file")
    if lines.reverse[index]:
        samples = samples[:, ::-1]
    start = grid.n_columns // 2 - int(lines.centre[index])
    stop = start + samples.shape[1]
    readout = np.zeros((grid.n_coils, grid.n_columns), np.complex64)
    measured = np.zeros(grid.n_columns, bool)
    inside = slice(max(start, 0), max(min(stop, grid.n_columns), 0))
    readout[:, inside] = samples[:, inside.start - start : max(inside.stop - start, 0)]
    measured[inside] = True
    return readout, measured


def _part(readout: Samples, grid: Grid, first: int, behind: int) -> Samples:
    """The wanted places along a transformed readout."""
    margin = grid.n_columns // 2 - grid.kept_columns // 2
    return readout_to_image(readout, axis=1)[:, margin + first : margin + behind]


def _stack(sums: Samples, counts: npt.NDArray[np.uint16], grid: Grid, first: int) -> Stack:
    if not counts.any():
        raise BadKSpace("no imaging line in these slices: was only noise or calibration kept?")
    n_averages = int(counts.max())
    if grid.three_dimensional:  # (z, y, coil, x) to (x, coil, z, y)
        often = counts.max(-1)
        data, places = sums.transpose(3, 2, 0, 1), (often > 0)[None]
        _divide(data, often[None, None])
    else:  # (slice, x, coil, y) to (slice, coil, y, x)
        often = counts.transpose(0, 2, 1)
        data, places = sums.transpose(0, 2, 3, 1), often > 0
        _divide(data, often[:, None])
        if (places == places[:1]).all():
            places = places[:1]
    return Stack(np.ascontiguousarray(data), places, first, n_averages, _notes(counts, grid))


def _divide(data: Samples, often: npt.NDArray[np.uint16]) -> None:
    if often.max() > 1:
        np.divide(data, np.maximum(often, 1).astype(np.float32), out=data)


def _notes(counts: npt.NDArray[np.uint16], grid: Grid) -> tuple[str, ...]:
    ever = counts.reshape(-1, grid.n_columns).any(0)
    if ever.all():
        return ()
    how = "its transform took zeros for the rest" if grid.three_dimensional else "the mask says so"
    return (f"asymmetric echo: {int(ever.sum())} of {grid.n_columns} samples; {how}",)
