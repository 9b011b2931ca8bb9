"""Measures of an image, one a file; the file's name is the metric's.

A metric is a function of its file's name, ``(image, reference, *, data_range, mask=None)``, on
tensors (N, C, *spatial) with values (N,).  Those that are free of a range take none.  What is
not defined is NaN; a mask that has no meaning is refused.  The file also says, as constants:

``BETTER``            ``"higher"`` or ``"lower"``
``RANGE``             least and largest value
``UNIT``              unit of the values, or None
``IDENTICAL``         value of equal images, only where it is not the best end of ``RANGE``
``MINIMUM_SIDE``      shortest axis in pixels
``SPATIAL``           allowed numbers of spatial axes
``DIFFERENTIABLE``    whether gradients with respect to the image are finite and lead to better ones
``LOCAL``             False where pixels outside the mask reach the values inside; else left out
``HAS_THRESHOLD``     True where damage that the eye does not see leaves the value at its best;
                      else left out
``NEEDS_WEIGHTS``     True where a file of weights must be given; else left out
``SOURCE``            DOI or address of what defines it
``VALIDATED``         what its numbers were compared with

A metric whose ``SPATIAL`` holds no 3 refuses volumes; :func:`by_slices` takes them apart for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.metrics._slices import SliceScores as SliceScores
    from isocenter.metrics._slices import by_slices as by_slices

__all__ = ["SliceScores", "by_slices"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'isocenter.metrics' has no attribute {name!r}")
    return getattr(importlib.import_module("isocenter.metrics._slices"), name)
