"""Fields of a frozen dataclass by name: ``seed=3``, ``schedule.n_steps=100``, ``dims=48,96``."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from isocenter.errors import UnknownName, UsageError

__all__ = ["differences", "from_values", "to_values", "with_settings"]

Settings = TypeVar("Settings")


def with_settings(plain: Settings, settings: Sequence[str]) -> Settings:
    """The dataclass with ``key=value`` of each setting put in.

    Args:
        plain: A dataclass, which may hold others.
        settings: Words of the form ``key=value``; a dot goes into an inner dataclass, commas
            stand between the parts of a tuple, ``none`` is ``None``.

    Raises:
        UnknownName: No such key.
        UsageError: No ``=``, or a value that the key does not take.
    """
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set is {setting!r}: give key=value, as in seed=3")
        plain = _with(plain, key, key.split("."), value)
    return plain


def to_values(plain: Any) -> dict[str, Any]:
    """Plain values, as JSON gives them back."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(plain), default=str))
    return values


def from_values(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Inverse of :func:`to_values`.

    Raises:
        UnknownName: A key that this version does not know.
        UsageError: A value that a key does not take.
    """
    hints = get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise UnknownName("setting", key, hints)
    return kind(**{key: _typed(hints[key], value, key) for key, value in values.items()})


def differences(now: dict[str, Any], before: dict[str, Any], default: dict[str, Any]) -> list[str]:
    """What two dataclasses' values disagree about, one phrase each.

    Args:
        now: From :func:`to_values`.
        before: The same, perhaps of an older version.
        default: What settings were worth before they existed.
    """
    one, other = _flat(now), _flat(default) | _flat(before)
    return [
        f"{key} is {json.dumps(one.get(key))} and was {json.dumps(other.get(key))}"
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]


def _with(part: Any, key: str, names: list[str], text: str) -> Any:
    hints = get_type_hints(type(part))
    known = [field.name for field in fields(part)]
    first, *rest = names
    if first not in known:
        outer = key.split(".")[: -len(names)]
        raise UnknownName("setting", key, [".".join([*outer, name]) for name in known])
    present = getattr(part, first)
    if rest and is_dataclass(present):
        return replace(part, **{first: _with(present, key, rest, text)})
    if rest:
        raise UsageError(f"{key} does not exist: {first} has no settings of its own")
    if is_dataclass(present):
        inner = f"{key}.{fields(present)[0].name}"
        raise UsageError(f"{key} holds several settings: set one of them, as in {inner}=...")
    return replace(part, **{first: _typed(hints[first], _read(text), key)})


def _read(text: str) -> Any:
    """Numbers, ``true``, ``none`` and lists as JSON has them, else the text; commas make lists."""
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return [_read(part) for part in text.split(",")] if "," in text else text


def _typed(kind: Any, value: Any, key: str) -> Any:
    """The value as a field of this type holds it."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        (kind,) = [part for part in parts if part is not NoneType][:1]
        return _typed(kind, value, key)
    if origin is tuple:
        return _tuple(parts, value, key)
    if origin is Literal:
        # Words such as 32 read as numbers.
        found = [choice for choice in parts if str(choice) == str(value)]
        if not found:
            raise _refused(key, value, f"one of {', '.join(map(str, parts))}")
        return found[0]
    if is_dataclass(kind) and isinstance(kind, type):
        return from_values(kind, value)
    return _simple(kind, value, key)


def _tuple(parts: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    items = list(value) if isinstance(value, list) else [value]
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(_typed(parts[0], item, key) for item in items)
    if len(items) != len(parts):
        raise _refused(key, value, f"{len(parts)} values with commas between them")
    return tuple(_typed(part, item, key) for part, item in zip(parts, items, strict=True))


def _simple(kind: Any, value: Any, key: str) -> Any:
    if kind is str:
        return value if isinstance(value, str) else json.dumps(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is float and _is_number(value):
        return float(value)
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    if kind in words:
        raise _refused(key, value, words[kind])
    return Path(value) if kind is Path else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refused(key: str, value: Any, wanted: str) -> UsageError:
    given = value if isinstance(value, str) else json.dumps(value)
    return UsageError(f"{key} is {given!r}: give {wanted}")


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, f"{before}{key}.") if isinstance(value, dict) else None
        flat |= {f"{before}{key}": value} if inner is None else inner
    return flat
