"""One file of k-space, from the door to the result: what both commands of reconstruction do."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.data import io
from isocenter.data.io import read_kspace, to_scan
from isocenter.data.kspace import KSpace
from isocenter.data.random import child, generator
from isocenter.data.reconstruction import Panel, ReconstructedSlice, ReconstructionReport, Row
from isocenter.data.scores import Score
from isocenter.data.settings import to_values
from isocenter.data.volume import Volume
from isocenter.errors import BadKSpace, UsageError
from isocenter.ops.pictures import picture
from isocenter.ops.sampling import MASK_KINDS
from isocenter.restorers import (
    Reconstruction,
    fidelity,
    fully_sampled,
    reconstruct,
    undersample,
)
from isocenter.restorers._fidelity import DEFINITIONS
from isocenter.version import __version__

__all__ = ["Prepared", "Request", "prepare", "restored", "told"]

N_SHOWN = 3
"""Slices that the page shows."""
ERROR_GAIN = 5
"""By how much errors and deviations are brightened in pictures."""


@dataclass(frozen=True)
class Request:
    """What is reconstructed, whatever the method."""

    source: Path
    mask: str | None = None
    """A kind of mask, or a file; ``None`` takes what the file has."""
    acceleration: float | None = None
    acs: int | None = None
    seed: int = 0
    maps: Path | None = None
    reference: Path | None = None
    slices: tuple[int, int] | None = None
    """First and last."""
    crop: bool = False
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Prepared:
    """K-space that a method can begin with, and what the result is compared with."""

    kspace: KSpace
    mask_origin: str
    truth: Volume | None
    """Magnitude on the grid of the result."""
    reference: str | None
    """What ``truth`` is, in words."""

    @property
    def true_acceleration(self) -> float:
        """Acquired places over measured ones."""
        said = [step.params.get("true_acceleration") for step in self.kspace.history]
        known = [float(one) for one in said if isinstance(one, int | float)]
        return known[-1] if known else self.kspace.mask.true_acceleration


def prepare(request: Request) -> Prepared:
    """Read the file; undersample it where that was asked for.

    Raises:
        BadKSpace: It cannot be read, or what was given does not fit it.
        UsageError: A mask that cannot be.
        NothingFound: A file is not there.
    """
    given = request.mask
    is_file = given is not None and given not in MASK_KINDS
    if is_file and not Path(str(given)).exists():
        raise UsageError(
            f"--mask is {given!r}: neither a file nor a kind of mask ({', '.join(MASK_KINDS)})"
        )
    found = _read(request, None)
    is_full = fully_sampled(found.mask)
    if is_file:
        less, origin = _read(request, Path(str(given))), f"file {given}"
        is_full = is_full and less.grid == found.grid
    elif given is None and request.acceleration is None:
        return _compared(Prepared(found, "found in the file", None, None), request)
    elif not is_full:
        raise BadKSpace(
            f"already undersampled (R={found.mask.true_acceleration:.2f}), so that nothing could "
            "be compared with: leave --mask and --acceleration out, or give a fully sampled file"
        )
    else:
        less, origin = _less(found, request), f"{given or 'uniform'}, seed {request.seed}"
    truth = _own_reference(found) if is_full else None
    words = "its own full k-space, combined with its coil maps" if is_full else None
    return _compared(Prepared(less, origin, truth, words), request)


def _read(request: Request, mask: Path | None) -> KSpace:
    first, last = request.slices or (0, -1)
    kspace: KSpace = read_kspace(
        request.source,
        slices=None if request.slices is None else slice(first, last + 1),
        mask=mask,
        maps=request.maps,
        crop="centre" if request.crop else None,
    )
    return kspace.to(request.device)


def _less(full: KSpace, request: Request) -> KSpace:
    less: KSpace = undersample(
        full,
        request.mask or "uniform",
        acceleration=4.0 if request.acceleration is None else request.acceleration,
        acs=24 if request.acs is None else request.acs,
        rng=child(generator(request.seed), "mask"),
    )
    return less


def _own_reference(full: KSpace) -> Volume:
    """The full k-space, combined with maps of its own."""
    whole = reconstruct(full, "sense", rng=generator(0))
    return to_scan(whole.image.abs(), full)


def _compared(prepared: Prepared, request: Request) -> Prepared:
    """With the reference file, where one was given."""
    if request.reference is None:
        return prepared
    truth = io.read(request.reference)
    shape = to_scan(prepared.kspace.data[:, 0].abs(), prepared.kspace).shape
    if truth.shape != shape:
        raise BadKSpace(
            f"--reference has {_size(truth.shape)} voxels, the result {_size(shape)}: give a "
            "reference on the result's grid"
        )
    return replace(prepared, truth=truth, reference=f"file {request.reference.name}")


def restored(
    prepared: Prepared,
    method: str,
    options: Any,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Reconstruction, tuple[Score, ...]]:
    """The result and, where there is a reference, how near it is."""
    made = reconstruct(
        prepared.kspace, method, options, rng=child(generator(seed), method), progress=progress
    )
    if prepared.truth is None:
        return made, ()
    scan = to_scan(made.image.abs(), prepared.kspace)
    return made, fidelity(*_stacks(scan, prepared.truth, prepared.kspace))


def told(
    made: Reconstruction,
    scores: tuple[Score, ...],
    prepared: Prepared,
    options: Any,
    *,
    seed: int,
    source: Path,
) -> ReconstructionReport:
    """Everything that is said about a result, pictures included."""
    kspace = prepared.kspace
    hashes = [one.facts.get("prior_sha256") for one in made.slices]
    return ReconstructionReport(
        subject=source.name,
        sha256=_sha256(source),
        method=made.method,
        options=to_values(options),
        history=kspace.history,
        n_coils=kspace.n_coils,
        grid=kspace.grid,
        true_acceleration=prepared.true_acceleration,
        acs=kspace.mask.acs,
        mask_origin=prepared.mask_origin,
        slices=tuple(
            ReconstructedSlice(index, one.seconds, one.residual, one.facts)
            for index, one in enumerate(made.slices)
        ),
        scores=scores,
        reference=prepared.reference,
        definitions=DEFINITIONS if scores else {},
        rows=_rows(made, prepared),
        seed=seed,
        device=str(kspace.data.device),
        seconds=made.seconds,
        isocenter=__version__,
        model_sha256=str(hashes[0]) if hashes[0] else None,
        has_uncertainty=made.deviation is not None,
        notes=_notes(made, kspace),
    )


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _notes(made: Reconstruction, kspace: KSpace) -> tuple[str, ...]:
    """What the reader noticed, and what the method could not say; each once."""
    read = next((step for step in kspace.history if step.name == "read"), None)
    said: Any = [] if read is None else read.params.get("warnings", [])
    about = ("why_no_deviation", "deviation_note")
    added = [one.facts[name] for one in made.slices for name in about if name in one.facts]
    return tuple(dict.fromkeys(map(str, [*said, *added])))


def _rows(made: Reconstruction, prepared: Prepared) -> tuple[Row, ...]:
    """Zero-filled, SENSE, the result, its deviation and its error, of a few slices."""
    kspace, n = prepared.kspace, prepared.kspace.n_slices
    middle = sorted({n * (2 * k + 1) // (2 * N_SHOWN) for k in range(N_SHOWN)})
    result = to_scan(made.image.abs(), kspace)
    axis = stack_axis(kspace)
    white = float(result.data.flatten()[:: max(1, result.data.numel() // 10**6)].quantile(0.99))
    white = white or float(result.data.max()) or 1.0
    rows = []
    for index in middle:
        one = kspace.slices(slice(index, index + 1))
        shown = [(name, _simple(one, name)) for name in ("zero_filled", "sense")]
        shown = [pair for pair in shown if pair[0] != made.method]
        shown.append((made.method, to_scan(made.image[index : index + 1].abs(), one)))
        if made.deviation is not None:
            deviation = made.deviation[index : index + 1] * ERROR_GAIN
            shown.append((f"standard deviation x {ERROR_GAIN}", to_scan(deviation, one)))
        if prepared.truth is not None:
            truth = _slice_of(prepared.truth, kspace, index)
            shown.append(("reference", replace(shown[0][1], data=truth)))
            error = (shown[-2 - (made.deviation is not None)][1].data - truth).abs() * ERROR_GAIN
            shown.append((f"error x {ERROR_GAIN}", replace(shown[0][1], data=error)))
        panels = tuple(Panel(name, picture(scan, white, axis, 0)) for name, scan in shown)
        rows.append(Row(f"slice {index}", panels))
    return tuple(rows)


def stack_axis(kspace: KSpace) -> int:
    """The axis of the scan along which the slices of k-space lie."""
    slices = to_scan(torch.zeros_like(kspace.data[:, 0], dtype=torch.float32), kspace)
    direction = kspace.affine[:3, 0]
    return int(abs(slices.affine[:3, :3].T @ direction).argmax())


def _simple(one: KSpace, method: str) -> Volume:
    return to_scan(reconstruct(one, method, rng=generator(0)).image.abs(), one)


def _slice_of(scan: Volume, kspace: KSpace, index: int) -> Tensor:
    axis = stack_axis(kspace)
    runs_back = float(scan.affine[:3, axis] @ kspace.affine[:3, 0]) < 0
    place = kspace.n_slices - 1 - index if runs_back else index
    return scan.data.narrow(axis, place, 1)


def _stacks(
    scan: Volume, truth: Volume, kspace: KSpace
) -> tuple[Float[Tensor, "slice a b"], Float[Tensor, "slice a b"]]:
    axis = stack_axis(kspace)
    return scan.data.movedim(axis, 0), truth.data.movedim(axis, 0)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
