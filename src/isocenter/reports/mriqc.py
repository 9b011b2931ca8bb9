"""Measures in MRIQC's files: a JSON per image, and one table with its data dictionary.

What is written here, :mod:`isocenter.datasets.mriqc` reads back equal, and programs that
expect MRIQC's own files find the same keys and columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from isocenter.data.atomic import write_text
from isocenter.data.step import JSON
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.errors import UsageError
from isocenter.reports.json import dump
from isocenter.reports.tsv import MISSING, cell

__all__ = ["dictionary", "document", "place", "table", "write_document", "write_table"]

_TISSUES = {"csf": "cerebrospinal fluid", "gm": "grey matter", "wm": "white matter"}
_REGIONS = {**_TISSUES, "bg": "the air around the head", "total": "the three tissues"}
_NUMBERS = {
    "k": "kurtosis",
    "mad": "median absolute deviation",
    "mean": "mean",
    "median": "median",
    "n": "number of voxels",
    "p05": "5th percentile",
    "p95": "95th percentile",
    "stdv": "standard deviation",
}
_UNITLESS = {"k": "1", "n": "voxels"}
_SINGLE: dict[str, tuple[str, str, str | None]] = {
    # name: (description, unit, better)
    "cjv": ("coefficient of joint variation of white and grey matter", "1", "lower"),
    "cnr": ("contrast-to-noise ratio between white and grey matter", "1", "higher"),
    "efc": ("entropy focus criterion", "1", "lower"),
    "fber": ("energy of the head over energy of the air", "1", "higher"),
    "inu_med": ("median of the fitted shading field, best at 1", "1", None),
    "inu_range": ("95th minus 5th percentile of the fitted shading field", "1", "lower"),
    "qi_1": ("share of the air that shows artifacts", "1", "lower"),
    "qi_2": ("misfit of the air's noise to its model; 0 where not computed", "1", "lower"),
    "wm2max": ("median of white matter over the brightest intensities", "1", None),
}
_FAMILIES: tuple[tuple[str, str, str, str | None], ...] = (
    # pattern of the name, description, unit, better
    (r"fwhm_(avg|x|y|z)", "smoothness as full width at half maximum, {0}", "voxels", "lower"),
    (r"snr_(\w+)", "signal-to-noise ratio in {0}", "1", "higher"),
    (r"snrd_(\w+)", "signal of {0} over noise of the air (Dietrich)", "1", "higher"),
    (r"icvs_(\w+)", "share of {0} in the intracranial volume", "1", None),
    (r"rpve_(\w+)", "residual partial volume effect of {0}", "1", "lower"),
    (r"tpm_overlap_(\w+)", "overlap of {0} with the template's map", "1", "higher"),
    (r"size_([xyz])", "number of voxels along {0}", "voxels", None),
    (r"spacing_([xyz])", "voxel size along {0}", "mm", None),
)


def document(scan: MeasuredScan) -> dict[str, JSON]:
    """The content of one image's JSON: flat measures, ``bids_meta`` and ``provenance``."""
    return {
        **scan.others,
        **scan.measures,
        "bids_meta": dict(scan.bids_meta),
        "provenance": dict(scan.provenance),
        "definition": scan.definition,
    }


def table(scans: Sequence[MeasuredScan]) -> str:
    """The group table: ``bids_name``, the measures that occur, then what stood beside them.

    Numbers keep all their digits, so that reading gives them back equal.

    Raises:
        UsageError: No scan, a name twice, or scans of several definitions.
    """
    _definition(scans)
    measures = sorted({name for scan in scans for name in scan.measures})
    others = sorted({name for scan in scans for name in scan.others})
    lines = [["bids_name", *measures, *others]]
    for scan in scans:
        numbers = [_digits(scan.measures.get(name)) for name in measures]
        lines.append([cell(scan.name), *numbers, *(_shown(scan.others.get(n)) for n in others)])
    return "".join("\t".join(line) + "\n" for line in lines)


def dictionary(definition: str) -> dict[str, JSON]:
    """The table's BIDS data dictionary: description, unit and direction of every column.

    The key ``definition`` beside the columns says by which formulas the numbers were made.
    """
    columns: dict[str, JSON] = {name: _column(name) for name in MEASURES}
    name: JSON = {"Description": "BIDS name of the scan without its ending"}
    return {"bids_name": name, **columns, "definition": definition}


def place(name: str) -> PurePosixPath:
    """Where MRIQC keeps a scan's JSON below its output folder.

    >>> str(place("sub-01_ses-a_run-2_T1w"))
    'sub-01/ses-a/anat/sub-01_ses-a_run-2_T1w.json'

    Raises:
        UsageError: The name does not begin with a person, as in ``sub-01``.
    """
    found = re.match(r"(sub-[0-9A-Za-z]+)(?:_(ses-[0-9A-Za-z]+))?_", name)
    if found is None or "/" in name:
        raise UsageError(f"{name!r} is no BIDS name; name the scan as in sub-01_T1w")
    return PurePosixPath(*filter(None, found.groups()), "anat", f"{name}.json")


def write_document(scan: MeasuredScan, path: Path | str) -> Path:
    """Write one image's JSON, keys sorted, in two spaces.

    Raises:
        ResourceError: The file cannot be written.
    """
    return write_text(path, dump(document(scan)))


def write_table(scans: Sequence[MeasuredScan], path: Path | str) -> Path:
    """Write the group table and, beside it with the ending ``.json``, its data dictionary.

    Raises:
        UsageError: No scan, a name twice, scans of several definitions, or another ending.
        ResourceError: A file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".tsv":
        raise UsageError(f"{path} does not end in .tsv; name a table, as in group_T1w.tsv")
    text = table(scans)
    write_text(path.with_suffix(".json"), dump(dictionary(_definition(scans))))
    return write_text(path, text)


def _definition(scans: Sequence[MeasuredScan]) -> str:
    definitions = sorted({scan.definition for scan in scans})
    if not definitions:
        raise UsageError("no scan was given to write; give at least one")
    if len(definitions) > 1:
        raise UsageError(f"scans of {' and '.join(definitions)} do not compare; write them apart")
    if len({scan.name for scan in scans}) < len(scans):
        raise UsageError("two scans have one name; name every scan once")
    return definitions[0]


def _column(name: str) -> JSON:
    description, unit, better = _described(name)
    return {"Description": description, "Units": unit, "better": better}


def _described(name: str) -> tuple[str, str, str | None]:
    if name in _SINGLE:
        return _SINGLE[name]
    summary = re.fullmatch(r"summary_(\w+)_(\w+)", name)
    if summary:
        region, number = summary.groups()
        return f"{_NUMBERS[number]} in {_REGIONS[region]}", _UNITLESS.get(number, "a.u."), None
    for pattern, description, unit, better in _FAMILIES:
        found = re.fullmatch(pattern, name)
        if found:
            return description.format(_named(found[1])), unit, better
    raise KeyError(name)


def _named(part: str) -> str:
    return _REGIONS.get(part, "mean of x, y and z" if part == "avg" else part)


def _digits(value: float | None) -> str:
    return MISSING if value is None else repr(float(value))


def _shown(value: JSON) -> str:
    if value is None or isinstance(value, (str, bool, int, float)):
        return cell(value)
    return cell(dump(value, compact=True).strip())
