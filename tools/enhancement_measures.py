"""What ``enhancement_benchmark.py`` measures of an enhanced scan.

Images are (x, y, z) on the thin slices; ``brain`` is where they are judged.
"""

import math

import numpy as np
import scipy.ndimage
import torch
from scipy.stats import spearmanr
from torch import Tensor

from isocenter.metrics.psnr import psnr
from isocenter.metrics.ssim import ssim
from isocenter.ops.morphology import erode18
from isocenter.ops.tissue import TissueMaps, tissue_maps

QUANTILES = np.concatenate([np.linspace(0, 0.98, 99), 1 - np.geomspace(0.019, 1e-5, 30), [1.0]])
"""At which the ratio of error to deviation is kept."""
REMOVED = np.linspace(0, 0.95, 20)
"""Shares of the most doubtful voxels that are left out, for the sparsification curve."""
N_RANKED = 100_000
GAP, SHELL = 1, 3
"""A lesion's surroundings: voxels farther than the first and within the second distance of it."""
LEAST_CONTRAST = 0.1
"""Of a real lesion to its surroundings in the high-field image, else it is not counted."""
FEWEST_VOXELS = 5
FOUND = 0.5
"""Share of its contrast from which a lesion is found."""
FALSE, FALSE_MM3 = 0.2, 4.2
"""A false lesion: white matter wrong by this share of its brightness, connected, as large as a
ball of 2 mm."""


def brightness(truth: Tensor, brain: Tensor) -> float:
    """99th percentile of the brain."""
    return float(np.percentile(truth[brain].numpy(), 99))


def matched(image: Tensor, truth: Tensor, brain: Tensor) -> tuple[float, float]:
    """Gain and offset that bring the image nearest to the truth, in the brain."""
    x, y = image[brain].double(), truth[brain].double()
    gain = float(((x - x.mean()) * (y - y.mean())).mean() / x.var(correction=0))
    return gain, float(y.mean()) - gain * float(x.mean())


def fidelity(image: Tensor, truth: Tensor, brain: Tensor) -> dict[str, float]:
    """In the brain, by its 99th percentile as range; PSNR by its largest value as well."""
    given = [one.double()[None, None] for one in (image, truth)]
    inside = brain[None, None]
    bright, peak = brightness(truth, brain), float(truth[brain].max())
    return {
        "psnr": float(psnr(*given, data_range=bright, mask=inside)),
        "ssim": float(ssim(*given, data_range=bright, mask=inside)),
        "psnr_peak": float(psnr(*given, data_range=peak, mask=inside)),
    }


def calibration(error: Tensor, deviation: Tensor, rng: np.random.Generator) -> dict[str, object]:
    """How the stated deviation goes with the error; both (n,), over the brightness."""
    size = error.abs().double().numpy()
    spread = deviation.double().clamp_min(1e-12).numpy()
    ratio = size / spread
    some = rng.choice(len(size), min(N_RANKED, len(size)), replace=False)
    return {
        "quantiles": [float(f"{value:.5g}") for value in np.quantile(ratio, QUANTILES)],
        "mean_square": float(np.mean(ratio**2)),
        "mean_log_deviation": float(np.mean(np.log(spread))),
        "rank": float(spearmanr(size[some], spread[some]).statistic),
        "ause": sparsification_error(size, spread),
    }


def coverage(row: dict[str, object], factor: float) -> float:
    """Share of voxels whose error is at most ``factor`` stated deviations."""
    return float(np.interp(factor, np.array(row["quantiles"]), QUANTILES))


def sparsification_error(size: np.ndarray, spread: np.ndarray) -> float:
    """Area between the curves of the error that is left when the most doubtful, and when the
    most wrong voxels are taken away, over the whole error (Ilg et al., arXiv:1802.07095)."""
    by_doubt = _left(size[np.argsort(spread)])
    by_error = _left(np.sort(size))
    return float(np.trapezoid(by_doubt - by_error, REMOVED) / REMOVED[-1] / by_doubt[0])


def _left(size: np.ndarray) -> np.ndarray:
    """Root mean square of what comes first, for every share that is removed from the end."""
    sums = np.cumsum(size**2)
    counts = np.maximum(1, np.round((1 - REMOVED) * len(size)).astype(int))
    return np.sqrt(sums[counts - 1] / counts)


def lesion_figures(
    image: Tensor, truth: Tensor, lesions: Tensor, brain: Tensor, *, least: float = 0.0
) -> dict[str, object]:
    """Of every lesion: is its contrast to the surroundings there, and how large does it look?

    A lesion counts as found when its contrast is at least half of the true one.  Its volume is
    that of the voxels, it and its surroundings, that pass half of the true contrast.

    Args:
        image: What a method made; or the difference that inserted lesions made to it.
        truth: The same of the high-field image.
        lesions: Where they are.
        brain: Where surroundings count.
        least: Lesions with less contrast, relative to their surroundings, are left out.
    """
    labels, _ = scipy.ndimage.label(lesions.numpy(), np.ones((3, 3, 3)))
    made, known, apart = [], [], []
    for number, box in enumerate(scipy.ndimage.find_objects(labels), 1):
        wide = tuple(slice(max(0, one.start - SHELL - 1), one.stop + SHELL + 1) for one in box)
        inside = labels[wide] == number
        others = (labels[wide] > 0) & ~inside
        distance = scipy.ndimage.distance_transform_edt(~inside)
        near = brain.numpy()[wide] & ~others & (distance <= SHELL)
        around = near & (distance > GAP)
        if inside.sum() < FEWEST_VOXELS or around.sum() < FEWEST_VOXELS:
            continue
        level = float(truth.numpy()[wide][around].mean())
        values = [one.numpy()[wide] - one.numpy()[wide][around].mean() for one in (image, truth)]
        contrasts = [float(one[inside].mean()) for one in values]
        if abs(contrasts[1]) < max(least * abs(level), 1e-9):
            continue
        half = contrasts[1] / 2
        volumes = [int((one[near] / half > 1).sum()) for one in values]
        made.append(contrasts[0] / contrasts[1])
        known.append(abs(contrasts[1]))
        apart.append((volumes[0], volumes[1]))
    if not made:
        return {"n_lesions": 0}
    weights = np.array(known) / sum(known)
    volumes = np.array(apart, dtype=float).sum(0)
    return {
        "n_lesions": len(made),
        "n_found": int((np.array(made) >= FOUND).sum()),
        "kept": [round(one, 4) for one in made],
        "recovery": float((weights * np.array(made)).sum()),
        "volume_ratio": float(volumes[0] / max(volumes[1], 1)),
    }


def false_lesions(
    image: Tensor, truth: Tensor, tissue: TissueMaps, spacing: tuple[float, float, float]
) -> dict[str, float]:
    """Blobs of error in white matter, away from its border, of a scan without lesions."""
    white = erode18(erode18(tissue.wm > 0.95))
    litre = float(white.sum()) * math.prod(spacing) / 1e6
    level = float(truth[white].mean())
    error = torch.where(white, (image - truth) / level, 0.0).numpy()
    fewest = FALSE_MM3 / math.prod(spacing)
    n_blobs = 0
    for wrong in (error > FALSE, error < -FALSE):
        labels, _ = scipy.ndimage.label(wrong)
        n_blobs += int((np.bincount(labels.ravel())[1:] >= fewest).sum())
    return {"false_lesions": n_blobs, "white_litres": litre}


def tissue_volumes(
    image: Tensor, brain: Tensor, spacing: tuple[float, float, float], contrast: str | None
) -> dict[str, float]:
    """Millilitres of each tissue."""
    found = tissue_maps(image.contiguous(), brain, spacing=spacing, contrast=contrast)
    millilitre = math.prod(spacing) / 1000
    return {name: float(getattr(found, name).sum()) * millilitre for name in ("csf", "gm", "wm")}
