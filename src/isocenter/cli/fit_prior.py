"""``isocenter fit-prior``: from low-field scans to the prior of their signal over noise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from isocenter.cli._lines import complain
from isocenter.errors import BadVolume, ResourceError, UnknownName, UsageError
from isocenter.reports.text import one_line

if TYPE_CHECKING:
    from isocenter.artifacts import SnrPrior
    from isocenter.data.step import JSON
    from isocenter.study.low_field_prior import LeftOut, Measured, Source

__all__ = ["fit_prior"]

CONTRASTS = ("FLAIR", "PDw", "T1w", "T2w")


def fit_prior(
    scans: Annotated[tuple[Path, ...], Parameter(name="SCANS", allow_leading_hyphen=False)],
    /,
    *,
    out: Path,
    contrast: str | None = None,
    brain: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    tissue: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    backend: Literal["em", "ants"] = "em",
    reference: Literal["wm", "gm"] | None = None,
    quiet: bool = False,
) -> int:
    """Fit a prior.

    Args:
        scans: Low-field scans of one scanner and one contrast, five or more.
        out: File to write, ending in .json.
        contrast: Contrast of the scans (T1w, T2w, FLAIR, PDw), when the files do not say.
        brain: A brain mask of each scan, in the scans' order; found unless given.
        tissue: Of each scan, in the scans' order, its tissues by another program: three files of
            SPM or FAST, or one of SynthSeg; found unless given.
        backend: Who finds tissues: em (built in), or ants (the extra `ants`).
        reference: The tissue whose brightness stays in a simulation; the brighter one unless
            given.
        quiet: Print nothing but errors.
    """
    _check(scans, out, contrast)
    from isocenter.study.low_field_prior import LeftOut, document, fitted, measured_each

    sources = _sources(scans, brain, tissue)
    found: list[Measured] = []
    left_out: list[LeftOut] = []
    if not quiet:
        print(f"{'scan':<32}{'white':>8}{'grey':>8}{'noise':>10}   measured in")
    for one in measured_each(sources, contrast=contrast, backend=backend):
        if isinstance(one, LeftOut):
            left_out.append(one)
            complain(Path(one.name), one.why)
            continue
        found.append(one)
        if not quiet:
            print(_row(one), flush=True)
    _enough(found, left_out)
    prior = fitted(found, reference=reference, contrast=contrast)
    _write(document(prior, found, left_out), out)
    if not quiet:
        print(_result(prior, len(found), len(left_out)))
        print(f"wrote {out}")
    return 3 if left_out else 0


def _check(scans: tuple[Path, ...], out: Path, contrast: str | None) -> None:
    from isocenter.artifacts._snr_prior import FEWEST

    if len(scans) < FEWEST:
        number = "1 scan is" if len(scans) == 1 else f"{len(scans)} scans are"
        raise UsageError(f"{number} too few for a prior: give {FEWEST} or more")
    if contrast is not None and contrast not in CONTRASTS:
        raise UnknownName("contrast", contrast, CONTRASTS)
    if not out.name.endswith(".json") or out.name == ".json":
        raise UsageError(f"--out is {out}: give a name that ends in .json")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write to the folder {out.parent}: make it, or choose another")


def _sources(
    scans: tuple[Path, ...], brain: tuple[Path, ...], tissue: tuple[Path, ...]
) -> list[Source]:
    from isocenter.study.low_field_prior import Source

    if brain and len(brain) != len(scans):
        raise UsageError(f"{len(brain)} brain masks for {len(scans)} scans: give one of each scan")
    n_maps = len(tissue) // len(scans)
    if len(tissue) != n_maps * len(scans) or n_maps not in (0, 1, 3):
        raise UsageError(
            f"{len(tissue)} tissue maps for {len(scans)} scans: give three of each scan (SPM, "
            "FAST), or one (SynthSeg)"
        )
    return [
        Source(
            scan,
            brain[index] if brain else None,
            tissue[n_maps * index : n_maps * (index + 1)],
        )
        for index, scan in enumerate(scans)
    ]


def _enough(found: list[Measured], left_out: list[LeftOut]) -> None:
    from isocenter.artifacts._snr_prior import FEWEST

    if len(found) < FEWEST:
        raise BadVolume(
            f"{len(found)} of {len(found) + len(left_out)} scans could be measured, {FEWEST} are "
            "needed for a prior: give more, or their --brain and --tissue"
        )


def _write(values: dict[str, JSON], out: Path) -> None:
    from isocenter.data import atomic
    from isocenter.reports.json import dump

    atomic.write_text(out, dump(values))


def _row(one: Measured) -> str:
    name = one_line(one.name)
    return f"{name:<32}{one.wm:>8.2f}{one.gm:>8.2f}{one.sigma:>10.4g}   {one.noise_from}"


def _result(prior: SnrPrior, n_found: int, n_left: int) -> str:
    (wm, both), (_, gm) = prior.covariance
    used = f"{n_found} scans" + (f", {n_left} left out" if n_left else "")
    names = {"wm": "white matter", "gm": "grey matter"}
    return "\n".join(
        [
            f"prior of {used}; {names[prior.reference]} keeps its brightness",
            f"  mean          white {prior.mean[0]:.2f}, grey {prior.mean[1]:.2f}",
            f"  covariance    {wm:.3f} {both:.3f}; {both:.3f} {gm:.3f}",
            f"  correlation   {prior.correlation:.3f}",
        ]
    )
