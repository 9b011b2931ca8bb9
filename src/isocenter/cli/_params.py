"""Parameters of an artifact from the command line: ``--param KEY=VALUE``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isocenter.errors import InputError, NothingFound, UsageError

__all__ = ["read_params"]

TABLE = ".tsv"


def read_params(words: Sequence[str]) -> dict[str, Any]:
    """Values by name.

    Args:
        words: ``KEY=VALUE`` each; a value is JSON, a word, or the name of a table (.tsv), whose
            rows of numbers become a list of lists.

    Raises:
        UsageError: No ``=``, or a name that comes twice.
        NothingFound: A table that is not there.
        InputError: One that holds something else than numbers.
    """
    params: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise UsageError(f"--param is {word!r}: give KEY=VALUE, as in sigma=12.5")
        if name in params:
            raise UsageError(f"--param {name} is given twice: give it once")
        params[name] = _rows(Path(value)) if value.endswith(TABLE) else _read(value)
    return params


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _rows(path: Path) -> list[list[float]]:
    """The numbers below a line of names."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [[float(cell) for cell in line.split("\t")] for line in lines[1:] if line.strip()]
    except FileNotFoundError:
        raise NothingFound(f"{path} is not there: give the table's place") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): give a line of names, then rows of numbers with "
            "tabs between them"
        ) from error
