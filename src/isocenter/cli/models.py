"""``isocenter models``: networks that ship, public weights to begin from, and how to get them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import isocenter
from isocenter.data.public_weights import PUBLIC, PublicWeights, named, path_of
from isocenter.errors import BadCheckpoint, NothingFound, UnknownName, UsageError

if TYPE_CHECKING:
    from isocenter.data.checkpoint import Checkpoint

__all__ = ["models"]

Action = Literal["list", "get", "show", "export"]
MODEL, PAGE, HASHES = "model.safetensors", "README.md", "SHA256SUMS"
WIDTH = 76
"""Characters of a line of running text."""
N_SHOWN = 6
"""Scores of a group that are printed; the rest is counted."""


def models(
    action: Action,
    name: str | None = None,
    to: Path | None = None,
    /,
    *,
    sha256: str | None = None,
    source: Annotated[str | None, Parameter(name="--from")] = None,
) -> int:
    """Networks and weights.

    Args:
        action: What to do.
        name: Of a model, for get and show; for export the folder of a finished run.
        to: For export: folder for the model, made if it is missing.
        sha256: For get: hash of the file that is meant, from its home page.
        source: For get: another address, or a file that was fetched by hand.
    """
    if (name is None) != (action == "list"):
        takes = "no name" if action == "list" else "a NAME"
        raise UsageError(f"'{action}' takes {takes}; isocenter models list shows the names")
    if (to is None) != (action != "export"):
        raise UsageError("'export' takes a run's folder and a new one; the others take no folder")
    if action != "get" and (sha256 or source):
        raise UsageError("--sha256 and --from go with 'get' alone")
    if name is None:
        return _print(_table())
    if action == "show":
        return _print(_page(name))
    if to is not None:
        return _print(_export(Path(name), to))
    return _get(name, sha256, source)


def _get(name: str, sha256: str | None, source: str | None) -> int:
    """Fetch one file; the only thing here that uses the network."""
    from isocenter.data.download import fetch

    if name in _shipped():
        raise UsageError(f"{name} ships with isocenter; there is nothing to fetch")
    entry = named(name)
    wanted = entry.sha256 if sha256 is None else sha256
    if entry.sha256 and sha256 and sha256.lower() != entry.sha256:
        raise UsageError(f"{name} has SHA-256 {entry.sha256}; --sha256 gives another")
    if wanted is None:
        return _print(_by_hand(entry), 2)
    path = path_of(name)
    if _holds(path, wanted):
        return _print([f"{name} is already there: {path}"])
    address = source or entry.address
    print(f"fetching {address} (about {entry.megabytes} MB, {entry.licence})", flush=True)
    return _print([f"SHA-256 is right; kept as {fetch(address, path, sha256=wanted)}"])


def _export(run: Path, to: Path) -> Iterator[str]:
    """The finished network of a run, its card and the hashes of both, in a folder to pass on."""
    from isocenter.cli._assessing import prepare_folder
    from isocenter.data import atomic

    if not (run / MODEL).is_file():
        raise NothingFound(f"{run} holds no {MODEL}: give the folder of a run that has ended")
    checkpoint = _checkpoint(run / MODEL)
    prepare_folder(to)
    if any(to.iterdir()):
        raise UsageError(f"{to} is not empty: give a new folder")
    kept = checkpoint.save(to / MODEL)
    _check_same(checkpoint, _checkpoint(kept), kept)
    lines = "\n".join(_card(kept))
    title = checkpoint.card.get("name", checkpoint.net)
    atomic.write_text(to / PAGE, f"# {title}\n\n```text\n{lines}\n```\n")
    hashes = "".join(f"{_sha256(to / name)}  {name}\n" for name in (PAGE, MODEL))
    atomic.write_text(to / HASHES, hashes)
    yield f"{to}: {MODEL} (read back, the same to the bit), {PAGE}, {HASHES}"
    yield f"isocenter assess SCAN --model {to}"


def _check_same(given: Checkpoint, kept: Checkpoint, path: Path) -> None:
    """
    Raises:
        BadCheckpoint: What was written is not what was given.
    """
    from isocenter.data.checkpoint import PARTS

    alike = all(getattr(given, part) == getattr(kept, part) for part in PARTS)
    names = given.tensors.keys() == kept.tensors.keys()
    if not (alike and names and all(given.tensors[k].equal(kept.tensors[k]) for k in kept.tensors)):
        raise BadCheckpoint(f"{path} differs from what was to be written: is the disk in order?")


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and _sha256(path) == sha256.lower()


def _by_hand(entry: PublicWeights) -> Iterator[str]:
    """Why nothing was fetched, and what to type."""
    yield f"{entry.name}: which file is meant is not known here, so nothing was fetched."
    yield "1. Read its terms, and the SHA-256 of model.safetensors, on its home page:"
    yield f"     {entry.home}"
    yield "2. Then type"
    yield f"     isocenter models get {entry.name} --sha256 HASH"
    yield "   or, with a file that you fetched yourself,"
    yield f"     isocenter models get {entry.name} --sha256 HASH --from FILE"


def _table() -> Iterator[str]:
    rows = [("name", "where", "MB", "licence", "what")]
    for name, path in _shipped().items():
        card = _checkpoint(path).card
        size = f"{path.stat().st_size / 1e6:.1f}"
        task = str(card.get("task", "")).removesuffix("; research use only")
        rows.append((name, "shipped", size, str(card.get("licence", "")), task))
    for entry in PUBLIC:
        where = "fetched" if path_of(entry.name).exists() else "to fetch"
        rows.append((entry.name, where, str(entry.megabytes), entry.licence, entry.what))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[4]])


def _page(name: str) -> Iterator[str]:
    """All that is known of a model."""
    shipped = _shipped()
    if name in shipped:
        return _card(shipped[name])
    public = [entry.name for entry in PUBLIC]
    if name not in public:
        raise UnknownName("model", name, [*shipped, *public])
    return _entry(named(name))


def _entry(entry: PublicWeights) -> Iterator[str]:
    yield f"{entry.name}: {entry.what}"
    yield from _line("home", entry.home)
    yield from _line("file", f"{entry.address}, about {entry.megabytes} MB")
    yield from _line("licence", entry.licence)
    yield from _line("sha256", entry.sha256 or "not known here; its home page has it")
    path = path_of(entry.name)
    yield from _line("here", str(path) if path.exists() else "not fetched")


def _card(path: Path) -> Iterator[str]:
    checkpoint = _checkpoint(path)
    card = dict(checkpoint.card)
    yield f"{path.stem}: {card.pop('task', checkpoint.net)}"
    yield from _line("file", f"{path}, {path.stat().st_size / 1e6:.1f} MB")
    yield from _line("sha256", checkpoint.sha256 or "")
    yield from _line("net", checkpoint.net)
    scores = card.pop("scores", {})
    for key, value in sorted(card.items()):
        if key != "name":
            yield from _line(key.replace("_", " "), _told(value))
    yield from _scores(scores)


def _told(value: Any) -> str:
    """A value of a card in words; long lists by their length."""
    match value:
        case Mapping():
            return "; ".join(f"{key}: {_short(part)}" for key, part in value.items())
        case list() | tuple():
            return ", ".join(map(str, value))
    return str(value)


def _short(value: Any) -> str:
    is_long = isinstance(value, list | tuple) and len(value) > N_SHOWN
    return f"{len(value)}" if is_long else _told(value)


def _scores(scores: Mapping[str, Any]) -> Iterator[str]:
    for group, measured in scores.items():
        if not isinstance(measured, Mapping):
            yield from _line(group, _told(measured))
            continue
        yield ""
        yield f"{group}:"
        entries = list(measured.items())
        for name, entry in entries[:N_SHOWN]:
            yield f"  {name}: {_figure(entry)}"
        if len(entries) > N_SHOWN:
            yield f"  and {len(entries) - N_SHOWN} more"


def _figure(entry: Any) -> str:
    """
    >>> _figure({"value": 0.91, "interval": [0.9, 0.95], "n": 12})
    '0.910 (0.900 to 0.950), n = 12'
    """
    if not isinstance(entry, Mapping) or "value" not in entry:
        return _told(entry)
    interval = entry.get("interval")
    between = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    count = f", n = {entry['n']}" if "n" in entry else ""
    return f"{entry['value']:.3f}{between}{count}"


def _line(name: str, value: str) -> Iterator[str]:
    """``name  value``, broken at words."""
    first, *rest = wrap(value, WIDTH - 14, break_long_words=False) or [""]
    yield f"  {name:<11} {first}"
    for line in rest:
        yield f"  {'':<12}{line}"


def _shipped() -> dict[str, Path]:
    folder = Path(isocenter.__file__).parent / "weights"
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def _checkpoint(path: Path) -> Checkpoint:
    from isocenter.data.checkpoint import Checkpoint

    return Checkpoint.load(path)


def _print(lines: Sequence[str] | Iterator[str], code: int = 0) -> int:
    for line in lines:
        print(line)
    return code
