"""A support-vector machine on BRISQUE's statistics of locally normalised pixels.

Mittal, Moorthy and Bovik, IEEE TIP 21(12), 2012, doi:10.1109/TIP.2012.2214050: 36 numbers and a
regression with a Gaussian kernel.  Here they are the mean over slices of a scan, each cropped to
the head, as air is no natural scene.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isocenter.data.preprocess import Slabs
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume
from isocenter.metrics.brisque import MINIMUM_SIDE, scene_features
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.slabs import usable_axes
from isocenter.training.baselines._features import FeatureTable
from isocenter.training.baselines._learned import (
    Learned,
    LearnsFromFeatures,
    scikit_learn,
    spread,
)
from isocenter.training.baselines._protocol import Array, Method

__all__ = ["method", "slice_features"]

NAMES = tuple(f"brisque_{i:02d}" for i in range(36))
SHARES = (0.35, 0.5, 0.65)
"""Where slices lie between the first and the last of the head, along every usable axis."""
PENALTY = 8.0
"""``C`` of the machine; features, and numbers to estimate, are standardised."""
TOLERANCE = 0.1
"""Of the regression, in standard deviations of the truth."""
SMALLEST_SCALE = 1e-9


def method(*, path: Path | None = None) -> Method:
    """Regression, or classification whose outputs rank the classes; needs scikit-learn.

    Outputs of a classification are positive and sum to 1, and are no calibrated probabilities.

    Args:
        path: Table in which the statistics are kept by the scan's hash.
    """
    return LearnsFromFeatures(
        FeatureTable(NAMES, slice_features, path=path), _learner, needs_all=True
    )


def slice_features(scan: Volume) -> list[float]:
    """The 36 numbers, mean over slices along all axes whose planes have fine pixels.

    Raises:
        BadVolume: No slice shows enough of a head.
    """
    mask = head_mask(scan.data)
    if not bool(mask.any()):
        raise BadVolume("there is no head: the image is constant")
    bright = scan.data * (255 / head_scale(scan.data, mask))
    slices = [
        one
        for axis in usable_axes(scan.spacing, scan.shape, Slabs())
        for one in _slices(bright, mask, axis)
    ]
    found = [scene_features(one.double()[None, None])[0] for one in slices]
    found = [numbers for numbers in found if bool(numbers.isfinite().all())]
    if not found:
        raise BadVolume(
            f"no slice shows a head of {MINIMUM_SIDE} x {MINIMUM_SIDE} pixels with any structure"
        )
    mean: list[float] = torch.stack(found).mean(0).tolist()
    return mean


def _slices(image: Tensor, mask: Tensor, axis: int) -> list[Tensor]:
    """Slices along an axis, cropped to the box of the head."""
    shown = mask.movedim(axis, 0).flatten(1).any(1).nonzero()
    first, last = int(shown[0]), int(shown[-1])
    cropped = []
    for share in SHARES:
        at = round(first + share * (last - first))
        inside = mask.select(axis, at)
        rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
        if min(len(rows), len(columns)) >= MINIMUM_SIDE:
            down, across = (slice(int(ends[0]), int(ends[-1]) + 1) for ends in (rows, columns))
            cropped.append(image.select(axis, at)[down, across])
    return cropped


def _learner(values: Array, truth: Array, n_classes: int | None) -> Learned:
    mean, scale = values.mean(0), values.std(0).clip(SMALLEST_SCALE)
    inputs = (values - mean) / scale
    if n_classes is None:
        return _regression(inputs, truth, mean, scale)
    if len(np.unique(truth)) == 1:
        # A machine needs two classes; with one there is nothing to tell apart.
        return lambda new: spread(np.ones((len(new), 1)), truth[:1].astype(int), n_classes)
    machine = scikit_learn("svm").SVC(C=PENALTY).fit(inputs, truth.astype(int))

    def answer(new: Array) -> Array:
        margins = machine.decision_function((new - mean) / scale)
        if margins.ndim == 1:
            margins = np.stack([-margins, margins], axis=1)
        margins = np.exp(margins - margins.max(1, keepdims=True))
        return spread(margins / margins.sum(1, keepdims=True), machine.classes_, n_classes)

    return answer


def _regression(inputs: Array, truth: Array, mean: Array, scale: Array) -> Learned:
    centre, size = truth.mean(), max(float(truth.std()), SMALLEST_SCALE)
    line = scikit_learn("svm").SVR(C=PENALTY, epsilon=TOLERANCE)
    line.fit(inputs, (truth - centre) / size)
    return lambda new: np.asarray(line.predict((new - mean) / scale) * size + centre)[:, None]
