"""A user's own scans with the total SNR that a table of MRIQC gives them."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from isocenter.data.io import read
from isocenter.datasets.mriqc import read as read_measures
from isocenter.errors import NothingFound
from isocenter.ops.regions import head_mask
from isocenter.training.inputs.patch_examples import LabelledVolume

__all__ = ["TableScan", "table_scans"]

ENDINGS = (".nii", ".nii.gz", ".mgz", ".mnc")


@dataclass(frozen=True)
class TableScan:
    """A scan and its label."""

    person: str
    path: Path
    snr: float
    """``snr_total`` of the table."""

    def load(self) -> LabelledVolume:
        """Read the scan."""
        data = read(self.path).data.clamp_min(0)
        mask = head_mask(data)
        return LabelledVolume(data, mask if bool(mask.any()) else torch.ones_like(mask), self.snr)


def table_scans(data: Path, table: Path, *, definition: str | None) -> tuple[TableScan, ...]:
    """Scans below ``data`` whose name is in the table, sorted by name.

    A row's name is a file's without its ending (``sub-01_T1w``), or the person's part of the one
    file that has it (``01`` or ``sub-01`` of ``sub-01_ses-1_T1w``).  Rows without ``snr_total``
    and rows without a file are passed over.

    Args:
        data: Folder of scans, at any depth.
        table: MRIQC's group table or document.
        definition: By which formulas it was measured, where the file does not say.

    Raises:
        NothingFound: No row has a file.
    """
    files = {_stem(path): path for path in sorted(data.rglob("*")) if path.name.endswith(ENDINGS)}
    by_person: dict[str, list[str]] = {}
    for stem in files:
        by_person.setdefault(_person(stem), []).append(stem)
    found = []
    for row in read_measures(table, definition=definition):
        snr = row.measures.get("snr_total")
        of_person = by_person.get(f"sub-{row.name.removeprefix('sub-')}", [])
        stems = [row.name] if row.name in files else of_person
        if snr is not None and len(stems) == 1:
            found.append(TableScan(_person(stems[0]), files[stems[0]], float(snr)))
    if not found:
        raise NothingFound(
            f"no scan in {data} has the name of a row of {table} with an snr_total; "
            f"name the files as MRIQC did (sub-01_T1w.nii.gz)"
        )
    return tuple(sorted(found, key=lambda scan: scan.path.name))


def _stem(path: Path) -> str:
    return re.sub(r"\.(nii|nii\.gz|mgz|mnc)$", "", path.name)


def _person(stem: str) -> str:
    return stem.split("_", 1)[0]
