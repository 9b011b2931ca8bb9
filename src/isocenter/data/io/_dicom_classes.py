"""Which kinds of DICOM object are scans, and what the others are called."""

from __future__ import annotations

from isocenter.errors import BadVolume

__all__ = ["ENHANCED", "check_class", "class_name", "is_image_class", "syntax_name"]

MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED = ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
"""Enhanced MR and Legacy Converted Enhanced MR: many frames in one file."""
DIRECTORY = "1.2.840.10008.1.3.10"


def class_name(uid: str) -> str:
    """Name of a SOP class; never the UID itself, which a damaged file may fill with anything."""
    return _dictionary_name(uid) or "an unknown SOP class"


def syntax_name(uid: str) -> str:
    """Name of a transfer syntax; never the UID itself."""
    return _dictionary_name(uid) or "an unknown transfer syntax"


def is_image_class(uid: str) -> bool:
    """Whether objects of this class are MR images (an absent class may be one)."""
    return uid in ("", MR, *ENHANCED)


def check_class(name: str, uid: str, image_type: tuple[str, ...]) -> None:
    """Refuse what is no MR image, by the name of its class.

    Raises:
        BadVolume: The file's class is not one of MR images, or it is a Siemens mosaic.
    """
    if not is_image_class(uid):
        raise BadVolume(
            f"{name}: this is {class_name(uid)}, not an MR image: "
            "give MR Image Storage or Enhanced MR Image Storage"
        )
    if "MOSAIC" in image_type:
        raise BadVolume(
            f"{name}: this is a Siemens mosaic (MR Image Storage with all slices tiled in one "
            "image), which is not supported: export it as enhanced DICOM or convert it to NIfTI"
        )


def _dictionary_name(uid: str) -> str | None:
    from pydicom.uid import UID_dictionary

    entry = UID_dictionary.get(uid)
    return entry[0] if entry else None
