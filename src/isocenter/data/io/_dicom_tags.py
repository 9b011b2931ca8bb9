"""Numbers and codes out of a DICOM data set that nobody has checked.

Only numbers and codes of fixed vocabularies are read, never free text, and no message
repeats a tag's value: it may be patient data.
"""

from __future__ import annotations

import hashlib
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isocenter.errors import BadVolume

__all__ = [
    "codes",
    "digest",
    "integer",
    "item",
    "items",
    "number",
    "numbers",
    "parsing",
]

PARSER_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom was seen to raise on damaged files."""


@contextmanager
def parsing(name: str) -> Iterator[None]:
    """Turn whatever pydicom raises on a damaged file into one sentence.

    pydicom's own warnings and errors quote the offending value, so they are kept silent and
    are not chained.

    Raises:
        BadVolume: The data set of file ``name`` cannot be parsed.
    """
    from pydicom import config, errors

    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except RecursionError:
        raise BadVolume(
            f"{name}: malformed DICOM (sequences nested too deep); export it again"
        ) from None
    except (*PARSER_ERRORS, errors.InvalidDicomError, errors.BytesLengthException) as error:
        kind = type(error).__name__
        raise BadVolume(
            f"{name}: malformed DICOM ({kind} while parsing); export it again"
        ) from None


def _malformed(name: str, why: str) -> BadVolume:
    return BadVolume(f"{name}: malformed DICOM ({why}); export it again")


def items(dataset: Any, keyword: str) -> list[Any]:
    """The items of a sequence; empty where there is none."""
    return list(dataset.get(keyword) or ())


def item(dataset: Any, keyword: str) -> Any:
    """The first item of a sequence, or an empty data set."""
    from pydicom.dataset import Dataset

    found = items(dataset, keyword)
    return found[0] if found else Dataset()


def numbers(dataset: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers; ``None`` where the tag is absent or empty.

    Raises:
        BadVolume: There are fewer or more, or one is not finite.
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    listed = [value] if isinstance(value, (int, float, str)) else list(value)
    found = tuple(float(entry) for entry in listed)
    if len(found) != count or not all(map(math.isfinite, found)):
        raise BadVolume(f"{keyword} does not hold {count} finite numbers; export the scan again")
    return found


def number(dataset: Any, keyword: str) -> float | None:
    """The first number of a tag, finite or not; ``None`` where it is absent or empty."""
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, (int, float, str)):
        value = value[0] if len(value) else None
    return None if value is None or value == "" else float(value)


def integer(dataset: Any, keyword: str) -> int | None:
    """A whole number; ``None`` where the tag is absent or empty."""
    value = number(dataset, keyword)
    return None if value is None else int(value)


def codes(dataset: Any, keyword: str) -> tuple[str, ...]:
    """The values of a code string, upper case: for comparing, not for printing."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    listed = [value] if isinstance(value, str) else list(value)
    return tuple(str(entry).strip().upper() for entry in listed)


def digest(dataset: Any, keyword: str) -> str:
    """Six hexadecimal digits that tell two texts apart without showing them."""
    return hashlib.sha256(str(dataset.get(keyword) or "").encode()).hexdigest()[:6]
