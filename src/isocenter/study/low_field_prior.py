"""From low-field scans to the prior of their signal over noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isocenter.artifacts import SnrPrior, fit_prior, segment_tissue
from isocenter.data.grids import mask_of
from isocenter.data.io import read
from isocenter.data.shapes import Mask3
from isocenter.data.step import JSON
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, IsocenterError
from isocenter.ops.tissue import TissueMaps, why_untrustworthy
from isocenter.restorers._snr import AIR, WHITE_MATTER, scan_noise
from isocenter.version import __version__

__all__ = ["LeftOut", "Measured", "Source", "document", "fitted", "measured", "measured_each"]


@dataclass(frozen=True)
class Source:
    """One scan, and what was given with it."""

    scan: Path
    brain: Path | None = None
    tissue: tuple[Path, ...] = ()
    """Three maps of probabilities, or one of labels; none to find them."""


@dataclass(frozen=True)
class Measured:
    """Signal over noise of one scan."""

    name: str
    sha256: str | None
    wm: float
    """Mean of white matter over ``sigma``."""
    gm: float
    sigma: float
    """Standard deviation of one channel's noise, in the scan's units."""
    noise_from: str
    """How ``sigma`` was found, in words."""


@dataclass(frozen=True)
class LeftOut:
    """A scan that was not used."""

    name: str
    why: str


def measured_each(
    sources: Sequence[Source], *, contrast: str | None = None, backend: str = "em"
) -> Iterator[Measured | LeftOut]:
    """What each scan shows, or why it is left out, as soon as it is known.

    Args:
        sources: Scans, and what was given with them.
        contrast: Of all of them; else what each file says.
        backend: ``"em"`` or ``"ants"``: who finds tissues that are not given.
    """
    for source in sources:
        try:
            scan = read(source.scan, contrast=contrast)
            brain = mask_of(source.brain, scan, "the brain mask") if source.brain else None
            tissue = _tissue(source, scan, brain, backend)
            yield measured(scan, brain=brain, tissue=tissue, name=source.scan.name)
        except IsocenterError as error:
            yield LeftOut(source.scan.name, str(error))


def _tissue(source: Source, scan: Volume, brain: Mask3 | None, backend: str) -> TissueMaps | None:
    """Maps from files or by ANTs; ``None`` leaves them to be found with the rest."""
    if source.tissue:
        return segment_tissue(scan, backend=source.tissue)
    return segment_tissue(scan, brain=brain, backend="ants") if backend == "ants" else None


def measured(
    scan: Volume, *, brain: Mask3 | None = None, tissue: TissueMaps | None = None, name: str = ""
) -> Measured:
    """Signal over noise of white and grey matter.

    A tissue's signal is its mean where its probability is above 0.9, as in the simulator.  The
    noise is that of the air, or of differences within white matter where the scan has no air.

    Args:
        scan: Low field.
        brain: Where the brain is; found if not given.
        tissue: Tissues on its grid; found if not given.
        name: What it is called.

    Raises:
        BadVolume: No brain, tissues that cannot be told apart, or no noise that could be measured.
    """
    if tissue is not None:
        why = why_untrustworthy(tissue, scan.data)
        if why is not None:
            raise BadVolume(f"the tissue maps are not to be built on: {why}")
    noise = scan_noise(scan, brain=brain, tissue=tissue)
    if noise.sigma is None or noise.source not in (AIR, WHITE_MATTER):
        raise BadVolume(
            "no noise could be measured: there is no air around the head, and white matter is "
            "too small or without noise"
        )
    if noise.snr is None:
        raise BadVolume(f"{noise.why_no_snr}: give --brain or --tissue, or leave it out")
    digest = scan.origin.params.get("sha256") if scan.origin else None
    return Measured(name, str(digest) if digest else None, *noise.snr, noise.sigma, noise.source)


def fitted(
    found: Sequence[Measured], *, reference: Literal["wm", "gm"] | None = None, contrast: str | None
) -> SnrPrior:
    """The prior of what was measured.

    Args:
        found: One of each scan.
        reference: The tissue whose brightness stays; the brighter one if not given.
        contrast: Of the scans, for the provenance.

    Raises:
        UsageError: Fewer than five.
    """
    pairs = [(one.wm, one.gm) for one in found]
    brighter: Literal["wm", "gm"] = "wm" if sum(a - b for a, b in pairs) > 0 else "gm"
    ways = " and ".join(sorted({one.noise_from for one in found}))
    said = f"fitted to {len(found)} {contrast or 'low-field'} scans; noise from {ways}"
    return fit_prior(pairs, reference=reference or brighter, provenance=said)


def document(
    prior: SnrPrior, found: Sequence[Measured], left_out: Sequence[LeftOut]
) -> dict[str, JSON]:
    """The prior as a file holds it, with the scans behind it."""
    return {
        **prior.to_values(),
        "scans": [
            {
                "name": one.name,
                "sha256": one.sha256,
                "wm": one.wm,
                "gm": one.gm,
                "sigma": one.sigma,
                "noise_from": one.noise_from,
            }
            for one in found
        ],
        "left_out": [{"name": one.name, "why": one.why} for one in left_out],
        "isocenter": __version__,
    }
