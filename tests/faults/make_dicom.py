"""DICOM inputs that a scanner, a disk or an attacker may hand over; all made here.

Every maker writes into the folder or file that it is given and takes the plain phantom of
:func:`slice_of` as its beginning.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

CANARY = "CANARY^JANE"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
ROWS, COLUMNS, SPACING = 12, 16, 3.0


def stored_slice(index: int) -> np.ndarray:
    """Different in every slice, row and column, so that no mix-up goes unseen."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return (100 * index + 10 * rows + columns).astype(np.uint16)


def slice_of(
    index: int, *, series: str = "1.2.3", orientation: tuple[float, ...] = AXIAL
) -> Dataset:
    """One MR slice, 1.5 x 2 mm in the plane, every 3 mm."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, UID(f"{series}.{index + 1}")
    data.Modality, data.SeriesInstanceUID, data.SeriesNumber = "MR", UID(series), 4
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data.StudyInstanceUID, data.InstanceNumber = UID("1.2"), index + 1
    data.ScanningSequence, data.SequenceVariant = "SE", "NONE"
    data.RepetitionTime, data.EchoTime, data.EchoNumbers = 500, 15, 1
    normal = np.cross(orientation[:3], orientation[3:])
    place = np.array([-10.0, 20.0, 5.0]) + index * SPACING * normal
    data.ImagePositionPatient = [float(f"{mm:.4f}") for mm in place]
    data.ImageOrientationPatient = list(orientation)
    data.PixelSpacing, data.SliceThickness = [1.5, 2.0], 2.5
    set_pixels(data, stored_slice(index))
    return data


def set_pixels(data: Dataset, values: np.ndarray, bits_stored: int | None = None) -> None:
    """Put an image of 8 or 16 bits into a data set."""
    bits = values.dtype.itemsize * 8
    data.Rows, data.Columns = values.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored = bits, bits_stored or bits
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(values.dtype.kind == "i")
    data.PixelData = values.tobytes()
    data["PixelData"].VR = "OW"


def save(data: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write a complete DICOM file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.get("SOPClassUID", MRImageStorage)
    meta.MediaStorageSOPInstanceUID = data.get("SOPInstanceUID", UID("1.2.3.4"))
    meta.TransferSyntaxUID = syntax
    data.file_meta = meta
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dcmwrite(path, data, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return path


def stack(
    folder: Path,
    indices: range | list[int] = range(8),
    change: Callable[[Dataset, int], object] | None = None,
    prefix: str = "s",
    **options: object,
) -> Path:
    """A folder of slices whose names are in no order; ``change(data, index)`` alters each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, index in enumerate(indices):
        data = slice_of(index, **options)  # type: ignore[arg-type]
        if change is not None:
            change(data, index)
        save(data, folder / f"{prefix}{(number * 7) % 97:03d}_{number}.dcm")
    return folder


def enhanced(n_slices: int = 5, n_times: int = 1) -> Dataset:
    """An Enhanced MR object: frames by time, then by slice."""
    data = slice_of(0)
    data.SOPClassUID, data.NumberOfFrames = EnhancedMRImageStorage, n_slices * n_times
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(data, keyword)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 2.0], 2.5
    plane.ImageOrientationPatient = list(AXIAL)
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = [(time, index) for time in range(n_times) for index in range(n_slices)]
    data.PerFrameFunctionalGroupsSequence = Sequence([_frame(*frame) for frame in frames])
    values = [stored_slice(index) + 1000 * time for time, index in frames]
    set_pixels(data, np.stack(values).astype(np.uint16))
    return data


def _frame(time: int, index: int) -> Dataset:
    group, content, place, scale = Dataset(), Dataset(), Dataset(), Dataset()
    content.TemporalPositionIndex, content.StackID = time + 1, "1"
    place.ImagePositionPatient = [-10.0, 20.0, 5.0 + index * SPACING]
    scale.RescaleSlope, scale.RescaleIntercept = index + 1, -2
    group.FrameContentSequence = Sequence([content])
    group.PlanePositionSequence = Sequence([place])
    group.PixelValueTransformationSequence = Sequence([scale])
    return group


def two_series(folder: Path) -> Path:
    """Row 56: two series in one folder."""
    stack(folder, range(6), series="1.2.3", prefix="a")
    return stack(folder, range(4), _late, series="1.2.9", prefix="b")


def _late(data: Dataset, index: int) -> None:
    data.SeriesNumber, data.SeriesDescription = 9, CANARY


def without_preamble(path: Path, syntax: UID = ImplicitVRLittleEndian) -> Path:
    """Row 58: the bare data set, as old exports are."""
    dcmwrite(path, slice_of(0), implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return path


def truncated(path: Path, lost: int) -> Path:
    """Row 59: the last ``lost`` bytes are gone."""
    save(slice_of(0), path)
    os.truncate(path, path.stat().st_size - lost)
    return path


def huge(path: Path) -> Path:
    """Row 60: 65535 x 65535 in 512 bytes."""
    data = slice_of(0)
    data.Rows = data.Columns = 65535
    data.PixelData = bytes(512)
    return save(data, path)


def nested(path: Path, depth: int = 400) -> Path:
    """Row 62: a sequence in a sequence in a sequence ..., each of undefined length."""
    save(slice_of(0), path)
    content = path.read_bytes()
    at = content.index(struct.pack("<HH", 0x0008, 0x0060))
    opened = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    opened += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    path.write_bytes(content[:at] + opened * depth + closed * depth + content[at:])
    return path


def nested_in_frames(path: Path, depth: int = 400) -> Path:
    """Row 62 where frames are described, each level of defined length."""
    with io.BytesIO() as buffer:
        save(enhanced(2), path)
        content = path.read_bytes()
        at = content.index(struct.pack("<HH2s", 0x5200, 0x9229, b"SQ"))
        value = b""
        for _ in range(depth):
            head = struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value
            value = struct.pack("<HH2sHL", 0x0028, 0x9110, b"SQ", 0, len(head)) + head
        whole = struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value
        buffer.write(content[:at])
        buffer.write(struct.pack("<HH2sHL", 0x5200, 0x9229, b"SQ", 0, len(whole)) + whole)
        buffer.write(content[content.index(struct.pack("<HH2s", 0x5200, 0x9230, b"SQ")) :])
        path.write_bytes(buffer.getvalue())
    return path


def endless_header(path: Path, count: int = 2_000_000) -> Path:
    """Two million empty elements before the pixels: sixteen megabytes of header."""
    save(slice_of(0), path)
    content = path.read_bytes()
    at = content.index(struct.pack("<HH", 0x0008, 0x0060))
    path.write_bytes(content[:at] + struct.pack("<HH2sH", 0x0008, 0x0050, b"SH", 0) * count)
    return path


def deflated_bomb(path: Path, size: int = 1 << 30, *, in_header: bool = False) -> Path:
    """Row 63: one gigabyte of zeros in one megabyte, as pixels or before them."""
    buffer = io.BytesIO()
    data = slice_of(0)
    del data.PixelData
    dcmwrite(buffer, data, implicit_vr=False, little_endian=True)
    group, element = (0x0029, 0x1010) if in_header else (0x7FE0, 0x0010)
    head = struct.pack("<HH2sHL", group, element, b"OB", 0, size)
    save(data, path, DeflatedExplicitVRLittleEndian)
    start = _meta_end(path.read_bytes())
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    with open(path, "r+b") as file:
        file.truncate(start)
        file.seek(start)
        file.write(packer.compress(buffer.getvalue() + head))
        file.write(packer.flush(zlib.Z_FULL_FLUSH))
        # Behind a full flush a block stands for itself, so one is made and repeated.
        block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
        for _ in range(size >> 20):
            file.write(block)
        file.write(packer.flush())
    return path


def _meta_end(content: bytes) -> int:
    return 144 + int(struct.unpack_from("<L", content, 140)[0])


def compressed(
    path: Path, syntax: UID = JPEGLSLossless, frame: bytes = b"\xff\xd8\xff\xd9"
) -> Path:
    """Row 64: encapsulated pixels in a syntax that may have no decoder."""
    data = slice_of(0)
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return save(data, path, syntax)


def of_class(path: Path, uid: UID) -> Path:
    """Row 65: an object of another class."""
    data = slice_of(0)
    data.SOPClassUID = uid
    return save(data, path)


def secondary_capture(path: Path) -> Path:
    """Row 65: a screenshot."""
    return of_class(path, SecondaryCaptureImageStorage)


def computed_tomography(path: Path) -> Path:
    """Row 65: another modality."""
    return of_class(path, CTImageStorage)


def mosaic(path: Path) -> Path:
    """Row 65: a Siemens mosaic."""
    data = slice_of(0)
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    return save(data, path)


PHI = [
    "PatientName",
    "PatientID",
    "PatientAddress",
    "PatientComments",
    "OtherPatientNames",
    "InstitutionName",
    "InstitutionAddress",
    "ReferringPhysicianName",
    "OperatorsName",
    "StationName",
    "AccessionNumber",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "ImageComments",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "DeviceSerialNumber",
    "SequenceName",
    "StudyID",
]


def full_of_names(data: Dataset, index: int = 0) -> None:
    """Row 66: patient data in every text tag, in private tags and where only codes belong."""
    for keyword in PHI:
        setattr(data, keyword, CANARY)
    data.PatientBirthDate, data.StudyDate = "19431224", "19991231"
    block = data.private_block(0x0029, "CANARY MAKER", create=True)
    block.add_new(0x10, "LO", CANARY)
    block.add_new(0x20, "OB", CANARY.encode() + b" ")
    data.ScanOptions = data.WindowCenterWidthExplanation = "CANARY"
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "CANARY"]
    data.FrameOfReferenceUID = UID("1.2.840.19431224")
