"""RAD-IQMRI: 112 images with artifacts and their 8 references, rated by radiologists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isocenter.datasets.layouts._files import walk, whole
from isocenter.datasets.layouts._layout import Contents, Expected, Fault, Layout
from isocenter.datasets.scan import Scan
from isocenter.errors import IsocenterError

__all__ = ["LAYOUT"]

TABLES = (".csv", ".tsv")


def find(root: Path, dataset: str) -> Contents:
    """The images of the first table that holds ratings; an image's person is its reference."""
    faults = []
    for table in (path for path in walk(root) if path.suffix.lower() in TABLES):
        try:
            scans = tuple(_scans(table, root, dataset))
        except IsocenterError as error:
            faults.append(Fault(table.relative_to(root), str(error)))
        else:
            return whole(root, scans)
    return Contents((), tuple(faults))


def _scans(table: Path, root: Path, dataset: str) -> Iterator[Scan]:
    from isocenter.data.io import contrast_of
    from isocenter.datasets.rad_iqmri import read_ratings

    rated = read_ratings(table, root)
    content = {row.image: row.reference for row in rated.rows}
    content |= {reference: reference for reference in rated.references}
    for path, reference in content.items():
        yield Scan(reference.stem, path, contrast_of(path.name), None, dataset)


LAYOUT = Layout(
    name="rad_iqmri",
    title="RAD-IQMRI",
    home="https://github.com/dayan0204/RAD-IQMRI",
    licence="data usage agreement",
    terms="On request, for academic and non-commercial research; it must not be passed on.",
    download=("Sign the agreement on its page and send it to the authors.",),
    tree="""\
ratings.csv            columns image, reference, mos, and perhaps more
images/ ...            PNG, BMP, TIFF or NIfTI, in any folders""",
    example="ratings.csv",
    expected=(Expected(None, people=8, images=120),),
    find=find,
    notes=(
        "Its own file names could not be verified: images are found through the table of ratings, "
        "as isocenter compare finds them.",
        "People are not known; an image counts as its reference, so that splits go by content.",
        "Flat images are read by isocenter compare, and by no command that takes scans.",
    ),
)
"""The entry."""
