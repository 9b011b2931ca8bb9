"""The headers of NIfTI-1, NIfTI-2 and Analyze 7.5, field by field.

Layouts: https://nifti.nimh.nih.gov (nifti1.h, nifti2.h) and the Mayo Analyze 7.5 format.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import BadVolume

__all__ = ["NIFTI1", "Header", "dimensions", "parse_header"]


def _fields(size: int, offsets: dict[str, tuple[str, int]]) -> np.dtype[np.void]:
    names = list(offsets)
    formats = [offsets[name][0] for name in names]
    places = [offsets[name][1] for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": places, "itemsize": size})


NIFTI1 = _fields(
    348,
    {
        "sizeof_hdr": ("<i4", 0),
        "dim": ("<8i2", 40),
        "intent_code": ("<i2", 68),
        "datatype": ("<i2", 70),
        "bitpix": ("<i2", 72),
        "pixdim": ("<8f4", 76),
        "vox_offset": ("<f4", 108),
        "scl_slope": ("<f4", 112),
        "scl_inter": ("<f4", 116),
        "xyzt_units": ("u1", 123),
        "descrip": ("S80", 148),
        "qform_code": ("<i2", 252),
        "sform_code": ("<i2", 254),
        "quatern": ("<3f4", 256),
        "qoffset": ("<3f4", 268),
        "srow": ("<(3,4)f4", 280),
        "magic": ("S4", 344),
    },
)
_NIFTI2 = _fields(
    540,
    {
        "sizeof_hdr": ("<i4", 0),
        "magic": ("S8", 4),
        "datatype": ("<i2", 12),
        "bitpix": ("<i2", 14),
        "dim": ("<8i8", 16),
        "pixdim": ("<8f8", 104),
        "vox_offset": ("<i8", 168),
        "scl_slope": ("<f8", 176),
        "scl_inter": ("<f8", 184),
        "qform_code": ("<i4", 344),
        "sform_code": ("<i4", 348),
        "quatern": ("<3f8", 352),
        "qoffset": ("<3f8", 376),
        "srow": ("<(3,4)f8", 400),
        "xyzt_units": ("<i4", 500),
        "intent_code": ("<i4", 504),
    },
)
_ANALYZE = _fields(
    348,
    {
        "sizeof_hdr": ("<i4", 0),
        "dim": ("<8i2", 40),
        "datatype": ("<i2", 70),
        "bitpix": ("<i2", 72),
        "pixdim": ("<8f4", 76),
        "vox_offset": ("<f4", 108),
        "scl_slope": ("<f4", 112),
        "scl_inter": ("<f4", 116),
        "origin": ("<5i2", 253),
        "cal_max": ("<f4", 124),
        "cal_min": ("<f4", 128),
        "glmax": ("<i4", 140),
        "glmin": ("<i4", 144),
    },
)


@dataclass(frozen=True)
class Header:
    """A header's fields in native byte order."""

    format: str
    """``"NIfTI-1"``, ``"NIfTI-2"`` or ``"Analyze 7.5"``."""
    single_file: bool
    big_endian: bool
    fields: dict[str, npt.NDArray[np.generic]]
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the header."""
        return 540 if self.format == "NIfTI-2" else 348

    def number(self, name: str) -> float:
        """A scalar field."""
        return float(self.fields[name])

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A field of several numbers."""
        return self.fields[name].astype(np.float64)


def parse_header(head: bytes) -> Header | None:
    """The header that ``head`` begins with; ``None`` when it is none of the three.

    Raises:
        BadVolume: It is a header, and ``dim[0]`` makes no sense in either byte order.
    """
    if head[4:8] in (b"n+2\0", b"ni2\0") and len(head) >= 540:
        return _build("NIfTI-2", _NIFTI2, head, head[4:8] == b"n+2\0")
    if len(head) < 348:
        return None
    magic = head[344:348]
    if magic in (b"n+1\0", b"ni1\0"):
        return _build("NIfTI-1", NIFTI1, head, magic == b"n+1\0")
    if 348 in _sizes(head):
        return _build("Analyze 7.5", _ANALYZE, head, single_file=False)
    return None


def _build(kind: str, layout: np.dtype[np.void], head: bytes, single_file: bool) -> Header:
    big = _is_big_endian(head, layout, 540 if kind == "NIfTI-2" else 348)
    record = np.frombuffer(head, layout.newbyteorder(">") if big else layout, count=1)[0]
    names = layout.names or ()
    fields = {name: np.asarray(record[name]) for name in names}
    stated = int(fields["sizeof_hdr"])
    odd = () if stated in (348, 540) else (f"header field sizeof_hdr is {stated}, not 348",)
    return Header(kind, single_file, big, fields, odd)


def _is_big_endian(head: bytes, layout: np.dtype[np.void], size: int) -> bool:
    little, big = _sizes(head)
    if size in (little, big):
        return size == big
    # dim[0] is 1 to 7 in the right order and far above in the wrong one.
    first = np.frombuffer(head, layout, count=1)[0]["dim"][0]
    return not 0 <= first <= 7 and 0 <= int(first.byteswap()) <= 7


def _sizes(head: bytes) -> tuple[int, int]:
    return int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")


def dimensions(header: Header) -> tuple[int, ...]:
    """The stored shape, trailing axes of one kept.

    Raises:
        BadVolume: No voxels, negative sides, or a number of axes outside 1 to 7.
    """
    dim = [int(side) for side in header.fields["dim"]]
    if dim[0] == 0:
        raise BadVolume("image has no voxels: header field dim[0] is 0")
    if not 1 <= dim[0] <= 7:
        raise BadVolume(f"dim[0]={dim[0]} outside 1..7: mend the header")
    shape = tuple(dim[1 : dim[0] + 1])
    if min(shape) < 0:
        raise BadVolume(f"negative dimension in header: dim[1..{dim[0]}] is {shape}")
    if min(shape) == 0:
        raise BadVolume(f"image has no voxels: header field dim[1..{dim[0]}] is {shape}")
    return shape
