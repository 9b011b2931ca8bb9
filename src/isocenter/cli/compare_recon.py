"""``isocenter compare-recon``: every method on one file, quality against seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from isocenter.cli.reconstruct import NOTHING_ASKED, Asked, request
from isocenter.errors import IsocenterError, UnknownName, UsageError

if TYPE_CHECKING:
    from isocenter.study.reconstruction import Prepared

__all__ = ["compare_recon"]

COLUMNS = ("method", "psnr", "ssim", "nmse", "data_residual", "evaluations", "seconds", "why")
"""Of the table: PSNR in dB, SSIM and NMSE by fastMRI's definitions, seconds of all slices."""


def compare_recon(
    source: Annotated[Path, Parameter(name="KSPACE")],
    /,
    *,
    methods: str = "all",
    asked: Annotated[Asked, Parameter(name="*")] = NOTHING_ASKED,
    out: Path | None = None,
) -> int:
    """Compare methods.

    Args:
        source: Fully sampled k-space, or any with --reference.
        methods: Names with commas between them, or all that need no file of weights; see
            `isocenter list restorers`.
        asked: See there.
        out: Write the table here, too (.tsv).
    """
    names = _names(methods)
    if out is not None and out.suffix.lower() != ".tsv":
        raise UsageError(f"--out is {out}: give a name that ends in .tsv")
    from isocenter.study.reconstruction import prepare

    wanted = request(source, asked)
    prepared = prepare(wanted)
    if prepared.truth is None:
        raise UsageError(
            "nothing to compare with: give a fully sampled file and --acceleration, or --reference"
        )
    acs = prepared.kspace.mask.acs
    print(
        f"{source.name}   R={prepared.true_acceleration:.2f}, ACS {acs[0]} x {acs[1]}, "
        f"against {prepared.reference}"
    )
    print(f"{'method':<14}{'PSNR dB':>9}{'SSIM':>9}{'NMSE':>9}{'evaluations':>13}{'seconds':>9}")
    rows = [_row(name, prepared, asked.seed) for name in names]
    if out is not None:
        from isocenter.data import atomic

        lines = ["\t".join(COLUMNS), *("\t".join(row) for row in rows)]
        atomic.write_text(out, "\n".join(lines) + "\n")
        print(f"wrote {out}")
    return 3 if any(row[-1] != "n/a" for row in rows) else 0


def _row(name: str, prepared: Prepared, seed: int) -> tuple[str, ...]:
    """One method: its line is printed at once, since the next may take minutes."""
    from isocenter.restorers import options_of
    from isocenter.study.reconstruction import restored

    try:
        made, scores = restored(prepared, name, options_of(name), seed=seed)
    except IsocenterError as error:
        print(f"{name:<14}  {error}", flush=True)
        return (name, *["n/a"] * (len(COLUMNS) - 2), str(error))
    value = {score.name: score.value for score in scores}
    residuals = sorted(one.residual for one in made.slices if one.residual is not None)
    print(
        f"{name:<14}{value['psnr'] or float('inf'):>9.2f}{value['ssim'] or 0:>9.4f}"
        f"{value['nmse'] or 0:>9.5f}{made.evaluations:>13}{made.seconds:>9.1f}",
        flush=True,
    )
    middle = f"{residuals[len(residuals) // 2]:.4g}" if residuals else "n/a"
    near = [f"{value[key]:.5g}" for key in ("psnr", "ssim", "nmse")]
    return (name, *near, middle, str(made.evaluations), f"{made.seconds:.3f}", "n/a")


def _names(given: str) -> list[str]:
    from isocenter.restorers import kspace_restorers

    known = kspace_restorers()
    names = (
        list(kspace_restorers(ready=True))
        if given == "all"
        else [name.strip() for name in given.split(",")]
    )
    for name in names:
        if name not in known:
            raise UnknownName("restorer of k-space", name, known)
    return names
