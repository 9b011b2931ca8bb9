"""Images rated by people, laid out as RAD-IQMRI: a table of ratings and a folder of images.

RAD-IQMRI holds 8 references and 112 distorted images with the mean opinion of 13 radiologists:
Ma et al., "RAD-IQMRI: a benchmark for MRI image quality assessment", Neurocomputing 602, 128292,
2024.  It comes from its authors on a signed agreement; nothing of it is in this package.
"""

import csv
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor

from isocenter.data import io
from isocenter.errors import BadVolume, InputError, NeedsChoice, NothingFound

__all__ = ["RatedImage", "RatedSet", "read_grey", "read_ratings"]

SPELLINGS = {
    "image": ("image", "img", "image_name", "filename", "file", "name", "distorted",
              "distorted_image", "dist_img", "dis_img"),
    "reference": ("reference", "ref", "ref_img", "ref_image", "reference_image", "reference_name"),
    "mos": ("mos", "mean_opinion_score", "opinion", "score"),
    "deviation": ("deviation", "std", "sd", "stdev", "mos_std", "mos_sd", "standard_deviation"),
    "n_raters": ("n_raters", "raters", "n_ratings", "n_observers", "observers", "n"),
    "artifact": ("artifact", "artefact", "distortion", "distortion_type", "type"),
    "energy": ("energy", "energy_level", "level"),
}  # fmt: skip
"""Headers that are understood; case, spaces and hyphens do not matter."""
REQUIRED = ("image", "reference", "mos")
TAGS = ("artifact", "energy")
FLAT_ENDINGS = (".png", ".bmp", ".tif", ".tiff")
SPATIAL_ENDINGS = (".nii.gz", ".nii")
ENDINGS = FLAT_ENDINGS + SPATIAL_ENDINGS
N_NAMED = 3
"""Missing images named in a message."""


@dataclass(frozen=True)
class RatedImage:
    """One distorted image and what people thought of it."""

    image: Path
    reference: Path
    mos: float
    """Mean opinion score, on the table's own scale; higher is better."""
    deviation: float | None
    """Standard deviation of the opinions, same scale; ``None`` when the table has none."""
    n_raters: int | None
    """Opinions behind ``mos``; ``None`` when the table has none."""
    tags: Mapping[str, str]
    """``artifact`` and ``energy``, as far as the table has them."""


@dataclass(frozen=True)
class RatedSet:
    """All rated images, in the table's order."""

    rows: tuple[RatedImage, ...]

    @property
    def groups(self) -> tuple[Path, ...]:
        """The reference of every row: what is resampled and split together."""
        return tuple(row.reference for row in self.rows)

    @property
    def references(self) -> tuple[Path, ...]:
        """Every reference once, in the order of its first row."""
        return tuple(dict.fromkeys(self.groups))


def read_ratings(ratings: Path | str, images: Path | str) -> RatedSet:
    """Read a table of ratings and find its images.

    The table is UTF-8 text, separated by commas, semicolons or tabs, with the columns ``image``,
    ``reference`` and ``mos``, and if there are any ``deviation``, ``n_raters``, ``artifact``,
    ``energy``; :data:`SPELLINGS` lists the other headers that are taken.  An image is found
    below the folder by its name, or by its last folders and its name, with or without ending,
    whatever the case.

    Args:
        ratings: The table.
        images: Folder with PNG, BMP, TIFF or NIfTI files, searched with its subfolders.

    Raises:
        NothingFound: No table, no folder, or images that are not there.
        NeedsChoice: A name that fits several files.
        InputError: A table without the columns, or a row that makes no sense; the message gives
            the row's number, the header being row 1.
    """
    ratings, images = Path(ratings), Path(images)
    lines = _lines(ratings)
    paths = _locate(ratings.name, [line for _, line in lines], images)
    rows = tuple(_row(f"{ratings.name}, row {n}", line, paths) for n, line in lines)
    first: dict[Path, int] = {}
    for (number, _), row in zip(lines, rows, strict=True):
        if first.setdefault(row.image, number) != number:
            raise InputError(
                f"{ratings.name}: rows {first[row.image]} and {number} rate the same image, "
                f"{row.image.name}; leave one of them"
            )
    return RatedSet(rows)


def read_grey(path: Path | str) -> Float32[Tensor, "..."]:
    """An image as one grey channel, in the values of the file.

    Colour is weighed as ITU-R BT.601 does, 0.299 R + 0.587 G + 0.114 B, which leaves grey that
    was saved as colour as it was; palettes count as colour, transparency is dropped, and Pillow
    reduces colour of 16 bits to 8.

    Args:
        path: PNG, BMP or TIFF, or NIfTI.

    Returns:
        (rows, columns) of a picture; (x, y, z) of a NIfTI volume, (x, y) of a single slice.

    Raises:
        BadVolume: A file that cannot be read, or holds several pictures.
        NothingFound: No such file.
    """
    path = Path(path)
    if not path.name.lower().endswith(FLAT_ENDINGS):
        return _without_thin_axes(io.read(path).data)
    try:
        with Image.open(path) as picture:
            n_pictures = getattr(picture, "n_frames", 1)
            if n_pictures > 1:
                raise BadVolume(f"{path}: {n_pictures} pictures in one file: save one alone")
            values = _grey(picture)
    except FileNotFoundError as error:
        raise NothingFound(f"{path}: no such file; check the name") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadVolume(
            f"{path}: not a picture that can be read ({error}); save it again"
        ) from None
    return torch.from_numpy(values)


def _grey(picture: Image.Image) -> Float32[np.ndarray, "rows columns"]:
    if picture.mode in ("L", "1", "F", "I") or picture.mode.startswith("I;16"):
        return np.array(picture, dtype=np.float32)
    if picture.mode == "LA":
        return np.array(picture.getchannel("L"), dtype=np.float32)
    colour = np.array(picture.convert("RGB"), dtype=np.float64)
    return np.asarray(colour @ [0.299, 0.587, 0.114], dtype=np.float32)


def _without_thin_axes(data: Float32[Tensor, "x y z"]) -> Float32[Tensor, "..."]:
    thin = [axis for axis, side in enumerate(data.shape) if side == 1]
    return data.squeeze(thin[0]) if len(thin) == 1 else data


class _Files:
    """The images below a folder, by name."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise NothingFound(f"{folder}: no such folder; give the one that holds the images")
        self.folder = folder
        self.by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        for place, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = PurePosixPath((Path(place) / name).relative_to(folder).as_posix())
                if name.lower().endswith(ENDINGS) and not name.startswith("."):
                    for key in {name.lower(), _bare(name)}:
                        self.by_name[key].append(path)

    def find(self, name: str) -> Path | None:
        """The one file that fits; ``None`` when none does.

        Raises:
            NeedsChoice: Several do.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        above = tuple(part.lower() for part in wanted.parts[:-1] if part != ".")
        fitting = [
            path
            for path in self.by_name.get(wanted.name.lower(), ())
            if not above or tuple(p.lower() for p in path.parts[:-1])[-len(above) :] == above
        ]
        if len(fitting) > 1:
            raise NeedsChoice(
                f"{name!r} fits {fitting[0]} and {fitting[1]} in {self.folder}: "
                f"write the folder and the ending into the table"
            )
        return self.folder / fitting[0] if fitting else None


def _bare(name: str) -> str:
    """
    >>> _bare("Brain.NII.gz")
    'brain'
    """
    lower = name.lower()
    ending = next(end for end in sorted(ENDINGS, key=len, reverse=True) if lower.endswith(end))
    return lower.removesuffix(ending)


def _lines(ratings: Path) -> list[tuple[int, dict[str, str]]]:
    """Number and known columns of every row that is not empty."""
    try:
        text = ratings.read_text(encoding="utf-8-sig")
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except FileNotFoundError as error:
        raise NothingFound(f"{ratings}: no such table; check the name") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{ratings}: not a table in UTF-8 ({error}); save it as CSV") from error
    columns = _columns(ratings.name, rows[0][1] if rows else [])
    if len(rows) < 2:
        raise InputError(f"{ratings.name}: a header and no rows; give a table with ratings")
    for number, cells in rows[1:]:
        if len(cells) < len(rows[0][1]):
            raise InputError(
                f"{ratings.name}, row {number}: {len(cells)} cells under {len(rows[0][1])} "
                f"headers; complete the row"
            )
    return [(n, {name: cells[i].strip() for name, i in columns.items()}) for n, cells in rows[1:]]


def _columns(table: str, header: Sequence[str]) -> dict[str, int]:
    """Where each known column stands."""
    keys = ["_".join(cell.strip().lower().replace("-", " ").split()) for cell in header]
    columns: dict[str, int] = {}
    for name, spellings in SPELLINGS.items():
        places = [i for i, key in enumerate(keys) if key in spellings]
        if len(places) > 1:
            both = " and ".join(repr(header[i].strip()) for i in places[:2])
            raise InputError(f"{table}: {both} both mean {name!r}; leave one of them")
        if places:
            columns[name] = places[0]
    absent = [name for name in REQUIRED if name not in columns]
    if absent:
        raise InputError(
            f"{table}: no column {' or '.join(map(repr, absent))}; the table needs image, "
            f"reference and mos, and may have deviation, n_raters, artifact and energy"
        )
    return columns


def _locate(table: str, lines: Sequence[Mapping[str, str]], folder: Path) -> dict[str, Path]:
    """The file of every image and reference that the table names.

    Raises:
        NothingFound: Some have none.
    """
    files = _Files(folder)
    names = dict.fromkeys(line[kind] for kind in ("image", "reference") for line in lines)
    found = {name: files.find(name) for name in names if name}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        more = f" and {len(missing) - N_NAMED} more" if len(missing) > N_NAMED else ""
        raise NothingFound(
            f"{table}: {len(missing)} of {len(found)} images are not in {folder}: "
            f"{', '.join(missing[:N_NAMED])}{more}; give the folder that holds them"
        )
    return {name: path for name, path in found.items() if path is not None}


def _row(where: str, line: Mapping[str, str], paths: Mapping[str, Path]) -> RatedImage:
    mos = _number(where, line, "mos")
    if mos is None:
        raise InputError(f"{where}: mos is empty; give the mean opinion score")
    raters = _number(where, line, "n_raters", least=1)
    if raters is not None and raters != round(raters):
        raise InputError(f"{where}: n_raters is {line['n_raters']!r}; give a whole number")
    return RatedImage(
        paths[_text(where, line, "image")],
        paths[_text(where, line, "reference")],
        mos,
        _number(where, line, "deviation", least=0),
        None if raters is None else int(raters),
        {name: line[name] for name in TAGS if line.get(name)},
    )


def _text(where: str, line: Mapping[str, str], name: str) -> str:
    if not line[name]:
        raise InputError(f"{where}: {name} is empty; give the name of a file")
    return line[name]


def _number(
    where: str, line: Mapping[str, str], name: str, *, least: float = -math.inf
) -> float | None:
    text = line.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise InputError(f"{where}: {name} is {text!r}; give a number{bound}")
    return value
