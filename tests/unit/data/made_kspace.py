"""Small k-space of a known object, and files of it as scanners and other programs write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import ismrmrd
import numpy as np
import torch

from isocenter.ops.fourier import fft

ROWS, COLUMNS, SLICES, COILS = 32, 24, 3, 4
"""Readout without oversampling, phase encodes, slices, coils."""
XML = """<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <measurementInformation><protocolName>{protocol}</protocolName></measurementInformation>
 <acquisitionSystemInformation><systemFieldStrength_T>1.5</systemFieldStrength_T>
 </acquisitionSystemInformation>
 <encoding>
  <encodedSpace>
   <matrixSize><x>{enc[0]}</x><y>{enc[1]}</y><z>{enc[2]}</z></matrixSize>
   <fieldOfView_mm><x>{enc_fov[0]}</x><y>{enc_fov[1]}</y><z>{enc_fov[2]}</z></fieldOfView_mm>
  </encodedSpace>
  <reconSpace>
   <matrixSize><x>{rec[0]}</x><y>{rec[1]}</y><z>{rec[2]}</z></matrixSize>
   <fieldOfView_mm><x>{rec_fov[0]}</x><y>{rec_fov[1]}</y><z>{rec_fov[2]}</z></fieldOfView_mm>
  </reconSpace>
  <trajectory>{trajectory}</trajectory>
  <encodingLimits>
   <kspace_encoding_step_1><minimum>0</minimum><maximum>{maximum}</maximum>
    <center>{centre}</center></kspace_encoding_step_1>
   <kspace_encoding_step_2><minimum>0</minimum><maximum>{last}</maximum>
    <center>{centre_2}</center></kspace_encoding_step_2>
  </encodingLimits>
 </encoding>
</ismrmrdHeader>"""


def header(
    enc: tuple[int, int, int],
    rec: tuple[int, int, int] | None = None,
    *,
    size: tuple[float, float, float] = (1.5, 2.0, 5.0),
    maximum: int | None = None,
    centre: int | None = None,
    trajectory: str = "cartesian",
    protocol: str = "t2_tse_tra",
) -> str:
    """An XML header whose voxels have one size, encoded and reconstructed."""
    rec = rec or enc
    return XML.format(
        enc=enc,
        rec=rec,
        enc_fov=[s * n for s, n in zip(size, enc, strict=True)],
        rec_fov=[s * n for s, n in zip(size, rec, strict=True)],
        maximum=enc[1] - 1 if maximum is None else maximum,
        centre=enc[1] // 2 if centre is None else centre,
        last=enc[2] - 1,
        centre_2=enc[2] // 2,
        trajectory=trajectory,
        protocol=protocol,
    )


def coil_images(
    rows: int = ROWS, columns: int = COLUMNS, n_slices: int = SLICES, n_coils: int = COILS
) -> torch.Tensor:
    """complex64 (slice, coil, y, x): blocks without any symmetry under smooth coils."""
    y = torch.linspace(-1, 1, rows)[None, None, :, None]
    x = torch.linspace(-1, 1, columns)[None, None, None, :]
    s = torch.arange(n_slices)[:, None, None, None]
    c = torch.arange(n_coils)[None, :, None, None]
    body = ((y / 0.5) ** 2 + (x / 0.7) ** 2 < 1).float()
    spot = ((y + 0.2 - 0.1 * s) ** 2 + (x - 0.3) ** 2 < 0.03).float()
    angle = 2 * torch.pi * c / n_coils
    near = torch.exp(-((y - torch.cos(angle)) ** 2 + (x - torch.sin(angle)) ** 2) / 2)
    phase = torch.exp(1j * (0.7 * x + 0.4 * y * c + 0.2 * s))
    return ((body + 2 * spot) * near * phase).to(torch.complex64)


def kspace_of(images: torch.Tensor) -> np.ndarray:
    """complex64 (slice, coil, y, x)"""
    return fft(images, (-2, -1)).numpy()


def write_fastmri(path: Path, kspace: Any, *, xml: str | None = None, **more: Any) -> Path:
    """The layout of fastMRI; attributes and further data sets as given."""
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace
        if xml is not None:
            file["ismrmrd_header"] = xml.encode()
        for name, value in more.pop("attrs", {}).items():
            file.attrs[name] = value
        for name, value in more.items():
            file[name] = value
    return path


@dataclass
class Readout:
    """One acquisition of :func:`write_ismrmrd`."""

    samples: np.ndarray
    """(coil, sample)"""
    line: int = 0
    partition: int = 0
    slice: int = 0
    flags: tuple[int, ...] = ()
    centre: int | None = None
    counters: dict[str, int] | None = None
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    directions: tuple[tuple[float, ...], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    """Readout, phase, slice; x to the left, y to the back."""
    more: dict[str, int] | None = None


def write_ismrmrd(path: Path, xml: str, readouts: list[Readout], *, at_once: bool = True) -> Path:
    """As the format's own package writes it; its lines together, for it takes them one by one."""
    with ismrmrd.Dataset(str(path), "dataset") as dataset:
        dataset.write_xml_header(xml)
        lines = [acquisition(number, one) for number, one in enumerate(readouts)]
        if at_once:
            dataset._dataset.create_dataset("data", data=packed(lines), maxshape=(None,))
        else:
            for line in lines:
                dataset.append_acquisition(line)
    return path


def packed(lines: list[ismrmrd.Acquisition]) -> np.ndarray:
    stored = np.empty(len(lines), ismrmrd.hdf5.acquisition_dtype)
    for place, line in enumerate(lines):
        head = np.frombuffer(bytes(line.getHead()), ismrmrd.hdf5.acquisition_header_dtype)
        stored[place]["head"] = head[0]
        stored[place]["data"] = line.data.view(np.float32).reshape(-1)
        stored[place]["traj"] = np.zeros(0, np.float32)
    return stored


def acquisition(number: int, one: Readout) -> ismrmrd.Acquisition:
    line = ismrmrd.Acquisition.from_array(np.ascontiguousarray(one.samples))
    line.scan_counter = number
    line.center_sample = one.samples.shape[1] // 2 if one.centre is None else one.centre
    line.idx.kspace_encode_step_1 = one.line
    line.idx.kspace_encode_step_2 = one.partition
    line.idx.slice = one.slice
    for name, value in (one.counters or {}).items():
        setattr(line.idx, name, value)
    for name, value in (one.more or {}).items():
        setattr(line, name, value)
    for flag in one.flags:
        line.set_flag(flag)
    line.position[:] = one.position
    for name, way in zip(("read_dir", "phase_dir", "slice_dir"), one.directions, strict=True):
        getattr(line, name)[:] = way
    return line


def readouts_of(kspace: np.ndarray, **more: Any) -> list[Readout]:
    """Every line of every slice (slice, coil, y, x), slices 6 mm apart."""
    n_slices, _, _, n_lines = kspace.shape
    return [
        Readout(kspace[s, :, :, line], line, slice=s, position=(0.0, 0.0, 6.0 * s), **more)
        for s in range(n_slices)
        for line in range(n_lines)
    ]


def write_pair(stem: Path, array: np.ndarray) -> Path:
    """A BART pair of an array whose axes are BART's, up to sixteen."""
    sides = [*array.shape, *[1] * (16 - array.ndim)]
    stem.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, sides))} \n")
    array.astype("<c8").ravel(order="F").tofile(stem.with_suffix(".cfl"))
    return stem.with_suffix(".cfl")


Maker = Callable[[Path], Path]


def makers() -> dict[str, Maker]:
    """A good file of every format that can be made here."""
    kspace = kspace_of(coil_images())

    def mat(folder: Path) -> Path:
        import scipy.io

        scipy.io.savemat(folder / "scan.mat", {"kspace": kspace[:, 0].transpose(1, 2, 0)})
        return folder / "scan.mat"

    def npy(folder: Path) -> Path:
        np.save(folder / "scan.npy", kspace)
        return folder / "scan.npy"

    return {
        "cfl": lambda folder: write_pair(
            folder / "scan", kspace.transpose(2, 3, 1, 0)[:, :, None, :, *[None] * 9, :]
        ),
        "fastmri": lambda folder: write_fastmri(
            folder / "scan.h5", kspace, xml=header((ROWS, COLUMNS, 1))
        ),
        "ismrmrd": lambda folder: write_ismrmrd(
            folder / "scan.mrd", header((ROWS, COLUMNS, 1)), readouts_of(kspace)
        ),
        "mat": mat,
        "npy": npy,
    }
