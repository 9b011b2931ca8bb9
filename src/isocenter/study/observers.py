"""People who rate images: simulated ones, and what their ratings come to.

Every observer has a scale of his own, so ratings are brought to z-scores before they are
averaged, after observers who do not agree with the others are left out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isocenter.data.random import child
from isocenter.errors import UsageError

__all__ = ["Opinion", "Panel", "mean_opinion", "simulate_ratings"]

Array = npt.NDArray[np.float64]
LEAST_AGREEMENT = 0.75
"""Pearson correlation with the mean of the others below which an observer is left out."""


@dataclass(frozen=True)
class Panel:
    """Simulated observers; all in points of a scale from 0 to 100.

    Raises:
        UsageError: Fewer than 3 attentive observers, or a negative spread.
    """

    n_observers: int = 13
    """How many there are, careless ones among them."""
    n_careless: int = 1
    """How many rate at random: the last ones."""
    offset: float = 6.0
    """Standard deviation between observers of what each adds to every rating."""
    gain: float = 0.1
    """Standard deviation between observers of the factor, whose mean is 1."""
    noise: float = 8.0
    """Standard deviation of every single rating."""

    def __post_init__(self) -> None:
        if not 0 <= self.n_careless <= self.n_observers - 3:
            raise UsageError(
                f"{self.n_observers} observers of whom {self.n_careless} are careless: "
                f"at least 3 must pay attention"
            )
        if min(self.offset, self.gain, self.noise) < 0:
            raise UsageError(f"{self}: a spread is negative; give 0 or more")


@dataclass(frozen=True, eq=False)
class Opinion:
    """What the ratings of an image come to, and who counted."""

    mos: Array
    """Mean opinion score of every image, 0 to 100, higher is better."""
    deviation: Array
    """Standard deviation over the observers who counted, same scale."""
    counted: npt.NDArray[np.bool_]
    """False for observers who were left out."""


def simulate_ratings(
    latent: Array, panel: Panel, *, rng: torch.Generator
) -> tuple[Array, list[dict[str, Any]]]:
    """What a panel says of images whose quality is known.

    An attentive observer says 50 + offset + gain (latent - 50) + noise, cut to 0 to 100; a
    careless one says anything from 0 to 100.

    Args:
        latent: True quality of every image, 0 to 100.
        panel: Who looks.
        rng: Source of every draw, by observer.

    Returns:
        Ratings (observer, image), and what was drawn for every observer.
    """
    ratings, drawn = [], []
    for i in range(panel.n_observers):
        stream = child(rng, "observer", i)
        offset, gain = torch.randn(2, dtype=torch.float64, generator=stream).tolist()
        observer = {"offset": panel.offset * offset, "gain": 1 + panel.gain * gain}
        spread = torch.randn(len(latent), dtype=torch.float64, generator=stream).numpy()
        anything = torch.rand(len(latent), dtype=torch.float64, generator=stream).numpy()
        careless = i >= panel.n_observers - panel.n_careless
        seen = 50 + observer["offset"] + observer["gain"] * (latent - 50) + panel.noise * spread
        ratings.append(100 * anything if careless else np.clip(seen, 0, 100))
        drawn.append({"careless": careless} if careless else observer | {"careless": careless})
    return np.stack(ratings), drawn


def mean_opinion(ratings: Array) -> Opinion:
    """Mean opinion scores from what every observer said of every image.

    Each observer's ratings become z-scores; observers whose z-scores correlate with the mean of
    the others by less than 0.75 are left out, all at once; z from -3 to 3 becomes 0 to 100.

    Args:
        ratings: (observer, image), any scale on which higher is better.

    Raises:
        UsageError: Fewer than 3 observers or images, or nobody agrees.
    """
    if ratings.ndim != 2 or min(ratings.shape) < 3:
        raise UsageError(f"ratings are {ratings.shape}: give 3 observers and 3 images or more")
    spread = ratings.std(axis=1, ddof=1, keepdims=True)
    constant = np.ptp(ratings, axis=1) == 0
    z = (ratings - ratings.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    counted = ~constant & (_agreement(z) >= LEAST_AGREEMENT)
    if counted.sum() < 2:
        raise UsageError("no two observers agree: look at the ratings")
    scaled = 100 * (z[counted] + 3) / 6
    mos = np.clip(scaled.mean(axis=0), 0, 100)
    return Opinion(mos, scaled.std(axis=0, ddof=1), counted)


def _agreement(z: Array) -> Array:
    """Correlation of every observer with the mean of all others; 0 where one is constant."""
    others = (z.sum(axis=0) - z) / (len(z) - 1)
    others = others - others.mean(axis=1, keepdims=True)
    size = np.sqrt((z**2).sum(axis=1) * (others**2).sum(axis=1))
    return np.asarray((z * others).sum(axis=1) / np.where(size > 0, size, 1))
