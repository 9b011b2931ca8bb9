"""Folders of measured k-space that users may have: fastMRI's, and the Calgary-Campinas set.

fastMRI: Zbontar et al., arXiv:1811.08839: folders ``*_train`` and ``*_val`` of HDF5 files, and
in each file whose patient it is.  Calgary-Campinas: Souza et al., NeuroImage 170, 2018,
doi:10.1016/j.neuroimage.2017.08.021, and the multi-coil challenge, doi:10.3389/fnins.2022.919186:
folders ``Train`` and ``Val``; a file holds ``kspace``, real (slice, y, x, 2 * coil), of every
coil the real part before the imaginary one.  Its readout is an image already and numbers the
slices; y and x are phase encodings with the zero frequency in their middle, the last of x were
never acquired, and the transform to the image is not centred.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from jaxtyping import Complex64
from torch import Tensor

from isocenter.data.io import read_kspace
from isocenter.data.io.kspace._geometry import unplaced
from isocenter.data.io.kspace._hdf import opened
from isocenter.data.kspace import KSpace, Mask
from isocenter.data.random import child, generator
from isocenter.errors import BadKSpace, BadVolume, NothingFound, UsageError
from isocenter.ops.coils import combine
from isocenter.ops.fourier import fft, ifft
from isocenter.restorers import fully_sampled
from isocenter.restorers._calibrated import calibrated
from isocenter.training.engine.splits import Split, split_people
from isocenter.training.inputs.kspace_examples import FullSlice

__all__ = [
    "KSpaceFile",
    "MeasuredSlices",
    "combined_images",
    "full_slice",
    "kspace_files",
    "split_files",
]

Kind = Literal["fastmri", "calgary"]
PLANE = (-2, -1)
ENDINGS = (".h5", ".hdf5")
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
"""Of people in folders that do not say whom to learn from."""
ENDS = 0.15
"""Share of the slices at both ends of a stack that are passed over: they show hardly anything."""
ACQUIRED = 0.85
"""Share of the last axis of Calgary-Campinas files that was acquired: what follows is no signal."""
UNDERSAMPLED = re.compile(r"(^|_)(test|challenge)", re.IGNORECASE)
"""Names of folders whose files nobody can learn from."""
EXAM = re.compile(r"(?P<exam>e\d+)s\d+_P\d+")
"""Names of Calgary-Campinas files; an exam is one person's."""


@dataclass(frozen=True)
class KSpaceFile:
    """One file of fully sampled k-space."""

    person: str
    path: Path
    side: str | None
    """``train`` or ``validation``, as its folder says; ``None``: it does not."""
    n_slices: int
    kind: Kind


def kspace_files(root: Path, kind: Kind) -> tuple[KSpaceFile, ...]:
    """Every file of k-space below a folder, sorted; folders of undersampled tests left out.

    Args:
        root: The folder, or one of its parts.
        kind: How files lie in it.

    Raises:
        NothingFound: None.
        BadKSpace: A file that is not as it should be.
    """
    paths = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in ENDINGS]
    folders = {path: path.relative_to(root).parts[:-1] for path in paths}
    known = [
        _file(path, kind, _side(folders[path] or (root.resolve().name,)))
        for path in paths
        if not any(UNDERSAMPLED.search(folder) for folder in folders[path])
    ]
    if not known:
        raise NothingFound(
            f"no k-space to learn from in {root}: give the folder that holds "
            + ("multicoil_train and multicoil_val" if kind == "fastmri" else "Train and Val")
        )
    return tuple(known)


def split_files(files: Iterable[KSpaceFile], *, rng: torch.Generator) -> Split:
    """People of each side.

    Where folders say whom to learn from, the people of the others are dealt to ``validation``
    and ``test``, and nobody of them is learned from, even where more of them stands among the
    training files; else all are dealt.
    """
    files = tuple(files)
    held = {file.person for file in files if file.side == "validation"}
    rest = {file.person for file in files} - held
    if not held:
        return split_people(rest, SHARES, rng=rng)
    dealt = split_people(held, {"validation": 0.5, "test": 0.5}, rng=rng)
    return {"train": tuple(sorted(rest)), **dealt}


class MeasuredSlices:
    """Slices of files, as the scanner measured them.

    Args:
        files: From :func:`kspace_files`.
        seed: Of :meth:`of_person`.

    Raises:
        UsageError: No file.
    """

    def __init__(self, files: Sequence[KSpaceFile], *, seed: int) -> None:
        if not files:
            raise UsageError("nobody to learn from: give a folder with k-space of more people")
        self.seed = seed
        self._files: dict[str, list[KSpaceFile]] = {}
        for file in files:
            self._files.setdefault(file.person, []).append(file)

    def draw(self, rng: torch.Generator) -> FullSlice:
        """A slice of a person, all of whom are as likely."""
        people = list(self._files)
        return self._drawn(people[_below(len(people), rng)], rng)

    def of_person(self, person: str, number: int) -> FullSlice:
        """A slice of one person, the same whenever it is asked for."""
        return self._drawn(person, child(generator(self.seed), "slice", person, number))

    def _drawn(self, person: str, rng: torch.Generator) -> FullSlice:
        files = self._files[person]
        file = files[_below(len(files), rng)]
        inner = _inner(file.n_slices)
        return FullSlice(full_slice(file, inner[_below(len(inner), rng)]))


def full_slice(file: KSpaceFile, index: int) -> KSpace:
    """One slice without oversampling of the readout.

    Raises:
        BadKSpace: The file is damaged, or was undersampled.
    """
    kspace = _calgary(file.path, index) if file.kind == "calgary" else _fastmri(file.path, index)
    if not fully_sampled(kspace.mask):
        raise BadKSpace(f"{file.path} is undersampled: only full k-space can be learned from")
    return kspace


def combined_images(
    files: Iterable[KSpaceFile], *, apart: int = 1
) -> Iterator[tuple[str, Complex64[Tensor, "y x"]]]:
    """Person and complex image, coils combined with maps found in the centre of k-space.

    Args:
        files: From :func:`kspace_files`.
        apart: Every so many-th slice of a file.

    Yields:
        Images in the units of their file, on the grid of k-space without oversampling.

    Raises:
        BadKSpace: As of :func:`full_slice`.
    """
    for file in files:
        for index in _inner(file.n_slices)[::apart]:
            kspace = calibrated(full_slice(file, index))
            maps = cast(Tensor, kspace.maps)
            yield file.person, combine(ifft(kspace.data, PLANE), maps)[0, 0]


def _inner(n_slices: int) -> range:
    """Slices that show something, most likely."""
    left_out = int(ENDS * n_slices)
    return range(left_out, n_slices - left_out)


def _side(folders: Sequence[str]) -> str | None:
    names = [name.lower() for name in folders]
    for side, pattern in (("train", r"(^|_)train"), ("validation", r"(^|_)val")):
        if any(re.search(pattern, name) for name in names):
            return side
    return None


def _file(path: Path, kind: Kind, side: str | None) -> KSpaceFile:
    """What a file says of itself, without its values."""
    try:
        with opened(path) as file:
            stored = file.get("kspace")
            shape: tuple[int, ...] = tuple(getattr(stored, "shape", ()))
            if len(shape) not in ((3, 4) if kind == "fastmri" else (4,)) or 0 in shape:
                raise BadKSpace(f"kspace has shape {shape}: this is no file of {kind}")
            if kind == "calgary" and (stored.dtype.kind != "f" or shape[-1] % 2):
                raise BadKSpace(
                    f"kspace is {stored.dtype} {shape}: this is no file of {kind}, whose last axis "
                    "holds real and imaginary parts"
                )
            patient = file.attrs.get("patient_id", "") if kind == "fastmri" else ""
    except BadVolume as error:
        raise BadKSpace(f"{path}: {error}") from error
    except BadKSpace as error:
        raise BadKSpace(f"{path}: {error}") from None
    exam = EXAM.match(path.name) if kind == "calgary" else None
    said = patient.decode("utf-8", "replace") if isinstance(patient, bytes) else str(patient)
    person = said or (exam["exam"] if exam else path.stem)
    return KSpaceFile(person, path, side, shape[0], kind)


def _fastmri(path: Path, index: int) -> KSpace:
    kspace: KSpace = read_kspace(path, slices=index)
    if kspace.image_shape is None:
        return kspace
    rows = min(kspace.image_shape[0], kspace.grid[0])
    first = kspace.grid[0] // 2 - rows // 2
    data = fft(ifft(kspace.data, PLANE[:1]).narrow(2, first, rows), PLANE[:1])
    affine = kspace.affine.copy()
    affine[:3, 3] += first * affine[:3, 1]
    places = kspace.mask.places
    measured = places.any(1, keepdim=True).expand(-1, rows, -1)
    maps = None if kspace.maps is None else kspace.maps.narrow(3, first, rows)
    return replace(
        kspace,
        data=data * measured[:, None],
        mask=Mask(measured.clone()),
        affine=affine,
        maps=maps,
        image_shape=None,
    )


def _calgary(path: Path, index: int) -> KSpace:
    with opened(path) as file:
        stored = file["kspace"]
        n_slices, parts = stored.shape[0], np.asarray(stored[index], np.float32)
    if not np.isfinite(parts).all():
        raise BadKSpace(f"{path}: slice {index} is not finite: fetch it again")
    values = torch.from_numpy(parts[..., ::2] + 1j * parts[..., 1::2]).permute(2, 0, 1)
    n_acquired = math.ceil(ACQUIRED * values.shape[2])
    acquired = (values != 0).any(0).any(0) & (torch.arange(values.shape[2]) < n_acquired)
    # Its own transform leaves the image where it is: only the zero frequency is moved.
    kept = torch.fft.ifftshift(values * acquired, dim=PLANE)
    images = torch.fft.ifft2(kept, norm="ortho")
    data = (fft(images, PLANE) * acquired)[None].to(torch.complex64)
    grid = (data.shape[2], data.shape[3])
    affine = unplaced((n_slices, *grid), (1.0, 1.0, 1.0))
    affine[:3, 3] += index * affine[:3, 0]
    places = acquired.expand(1, *grid).clone()
    if not bool(places.any()):
        raise BadKSpace(f"{path}: slice {index} is empty")
    return KSpace(data.contiguous(), Mask(places), affine, contrast="T1w")


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=rng))
