"""Siemens raw data, ``.dat`` of VB, VD and VE, through the package twixtools.

Reference: https://github.com/pehses/twixtools
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.data.io._door import DAMAGE
from isocenter.data.io._names import contrast_of
from isocenter.data.io.kspace._acquired import Acquired, Request
from isocenter.data.io.kspace._lines import Grid, Lines, assembled
from isocenter.data.io.kspace._twix_file import looks_like_twix, refuse_damaged
from isocenter.data.io.kspace._twix_protocol import Protocol, placed, protocol_of
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace, MissingExtra

__all__ = ["ENDINGS", "load", "recognises"]

ENDINGS = (".dat",)

_ASIDE = [
    "ACQEND",
    "RTFEEDBACK",
    "HPFEEDBACK",
    "SYNCDATA",
    "PHASCOR",
    "NOISEADJSCAN",
    "PHASESTABSCAN",
    "REFPHASESTABSCAN",
]


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is named ``.dat`` and begins as Siemens raw data do."""
    return path.name.lower().endswith(ENDINGS) and looks_like_twix(head, path)


def load(path: Path, request: Request) -> Acquired:
    """Read the wanted slices of the last measurement of the file.

    Raises:
        MissingExtra: twixtools is not installed.
        BadKSpace: Damaged, without imaging lines, not Cartesian, or above the budget.
        NeedsChoice: Several repetitions, echoes or sets and none chosen.
    """
    try:
        import twixtools  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra(
            "Siemens raw data need the package twixtools: pip install 'isocenter[twix]'"
        ) from None
    refuse_damaged(path)
    try:
        # It prints what it finds odd; a name of str alone is taken as a path.
        with contextlib.redirect_stdout(io.StringIO()):
            measurements = twixtools.read_twix(
                str(path), parse_pmu=False, parse_geometry=False, verbose=False
            )
            return _acquired(measurements, request, path)
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:120]
        raise BadKSpace(f"Siemens raw data do not parse ({reason}): export them again") from error


def _acquired(measurements: list[Mapping[str, Any]], request: Request, path: Path) -> Acquired:
    last = measurements[-1]
    blocks = [block for block in last["mdb"] if _is_imaging(block)]
    if not blocks:
        raise BadKSpace("no imaging line: only noise, calibration or adjustments were found")
    protocol = protocol_of(last["hdr"])
    grid = _grid(blocks, protocol)
    order = placed(blocks, protocol, grid)
    stack = assembled(_lines(blocks, order.rank), grid, request)
    noise, said = _noise(measurements, grid.n_coils)
    facts: dict[str, JSON] = {
        "n_averages": stack.n_averages,
        "n_measurements": len(measurements),
        "n_noise_samples": 0 if noise is None else noise.shape[1],
        "three_dimensional": grid.three_dimensional,
        "field_strength": protocol.field_strength,
    }
    wanted = protocol.image_shape(grid)
    return Acquired(
        data=stack.data,
        n_slices=grid.shape[0],
        first=stack.first,
        format="Siemens twix",
        affine=order.affine,
        places=stack.places,
        noise=noise,
        image_shape=None if wanted == grid.shape[1:] else wanted,
        contrast=contrast_of(path.name) or contrast_of(protocol.name),
        facts=facts,
        warnings=(*_echo_planar(blocks), *order.warnings, *stack.warnings, *said),
    )


def _is_imaging(block: Any) -> bool:
    if any(block.is_flag_set(name) for name in _ASIDE):
        return False
    # Lines that calibrate alone may have another contrast; those that do both belong here.
    return not block.is_flag_set("PATREFSCAN") or block.is_flag_set("PATREFANDIMASCAN")


def _grid(blocks: list[Any], protocol: Protocol) -> Grid:
    heads = [block.mdh for block in blocks]
    first = heads[0]
    n_columns = max(protocol.n_columns, int(first.SamplesInScan))
    centre_line, centre_partition = int(first.CenterLin), int(first.CenterPar)
    return Grid(
        n_columns=n_columns,
        n_lines=_side(protocol.n_lines, [h.Counter.Lin for h in heads], centre_line),
        n_partitions=_side(protocol.n_partitions, [h.Counter.Par for h in heads], centre_partition),
        centre_line=centre_line,
        centre_partition=centre_partition,
        n_coils=int(first.UsedChannels),
        n_slices=len({int(head.Counter.Sli) for head in heads}),
        kept_columns=min(n_columns, protocol.base_resolution),
    )


def _side(said: int, counters: list[int], centre: int) -> int:
    """The protocol's number of lines, or as many as hold all counters around the centre."""
    before, behind = centre - min(counters), max(counters) - centre
    return max(said, 2 * before, 2 * behind + 1 if said % 2 else 2 * (behind + 1), 1)


def _lines(blocks: list[Any], rank: dict[int, int]) -> Lines:
    heads = [block.mdh for block in blocks]

    cut = np.array([[int(head.CutOff.Pre), int(head.CutOff.Post)] for head in heads])

    def samples(chosen: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.complex64]]:
        for index in chosen:
            before, behind = cut[index]
            readout = np.asarray(blocks[index].data)
            yield readout[:, before : readout.shape[1] - behind]

    reverse = np.array([bool(block.is_flag_set("REFLECT")) for block in blocks])
    centre = np.array([int(head.CenterCol) for head in heads])
    counters = [head.Counter for head in heads]
    return Lines(
        slice=np.array([rank[int(counter.Sli)] for counter in counters]),
        line=np.array([int(counter.Lin) for counter in counters]),
        partition=np.array([int(counter.Par) for counter in counters]),
        centre=centre - np.where(reverse, cut[:, 1], cut[:, 0]),
        reverse=reverse,
        volume=np.array([(c.Eco, c.Phs, c.Rep, c.Set) for c in counters], dtype=np.int64),
        samples=samples,
    )


def _noise(
    measurements: list[Mapping[str, Any]], n_coils: int
) -> tuple[npt.NDArray[np.complex64] | None, list[str]]:
    blocks = [block for one in measurements for block in one["mdb"]]
    readouts = [block.data for block in blocks if block.is_flag_set("NOISEADJSCAN")]
    if not readouts:
        return None, []
    if any(len(readout) != n_coils for readout in readouts):
        return None, ["the noise scan has other coils than the image: it was not used"]
    return np.concatenate(readouts, axis=1), []


def _echo_planar(blocks: list[Any]) -> list[str]:
    if not any(block.is_flag_set("REFLECT") for block in blocks):
        return []
    return ["EPI: neither ramp sampling nor the shift between odd and even lines is corrected"]
