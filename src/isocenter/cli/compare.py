"""``isocenter compare``: measures against people's ratings, in groups instead of a league."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from isocenter.errors import UsageError

if TYPE_CHECKING:
    from isocenter.datasets.rad_iqmri import RatedSet
    from isocenter.statistics.compared import Compared

__all__ = ["compare"]

NAMES = ("values.tsv", "comparison.html", "comparison.tsv", "comparison.json")
"""What is written; the last one is written last."""


def compare(
    ratings: Path,
    images: Path,
    /,
    *,
    methods: str = "all",
    out: Path = Path("comparison"),
    data_range: str = "type",
    weights: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = (),
    workers: int = 1,
    seed: int = 0,
    quiet: bool = False,
) -> int:
    """Compare measures with ratings.

    Args:
        ratings: Table with the columns image, reference and mos.
        images: Folder that holds the images.
        methods: Names with commas between them, or all; see `isocenter list metrics`.
        out: Folder for the results; made if it is missing.
        data_range: Range of the values: type (255 or 65535 for pictures of integers, else the
            reference's largest value), reference (always the latter), or a number.
        weights: NAME=FILE for a measure that needs weights; may be given several times.
        workers: How many images to work on at once, each in its own process.
        seed: Chooses what is drawn for the intervals; the same seed draws the same.
        quiet: Print nothing but errors.
    """
    if workers < 1:
        raise UsageError(f"--workers is {workers}: give 1 or more")
    if not 0 <= seed < 2**63:
        raise UsageError(f"--seed is {seed}: give a whole number from 0 to 2**63 - 1")
    files = _files(weights)
    from isocenter.datasets.rad_iqmri import read_ratings

    rated = read_ratings(ratings, images)
    compared = _compared(rated, methods, out, data_range, files, workers, seed, quiet)
    _write(compared, out)
    if not quiet:
        _print(compared, out)
    return _code(compared)


def _files(weights: tuple[str, ...]) -> dict[str, Path]:
    """Files of weights by the name of their measure."""
    pairs = [given.partition("=") for given in weights]
    wrong = next((given for given, pair in zip(weights, pairs, strict=True) if not all(pair)), None)
    if wrong is not None:
        raise UsageError(f"--weights is {wrong!r}: give NAME=FILE, as in lpips=lpips.safetensors")
    return {name: Path(file) for name, _, file in pairs}


def _compared(
    rated: RatedSet,
    methods: str,
    out: Path,
    data_range: str,
    weights: dict[str, Path],
    workers: int,
    seed: int,
    quiet: bool,
) -> Compared:
    import numpy as np

    from isocenter.cli._assessing import prepare_folder
    from isocenter.study.comparison import compare as run

    prepare_folder(out)
    with _watched(len(rated.rows), quiet) as on_image:
        return run(
            rated,
            rng=np.random.default_rng(seed),
            methods=methods,
            data_range=data_range,
            workers=workers,
            weights=weights,
            values=out / NAMES[0],
            on_image=on_image,
        )


@contextlib.contextmanager
def _watched(n_images: int, quiet: bool) -> Iterator[Callable[[Path, str | None], None]]:
    """Complaints on stderr, and a bar when somebody watches."""
    from isocenter.cli._lines import complain

    with contextlib.ExitStack() as stack:
        advance: Callable[[bool], None] = lambda failed: None  # noqa: E731
        if not quiet and sys.stderr.isatty():
            from isocenter.cli._progress import bar

            advance = stack.enter_context(bar(n_images, "images"))

        def on_image(image: Path, error: str | None) -> None:
            if error is not None:
                complain(image, error)
            advance(error is not None)

        yield on_image


def _write(compared: Compared, out: Path) -> None:
    """The page and the table, then the document that both can be made from."""
    from isocenter.data import atomic
    from isocenter.reports import comparison, json

    document = comparison.document(compared)
    _, page, table, last = (out / name for name in NAMES)
    atomic.write_text(page, comparison.page(document))
    atomic.write_text(table, comparison.table(document))
    atomic.write_text(last, json.dump(document))


def _print(compared: Compared, out: Path) -> None:
    from isocenter.reports.text import one_line

    n_methods, rated = len(compared.methods), compared.rated
    print(
        f"{n_methods} measures on {len(rated.images)} images of {rated.n_references} references; "
        f"data range: {compared.data_range}"
    )
    wide = max(len("".join(one.letters)) for one in compared.methods)
    longest = max(len(one.column.name) for one in compared.methods)
    for one in compared.methods:
        low, high = one.interval_by_reference
        print(
            f"  {''.join(one.letters):<{wide}}  {one.column.name:<{longest}}  "
            f"SROCC {one.agreement.srocc:6.3f}  ({low:.2f} to {high:.2f})"
        )
    print("measures that share a letter are not told apart")
    for missing in compared.missing:
        print(f"  missing  {missing.name}: {one_line(missing.why)}")
    for note in compared.notes:
        print(f"  note     {note}")
    print(f"  report   {os.fspath(out / NAMES[1])}")


def _code(compared: Compared) -> int:
    """The gravest code: a bug, then what would stop every image, then single failures."""
    codes = {one.code for one in (*compared.failed, *compared.missing)}
    return next((code for code in (1, 6, 3) if code in codes), 0)
