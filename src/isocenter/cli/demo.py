"""``isocenter demo``: the main job on the sample scan, with nothing to prepare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.errors import IsocenterError, ResourceError

if TYPE_CHECKING:
    from isocenter.cli._options import Options
    from isocenter.data.scores import QualityReport

__all__ = ["demo"]

ARTIFACT, LEVEL, SEED = "motion", 3, 7


def demo(*, out: Path = Path("isocenter-demo"), device: str = "auto") -> int:
    """Assess the sample scan, and a copy of it with motion.

    Args:
        out: Folder for the reports; made if it is missing.
        device: Where the network runs: auto, cpu, cuda or cuda:N.
    """
    from isocenter.cli._assessing import prepare_folder
    from isocenter.cli._options import Options
    from isocenter.datasets import sample
    from isocenter.reports import report
    from isocenter.study.find import subject_of

    prepare_folder(out)
    clean, options = sample.path(), Options(out=out, device=device)
    print("One real scan, and the same scan as if the person had moved.\n", flush=True)
    before = _assess(clean, options)
    moved = out / f"{subject_of(clean)}_{ARTIFACT}.nii.gz"
    _move(clean, moved)
    after = _assess(moved, options)
    page = report([before, after], to=out / "demo.html")
    print(f"\nOpen {page} in a browser to see both side by side.")
    return 0


def _move(clean: Path, moved: Path) -> None:
    from isocenter.cli.distort import distorted, save
    from isocenter.data.io import read

    worse = distorted(read(clean), ARTIFACT, LEVEL, seed=SEED, preset="physical")
    save(worse, moved, source=clean.name, sha256=None)


def _assess(scan: Path, options: Options) -> QualityReport:
    """Assess, write and print as ``isocenter assess`` does; any failure ends the demo."""
    from isocenter.cli._assessing import work
    from isocenter.cli._lines import lines
    from isocenter.cli._options import Job
    from isocenter.study.find import subject_of

    [row] = work(Job((scan,), (subject_of(scan),), options))
    if row.report is None:
        raise _error(row.code)(row.error)
    print("\n".join(lines(row)), flush=True)
    return row.report


def _error(code: int) -> type[IsocenterError]:
    """The error class that leaves with ``code``."""
    leaves = IsocenterError.__subclasses__()
    return next((leaf for leaf in leaves if leaf.exit_code == code), ResourceError)
