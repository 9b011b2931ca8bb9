"""How much signal over noise a low-field scanner gives white and grey matter."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from isocenter.data.step import JSON
from isocenter.errors import InputError, UnknownName, UsageError

__all__ = ["FEWEST", "SNR_PRIORS", "SnrPrior", "fit_prior", "published_draws", "snr_prior"]

FORMAT = "isocenter-snr-prior-1"
ORDER = ["wm", "gm"]
FEWEST = 5
"""Scans from which a prior can be fitted."""
TRIES = 10_000
CONTAINED_99 = 3.035
"""Mahalanobis distance of the ellipse that holds 99 % of a bivariate normal distribution.  In both
published priors it lies on one side of the line on which tissues have equal signal."""


@dataclass(frozen=True)
class SnrPrior:
    """A normal distribution of (white matter, grey matter) signal over noise.

    Raises:
        UsageError: The covariance is not positive, or a mean is not.
    """

    mean: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    reference: Literal["wm", "gm"]
    """The tissue whose brightness stays; the other's is changed."""
    provenance: str
    """Where the numbers come from, in a sentence."""
    max_mahalanobis: float | None = CONTAINED_99
    """Draws further from the mean are drawn again; ``None`` takes all, as published."""

    def __post_init__(self) -> None:
        covariance = np.array(self.covariance)
        numbers = np.array([*self.mean, *covariance.flatten()])
        symmetric = np.allclose(covariance, covariance.T)
        possible = np.isfinite(numbers).all() and symmetric and min(self.mean) > 0
        if not possible or not np.all(np.linalg.eigvalsh(covariance) > 0):
            raise UsageError("a prior has positive means and a positive definite covariance")

    def draw(self, rng: torch.Generator) -> tuple[float, float]:
        """One pair (white matter, grey matter), both above 0."""
        factor = np.linalg.cholesky(np.array(self.covariance))
        for _ in range(TRIES):
            normal = torch.randn(2, dtype=torch.float64, generator=rng).numpy()
            far = self.max_mahalanobis is not None and np.hypot(*normal) > self.max_mahalanobis
            wm, gm = np.array(self.mean) + factor @ normal
            if not far and wm > 0 and gm > 0:
                return float(wm), float(gm)
        raise UsageError("no pair with positive signal could be drawn: check the prior")

    def distance(self, wm: float, gm: float) -> float:
        """Mahalanobis distance of a pair from the mean."""
        gap = np.array([wm, gm]) - np.array(self.mean)
        return float(np.sqrt(gap @ np.linalg.solve(np.array(self.covariance), gap)))

    @property
    def correlation(self) -> float:
        """Of white and grey matter, -1 to 1."""
        (wm, both), (_, gm) = self.covariance
        return both / float(np.sqrt(wm * gm))

    def to_values(self) -> dict[str, JSON]:
        """Plain values, as a file holds them; :meth:`from_values` takes them back."""
        return {
            "format": FORMAT,
            "order": list(ORDER),
            "mean": list(self.mean),
            "covariance": [list(row) for row in self.covariance],
            "correlation": self.correlation,
            "reference": self.reference,
            "max_mahalanobis": self.max_mahalanobis,
            "provenance": self.provenance,
        }

    @classmethod
    def from_values(cls, values: Any) -> "SnrPrior":
        """Inverse of :meth:`to_values`; what else is there is passed over.

        Raises:
            InputError: It is no prior.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise InputError(f"no prior of signal over noise: give a file of format {FORMAT!r}")
        if values.get("order") != ORDER or values.get("reference") not in ORDER:
            raise InputError("a prior names its order, wm before gm, and which is its reference")
        try:
            wm, gm = (float(value) for value in values["mean"])
            (a, b), (c, d) = ([float(value) for value in row] for row in values["covariance"])
            limit = values["max_mahalanobis"]
            bound = None if limit is None else float(limit)
            said = str(values["provenance"])
            return cls((wm, gm), ((a, b), (c, d)), values["reference"], said, bound)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise InputError(
                f"a prior that makes no sense ({error}): fit it again with isocenter fit-prior"
            ) from error

    @classmethod
    def from_json(cls, path: Path | str) -> "SnrPrior":
        """Read what ``isocenter fit-prior`` wrote.

        Raises:
            InputError: No such file, or no prior in it.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path} cannot be read as a prior: {error}") from error
        return cls.from_values(values)


SNR_PRIORS = {
    "siqt-flair-0.36T": SnrPrior(
        (35.031, 42.329),
        ((34.048, 39.850), (39.850, 50.293)),
        "gm",
        "FLAIR of a 0.36 T scanner, published with SIQT (active set of its configuration)",
    ),
    "siqt-t1-0.36T": SnrPrior(
        (64.50, 54.14),
        ((78.47, 71.50), (71.50, 73.91)),
        "wm",
        "0.36 T scanner, published with SIQT without a label; T1-weighted by inference, since "
        "white matter is above grey matter; the reference tissue is the code's default",
    ),
}
"""By name.  No prior of T2-weighted scans was published."""


def snr_prior(name_or_file: str | Path) -> SnrPrior:
    """A published prior by its name, or one that ``isocenter fit-prior`` wrote.

    Args:
        name_or_file: One of :data:`SNR_PRIORS`, or a file that ends in ``.json``.

    Raises:
        UnknownName: Neither.
        InputError: A file that holds no prior.
    """
    if str(name_or_file).endswith(".json"):
        return SnrPrior.from_json(name_or_file)
    if str(name_or_file) not in SNR_PRIORS:
        raise UnknownName("prior of signal over noise", str(name_or_file), SNR_PRIORS)
    return SNR_PRIORS[str(name_or_file)]


def published_draws(prior: SnrPrior, n: int, seed: int) -> npt.NDArray[np.float64]:
    """(n, 2) pairs as the published code draws them: NumPy's legacy generator, no bound."""
    legacy = np.random.RandomState(seed)
    return np.asarray(legacy.multivariate_normal(prior.mean, prior.covariance, size=n))


def fit_prior(
    pairs: Sequence[tuple[float, float]], *, reference: Literal["wm", "gm"], provenance: str
) -> SnrPrior:
    """The prior of measured pairs (white matter, grey matter), shrunk towards a round one.

    Ledoit and Wolf, J. Multivariate Analysis 88(2), 2004, doi:10.1016/S0047-259X(03)00096-4.

    Args:
        pairs: One of each scan.
        reference: The tissue whose brightness stays.
        provenance: Where the scans come from.

    Raises:
        UsageError: Fewer than five pairs.
    """
    if len(pairs) < FEWEST:
        raise UsageError(f"{len(pairs)} scans are too few for a prior: give {FEWEST} or more")
    rows = np.array(pairs, dtype=float)
    mean = rows.mean(0)
    covariance = _shrunk(rows - mean)
    wm, gm = mean.tolist()
    (a, b), (c, d) = covariance.tolist()
    return SnrPrior((wm, gm), ((a, b), (c, d)), reference, provenance)


def _shrunk(centred: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The covariance and its mean variance, mixed so that the expected error is least."""
    n, p = centred.shape
    sample = centred.T @ centred / n
    round_one = np.trace(sample) / p * np.eye(p)
    distance = np.sum((sample - round_one) ** 2) / p
    products = centred[:, :, None] * centred[:, None, :]
    spread = np.sum((products - sample) ** 2) / n**2 / p
    share = min(1.0, spread / distance) if distance > 0 else 1.0
    return np.asarray(share * round_one + (1 - share) * sample)
