"""``Enhanced``: what a restorer of scans hands back; ``Checked``: what may be believed of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.data.step import JSON
from isocenter.data.volume import Volume

__all__ = ["Checked", "Enhanced", "Region"]


@dataclass(frozen=True, eq=False)
class Enhanced:
    """Thin slices made of thick ones; every volume is on the thin slices' grid, RAS+."""

    image: Volume
    """In the scan's units."""
    deviation: Volume | None
    """Standard deviation of the error, in the scan's units; ``None`` where the method knows
    none."""
    lower: Volume | None
    """Interval that holds the truth in ``facts["level"]`` of all voxels, on people like those
    that it was calibrated on."""
    upper: Volume | None
    interpolated: Volume
    """The scan on the same grid by cubic splines."""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    """What was done, as plain values.  Always ``ratio`` and ``axis``; with a network ``members``,
    ``tile``, ``n_tiles``, ``weights``, ``weights_sha256``, ``scale``, ``device``, ``level``,
    ``interval_factor``, ``deviation_scale`` and ``notes`` (sentences); ``seconds`` from
    :func:`isocenter.restorers.enhance`."""


@dataclass(frozen=True)
class Region:
    """A piece of an image that stands out."""

    n_voxels: int
    centre: tuple[float, float, float]
    """World position in mm, RAS+."""
    slice: int
    """Across slices, from 0, on the grid of its map."""
    peak: float
    """The value farthest from 0, in standard deviations."""

    def to_json(self) -> dict[str, JSON]:
        """Plain values."""
        return {
            "n_voxels": self.n_voxels,
            "centre_mm": [round(mm, 2) for mm in self.centre],
            "slice": self.slice,
            "peak": round(self.peak, 3),
        }


@dataclass(frozen=True, eq=False)
class Checked:
    """What may be believed of an enhanced scan: numbers, or why there are none, and maps."""

    consistency: Volume | None
    """z on the thick slices: what they would show of the enhanced scan less what they show, over
    the noise's standard deviation; 0 outside the head."""
    null_space: Volume | None
    """On the thin slices, 0 to 1: the part of the detail around a voxel that the thick slices
    cannot have measured."""
    mean_square: float | None
    """Of z in the head; 1 when all that is left is noise."""
    sigma: float | None
    """Standard deviation of the scan's noise, in its units."""
    clusters: tuple[Region, ...]
    """Of thick voxels with ``|z| > 3``, at least ten each, largest first."""
    null_share: float | None
    """The part of the detail across slices that the thick slices cannot have measured, 0 to 1."""
    null_share_of_interpolated: float | None
    """The same of the scan by cubic splines, to compare."""
    snr: tuple[float, float] | None
    """Signal over noise of white and grey matter in the thick scan."""
    prior_distance: float | None
    """Mahalanobis distance of ``snr`` from the scans that the network has learned from."""
    in_prior: bool | None
    """Whether that is a distance it has learned at."""
    changed: tuple[Region, ...]
    """Pieces of the thin slices that leave the interpolated ones by more than the interval, the
    noise and neighbouring slices allow, largest first; ``peak`` in such allowances."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a value is ``None``, by its name."""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    """What was assumed: slice thickness, how the noise was found, the brightness map's knots."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each thing that a reader has to know; empty when all is as expected."""
        said = []
        if self.changed:
            said.append(f"{_regions(self.changed)} changed more than the uncertainty allows")
        if self.clusters:
            said.append(f"{_regions(self.clusters)} disagree with the thick slices")
        if self.in_prior is False:
            said.append(
                "the scan's signal over noise is unlike that of the scans the network has learned "
                "from: the intervals may be too narrow"
            )
        return tuple(said)

    def to_json(self) -> dict[str, JSON]:
        """Everything but the maps, as plain values; a null has its reason under ``missing``."""
        return {
            "mean_square": self.mean_square,
            "sigma": self.sigma,
            "clusters": [one.to_json() for one in self.clusters],
            "null_share": self.null_share,
            "null_share_of_interpolated": self.null_share_of_interpolated,
            "snr": None if self.snr is None else dict(zip(("wm", "gm"), self.snr, strict=True)),
            "prior_distance": self.prior_distance,
            "in_prior": self.in_prior,
            "changed": [one.to_json() for one in self.changed],
            "warnings": list(self.warnings),
            "missing": dict(self.missing),
            "facts": dict(self.facts),
        }


def _regions(found: tuple[Region, ...]) -> str:
    slices = ", ".join(str(number) for number in sorted({one.slice for one in found})[:5])
    more = ", ..." if len({one.slice for one in found}) > 5 else ""
    count = "1 region" if len(found) == 1 else f"{len(found)} regions"
    return f"{count} ({'slice' if len(found) == 1 else 'slices'} {slices}{more})"
