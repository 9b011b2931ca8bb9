"""One scan of thick slices, from the door to the result: what two commands share."""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isocenter.artifacts._low_field_scan import slice_axis
from isocenter.assessors import assess
from isocenter.data.enhancement import CheckReport, EnhancementReport, Flag, Measure
from isocenter.data.grids import mask_of, on_grid
from isocenter.data.io import Loaded, to_volume
from isocenter.data.process import peak_rss
from isocenter.data.random import child, generator
from isocenter.data.scores import Plane, QualityReport, ScanFacts
from isocenter.data.settings import to_values
from isocenter.data.shapes import Mask3
from isocenter.data.step import JSON
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume
from isocenter.ops.register import bring
from isocenter.restorers import Checked, Enhanced, check, enhance
from isocenter.restorers._enhanced import Region
from isocenter.restorers._thick import LARGEST, SMALLEST, Thick, interpolated
from isocenter.study._enhancement_pictures import picture_rows
from isocenter.version import __version__

__all__ = [
    "PLANES",
    "Prepared",
    "as_enhanced",
    "check_files",
    "checks_of",
    "enhanced",
    "prepare",
    "quality_of",
    "told",
]

OTHER_PROGRAM = "what the program has learned from is not known"
NEAR_MM = 0.05
"""Difference of two affines that is no difference."""
NORMAL_90 = 1.6448536269514722
"""Half the width of a normal distribution's 90 % interval, in standard deviations."""

PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
"""In which slices lie, by the axis across them."""
MEANINGS = {
    "mean_square": (
        "what the thick slices would show of the result less what they show, over their noise, "
        "squared; 1 when noise alone is left"
    ),
    "null_share": (
        "part of the detail across slices that the scan cannot have measured: it was learned from "
        "other people, not seen in this one"
    ),
    "null_share_of_interpolated": "the same of the scan by cubic splines",
    "sigma": "standard deviation of the scan's noise, in its units",
    "snr_wm": "signal over noise of white matter in the scan",
    "snr_gm": "signal over noise of grey matter in the scan",
    "prior_distance": (
        "how far the scan's signal over noise is from that of the scans learned from, in standard "
        "deviations"
    ),
}
"""What each number of the checks is."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan that a method can begin with."""

    scan: Volume
    facts: ScanFacts
    brain: Mask3 | None


def prepare(loaded: Loaded, *, contrast: str | None = None, brain: Path | None = None) -> Prepared:
    """The scan along right, front and up, and where its brain is.

    Args:
        loaded: As its file holds it.
        contrast: Overrides what the file says.
        brain: A mask on the scan's grid.

    Raises:
        BadVolume: The mask cannot be read, is empty, or lies on another grid.
    """
    scan = to_volume(loaded, contrast=contrast)
    facts = replace(loaded.facts, contrast=scan.contrast)
    return Prepared(scan, facts, None if brain is None else mask_of(brain, scan, "the brain mask"))


def enhanced(
    prepared: Prepared,
    method: str,
    options: Any,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Enhanced, Checked, float]:
    """Thin slices, what may be believed of them, and the seconds that both took."""
    began = time.monotonic()
    rng = generator(seed)
    made = enhance(prepared.scan, method, options, rng=rng, progress=progress)
    checked = check(made, prepared.scan, brain=prepared.brain, rng=child(rng, "check"))
    return made, checked, time.monotonic() - began


def quality_of(
    made: Enhanced, prepared: Prepared, device: str
) -> tuple[QualityReport, QualityReport]:
    """What the assessor says of the scan and of the enhanced one."""
    return assess(prepared.scan, device=device), assess(made.image, device=device)


def told(
    made: Enhanced,
    checked: Checked,
    prepared: Prepared,
    *,
    method: str,
    options: Any,
    seed: int,
    seconds: float,
    quality: tuple[QualityReport, QualityReport] | None = None,
) -> EnhancementReport:
    """Everything that is said about a result, pictures included."""
    ratio, axis = int(str(made.facts["ratio"])), int(str(made.facts["axis"]))
    said: Any = made.facts.get("notes", [])
    return EnhancementReport(
        subject=prepared.facts.name,
        scan=prepared.facts,
        method=method,
        options=to_values(options),
        ratio=ratio,
        plane=PLANES[axis],
        thickness=_thickness(checked, prepared.scan.spacing[axis]),
        shape=made.image.shape,
        spacing=made.image.spacing,
        facts=made.facts,
        checks=checks_of(checked),
        rows=picture_rows(made, checked, prepared.scan, method),
        quality=quality,
        seed=seed,
        device=str(made.facts.get("device", "cpu")),
        seconds=seconds,
        peak_rss=peak_rss(),
        versions=versions(),
        has_deviation=made.deviation is not None,
        notes=tuple(dict.fromkeys((*map(str, said), *prepared.facts.warnings))),
    )


def _thickness(checked: Checked, distance: float) -> float | None:
    """Of a slice in mm, from its share of the slices' distance."""
    share = checked.facts.get("thickness")
    return share * distance if isinstance(share, float) else None


def check_files(
    given: Loaded,
    source: Loaded,
    *,
    contrast: str | None = None,
    brain: Path | None = None,
    deviation: Path | None = None,
    seed: int = 0,
) -> tuple[CheckReport, tuple[str, ...]]:
    """The checks of an enhanced scan that anybody made, and what has to be said of them.

    Args:
        given: Thin slices, on any grid.
        source: The thick slices that they were made of.
        contrast: Of both, where their files do not say it.
        brain: A mask on the grid of ``source``.
        deviation: Standard deviation of the error, on the grid of ``given``.
        seed: Chooses what is drawn.

    Raises:
        BadVolume: Slices that are no thinner, a mask or a deviation of another grid, or an
            enhanced scan that lies elsewhere.
    """
    prepared = prepare(source, contrast=contrast, brain=brain)
    image = to_volume(given, contrast=contrast)
    spread = None
    if deviation is not None:
        spread = on_grid(deviation, image, "the deviation", constant=True)
    made, notes = as_enhanced(image, prepared.scan, deviation=spread)
    rng = child(generator(seed), "check")
    checked = check(made, prepared.scan, brain=prepared.brain, rng=rng)
    unknown = dict.fromkeys(("prior_distance", "in_prior"), OTHER_PROGRAM)
    checked = replace(checked, missing={**checked.missing, **unknown})
    return checks_of(checked), tuple(dict.fromkeys((*notes, *given.facts.warnings)))


def as_enhanced(
    image: Volume, scan: Volume, *, deviation: Volume | None = None
) -> tuple[Enhanced, tuple[str, ...]]:
    """An enhanced scan that any program made, on the thin slices that stand for the scan's.

    Another grid is interpolated, trilinear, which is said.  The interval is that of a normal
    distribution.

    Args:
        image: Thin slices.
        scan: The thick ones.
        deviation: On the grid of ``image``.

    Raises:
        BadVolume: Slices that are no thinner, or an image that lies elsewhere.
    """
    axis = slice_axis(scan)
    ratio = round(scan.spacing[axis] / image.spacing[axis])
    if not SMALLEST <= ratio <= LARGEST:
        raise BadVolume(
            f"slices are {image.spacing[axis]:.2f} mm apart in the enhanced scan and "
            f"{scan.spacing[axis]:.2f} mm in the scan: give one whose slices are {SMALLEST} to "
            f"{LARGEST} times as close"
        )
    thin = Thick(scan, axis, ratio)
    cubic = interpolated(thin, order=3)
    notes = []
    if image.shape != cubic.shape or not np.allclose(image.affine, cubic.affine, atol=NEAR_MM):
        notes.append("the enhanced scan lies on another grid: it was interpolated for the checks")
        image = _brought(image, cubic)
        deviation = None if deviation is None else _brought(deviation, cubic)
    if not bool(image.data.any()):
        raise BadVolume("the enhanced scan lies elsewhere than the scan: give two of one place")
    ends = (
        [None, None]
        if deviation is None
        else [
            replace(image, data=image.data + sign * NORMAL_90 * deviation.data) for sign in (-1, 1)
        ]
    )
    facts: dict[str, JSON] = {"ratio": ratio, "axis": axis, "level": 0.9}
    return Enhanced(image, deviation, ends[0], ends[1], cubic, facts), tuple(notes)


def _brought(image: Volume, grid: Volume) -> Volume:
    data = bring(
        image.data, np.eye(4), image_affine=image.affine, shape=grid.shape, affine=grid.affine
    )
    return replace(grid, data=data)


def versions() -> dict[str, str]:
    """Of Isocenter and of what it computes with."""
    return {
        "isocenter": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def checks_of(checked: Checked) -> CheckReport:
    """The checks in plain values."""
    wm, gm = checked.snr or (None, None)
    values = {
        "mean_square": checked.mean_square,
        "null_share": checked.null_share,
        "null_share_of_interpolated": checked.null_share_of_interpolated,
        "sigma": checked.sigma,
        "snr_wm": wm,
        "snr_gm": gm,
        "prior_distance": checked.prior_distance,
    }
    reasons = dict(checked.missing)
    for name in ("snr_wm", "snr_gm"):
        reasons.setdefault(name, reasons.get("snr", "not measured"))
    return CheckReport(
        measures=tuple(
            Measure(
                name,
                value,
                MEANINGS[name],
                reasons.get(name, "not measured") if value is None else None,
            )
            for name, value in values.items()
        ),
        flags=(
            *(_flag("changed", one) for one in checked.changed),
            *(_flag("inconsistent", one) for one in checked.clusters),
        ),
        in_prior=checked.in_prior,
        warnings=checked.warnings,
        missing=reasons,
        assumed=checked.facts,
    )


def _flag(kind: Any, region: Region) -> Flag:
    return Flag(kind, region.n_voxels, region.centre, region.slice, region.peak)
