"""The XML header of ISMRMRD, which fastMRI files carry, too.

Reference: https://ismrmrd.readthedocs.io, doi:10.1002/mrm.26089
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from isocenter.errors import BadKSpace

__all__ = ["Header", "Limits", "Space", "parse_header"]

LONGEST = 4 << 20
"""Bytes; real headers have 3 to 200 kB."""


@dataclass(frozen=True)
class Space:
    """One of the two grids of a header: as encoded, or as reconstructed."""

    matrix: tuple[int, int, int]
    """Readout, first and second phase encode."""
    fov: tuple[float, float, float] | None
    """Field of view in mm along the same axes; ``None`` where it is missing or makes no sense."""

    @property
    def sizes(self) -> tuple[float, float, float] | None:
        """Voxel size in mm."""
        if self.fov is None:
            return None
        x, y, z = (length / side for length, side in zip(self.fov, self.matrix, strict=True))
        return x, y, z


@dataclass(frozen=True)
class Limits:
    """Which counters of one phase-encode axis occur."""

    centre: int
    """Counter of the line through the centre of k-space."""
    maximum: int


@dataclass(frozen=True)
class Header:
    """What Isocenter reads of the header."""

    encoded: Space
    reconstructed: Space
    step_1: Limits | None
    step_2: Limits | None
    trajectory: str
    protocol: str
    field_strength: float | None


def parse_header(text: bytes | str) -> Header:
    """Read the header of the first encoding.

    Raises:
        BadKSpace: Not XML, with entities, or without the matrix.
    """
    raw = text.encode() if isinstance(text, str) else bytes(text)
    if len(raw) > LONGEST or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise BadKSpace("the XML header is no ISMRMRD header (too long, or with entities)")
    try:
        root = ElementTree.fromstring(raw.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadKSpace(f"the XML header does not parse ({error}): mend the header") from error
    encoding = root.find("{*}encoding")
    if encoding is None:
        raise BadKSpace("the XML header has no encoding: mend the header")
    encoded = _space(encoding, "encodedSpace")
    if encoded is None:
        raise BadKSpace("the XML header has no encodedSpace with a matrixSize: mend the header")
    strength = _number(root, "acquisitionSystemInformation/systemFieldStrength_T")
    return Header(
        encoded=encoded,
        reconstructed=_space(encoding, "reconSpace") or encoded,
        step_1=_limits(encoding, "kspace_encoding_step_1"),
        step_2=_limits(encoding, "kspace_encoding_step_2"),
        trajectory=_text(encoding, "trajectory") or "cartesian",
        protocol=_text(root, "measurementInformation/protocolName"),
        field_strength=strength,
    )


def _space(encoding: Any, name: str) -> Space | None:
    matrix = [_number(encoding, f"{name}/matrixSize/{axis}") for axis in "xyz"]
    if any(side is None for side in matrix):
        return None
    x, y, z = (int(side or 0) for side in matrix)
    if min(x, y, z) < 1:
        raise BadKSpace(f"the header's {name} matrix is {x} x {y} x {z}: mend the header")
    fov = [_number(encoding, f"{name}/fieldOfView_mm/{axis}") or 0.0 for axis in "xyz"]
    return Space((x, y, z), (fov[0], fov[1], fov[2]) if min(fov) > 0 else None)


def _limits(encoding: Any, name: str) -> Limits | None:
    values = [_number(encoding, f"encodingLimits/{name}/{end}") for end in ("center", "maximum")]
    if values[0] is None or values[1] is None:
        return None
    return Limits(int(values[0]), int(values[1]))


def _number(node: Any, path: str) -> float | None:
    try:
        value = float(_text(node, path))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(node: Any, path: str) -> str:
    found = node.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    return "" if found is None else (found.text or "").strip()
