"""NumPy ``.npy``: (y, x), (coil, y, x) or (slice, coil, y, x); never pickled objects.

Reference: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np

from isocenter.data.io._names import contrast_of
from isocenter.data.io.kspace._acquired import Acquired, Request
from isocenter.data.io.kspace._plain import arranged
from isocenter.errors import BadKSpace

__all__ = ["ENDINGS", "load", "mapped", "recognises"]

ENDINGS = (".npy",)

_MAGIC = b"\x93NUMPY"
_AXES = {2: "yx", 3: "cyx", 4: "scyx"}


def recognises(head: bytes, path: Path) -> bool:
    """Whether it begins as NumPy's format does."""
    return head.startswith(_MAGIC)


def load(path: Path, request: Request) -> Acquired:
    """Read the wanted slices.

    Raises:
        BadKSpace: Pickled objects, cut short, real, or with axes that nobody named.
        UsageError: The named axes do not fit.
    """
    from dataclasses import replace

    stored = mapped(path)
    if request.axes is None and stored.ndim not in _AXES:
        raise BadKSpace(
            f"an array of shape {stored.shape} has unknown axes: name them as in axes='scyx'"
        )
    said = ("three axes were taken as coil, y, x",) if stored.ndim == 3 else ()
    axes = _AXES.get(stored.ndim, "")
    acquired = arranged(stored, axes, request, format="NumPy", said=said)
    return replace(acquired, contrast=contrast_of(path.name))


def mapped(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """The array, left on the disk.

    Raises:
        BadKSpace: Pickled objects, or the file is damaged or cut short.
    """
    try:
        stored: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = np.load(
            path, mmap_mode="r", allow_pickle=False
        )
    except (ValueError, OSError, EOFError, SyntaxError, TokenError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BadKSpace(f"no readable NumPy array ({reason}): save it again") from error
    return stored
